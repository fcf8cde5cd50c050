"""Parameters that a module keeps in a plain list, dict or set, where nothing registers them (OPT203).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import modules
from optlint.semantics.events import OptimizerBuilt
from optlint.semantics.questions import by_hand, causes
from optlint.semantics.questions.owners import effects, used
from optlint.semantics.questions.plain_containers import Kept, kept, kind_of, put_into, put_on, written
from optlint.semantics.site import Site
from optlint.semantics.values import Const, Instance, Leaf, UserClass, Value, options

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class ParametersInList:
    """Parameters in a plain container ``owner.name``. ``added``: the container's other Parameters are registered.

    ``holder``: the ParameterList or ParameterDict that the container stands in, or that was given ``numbers``.
    ``nested``: lists in lists; ``optimizers``, ``nothing_else`` and ``written`` are as with modules.
    """

    site: Site
    owner: str
    name: str
    kind: str
    labels: tuple[str, ...]
    added: bool
    leaves: frozenset[Leaf]
    optimizers: tuple[OptimizerBuilt, ...]
    nothing_else: bool
    nested: bool = False
    written: str = "…"
    holder: str = ""
    numbers: bool = False


def unregistered_parameters(run: Run) -> Iterator[ParametersInList]:
    """One fact for each attribute of a class of the program that keeps Parameters so."""
    if not run.complete:
        return
    found: dict[Site, ParametersInList] = {}
    judged = (_judged(run, group) for group in _groups(run))
    for fact in (*judged, *_lists_of_numbers(run)):
        if fact is not None:
            old = found.setdefault(fact.site, fact)
            found[fact.site] = replace(old, leaves=old.leaves | fact.leaves)
    yield from found.values()


def _groups(run: Run) -> Iterator[list[Kept]]:
    """What is kept, by object and attribute."""
    explained = causes.explained(run, unregistered_parameters).leaves
    groups: dict[tuple[int, str], list[Kept]] = {}
    for one in run.ask(kept):
        if isinstance(one.value, Leaf) and one.value not in explained:
            groups.setdefault((id(one.owner), one.name), []).append(one)
    yield from groups.values()


def registered_leaves(run: Run) -> Iterator[Leaf]:
    """The parameters that some module registers."""
    for model in run.models:
        for entry in run.parameters(model).parameters:
            yield entry.leaf


def _judged(run: Run, group: list[Kept]) -> ParametersInList | None:
    first = group[0]
    known = set(run.ask(registered_leaves))
    loose = [one for one in group if one.value not in known]
    if not loose or by_hand.owner_takes_care(run, first):
        return None
    tensors = [one.value for one in loose if isinstance(one.value, Leaf)]
    if any(by_hand.is_touched(run, leaf) for leaf in tensors):
        return None
    leaves = {leaf for leaf in tensors if leaf.fresh and by_hand.wants_gradient(leaf)}
    if not leaves & used(run, first.owner, leaves):
        return None
    built, nothing_else = effects(run, first.owner)
    if not built and by_hand.other_code_may_take_it(run, first):
        return None
    added = len(loose) < len(group)
    site = (put_into(run, loose[0]) if added else None) or put_on(run, first)
    if site is None:
        return None
    holder = "" if first.holder is None else _class_name(first.holder)
    labels = tuple(one.label for one in loose)
    owner = first.owner.cls.name
    kind = kind_of(first.outer)
    return ParametersInList(
        site,
        owner,
        first.name,
        kind,
        labels,
        added,
        frozenset(leaves),
        built,
        nothing_else,
        any(one.inner is not one.outer for one in loose),
        written(first, site),
        holder,
    )


def _class_name(holder: Instance) -> str:
    base = holder.cls.name
    return f"nn.{base}" if base in ("ParameterList", "ParameterDict") else base


# -- numbers -------------------------------------------------------------------------------------------------------------


def _lists_of_numbers(run: Run) -> Iterator[ParametersInList]:
    """``nn.ParameterList([1.0, 1.0])`` keeps the numbers as they are."""
    for owner in run.models:
        if not isinstance(owner.cls, UserClass) or owner.slots.get("#copied"):
            continue
        for name, value in list(owner.members()):
            for holder in options(value):
                if isinstance(holder, Instance) and _holds_only_numbers(run, holder) and holder.site:
                    built, nothing_else = effects(run, owner)
                    yield ParametersInList(
                        holder.site,
                        owner.cls.name,
                        name,
                        "",
                        (),
                        False,
                        frozenset(),
                        built,
                        nothing_else,
                        holder=_class_name(holder),
                        numbers=True,
                    )


def _holds_only_numbers(run: Run, holder: Instance) -> bool:
    if not modules.is_parameter_container(run.interpreter, holder) or holder.open:
        return False
    values: list[Value] = [value for _, value in modules.elements(holder)]
    return bool(values) and all(isinstance(v, Const) and isinstance(v.value, float) for v in values)
