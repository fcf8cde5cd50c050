"""Compares the nodes that are built from Python's ``ast`` with those of libcst's own parser, one by one.

``test_tree`` does so for odd code and some fixtures; ``python -m tests.trees PATH…`` for all files of folders.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from optlint.syntax import nodes
from optlint.syntax.source_module import Slice, SourceModule

#: What these say besides the nodes below them.
PLAIN = ("value", "star", "conversion", "start", "end", "asynchronous", "relative", "operator", "equal")
#: Nodes whose span has, for libcst, spaces or commas around it that mean nothing; nobody asks for it.
ROUGHLY_PLACED = (
    *("MatchKeywordElement", "MatchMappingElement", "MatchOrElement", "MatchSequenceElement", "MatchStar"),
    *("Parameters", "ParamSpec", "TypeParam", "TypeParameters", "TypeVar", "TypeVarTuple"),
)
#: Nodes whose text has, for libcst, the comma, the colon or the equals sign that stands beside them.
ROUGHLY_WRITTEN = (
    *ROUGHLY_PLACED,
    *("Annotation", "Arg", "AssignTarget", "DictElement", "Element", "From", "ImportAlias", "NameItem"),
    *("Param", "StarredDictElement", "StarredElement", "SubscriptElement", "WithItem"),
)
#: Longer texts are not compared: to write each node of a chain takes libcst time by the square of its length.
LONGEST_TEXT = 20_000


def differences(source: str) -> Iterator[str]:
    """What is not the same in a file; nothing for a file that one of the parsers rejects."""
    yield from differences_in(SourceModule("a.py", source))


def differences_in(module: SourceModule) -> Iterator[str]:
    """The same for the slices of a module."""
    for part in module.slices:
        built = part.statements()
        if part.problem is not None:
            continue
        try:
            parsed = cst.parse_module(module.lines_text(part.first_line, part.last_line))
        except cst.ParserSyntaxError:
            continue
        wrapper = MetadataWrapper(parsed, unsafe_skip_copy=True)
        yield from _Comparison(part, parsed, wrapper.resolve(PositionProvider)).of(built, parsed.body)


class _Comparison:
    def __init__(self, part: Slice, parsed: cst.Module, positions: Mapping[cst.CSTNode, Any]) -> None:
        self._part = part
        self._parsed = parsed
        self._positions = positions

    def of(self, built: Any, parsed: Any) -> Iterator[str]:
        if isinstance(parsed, (list, tuple)):
            if not isinstance(built, (list, tuple)) or len(built) != len(parsed):
                yield f"line {self._part.first_line}: {built!r} for {parsed!r}"
                return
            for one, other in zip(built, parsed, strict=True):
                yield from self.of(one, other)
        elif not isinstance(parsed, cst.CSTNode):
            unset = (None, nodes.MaybeSentinel.DEFAULT)
            if built != parsed and not (built in unset and isinstance(parsed, cst.MaybeSentinel)):
                yield f"line {self._part.first_line}: {built!r} for {parsed!r}"
        elif type(built).__name__ != type(parsed).__name__:
            yield f"line {self._part.first_line}: {type(built).__name__} for {type(parsed).__name__}"
        elif not built.text:  # not an operator or the like, which have nothing to tell
            yield from self._node(built, parsed)

    def _node(self, built: Any, parsed: cst.CSTNode) -> Iterator[str]:
        kind = type(parsed).__name__
        # An open slice ends, for libcst, behind the spaces and line ends that follow its colon.
        is_open = kind in ("Slice", "SubscriptElement") and self._part.code(built).endswith(":")
        if kind not in ROUGHLY_PLACED and not is_open:
            where = self._positions[parsed]
            above = self._part.first_line - 1
            start, end = where.start, where.end
            wanted = (start.line + above, start.column + 1, end.line + above, end.column + 1)
            span = self._part.span(built)
            found = (span.line, span.column, span.end_line, span.end_column)
            if found != wanted:
                yield f"{kind} at {found} for {wanted}"
        if kind not in ROUGHLY_WRITTEN and not is_open:
            text = self._part.code(built)
            if len(text) < LONGEST_TEXT and text != self._parsed.code_for_node(parsed):
                yield f"{kind} {text!r} for {self._parsed.code_for_node(parsed)!r}"
        for name in self._fields(built, parsed):
            yield from self.of(getattr(built, name), getattr(parsed, name))

    @staticmethod
    def _fields(built: Any, parsed: cst.CSTNode) -> Sequence[str]:
        own = [name for name in PLAIN if name in parsed.__dataclass_fields__ and name not in built.below]
        if "StringExpression" not in type(built).__name__:
            own = [name for name in own if name != "equal"]
        return (*built.below, *own)


def main(paths: Sequence[str]) -> int:
    """Compare all Python files below ``paths``; 1 when something is not the same."""
    warnings.simplefilter("ignore")
    files = differing = 0
    for top in map(Path, paths):
        for path in sorted(top.rglob("*.py")) if top.is_dir() else [top]:
            try:
                text = path.read_text("utf-8")
            except (OSError, ValueError):
                continue
            files += 1
            found = list(differences(text))
            differing += bool(found)
            for difference in found[:3]:
                print(f"{path}: {difference}"[:1000])
    print(f"{files} files, {differing} of them not the same")
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
