"""Optimizers that were built before the model that they train was changed, replaced or copied (OPT107).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import events, families, modules
from optlint.semantics.questions import causes
from optlint.semantics.questions.belonging import (
    holds,
    is_forgotten,
    models,
    somebody_holds,
    whole_of,
    wholes,
)
from optlint.semantics.questions.chronicle import Chronicle, chronicle
from optlint.semantics.questions.group_edits import edited_groups
from optlint.semantics.questions.participation import trains
from optlint.semantics.site import Site
from optlint.semantics.values import Instance, Leaf, OneShot, Optimizer

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class Change:
    """What gave a model parameters that an optimizer does not know of.

    ``kind``: replaced, added, renewed (``how``: by what, in words), unloaded (taken away by ``how``), recreated,
    loaded, copied, or constructed (the optimizer was built in the constructor, before the layers). ``part``: the
    module that was changed, ``name``: its attribute; ``direct``: a parameter was set, not a module; ``everything``:
    all that it had is new.
    """

    kind: str
    site: Site
    part: Instance
    how: str = ""
    name: str = ""
    direct: bool = False
    everything: bool = False


@dataclass(frozen=True)
class Stale:
    """An optimizer that does not hold what training reaches after ``changes``.

    ``single``: the first of ``names`` is a parameter, not a module; ``inside``: it is a container, what is new in there
    has no known name; ``whole``: the optimizer holds nothing of the model that could train; ``raises``: it was given
    nothing at all.
    """

    built: events.OptimizerBuilt
    changes: tuple[Change, ...]
    names: tuple[str, ...]
    variable: str | None
    model_name: str
    single: bool
    inside: bool
    whole: bool
    raises: bool
    leaves: frozenset[Leaf]
    optimizers: tuple[events.OptimizerBuilt, ...]


Found = tuple[events.OptimizerBuilt, Change, frozenset[Leaf]]


def stale_optimizers(run: Run) -> Iterator[Stale]:
    """Optimizers that were built too early for what is trained with them."""
    if not run.complete or not run.optimizers:
        return
    yield from _built_before_everything(run)
    if run.optimizers_may_hold_more:
        return
    history = run.ask(chronicle)[0]
    other = causes.explained(run, before=stale_optimizers)
    edits = {leaf for edit in run.ask(edited_groups) for leaf in edit.leaves}
    found: dict[int, tuple[events.OptimizerBuilt, dict[Change, None], set[Leaf]]] = {}
    for built, change, leaves in (
        *_changed(run, history),
        *_wrapped(run, history),
        *_taken_away(run, history),
        *_recreated(run, history),
    ):
        leaves = leaves - other.leaves - edits
        if leaves:
            _, changes, all_leaves = found.setdefault(id(built.optimizer), (built, {}, set()))
            changes[change] = None
            all_leaves |= leaves
    told: set[Leaf] = set()
    for built, changes, all_leaves in found.values():
        if all_leaves <= told:
            continue  # one of two optimizers, of which only one is built
        told |= all_leaves
        also = tuple(b for b, _, leaves in found.values() if leaves & all_leaves)
        yield _fact(run, built, tuple(changes), frozenset(all_leaves), also)


def _fact(
    run: Run,
    built: events.OptimizerBuilt,
    changes: tuple[Change, ...],
    leaves: frozenset[Leaf],
    also: tuple[events.OptimizerBuilt, ...],
) -> Stale:
    model, path = whole_of(run, changes[0].part)
    entries = run.parameters(model).parameters
    guilty = [entry for entry in entries if entry.leaf in leaves]
    if not guilty:
        names = tuple(dict.fromkeys(_place(run, change) for change in changes))
    elif all(change.direct for change in changes):
        names = tuple(entry.name for entry in guilty)
    else:
        names = modules.collapsed(entries, guilty)
    known = tuple(dict.fromkeys(filter(None, map(_known_part, names))))
    mine = [entry.leaf for entry in entries if holds(run, built.optimizer, entry.leaf)]
    whole = all(leaf.requires_grad is False for leaf in mine)
    whole = whole or (changes[0].everything and all(entry.name.startswith(path) for entry in entries))
    single = names[:1] != () and (changes[0].direct or names[0] in {entry.name for entry in guilty})
    variable, name = run.name_of(model), run.class_name(model)
    inside = known != names
    return Stale(built, changes, known, variable, name, single, inside, whole, False, leaves, also)


def _known_part(name: str) -> str:
    """A dotted name up to a key that is not known."""
    parts = name.split(".")
    unknown = next((i for i, part in enumerate(parts) if part.startswith("<")), len(parts))
    return ".".join(parts[:unknown])


def _place(run: Run, change: Change) -> str:
    """The name of what was changed, from the model on."""
    _, path = whole_of(run, change.part)
    return ".".join(filter(None, (path, change.name)))


# -- parts that were replaced or added -----------------------------------------------------------------------------------


def _wants(run: Run, leaf: Leaf) -> bool:
    """Whether a leaf that no optimizer holds is meant to be trained by one."""
    return leaf.requires_grad is not False and is_forgotten(run, leaf)


def _changed(run: Run, history: Chronicle) -> Iterator[Found]:
    for event in run.of(events.PartChanged):
        guilty = frozenset(leaf for leaf in event.new if _wants(run, leaf))
        if not guilty:
            continue
        place = history.place(event)
        for at, built in history.builds():
            if not history.certainly_before(at, place):
                continue
            kind = _kind(run, event, built.optimizer, guilty)
            if kind and history.trained_after(place, guilty, built.optimizer, event.branches):
                direct = isinstance(event.owner.slots.get(event.name), Leaf)
                everything = event.how != "" and event.before <= event.old
                change = Change(kind, event.site, event.owner, event.how, event.name, direct, everything)
                yield built, change, guilty


def _kind(run: Run, event: events.PartChanged, optimizer: Optimizer, guilty: frozenset[Leaf]) -> str:
    """How the optimizer came to lack the new parameters; empty where it was never meant to hold them."""
    if any(holds(run, optimizer, leaf) for leaf in event.old):
        return "renewed" if event.how else "replaced"
    if event.old and not all(leaf.requires_grad is False for leaf in event.old):
        return ""  # others had the old ones, or nobody
    rest = _rest(run, event, guilty)
    complete = all(leaf.requires_grad is False or somebody_holds(run, leaf) for leaf in rest)
    if not complete or not any(holds(run, optimizer, leaf) for leaf in rest):
        return ""
    if event.constructing:
        return "constructed"
    return "renewed" if event.how else "added"


def _rest(run: Run, event: events.PartChanged, guilty: frozenset[Leaf]) -> list[Leaf]:
    """What else the models have that the changed module is a part of, less what came with later changes."""
    late = frozenset(leaf for other in run.of(events.PartChanged) for leaf in other.new if _wants(run, leaf))
    rest: dict[Leaf, None] = dict.fromkeys(leaf for leaf in event.before - event.old - late)
    for model in models(run):
        entries = run.parameters(model).parameters
        if any(entry.leaf in guilty for entry in entries):
            rest.update((entry.leaf, None) for entry in entries if entry.certain and entry.leaf not in late)
    return [leaf for leaf in rest if leaf not in guilty]


def _wrapped(run: Run, history: Chronicle) -> Iterator[Found]:
    """Models made after the optimizer around what it holds, with new layers of their own."""
    roots = {id(root) for root in run.root_models}
    for event in run.of(events.ModelMade):
        model = event.model
        if event.conditional or id(model) not in roots or model.slots.get("#escaped"):
            continue
        entries = run.parameters(model).parameters
        place = history.place(event)
        parts = wholes(entry.leaf for entry in entries)
        for at, built in history.builds():
            if parts.isdisjoint(run.held_by(built.optimizer)) or not history.certainly_before(at, place):
                continue
            young = [entry for entry in entries if entry.leaf.serial > built.optimizer.serial]
            new = frozenset(e.leaf for e in young if trains(run, e) and is_forgotten(run, e.leaf))
            rest = [entry.leaf for entry in entries if entry.leaf not in new]
            complete = all(leaf.requires_grad is False or somebody_holds(run, leaf) for leaf in rest)
            around = any(holds(run, built.optimizer, leaf) for leaf in rest)
            if new and complete and around and history.trained_after(place, new, built.optimizer):
                yield built, Change("added", event.site, model), new


def _taken_away(run: Run, history: Chronicle) -> Iterator[Found]:
    """Calls that leave a model with frozen parameters only: the next backward pass raises."""
    for event in run.of(events.PartChanged):
        if (
            event.new
            or event.conditional
            or any(leaf.requires_grad is not False for leaf in _left(run, event))
        ):
            continue
        place = history.place(event)
        for at, built in history.builds():
            lost = frozenset(leaf for leaf in event.old if leaf in run.held_by(built.optimizer))
            if lost and history.certainly_before(at, place) and history.fruitless_after(place):
                yield built, Change("unloaded", event.site, event.owner, event.how, everything=True), lost


def _left(run: Run, event: events.PartChanged) -> list[Leaf]:
    return [entry.leaf for entry in run.parameters(event.owner).parameters]


# -- the whole model -----------------------------------------------------------------------------------------------------

Made = events.ModelMade | events.ModelCopied | events.ReadyModelMade


def _recreated(run: Run, history: Chronicle) -> Iterator[Found]:
    """Models made after the optimizer that is stepped for them, in the place of one that it holds."""
    roots = {id(model) for model in models(run)}
    for event in run.events:
        if not isinstance(event, (events.ModelMade, events.ModelCopied, events.ReadyModelMade)):
            continue
        model = event.model
        if event.conditional or id(model) not in roots or not families.is_module(run.interpreter, model):
            continue
        own = _own(run, model)
        if not own or any(not _wants(run, leaf) or leaf in run.touched for leaf in own):
            continue
        place = history.place(event)
        for at, built in history.builds():
            if history.certainly_before(at, place):
                kind, before = _succession(run, event, own, built.optimizer)
                if before and _takes_over(history, place, own, before, built.optimizer):
                    yield built, Change(kind, event.site, model, everything=True), own


def _own(run: Run, model: Instance) -> frozenset[Leaf]:
    """What a model wants trained; nothing where an optimizer has something of it."""
    if model.slots.get("#escaped"):
        return frozenset()
    entries = run.parameters(model).parameters
    if any(somebody_holds(run, entry.leaf) for entry in entries):
        return frozenset()
    return frozenset(e.leaf for e in entries if e.certain and e.leaf.requires_grad is not False)


def _succession(
    run: Run, event: Made, own: frozenset[Leaf], optimizer: Optimizer
) -> tuple[str, frozenset[Leaf]]:
    """How a model came into the place of one that the optimizer holds, and the parameters of that one."""
    held = run.held_by(optimizer)
    if isinstance(event, events.ModelCopied):
        sources = [leaf.slots.get("#copy_of", frozenset()) & held for leaf in own]
        return "copied", frozenset().union(*sources) if all(sources) else frozenset()
    name = run.name_of(event.model)
    before = frozenset(
        entry.leaf
        for other in models(run)
        if other is not event.model and name is not None and run.name_of(other) == name
        for entry in run.parameters(other).parameters
        if entry.leaf in held
    )
    return "loaded" if event.model.cls.name == "loaded" else "recreated", before


def _takes_over(
    history: Chronicle, place: int, own: frozenset[Leaf], before: frozenset[Leaf], optimizer: Optimizer
) -> bool:
    """Whether a step after ``place`` follows a gradient of the new model, and none a gradient of the old one."""
    reached = list(history.since(place, optimizer))
    return any(own & leaves for leaves in reached) and not any(before & leaves for leaves in reached)


# -- before all layers ---------------------------------------------------------------------------------------------------


def _built_before_everything(run: Run) -> Iterator[Stale]:
    """``Adam(self.parameters())`` in a constructor that has made no layer yet: it raises."""
    for built in run.optimizers:
        model = built.argument.slots.get("#too_early") if isinstance(built.argument, OneShot) else None
        if not isinstance(model, Instance):
            continue
        first = next((event for event in run.of(events.PartChanged) if event.owner is model), None)
        leaves = frozenset(entry.leaf for entry in run.parameters(model).parameters)
        if first is None or not leaves:
            continue
        change = Change("constructed", first.site, model, name=first.name)
        name = run.class_name(model)
        yield Stale(built, (change,), (), None, name, False, False, True, True, leaves, (built,))
