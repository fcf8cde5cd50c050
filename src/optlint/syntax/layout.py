"""Which lines of a part of a file belong to which statement and block: comments and blank lines go where libcst puts
them, and how far each line is indented.

``places`` asks it when the text of a statement is wanted. It must not know libcst's nodes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

from optlint.deferred import regex
from optlint.syntax.strings import LITERAL
from optlint.syntax.text import before_comment, characters, forward, indentation

_UNMOVED = regex(LITERAL + r"|#[^\n]*|\\\n", re.DOTALL)


class Layout:
    """The lines of one part of a file."""

    def __init__(self, body: Sequence[ast.stmt], lines: Sequence[str], first: int, last: int) -> None:
        self._lines = lines
        self._first = first
        #: For each line the indentation of the block that it stands in.
        self._indents = [""] * (last - first + 1)
        self._unmoved: set[int] | None = None
        #: By a statement or clause (the list of what stands below ``else``): the first line of the comments above it.
        self._leading: dict[int, int] = {}
        #: By a block (the list of its statements): the last line of the comments at its end.
        self._footers: dict[int, int] = {}
        self._at = first - 1
        self._ended: list[tuple[str, int]] = []
        self._block(body, "")

    def start(self, node: object) -> int:
        """The first line of what belongs to a statement or clause: of the comments above it."""
        return self._leading[id(node)]

    def end(self, node: Any) -> int:
        """The last line of what belongs to a statement or clause: of the comments in it that stand at its end."""
        last: int = max(node.end_lineno, self._footers.get(id(node), 0))
        body = last_block(node)
        while body is not None:
            node = body[-1]
            last = max(last, node.end_lineno, *(self._footers.get(id(part), 0) for part in (body, node)))
            body = last_block(node)
        return last

    def block_end(self, body: Sequence[Any]) -> int:
        """The last line of what belongs to a block."""
        return max(self._footers.get(id(body), 0), self.end(body[-1]))

    def indent(self, line: int) -> str:
        """The indentation of the block in which a line stands."""
        return self._indents[line - self._first]

    def whole(self, first: int, last: int, indent: str) -> str:
        """Whole lines without the indentation of a block."""
        found = (self._moved(number, self._lines[number - 1], indent) for number in range(first, last + 1))
        return "\n".join((*found, ""))

    def text(self, line: int, column: int, last: int, end: int | None) -> str:
        """The text between two places as it is where the block of its first line is not indented; up to the end of the
        last line and its newline without ``end``."""
        lines, indent = self._lines, self.indent(line)
        if line == last:
            return lines[line - 1][column:] + "\n" if end is None else lines[line - 1][column:end]
        found = [self._moved(number, lines[number - 1], indent) for number in range(line + 1, last)]
        found.append(self._moved(last, lines[last - 1][:end], indent))
        return "\n".join((lines[line - 1][column:], *found, *([""] if end is None else [])))

    def _moved(self, number: int, line: str, indent: str) -> str:
        if indent and line.startswith(self.indent(number)) and number not in self._fixed():
            return line[len(indent) :]
        return line

    def _fixed(self) -> set[int]:
        """Lines that start inside of a string, or behind a backslash."""
        if self._unmoved is None:
            self._unmoved = set()
            text = "\n".join(self._lines[self._first - 1 : self._first - 1 + len(self._indents)])
            line = self._first
            at = 0
            for found in _UNMOVED.finditer(text) if '"""' in text or "'''" in text or "\\\n" in text else ():
                inside = text.count("\n", found.start(), found.end())
                if inside:
                    line += text.count("\n", at, found.start())
                    self._unmoved.update(range(line + 1, line + inside + 1))
                    line += inside
                    at = found.end()
        return self._unmoved

    # -- reading the statements --------------------------------------------------------------------------------------

    def _block(self, body: Sequence[Any], indent: str) -> None:
        for node in body:
            self._begin(first_line(node), indent, node)
            self._statement(node, indent)

    def _begin(self, line: int, indent: str, key: object) -> None:
        """A statement or clause starts at ``line``: what stands before it goes to the blocks that ended, the innermost
        first, or to itself."""
        if line <= self._at:
            self._leading[id(key)] = line
            return
        cursor = self._at + 1
        for inner, block in self._ended:
            last = max(
                (one for one in range(cursor, line) if self._lines[one - 1].startswith(inner)), default=0
            )
            if last:
                self._fill(cursor, last, inner)
                self._footers[block] = last
                cursor = last + 1
        self._ended.clear()
        self._fill(cursor, line, indent)
        self._leading[id(key)] = cursor
        self._at = line

    def _fill(self, first: int, last: int, indent: str) -> None:
        for line in range(first, last + 1):
            self._indents[line - self._first] = indent

    def _statement(self, node: Any, indent: str) -> None:
        end = node.end_lineno
        self._fill(self._at, end, indent)
        if isinstance(node, ast.Match):
            self._cases(node)
            return
        body = getattr(node, "body", None)
        if body is None:
            self._at = max(self._at, end)
            return
        self._suite(body, indent)
        for handler in getattr(node, "handlers", ()):
            self._begin(handler.lineno, indent, handler)
            self._suite(handler.body, indent)
        previous = node.handlers[-1].body if getattr(node, "handlers", None) else body
        for clause in (getattr(node, "orelse", None), getattr(node, "finalbody", None)):
            if clause:
                self._clause(previous[-1], clause, indent)
                previous = clause

    def _clause(self, before: Any, body: Sequence[Any], indent: str) -> None:
        """``else``, ``finally`` or ``elif`` behind the statement ``before``."""
        if is_elif(body, self._lines):
            self._begin(body[0].lineno, indent, body[0])
            self._statement(body[0], indent)
            return
        self._begin(keyword(before, self._lines)[0], indent, body)
        self._suite(body, indent)

    def _suite(self, body: Sequence[Any], indent: str) -> None:
        inner = indentation(body[0], self._lines)
        self._at = header_end(body, self._lines)
        if inner is None:
            self._block(body, indent)
            return
        self._block(body, inner)
        self._ended.append((inner, id(body)))

    def _cases(self, node: ast.Match) -> None:
        inner = ""
        for case in node.cases:
            line = case_line(case, self._lines)
            text = self._lines[line - 1]
            inner = text[: len(text) - len(text.lstrip())]
            if case is node.cases[0]:
                self._at = _header_line(line, self._lines)
            self._begin(line, inner, case)
            self._suite(case.body, inner)
        self._ended.append((inner, id(node)))


def first_line(node: Any) -> int:
    """The line on which a statement starts, with its decorators."""
    decorators = getattr(node, "decorator_list", None)
    return min(node.lineno, decorators[0].lineno) if decorators else int(node.lineno)


def is_elif(body: Sequence[Any], lines: Sequence[str]) -> bool:
    """Whether what stands in the ``orelse`` of an ``if`` is written ``elif``."""
    first = body[0]
    return type(first) is ast.If and lines[first.lineno - 1].startswith("elif", first.col_offset)


def keyword(before: Any, lines: Sequence[str]) -> tuple[int, int]:
    """Where the ``else`` or ``finally`` stands that follows a statement."""
    line = lines[before.end_lineno - 1]
    at = forward(lines, before.end_lineno, characters(line, before.end_col_offset))
    while lines[at[0] - 1][at[1]] == ";":
        at = forward(lines, at[0], at[1] + 1)
    return at


def case_line(case: ast.match_case, lines: Sequence[str]) -> int:
    """The line of the word ``case``."""
    line = case.pattern.lineno
    while not lines[line - 1].lstrip().startswith("case"):
        line -= 1
    return line


def header_end(body: Sequence[Any], lines: Sequence[str]) -> int:
    """The line of the colon before a block."""
    if indentation(body[0], lines) is None:
        return int(body[0].lineno)
    return _header_line(first_line(body[0]), lines)


def _header_line(line: int, lines: Sequence[str]) -> int:
    line -= 1
    while not before_comment(lines[line - 1]).strip():
        line -= 1
    return line


def last_block(node: Any) -> Sequence[Any] | None:
    """The block with which a statement ends."""
    if isinstance(node, ast.Match):
        return node.cases[-1].body
    for name in ("finalbody", "orelse"):
        body: Sequence[Any] | None = getattr(node, name, None)
        if body:
            return body
    if getattr(node, "handlers", None):
        return node.handlers[-1].body  # type: ignore[no-any-return]
    body = getattr(node, "body", None)
    return body if isinstance(body, list) else None
