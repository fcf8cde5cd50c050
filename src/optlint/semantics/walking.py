"""Going through values and what lists, dicts and alternatives of them hold: each object once, however often it occurs.

Whoever looks for something in nested values uses this; recursion of one's own takes for ever where lists are shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from optlint.semantics.values import Choice, Container, DictObj, Value


def within(values: Iterable[Value]) -> Iterator[Value]:
    """The values and everything in them."""
    waiting = list(values)
    seen: dict[int, Value] = {}
    while waiting:
        value = waiting.pop()
        if isinstance(value, (Container, DictObj)):
            if id(value) in seen:
                continue
            seen[id(value)] = value
        yield value
        if isinstance(value, Container):
            waiting.extend(reversed(value.items.values))
        elif isinstance(value, DictObj):
            waiting.extend(reversed(list(value.entries.values.values())))
        elif isinstance(value, Choice):
            waiting.extend(reversed(value.options))
