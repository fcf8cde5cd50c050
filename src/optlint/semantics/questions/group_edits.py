"""Optimizers that were emptied by hand, given an iterator, or copied alone, and that are stepped afterwards (OPT107).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import events, iteration
from optlint.semantics.questions.chronicle import Chronicle, chronicle
from optlint.semantics.site import Site
from optlint.semantics.values import Container, DictObj, Items, Leaf, OneShot, Optimizer

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class EditedGroups:
    """An optimizer that holds nothing (``form``: emptied), an iterator, or copies (copied) from ``site`` on."""

    site: Site
    form: str
    optimizer_name: str
    leaves: frozenset[Leaf]
    optimizers: tuple[events.OptimizerBuilt, ...]


def edited_groups(run: Run) -> Iterator[EditedGroups]:
    """Optimizers that are left with nothing to step, by what the program writes into their groups."""
    if not run.complete:
        return
    history = run.ask(chronicle)[0]
    for event in run.of(events.GroupsEdited):
        if event.conditional or len(event.optimizer.groups.groups) > event.count:
            continue
        form = _form(event)
        if not form or not _trained_after(run, history, event):
            continue
        built = tuple(built for built in run.optimizers if built.optimizer is event.optimizer)
        leaves = frozenset(run.held_by(event.optimizer))
        if isinstance(event.given, OneShot):
            given = iteration.peek(run.interpreter, event.given).values
            leaves |= {value for value in given if isinstance(value, Leaf)}
        yield EditedGroups(event.site, form, event.optimizer.cls_name, leaves, built)
    yield from _copies(run, history)


def _copies(run: Run, history: Chronicle) -> Iterator[EditedGroups]:
    """Copies of optimizers that are stepped in the place of the originals, for the originals' parameters."""
    for event in run.of(events.OptimizerCopied):
        held, original = run.held_by(event.optimizer), run.held_by(event.original)
        place = history.place(event)
        reached = list(history.since(place, event.optimizer))
        if event.conditional or any(history.since(place, event.original)) or any(held & r for r in reached):
            continue
        if any(original & leaves for leaves in reached):
            built = tuple(built for built in run.optimizers if built.optimizer is event.original)
            yield EditedGroups(event.site, "copied", event.original.cls_name, frozenset(original), built)


def _form(event: events.GroupsEdited) -> str:
    if isinstance(event.given, OneShot):
        return "iterator"
    return "emptied" if _holds_nothing(event.optimizer) else ""


def _holds_nothing(optimizer: Optimizer) -> bool:
    """Whether all groups are empty lists at the end, as the program sees them."""
    view = optimizer.slots.get("#param_groups")
    if not isinstance(view, Container) or view.items.open:
        return False
    lists = [group.entries.values.get("params") for group in view.items.values if isinstance(group, DictObj)]
    return len(lists) == len(view.items.values) and all(
        isinstance(params, Container) and params.items == Items() for params in lists
    )


def _trained_after(run: Run, history: Chronicle, event: events.GroupsEdited) -> bool:
    """Whether the optimizer is stepped after a backward pass that comes later."""
    return any(history.since(history.place(event), event.optimizer))
