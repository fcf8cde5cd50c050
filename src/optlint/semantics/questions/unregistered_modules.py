"""Modules with parameters that a module keeps in a plain list, dict or set, where nothing registers them (OPT202).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import handed, modules
from optlint.semantics.events import OptimizerBuilt
from optlint.semantics.questions import by_hand
from optlint.semantics.questions.owners import effects, registered, used
from optlint.semantics.questions.plain_containers import Kept, kept, kind_of, put_into, put_on, written
from optlint.semantics.site import Site
from optlint.semantics.values import Instance, Leaf, OneShot

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class ModulesInList:
    """Modules in a plain container ``owner.name``. ``added``: the container's other modules are registered.

    ``written``: how the program writes it. ``iterator``: where it was made, if it is a one-shot iterator.
    ``optimizers`` were built from the owner's parameters, without those of the modules; ``nothing_else``: it has no
    others, so that they got nothing at all.
    """

    site: Site
    owner: str
    name: str
    kind: str
    nested: bool
    labels: tuple[str, ...]
    added: bool
    leaves: frozenset[Leaf]
    optimizers: tuple[OptimizerBuilt, ...]
    nothing_else: bool
    written: str
    iterator: Site | None


def unregistered_modules(run: Run) -> Iterator[ModulesInList]:
    """One fact for each attribute of a class of the program that keeps modules so."""
    if not run.complete:
        return
    found: dict[Site, ModulesInList] = {}
    for group in _groups(run):
        fact = _judged(run, group)
        if fact is not None:
            old = found.setdefault(fact.site, fact)
            found[fact.site] = replace(old, leaves=old.leaves | fact.leaves)
    yield from found.values()


def _groups(run: Run) -> Iterator[list[Kept]]:
    """What is kept, by object and attribute."""
    groups: dict[tuple[int, str], list[Kept]] = {}
    for one in run.ask(kept):
        if isinstance(one.value, Instance) and modules.parameters(run.interpreter, one.value).parameters:
            groups.setdefault((id(one.owner), one.name), []).append(one)
    yield from groups.values()


def _judged(run: Run, group: list[Kept]) -> ModulesInList | None:
    first = group[0]
    known = registered(run)
    loose = [one for one in group if not known.holds(one.value)]
    if not loose or by_hand.owner_takes_care(run, first):
        return None
    leaves: set[Leaf] = set()
    for one in loose:
        found = _trainable(run, one.value)
        if found is None:
            return None
        leaves |= found
    if not leaves & used(run, first.owner, leaves):
        return None
    built, nothing_else = effects(run, first.owner)
    if not built and by_hand.other_code_may_take_it(run, first):
        return None
    added = len(loose) < len(group)
    site = (put_into(run, loose[0]) if added else None) or put_on(run, first)
    if site is None:
        return None
    return ModulesInList(
        site,
        first.owner.cls.name,
        first.name,
        kind_of(first.outer),
        any(one.inner is not one.outer for one in loose),
        tuple(one.label for one in loose),
        added,
        frozenset(leaves),
        built,
        nothing_else,
        written(first, site),
        first.outer.site if isinstance(first.outer, OneShot) else None,
    )


def _trainable(run: Run, module: Instance | Leaf) -> set[Leaf] | None:
    """The parameters of a module that are meant to train; None where somebody takes care of one of them."""
    if not isinstance(module, Instance) or handed.was_handed(module):
        return None
    inside = [child for _, child in modules.submodules(run.interpreter, module, True)]
    loaded = run.loaded()
    fixed = any(child.slots.get("#eval") or _is_trained(child) or id(child) in loaded for child in inside)
    entries = modules.parameters(run.interpreter, module).parameters
    if fixed or any(by_hand.is_touched(run, e.leaf) or e.leaf in run.loaded_leaves for e in entries):
        return None
    return {entry.leaf for entry in entries if by_hand.wants_gradient(entry.leaf)}


def _is_trained(module: Instance) -> bool:
    """Whether a module may come with trained weights."""
    return bool(module.slots.get("#pretrained")) and not module.slots.get("#untrained")
