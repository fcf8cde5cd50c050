"""What becomes of the gradients of a tape: never applied (OPT610), or applied to other variables (OPT604).

The rules ask. Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import tapes
from optlint.semantics.events import AttributeSet, KerasTrained, Returned
from optlint.semantics.site import Site
from optlint.semantics.tape_events import GradientsApplied, GradientsTaken, KerasOptimizerMade
from optlint.semantics.values import Leaf

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class Unapplied:
    """Gradients for a model's variables that are taken and dropped.

    ``name``: what the program calls them; ``form``: ``train_step`` (of a Keras model), ``beside`` (others of the same
    function are applied, at ``other``), or ``optimizer`` (one is made, at ``other``, and gets nothing in all the
    program).
    """

    site: Site
    listed: str
    name: str
    form: str
    other: Site | None


@dataclass(frozen=True)
class Misapplied:
    """Gradients that an optimizer is given for variables that they are not the gradients of.

    ``form``: ``others`` (no variable is in both lists), ``order`` (the same ones, in other places), ``fewer`` or
    ``more`` (gradients than variables), ``used-up`` (the iterator of pairs was read before, at ``other``), or as in
    ``GradientsApplied.misshapen``. ``asked``, ``given``, ``first``: the texts of the variables that the gradients were
    taken for, and of what stands as variables and as gradients.
    """

    site: Site
    form: str
    asked: str
    given: str
    other: Site | None
    first: str = ""


def never_applied(run: Run) -> Iterator[Unapplied]:
    """Gradients that reach no optimizer and nothing else either, each place once."""
    if not run.complete:
        return
    groups: dict[Site, list[GradientsTaken]] = {}
    for event in run.of(GradientsTaken):
        groups.setdefault(event.site, []).append(event)
    if not groups:
        return
    kept = _kept(run)
    applied = {leaf for event in run.of(GradientsApplied) for leaf in event.taken}
    for site, group in groups.items():
        leaves = [leaf for event in group for leaf in event.gradients]
        if not leaves or any(leaf in applied or leaf in kept or not tapes.is_idle(leaf) for leaf in leaves):
            continue
        if not all(_of_a_layer(leaf) for event in group for leaf in event.wanted):
            continue
        fact = _judged(run, site, group[0])
        if fact is not None:
            yield fact


def _kept(run: Run) -> set[Leaf]:
    """Gradients that an attribute keeps, or that a method gives to whoever calls it."""
    found: set[Leaf] = set()
    for event in run.of(AttributeSet):
        found |= tapes.gradients_behind(run.interpreter, event.value)
    for returned in run.of(Returned):
        found |= returned.leaves
    return found


def _of_a_layer(leaf: Leaf) -> bool:
    role = tapes.role_of(leaf)
    return role is not None and role.owner is not None


def _judged(run: Run, site: Site, event: GradientsTaken) -> Unapplied | None:
    if event.step_of is not None:
        return Unapplied(site, event.listed, _name(site), "train_step", None)
    beside = [
        other.site
        for other in run.of(GradientsApplied)
        if other.scope is event.scope and other.entry == event.entry
    ]
    if beside:
        return Unapplied(site, event.listed, _name(site), "beside", beside[0])
    made = [other.site for other in run.of(KerasOptimizerMade)]
    if made and not any(run.of(GradientsApplied)) and not any(run.of(KerasTrained)):
        return Unapplied(site, event.listed, _name(site), "optimizer", made[0])
    return None


def _name(site: Site) -> str:
    """What the program calls the gradients; ``grads`` where it does not say."""
    target, equals, _ = site.part.code(site.statement).strip().partition("=")
    return target.strip() if equals and target.strip().isidentifier() else "grads"


# -- applied to what? --------------------------------------------------------------------------------------------------


def misapplied(run: Run) -> Iterator[Misapplied]:
    """Gradients that are applied to other variables than they were taken for, each place once."""
    seen: set[Site] = set()
    listed = {leaf: event.listed for event in run.of(GradientsTaken) for leaf in event.gradients}
    taken_at = {leaf: event.site for event in run.of(GradientsTaken) for leaf in event.gradients}
    for event in run.of(GradientsApplied):
        if event.site in seen:
            continue
        form = _form(event)
        if form is None:
            continue
        seen.add(event.site)
        mine = sorted(event.taken, key=lambda leaf: leaf.serial)
        asked = listed.get(mine[0], "") if mine else ""
        other = event.used_before if form == "used-up" else taken_at.get(mine[0]) if mine else None
        yield Misapplied(event.site, form, asked, event.listed, other, event.first)


def _form(event: GradientsApplied) -> str | None:
    if event.used_before is not None and event.taken:
        return "used-up"
    if event.misshapen:
        return event.misshapen
    if not event.exact or not event.gradients or not event.variables:
        return None
    if any(len(behind) != 1 for behind in (*event.gradients, *event.variables)):
        return _mixed(event)
    gradients = [next(iter(behind)) for behind in event.gradients]
    variables = [next(iter(behind)) for behind in event.variables]
    return _compared(gradients, variables)


def _mixed(event: GradientsApplied) -> str | None:
    """Gradients that were put together: nothing of them may belong to any of the variables."""
    behind: frozenset[Leaf] = frozenset().union(*event.gradients)
    variables: frozenset[Leaf] = frozenset().union(*event.variables)
    known = all(event.gradients) and all(event.variables)
    return _others(behind | variables) if known and not behind & variables else None


def _others(leaves: Iterable[Leaf]) -> str | None:
    """Wrong, unless one model stands for the other: a worker's copy whose gradients are the shared model's."""
    return None if any(map(tapes.is_taken_over, leaves)) else "others"


def _compared(gradients: Sequence[Leaf], variables: Sequence[Leaf]) -> str | None:
    if list(gradients) == list(variables):
        return None
    common = set(gradients) & set(variables)
    if not common:
        return _others([*gradients, *variables])
    if set(gradients) == set(variables) and len(gradients) == len(variables):
        return "order"
    if len(gradients) < len(variables) and list(variables[: len(gradients)]) == list(gradients):
        return "fewer"
    if len(variables) < len(gradients) and list(gradients[: len(variables)]) == list(variables):
        return "more"
    pairs = zip(gradients, variables, strict=False)
    return "order" if all(one is not other for one, other in pairs) else None
