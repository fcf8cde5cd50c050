"""Layers that are made each time a Keras layer or model is called, so that they are never trained (OPT606).

The rule asks. Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import walking
from optlint.semantics.events import AttributeSet
from optlint.semantics.libraries import empty_variables, keras_trainable
from optlint.semantics.questions.participation import rehearsed
from optlint.semantics.site import Site
from optlint.semantics.values import Instance, UserClass, options
from optlint.semantics.variable_events import LayerMadeInCall

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class MadeAtEachCall:
    """A layer (``what``) that ``method`` of ``owner`` makes. ``attribute``: where it sets it ("": nowhere)."""

    site: Site
    what: str
    owner: str
    method: str
    attribute: str


#: Programs of TensorFlow 1, whose graph is made by one call, and has all variables.
_GRAPHS = regex(
    r"\btf\.(?:Session|placeholder|get_variable|layers\.|contrib|train\.\w+Optimizer|app\.run)|compat\.v1\.(?!keras)"
    r"|disable_(?:v2|eager)|\bvariable_scope\b"
)
#: Layers that are meant to be new each time, or get their weights from elsewhere.
_MEANT = regex(r"rand|noise|augment|perturb|hyper|meta(?!data)", re.IGNORECASE)
_GIVEN = regex(r"set_weights\(|load_weights\(|\.assign\(|weights\s*=\s*\[")
_OWN_WEIGHTS = regex(r"add_weight\(|add_variable\(")


def made_in_call(run: Run) -> Iterator[MadeAtEachCall]:
    """What is made anew at each call, each place once."""
    made: dict[Site, list[LayerMadeInCall]] = {}
    for event in run.of(LayerMadeInCall):
        made.setdefault(event.site, []).append(event)
    if not made or any(_GRAPHS.search(source.text) for source in run.interpreter.sources.values()):
        return
    builders = {event.owner.cls for event in run.of(LayerMadeInCall) if event.symbolic}
    parts = {id(part) for group in made.values() for event in group for part in _inside(event.layer, 0)}
    for site, group in made.items():
        event = group[0]
        if any(_is_within(site, other) for other in made):
            continue  # a wrapper is told, not the layer that it is given
        if event.owner.cls in builders or id(event.layer) in parts or not _is_weight(event):
            continue
        fact = _judged(run, site, event)
        if fact is not None:
            yield fact


def _is_within(site: Site, other: Site) -> bool:
    """Whether a call is an argument of another."""
    if site == other or site.part is not other.part:
        return False
    inner, outer = site.span(), other.span()
    return (outer.line, outer.column) <= (inner.line, inner.column) and (
        inner.end_line,
        inner.end_column,
    ) <= (
        outer.end_line,
        outer.end_column,
    )


def _inside(layer: Instance, depth: int) -> Iterator[Instance]:
    for value in keras_trainable.layers_of(layer).values if depth <= keras_trainable.MAX_DEPTH else ():
        for option in options(value):
            if isinstance(option, Instance):
                yield option
                yield from _inside(option, depth + 1)


def _is_weight(event: LayerMadeInCall) -> bool:
    """Whether it has weights that are drawn at random and should train."""
    layer, owner = event.layer, event.owner
    if owner.slots.get("#functional") or keras_trainable.is_frozen(layer) or layer.slots.get("#escaped"):
        return False
    if any(_MEANT.search(name) for name in (owner.cls.name, event.function, layer.cls.name)):
        return False
    if isinstance(owner.cls, UserClass) and _GIVEN.search(_code(owner.cls)):
        return False
    if isinstance(layer.cls, UserClass) and _OWN_WEIGHTS.search(_code(layer.cls)):
        return not _GIVEN.search(_code(layer.cls))
    return empty_variables.will_have_weights(layer)


def _code(cls: UserClass) -> str:
    return str(cls.context.part.code(cls.node))


def _judged(run: Run, site: Site, event: LayerMadeInCall) -> MadeAtEachCall | None:
    fact = MadeAtEachCall(site, event.layer.cls.name, event.owner.cls.name, event.method, "")
    if event.method == "Lambda":
        return fact
    name = _kept_as(run, event)
    again = [
        e for e in rehearsed(run, event.owner, event.method)[1]
        if isinstance(e, LayerMadeInCall) and e.site == site
    ]  # fmt: skip
    if not again:
        return None  # made once
    if name is None:
        return fact
    if not name or any(e.conditional for e in again) or event.conditional:
        return None
    return MadeAtEachCall(site, fact.what, fact.owner, fact.method, name)


def _kept_as(run: Run, event: LayerMadeInCall) -> str | None:
    """The attribute of the owner that keeps it, "" if something else does; None: nothing keeps it."""
    for assigned in run.of(AttributeSet):
        if any(part is event.layer for part in walking.within([assigned.value])):
            return assigned.name if assigned.owner is event.owner else ""
    members = event.owner.members()
    return next((name for name, value in members if event.layer in list(walking.within([value]))), None)
