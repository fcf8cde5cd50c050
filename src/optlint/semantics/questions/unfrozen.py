"""Parameters that were frozen, are unfrozen after the optimizer was built, and never given to one (OPT302).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import events, modules
from optlint.semantics.questions import causes
from optlint.semantics.questions.belonging import holds, is_forgotten, models_of, was_among
from optlint.semantics.questions.chronicle import Chronicle, chronicle
from optlint.semantics.site import Site
from optlint.semantics.values import Instance, Leaf

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class Unfrozen:
    """Parameters that are unfrozen at ``site`` (and ``others``) while ``built`` goes on without them.

    ``names``: of their modules, empty where these are not listed; ``single``: the first is that of a parameter.
    """

    site: Site
    others: tuple[Site, ...]
    built: events.OptimizerBuilt
    names: tuple[str, ...]
    single: bool
    variable: str | None
    model_name: str
    leaves: frozenset[Leaf]
    optimizers: tuple[events.OptimizerBuilt, ...]


def unfrozen_too_late(run: Run) -> Iterator[Unfrozen]:
    """Places that unfreeze parameters which the optimizer that is used from there on does not hold."""
    if not run.complete or not run.optimizers or run.optimizers_may_hold_more:
        return
    history = run.ask(chronicle)[0]
    other = causes.explained(run, before=unfrozen_too_late)
    frozen: set[Leaf] = set()
    found: dict[int, tuple[events.OptimizerBuilt, dict[Site, None], set[Leaf]]] = {}
    for event in run.of(events.FlagSet):
        if event.wanted is False:
            frozen |= event.leaves
        elif event.wanted is True:
            guilty = frozenset(
                leaf
                for leaf in event.leaves
                if was_among(leaf, frozen) and leaf not in other.leaves and is_forgotten(run, leaf)
            )
            built = _used_on(run, history, event, guilty) if guilty else None
            if built is not None:
                _, sites, leaves = found.setdefault(id(built.optimizer), (built, {}, set()))
                if not guilty <= leaves:
                    sites[event.call or event.site] = None
                leaves |= guilty
    for built, sites, leaves in found.values():
        yield _fact(run, tuple(sites), built, frozenset(leaves))


def _used_on(
    run: Run, history: Chronicle, event: events.FlagSet, guilty: frozenset[Leaf]
) -> events.OptimizerBuilt | None:
    """The optimizer of the same model that was built before and is stepped for the unfrozen parameters, too."""
    place = history.place(event)
    for at, built in history.builds():
        if not history.certainly_before(at, place):
            continue
        together = any(
            holds(run, built.optimizer, entry.leaf)
            for model in models_of(run, guilty)
            for entry in run.parameters(model).parameters
        )
        if together and history.trained_after(place, guilty, built.optimizer, event.branches):
            return built
    return None


def _fact(
    run: Run, sites: tuple[Site, ...], built: events.OptimizerBuilt, leaves: frozenset[Leaf]
) -> Unfrozen:
    model: Instance = models_of(run, leaves)[0]
    entries = run.parameters(model).parameters
    names = modules.collapsed(entries, [entry for entry in entries if entry.leaf in leaves])
    listed = () if any("*" in name for name in names) else names
    single = bool(listed) and any(entry.name == listed[0] for entry in entries)
    variable, name = run.name_of(model), run.class_name(model)
    return Unfrozen(sites[0], sites[1:], built, listed, single, variable, name, leaves, (built,))
