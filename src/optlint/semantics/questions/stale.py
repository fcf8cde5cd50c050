"""Optimizers that were built before the model that they train was changed, replaced or copied (OPT107).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optlint.semantics import events, families, modules
from optlint.semantics.modules import NamedParameter
from optlint.semantics.questions import causes
from optlint.semantics.questions.chronicle import Chronicle, chronicle
from optlint.semantics.questions.group_edits import edited_groups
from optlint.semantics.site import Site
from optlint.semantics.values import Instance, Leaf, OneShot, Optimizer

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class Change:
    """What gave a model parameters that an optimizer does not know of.

    ``kind``: replaced, added, renewed (``how``: by what, in words), recreated, loaded, copied, or constructed (the
    optimizer was built in the constructor, before the layers); ``direct``: a parameter was set, not a module.
    """

    kind: str
    site: Site
    how: str = ""
    name: str = ""
    direct: bool = False


@dataclass(frozen=True)
class Stale:
    """An optimizer that does not hold what training reaches after ``changes``.

    ``single``: the first of ``names`` is a parameter, not a module; ``whole``: the optimizer holds nothing of the
    model that could train; ``raises``: it was given nothing at all.
    """

    built: events.OptimizerBuilt
    changes: tuple[Change, ...]
    names: tuple[str, ...]
    variable: str | None
    model_name: str
    single: bool
    whole: bool
    raises: bool
    leaves: frozenset[Leaf]
    optimizers: tuple[events.OptimizerBuilt, ...]


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
    for built, change, leaves in (*_changed(run, history), *_recreated(run, history)):
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
    model = next(iter(models_of(run, leaves)), None)
    entries = run.parameters(model).parameters if model is not None else ()
    guilty = [entry for entry in entries if entry.leaf in leaves]
    held = run.held_by(built.optimizer)
    whole = not any(entry.leaf.requires_grad is not False and in_hands(entry.leaf, held) for entry in entries)
    variable = run.name_of(model) if model is not None else None
    name = run.class_name(model) if model is not None else ""
    names = modules.collapsed(entries, guilty)
    if all(change.direct for change in changes):
        names = tuple(entry.name for entry in guilty)
    sole = {entry.name for entry in guilty}
    return Stale(
        built,
        changes,
        names,
        variable,
        name,
        names[:1] != () and names[0] in sole,
        whole,
        False,
        leaves,
        also,
    )


def models_of(run: Run, leaves: frozenset[Leaf]) -> list[Instance]:
    """The models that have some of ``leaves``: those with the most of them first, then the largest."""
    owners = [event.owner for event in run.of(events.PartChanged) if event.new & leaves]
    ranked: dict[int, tuple[int, int, Instance]] = {}
    for model in (*_models(run), *owners):
        own = {entry.leaf for entry in run.parameters(model).parameters}
        if own & leaves:
            ranked.setdefault(id(model), (len(own & leaves), len(own), model))
    return [model for _, _, model in sorted(ranked.values(), key=lambda rank: rank[:2], reverse=True)]


def _models(run: Run) -> list[Instance]:
    """Models and copies of models that are no part of another."""
    copies = [event.model for event in run.of(events.ModelCopied)]
    parts = {
        id(child)
        for copy in copies
        for _, child in modules.submodules(run.interpreter, copy, False)
        if child is not copy
    }
    ready = [event.model for event in run.of(events.ReadyModelMade)]
    return [*run.root_models, *ready, *(copy for copy in copies if id(copy) not in parts)]


def in_hands(leaf: Leaf, held: frozenset[Leaf] | set[Leaf]) -> bool:
    """Whether a leaf is among those held, or was part of one when that was given away."""
    current: object = leaf
    while isinstance(current, Leaf):
        if current in held:
            return True
        current = current.slots.get("#part_of")
    return False


def _wants(run: Run, leaf: Leaf) -> bool:
    """Whether a leaf that no optimizer holds is meant to be trained by one."""
    return (
        leaf.requires_grad is not False
        and not leaf.slots.get("#escaped")
        and leaf not in run.updated_by_hand
        and not in_hands(leaf, run.held)
    )


# -- parts that were replaced or added -----------------------------------------------------------------------------------

Found = tuple[events.OptimizerBuilt, Change, frozenset[Leaf]]


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
                yield built, Change(kind, event.site, event.how, event.name, direct), guilty


def _kind(run: Run, event: events.PartChanged, optimizer: Optimizer, guilty: frozenset[Leaf]) -> str:
    """How the optimizer came to lack the new parameters; empty where it was never meant to hold them."""
    held = run.held_by(optimizer)
    if any(in_hands(leaf, held) for leaf in event.old):
        return "renewed" if event.how else "replaced"
    if event.old and not all(leaf.requires_grad is False for leaf in event.old):
        return ""  # others had the old ones, or nobody
    rest = _rest(run, event, guilty)
    complete = all(leaf.requires_grad is False or in_hands(leaf, run.held) for leaf in rest)
    if not complete or not any(in_hands(leaf, held) for leaf in rest):
        return ""
    if event.constructing:
        return "constructed"
    return "renewed" if event.how else "added"


def _rest(run: Run, event: events.PartChanged, guilty: frozenset[Leaf]) -> list[Leaf]:
    """What else the models have that the changed module is a part of, less what came with later changes."""
    late = frozenset(leaf for other in run.of(events.PartChanged) for leaf in other.new if _wants(run, leaf))
    rest: dict[Leaf, None] = dict.fromkeys(leaf for leaf in event.before - event.old - late)
    for model in _models(run):
        entries = run.parameters(model).parameters
        if any(entry.leaf in guilty for entry in entries):
            rest.update((entry.leaf, None) for entry in entries if entry.certain and entry.leaf not in late)
    return [leaf for leaf in rest if leaf not in guilty]


# -- the whole model -----------------------------------------------------------------------------------------------------


def _recreated(run: Run, history: Chronicle) -> Iterator[Found]:
    """Models made after the optimizer that is stepped for them, in the place of one that it holds."""
    roots = {id(model) for model in _models(run)}
    for event in run.events:
        if not isinstance(event, (events.ModelMade, events.ModelCopied, events.ReadyModelMade)):
            continue
        model = event.model
        if event.conditional or not families.is_module(run.interpreter, model):
            continue
        own = _own(run, model) if id(model) in roots else frozenset()
        if not own or any(not _wants(run, leaf) or leaf in run.touched for leaf in own):
            continue
        place = history.place(event)
        for at, built in history.builds():
            if not history.certainly_before(at, place):
                continue
            kind = _succession(run, event, model, own, built.optimizer)
            if kind and _only_for(history, place, own, built.optimizer, run):
                name = run.name_of(model) or run.class_name(model)
                yield built, Change(kind, event.site, name=name), own


def _own(run: Run, model: Instance) -> frozenset[Leaf]:
    if model.slots.get("#escaped"):
        return frozenset()
    entries: tuple[NamedParameter, ...] = run.parameters(model).parameters
    if any(in_hands(entry.leaf, run.held) for entry in entries):
        return frozenset()
    return frozenset(
        entry.leaf for entry in entries if entry.certain and entry.leaf.requires_grad is not False
    )


def _succession(
    run: Run,
    event: events.ModelMade | events.ModelCopied | events.ReadyModelMade,
    model: Instance,
    own: frozenset[Leaf],
    optimizer: Optimizer,
) -> str:
    """Whether a model stands in the place of one that the optimizer holds: ``copied``, ``recreated``, or neither."""
    held = run.held_by(optimizer)
    if isinstance(event, events.ModelCopied):
        sources = [leaf.slots.get("#copy_of", frozenset()) for leaf in own]
        return "copied" if all(source & held for source in sources) else ""
    name = run.name_of(model)
    for other in _models(run):
        if other is model or name is None or run.name_of(other) != name:
            continue
        if any(entry.leaf in held for entry in run.parameters(other).parameters):
            return "loaded" if model.cls.name == "loaded" else "recreated"
    return ""


def _only_for(history: Chronicle, place: int, own: frozenset[Leaf], optimizer: Optimizer, run: Run) -> bool:
    """Whether a step after ``place`` follows a gradient of the new model, and none one of what the optimizer holds."""
    held = run.held_by(optimizer)
    reached = list(history.since(place, optimizer))
    return any(own & leaves for leaves in reached) and not any(held & leaves for leaves in reached)


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
        change = Change("constructed", first.site, name=first.name)
        name = run.class_name(model)
        yield Stale(built, (change,), (), None, name, False, True, True, leaves, (built,))
