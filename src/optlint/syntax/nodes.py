"""The nodes of the syntax tree: named and built like libcst's, of which they hold what means something.

``isinstance(node, cst.Call)`` asks for them (``optlint.syntax.cst``). They have no spaces, commas and parentheses, and
cost next to nothing to make. Nothing in here knows Python's ``ast``, libcst, or what the code means.
"""

from __future__ import annotations

import ast
import enum
import functools
from collections.abc import Mapping, Sequence
from typing import Any


class MaybeSentinel(enum.Enum):
    """What a field holds of which libcst leaves open whether there is anything."""

    DEFAULT = 0


class CSTNode:
    """A part of the program. ``place`` is what ``places`` works out the position from; a sign has only its ``text``."""

    __slots__ = ("owner", "place")

    #: The fields that hold nodes, in the order of the text, and the others.
    below: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    text = ""

    @property
    def children(self) -> Sequence[CSTNode]:
        """The nodes right below this one, in the order of the text."""
        found: list[CSTNode] = []
        for name in self.below:
            value = getattr(self, name)
            if isinstance(value, (list, tuple)):
                found += value
            elif isinstance(value, CSTNode):
                found.append(value)
        return found

    def deep_equals(self, other: CSTNode) -> bool:
        """Whether two nodes say the same, wherever they stand."""
        if type(other) is not type(self):
            return False
        return all(_same(getattr(self, name), getattr(other, name)) for name in (*self.below, *self.more))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, CSTNode):
        return one.deep_equals(other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


@functools.cache
def shared(kind: type) -> Any:
    """The one object of a class that has nothing to tell but its kind, as operators have."""
    return kind()


def name_of(value: str) -> Any:
    """A name that stands nowhere in the program."""
    made = Name()
    made.value = value
    return made


class BaseStatement(CSTNode):
    """A compound statement, or a line of small ones."""

    __slots__ = ()


class BaseSmallStatement(CSTNode):
    """A statement that may share its line."""

    __slots__ = ()


class BaseSuite(CSTNode):
    """What stands in a compound statement."""

    __slots__ = ()


class BaseExpression(CSTNode):
    """What gives a value."""

    __slots__ = ()


class BaseElement(CSTNode):
    """An item of a list, a tuple or a set."""

    __slots__ = ()


class BaseBinaryOp(CSTNode):
    """The sign between two operands."""

    __slots__ = ()


class BaseCompOp(CSTNode):
    """The sign between what is compared."""

    __slots__ = ()


class MatchPattern(CSTNode):
    """What a ``case`` compares with."""

    __slots__ = ()


def _kind(
    name: str, parts: str = "", more: str = "", *bases: type, own: Mapping[str, Any] | None = None
) -> Any:
    """A class of nodes with the fields ``parts``, which hold nodes, and ``more``."""
    special = dict(own or {})
    fields = {
        "__slots__": (
            *(field for field in f"{parts} {more}".split() if field not in special),
            *special.pop("slots", ()),
        ),
        "__module__": __name__,
        "below": tuple(parts.split()),
        "more": tuple(more.split()),
    }
    return type(name, bases or (CSTNode,), {**fields, **special})


def _expression(name: str, parts: str = "", more: str = "", own: Mapping[str, Any] | None = None) -> Any:
    return _kind(name, parts, more, BaseExpression, own=own)


def _small(name: str, parts: str = "", more: str = "") -> Any:
    return _kind(name, parts, more, BaseSmallStatement)


def _statement(name: str, parts: str = "", more: str = "", own: Mapping[str, Any] | None = None) -> Any:
    return _kind(name, parts, more, BaseStatement, own=own)


def _pattern(name: str, parts: str = "") -> Any:
    return _kind(name, parts, "", MatchPattern)


def _sign(name: str, text: str, base: type = CSTNode) -> Any:
    """A class whose objects are all the same: ``text`` is what libcst writes for it."""
    return type(name, (base,), {"__slots__": (), "__module__": __name__, "text": text})


def _late(name: str) -> dict[str, Any]:
    """The field ``name`` is made by ``make(node)`` when somebody first reads it."""

    def read(self: Any) -> Any:
        try:
            return self.made
        except AttributeError:
            self.made = self.make(self)
            return self.made

    return {"slots": ("source", "make", "made"), name: property(read)}


def _number(self: Any) -> Any:
    """As libcst has it."""
    return ast.literal_eval(self.value)


Arg = _kind("Arg", "keyword value", "star")
AsName = _kind("AsName", "name")
Assert = _small("Assert", "test msg")
Assign = _small("Assign", "targets value")
AssignTarget = _kind("AssignTarget", "target")
AnnAssign = _small("AnnAssign", "target annotation value")
Annotation = _kind("Annotation", "annotation")
Attribute = _expression("Attribute", "value attr")
AugAssign = _small("AugAssign", "target operator value")
Await = _expression("Await", "expression")
BinaryOperation = _expression("BinaryOperation", "left operator right")
BooleanOperation = _expression("BooleanOperation", "left operator right")
Break = _small("Break")
Call = _expression("Call", "func args")
ClassDef = _statement("ClassDef", "decorators name type_parameters bases keywords body")
CompFor = _kind("CompFor", "target iter ifs inner_for_in", "asynchronous")
CompIf = _kind("CompIf", "test")
Comparison = _expression("Comparison", "left comparisons")
ComparisonTarget = _kind("ComparisonTarget", "operator comparator")
ConcatenatedString = _expression("ConcatenatedString", "left right")
Continue = _small("Continue")
Decorator = _kind("Decorator", "decorator")
Del = _small("Del", "target")
Dict = _expression("Dict", "elements")
DictComp = _expression("DictComp", "key value for_in")
DictElement = _kind("DictElement", "key value")
Element = _kind("Element", "value", "", BaseElement)
Ellipsis = _expression("Ellipsis")  # noqa: A001
Else = _kind("Else", "body")
ExceptHandler = _kind("ExceptHandler", "type name body")
ExceptStarHandler = _kind("ExceptStarHandler", "type name body")
Expr = _small("Expr", "value")
Finally = _kind("Finally", "body")
Float = _expression("Float", more="value")
For = _statement("For", "target iter body orelse", "asynchronous")
FormattedString = _expression("FormattedString", "parts", "start end", own=_late("parts"))
FormattedStringExpression = _kind("FormattedStringExpression", "expression format_spec", "conversion equal")
FormattedStringText = _kind("FormattedStringText", more="value")
From = _kind("From", "item")
FunctionDef = _statement(
    "FunctionDef", "decorators name type_parameters params returns body", "asynchronous", own=_late("body")
)
GeneratorExp = _expression("GeneratorExp", "elt for_in")
Global = _small("Global", "names")
If = _statement("If", "test body orelse")
IfExp = _expression("IfExp", "body test orelse")
Imaginary = _expression("Imaginary", more="value")
Import = _small("Import", "names")
ImportAlias = _kind("ImportAlias", "name asname")
ImportFrom = _small("ImportFrom", "module names", "relative")
IndentedBlock = _kind("IndentedBlock", "body", "", BaseSuite)
Index = _kind("Index", "value", "star")
Integer = _expression("Integer", more="value", own={"evaluated_value": property(_number)})
Lambda = _expression("Lambda", "params body")
List = _expression("List", "elements")
ListComp = _expression("ListComp", "elt for_in")
Match = _statement("Match", "subject cases")
MatchAs = _pattern("MatchAs", "pattern name")
MatchCase = _kind("MatchCase", "pattern guard body")
MatchClass = _pattern("MatchClass", "cls patterns kwds")
MatchKeywordElement = _kind("MatchKeywordElement", "key pattern")
MatchList = _pattern("MatchList", "patterns")
MatchMapping = _pattern("MatchMapping", "elements rest")
MatchMappingElement = _kind("MatchMappingElement", "key pattern")
MatchOr = _pattern("MatchOr", "patterns")
MatchOrElement = _kind("MatchOrElement", "pattern")
MatchSequenceElement = _kind("MatchSequenceElement", "value")
MatchSingleton = _pattern("MatchSingleton", "value")
MatchStar = _kind("MatchStar", "name")
MatchTuple = _pattern("MatchTuple", "patterns")
MatchValue = _pattern("MatchValue", "value")
Name = _expression("Name", more="value")
NameItem = _kind("NameItem", "name")
NamedExpr = _expression("NamedExpr", "target value")
Nonlocal = _small("Nonlocal", "names")
Param = _kind("Param", "name annotation default", "star")
Parameters = _kind("Parameters", "posonly_params params star_arg kwonly_params star_kwarg", "posonly_ind")
ParamSpec = _kind("ParamSpec", "name")
Pass = _small("Pass")
Raise = _small("Raise", "exc cause")
Return = _small("Return", "value")
Set = _expression("Set", "elements")
SetComp = _expression("SetComp", "elt for_in")
SimpleStatementLine = _statement("SimpleStatementLine", "body")
SimpleStatementSuite = _kind("SimpleStatementSuite", "body", "", BaseSuite)
SimpleString = _expression("SimpleString", more="value")
Slice = _kind("Slice", "lower upper step")
StarredDictElement = _kind("StarredDictElement", "value")
StarredElement = _kind("StarredElement", "value", "", BaseElement, BaseExpression)
Subscript = _expression("Subscript", "value slice")
SubscriptElement = _kind("SubscriptElement", "slice")
Try = _statement("Try", "body handlers orelse finalbody")
TryStar = _statement("TryStar", "body handlers orelse finalbody")
Tuple = _expression("Tuple", "elements")
TypeAlias = _small("TypeAlias", "name type_parameters value")
TypeParam = _kind("TypeParam", "param default", "star")
TypeParameters = _kind("TypeParameters", "params")
TypeVar = _kind("TypeVar", "name bound")
TypeVarTuple = _kind("TypeVarTuple", "name")
UnaryOperation = _expression("UnaryOperation", "operator expression")
While = _statement("While", "test body orelse")
With = _statement("With", "items body", "asynchronous")
WithItem = _kind("WithItem", "item asname")
Yield = _expression("Yield", "value")
TemplatedString = _expression("TemplatedString", "parts", "start end", own=_late("parts"))
TemplatedStringExpression = _kind("TemplatedStringExpression", "expression format_spec", "conversion equal")
TemplatedStringText = _kind("TemplatedStringText", more="value")
Add = _sign("Add", " + ", BaseBinaryOp)
AddAssign = _sign("AddAssign", " += ")
And = _sign("And", " and ")
AssignEqual = _sign("AssignEqual", " = ")
Asynchronous = _sign("Asynchronous", "async ")
BitAnd = _sign("BitAnd", " & ", BaseBinaryOp)
BitAndAssign = _sign("BitAndAssign", " &= ")
BitInvert = _sign("BitInvert", "~")
BitOr = _sign("BitOr", " | ", BaseBinaryOp)
BitOrAssign = _sign("BitOrAssign", " |= ")
BitXor = _sign("BitXor", " ^ ", BaseBinaryOp)
BitXorAssign = _sign("BitXorAssign", " ^= ")
Divide = _sign("Divide", " / ", BaseBinaryOp)
DivideAssign = _sign("DivideAssign", " /= ")
Dot = _sign("Dot", ".")
Equal = _sign("Equal", " == ", BaseCompOp)
FloorDivide = _sign("FloorDivide", " // ", BaseBinaryOp)
FloorDivideAssign = _sign("FloorDivideAssign", " //= ")
GreaterThan = _sign("GreaterThan", " > ", BaseCompOp)
GreaterThanEqual = _sign("GreaterThanEqual", " >= ", BaseCompOp)
ImportStar = _sign("ImportStar", "*")
In = _sign("In", " in ", BaseCompOp)
Is = _sign("Is", " is ", BaseCompOp)
IsNot = _sign("IsNot", " is not ", BaseCompOp)
LeftShift = _sign("LeftShift", " << ", BaseBinaryOp)
LeftShiftAssign = _sign("LeftShiftAssign", " <<= ")
LessThan = _sign("LessThan", " < ", BaseCompOp)
LessThanEqual = _sign("LessThanEqual", " <= ", BaseCompOp)
MatrixMultiply = _sign("MatrixMultiply", " @ ", BaseBinaryOp)
MatrixMultiplyAssign = _sign("MatrixMultiplyAssign", " @= ")
Minus = _sign("Minus", "-")
Modulo = _sign("Modulo", " % ", BaseBinaryOp)
ModuloAssign = _sign("ModuloAssign", " %= ")
Multiply = _sign("Multiply", " * ", BaseBinaryOp)
MultiplyAssign = _sign("MultiplyAssign", " *= ")
Not = _sign("Not", "not ")
NotEqual = _sign("NotEqual", " != ", BaseCompOp)
NotIn = _sign("NotIn", " not in ", BaseCompOp)
Or = _sign("Or", " or ")
ParamSlash = _sign("ParamSlash", "/")
ParamStar = _sign("ParamStar", "*, ")
Plus = _sign("Plus", "+")
Power = _sign("Power", " ** ", BaseBinaryOp)
PowerAssign = _sign("PowerAssign", " **= ")
RightShift = _sign("RightShift", " >> ", BaseBinaryOp)
RightShiftAssign = _sign("RightShiftAssign", " >>= ")
Subtract = _sign("Subtract", " - ", BaseBinaryOp)
SubtractAssign = _sign("SubtractAssign", " -= ")
