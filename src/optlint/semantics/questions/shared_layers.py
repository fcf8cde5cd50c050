"""Layers that were meant to be several and are one object in several places (OPT208).

Sharing weights is a design, too: everything here needs evidence that it was not meant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import events, modules
from optlint.semantics.questions.owners import all_modules
from optlint.semantics.questions.plain_containers import kept
from optlint.semantics.site import Site
from optlint.semantics.values import Instance, Leaf, LibraryClass, UserClass
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.program import Run

#: Lines above a statement in which its author may say what is meant.
_LINES_ABOVE = 4
#: Words of those who share weights on purpose.
_ON_PURPOSE = regex(
    r"shar(?:e|ed|es|ing)(?![a-z])|(?:^|[\W_])(?:tie|tied|ties|tying)(?![a-z])|reuse|recurren|siames|universal|albert"
    r"|same[ _](?:weight|layer|block|module|param|head)|unroll|looped|weight_?tying",
    re.IGNORECASE,
)
#: What several places often share by design: the heads that predict from each level or layer.
_HEAD = regex(
    r"head|embed|pred|classif|cls|bbox|box|logit|branch|proj|out(?![a-z])|critic|loss", re.IGNORECASE
)


@dataclass(frozen=True)
class SharedLayers:
    """A layer that stands several times in one list or dict. ``form``: how it came to; ``made``: where it was made.

    ``instead``: what to write so that each place has a layer of its own, if that is short.
    """

    site: Site
    form: str
    layer: str
    made: Site | None
    leaves: frozenset[Leaf]
    instead: str


def shared_layers(run: Run) -> Iterator[SharedLayers]:
    """One fact for each expression that puts one layer in several places of a model."""
    seen: set[Site] = set()
    for site, form, layer, named, conditional in _repetitions(run):
        if site in seen or not _has_own_weights(run, layer):
            continue
        in_use = _stands_often(run, layer, form) or (not named and _is_called(run, layer))
        if not in_use or _on_purpose(run, site):
            continue
        if named and (conditional or _HEAD.search(site.text()) or _has_a_name_on_a_module(run, layer)):
            continue
        seen.add(site)
        leaves = frozenset(entry.leaf for entry in run.parameters(layer).parameters)
        yield SharedLayers(site, form, layer.cls.name, layer.site, leaves, _instead(site))


def _repetitions(run: Run) -> Iterator[tuple[Site, str, Instance, bool, bool]]:
    """Where a layer is repeated: place, form, layer, whether it has a name, whether only in some branch."""
    for event in run.of(events.Repeated):
        for layer in event.elements:
            named = event.form == "comprehended" or any(layer is other for other in event.named)
            yield event.site, event.form, layer, named, event.conditional
    counted: Counter[tuple[int, int, int]] = Counter()
    for added in run.of(events.ElementAdded):
        if isinstance(added.element, Instance):
            key = (id(added.container), id(added.element), id(added.site.node))
            counted[key] += 1
            if counted[key] == 2:
                yield added.site, "appended", added.element, True, added.conditional


def _has_own_weights(run: Run, layer: Instance) -> bool:
    """Whether a module has parameters that are worth having more than once; a lone slope of a PReLU is not."""
    if layer.slots.get("#pretrained") or layer.slots.get("#eval") or layer.slots.get("#copied"):
        return False
    entries = run.parameters(layer).parameters
    return any(
        entry.leaf.requires_grad is not False
        and not (isinstance(entry.owner.cls, LibraryClass) and entry.owner.cls.name == "PReLU")
        for entry in entries
    )


def _stands_often(run: Run, layer: Instance, form: str) -> bool:
    """Whether some list or dict of a module has the layer in several places."""
    for module in run.ask(all_modules):
        if modules.container_base(run.interpreter, module):
            count = sum(1 for _, value in module.members() if value is layer)
            # Names that are made of numbers which are not known are one name to the engine.
            if count > 1 or (count and form == "appended" and module.slots.get("#many")):
                return True
    places = Counter(id(one.inner) for one in run.ask(kept) if one.value is layer)
    return any(count > 1 for count in places.values())


def _is_called(run: Run, layer: Instance) -> bool:
    return any(event.model is layer for event in run.forwards)


def _on_purpose(run: Run, site: Site) -> bool:
    """Whether the code around says that the weights are shared."""
    span = site.part.span(site.statement)
    module = site.part.module
    text = module.lines_text(max(1, span.line - _LINES_ABOVE), site.span().end_line + 1)
    names = [model.cls.name for model in run.models if isinstance(model.cls, UserClass)]
    return _ON_PURPOSE.search(text) is not None or any(_ON_PURPOSE.search(name) for name in names)


def _has_a_name_on_a_module(run: Run, layer: Instance) -> bool:
    """Whether some module has the layer as an attribute of its own, beside the list."""
    return any(
        value is layer
        for module in run.ask(all_modules)
        if isinstance(module.cls, UserClass)
        for _, value in module.members()
    )


# -- what to write instead -----------------------------------------------------------------------------------------------

#: Longer expressions are not suggested.
_MAX_SHOWN = 64


def _instead(site: Site) -> str:
    """The expression at a place, written so that it makes or copies the layer each time; "" if that is not simple."""
    node = site.node
    text = ""
    if isinstance(node, cst.BinaryOperation):
        text = _multiplied(site, node.left, node.right) or _multiplied(site, node.right, node.left)
    elif isinstance(node, cst.Call) and len(node.args) == 2:
        first, second = (_code(site, argument.value) for argument in node.args)
        if isinstance(node.args[1].value, cst.Call):
            text = f"{{key: {second} for key in {first}}}"
        elif isinstance(node.args[0].value, cst.Call):
            text = f"({first} for _ in range({second}))"
    elif isinstance(node, cst.ListComp) and isinstance(node.elt, cst.Name):
        text = f"[copy.deepcopy({node.elt.value}){_code(site, node.for_in)}]"
    return text if len(text) <= _MAX_SHOWN else ""


def _multiplied(site: Site, display: cst.BaseExpression, count: cst.BaseExpression) -> str:
    if not isinstance(display, cst.List) or len(display.elements) != 1:
        return ""
    made = display.elements[0].value
    copy = _code(site, made) if isinstance(made, cst.Call) else f"copy.deepcopy({_code(site, made)})"
    return f"[{copy} for _ in range({_code(site, count)})]"


def _code(site: Site, node: cst.CSTNode) -> str:
    code = " ".join(site.part.code(node).split())
    return f" {code}" if isinstance(node, cst.CompFor) else code
