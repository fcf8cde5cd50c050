"""Optimizers of which nothing can train, because the program froze all that they hold or filter (OPT301).

Rules and ``causes`` ask. Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import events, families, modules
from optlint.semantics.events import OptimizerBuilt
from optlint.semantics.questions import causes
from optlint.semantics.site import Site
from optlint.semantics.values import Instance, Leaf, LibraryClass

if TYPE_CHECKING:
    from optlint.semantics.program import Run

#: Callbacks and methods that release what is frozen while a trainer runs.
_RELEASES = regex(r"unfreeze|BaseFinetuning|BackboneFinetuning", re.IGNORECASE)


@dataclass(frozen=True)
class FrozenTraining:
    """Parameters that were frozen, all of them, and then given to an optimizer.

    ``site``: where the last of them were frozen, ``others``: where the rest was. ``model``, ``variable`` and ``part``:
    the class that they belong to, the user's name for it, and its last part. ``effect``: ``raises`` (the backward
    pass), ``nothing`` (happens), ``empty`` (the optimizer raises) or ``empty-group`` (nothing happens either).
    """

    site: Site
    others: tuple[Site, ...]
    model: str
    variable: str | None
    part: str | None
    effect: str
    trained: Site | None
    optimizers: tuple[OptimizerBuilt, ...]
    leaves: frozenset[Leaf]


@dataclass(frozen=True)
class _Freezing:
    """When a leaf was frozen first and last, and by what."""

    first: int
    last: int
    event: events.FlagSet


def everything_frozen(run: Run) -> Iterator[FrozenTraining]:
    """The optimizers of which the program froze all that they hold, and that are used for training."""
    if not run.complete:
        return
    frozen = _still_frozen(run)
    if not frozen:
        return
    found: dict[Site, FrozenTraining] = {}
    other = causes.explained(run, before=everything_frozen)
    for index, event in enumerate(run.events):
        if not isinstance(event, OptimizerBuilt) or other.holds(event):
            continue
        fact = _given_frozen(run, event, frozen) or _filtered(run, index, event, frozen)
        if fact is None:
            continue
        known = found.get(fact.site)
        if known is not None:
            leaves = known.leaves | fact.leaves
            fact = replace(known, optimizers=(*known.optimizers, *fact.optimizers), leaves=leaves)
        found[fact.site] = fact
    yield from found.values()


def _still_frozen(run: Run) -> dict[Leaf, _Freezing]:
    """The leaves that were frozen and that nothing may have released afterwards."""
    found: dict[Leaf, _Freezing] = {}
    released: set[Leaf] = set()
    for index, event in enumerate(run.events):
        if found and isinstance(event, events.UnknownChanged):
            return {}
        for leaf in event.leaves if isinstance(event, events.FlagSet) else ():
            before = found.get(leaf)
            if isinstance(event, events.FlagSet) and event.wanted is False:
                found[leaf] = _Freezing(before.first if before else index, index, event)
            elif before is not None:
                released.add(leaf)
    return {
        leaf: freezing
        for leaf, freezing in found.items()
        if leaf not in released and leaf not in run.touched and not leaf.slots.get("#escaped")
    }


# -- all that it holds -----------------------------------------------------------------------------------------------


def _given_frozen(run: Run, built: OptimizerBuilt, frozen: dict[Leaf, _Freezing]) -> FrozenTraining | None:
    """An optimizer that holds frozen parameters only whenever it is stepped."""
    held = run.held_by(built.optimizer)
    known = [frozen[leaf] for leaf in held if leaf in frozen]
    if not known or any(leaf not in frozen and leaf.requires_grad is not False for leaf in held):
        return None
    steps = [
        (index, event)
        for index, event in enumerate(run.events)
        if isinstance(event, events.OptimizerStepped) and event.optimizer is built.optimizer
    ]
    if not all(event.frozen for _, event in steps) or held & run.touched:
        return None
    if not steps or _may_release(run):
        return None
    index, trained = steps[0][0], steps[0][1].site
    if any(not _same_entry(run, freezing, index) for freezing in known):
        return None
    return _fact(run, known, held, built, _effect(run, index), trained)


def _may_release(run: Run) -> bool:
    """Whether a callback, of a trainer that is not seen, may release the module that the run began with."""
    cls = run.interpreter.root_class
    if cls is None or not families.is_lightning(cls):
        return False
    return _RELEASES.search(run.interpreter.sources[run.path].text) is not None


def _effect(run: Run, step: int) -> str:
    """What the backward pass before a step does: it raises when nothing at all is behind the loss."""
    passes = [event for event in run.events[: step + 1] if isinstance(event, events.Backward)]
    if not passes or not passes[-1].known or passes[-1].maybe or passes[-1].cuts:
        return "nothing"
    return "raises"


def _same_entry(run: Run, freezing: _Freezing, step: int) -> bool:
    """Whether the freezing certainly comes before a step: methods that nobody calls run in an unknown order."""
    if freezing.event.entry == 0:
        return freezing.first < step
    between = run.events[freezing.first : step]
    return bool(between) and not any(isinstance(event, events.Returned) for event in between)


# -- all that it was filtered from -----------------------------------------------------------------------------------


def _filtered(
    run: Run, index: int, built: OptimizerBuilt, frozen: dict[Leaf, _Freezing]
) -> FrozenTraining | None:
    """An optimizer that got what a test of ``requires_grad`` left of a frozen model: nothing."""
    if built.empty is None:
        return None
    read = _read_for(run, index, built)
    for model in _models(run):
        listing = run.parameters(model)
        leaves = {entry.leaf for entry in listing.parameters}
        if not leaves or listing.open or listing.doubtful or not leaves <= read:
            continue
        known = [frozen[leaf] for leaf in leaves if leaf in frozen and frozen[leaf].first < index]
        if not known or any(leaf.requires_grad is not False for leaf in leaves):
            continue
        if any(not _same_entry(run, freezing, index) for freezing in known):
            continue
        effect = "empty-group" if built.empty.form == "group" else "empty"
        return _fact(run, known, leaves, built, effect, None)
    return None


def _read_for(run: Run, index: int, built: OptimizerBuilt) -> set[Leaf]:
    """The frozen parameters whose flag was read when the argument of an optimizer was made."""
    read = {
        event.leaf
        for event in run.events[:index]
        if isinstance(event, events.FlagRead) and _belongs(event.site, built)
    }
    for event in reversed(run.events[:index]):  # a filter is evaluated when the optimizer takes its elements
        if not isinstance(event, events.FlagRead):
            break
        read.add(event.leaf)
    return read


def _belongs(site: Site, built: OptimizerBuilt) -> bool:
    """Whether a flag is read inside the filter, or in the loop that fills the list, of an optimizer's argument."""
    made = built.empty.made if built.empty is not None else None
    if made is None or made.path != site.path:
        return False
    where, start = site.span(), made.span()
    if start.line <= where.line <= start.end_line:
        return True
    if made.text() not in ("[]", "list()"):
        return False
    last = built.site.span().line if built.site.path == site.path else where.line
    return start.line <= where.line <= max(last, start.line)


# -- the fact --------------------------------------------------------------------------------------------------------


def _fact(
    run: Run,
    known: list[_Freezing],
    leaves: set[Leaf],
    built: OptimizerBuilt,
    effect: str,
    trained: Site | None,
) -> FrozenTraining | None:
    models = [
        model for model in _models(run) if leaves & {entry.leaf for entry in run.parameters(model).parameters}
    ]
    if not models:
        return None
    model = models[0]
    if any(model.slots.get("#escaped") for model in models):
        return None
    ordered = sorted(known, key=lambda freezing: freezing.last)
    places = [_place(freezing.event, built, trained) for freezing in ordered]
    sites = list(dict.fromkeys(reversed(places)))
    return FrozenTraining(
        sites[0],
        tuple(reversed(sites[1:])),
        run.class_name(model) if run.is_users(model) else run.name_of(model) or "the model",
        run.name_of(model),
        _last_part(run, model),
        effect,
        trained,
        (built,),
        frozenset(leaves),
    )


def _models(run: Run) -> list[Instance]:
    """The models that are no part of another: of libraries, of the user's, copies of them."""
    ready = [event.model for event in run.of(events.ReadyModelMade)]
    copies = [event.model for event in run.of(events.ModelCopied)]
    parts = {
        id(child)
        for model in (*ready, *copies, *run.root_models)
        for _, child in modules.submodules(run.interpreter, model, True)
        if child is not model
    }
    return [model for model in (*ready, *run.root_models, *copies) if id(model) not in parts]


def _place(freezing: events.FlagSet, built: OptimizerBuilt, trained: Site | None) -> Site:
    """The line to change: the call of a helper that freezes what it is given, or where it is frozen."""
    if freezing.call is None or freezing.helper is None:
        return freezing.site
    if any(site is not None and _inside(site, freezing.helper) for site in (built.site, trained)):
        return freezing.site
    return freezing.call


def _inside(site: Site, function: Site) -> bool:
    if site.path != function.path:
        return False
    where, body = site.span(), function.span()
    return body.line <= where.line <= body.end_line


def _last_part(run: Run, model: Instance) -> str | None:
    """The last direct part of a model that has parameters: most often its head."""
    if isinstance(model.cls, LibraryClass) and model.cls.qualified_name.startswith("optlint."):
        return None
    parts = [entry.path[0] for entry in run.parameters(model).parameters if len(entry.path) > 1]
    return parts[-1] if parts and parts[-1].isidentifier() and len(set(parts)) > 1 else None
