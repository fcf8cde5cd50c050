"""Statements of Python's ``ast`` as nodes of libcst. The body of a function is made when somebody reads it.

``source_module`` calls it. It must not know what the code means.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from optlint.syntax import cst, nodes
from optlint.syntax.expressions import (
    annotation,
    arguments,
    dotted,
    element,
    expression,
    from_,
    name,
    parameters,
)
from optlint.syntax.layout import is_elif
from optlint.syntax.nodes import shared
from optlint.syntax.patterns import case
from optlint.syntax.text import characters, indentation, text_of

_AUGMENTED: dict[type, type] = {
    ast.Add: cst.AddAssign,
    ast.Sub: cst.SubtractAssign,
    ast.Mult: cst.MultiplyAssign,
    ast.Div: cst.DivideAssign,
    ast.FloorDiv: cst.FloorDivideAssign,
    ast.Mod: cst.ModuloAssign,
    ast.Pow: cst.PowerAssign,
    ast.LShift: cst.LeftShiftAssign,
    ast.RShift: cst.RightShiftAssign,
    ast.BitOr: cst.BitOrAssign,
    ast.BitAnd: cst.BitAndAssign,
    ast.BitXor: cst.BitXorAssign,
    ast.MatMult: cst.MatrixMultiplyAssign,
}


def statements(body: Sequence[ast.stmt], lines: Sequence[str]) -> list[Any]:
    """The libcst statements of a module or block; those that share a line are one. Raises ``KeyError`` for one that
    is not known."""
    made: list[Any] = []
    last: Any = None
    for node in body:
        build = _SMALL.get(type(node))
        if build is None:
            made.append(_COMPOUND[type(node)](node, lines))
            last = None
            continue
        if last is not None and (node.lineno == last.end_lineno or _continued(last, lines)):
            made[-1].body.append(build(node, lines))
        else:
            line = nodes.SimpleStatementLine()
            line.place = node
            line.body = [build(node, lines)]
            made.append(line)
        last = node
    return made


def _continued(node: Any, lines: Sequence[str]) -> bool:
    """Whether ``a; \\`` leads on to the next line."""
    line: str = lines[node.end_lineno - 1]
    if not line.endswith("\\"):
        return False
    return line[characters(line, node.end_col_offset) : -1].strip() == ";"


def _suite(body: Sequence[ast.stmt], lines: Sequence[str]) -> Any:
    """The body of a compound statement: an indented block, or what stands on the line of the colon."""
    first = body[0]
    if indentation(first, lines) is not None:
        block = nodes.IndentedBlock()
        block.place = body
        block.body = statements(body, lines)
        return block
    suite = nodes.SimpleStatementSuite()
    suite.place = body
    suite.body = [_SMALL[type(node)](node, lines) for node in body]
    return suite


def _else(before: ast.stmt, body: Sequence[ast.stmt], lines: Sequence[str]) -> Any:
    if not body:
        return None
    made = nodes.Else()
    made.place = before, body
    made.body = _suite(body, lines)
    return made


# -- small statements -----------------------------------------------------------------------------------------------


def _expr(node: ast.Expr, lines: Sequence[str]) -> Any:
    made = nodes.Expr()
    made.place = node
    made.value = expression(node.value, lines)
    return made


def _assign(node: ast.Assign, lines: Sequence[str]) -> Any:
    made = nodes.Assign()
    made.place = node
    made.targets = targets = []
    for target in node.targets:
        one = nodes.AssignTarget()
        one.place = target
        one.target = expression(target, lines)
        targets.append(one)
    made.value = expression(node.value, lines)
    return made


def _annotated(node: ast.AnnAssign, lines: Sequence[str]) -> Any:
    made = nodes.AnnAssign()
    made.place = node
    made.target = expression(node.target, lines)
    made.annotation = annotation(node.annotation, lines)
    made.value = None if node.value is None else expression(node.value, lines)
    return made


def _augmented(node: ast.AugAssign, lines: Sequence[str]) -> Any:
    made = nodes.AugAssign()
    made.place = node
    made.target = expression(node.target, lines)
    made.operator = shared(_AUGMENTED[type(node.op)])
    made.value = expression(node.value, lines)
    return made


def _return(node: ast.Return, lines: Sequence[str]) -> Any:
    made = nodes.Return()
    made.place = node
    made.value = None if node.value is None else expression(node.value, lines)
    return made


def _raise(node: ast.Raise, lines: Sequence[str]) -> Any:
    made = nodes.Raise()
    made.place = node
    made.exc = None if node.exc is None else expression(node.exc, lines)
    made.cause = None if node.cause is None else from_(node.cause, lines)
    return made


def _assert(node: ast.Assert, lines: Sequence[str]) -> Any:
    made = nodes.Assert()
    made.place = node
    made.test = expression(node.test, lines)
    made.msg = None if node.msg is None else expression(node.msg, lines)
    return made


def _delete(node: ast.Delete, lines: Sequence[str]) -> Any:
    made = nodes.Del()
    made.place = node
    if len(node.targets) == 1 and not text_of(node, lines).endswith(","):
        made.target = expression(node.targets[0], lines)
        return made
    made.target = target = nodes.Tuple()
    target.place = node
    target.elements = [element(part, lines) for part in node.targets]
    return made


def _empty(kind: Callable[[], Any]) -> Callable[[Any, Sequence[str]], Any]:
    def build(node: ast.stmt, lines: Sequence[str]) -> Any:
        made = kind()
        made.place = node
        return made

    return build


def _scope(kind: Callable[[], Any]) -> Callable[[Any, Sequence[str]], Any]:
    def build(node: ast.Global | ast.Nonlocal, lines: Sequence[str]) -> Any:
        made = kind()
        made.place = node
        made.names = [_name_item(node, number, text) for number, text in enumerate(node.names)]
        return made

    return build


def _name_item(node: ast.Global | ast.Nonlocal, number: int, text: str) -> Any:
    made = nodes.NameItem()
    made.place = node, number
    made.name = name(text, (node, number))
    return made


def _import(node: ast.Import, lines: Sequence[str]) -> Any:
    made = nodes.Import()
    made.place = node
    made.names = [_alias(alias) for alias in node.names]
    return made


def _import_from(node: ast.ImportFrom, lines: Sequence[str]) -> Any:
    made = nodes.ImportFrom()
    made.place = node
    made.module = None if node.module is None else dotted(node.module, node)
    made.relative = [shared(cst.Dot)] * (node.level or 0)
    starred = len(node.names) == 1 and node.names[0].name == "*"
    made.names = shared(cst.ImportStar) if starred else [_alias(alias) for alias in node.names]
    return made


def _alias(node: ast.alias) -> Any:
    made = nodes.ImportAlias()
    made.place = node
    made.name = dotted(node.name, node)
    made.asname = None if node.asname is None else _as_name(name(node.asname, node), node)
    return made


def _as_name(target: Any, place: object) -> Any:
    made = nodes.AsName()
    made.place = place
    made.name = target
    return made


def _type_alias(node: Any, lines: Sequence[str]) -> Any:
    made = nodes.TypeAlias()
    made.place = node
    made.name = expression(node.name, lines)
    made.type_parameters = _type_parameters(node, lines)
    made.value = expression(node.value, lines)
    return made


# -- compound statements --------------------------------------------------------------------------------------------


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: Sequence[str]) -> Any:
    made = nodes.FunctionDef()
    made.place = node
    made.source = lines
    made.make = _function_body
    made.decorators = _decorators(node, lines)
    made.asynchronous = shared(cst.Asynchronous) if type(node) is ast.AsyncFunctionDef else None
    made.name = name(node.name, node)
    made.type_parameters = _type_parameters(node, lines)
    made.params = parameters(node.args, lines)
    made.returns = None if node.returns is None else annotation(node.returns, lines)
    return made


def _function_body(made: Any) -> Any:
    return _suite(made.place.body, made.source)


def _class(node: ast.ClassDef, lines: Sequence[str]) -> Any:
    made = nodes.ClassDef()
    made.place = node
    made.decorators = _decorators(node, lines)
    made.name = name(node.name, node)
    made.type_parameters = _type_parameters(node, lines)
    given = arguments(node.bases, node.keywords, lines)
    if len(given) == 1:
        given[0].value.owner = node
    made.bases = [arg for arg in given if arg.keyword is None and arg.star != "**"]
    made.keywords = [arg for arg in given if arg.keyword is not None or arg.star == "**"]
    made.body = _suite(node.body, lines)
    return made


def _decorators(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, lines: Sequence[str]
) -> list[Any]:
    found = []
    for number, decorator in enumerate(node.decorator_list):
        made = nodes.Decorator()
        made.place = decorator, number
        made.decorator = expression(decorator, lines)
        found.append(made)
    return found


def _type_parameters(node: Any, lines: Sequence[str]) -> Any:
    given = getattr(node, "type_params", None)
    if not given:
        return None
    made = nodes.TypeParameters()
    made.place = node
    made.params = [_type_parameter(one, lines) for one in given]
    return made


def _type_parameter(node: Any, lines: Sequence[str]) -> Any:
    made = nodes.TypeParam()
    made.place = node
    kind = type(node).__name__
    made.param = param = {
        "TypeVar": nodes.TypeVar,
        "TypeVarTuple": nodes.TypeVarTuple,
        "ParamSpec": nodes.ParamSpec,
    }[kind]()
    param.place = node
    param.name = name(node.name, node)
    if kind == "TypeVar":
        param.bound = None if node.bound is None else expression(node.bound, lines)
    default = getattr(node, "default_value", None)
    made.star = "*" if type(default) is ast.Starred else ""
    default = default.value if isinstance(default, ast.Starred) else default
    made.default = None if default is None else expression(default, lines)
    return made


def _if(node: ast.If, lines: Sequence[str]) -> Any:
    first = made = _if_alone(node, lines)
    while node.orelse and is_elif(node.orelse, lines):
        node = node.orelse[0]  # type: ignore[assignment]
        outer, made = made, _if_alone(node, lines)
        outer.orelse = made
    made.orelse = _else(node.body[-1], node.orelse, lines)
    return first


def _if_alone(node: ast.If, lines: Sequence[str]) -> Any:
    made = nodes.If()
    made.place = node
    made.test = expression(node.test, lines)
    made.body = _suite(node.body, lines)
    return made


def _for(node: ast.For | ast.AsyncFor, lines: Sequence[str]) -> Any:
    made = nodes.For()
    made.place = node
    made.asynchronous = shared(cst.Asynchronous) if type(node) is ast.AsyncFor else None
    made.target = expression(node.target, lines)
    made.iter = expression(node.iter, lines)
    made.body = _suite(node.body, lines)
    made.orelse = _else(node.body[-1], node.orelse, lines)
    return made


def _while(node: ast.While, lines: Sequence[str]) -> Any:
    made = nodes.While()
    made.place = node
    made.test = expression(node.test, lines)
    made.body = _suite(node.body, lines)
    made.orelse = _else(node.body[-1], node.orelse, lines)
    return made


def _with(node: ast.With | ast.AsyncWith, lines: Sequence[str]) -> Any:
    made = nodes.With()
    made.place = node
    made.asynchronous = shared(cst.Asynchronous) if type(node) is ast.AsyncWith else None
    made.items = items = []
    for item in node.items:
        one = nodes.WithItem()
        one.place = item
        one.item = expression(item.context_expr, lines)
        one.asname = None
        if item.optional_vars is not None:
            one.asname = _as_name(expression(item.optional_vars, lines), item)
        items.append(one)
    if len(items) == 1 and items[0].asname is None:
        items[0].item.owner = node
    made.body = _suite(node.body, lines)
    return made


def _try(kind: Callable[[], Any], handler: Callable[[], Any]) -> Callable[[Any, Sequence[str]], Any]:
    def build(node: Any, lines: Sequence[str]) -> Any:
        made = kind()
        made.place = node
        made.body = _suite(node.body, lines)
        made.handlers = [_handler(handler(), clause, lines) for clause in node.handlers]
        before = node.handlers[-1].body if node.handlers else node.body
        made.orelse = _else(before[-1], node.orelse, lines)
        made.finalbody = None
        if node.finalbody:
            made.finalbody = final = nodes.Finally()
            final.place = (node.orelse or before)[-1], node.finalbody
            final.body = _suite(node.finalbody, lines)
        return made

    return build


def _handler(made: Any, node: ast.ExceptHandler, lines: Sequence[str]) -> Any:
    made.place = node
    made.type = None if node.type is None else expression(node.type, lines)
    made.name = None if node.name is None else _as_name(name(node.name, node), node)
    made.body = _suite(node.body, lines)
    return made


def _match(node: ast.Match, lines: Sequence[str]) -> Any:
    made = nodes.Match()
    made.place = node
    made.subject = expression(node.subject, lines)
    made.cases = cases = []
    for one in node.cases:
        found = case(one, lines)
        found.body = _suite(one.body, lines)
        cases.append(found)
    return made


_SMALL: dict[type, Callable[[Any, Sequence[str]], Any]] = {
    ast.Expr: _expr,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.Assert: _assert,
    ast.Delete: _delete,
    ast.Pass: _empty(nodes.Pass),
    ast.Break: _empty(nodes.Break),
    ast.Continue: _empty(nodes.Continue),
    ast.Global: _scope(nodes.Global),
    ast.Nonlocal: _scope(nodes.Nonlocal),
    ast.Import: _import,
    ast.ImportFrom: _import_from,
}
_COMPOUND: dict[type, Callable[[Any, Sequence[str]], Any]] = {
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: _try(nodes.Try, nodes.ExceptHandler),
    ast.Match: _match,
}
if hasattr(ast, "TryStar"):
    _COMPOUND[ast.TryStar] = _try(nodes.TryStar, nodes.ExceptStarHandler)
if hasattr(ast, "TypeAlias"):
    _SMALL[ast.TypeAlias] = _type_alias
