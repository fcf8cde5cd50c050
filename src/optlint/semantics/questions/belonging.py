"""Which optimizer has a parameter in hand, and which model it is a part of, under which name.

For questions about what was changed after an optimizer was built. Must not know which question is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from optlint.semantics import events, modules
from optlint.semantics.values import Instance, Leaf, Optimizer

if TYPE_CHECKING:
    from optlint.semantics.program import Run


def holds(run: Run, optimizer: Optimizer, leaf: Leaf) -> bool:
    """Whether an optimizer may hold a leaf, or held it as part of a library's model that was one piece then."""
    held = run.held_by(optimizer)
    current: object = leaf
    while isinstance(current, Leaf):
        if current in held and (current is leaf or leaf.serial > optimizer.serial):
            return True
        current = current.slots.get("#part_of")
    return False


def wholes(leaves: Iterable[Leaf]) -> frozenset[Leaf]:
    """Some leaves, and the library's models that they were parts of: what ``holds`` looks for."""
    found: set[Leaf] = set()
    for leaf in leaves:
        current: object = leaf
        while isinstance(current, Leaf) and current not in found:
            found.add(current)
            current = current.slots.get("#part_of")
    return frozenset(found)


def somebody_holds(run: Run, leaf: Leaf) -> bool:
    """Whether some optimizer of the run, or a copy of one, may hold a leaf."""
    if leaf in run.held:
        return True
    (first,) = run.ask(_first_holders)
    current: object = leaf
    while isinstance(current, Leaf):
        if current in first and (current is leaf or leaf.serial > first[current]):
            return True
        current = current.slots.get("#part_of")
    return False


def _first_holders(run: Run) -> Iterator[dict[Leaf, int]]:
    """The serial of the first optimizer, or copy of one, that may hold a leaf."""
    first: dict[Leaf, int] = {}
    copies = [event.optimizer for event in run.of(events.OptimizerCopied)]
    for optimizer in (*(built.optimizer for built in run.optimizers), *copies):
        for leaf in run.held_by(optimizer):
            first[leaf] = min(optimizer.serial, first.get(leaf, optimizer.serial))
    yield first


def was_among(leaf: Leaf, leaves: set[Leaf]) -> bool:
    """Whether a leaf, or the library's model that it was a part of, is among ``leaves``."""
    current: object = leaf
    while isinstance(current, Leaf):
        if current in leaves:
            return True
        current = current.slots.get("#part_of")
    return False


def is_forgotten(run: Run, leaf: Leaf) -> bool:
    """Whether nothing changes a leaf: no optimizer, no assignment by hand, no code that cannot be seen."""
    return (
        not leaf.slots.get("#escaped") and leaf not in run.updated_by_hand and not somebody_holds(run, leaf)
    )


def models(run: Run) -> list[Instance]:
    """The program's models, libraries' models and copies of models that are no part of another."""
    copies = [event.model for event in run.of(events.ModelCopied)]
    parts = {
        id(child)
        for copy in copies
        for _, child in modules.submodules(run.interpreter, copy, False)
        if child is not copy
    }
    ready = [event.model for event in run.of(events.ReadyModelMade)]
    return [*run.root_models, *ready, *(copy for copy in copies if id(copy) not in parts)]


def models_of(run: Run, leaves: frozenset[Leaf]) -> list[Instance]:
    """The models that have some of ``leaves``: those with the most of them first, then the largest."""
    ranked: list[tuple[int, int, Instance]] = []
    for model in models(run):
        own = {entry.leaf for entry in run.parameters(model).parameters}
        if own & leaves:
            ranked.append((len(own & leaves), len(own), model))
    return [model for _, _, model in sorted(ranked, key=lambda rank: rank[:2], reverse=True)]


def whole_of(run: Run, part: Instance) -> tuple[Instance, str]:
    """The model that a module is a part of, and its path in there; the module itself where it stands alone."""
    best: tuple[int, Instance, str] = (-1, part, "")
    for model in models(run):
        path = next((p for p, c in modules.submodules(run.interpreter, model, True) if c is part), None)
        size = len(run.parameters(model).parameters)
        if path is not None and size > best[0]:
            best = (size, model, path)
    return best[1], best[2]
