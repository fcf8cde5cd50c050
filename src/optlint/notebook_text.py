"""Where the characters of a notebook's cells stand in its file, so that lines can be named and bytes replaced.

``source`` asks when a report or a fix needs a place in the file itself. Must not know Python, findings or reports.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import field

from optlint.deferred import dataclass
from optlint.finding import Edit, Span

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|.)", re.DOTALL)
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass
class _Open:
    """An object or array that the scan is inside of: its key or index now."""

    array: bool
    at: str | int = 0
    key_next: bool = True


@dataclass
class CellText:
    """The text of one cell's source, and where its pieces (the strings that it is written as) stand in the file."""

    pieces: list[tuple[int, str]] = field(default_factory=list)
    """For each string: where its content begins, and that content as it is written."""

    def text(self) -> str:
        """The source of the cell."""
        return "".join(_decoded(raw) for _, raw in self.pieces)

    def offsets(self) -> list[int]:
        """For each character of the text, and for its end, where it stands in the file."""
        found: list[int] = []
        end = 0
        for start, raw in self.pieces:
            found += [start + offset for offset in _starts(raw)]
            end = start + len(raw)
        return [*found, end]


class NotebookText:
    """The text of a notebook's file and of its cells. Raises nothing on a text that is a notebook."""

    def __init__(self, text: str) -> None:
        """``text`` is the whole file, decoded."""
        self._text = text
        self._cells = _cells(text)
        self._lines = _line_starts(text)
        self._ascii = text.isascii()

    def in_file(self, cell: int, span: Span) -> Span:
        """A range of a cell (its number counts from 1) as lines and columns of the file."""
        source = self._cells.get(cell)
        if source is None or not source.pieces:
            return Span(1, 1, 1, 1)
        starts, offsets = _line_starts(source.text()), source.offsets()
        line, column = self._place(_offset(starts, offsets, span.line, span.column))
        end_line, end_column = self._place(_offset(starts, offsets, span.end_line, span.end_column))
        return Span(line, column, end_line, end_column)

    def replaced(self, edits: Iterable[Edit]) -> str:
        """The file's text after edits of its cells, which must not overlap. Other characters stay as they are."""
        pieces: list[tuple[int, int, str]] = []
        for edit in edits:
            source = self._cells.get(edit.cell or 0)
            if source is not None and source.pieces:
                starts, offsets = _line_starts(source.text()), source.offsets()
                start = _offset(starts, offsets, edit.span.line, edit.span.column)
                end = _offset(starts, offsets, edit.span.end_line, edit.span.end_column)
                pieces.append((start, end, self._written(edit.content, source)))
        text = self._text
        for start, end, content in sorted(pieces, reverse=True):
            text = text[:start] + content + text[end:]
        return text

    def _written(self, content: str, source: CellText) -> str:
        """``content`` as it is written within a string of a cell: a new line is a new string of the list."""
        (first, raw), *others = source.pieces
        between = self._text[first + len(raw) : others[0][0]] if others else ""
        lines = content.split("\n")
        escaped = [json.dumps(line, ensure_ascii=self._ascii)[1:-1] for line in lines]
        return ("\\n" + between).join(escaped)

    def _place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1


def _offset(starts: list[int], offsets: list[int], line: int, column: int) -> int:
    index = starts[min(line, len(starts)) - 1] + column - 1
    return offsets[min(index, len(offsets) - 1)]


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in _LINE_END.finditer(text))]


def _cells(text: str) -> dict[int, CellText]:
    """The sources of all cells by their number."""
    found: dict[int, CellText] = {}
    for path, start, raw in _strings(text):
        if len(path) in (3, 4) and path[0] == "cells" and path[2] == "source" and isinstance(path[1], int):
            found.setdefault(path[1] + 1, CellText()).pieces.append((start, raw))
    return found


def _strings(text: str) -> Iterator[tuple[tuple[str | int, ...], int, str]]:
    """Every string value of a JSON text: the keys and indices that lead to it, where its content begins, and that."""
    stack: list[_Open] = []
    for match in _TOKEN.finditer(text):
        token = match[0]
        top = stack[-1] if stack else None
        if token in "{[":
            stack.append(_Open(token == "["))
        elif token in "}]":
            if stack:
                stack.pop()
        elif token == "," and top is not None:
            top.key_next = True
            if isinstance(top.at, int):
                top.at += 1
        elif token == ":" and top is not None:
            top.key_next = False
        elif token.startswith('"'):
            if top is not None and not top.array and top.key_next:
                top.at = json.loads(token)
            else:
                yield tuple(part.at for part in stack), match.start() + 1, token[1:-1]


def _starts(raw: str) -> list[int]:
    """Where each character of a string's content begins within it, as it is written."""
    if "\\" not in raw:
        return list(range(len(raw)))
    found: list[int] = []
    at = 0
    for match in _ESCAPE.finditer(raw):
        found += range(at, match.start())
        found.append(match.start())
        at = match.end()
    return [*found, *range(at, len(raw))]


def _decoded(raw: str) -> str:
    decoded: str = json.loads(f'"{raw}"', strict=False)
    return decoded
