"""Mutable state with an undo log, so that the branches of a program can be run one after the other and joined.

Every variable, attribute and container content lives in some dictionary and is written through ``Heap.set``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from optlint.semantics.values import ABSENT, Entries, Items, Obj, Slots, Unknown, Value, join_values, options

Cell = tuple[int, str]
#: The contents of containers.
_SIZED = (Items, Entries)
#: What a stretch of execution wrote: cell → (dictionary, key, value now).
Changes = dict[Cell, tuple[dict[str, Any], str, Any]]


class Heap:
    """The undo log. A mark is a length of it.

    ``let_go`` is told of objects that were among too many alternatives and are no longer known under their name.
    """

    def __init__(self, let_go: Callable[[Sequence[Value]], object]) -> None:
        self._let_go = let_go
        self._trail: list[tuple[dict[str, Any], str, Any]] = []
        #: What joining branches has cost so far; large containers that differ in many branches are what is slow.
        self.work = 0
        #: Grows with each change; what was worked out from the state holds while it stays the same.
        self.version = 0

    def set(self, store: dict[str, Any], key: str, value: Any) -> None:
        """Write ``store[key] = value`` so that it can be taken back."""
        old = store.get(key, ABSENT)
        if old is value:
            return
        self._trail.append((store, key, old))
        self.version += 1
        if value is ABSENT:
            store.pop(key, None)
        else:
            store[key] = value

    def clear(self) -> None:
        """Forget everything that could be undone."""
        self._trail.clear()

    def mark(self) -> int:
        """A point that can be returned to."""
        return len(self._trail)

    def changes_since(self, mark: int) -> Changes:
        """The cells written since ``mark`` with their present values."""
        changes: Changes = {}
        for store, key, _ in self._trail[mark:]:
            changes[(id(store), key)] = (store, key, store.get(key, ABSENT))
        return changes

    def rollback(self, mark: int) -> None:
        """Undo everything written since ``mark``."""
        trail = self._trail
        self.version += 1
        while len(trail) > mark:
            store, key, old = trail.pop()
            if old is ABSENT:
                store.pop(key, None)
            else:
                store[key] = old

    def commit(self, mark: int) -> None:
        """Make what was written since ``mark`` final: definitions do not depend on the branch that used them first."""
        del self._trail[mark:]

    def forget(self, mark: int, store: dict[str, Any]) -> None:
        """Drop what was written into a store since ``mark``: a scope that is over and that nobody can look into."""
        trail = self._trail
        trail[mark:] = [entry for entry in trail[mark:] if entry[0] is not store]

    def differences(self, mark: int, serial: int) -> Iterator[tuple[dict[str, Any], str, Any, Any]]:
        """The cells that hold something else than at ``mark``: store, key, value then, value now.

        Without those of objects that were made after ``serial``.
        """
        before: Changes = {}
        for store, key, old in self._trail[mark:]:
            if not isinstance(store, Slots) or store.made < serial:
                before.setdefault((id(store), key), (store, key, old))
        for store, key, old in before.values():
            value = store.get(key, ABSENT)
            if old is not value and old != value:
                yield store, key, old, value

    def join(self, arms: Sequence[Changes]) -> None:
        """Write what holds after any one of ``arms``, each a change of the present state."""
        if len(arms) == 1:
            for store, key, value in arms[0].values():
                self.set(store, key, value)
            return
        lost: list[Value] = []
        if len(arms) == 2:
            self._join_two(arms[0], arms[1], lost)
        else:
            self._join_many(arms, lost)
        if lost:
            self._let_go(lost)

    def _join_two(self, one: Changes, other: Changes, lost: list[Value]) -> None:
        """``join`` for most of the branches that there are."""
        for cell, (store, key, value) in one.items():
            written = other.get(cell)
            self._write(store, key, [value, written[2] if written else store.get(key, ABSENT)], lost)
        for cell, (store, key, value) in other.items():
            if cell not in one:
                self._write(store, key, [store.get(key, ABSENT), value], lost)

    def _write(self, store: dict[str, Any], key: str, values: list[Any], lost: list[Value]) -> None:
        """Join what a cell holds in some branches."""
        self.work += 1 + sum(map(_size, values))
        joined = _join(values)
        self.set(store, key, joined)
        if type(joined) is Unknown:
            lost += [option for value in values for option in options(value) if isinstance(option, Obj)]

    def _join_many(self, arms: Sequence[Changes], lost: list[Value]) -> None:
        cells: dict[Cell, list[tuple[int, Any]]] = {}
        stores: Changes = {}
        for number, arm in enumerate(arms):
            for cell, written in arm.items():
                cells.setdefault(cell, []).append((number, written[2]))
            stores.update(arm)
        for cell, ways in cells.items():
            store, key, _ = stores[cell]
            values = [value for _, value in ways]
            unwritten = len(arms) - len(ways)
            if unwritten:  # once for all arms that leave it as it was, at the place of the first
                before = store.get(key, ABSENT)
                self.work += _size(before) * (unwritten - 1)
                values.insert(_first_gap(ways), before)
            self._write(store, key, values, lost)


def _first_gap(ways: Sequence[tuple[int, Any]]) -> int:
    """The first number that is none of ``ways``, which are in order."""
    return next((place for place, (number, _) in enumerate(ways) if place != number), len(ways))


def _join(values: list[Any]) -> Any:
    first = values[0]
    same = are_values = True
    for value in values:
        same = same and value is first
        are_values = are_values and (value is ABSENT or isinstance(value, Value))
    if same:
        return first
    if are_values:
        return join_values(values)
    merge = getattr(first, "joined_with", None)
    if merge is not None and all(type(value) is type(first) for value in values):
        return merge(values[1:])
    return first if all(value == first for value in values) else None


def _size(value: Any) -> int:
    """How many parts a container's content has."""
    return len(value.values) if type(value) in _SIZED else 0
