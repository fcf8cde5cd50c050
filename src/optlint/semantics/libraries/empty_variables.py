"""Lists of variables that are certainly empty: written so, of a model without weights yet, or filtered to nothing.

``keras_models`` asks when such a list is read, and when gradients are asked for or applied. Lists of frozen models are
``keras_trainable``'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeGuard

from optlint.deferred import regex
from optlint.semantics import families
from optlint.semantics.libraries import keras_trainable, untracked
from optlint.semantics.libraries.keras_trainable import NoVariables, layers_of
from optlint.semantics.values import (
    UNKNOWN,
    Arguments,
    Container,
    Function,
    Instance,
    Items,
    LibraryClass,
    Method,
    OneShot,
    Unknown,
    UserClass,
    Value,
    Variable,
    options,
)
from optlint.semantics.variable_events import Emptiness, VariablesListed
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Collections of TensorFlow 1, and signs that a program is one of it, or fills them.
_COLLECTIONS = frozenset({
    "tensorflow.compat.v1.trainable_variables", "tensorflow.compat.v1.global_variables",
})  # fmt: skip
_GRAPHS = regex(
    r"disable_|Graph\b|Session|get_variable|variable_scope|wrap_function|add_to_collection|v1\.layers"
)
_OLD_OPTIMIZER = regex(r"^tensorflow\.(?:compat\.v1\.)?train\.\w+Optimizer\b")
_OPTIMIZER = regex(r"\boptimizers?\.(?:\w+\.)*\w+\(\)|" + _OLD_OPTIMIZER.pattern)


#: Slot of a list: why it is empty, as it was first noted.
_TOLD = "#told"


class EmptyVariables(NoVariables):
    """A list of no variables, or of what was made for each of none."""

    __slots__ = ("cause",)

    def __init__(self, cause: Emptiness) -> None:
        super().__init__("list", Items())
        self.cause = cause

    def again(self) -> EmptyVariables:
        """Another list of the same emptiness."""
        return EmptyVariables(self.cause)


def is_empty(value: Value) -> TypeGuard[EmptyVariables]:
    """Whether a value is such a list, to which nothing was added since."""
    return isinstance(value, EmptyVariables) and value.items == Items()


# -- models without weights ------------------------------------------------------------------------------------------


def unbuilt(it: Interpreter, owner: Instance, node: cst.CSTNode) -> EmptyVariables | None:
    """The variables of a model or layer that is not built, which are none yet; None where there may be some."""
    if owner.serial < it.since or not keras_trainable.can_be_judged(owner):
        return None
    if not _without_weights(owner, 0) or not will_have_weights(owner):
        return None
    sequential = not isinstance(owner.cls, UserClass) and owner.cls.name == "Sequential"
    name = owner.slots.get("#variable")
    cause = Emptiness(
        "unbuilt",
        it.site(node),
        name if isinstance(name, str) else "",
        owner.cls.name,
        owner.site,
        sequential,
    )
    return EmptyVariables(cause)


def _without_weights(owner: Instance, depth: int) -> bool:
    """Whether neither a layer nor anything inside it has weights now."""
    slots = owner.slots
    if depth > keras_trainable.MAX_DEPTH or any(
        slots.get(mark) not in (None, False)
        for mark in ("#built", "#shaped", "#own_weights", "#functional", "#escaped")
    ):
        return False
    if isinstance(owner.cls, LibraryClass):
        if families.keras_kind(owner.cls) == "model" and owner.cls.name != "Sequential":
            return False
        if slots.get("#weights", False) is None and not layers_of(owner).values:
            return False  # a layer that is not known
    elif not all(map(_is_no_variable, (value for _, value in owner.members()))):
        return False
    items = layers_of(owner)
    return not items.open and all(
        isinstance(option, Instance) and _without_weights(option, depth + 1)
        for layer in items.values
        for option in options(layer)
    )


def _is_no_variable(value: Value) -> bool:
    """Whether an attribute is certainly no variable, nor an object that may have some."""
    if isinstance(value, Container):
        return all(map(_is_no_variable, value.items.values))
    if isinstance(value, Instance):
        return families.keras_kind(value.cls) is not None
    return not isinstance(value, (Unknown, Variable))


def will_have_weights(owner: Instance, depth: int = 0) -> bool:
    """Whether something in it gets weights when it is built."""
    if owner.slots.get("#weights") is True:
        return True
    return depth <= keras_trainable.MAX_DEPTH and any(
        isinstance(option, Instance) and will_have_weights(option, depth + 1)
        for layer in layers_of(owner).values
        for option in options(layer)
    )


def perhaps_built(it: Interpreter, values: Iterable[Value]) -> None:
    """Code that is not followed gets layers, or functions that call some: it may build them."""
    for value in values if it.keras.used else ():
        if isinstance(value, Method):
            value = value.function if value.function is not None else value.receiver
        if isinstance(value, Function):
            captured = (untracked.outer(value, name) for name in untracked.names_in(value))
            perhaps_built(it, (part for part in captured if isinstance(part, Instance)))
        elif keras_trainable.is_layer(value) and isinstance(value, Instance):
            if value.slots.get("#built") is not True:
                it.heap.set(value.slots, "#built", UNKNOWN)


# -- collections -----------------------------------------------------------------------------------------------------


def is_old_optimizer(name: str) -> bool:
    """Whether a library class is an optimizer of TensorFlow 1."""
    return _OLD_OPTIMIZER.search(name) is not None and name.endswith("Optimizer")


def collection(it: Interpreter, name: str, node: cst.CSTNode) -> EmptyVariables | None:
    """``tf.compat.v1.trainable_variables()``, which eager programs never fill."""
    if name not in _COLLECTIONS or any(_GRAPHS.search(source.text) for source in it.sources.values()):
        return None
    return EmptyVariables(Emptiness("collection", it.site(node)))


# -- used ------------------------------------------------------------------------------------------------------------


def used(it: Interpreter, value: Value, how: str, of: str, node: cst.CSTNode) -> EmptyVariables | None:
    """Gradients are asked for a list of variables, or applied to it: note whether it is empty, and give it then.

    ``of``: the qualified name of the method, where it is known.
    """
    if not it.keras.used or not isinstance(node, cst.Call):
        return None
    part = _emptied(it, value)
    empty = None if it.catching else _cause(it, part, how, of, node)
    text = it.frame.context.part.code(_written(node, how)) if node.args else ""
    old = _OLD_OPTIMIZER.search(of) is not None
    it.record(VariablesListed(it.site(node), bool(it.conditional), how, empty, text, old))
    return None if empty is None else EmptyVariables(empty)


def applied(it: Interpreter, arguments: Arguments, of: str, node: cst.CSTNode) -> None:
    """``optimizer.apply(gradients, variables)``: it does nothing if one of both is empty."""
    lists = [arguments.get(1, "trainable_variables"), arguments.get(0, "grads")]
    given = [value for value in lists if value is not None]
    empty = [value for value in given if is_empty(value) or _is_plainly_empty(it, value)]
    if given:
        known = [value for value in empty if is_empty(value)]
        used(it, (known or empty or given)[0], "apply", of, node)


def _written(node: cst.Call, how: str) -> cst.BaseExpression:
    """The argument that is the list of variables, or what has it in it."""
    names = {"sources", "var_list", "grads_and_vars", "trainable_variables"}
    for argument in node.args:
        if argument.keyword is not None and argument.keyword.value in names:
            return argument.value
    last = 1 if how not in ("apply_gradients", "build") else 0
    return node.args[min(last, len(node.args) - 1)].value


def _emptied(it: Interpreter, value: Value) -> Value:
    """The list that leaves nothing of a value: the value itself, or a column of pairs."""
    if isinstance(value, OneShot) and value.kind == "zip" and not value.progress.uses:
        empty = [source for source in value.sources if _is_plainly_empty(it, source)]
        return empty[-1] if empty else value
    kept = value.slots.get(keras_trainable.EMPTIED) if isinstance(value, Container) else None
    return kept if isinstance(kept, NoVariables) and _is_plainly_empty(it, value) else value


def _cause(it: Interpreter, value: Value, how: str, of: str, node: cst.Call) -> Emptiness | None:
    if is_empty(value):
        return value.cause
    if not isinstance(value, Container) or not _is_plainly_empty(it, value) or not _is_sure(how, of, node):
        return None
    told = value.slots.get(_TOLD)
    if isinstance(told, Emptiness):
        return told  # one list is one mistake, however often it is used
    cause = _written_so(it, value, node)
    it.heap.set(value.slots, _TOLD, cause)
    return cause


def _written_so(it: Interpreter, value: Container, node: cst.Call) -> Emptiness | None:
    made = value.site.node if value.site is not None else None
    if isinstance(made, (cst.ListComp, cst.GeneratorExp)):
        # Without a condition it is one over lists that are empty for a cause of their own.
        return Emptiness("filtered", it.site(node)) if made.for_in.ifs else None
    return Emptiness("written", it.site(node)) if _is_written(made) else None


def _is_written(made: cst.CSTNode | None) -> bool:
    called = made.func.value if isinstance(made, cst.Call) and isinstance(made.func, cst.Name) else ""
    return isinstance(made, (cst.List, cst.Tuple)) or called in ("list", "tuple")


def _is_plainly_empty(it: Interpreter, value: Value) -> bool:
    """Whether a list was made by what is followed here, and got nothing."""
    if type(value) is not Container or value.serial < it.since:
        return False
    return not value.items.values and not value.items.open


def _is_sure(how: str, of: str, node: cst.Call) -> bool:
    """Whether a method of that name is one of a tape or an optimizer, for all that is known."""
    if how == "apply_gradients" or of == "tensorflow.GradientTape" or _OPTIMIZER.search(of):
        return True
    named = {argument.keyword.value for argument in node.args if argument.keyword is not None}
    return how == "minimize" and "var_list" in named
