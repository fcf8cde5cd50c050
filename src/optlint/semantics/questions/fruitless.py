"""Backward passes from a number that no parameter can get a gradient from, and the cut that explains it (OPT401-403).

Each fact has one ``kind``, and each rule takes its own. Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import copies, stopping
from optlint.semantics.events import Backward, OptimizerBuilt
from optlint.semantics.site import Site
from optlint.semantics.values import Cut, Flow, Leaf, Unknown, Value

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class Fruitless:
    """A backward pass (``site``) that certainly gives no parameter a gradient.

    ``kind``: that of the ``cut`` (``detach``, ``no_grad``, ``non-differentiable``); ``raises``: torch finds nothing
    to differentiate, else it is silent; ``leaves`` and ``optimizers``: what would have been trained, which its models
    call ``names``;
    ``again``: the same line reached what the number was computed from in an earlier round of its loop.
    """

    site: Site
    kind: str
    cut: Cut | None
    raises: bool
    leaves: frozenset[Leaf]
    optimizers: tuple[OptimizerBuilt, ...]
    branches: tuple[object, ...] = ()
    names: tuple[str, ...] = ()
    again: bool = False


def fruitless(run: Run) -> Iterator[Fruitless]:
    """The backward passes that reach nothing, one for each place that is to blame."""
    found: dict[Site, list[Fruitless]] = {}
    for event in run.backwards:
        fact = None if event.guarded else _fact(run, event)
        if fact is not None:
            blamed = fact.cut.site if fact.cut is not None else fact.site
            found.setdefault(blamed, []).append(fact)
    for facts in found.values():
        sure = next((fact for fact in facts if not fact.branches), None)
        if sure is not None:
            yield sure
        elif _on_both_ways(facts):
            yield facts[0]


def explaining_cut(run: Run, value: Value) -> Cut | None:
    """What keeps gradient from a number's parameters: the cut that was made last on the way from a trained one."""
    cuts = value.cuts if isinstance(value, (Flow, Unknown)) else frozenset()
    held = [cut for leaf, cut in cuts if leaf in run.held]
    if held:
        return max(held, key=lambda cut: cut.rank)
    if run.optimizers and not run.optimizers_may_hold_more:
        return None  # what was cut is not what should be trained
    return stopping.stop_of([value])


def _fact(run: Run, event: Backward) -> Fruitless | None:
    value = event.value
    if copies.of(value) is not None:
        return None  # it is a copy: that is the mistake
    if not isinstance(value, (Flow, Unknown)) or not stopping.wants_none(value):
        return None
    cut = explaining_cut(run, value)
    if cut is None or _cut_on_purpose(run, value, cut):
        return None
    kind = "non-differentiable" if cut.kind == "cast" else cut.kind
    return _made(run, event, kind, cut, _sources(value), True)


def _cut_on_purpose(run: Run, value: Value, cut: Cut) -> bool:
    """Whether what was cut is trained by another pass, so that something else keeps this one from reaching anything."""
    from optlint.semantics.questions.frozen import everything_frozen

    trained = frozenset(leaf for leaf in _sources(value) if leaf in run.held)
    elsewhere = bool(trained) and trained <= run.reached
    return elsewhere and (cut.kind == "detach" or bool(run.ask(everything_frozen)))


def _made(
    run: Run,
    event: Backward,
    kind: str,
    cut: Cut | None,
    leaves: frozenset[Leaf],
    raises: bool,
) -> Fruitless:
    trained = frozenset(leaf for leaf in leaves if leaf in run.held)
    extra: tuple[object, ...] = ()
    if cut is not None and cut.kind == "no_grad":
        # Inside of it another condition may keep the backward pass from running.
        extra = tuple(branch for branch in event.branches if branch not in cut.branches)
    optimizers = tuple(run.holders(set(trained)))
    before = frozenset().union(*(other.reached for other in run.backwards if other.site == event.site))
    again = bool(before & leaves)
    return Fruitless(event.site, kind, cut, raises, trained, optimizers, extra, _names(run, trained), again)


def _names(run: Run, leaves: frozenset[Leaf]) -> tuple[str, ...]:
    entries = (entry for model in run.root_models for entry in run.parameters(model).parameters)
    return tuple(dict.fromkeys(entry.name for entry in entries if entry.leaf in leaves)) if leaves else ()


def _sources(value: Value) -> frozenset[Leaf]:
    """The leaves that a number was computed from and cut off from."""
    if isinstance(value, Leaf):
        copied: frozenset[Leaf] = value.slots.get("#copy_of", frozenset())
        return copied
    return frozenset(leaf for leaf, _ in value.cuts) if isinstance(value, (Flow, Unknown)) else frozenset()


def _on_both_ways(facts: list[Fruitless]) -> bool:
    """Whether one of the backward passes runs whatever the one condition is that they stand under."""
    ways = {fact.branches[0] for fact in facts if len(fact.branches) == 1}
    return any(isinstance(way, tuple) and (way[0], not way[1]) in ways for way in ways)
