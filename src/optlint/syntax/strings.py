"""String literals as nodes of libcst: Python's ``ast`` joins what stands side by side and forgets how it is written.

``expressions`` calls it. What stands in the braces of an f-string is read when somebody asks for it.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from optlint.deferred import dataclass, regex
from optlint.syntax import cst, nodes
from optlint.syntax.text import GAP, bytes_before, characters, text_of

#: One literal: its prefix, and the rest (an f-string of Python 3.12 may hold its own quotes, and is not found).
LITERAL = (
    r"([A-Za-z]{0,2})("
    r'"""(?:[^"\\]|\\.|"(?!""))*"""|'
    r"'''(?:[^'\\]|\\.|'(?!''))*'''|"
    r'"(?!"")(?:[^"\\\n]|\\.)*"|'
    r"'(?!'')(?:[^'\\\n]|\\.)*')"
)
_LITERAL = regex(LITERAL, re.DOTALL)
_START = regex(r"([A-Za-z]{0,2})(\"\"\"|'''|\"|')")


@dataclass
class _Field:
    """An expression in braces: where it starts and ends in the literal, and what follows it."""

    start: int
    end: int
    close: int
    equal: bool = False
    conversion: str | None = None
    spec: list[_Field | tuple[int, int]] | None = None


@dataclass
class _Literal:
    """One literal: its text and where that starts in the file (line from 1, column from 0)."""

    text: str
    line: int
    column: int
    lines: Sequence[str]

    def place(self, start: int, end: int) -> tuple[int, int, int, int]:
        """Lines and columns of a part of it."""
        return (*self._at(start), *self._at(end))

    def _at(self, offset: int) -> tuple[int, int]:
        newlines = self.text.count("\n", 0, offset)
        if not newlines:
            return self.line, self.column + offset
        return self.line + newlines, offset - self.text.rfind("\n", 0, offset) - 1


def string(node: ast.expr, lines: Sequence[str]) -> Any:
    """The libcst node of a literal, or of several that stand side by side."""
    text = text_of(node, lines)
    found = _LITERAL.fullmatch(text)
    if found is not None:
        prefix = found.group(1)
        if not prefix or not _has_fields(prefix):
            made = nodes.SimpleString()
            made.value = text
            made.place = node
            return made
    column = characters(lines[node.lineno - 1], node.col_offset)
    whole = _Literal(text, node.lineno, column, lines)
    literals = [_part(whole, start, end) for start, end in _literals(text)]
    made = literals.pop()
    while literals:
        right, made = made, nodes.ConcatenatedString()
        made.left = literals.pop()
        made.right = right
        made.place = None
    made.place = node
    return made


def _has_fields(prefix: str) -> bool:
    lower = prefix.lower()
    return "f" in lower or "t" in lower


def _part(whole: _Literal, start: int, end: int) -> Any:
    text, place = whole.text[start:end], whole.place(start, end)
    prefix, quote = _START.match(text).groups()  # type: ignore[union-attr]
    if not _has_fields(prefix):
        made = nodes.SimpleString()
        made.value = text
    else:
        made = nodes.TemplatedString() if "t" in prefix.lower() else nodes.FormattedString()
        made.start = prefix + quote
        made.end = quote
        made.source = _Literal(text, place[0], place[1], whole.lines)
        made.make = _fields
    made.place = place
    return made


def _literals(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each of the literals that stand side by side."""
    at = GAP.match(text).end()  # type: ignore[union-attr]
    while at < len(text):
        begun = _START.match(text, at)
        if begun is None:
            return
        found = _LITERAL.match(text, at)
        end = found.end() if found is not None else len(text)
        if _has_fields(begun.group(1)):
            end = _scan(text, begun.end(), begun.group(2), "r" in begun.group(1).lower())[1]
        yield at, end
        at = GAP.match(text, end).end()  # type: ignore[union-attr]


# -- f-strings ------------------------------------------------------------------------------------------------------


def _scan(text: str, at: int, quote: str, raw: bool) -> tuple[list[_Field | tuple[int, int]], int]:
    """The parts of an f-string whose first quote ends at ``at``, and where its last quote ends."""
    parts: list[_Field | tuple[int, int]] = []
    begun = at
    while at < len(text):
        character = text[at]
        if text.startswith(quote, at):
            break
        if character == "\\":
            at = _behind_backslash(text, at, raw)
        elif text[at : at + 2] in ("{{", "}}"):
            at += 2
        elif character == "{":
            if begun < at:
                parts.append((begun, at))
            found, at = _field(text, at + 1, quote)
            parts.append(found)
            begun = at
        else:
            at += 1
    if begun < at:
        parts.append((begun, at))
    return parts, at + len(quote)


def _behind_backslash(text: str, at: int, raw: bool) -> int:
    if text[at + 1 : at + 2] in ("{", "}"):
        return at + 1
    if not raw and text[at + 1 : at + 3] == "N{":
        return text.find("}", at) + 1 or len(text)
    return at + 2


def _field(text: str, at: int, quote: str) -> tuple[_Field, int]:
    """An expression whose brace ends at ``at``, and where its closing brace ends."""
    made = _Field(at, at, at)
    at = made.end = _expression_end(text, at)
    if text[at : at + 1] == "=":
        made.equal = True
        at = _spaces(text, at + 1)
    if text[at : at + 1] == "!":
        begun = _spaces(text, at + 1)
        at = begun
        while text[at : at + 1].isalnum():
            at += 1
        made.conversion = text[begun:at]
        at = _spaces(text, at)
    if text[at : at + 1] == ":":
        made.spec, at = _spec(text, at + 1, quote)
    made.close = at + 1
    return made, at + 1


def _spaces(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _spec(text: str, at: int, quote: str) -> tuple[list[_Field | tuple[int, int]], int]:
    """The parts of what follows the colon, and where the closing brace stands."""
    parts: list[_Field | tuple[int, int]] = []
    begun = at
    while at < len(text) and text[at] != "}" and not text.startswith(quote, at):
        if text[at] != "{":
            at += 1
            continue
        if begun < at:
            parts.append((begun, at))
        found, at = _field(text, at + 1, quote)
        parts.append(found)
        begun = at
    if begun < at:
        parts.append((begun, at))
    return parts, at


def _expression_end(text: str, at: int) -> int:
    """Where an expression in braces ends: at ``=``, ``!r``, a colon or the closing brace."""
    depth = 0
    while at < len(text):
        character = text[at]
        if character in "\"'":
            at = _string_end(text, at)
            continue
        if character == "#":
            at = text.find("\n", at)
            if at < 0:
                return len(text)
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            if not depth:
                return at
            depth -= 1
        elif not depth and text[at : at + 2] in ("==", "!=", "<=", ">="):
            at += 1
        elif not depth and character in "=!:":
            return at
        at += 1
    return at


def _string_end(text: str, at: int) -> int:
    """The end of the string in an expression whose first quote stands at ``at``."""
    begun = at
    while begun and text[begun - 1].isalpha() and at - begun < 2:
        begun -= 1
    start = _START.match(text, begun)
    if start is not None and _has_fields(start.group(1)):
        return _scan(text, start.end(), start.group(2), "r" in start.group(1).lower())[1]
    found = _LITERAL.match(text, at)
    return len(text) if found is None else found.end()


def _fields(node: Any) -> Any:
    """The parts of an f-string."""
    literal: _Literal = node.source
    prefix, quote = _START.match(literal.text).groups()  # type: ignore[union-attr]
    templated = type(node) is nodes.TemplatedString
    parts, _ = _scan(literal.text, len(node.start), quote, "r" in prefix.lower())
    return [_made(literal, part, templated) for part in parts]


def _made(literal: _Literal, part: _Field | tuple[int, int], templated: bool) -> Any:
    if isinstance(part, tuple):
        text = nodes.TemplatedStringText() if templated else nodes.FormattedStringText()
        text.value = literal.text[part[0] : part[1]]
        text.place = literal.place(*part)
        return text
    made = nodes.TemplatedStringExpression() if templated else nodes.FormattedStringExpression()
    made.place = literal.place(part.start - 1, part.close)
    made.expression = _expression(literal, part.start, part.end)
    made.conversion = part.conversion
    made.equal = nodes.shared(cst.AssignEqual) if part.equal else None
    made.format_spec = (
        None if part.spec is None else [_made(literal, inner, templated) for inner in part.spec]
    )
    return made


def _expression(literal: _Literal, start: int, end: int) -> Any:
    """The node of the expression in braces; its ``ast`` is moved to where it stands in the file."""
    from optlint.syntax import expressions

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        body = ast.parse(f"({literal.text[start:end]}\n)", mode="eval").body
    line, column, end_line, end_column = literal.place(start, end)
    before = bytes_before(literal.lines[line - 1], column) - 1
    if type(body) is ast.Tuple and body.col_offset == 0:  # The parentheses are those that were put around it.
        body.col_offset, body.end_lineno = 1, end_line - line + 1
        body.end_col_offset = bytes_before(literal.lines[end_line - 1], end_column)
        body.end_col_offset -= before if body.end_lineno == 1 else 0
    for node in ast.walk(body):
        if isinstance(node, (ast.expr, ast.keyword, ast.arg)):
            _move(node, line - 1, before)
    return expressions.expression(body, literal.lines)


def _move(node: ast.expr | ast.keyword | ast.arg, line: int, before: int) -> None:
    if node.lineno == 1:
        node.col_offset += before
    if node.end_lineno == 1 and node.end_col_offset is not None:
        node.end_col_offset += before
    node.lineno += line
    node.end_lineno = (node.end_lineno or 1) + line
