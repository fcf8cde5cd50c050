"""The order of what happened in a run: what an optimizer was stepped for, and whether that was after something else.

For questions about what came too late. Must not know which question is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.semantics import events
from optlint.semantics.values import Leaf, Optimizer

if TYPE_CHECKING:
    from optlint.semantics.program import Run


class Chronicle:
    """The events of a run by their place in it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._places = {id(event): place for place, event in enumerate(run.events)}
        self._entries: list[int] = []
        entry = 0
        for event in run.events:
            entry += isinstance(event, events.MethodBegan)
            self._entries.append(entry)
        self._backwards = [(self.place(event), event) for event in run.backwards]
        self._steps = [(self.place(event), event) for event in run.of(events.OptimizerStepped)]

    def place(self, event: events.Event) -> int:
        """Where an event stands among the others."""
        return self._places[id(event)]

    def certainly_before(self, first: int, second: int) -> bool:
        """Whether what stands at ``first`` happens before ``second`` whatever calls the methods in between."""
        entry = self._entries[first]
        return first < second and entry in (0, self._entries[second])

    def builds(self) -> Iterator[tuple[int, events.OptimizerBuilt]]:
        """The optimizers that were built, each with its place."""
        return ((self.place(built), built) for built in self.run.optimizers)

    def trained_after(
        self, place: int, leaves: frozenset[Leaf], optimizer: Optimizer, branches: tuple[object, ...] = ()
    ) -> bool:
        """Whether gradient reaches ``leaves`` after ``place``, on its way through the program, and is stepped then."""
        reaching = [
            (at, backward)
            for at, backward in self._backwards
            if leaves & backward.maybe and self.certainly_before(place, at)
        ]
        for at, backward in reaching:
            if not self._on_the_way(branches, backward, [other for _, other in reaching]):
                continue
            if any(
                step.optimizer is optimizer and self.certainly_before(at, then) for then, step in self._steps
            ):
                return True
        return False

    def fruitless_after(self, place: int) -> bool:
        """Whether a backward pass after ``place`` certainly reaches nothing."""
        return any(
            event.known and not event.maybe and not event.cuts
            for at, event in self._backwards
            if self.certainly_before(place, at)
        )

    def _on_the_way(
        self, branches: tuple[object, ...], backward: events.Backward, others: list[events.Backward]
    ) -> bool:
        """Whether a backward pass runs on the way that ``branches`` names, if these say anything of it."""
        if not branches:
            return True
        taken = set(branches)
        for branch in backward.branches:
            if branch in taken:
                continue
            opposite = _opposite(branch)
            if not any(opposite in other.branches for other in others):
                return False  # it may run only where the other did not
        return True

    def since(self, place: int, optimizer: Optimizer) -> Iterator[frozenset[Leaf]]:
        """For each step of an optimizer after ``place``: what the backward passes since the step before may reach."""
        reached: frozenset[Leaf] = frozenset()
        marks = [
            (at, event) for at, event in (*self._backwards, *self._steps) if self.certainly_before(place, at)
        ]
        for _, event in sorted(marks, key=lambda mark: mark[0]):
            if isinstance(event, events.Backward):
                reached |= event.maybe
            elif isinstance(event, events.OptimizerStepped) and event.optimizer is optimizer:
                yield reached
                reached = frozenset()


def _opposite(branch: object) -> object:
    return (branch[0], not branch[1]) if isinstance(branch, tuple) else None


def chronicle(run: Run) -> Iterator[Chronicle]:
    """The order of a run, worked out once."""
    yield Chronicle(run)
