"""Settings that were meant to freeze or to release something and do not: an attribute that no library reads.

``attributes`` and ``interpreter`` report what is set, compared or named; ``questions.missed_freezing`` judges it.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from optlint.deferred import regex
from optlint.semantics import events, expressions, families, unseen_parts
from optlint.semantics.values import (
    Const,
    Container,
    Flow,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    OneShot,
    Unknown,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Other ways to write the flag of a tensor, none of which exists.
_TENSOR_MISSPELT = frozenset(
    """
    require_grad require_grads requires_grads requires_gradient requires_gradients required_grad required_grads
    grad_required requiresgrad requires_Grad Requires_grad requiresGrad require_gradient requires_gard trainable
    """.split()
)
_KERAS_MISSPELT = frozenset({"requires_grad", "trainable_", "Trainable", "is_trainable", "frozen", "freeze"})
#: What no module of torch reads either.
_MODULE_FLAGS = frozenset({"requires_grad", "requires_grad_", "trainable"})
_FREEZES = frozenset({"frozen", "freeze", "is_frozen"})
#: Words in names of parameters that a model may well lack.
_GENERAL = frozenset(
    {"bn", "norm", "bias", "ln", "batchnorm", "running", "weight", "lora", "adapter", "scale"}
)
#: What wrappers put before names.
_WRAPPERS = ("module.", "_orig_mod", "_fsdp")
_LITERAL = regex(r"[\"']([\w.]+)[\"']")
_FREEZES_EACH = regex(r"\.requires_grad\s*=\s*False|\.requires_grad_\(\s*(?:requires_grad\s*=\s*)?False")
_SET = (events.FlagSet, events.FlagMissed)
#: How like a name must be to count as a misspelling.
_ALIKE = 0.88


def _misspells(name: str, right: str) -> bool:
    return name != right and SequenceMatcher(None, name, right).ratio() >= _ALIKE


def _means_tensor_flag(name: str) -> bool:
    return name in _TENSOR_MISSPELT or _misspells(name.rstrip("_"), "requires_grad")


def attribute_set(it: Interpreter, owner: Value, name: str, value: Value, node: cst.CSTNode) -> None:
    """``owner.name = value``: note it when it looks like a flag and is none."""
    wanted = value.value if isinstance(value, Const) and isinstance(value.value, bool) else None
    if wanted is None and name not in ("requires_grad", "requires_grad_"):
        return
    how = _how(it, owner, name)
    if how is None:
        return
    if name in _FREEZES and wanted is not None:
        wanted = not wanted
    _record(it, owner, name, wanted, how, node)


def _how(it: Interpreter, owner: Value, name: str) -> str | None:
    if isinstance(owner, Leaf):
        if name == "requires_grad_":
            return "method"
        return "tensor" if _means_tensor_flag(name) else None
    if isinstance(owner, Flow):
        copy = owner.origin is not None and owner.origin.operation == ".state_dict()"
        return "copy" if copy and name == "requires_grad" and _in_loop_over_state(it) else None
    if isinstance(owner, Unknown):
        return "module" if owner.module and name == "requires_grad" else None
    if not isinstance(owner, Instance):
        return None
    if families.keras_kind(owner.cls) is not None:
        return "keras" if name in _KERAS_MISSPELT or _misspells(name, "trainable") else None
    if not families.is_module(it, owner) or unseen_parts.is_part(owner):
        return None
    if name == "requires_grad_":
        return "method"
    made_by_library = isinstance(owner.cls, LibraryClass)
    if name in _MODULE_FLAGS or _means_tensor_flag(name):
        return "module"
    return "module" if made_by_library and name in _FREEZES else None


def _in_loop_over_state(it: Interpreter) -> bool:
    """Whether this stands in ``for name, p in model.state_dict().items()``."""
    loops = it.frame.loops
    node = loops[-1].now.site.node if loops else None
    return isinstance(node, cst.For) and "state_dict()" in it.frame.context.part.code(node.iter)


def stated(it: Interpreter, node: cst.BaseExpression) -> None:
    """An expression as a statement: ``p.requires_grad == False`` and ``p.requires_grad_`` do nothing.

    At the top of a file it may be the last line of a notebook's cell, which shows it.
    """
    if it.frame.name == "<module>" and not it.frame.loops:
        return
    if isinstance(node, cst.Comparison) and len(node.comparisons) == 1:
        target, part = node.left, node.comparisons[0]
        if not isinstance(target, cst.Attribute) or not isinstance(part.operator, cst.Equal):
            return
        value = {"True": True, "False": False}.get(getattr(part.comparator, "value", ""))
        if target.attr.value in ("requires_grad", "trainable") and value is not None:
            for owner in options(expressions.peek(it, target.value)):
                if _has_flag(owner, target.attr.value):
                    _record(it, owner, target.attr.value, value, "comparison", node)
    elif isinstance(node, cst.Attribute) and node.attr.value == "requires_grad_":
        for owner in options(expressions.peek(it, node.value)):
            if isinstance(owner, (Leaf, Instance)):
                _record(it, owner, node.attr.value, None, "reference", node)


def _has_flag(owner: Value, name: str) -> bool:
    """Whether ``owner.name`` can be read: a module of torch has no such attribute, which raises."""
    if isinstance(owner, Leaf):
        return name == "requires_grad"
    return isinstance(owner, Instance) and name == "trainable" and families.keras_kind(owner.cls) is not None


def looped(it: Interpreter, node: cst.For, source: Value, items: Items, recorded: int) -> None:
    """A loop over named parameters has ended, whose test of names was to choose some to freeze and chose none."""
    owner = source.slots.get("#of") if isinstance(source, OneShot) else None
    test = _name_test(it, node)
    if test is None or not isinstance(owner, Instance) or items.open or items.many or not items.values:
        return
    names = [_name_in(value) for value in items.values]
    if None in names or any(isinstance(event, _SET) for event in it.events[recorded:]):
        return
    shown = ", ".join(f"`{name}`" for name in names[:2]) + (", …" if len(names) > 2 else "")
    site = it.site(test)
    it.record(events.FlagMissed(site, bool(it.conditional), owner, shown, False, "names", False, False))


def _name_test(it: Interpreter, node: cst.For) -> cst.BaseExpression | None:
    """The test of ``for name, p in …: if "fc_1" in name: p.requires_grad = False``, where that is all there is."""
    body = node.body.body
    if len(body) != 1 or not isinstance(body[0], cst.If) or body[0].orelse is not None:
        return None
    test = body[0].test
    part = it.frame.context.part
    literals = _LITERAL.findall(part.code(test))
    if not literals or any(text in _GENERAL or text.startswith(_WRAPPERS) for text in literals):
        return None
    if " not " in part.code(test) or not _FREEZES_EACH.search(part.code(body[0].body)):
        return None
    return test


def _name_in(pair: Value) -> str | None:
    if isinstance(pair, Container) and len(pair.items.values) == 2:
        name = pair.items.values[0]
        if isinstance(name, Const) and isinstance(name.value, str):
            return name.value
    return None


def _record(
    it: Interpreter, owner: Value, name: str, wanted: bool | None, how: str, node: cst.CSTNode
) -> None:
    own = it.frames[-1].receiver is owner
    constructing = any(frame.name == "__init__" and frame.receiver is owner for frame in it.frames)
    site = it.site(node)
    it.record(events.FlagMissed(site, bool(it.conditional), owner, name, wanted, how, own, constructing))
