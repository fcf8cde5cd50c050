"""Notes what code that cannot be seen was given by hand, in itself or in a list, not as a part of something larger.

``calls.escape`` notes; the questions about registration ask. Must not know what becomes of the values.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from optlint.semantics import iteration
from optlint.semantics.values import Container, DictObj, Instance, Leaf, Method, OneShot, Value, options

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Lists inside lists that are looked into.
_MAX_DEPTH = 4
_MARK = "#handed"
#: Handed over while its own constructor ran: it may have been completed there.
_CONSTRUCTING = "constructing"


def note(it: Interpreter, values: Iterable[Value], depth: int = 0) -> None:
    """Code that cannot be seen is given ``values``."""
    for value in values:
        for option in options(value):
            if isinstance(option, Method):
                note(it, [option.receiver], depth)
            elif isinstance(option, (Instance, Leaf)):
                _mark(it, option)
            elif isinstance(option, (Container, DictObj)) and depth < _MAX_DEPTH:
                it.heap.work += 1
                it.heap.set(option.slots, _MARK, True)
                note(it, _elements(option), depth + 1)
            elif isinstance(option, OneShot) and depth < _MAX_DEPTH:
                it.heap.set(option.slots, _MARK, True)
                if option.kind == "parameters":
                    note(it, iteration.peek(it, option).values, depth + 1)


def _elements(value: Container | DictObj) -> tuple[Value, ...]:
    return value.items.values if isinstance(value, Container) else tuple(value.entries.values.values())


def _mark(it: Interpreter, value: Instance | Leaf) -> None:
    own = any(frame.name == "__init__" and frame.receiver is value for frame in it.frames)
    if own or _MARK not in value.slots:
        it.heap.set(value.slots, _MARK, _CONSTRUCTING if own else True)


def was_handed(value: Instance | Leaf | Container | DictObj | OneShot) -> bool:
    """Whether code that cannot be seen was given this very object."""
    return value.slots.get(_MARK) is not None


def was_handed_unfinished(value: Instance) -> bool:
    """Whether an object's own constructor gave it away."""
    return value.slots.get(_MARK) == _CONSTRUCTING
