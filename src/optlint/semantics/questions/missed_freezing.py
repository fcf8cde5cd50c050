"""Attributes that were set to freeze or release something and that nobody reads (OPT303).

Rules and ``causes`` ask. Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import attributes, events, families, modules
from optlint.semantics.events import OptimizerBuilt
from optlint.semantics.libraries import keras_trainable
from optlint.semantics.site import Site
from optlint.semantics.values import Flow, Instance, Leaf, Unknown, UserClass, Value

if TYPE_CHECKING:
    from optlint.semantics.program import Run


#: How far below its test the body of an ``if`` may reach.
LINES_BELOW = 6


@dataclass(frozen=True)
class MissedFreezing:
    """A setting without effect.

    ``target``: the user's text for what it was set on; ``name``, ``wanted`` and ``how`` as in ``events.FlagMissed``;
    ``trained``: the optimizers that hold what was to be frozen.
    """

    site: Site
    target: str
    name: str
    wanted: bool | None
    how: str
    trained: tuple[OptimizerBuilt, ...]
    leaves: frozenset[Leaf]
    optimizers: tuple[OptimizerBuilt, ...]


def missed_freezing(run: Run) -> Iterator[MissedFreezing]:
    """Settings of flags that set nothing, each place once, where something is concerned."""
    if not run.complete:
        return
    grouped: dict[Site, list[events.FlagMissed]] = {}
    for event in run.of(events.FlagMissed):
        grouped.setdefault(event.site, []).append(event)
    for site, found in grouped.items():
        if any(_is_read(run, event) for event in found) or _chose_others(run, found[0]):
            continue
        wanted = found[0].wanted
        if any(event.wanted is not wanted for event in found):
            wanted = None
        concerned = [_concerned(run, event, wanted) for event in found]
        leaves = frozenset().union(*(each for each in concerned if each is not None))
        if any(each is None or each for each in concerned):
            yield _fact(run, site, found[0], wanted, leaves)


def _fact(
    run: Run, site: Site, event: events.FlagMissed, wanted: bool | None, leaves: frozenset[Leaf]
) -> MissedFreezing:
    trained = tuple(run.holders(set(leaves)))
    # What was to be released is frozen for this cause, and so optimizers are empty or idle for it.
    idle = (
        built
        for built in run.optimizers
        if built.empty is not None
        or all(leaf.requires_grad is False for leaf in run.held_by(built.optimizer))
    )
    explained = tuple(idle) if wanted is True else ()
    return MissedFreezing(
        site, _of_names(event, site), event.name, wanted, event.how, trained, leaves, explained
    )


def _target(site: Site) -> str:
    """``model.fc`` of ``model.fc.requires_grad``."""
    return re.split(r"\.\w+(?:\s*==.*)?$", site.text())[0]


def _of_names(event: events.FlagMissed, site: Site) -> str:
    return site.text() if event.how == "names" else _target(site)


def _concerned(run: Run, event: events.FlagMissed, wanted: bool | None) -> frozenset[Leaf] | None:
    """The parameters that are not what they were meant to be; None: some that cannot be listed."""
    if isinstance(event.target, Instance) and families.keras_kind(event.target.cls) is not None:
        return None if _is_frozen(event.target) is (wanted is True) else frozenset()
    leaves = _leaves(run, event.target)
    if event.how in ("copy", "names"):
        leaves &= run.held
    if wanted is True:
        return frozenset(leaf for leaf in leaves if leaf.requires_grad is False)
    return frozenset(leaf for leaf in leaves if leaf.requires_grad is True)


def _leaves(run: Run, target: Value) -> frozenset[Leaf]:
    if isinstance(target, Leaf):
        return frozenset({target})
    if isinstance(target, Flow):
        return frozenset({target.alias}) if target.alias is not None else frozenset()
    if isinstance(target, Unknown):
        return target.taint
    if isinstance(target, Instance):
        listing = modules.parameters(run.interpreter, target)
        return frozenset(entry.leaf for entry in listing.parameters if entry.certain)
    return frozenset()


def _chose_others(run: Run, event: events.FlagMissed) -> bool:
    """Whether the same test of names did choose parameters, of another model."""
    if event.how != "names":
        return False
    test = event.site.span()
    places = {each.site for each in run.of(events.FlagSet) if each.site.path == event.site.path}
    return any(test.line <= place.span().line <= test.end_line + LINES_BELOW for place in places)


def _is_frozen(target: Value) -> bool:
    return isinstance(target, Instance) and keras_trainable.is_frozen(target)


def _is_read(run: Run, event: events.FlagMissed) -> bool:
    """Whether the program may read the attribute: its class has it or mentions it, or some code looks for it."""
    target = event.target
    if event.constructing and event.own:
        return True
    if event.how in ("copy", "comparison", "reference", "method", "names"):
        return False
    name = re.escape(event.name)
    looked_for = re.compile(rf"(?:getattr|hasattr|attrgetter)\([^()]*[\"']{name}[\"']")
    own_use = re.compile(rf"\bself\.{name}\b(?!\s*=[^=])")
    any_use = re.compile(rf"\.{name}\b(?!\s*=[^=])")
    texts = [source.text for source in run.interpreter.sources.values()]
    if any(looked_for.search(text) for text in texts):
        return True
    if isinstance(target, Instance) and isinstance(target.cls, UserClass):
        written = (
            base.context.part.module.text for base in target.cls.order() if isinstance(base, UserClass)
        )
        if target.cls.has_unknown_base() or any(own_use.search(text) for text in written):
            return True
        if attributes.class_attribute(target.cls, event.name) is not None:
            return True
    # ``requires_grad`` of tensors is read everywhere; other names are the user's own wherever they are read.
    return event.name != "requires_grad" and any(any_use.search(text) for text in texts)
