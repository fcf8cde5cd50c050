"""Variables and layers that Keras does not see: which package a variable is of, and what computes with it.

``tensorflow_tapes`` and ``keras_models`` tell; the question about untracked variables asks. Must not know tapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import families
from optlint.semantics.frame import Frame
from optlint.semantics.libraries import keras_layers, keras_trainable
from optlint.semantics.site import Site
from optlint.semantics.values import (
    Arguments,
    External,
    Function,
    Instance,
    LibraryClass,
    Unknown,
    Value,
    Variable,
)
from optlint.semantics.variable_events import LayerMadeInCall, UntrackedUsed
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_PACKAGE = "#package"
_MADE = regex(r"(?<![\w.])((?:\w+\.)*[A-Z]\w*)\([^()]*\)\(")
_NAME = regex(r"(?<![\w.])[A-Za-z_]\w*")


@dataclass(frozen=True, eq=False)
class BareVariable(Unknown):
    """A variable of a program without tapes: nothing is asked of it but what it is (``package``) and where made."""

    package: str = ""
    site: Site | None = None

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def mark(variable: Variable, package: str) -> Variable:
    """Note which package a variable is of."""
    for leaf in variable.taint:
        leaf.slots[_PACKAGE] = package
    return variable


def package_of(value: Value) -> str:
    """``tensorflow`` or ``keras`` for a variable that the program made by itself; "" for all else."""
    if isinstance(value, BareVariable):
        return value.package
    found = {leaf.slots.get(_PACKAGE) for leaf in value.taint} if isinstance(value, Variable) else set()
    return next((package for package in found if isinstance(package, str)), "")


def made_at(value: Value) -> Site | None:
    """Where such a variable was made."""
    if isinstance(value, BareVariable):
        return value.site
    return next((leaf.site for leaf in value.taint), None) if isinstance(value, Variable) else None


# -- used ------------------------------------------------------------------------------------------------------------


def note_lambda(it: Interpreter, layer: Instance, arguments: Arguments, node: cst.CSTNode) -> None:
    """``Lambda(function)``: what the function has from outside, and which layers it makes."""
    function = arguments.get(0, "function")
    if not isinstance(function, Function):
        return
    code = function.context.part.code(function.node)
    for name in names_in(function):
        value = outer(function, name)
        called = isinstance(value, Instance) and keras_trainable.is_layer(value) and f"{name}(" in code
        if value is not None and (called or package_of(value)):
            _record(it, "lambda", value, name, node)
    for name in _MADE.findall(code):
        _note_made(it, layer, function, name, node)


def _note_made(it: Interpreter, layer: Instance, function: Function, name: str, node: cst.CSTNode) -> None:
    """``Dense(3)(x)`` in the function of a Lambda layer."""
    first, *rest = name.split(".")
    home = outer(function, first)
    known = keras_layers.layer(".".join([home.name, *rest])) if isinstance(home, External) else None
    if known is not None and known.has_weights:
        made = Instance(LibraryClass(f"keras.layers.{known.name}"), it.site(node))
        made.slots["#weights"] = True
        unsure = bool(it.conditional)
        it.record(LayerMadeInCall(it.site(node), unsure, layer, "Lambda", made, function.name, False))


def names_in(function: Function) -> list[str]:
    """The names in a function's code that are none of its parameters."""
    own = {parameter.name.value for parameter in function.node.params.params}
    found = dict.fromkeys(_NAME.findall(function.context.part.code(function.node)))
    return [name for name in found if name not in own]


def outer(function: Function, name: str) -> Value | None:
    """What a name stands for outside of a function."""
    found = function.closure.lookup(name) if isinstance(function.closure, Frame) else None
    found = found if found is not None else function.context.namespace.slots.get(name)
    return found if isinstance(found, Value) else None


def note_operation(it: Interpreter, name: str, values: Iterable[Value], node: cst.CSTNode) -> None:
    """``keras.ops.matmul(symbolic, variable)``."""
    for value in values if name.startswith("keras.ops.") else ():
        if package_of(value):
            _record(it, "operation", value, "", node)


def note_called(it: Interpreter, layer: Instance, node: cst.CSTNode) -> None:
    """A layer is called while others compute: it should be a part of one of them."""
    owners = tuple(
        frame.receiver
        for frame in it.frames
        if isinstance(frame.receiver, Instance) and families.keras_kind(frame.receiver.cls)
    )
    computing = any(frame.name == "call" and frame.receiver in owners for frame in it.frames)
    if not computing or any(frame.name in ("__init__", "build") for frame in it.frames):
        return
    if any(layer is owner or layer in keras_trainable.layers_of(owner).values for owner in owners):
        return
    it.record(UntrackedUsed(it.site(node), bool(it.conditional), "call", layer, "", owners))


def _record(it: Interpreter, kind: str, value: Value, name: str, node: cst.CSTNode) -> None:
    it.record(UntrackedUsed(it.site(node), bool(it.conditional), kind, value, name))
