"""libcst's own parser, for files that are written in a newer Python than the one that runs; its trees become ``nodes``.

``source_module`` and ``validity`` call it. Importing libcst takes as long as all of optlint: nobody else may.
"""

from __future__ import annotations

from typing import Any

from optlint.deferred import deferring
from optlint.syntax import nodes

__all__ = ["converted", "libcst", "parsed"]

with deferring():
    import libcst


def parsed(text: str) -> libcst.Module:
    """The tree that libcst reads. Raises ``libcst.ParserSyntaxError``, and anything else where its parser fails."""
    return libcst.parse_module(text)


def converted(node: libcst.CSTNode) -> Any:
    """A node as it would have been built, but that its ``place`` is libcst's node. Raises ``KeyError`` for one of a kind
    that is not known.
    """
    kind = vars(nodes)[type(node).__name__]
    if kind.text:
        return nodes.shared(kind)
    made = kind()
    made.place = node
    for name in (*kind.below, *kind.more):
        value = _value(getattr(node, name))
        if isinstance(getattr(kind, name), property):
            made.made = value  # it is not made late
        else:
            setattr(made, name, value)
    return made


def _value(value: Any) -> Any:
    if isinstance(value, libcst.CSTNode):
        return converted(value)
    if isinstance(value, (list, tuple)):
        return [_value(item) for item in value]
    return nodes.MaybeSentinel.DEFAULT if value is libcst.MaybeSentinel.DEFAULT else value
