"""``p = p - lr * p.grad`` at the end of a loop over parameters: the name means something else, the parameter stays.

The interpreter reports assignments here; the question about optimizers that never step reads the events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics.events import UpdateLost
from optlint.semantics.values import Leaf, Value, options
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter


def assigned(it: Interpreter, node: cst.Assign) -> None:
    """An assignment is about to be made: does it throw an updated parameter away?"""
    name = node.targets[0].target
    value = node.value
    if not isinstance(name, cst.Name) or not isinstance(value, cst.BinaryOperation) or not it.frame.loops:
        return
    loop = it.frame.loops[-1].now.site.node
    if not isinstance(loop, cst.For) or name.value not in _names(loop.target) or _last(loop.body) is not node:
        return
    if not isinstance(value.left, cst.Name) or value.left.value != name.value:
        return
    for old in _parameters(it.frame.lookup(name.value)):
        it.record(UpdateLost(it.site(node), bool(it.conditional), old))


def _parameters(value: Value | None) -> list[Leaf]:
    found = options(value) if value is not None else ()
    return [option for option in found if isinstance(option, Leaf) and option.is_parameter]


def _names(target: cst.BaseExpression) -> list[str]:
    if isinstance(target, cst.Name):
        return [target.value]
    if isinstance(target, (cst.Tuple, cst.List)):
        return [name for element in target.elements for name in _names(element.value)]
    return []


def _last(body: cst.BaseSuite) -> cst.CSTNode | None:
    """The statement that ends a suite, inside ``with`` and ``if`` without ``else``."""
    last = body.body[-1] if body.body else None
    if isinstance(last, cst.SimpleStatementLine):
        return last.body[-1]
    if isinstance(last, cst.With) or (isinstance(last, cst.If) and last.orelse is None):
        return _last(last.body)
    return last
