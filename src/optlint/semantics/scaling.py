"""Gradient scalers: where each is between ``scale``, ``unscale_``, ``step`` and ``update``, and whose gradients are
scaled. The calls of scalers, backward passes and optimizers report here; the states live in the heap, so that
branches join. Must not know which calls are mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optlint.deferred import dataclass
from optlint.semantics.values import Flow, Instance, Obj, Unknown, Value

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: What a scaler did with an optimizer since its last ``update``.
UNSCALED, STEPPED = "unscaled", "stepped"
#: What is known of the gradients of an optimizer: none; of a plain loss; of a scaled one; scaled back; used by the
#: scaler's step; or anything.
NO, PLAIN, SCALED, BACK, TAKEN, DOUBT = "no", "plain", "scaled", "back", "taken", "doubt"
_SCALING, _MARKS = "#scaling", "#scaled gradients"


@dataclass(frozen=True)
class Phase:
    """One possible state of a scaler. ``scaled``: ``scale`` was called ever; ``open``: there may be other stages."""

    scaled: bool | None = False
    stages: frozenset[tuple[int, str]] = frozenset()
    open: bool = False

    def stage(self, subject: Obj) -> str:
        """What was done with an optimizer; empty when nothing, or not known."""
        return next((stage for key, stage in self.stages if key == id(subject)), "")

    def after(self, subject: Obj, stage: str) -> Phase:
        """The state when something more was done with it."""
        others = frozenset(pair for pair in self.stages if pair[0] != id(subject))
        return replace(self, scaled=True, stages=others | {(id(subject), stage)})


@dataclass(frozen=True)
class Scaling:
    """The states that a scaler may be in, one for each way through the program."""

    phases: frozenset[Phase] = frozenset({Phase()})

    def joined_with(self, others: Iterable[Scaling]) -> Scaling:
        """What holds after any of several branches."""
        return Scaling(self.phases.union(*(other.phases for other in others)))


@dataclass(frozen=True)
class Marks:
    """What an optimizer's gradients may be."""

    kinds: frozenset[str] = frozenset({NO})

    def joined_with(self, others: Iterable[Marks]) -> Marks:
        """What holds after any of several branches."""
        return Marks(self.kinds.union(*(other.kinds for other in others)))


_ANY = Scaling(frozenset({Phase(None, open=True)}))
_DOUBT = Marks(frozenset({DOUBT}))
#: After a backward pass from a plain loss, and from a scaled one.
_FILLED = {
    PLAIN: {NO: PLAIN, PLAIN: PLAIN, TAKEN: PLAIN},
    SCALED: {NO: SCALED, SCALED: SCALED, TAKEN: SCALED},
    DOUBT: {},
}


def scaling(scaler: Instance) -> Scaling:
    """Where a scaler is now."""
    found = scaler.slots.get(_SCALING)
    return found if isinstance(found, Scaling) else _ANY


def marks(subject: Obj) -> Marks:
    """What an optimizer's gradients are now."""
    found: Any = subject.slots.get(_MARKS, Marks())
    return found if isinstance(found, Marks) else _DOUBT


def made(it: Interpreter, scaler: Instance) -> None:
    """A scaler was made."""
    scaler.slots[_SCALING] = Scaling()
    it.book.scalers.append(scaler)


def moved(it: Interpreter, scaler: Instance, phases: Iterable[Phase]) -> None:
    """A scaler is in other states now."""
    it.heap.set(scaler.slots, _SCALING, Scaling(frozenset(phases)))


def mark(it: Interpreter, subject: Obj, kinds: Iterable[str]) -> None:
    """The gradients of an optimizer are something else now."""
    new = Marks(frozenset(kinds))
    if new != marks(subject):
        it.heap.set(subject.slots, _MARKS, new)


def entered(it: Interpreter) -> None:
    """A method that nobody in the file calls begins: whatever came before is not known."""
    for scaler in it.book.scalers:
        it.heap.set(scaler.slots, _SCALING, _ANY)


def doubt(it: Interpreter, subject: Obj) -> None:
    """Code that cannot be seen has an optimizer, or wrote its gradients."""
    if it.book.scalers:
        mark(it, subject, {DOUBT})


def cleared(it: Interpreter, subject: Obj) -> None:
    """An optimizer's gradients are gone."""
    if it.book.scalers:
        mark(it, subject, {NO})


def filled(it: Interpreter, subject: Obj, loss: Value, certain: bool) -> None:
    """A backward pass from ``loss`` reached an optimizer's parameters."""
    kind = DOUBT
    if isinstance(loss, (Flow, Unknown)) and loss.scaled:
        kind = SCALED
    elif isinstance(loss, Flow) and loss.scaled is False:
        kind = PLAIN
    before = marks(subject).kinds
    after = {_FILLED[kind].get(one, DOUBT) for one in before}
    mark(it, subject, after if certain else after | before | {DOUBT})


def backward(it: Interpreter, loss: Value, reached: frozenset[Any], hidden: bool) -> None:
    """A backward pass; ``hidden``: of which nothing is known but the loss."""
    from optlint.semantics.libraries.parameter_arguments import optimizer_leaves

    if not it.book.scalers:
        return
    subjects = list(it.book.subjects())
    for subject in it.book.known:
        held, more = optimizer_leaves(subject)
        if held & reached:
            filled(it, subject, loss, True)
        elif hidden or more:
            filled(it, subject, loss, len(subjects) == 1)
    for other in it.book.unseen.values():
        filled(it, other, loss, len(subjects) == 1)


def of_parts(values: Iterable[Value]) -> bool | None:
    """Whether what is computed of ``values`` is scaled: as a whole, not at all, or in part (None)."""
    found = {
        value.scaled
        for value in values
        if isinstance(value, Flow) and (value.deps or value.scaled is not False)
    }
    return found.pop() if len(found) == 1 else False if not found else None
