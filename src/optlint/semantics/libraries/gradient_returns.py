"""Reading the text of an autograd Function: where ``backward`` returns, what is only zeros, what ``forward`` marks.

``autograd_functions`` asks, beside following the method; only syntax is looked at. Must not know values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.semantics.site import Site
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.syntax.source_module import Slice


def returns(node: cst.CSTNode) -> Iterator[tuple[cst.Return, cst.CSTNode]]:
    """The ``return`` statements of a function itself, with the lines that they stand in."""
    if isinstance(node, (cst.SimpleStatementLine, cst.SimpleStatementSuite)):
        yield from ((small, node) for small in node.body if isinstance(small, cst.Return))
        return
    for child in node.children:
        if not isinstance(child, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
            yield from returns(child)


def place(part: Slice, method: cst.FunctionDef) -> Site:
    """Where a method is to be changed: its ``return`` if there is just one, else its name."""
    found = list(returns(method.body))
    if len(found) == 1:
        return Site(part, *found[0])
    return Site(part, method.name, method)


def outputs(forward: cst.FunctionDef) -> int | None:
    """How many outputs a ``forward`` gives, by its text; None where that does not tell."""
    found: set[int | None] = set()
    for node, _ in returns(forward.body):
        value = node.value
        if isinstance(value, cst.Name):
            uses = _Uses(value.value)
            uses.look(forward.body)
            value = uses.values[0] if len(uses.values) == 1 else None
        if isinstance(value, cst.Tuple) and not any(
            isinstance(e, cst.StarredElement) for e in value.elements
        ):
            found.add(len(value.elements))
        else:
            found.add(1 if _is_one_tensor(value) else None)
    return found.pop() if len(found) == 1 else None


def _is_one_tensor(value: cst.BaseExpression | None) -> bool:
    if isinstance(value, cst.Call) and isinstance(value.func, cst.Attribute):
        return value.func.attr.value in _ONE_TENSOR
    return isinstance(value, cst.BinaryOperation)


#: Methods and functions that give one tensor, whatever they are given.
_ONE_TENSOR = frozenset(
    "abs bernoulli ceil clamp clone detach exp float floor log masked_fill matmul mm relu reshape round sigmoid sign"
    " softmax sqrt tanh view view_as where".split()
)


def taken(backward: cst.FunctionDef, first: int) -> tuple[int, int] | None:
    """How few and how many gradients ``backward`` takes after its ``first`` parameters; None where that is open."""
    parameters = backward.params
    if isinstance(parameters.star_arg, cst.Param):
        return None
    named = (*parameters.posonly_params, *parameters.params)
    optional = sum(parameter.default is not None for parameter in named)
    return len(named) - optional - first, len(named) - first


def only_zeros(method: cst.FunctionDef, position: int) -> bool:
    """Whether what a method returns at ``position`` is zeros by its text: ``0 * g``, or a name that nobody writes to."""
    found = [_element(node.value, position) for node, _ in returns(method.body)]
    return bool(found) and all(value is not None and _is_zeros(method, value) for value in found)


def _element(value: cst.BaseExpression | None, position: int) -> cst.BaseExpression | None:
    if isinstance(value, cst.Tuple):
        return value.elements[position].value if position < len(value.elements) else None
    return value if position == 0 else None


def _is_zeros(method: cst.FunctionDef, value: cst.BaseExpression) -> bool:
    if isinstance(value, cst.Name) and value.value == "None":
        return True
    if isinstance(value, cst.Name):
        uses = _Uses(value.value)
        uses.look(method.body)
        return not uses.others and len(uses.values) == 1 and _is_zeros_expression(uses.values[0])
    return _is_zeros_expression(value)


def _is_zeros_expression(value: cst.BaseExpression) -> bool:
    if isinstance(value, cst.BinaryOperation) and isinstance(value.operator, cst.Multiply):
        return _is_zero(value.left) or _is_zero(value.right)
    if isinstance(value, cst.Call):
        name = value.func
        last = (
            name.attr.value
            if isinstance(name, cst.Attribute)
            else name.value
            if isinstance(name, cst.Name)
            else ""
        )
        return last in ("zeros", "zeros_like", "new_zeros")
    return False


def _is_zero(node: cst.BaseExpression) -> bool:
    return isinstance(node, (cst.Integer, cst.Float)) and not any(
        digit in "123456789" for digit in node.value
    )


class _Uses:
    """What is assigned to a name, and whether it is used for anything else than to be returned."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: list[cst.BaseExpression] = []
        self.others = False

    def look(self, node: cst.CSTNode) -> None:
        """Look through a statement or expression."""
        if isinstance(node, cst.Return):
            for part in _parts(node):
                if part is not None and not isinstance(part, cst.Name):
                    self.look(part)
            return
        if isinstance(node, cst.Assign):
            for target in node.targets:
                if isinstance(target.target, cst.Name) and target.target.value == self.name:
                    self.values.append(node.value)
                else:
                    self.look(target.target)
            self.look(node.value)
            return
        self.others = self.others or (isinstance(node, cst.Name) and node.value == self.name)
        for child in node.children:
            self.look(child)


def _parts(node: cst.Return) -> list[cst.BaseExpression | None]:
    """What is returned, one by one."""
    if isinstance(node.value, cst.Tuple):
        return [element.value for element in node.value.elements]
    return [node.value]


def marks_all(part: Slice, forward: cst.FunctionDef) -> Site | None:
    """The ``ctx.mark_non_differentiable(…)`` of a ``forward`` that marks all that it returns."""
    outputs: set[str] = set()
    for node, _ in returns(forward.body):
        outputs |= {part.value if isinstance(part, cst.Name) else "" for part in _parts(node)}
    for statement in forward.body.body:
        if not isinstance(statement, cst.SimpleStatementLine):
            continue
        for small in statement.body:
            call = small.value if isinstance(small, cst.Expr) else None
            if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
                continue
            marked = {argument.value.value for argument in call.args if isinstance(argument.value, cst.Name)}
            if call.func.attr.value == "mark_non_differentiable" and outputs and outputs <= marked:
                return Site(part, call, statement)
    return None
