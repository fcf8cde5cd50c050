"""Which leaf tensors an object holds, registered or not, by following what is kept in what.

Must not know which question is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from optlint.semantics.values import Choice, Container, DictObj, Instance, Leaf, Value, options


def leaves_in(value: Value) -> frozenset[Leaf]:
    """The leaf tensors that ``value`` keeps: on itself, on modules and objects in it, in lists and dicts."""
    leaves: set[Leaf] = set()
    seen: set[int] = set()
    waiting: list[Value] = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Leaf):
            leaves.add(part)
        elif id(part) not in seen:
            seen.add(id(part))
            waiting.extend(_kept(part))
    return frozenset(leaves)


def _kept(value: Value) -> Sequence[Value]:
    if isinstance(value, Instance):
        return [member for _, member in value.members()]
    if isinstance(value, Container):
        return value.items.values
    if isinstance(value, DictObj):
        return list(value.entries.values.values())
    return options(value) if isinstance(value, Choice) else ()
