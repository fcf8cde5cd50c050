"""Three-valued truth: whether a value is true, equal to another, or an instance of a class; None is "either".

Also narrows what a variable can be inside a branch.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from optlint.semantics import enumerations
from optlint.semantics.values import (
    ABSENT,
    NONE,
    UNKNOWN,
    Choice,
    Const,
    Container,
    DictObj,
    External,
    Function,
    Instance,
    Leaf,
    LibraryClass,
    Method,
    Obj,
    OneShot,
    Optimizer,
    Partial,
    Scheduler,
    Text,
    Unknown,
    UserClass,
    Value,
    join_values,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

join = join_values


def without_absent(value: Value) -> Value:
    """The value, given that it is there."""
    if value is ABSENT:
        return UNKNOWN
    if isinstance(value, Choice) and ABSENT in value.options:
        present = options(value)
        return present[0] if len(present) == 1 else Choice(present)
    return value


def alternatives(value: Value) -> tuple[Value, ...]:
    """What the value may be, one by one; at least one."""
    return options(value) or (UNKNOWN,)


def truth(value: Value) -> bool | None:
    """Whether a value counts as true."""
    if isinstance(value, Choice):
        return _agreed(truth(option) for option in value.options)
    if isinstance(value, Const):
        return bool(value.value)
    if isinstance(value, Text):
        return True if any(isinstance(piece, str) and piece for piece in value.pieces) else None
    if isinstance(value, Container):
        items = value.items
        return _size_truth(items.values, items.open)
    if isinstance(value, DictObj):
        return _size_truth(tuple(value.entries.values.values()), value.entries.open)
    if isinstance(
        value, (Function, Method, UserClass, LibraryClass, External, OneShot, Optimizer, Partial, Scheduler)
    ):
        return True
    return _instance_truth(value) if isinstance(value, Instance) else None


def _instance_truth(value: Instance) -> bool | None:
    """An object is true unless it has a length, as a ``ModuleList`` has, or says itself what it is."""
    if isinstance(value.cls, LibraryClass):
        if value.cls.name not in _SIZED or not value.cls.qualified_name.startswith("torch.nn."):
            return True
        return _size_truth(tuple(member for _, member in value.members()), value.open)
    if value.cls.has_unknown_base():
        return None
    own = {name for base in value.cls.order() if isinstance(base, UserClass) for name in base.slots}
    return None if own & {"__bool__", "__len__"} or set(value.cls.library_bases()) & _SIZED_BASES else True


#: Containers of torch, and bases, whose truth is their size.
_SIZED = frozenset({"ModuleList", "ModuleDict", "Sequential", "ParameterList", "ParameterDict"})
_SIZED_BASES = frozenset(
    {"builtins.list", "builtins.dict", "builtins.set", "collections.OrderedDict", "collections.UserDict",
     "collections.UserList"}
    | {f"torch.nn.{name}" for name in _SIZED}
)  # fmt: skip


def _size_truth(values: tuple[Value, ...], more: bool) -> bool | None:
    if any(not (isinstance(v, Choice) and ABSENT in v.options) for v in values):
        return True
    return None if values or more else False


def _agreed(answers: Iterable[bool | None]) -> bool | None:
    found = set(answers)
    return found.pop() if len(found) == 1 else None


def negate(answer: bool | None) -> bool | None:
    """Three-valued ``not``."""
    return None if answer is None else not answer


_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    cst.Equal: operator.eq,
    cst.NotEqual: operator.ne,
    cst.LessThan: operator.lt,
    cst.LessThanEqual: operator.le,
    cst.GreaterThan: operator.gt,
    cst.GreaterThanEqual: operator.ge,
}


def compare(kind: cst.BaseCompOp, left: Value, right: Value) -> bool | None:
    """The outcome of a comparison."""
    if isinstance(left, Choice):
        return _agreed(compare(kind, option, right) for option in options(left))
    if isinstance(right, Choice):
        return _agreed(compare(kind, left, option) for option in options(right))
    if isinstance(kind, cst.NotIn):
        return negate(contains(right, left))
    if isinstance(kind, cst.In):
        return contains(right, left)
    if isinstance(kind, cst.Is):
        return same(left, right)
    if isinstance(kind, cst.IsNot):
        return negate(same(left, right))
    if isinstance(left, Const) and isinstance(right, Const):
        try:
            return bool(_OPERATORS[type(kind)](left.value, right.value))
        except (TypeError, KeyError):
            return None
    if isinstance(kind, cst.Equal):
        return equal(left, right)
    if isinstance(kind, cst.NotEqual):
        return negate(equal(left, right))
    return None


def same(left: Value, right: Value) -> bool | None:
    """``left is right``."""
    if isinstance(left, Obj) and isinstance(right, Obj):
        return left is right
    if isinstance(left, Const) and isinstance(right, Const):
        return left == right
    for one, other in ((left, right), (right, left)):
        if one == NONE and not isinstance(other, (Unknown, Choice)):
            return False
    if isinstance(left, (LibraryClass, External)) and isinstance(right, (LibraryClass, External)):
        return left == right
    return None


def equal(left: Value, right: Value) -> bool | None:
    """``left == right`` for values that are not both constants."""
    if isinstance(left, Text) and isinstance(right, Const) and isinstance(right.value, str):
        return None if text_may_be(left, right.value) else False
    if isinstance(right, Text):
        return equal(right, left) if not isinstance(left, Text) else None
    if isinstance(left, Instance) and isinstance(right, Instance) and left is right:
        return True
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Instance) and isinstance(other, Const):
            plain = enumerations.plain_value(one)
            if isinstance(plain, Const):
                return bool(plain.value == other.value)
    if isinstance(left, Instance) and isinstance(right, Instance) and left.cls is right.cls:
        return _members_equal(left, right)
    if isinstance(left, External) and isinstance(right, External):
        # Some classes have several names: only the last part tells two of them apart.
        return True if left == right else None if _last(left) == _last(right) else False
    return same(left, right) if NONE in (left, right) else None


def _last(value: External) -> str:
    return value.name.rpartition(".")[2]


def _members_equal(left: Instance, right: Instance) -> bool | None:
    """Two different members of one enumeration are not equal."""
    return False if isinstance(left.cls, UserClass) and enumerations.is_enum(left.cls) else None


def contains(container: Value, element: Value) -> bool | None:
    """``element in container``."""
    if isinstance(container, Choice):
        return _agreed(contains(option, element) for option in options(container))
    if isinstance(container, Const) and isinstance(container.value, str):
        if isinstance(element, Const) and isinstance(element.value, str):
            return element.value in container.value
        return None
    if isinstance(container, Text) and isinstance(element, Const) and isinstance(element.value, str):
        return text_contains(container, element.value)
    if isinstance(container, DictObj):
        return _among(container.entries.values, container.entries.open, element)
    if isinstance(container, Container):
        items = container.items
        if isinstance(element, Obj) and any(value is element for value in items.values):
            return True
        answers = {same_or_equal(value, element) for value in items.values}
        if True in answers:
            return True
        return None if None in answers or items.open or items.many else False
    return None


def _among(keys: Iterable[Any], more: bool, element: Value) -> bool | None:
    if isinstance(element, Const):
        if any(type(key) is type(element.value) and key == element.value for key in keys):
            return True
        return None if more else False
    if isinstance(element, Obj):
        return True if any(key is element for key in keys) else (None if more else False)
    return None


def same_or_equal(left: Value, right: Value) -> bool | None:
    """Whether two elements count as one where a container is searched."""
    if isinstance(left, Leaf) and isinstance(right, Leaf):
        return left is right
    if isinstance(left, Choice) or isinstance(right, Choice):
        answers = {
            same_or_equal(a, b)
            for a in (left.options if isinstance(left, Choice) else (left,))
            for b in (right.options if isinstance(right, Choice) else (right,))
        }
        return False if answers == {False} else None
    if left is ABSENT or right is ABSENT:
        return False
    if isinstance(left, Obj) and isinstance(right, Obj):
        return left is right
    if isinstance(left, Const) and isinstance(right, Const):
        return left == right
    return equal(left, right)


def text_contains(text: Text, needle: str) -> bool | None:
    """Whether a partly known string contains ``needle``."""
    if any(isinstance(piece, str) and needle in piece for piece in text.pieces):
        return True
    only_numbers = all(piece is not None for piece in text.pieces)
    return False if only_numbers and not any(c.isdigit() for c in needle) else None


def text_may_be(text: Text, candidate: str) -> bool:
    """Whether a partly known string can be ``candidate``."""
    position = 0
    for piece in text.pieces:
        if isinstance(piece, str):
            found = candidate.find(piece, position)
            if found < 0:
                return False
            position = found + len(piece)
    return True


def narrow(interpreter: Interpreter, test: cst.BaseExpression, outcome: bool) -> None:
    """Leave out what a variable cannot be once ``test`` came out as ``outcome``."""
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        narrow(interpreter, test.expression, not outcome)
    elif isinstance(test, cst.BooleanOperation):
        if isinstance(test.operator, cst.And) is outcome:
            narrow(interpreter, test.left, outcome)
            narrow(interpreter, test.right, outcome)
    elif isinstance(test, (cst.Name, cst.Attribute)):
        _keep(interpreter, test, lambda value: truth(value) is not (not outcome))
    elif isinstance(test, cst.Call):
        _narrow_class(interpreter, test, outcome)
    elif isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        comparison = test.comparisons[0]
        against = comparison.comparator
        if isinstance(test.left, cst.Call) and isinstance(comparison.operator, (cst.Is, cst.Equal)):
            _narrow_type(interpreter, test.left, against, outcome)
        if isinstance(comparison.operator, (cst.Is, cst.IsNot)) and isinstance(against, cst.Name):
            if against.value == "None":
                is_none = isinstance(comparison.operator, cst.Is) is outcome
                _keep(interpreter, test.left, lambda value: same(value, NONE) is not (not is_none))


def _narrow_class(interpreter: Interpreter, test: cst.Call, outcome: bool) -> None:
    """``isinstance(x, C)``."""
    from optlint.semantics import expressions
    from optlint.semantics.libraries import python_calls

    if _is_call_of(test, "isinstance", 2):
        wanted = expressions.evaluate(interpreter, test.args[1].value)
        _keep(
            interpreter,
            test.args[0].value,
            lambda value: python_calls.is_instance(interpreter, value, wanted) is not (not outcome),
        )


def _narrow_type(
    interpreter: Interpreter, test: cst.Call, against: cst.BaseExpression, outcome: bool
) -> None:
    """``type(x) is C``, which says more than ``isinstance`` where it holds, and less where it does not."""
    from optlint.semantics import expressions
    from optlint.semantics.libraries import python_calls

    if outcome and _is_call_of(test, "type", 1):
        wanted = expressions.evaluate(interpreter, against)
        _keep(
            interpreter,
            test.args[0].value,
            lambda value: python_calls.is_instance(interpreter, value, wanted) is not False,
        )


def _is_call_of(node: cst.Call, name: str, arguments: int) -> bool:
    return isinstance(node.func, cst.Name) and node.func.value == name and len(node.args) == arguments


def _keep(interpreter: Interpreter, node: cst.BaseExpression, keep: Callable[[Value], bool]) -> None:
    from optlint.semantics import assignment, expressions

    if isinstance(node, cst.Attribute) and not isinstance(node.value, cst.Name):
        return
    if not isinstance(node, (cst.Name, cst.Attribute)):
        return
    value = expressions.peek(interpreter, node)
    if isinstance(value, Choice):
        kept = [option for option in options(value) if keep(option)]
        if kept and len(kept) < len(value.options):
            assignment.narrow_to(interpreter, node, join_values(kept))


def pattern_matches(interpreter: Interpreter, case: cst.MatchCase, subject: Value) -> bool | None:
    """Whether a ``case`` takes the subject; None when it cannot be told."""
    from optlint.semantics import expressions

    pattern = case.pattern
    if case.guard is not None:
        return None
    if isinstance(pattern, cst.MatchAs) and pattern.pattern is None:
        return True
    if isinstance(pattern, cst.MatchValue):
        return compare(cst.Equal(), subject, expressions.evaluate(interpreter, pattern.value))
    if isinstance(pattern, cst.MatchOr):
        answers = []
        for element in pattern.patterns:
            inner = element.pattern
            if not isinstance(inner, cst.MatchValue):
                return None
            answers.append(compare(cst.Equal(), subject, expressions.evaluate(interpreter, inner.value)))
        return True if True in answers else (None if None in answers else False)
    return None
