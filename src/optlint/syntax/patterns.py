"""The cases of ``match`` statements as nodes of libcst. ``statements`` calls it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from optlint.syntax import nodes
from optlint.syntax.expressions import expression, name
from optlint.syntax.text import parenthesised


def case(node: ast.match_case, lines: Sequence[str]) -> Any:
    """A case without its body. Raises ``KeyError`` for a pattern that is not known."""
    made = nodes.MatchCase()
    made.place = node
    made.pattern = _pattern(node.pattern, lines)
    made.guard = None if node.guard is None else expression(node.guard, lines)
    return made


def _pattern(node: ast.pattern, lines: Sequence[str]) -> Any:
    return _PATTERNS[type(node)](node, lines)


def _value(node: ast.MatchValue, lines: Sequence[str]) -> Any:
    made = nodes.MatchValue()
    made.place = node
    made.value = expression(node.value, lines)
    return made


def _singleton(node: ast.MatchSingleton, lines: Sequence[str]) -> Any:
    made = nodes.MatchSingleton()
    made.place = node
    made.value = name(str(node.value), node)
    return made


def _sequence(node: ast.MatchSequence, lines: Sequence[str]) -> Any:
    made = nodes.MatchTuple() if parenthesised(node, node.patterns, lines) else nodes.MatchList()
    made.place = node
    made.patterns = [_element(inner, lines) for inner in node.patterns]
    return made


def _element(node: ast.pattern, lines: Sequence[str]) -> Any:
    if isinstance(node, ast.MatchStar):
        star = nodes.MatchStar()
        star.place = node
        star.name = None if node.name is None else name(node.name, node)
        return star
    made = nodes.MatchSequenceElement()
    made.place = node
    made.value = _pattern(node, lines)
    return made


def _mapping(node: ast.MatchMapping, lines: Sequence[str]) -> Any:
    made = nodes.MatchMapping()
    made.place = node
    made.elements = elements = []
    for key, inner in zip(node.keys, node.patterns, strict=True):
        one = nodes.MatchMappingElement()
        one.place = key
        one.key = expression(key, lines)
        one.pattern = _pattern(inner, lines)
        elements.append(one)
    made.rest = None if node.rest is None else name(node.rest, node)
    return made


def _class(node: ast.MatchClass, lines: Sequence[str]) -> Any:
    made = nodes.MatchClass()
    made.place = node
    made.cls = expression(node.cls, lines)
    made.patterns = [_element(inner, lines) for inner in node.patterns]
    made.kwds = keywords = []
    for key, inner in zip(node.kwd_attrs, node.kwd_patterns, strict=True):
        one = nodes.MatchKeywordElement()
        one.place = inner
        one.key = name(key, (inner,))
        one.pattern = _pattern(inner, lines)
        keywords.append(one)
    if len(made.patterns) == 1 and not keywords:
        made.patterns[0].value.owner = node
    return made


def _as(node: ast.MatchAs, lines: Sequence[str]) -> Any:
    made = nodes.MatchAs()
    made.place = node
    made.pattern = None if node.pattern is None else _pattern(node.pattern, lines)
    made.name = None if node.name is None else name(node.name, node)
    return made


def _or(node: ast.MatchOr, lines: Sequence[str]) -> Any:
    made = nodes.MatchOr()
    made.place = node
    made.patterns = patterns = []
    for inner in node.patterns:
        one = nodes.MatchOrElement()
        one.place = inner
        one.pattern = _pattern(inner, lines)
        patterns.append(one)
    return made


_PATTERNS: dict[type, Callable[[Any, Sequence[str]], Any]] = {
    ast.MatchValue: _value,
    ast.MatchSingleton: _singleton,
    ast.MatchSequence: _sequence,
    ast.MatchMapping: _mapping,
    ast.MatchClass: _class,
    ast.MatchAs: _as,
    ast.MatchOr: _or,
}
