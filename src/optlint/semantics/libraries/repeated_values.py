"""Python's functions that put one object in many places: `dict.fromkeys(names, value)`, `itertools.repeat(value, 3)`.

``calls`` asks for them before the other functions of Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import containers, iteration, repetition
from optlint.semantics.values import (
    ABSENT,
    NONE,
    UNKNOWN,
    Arguments,
    Choice,
    Const,
    DictObj,
    Entries,
    Items,
    OneShot,
    Value,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_FROM_KEYS = frozenset({"builtins.dict.fromkeys", "collections.OrderedDict.fromkeys"})


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """Call such a function; None for any other."""
    if name in _FROM_KEYS:
        return _from_keys(it, arguments, node)
    if name == "itertools.repeat":
        return _repeat(it, arguments, node)
    return None


def _from_keys(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    keys = iteration.take(it, arguments.get(0, "iterable") or UNKNOWN)
    value = arguments.get(1, "value") or NONE
    result = DictObj(Entries({}, keys.open and not keys.many), it.site(node))
    for key in keys.values:
        doubt = isinstance(key, Choice) and ABSENT in key.options
        containers.set_item(it, result, UNKNOWN if doubt else key, value)
    _note(it, "keys", 1, (value,) * len(keys.values), node)
    return result


def _repeat(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    value = arguments.get(0, "object") or UNKNOWN
    times = arguments.get(1, "times")
    known = times.value if isinstance(times, Const) and isinstance(times.value, int) else None
    if known is None or known > iteration.MAX_RANGE:
        items = Items((value,) * iteration.UNKNOWN_ROUNDS, many=True)
    else:
        items = Items((value,) * max(0, known))
    _note(it, "repeat", 0, items.values, node)
    return OneShot("iter", lambda: items, it.site(node))


def _note(it: Interpreter, form: str, position: int, values: tuple[Value, ...], node: cst.CSTNode) -> None:
    """A value that the call itself makes was made on the spot, whatever name a helper gave it."""
    given = node.args if isinstance(node, cst.Call) else ()
    fresh = (
        values[0]
        if values and len(given) > position and isinstance(given[position].value, cst.Call)
        else None
    )
    repetition.note(it, form, values, node, fresh)
