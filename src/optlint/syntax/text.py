"""The text behind positions of Python's ``ast``, whose columns count bytes: everything else counts characters.

``expressions``, ``strings``, ``statements`` and ``places`` read texts through it. It must not know libcst.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from optlint.deferred import regex

#: Spaces, line ends, continued lines and comments.
GAP = regex(r"(?:[ \t\f\n]+|\\\n|#[^\n]*)*")
_BEFORE_COMMENT = regex(r"""(?:[^#"'\n]+|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|["'])*""")


def characters(line: str, column: int) -> int:
    """The place of a byte of a line, counted in characters."""
    if line.isascii():
        return column
    return len(line.encode()[:column].decode(errors="replace"))


def bytes_before(line: str, column: int) -> int:
    """The place of a character of a line, counted in bytes."""
    return column if line.isascii() else len(line[:column].encode())


def text_of(node: Any, lines: Sequence[str]) -> str:
    """The source of a node of ``ast``."""
    first: str = lines[node.lineno - 1]
    if node.lineno == node.end_lineno:
        if first.isascii():
            return first[node.col_offset : node.end_col_offset]
        return first.encode()[node.col_offset : node.end_col_offset].decode()
    last = lines[node.end_lineno - 1]
    begun = first[characters(first, node.col_offset) :]
    ended = last[: characters(last, node.end_col_offset)]
    return "\n".join((begun, *lines[node.lineno : node.end_lineno - 1], ended))


def forward(lines: Sequence[str], line: int, column: int) -> tuple[int, int]:
    """Where the next token stands behind a place (lines from 1, columns from 0); behind the last line at the end."""
    while line <= len(lines):
        rest = lines[line - 1]
        while column < len(rest) and rest[column] in " \t\f":
            column += 1
        if column < len(rest) and rest[column] != "#" and rest[column:] != "\\":
            return line, column
        line, column = line + 1, 0
    return line, 0


def backward(lines: Sequence[str], line: int, column: int) -> tuple[int, int]:
    """The end of the token that stands before a place; ``(0, 0)`` when there is none."""
    text = lines[line - 1][:column]
    while True:
        stripped = text.rstrip(" \t\f")
        if stripped:
            return line, len(stripped)
        line -= 1
        if line < 1:
            return 0, 0
        text = lines[line - 1].removesuffix("\\")
        text = before_comment(text)


def before_comment(line: str) -> str:
    """A line without the comment at its end."""
    if "#" not in line:
        return line
    found = _BEFORE_COMMENT.match(line)
    return line if found is None else found.group()


def indentation(node: ast.stmt, lines: Sequence[str]) -> str | None:
    """The spaces before the first statement of a block; ``None`` where it follows its colon on the same line."""
    before = lines[node.lineno - 1][: node.col_offset]
    if not before.isspace():
        return None
    above = lines[node.lineno - 2] if node.lineno > 1 else ""
    if above.endswith("\\") and above.rstrip(" \t\\").endswith(":") and not hasattr(node, "body"):
        return None  # `if x: \\` leads on to this line.
    return before


def parenthesised(node: Any, elements: Sequence[Any], lines: Sequence[str]) -> bool:
    """Whether the parentheses at the ends of a tuple are its own: not in ``(a), (b)``."""
    line = lines[node.lineno - 1]
    start = node.lineno, characters(line, node.col_offset)
    if line[start[1] : start[1] + 1] != "(":
        return False
    if not elements:
        return True
    first = elements[0]
    if (first.lineno, first.col_offset) == (node.lineno, node.col_offset):
        return False
    opened, at = 0, start
    while at < (first.lineno, characters(lines[first.lineno - 1], first.col_offset)):
        opened += 1
        at = forward(lines, at[0], at[1] + 1)
    closed = 0
    at = first.end_lineno, characters(lines[first.end_lineno - 1], first.end_col_offset)
    at = forward(lines, *at)
    while at[0] <= len(lines) and lines[at[0] - 1][at[1]] == ")":
        closed += 1
        at = forward(lines, at[0], at[1] + 1)
    return opened > closed
