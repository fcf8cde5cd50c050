"""Expressions of Python's ``ast`` as nodes of libcst.

``statements`` calls it, ``strings`` for what stands in an f-string. It must not know what the code means.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from optlint.syntax import cst, nodes, strings
from optlint.syntax.nodes import shared
from optlint.syntax.text import parenthesised, text_of

_BINARY: dict[type, type] = {
    ast.Add: cst.Add,
    ast.Sub: cst.Subtract,
    ast.Mult: cst.Multiply,
    ast.Div: cst.Divide,
    ast.FloorDiv: cst.FloorDivide,
    ast.Mod: cst.Modulo,
    ast.Pow: cst.Power,
    ast.LShift: cst.LeftShift,
    ast.RShift: cst.RightShift,
    ast.BitOr: cst.BitOr,
    ast.BitAnd: cst.BitAnd,
    ast.BitXor: cst.BitXor,
    ast.MatMult: cst.MatrixMultiply,
}
_BOOLEAN: dict[type, type] = {ast.And: cst.And, ast.Or: cst.Or}
_UNARY: dict[type, type] = {
    ast.UAdd: cst.Plus,
    ast.USub: cst.Minus,
    ast.Invert: cst.BitInvert,
    ast.Not: cst.Not,
}
_COMPARING: dict[type, type] = {
    ast.Eq: cst.Equal,
    ast.NotEq: cst.NotEqual,
    ast.Lt: cst.LessThan,
    ast.LtE: cst.LessThanEqual,
    ast.Gt: cst.GreaterThan,
    ast.GtE: cst.GreaterThanEqual,
    ast.Is: cst.Is,
    ast.IsNot: cst.IsNot,
    ast.In: cst.In,
    ast.NotIn: cst.NotIn,
}
_NO_PARAMETERS: Any = cst.MaybeSentinel.DEFAULT


def expression(node: ast.expr, lines: Sequence[str]) -> Any:
    """The libcst node of an expression; ``lines`` are those of the whole file. Raises ``KeyError`` for one that is
    not known."""
    return _EXPRESSIONS[type(node)](node, lines)


def literal(node: Any) -> object:
    """The value of a number or of one string literal. Raises ``ValueError`` or ``SyntaxError`` where there is none."""
    place = getattr(node, "place", None)
    return place.value if type(place) is ast.Constant else ast.literal_eval(node.value)


def name(value: str, place: object) -> Any:
    """A name that is no expression of its own: of an attribute, a parameter, a function…"""
    made = nodes.Name()
    made.value = value
    made.place = place
    return made


def dotted(value: str, place: object) -> Any:
    """``a.b.c`` as in an import; each part stands so and so far behind the first one's place."""
    made, end = None, 0
    for part in value.split("."):
        start = end + 1 if made is not None else 0
        end = start + len(part)
        word = name(part, (place, start, end))
        if made is None:
            made = word
            continue
        inner, made = made, nodes.Attribute()
        made.value = inner
        made.attr = word
        made.place = place, 0, end
    return made


def parameters(node: ast.arguments, lines: Sequence[str]) -> Any:
    """What a function or lambda takes."""
    plain = [*node.posonlyargs, *node.args]
    missing = len(plain) - len(node.defaults)
    made = [
        _parameter(argument, None if place < missing else node.defaults[place - missing], lines)
        for place, argument in enumerate(plain)
    ]
    result = nodes.Parameters()
    result.place = node
    only = len(node.posonlyargs)
    result.posonly_params = tuple(made[:only])
    result.posonly_ind = shared(cst.ParamSlash) if only else _NO_PARAMETERS
    result.params = tuple(made[only:])
    result.kwonly_params = tuple(
        _parameter(argument, default, lines)
        for argument, default in zip(node.kwonlyargs, node.kw_defaults, strict=True)
    )
    result.star_arg = shared(cst.ParamStar) if node.kwonlyargs else _NO_PARAMETERS
    if node.vararg is not None:
        result.star_arg = _parameter(node.vararg, None, lines, "*")
    result.star_kwarg = None if node.kwarg is None else _parameter(node.kwarg, None, lines, "**")
    return result


def _parameter(node: ast.arg, default: ast.expr | None, lines: Sequence[str], star: str = "") -> Any:
    made = nodes.Param()
    made.place = node
    made.star = star
    made.name = name(node.arg, node)
    made.annotation = None if node.annotation is None else annotation(node.annotation, lines)
    made.default = None if default is None else _EXPRESSIONS[type(default)](default, lines)
    return made


def annotation(node: ast.expr, lines: Sequence[str]) -> Any:
    """The type of a parameter, a variable or a result."""
    made = nodes.Annotation()
    made.place = node
    made.annotation = _EXPRESSIONS[type(node)](node, lines)
    return made


def arguments(given: Sequence[ast.expr], keywords: Sequence[ast.keyword], lines: Sequence[str]) -> list[Any]:
    """The arguments of a call, or the bases of a class, in the order of the text."""
    made = []
    for node in _in_order(given, keywords) if keywords and given else (given or keywords):
        arg = nodes.Arg()
        arg.place = node
        arg.keyword = None
        if isinstance(node, ast.keyword):
            value = node.value
            arg.star = "**" if node.arg is None else ""
            if node.arg is not None:
                arg.keyword = name(node.arg, node)
        elif type(node) is ast.Starred:
            value = node.value
            arg.star = "*"
        else:
            value = node
            arg.star = ""
        arg.value = _EXPRESSIONS[type(value)](value, lines)
        made.append(arg)
    return made


def _in_order(given: Sequence[ast.expr], keywords: Sequence[ast.keyword]) -> Sequence[Any]:
    last, first = given[-1], keywords[0]
    both: list[Any] = [*given, *keywords]
    if (last.lineno, last.col_offset) > (first.lineno, first.col_offset):
        both.sort(key=lambda node: (node.lineno, node.col_offset))
    return both


def element(node: ast.expr, lines: Sequence[str]) -> Any:
    """An element of a tuple, a list or a set."""
    if type(node) is ast.Starred:
        return _starred(node, lines)
    made = nodes.Element()
    made.place = node
    made.value = _EXPRESSIONS[type(node)](node, lines)
    return made


# -- one function for each class ------------------------------------------------------------------------------------


def _name(node: ast.Name, lines: Sequence[str]) -> Any:
    made = nodes.Name()
    made.place = node
    made.value = node.id
    return made


def _attribute(node: ast.Attribute, lines: Sequence[str]) -> Any:
    made = nodes.Attribute()
    made.place = node
    value = node.value
    made.value = _EXPRESSIONS[type(value)](value, lines)
    made.attr = attr = nodes.Name()
    attr.value = node.attr
    attr.place = node
    return made


def _call(node: ast.Call, lines: Sequence[str]) -> Any:
    made = nodes.Call()
    made.place = node
    func = node.func
    made.func = _EXPRESSIONS[type(func)](func, lines)
    given = node.args
    made.args = args = arguments(given, node.keywords, lines)
    if len(given) == 1 and not node.keywords:
        args[0].value.owner = node  # The parentheses next to it are the call's.
    return made


def _constant(node: ast.Constant, lines: Sequence[str]) -> Any:
    value = node.value
    kind = type(value)
    if kind is str or kind is bytes:
        return strings.string(node, lines)
    if kind is int:
        made = nodes.Integer()
    elif kind is float:
        made = nodes.Float()
    elif kind is complex:
        made = nodes.Imaginary()
    elif value is Ellipsis:
        made = nodes.Ellipsis()
        made.place = node
        return made
    else:
        made = nodes.Name()
        made.value = str(value)
        made.place = node
        return made
    made.value = text_of(node, lines)
    made.place = node
    return made


def _text(node: ast.expr, lines: Sequence[str]) -> Any:
    return strings.string(node, lines)


def _binary(node: ast.BinOp, lines: Sequence[str]) -> Any:
    chain, left = [node], node.left
    while type(left) is ast.BinOp:
        chain.append(left)
        left = left.left
    made = _EXPRESSIONS[type(left)](left, lines)
    for outer in reversed(chain):
        inner, made = made, nodes.BinaryOperation()
        made.place = outer
        made.left = inner
        made.operator = shared(_BINARY[type(outer.op)])
        right = outer.right
        made.right = _EXPRESSIONS[type(right)](right, lines)
    return made


def _boolean(node: ast.BoolOp, lines: Sequence[str]) -> Any:
    """libcst nests to the left what Python keeps flat."""
    operator = shared(_BOOLEAN[type(node.op)])
    first, *rest = node.values
    made = _EXPRESSIONS[type(first)](first, lines)
    for right in rest:
        inner, made = made, nodes.BooleanOperation()
        made.left = inner
        made.operator = operator
        made.right = _EXPRESSIONS[type(right)](right, lines)
        made.place = None
    made.place = node
    return made


def _unary(node: ast.UnaryOp, lines: Sequence[str]) -> Any:
    made = nodes.UnaryOperation()
    made.place = node
    made.operator = shared(_UNARY[type(node.op)])
    made.expression = _EXPRESSIONS[type(node.operand)](node.operand, lines)
    return made


def _comparison(node: ast.Compare, lines: Sequence[str]) -> Any:
    made = nodes.Comparison()
    made.place = node
    made.left = _EXPRESSIONS[type(node.left)](node.left, lines)
    made.comparisons = [
        _compared(operator, right, lines) for operator, right in zip(node.ops, node.comparators, strict=True)
    ]
    return made


def _compared(operator: ast.cmpop, right: ast.expr, lines: Sequence[str]) -> Any:
    made = nodes.ComparisonTarget()
    made.place = right
    made.operator = shared(_COMPARING[type(operator)])
    made.comparator = _EXPRESSIONS[type(right)](right, lines)
    return made


def _subscript(node: ast.Subscript, lines: Sequence[str]) -> Any:
    made = nodes.Subscript()
    made.place = node
    made.value = _EXPRESSIONS[type(node.value)](node.value, lines)
    inner = node.slice
    if type(inner) is ast.Tuple and inner.elts and not parenthesised(inner, inner.elts, lines):
        made.slice = [_subscript_element(part, lines) for part in inner.elts]
    else:
        made.slice = [_subscript_element(inner, lines)]
    return made


def _subscript_element(node: ast.expr, lines: Sequence[str]) -> Any:
    made = nodes.SubscriptElement()
    made.place = node
    if type(node) is ast.Slice:
        made.slice = _slice(node, lines)
        return made
    made.slice = index = nodes.Index()
    index.place = node
    index.star = None
    if type(node) is ast.Starred:
        index.star = "*"
        node = node.value
    index.value = _EXPRESSIONS[type(node)](node, lines)
    return made


def _slice(node: ast.Slice, lines: Sequence[str]) -> Any:
    made = nodes.Slice()
    made.place = node
    made.lower = None if node.lower is None else _EXPRESSIONS[type(node.lower)](node.lower, lines)
    made.upper = None if node.upper is None else _EXPRESSIONS[type(node.upper)](node.upper, lines)
    made.step = None if node.step is None else _EXPRESSIONS[type(node.step)](node.step, lines)
    return made


def _conditional(node: ast.IfExp, lines: Sequence[str]) -> Any:
    made = nodes.IfExp()
    made.place = node
    made.test = _EXPRESSIONS[type(node.test)](node.test, lines)
    made.body = _EXPRESSIONS[type(node.body)](node.body, lines)
    made.orelse = _EXPRESSIONS[type(node.orelse)](node.orelse, lines)
    return made


def _lambda(node: ast.Lambda, lines: Sequence[str]) -> Any:
    made = nodes.Lambda()
    made.place = node
    made.params = parameters(node.args, lines)
    made.body = _EXPRESSIONS[type(node.body)](node.body, lines)
    return made


def _listed(kind: Callable[[], Any]) -> Callable[[Any, Sequence[str]], Any]:
    def build(node: ast.Tuple | ast.List | ast.Set, lines: Sequence[str]) -> Any:
        made = kind()
        made.place = node
        made.elements = [element(part, lines) for part in node.elts]
        return made

    return build


def _dict(node: ast.Dict, lines: Sequence[str]) -> Any:
    made = nodes.Dict()
    made.place = node
    made.elements = [
        _dict_element(key, value, lines) for key, value in zip(node.keys, node.values, strict=True)
    ]
    return made


def _dict_element(key: ast.expr | None, value: ast.expr, lines: Sequence[str]) -> Any:
    if key is None:
        made = nodes.StarredDictElement()
    else:
        made = nodes.DictElement()
        made.key = _EXPRESSIONS[type(key)](key, lines)
    made.place = value
    made.value = _EXPRESSIONS[type(value)](value, lines)
    return made


def _comprehension(kind: Callable[[], Any]) -> Callable[[Any, Sequence[str]], Any]:
    def build(node: ast.ListComp | ast.SetComp | ast.GeneratorExp, lines: Sequence[str]) -> Any:
        made = kind()
        made.place = node
        made.elt = _EXPRESSIONS[type(node.elt)](node.elt, lines)
        made.for_in = _for_in(node.generators, lines)
        return made

    return build


def _dict_comprehension(node: ast.DictComp, lines: Sequence[str]) -> Any:
    made = nodes.DictComp()
    made.place = node
    made.key = _EXPRESSIONS[type(node.key)](node.key, lines)
    made.value = _EXPRESSIONS[type(node.value)](node.value, lines)
    made.for_in = _for_in(node.generators, lines)
    return made


def _for_in(generators: Sequence[ast.comprehension], lines: Sequence[str]) -> Any:
    made = None
    for generator in reversed(generators):
        inner, made = made, nodes.CompFor()
        made.place = generator
        made.target = _EXPRESSIONS[type(generator.target)](generator.target, lines)
        made.iter = _EXPRESSIONS[type(generator.iter)](generator.iter, lines)
        made.ifs = [_comp_if(test, lines) for test in generator.ifs]
        made.inner_for_in = inner
        made.asynchronous = shared(cst.Asynchronous) if generator.is_async else None
    return made


def _comp_if(test: ast.expr, lines: Sequence[str]) -> Any:
    made = nodes.CompIf()
    made.place = test
    made.test = _EXPRESSIONS[type(test)](test, lines)
    return made


def _await(node: ast.Await, lines: Sequence[str]) -> Any:
    made = nodes.Await()
    made.place = node
    made.expression = _EXPRESSIONS[type(node.value)](node.value, lines)
    return made


def _yield(node: ast.Yield, lines: Sequence[str]) -> Any:
    made = nodes.Yield()
    made.place = node
    made.value = None if node.value is None else _EXPRESSIONS[type(node.value)](node.value, lines)
    return made


def _yield_from(node: ast.YieldFrom, lines: Sequence[str]) -> Any:
    made = nodes.Yield()
    made.place = node
    made.value = from_(node.value, lines)
    return made


def from_(node: ast.expr, lines: Sequence[str]) -> Any:
    """``from x`` behind ``yield`` or ``raise``."""
    made = nodes.From()
    made.place = node
    made.item = _EXPRESSIONS[type(node)](node, lines)
    return made


def _named(node: ast.NamedExpr, lines: Sequence[str]) -> Any:
    made = nodes.NamedExpr()
    made.place = node
    made.target = _EXPRESSIONS[type(node.target)](node.target, lines)
    made.value = _EXPRESSIONS[type(node.value)](node.value, lines)
    return made


def _starred(node: ast.Starred, lines: Sequence[str]) -> Any:
    made = nodes.StarredElement()
    made.place = node
    made.value = _EXPRESSIONS[type(node.value)](node.value, lines)
    return made


_EXPRESSIONS: dict[type, Callable[[Any, Sequence[str]], Any]] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Constant: _constant,
    ast.JoinedStr: _text,
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.Compare: _comparison,
    ast.Subscript: _subscript,
    ast.IfExp: _conditional,
    ast.Lambda: _lambda,
    ast.Tuple: _listed(nodes.Tuple),
    ast.List: _listed(nodes.List),
    ast.Set: _listed(nodes.Set),
    ast.Dict: _dict,
    ast.ListComp: _comprehension(nodes.ListComp),
    ast.SetComp: _comprehension(nodes.SetComp),
    ast.GeneratorExp: _comprehension(nodes.GeneratorExp),
    ast.DictComp: _dict_comprehension,
    ast.Await: _await,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
    ast.NamedExpr: _named,
    ast.Starred: _starred,
}
if hasattr(ast, "TemplateStr"):
    _EXPRESSIONS[ast.TemplateStr] = _text
