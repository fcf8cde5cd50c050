"""Parts of models that cannot be told apart (``model.layers[i]`` of a library's model) and what is done to them.

The places that set attributes, elements and flags of unknown values report here; rules see the event and the flags.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from optlint.semantics import events, modules
from optlint.semantics.values import FALSE, Const, Instance, Leaf, LibraryClass, Unknown, Value, options
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter


def is_part(value: Value) -> bool:
    """Whether a value is an attribute of a library's model: a module, or a parameter."""
    return (
        isinstance(value, Instance)
        and isinstance(value.cls, LibraryClass)
        and value.cls.qualified_name == "optlint.module.part"
    )


def attribute_set(it: Interpreter, owner: Value, name: str, value: Value, node: cst.CSTNode) -> None:
    """``owner.name = value`` on something unknown: it may be a part that is unfrozen or replaced."""
    if name == "requires_grad":
        certainly_module = (
            isinstance(owner, Unknown) and owner.module
        )  # where it is an attribute that nobody reads
        if value != FALSE and not certainly_module:
            changed(it, owner, node)
    elif _may_be_part(owner, value):
        changed(it, owner, node)


def element_set(it: Interpreter, owner: Value, value: Value) -> None:
    """``owner[key] = value`` on something unknown."""
    statement = it.frame.statement
    if statement is not None and _may_be_part(owner, value):
        changed(it, owner, statement)


def _may_be_part(owner: Value, value: Value) -> bool:
    if isinstance(owner, Unknown) and owner.taint:
        return not isinstance(value, Const)
    return any(isinstance(option, (Instance, Leaf)) for option in options(value))


def changed(it: Interpreter, owner: Value, node: cst.CSTNode) -> None:
    """Something may have been unfrozen, or may have got a module; when it is not known of what, of any model."""
    it.record(events.UnknownChanged(it.site(node), bool(it.conditional)))
    behind: Iterable[Leaf] = owner.taint if isinstance(owner, Unknown) else ()
    for leaf in behind or _inside_libraries(it):
        if leaf.requires_grad is False:
            it.heap.set(leaf.slots, "requires_grad", None)


def _inside_libraries(it: Interpreter) -> list[Leaf]:
    return [entry.leaf for model in it.ready_models for entry in modules.parameters(it, model).parameters]
