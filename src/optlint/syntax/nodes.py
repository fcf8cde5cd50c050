"""The node classes that ``building`` makes: each is a libcst class that knows its place and is cheap to make.

``isinstance(node, cst.Call)`` holds for them, ``type(node) is cst.Call`` does not: tables keyed by class are filled
through ``handled``. Nothing in here knows Python's ``ast`` or what the code means.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, TypeVar

import libcst as cst

_Handler = TypeVar("_Handler")
#: From a class of libcst's to the one that is made in its place.
_BUILT: dict[type, type] = {}


def handled(table: dict[type, _Handler]) -> dict[type, _Handler]:
    """A table keyed by libcst's classes that also finds the nodes that are built from ``ast``."""
    return {**table, **{_BUILT[kind]: value for kind, value in table.items() if kind in _BUILT}}


def _children(self: Any) -> Sequence[cst.CSTNode]:
    """The nodes right below this one, in the order of the text, without spaces, commas and parentheses."""
    found: list[cst.CSTNode] = []
    for name in self.below:
        value = getattr(self, name)
        if isinstance(value, (list, tuple)):
            found += value
        elif isinstance(value, cst.CSTNode):
            found.append(value)
    return found


def _visit_children(self: Any, visitor: cst.CSTVisitor) -> Any:
    """For visitors that look; a transformer's changes are not taken."""
    for child in self.children:
        child.visit(visitor)
    return self


@functools.cache
def shared(kind: type) -> Any:
    """The one object of a class that has nothing to tell but its kind, as operators have."""
    return kind()


class _Default:
    """What a field of libcst's holds that no node sets. It is asked for seldom, and kept in the class then."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, node: object, owner: type) -> object:
        field: Any = owner.__mro__[1].__dataclass_fields__[self._name]  # type: ignore[attr-defined]
        value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        setattr(owner, self._name, value)
        return value


def _built(base: type, parts: str = "", more: str = "", namespace: dict[str, object] | None = None) -> Any:
    """A subclass of ``base`` of which only ``parts`` (in the order of the text) and ``more`` are set.

    All other fields (spaces, parentheses, commas) have libcst's defaults, which all nodes share. ``place`` is what
    ``places`` works out the position from.
    """
    own = {*parts.split(), *more.split()}
    slots = {name for kind in base.__mro__ for name in getattr(kind, "__slots__", ())}
    shared = {name: _Default(name) for name in slots - own}
    made = type(
        base.__name__,
        (base,),
        {
            "__slots__": ("place", "owner"),
            "__module__": __name__,
            # Assigning to a field of a frozen dataclass costs more than all else; nodes compare by identity.
            "__init__": object.__init__,
            "__setattr__": object.__setattr__,
            "__delattr__": object.__delattr__,
            "__eq__": object.__eq__,
            "__hash__": object.__hash__,
            "below": tuple(parts.split()),
            "children": property(_children),
            "_visit_and_replace_children": _visit_children,
            **shared,
            **(namespace or {}),
        },
    )
    _BUILT[base] = made
    return made


def _late(base: type, parts: str, name: str, more: str = "") -> Any:
    """Like ``_built``, but the field ``name`` is made by ``make(node)`` when somebody first reads it."""

    def read(self: Any) -> Any:
        try:
            return self.made
        except AttributeError:
            self.made = self.make(self)
            return self.made

    slots = ("place", "owner", "source", "make", "made")
    return _built(base, parts, more, {"__slots__": slots, name: property(read)})


Arg = _built(cst.Arg, "keyword value", "star")
AsName = _built(cst.AsName, "name")
Assert = _built(cst.Assert, "test msg")
Assign = _built(cst.Assign, "targets value")
AssignTarget = _built(cst.AssignTarget, "target")
AnnAssign = _built(cst.AnnAssign, "target annotation value")
Annotation = _built(cst.Annotation, "annotation")
Attribute = _built(cst.Attribute, "value attr")
AugAssign = _built(cst.AugAssign, "target operator value")
Await = _built(cst.Await, "expression")
BinaryOperation = _built(cst.BinaryOperation, "left operator right")
BooleanOperation = _built(cst.BooleanOperation, "left operator right")
Break = _built(cst.Break)
Call = _built(cst.Call, "func args")
ClassDef = _built(cst.ClassDef, "decorators name type_parameters bases keywords body")
CompFor = _built(cst.CompFor, "target iter ifs inner_for_in", "asynchronous")
CompIf = _built(cst.CompIf, "test")
Comparison = _built(cst.Comparison, "left comparisons")
ComparisonTarget = _built(cst.ComparisonTarget, "operator comparator")
ConcatenatedString = _built(cst.ConcatenatedString, "left right")
Continue = _built(cst.Continue)
Decorator = _built(cst.Decorator, "decorator")
Del = _built(cst.Del, "target")
Dict = _built(cst.Dict, "elements")
DictComp = _built(cst.DictComp, "key value for_in")
DictElement = _built(cst.DictElement, "key value")
Element = _built(cst.Element, "value")
Dots = _built(cst.Ellipsis)
Else = _built(cst.Else, "body")
ExceptHandler = _built(cst.ExceptHandler, "type name body")
ExceptStarHandler = _built(cst.ExceptStarHandler, "type name body")
Expr = _built(cst.Expr, "value")
Finally = _built(cst.Finally, "body")
Float = _built(cst.Float, more="value")
For = _built(cst.For, "target iter body orelse", "asynchronous")
FormattedString = _late(cst.FormattedString, "parts", "parts", more="start end")
FormattedStringExpression = _built(
    cst.FormattedStringExpression, "expression format_spec", "conversion equal"
)
FormattedStringText = _built(cst.FormattedStringText, more="value")
From = _built(cst.From, "item")
FunctionDef = _late(
    cst.FunctionDef, "decorators name type_parameters params returns body", "body", "asynchronous"
)
GeneratorExp = _built(cst.GeneratorExp, "elt for_in")
Global = _built(cst.Global, "names")
If = _built(cst.If, "test body orelse")
IfExp = _built(cst.IfExp, "body test orelse")
Imaginary = _built(cst.Imaginary, more="value")
Import = _built(cst.Import, "names")
ImportAlias = _built(cst.ImportAlias, "name asname")
ImportFrom = _built(cst.ImportFrom, "module names", "relative")
IndentedBlock = _built(cst.IndentedBlock, "body")
Index = _built(cst.Index, "value", "star")
Integer = _built(cst.Integer, more="value")
Lambda = _built(cst.Lambda, "params body")
List = _built(cst.List, "elements")
ListComp = _built(cst.ListComp, "elt for_in")
Match = _built(cst.Match, "subject cases")
MatchAs = _built(cst.MatchAs, "pattern name")
MatchCase = _built(cst.MatchCase, "pattern guard body")
MatchClass = _built(cst.MatchClass, "cls patterns kwds")
MatchKeywordElement = _built(cst.MatchKeywordElement, "key pattern")
MatchList = _built(cst.MatchList, "patterns")
MatchMapping = _built(cst.MatchMapping, "elements rest")
MatchMappingElement = _built(cst.MatchMappingElement, "key pattern")
MatchOr = _built(cst.MatchOr, "patterns")
MatchOrElement = _built(cst.MatchOrElement, "pattern")
MatchSequenceElement = _built(cst.MatchSequenceElement, "value")
MatchSingleton = _built(cst.MatchSingleton, "value")
MatchStar = _built(cst.MatchStar, "name")
MatchTuple = _built(cst.MatchTuple, "patterns")
MatchValue = _built(cst.MatchValue, "value")
Name = _built(cst.Name, more="value")
NameItem = _built(cst.NameItem, "name")
NamedExpr = _built(cst.NamedExpr, "target value")
Nonlocal = _built(cst.Nonlocal, "names")
Param = _built(cst.Param, "name annotation default", "star")
Parameters = _built(cst.Parameters, "posonly_params params star_arg kwonly_params star_kwarg", "posonly_ind")
ParamSpec = _built(cst.ParamSpec, "name")
Pass = _built(cst.Pass)
Raise = _built(cst.Raise, "exc cause")
Return = _built(cst.Return, "value")
Set = _built(cst.Set, "elements")
SetComp = _built(cst.SetComp, "elt for_in")
SimpleStatementLine = _built(cst.SimpleStatementLine, "body")
SimpleStatementSuite = _built(cst.SimpleStatementSuite, "body")
SimpleString = _built(cst.SimpleString, more="value")
Slice = _built(cst.Slice, "lower upper step")
StarredDictElement = _built(cst.StarredDictElement, "value")
StarredElement = _built(cst.StarredElement, "value")
Subscript = _built(cst.Subscript, "value slice")
SubscriptElement = _built(cst.SubscriptElement, "slice")
Try = _built(cst.Try, "body handlers orelse finalbody")
TryStar = _built(cst.TryStar, "body handlers orelse finalbody")
Tuple = _built(cst.Tuple, "elements")
TypeAlias = _built(cst.TypeAlias, "name type_parameters value")
TypeParam = _built(cst.TypeParam, "param default", "star")
TypeParameters = _built(cst.TypeParameters, "params")
TypeVariable = _built(cst.TypeVar, "name bound")
TypeVarTuple = _built(cst.TypeVarTuple, "name")
UnaryOperation = _built(cst.UnaryOperation, "operator expression")
While = _built(cst.While, "test body orelse")
With = _built(cst.With, "items body", "asynchronous")
WithItem = _built(cst.WithItem, "item asname")
Yield = _built(cst.Yield, "value")
if hasattr(cst, "TemplatedString"):
    TemplatedString = _late(cst.TemplatedString, "parts", "parts", more="start end")
    TemplatedStringExpression = _built(
        cst.TemplatedStringExpression, "expression format_spec", "conversion equal"
    )
    TemplatedStringText = _built(cst.TemplatedStringText, more="value")
else:  # a libcst that does not know Python 3.14
    TemplatedString, TemplatedStringText = FormattedString, FormattedStringText
    TemplatedStringExpression = FormattedStringExpression
