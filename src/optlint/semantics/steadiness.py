"""Whether another round of a loop would do anything that the last one has not done.

The interpreter asks after each round of a loop that it could run many times. Must not know what a statement means.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any

from optlint.semantics.values import (
    Choice,
    Const,
    Flow,
    Items,
    Obj,
    Unknown,
    reaching_leaves,
)

if TYPE_CHECKING:
    from optlint.semantics.heap import Heap

#: Rounds after which a list that only collects numbers may stand for any number of them.
ENOUGH = 3


class Steadiness:
    """What a loop changes from round to round; made when it begins.

    ``variables`` is the scope that the loop stands in, ``targets`` are its loop variables.
    """

    def __init__(self, heap: Heap, began: int, variables: dict[str, Any], targets: Iterable[str]) -> None:
        self._heap = heap
        self._began = began
        self._variables = variables
        self._targets = frozenset(targets)

    def reached(self, mark: int, serial: int, count: int) -> bool:
        """Whether the round that began at ``mark``, the ``count``-th, left everything as it was before.

        What it made itself (after ``serial``) does not count, and a thing of which each round makes one anew is the
        same thing. A list in which each round puts another number goes on for ever: it then stands for many.
        """
        grown = []
        for store, key, old, new in self._heap.differences(mark, serial):
            if store is self._variables and key in self._targets:
                continue
            if _collects(old, new) and count >= ENOUGH:
                grown.append((store, key, new))
            elif not self._alike(old, new):
                return False
        for store, key, items in grown:
            self._heap.set(store, key, Items(items.values, items.open, True))
        return True

    def _alike(self, old: object, new: object) -> bool:
        mine = self._keys(new)
        return mine is not None and mine == self._keys(old)

    def _keys(self, value: object) -> frozenset[Hashable] | None:
        """What tells the alternatives of a value from others; None where more is needed to know."""
        options = value.options if isinstance(value, Choice) else (value,)
        keys = [self._key(option) for option in options]
        return None if None in keys else frozenset(keys)

    def _key(self, value: object) -> Hashable:
        if isinstance(value, Obj):
            if value.serial < self._began or value.site is None:
                return id(value)
            return (type(value), value.site)
        return value if isinstance(value, (Const, Flow, Unknown)) else None


def _collects(old: object, new: object) -> bool:
    """Whether a list or dict has got more numbers, and nothing else has become of it."""
    if isinstance(old, Items) and isinstance(new, Items):
        length = len(old.values)
        return (
            0 < length < len(new.values)
            and new.values[:length] == old.values
            and all(_is_number(value) for value in new.values[length:])
        )
    return False


def _is_number(value: object) -> bool:
    """Whether a value is a number through which no gradient flows."""
    if isinstance(value, Const):
        return isinstance(value.value, (int, float))
    return isinstance(value, (Flow, Unknown)) and not reaching_leaves(value)
