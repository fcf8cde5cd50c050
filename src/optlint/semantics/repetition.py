"""Notes where one module comes to stand several times in a list or dict: `[layer] * 3`, `[layer for _ in range(3)]`.

``expressions`` and the tables of Python's functions note; the question about shared layers asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from optlint.semantics import events, families
from optlint.semantics.values import Const, Container, Instance, Value, options
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter


def note(
    it: Interpreter, form: str, values: Iterable[Value], node: cst.CSTNode, source: Value | None = None
) -> None:
    """Record the modules that stand more than once among ``values``.

    ``source``: the list that was multiplied, or a module that certainly was made on the spot.
    """
    counted: dict[int, tuple[Instance, int]] = {}
    for value in values:
        for part in value.items.values if isinstance(value, Container) else (value,):
            for option in options(part):
                if isinstance(option, Instance) and families.is_module(it, option):
                    _, count = counted.get(id(option), (option, 0))
                    counted[id(option)] = (option, count + 1)
    repeated = tuple(instance for instance, count in counted.values() if count > 1)
    if repeated and not _once_by_default(it, node):
        on_the_spot = _made_on_the_spot(source)
        named = tuple(m for m in repeated if "#variable" in m.slots and id(m) not in on_the_spot)
        it.record(events.Repeated(it.site(node), bool(it.conditional), form, repeated, named))


def is_reference(node: cst.BaseExpression) -> bool:
    """Whether an expression names something that is there already, itself or as a part of a pair."""
    if isinstance(node, cst.Tuple):
        return any(is_reference(element.value) for element in node.elements)
    return isinstance(node, (cst.Name, cst.Attribute, cst.Subscript))


def _made_on_the_spot(source: Value | None) -> set[int]:
    """The elements of a list display that are calls: whatever name a helper gave them, here they have none."""
    if isinstance(source, Instance):
        return {id(source)}
    if not isinstance(source, Container) or source.site is None:
        return set()
    display = source.site.node
    if not isinstance(display, (cst.List, cst.Tuple)) or len(display.elements) != len(source.items.values):
        return set()
    pairs = zip(display.elements, source.items.values, strict=True)
    return {id(value) for element, value in pairs if isinstance(element.value, cst.Call)}


# -- how often by default --------------------------------------------------------------------------------------------


def _once_by_default(it: Interpreter, node: cst.CSTNode) -> bool:
    """Whether the number of times comes from parameters that nobody is seen to give, and by their defaults is one."""
    times = _times(node)
    function = it.frame.variables.get("#node")
    if times is None or not isinstance(function, cst.FunctionDef):
        return False
    parameters = function.params
    defaults = {
        parameter.name.value: parameter.default
        for parameter in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)
        if isinstance(parameter.default, cst.Integer)
        and not isinstance(it.frame.variables.get(parameter.name.value), Const)
    }
    number = _number(times, defaults)
    return number is not None and number <= 1


def _times(node: cst.CSTNode) -> cst.BaseExpression | None:
    """The expression that says how often something is repeated."""
    if isinstance(node, cst.BinaryOperation):
        return node.left if isinstance(node.right, (cst.List, cst.Tuple)) else node.right
    if isinstance(node, (cst.ListComp, cst.GeneratorExp)) and isinstance(node.for_in.iter, cst.Call):
        arguments = node.for_in.iter.args
        return arguments[0].value if len(arguments) == 1 else None
    return None


def _number(node: cst.BaseExpression, known: Mapping[str, cst.BaseExpression]) -> int | None:
    """What an expression of whole numbers gives, with the names that are known."""
    if isinstance(node, cst.Integer):
        return node.evaluated_value
    if isinstance(node, cst.Name):
        value = known.get(node.value)
        return None if value is None else _number(value, {})
    if not isinstance(node, cst.BinaryOperation):
        return None
    left, right = _number(node.left, known), _number(node.right, known)
    if left is None or right is None:
        return None
    if isinstance(node.operator, cst.Add):
        return left + right
    if isinstance(node.operator, cst.Subtract):
        return left - right
    return left * right if isinstance(node.operator, cst.Multiply) else None
