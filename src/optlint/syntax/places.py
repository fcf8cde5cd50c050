"""Where the nodes that were built from ``ast`` stand, and their text, by libcst's rules: the parentheses around an
expression belong to its text and not to its span, a statement's text is not indented.

``source_module`` calls it. Everything is worked out when asked for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

from optlint.syntax import cst
from optlint.syntax.layout import Layout, case_line, first_line, header_end, keyword, last_block
from optlint.syntax.text import backward, before_comment, characters, forward, parenthesised

#: First and last line (from 1), first and last column (from 0, the end excluded).
Range = tuple[int, int, int, int]


class Places:
    """Spans and texts of the nodes of one part of a file."""

    def __init__(self, body: Sequence[ast.stmt], lines: Sequence[str], first: int, last: int) -> None:
        self._body = body
        self._lines = lines
        self._limits = first, last
        self._laid_out: Layout | None = None
        self._codes: dict[Any, str] = {}

    @property
    def _layout(self) -> Layout:
        if self._laid_out is None:
            self._laid_out = Layout(self._body, self._lines, *self._limits)
        return self._laid_out

    # -- spans -------------------------------------------------------------------------------------------------------

    def span(self, node: Any) -> Range:
        """Where a node stands, without the parentheses around it."""
        found = _SPANS.get(type(node))
        if found is not None:
            return found(self, node)
        place = getattr(node, "place", self._body[0])
        if isinstance(place, (ast.stmt, ast.ExceptHandler)):
            return (*self._range(place)[:2], *self._end(place))
        return self._range(place) if hasattr(place, "lineno") else self._plain(node)

    def _end(self, place: Any) -> tuple[int, int]:
        """Where a statement ends: before a last semicolon, which Python counts as part of a compound one."""
        body = last_block(place)
        while body is not None:
            place = body[-1]
            body = last_block(place)
        return self._range(place)[2:]

    def extent(self, node: Any) -> Range:
        """Where a node stands, with the parentheses around it."""
        place = node.place
        if isinstance(node, cst.Name):
            whole = isinstance(place, (ast.Name, ast.Constant))
        else:
            whole = isinstance(place, (ast.expr, ast.pattern))
            whole = whole and isinstance(node, (cst.BaseExpression, cst.MatchPattern))
        return self._with_parentheses(node, self._range(place)) if whole else self.span(node)

    def _range(self, place: Any) -> Range:
        lines = self._lines
        line, end = place.lineno, place.end_lineno
        return (
            line,
            characters(lines[line - 1], place.col_offset),
            end,
            characters(lines[end - 1], place.end_col_offset),
        )

    def _plain(self, node: Any) -> Range:
        """From the first to the last of what a node holds; the left side of a chain may be long."""
        place = node.place
        if isinstance(place, tuple):
            return place if len(place) == 4 else self._dotted(node)
        if not node.children:
            return self._range(self._body[0])
        first = node
        while first.place is None and not isinstance(first, cst.Name):
            first = first.children[0]
        start = self.extent(first)
        last = node.children[-1]
        end = self.extent(last)
        return start[0], start[1], end[2], end[3]

    def _with_parentheses(self, node: Any, around: Range) -> Range:
        lines = self._lines
        owner = getattr(node, "owner", None)
        limit = None
        if isinstance(owner, ast.Call):
            limit = self._range(owner)[2:]
            if (
                around[2:] == limit
            ):  # A generator as the only argument, whose parentheses are those of the call.
                return self.span(node)
        within = around
        while True:
            close = forward(lines, around[2], around[3])
            if close[0] > len(lines) or lines[close[0] - 1][close[1]] != ")":
                break
            if limit is not None and (close[0], close[1] + 1) == limit:
                break
            opening = backward(lines, around[0], around[1])
            if not opening[0] or lines[opening[0] - 1][opening[1] - 1] != "(":
                break
            within, around = around, (opening[0], opening[1] - 1, close[0], close[1] + 1)
        if owner is None or limit is not None or within is around:
            return around
        return within if self._own_parentheses(owner, node, around) else around

    def _own_parentheses(self, owner: Any, node: Any, around: Range) -> bool:
        """Whether the outermost parentheses around what stands alone in them are those of a class or ``with``."""
        if not isinstance(owner, (ast.With, ast.AsyncWith)):
            after = forward(self._lines, around[2], around[3])
            return self._lines[after[0] - 1][after[1]] not in ",)"
        if isinstance(node, (cst.Yield, cst.NamedExpr)):
            return False
        after = forward(self._lines, around[2], around[3])
        return self._lines[after[0] - 1][after[1]] == ":"

    def _stripped(self, node: Any) -> Range:
        """Within the parentheses that Python counts as part of a tuple or a generator."""
        place = node.place
        if isinstance(place, ast.Delete):
            return self._plain_elements(node)
        around = self._range(place)
        if isinstance(place, ast.GeneratorExp) or parenthesised(place, _elements(place), self._lines):
            start = forward(self._lines, around[0], around[1] + 1)
            end = backward(self._lines, around[2], around[3] - 1)
            if not _elements(place):
                return (*start, *start)
            return (*start, *end)
        return around

    def _plain_elements(self, node: Any) -> Range:
        start, end = self.extent(node.elements[0]), self._range(node.place)
        return start[0], start[1], end[2], end[3]

    def _name(self, node: Any) -> Range:
        place, size = node.place, len(node.value)
        if isinstance(place, (ast.Name, ast.Constant, ast.MatchSingleton)):
            return self._range(place)
        if isinstance(place, tuple):
            found = {1: self._keyword, 2: self._name_item, 3: self._dotted}[len(place)]
            return found(node)
        line, column, end_line, end = self._range(place)
        if isinstance(place, (ast.Attribute, ast.MatchAs, ast.MatchStar, ast.alias)):
            return end_line, end - size, end_line, end
        if isinstance(place, (ast.keyword, ast.arg)):
            return line, column, line, column + size
        return self._search(node.value, line, column)

    def _keyword(self, node: Any) -> Range:
        """The name before the equals sign in the pattern of a class."""
        line, column, *_ = self._range(node.place[0])
        line, column = backward(self._lines, line, column)
        while self._lines[line - 1][column - 1] in "(=":
            line, column = backward(self._lines, line, column - 1)
        return line, column - len(node.value), line, column

    def _dotted(self, node: Any) -> Range:
        """A part of the name of a module."""
        place, start, end = node.place
        line, column, *_ = self._range(place)
        if isinstance(place, ast.ImportFrom):
            line, column = forward(self._lines, line, column + len("from"))
            while self._lines[line - 1][column] == ".":
                line, column = forward(self._lines, line, column + 1)
        return line, column + start, line, column + end

    def _search(self, word: str, line: int, column: int) -> Range:
        """The next place of a word."""
        pattern = re.compile(rf"(?<![\w]){re.escape(word)}(?![\w])")
        while line <= len(self._lines):
            found = pattern.search(self._lines[line - 1], column)
            if found is not None:
                return line, found.start(), line, found.end()
            line, column = line + 1, 0
        return self._limits[0], 0, self._limits[0], 0

    def _name_item(self, node: Any) -> Range:
        place, number = node.place
        line, column, *_ = self._range(place)
        found = self._search("global" if isinstance(place, ast.Global) else "nonlocal", line, column)
        for word in place.names[: number + 1]:
            found = self._search(word, found[2], found[3])
        return found

    def _argument(self, node: Any) -> Range:
        place = node.place
        return (
            self._range(place) if isinstance(place, (ast.keyword, ast.Starred)) else self.extent(node.value)
        )

    def _target(self, node: Any) -> Range:
        return self.extent(node.target)

    def _annotation(self, node: Any) -> Range:
        return self.extent(node.annotation)

    def _value(self, node: Any) -> Range:
        return self.extent(node.value)

    def _subscript_element(self, node: Any) -> Range:
        return self.span(node.slice)

    def _parameter(self, node: Any) -> Range:
        line, column, *_ = self._range(node.place)
        start = line, column
        for _ in node.star:
            before = backward(self._lines, *start)
            start = before[0], before[1] - 1
        return (*start, line, column + len(node.name.value))

    def _dict_element(self, node: Any) -> Range:
        start, end = self.extent(node.key), self.extent(node.value)
        return start[0], start[1], end[2], end[3]

    def _starred_dict_element(self, node: Any) -> Range:
        value = self.extent(node.value)
        line, column = backward(self._lines, value[0], value[1])
        return line, column - 2, value[2], value[3]

    def _index(self, node: Any) -> Range:
        return self._range(node.place) if node.star else self.extent(node.value)

    def _decorator(self, node: Any) -> Range:
        value = self.extent(node.decorator)
        line, column = backward(self._lines, value[0], value[1])
        return line, column - 1, value[2], value[3]

    def _from(self, node: Any) -> Range:
        item = self.extent(node.item)
        line, column = backward(self._lines, item[0], item[1])
        return line, column - 4, item[2], item[3]

    def _line(self, node: Any) -> Range:
        return (*self._range(node.body[0].place)[:2], *self._end(node.body[-1].place))

    def _block(self, node: Any) -> Range:
        return (*self._range(node.place[0])[:2], *self._end(node.place[-1]))

    def _clause(self, node: Any) -> Range:
        before, body = node.place
        return (*keyword(before, self._lines), *self._end(body[-1]))

    def _case(self, node: Any) -> Range:
        line = case_line(node.place, self._lines)
        text = self._lines[line - 1]
        return (line, len(text) - len(text.lstrip()), *self._end(node.place.body[-1]))

    def _with_item(self, node: Any) -> Range:
        start = self.extent(node.item)
        end = start if node.asname is None else self.extent(node.asname.name)
        return start[0], start[1], end[2], end[3]

    def _led_by(self, words: Sequence[str], first: Any, last: Any) -> Range:
        """From the end of what stands before some words and ``first``, to the end of ``last``."""
        line, column, *_ = self.extent(first)
        for word in reversed(words):
            line, column = backward(self._lines, line, column)
            column -= len(word)
        return (*backward(self._lines, line, column), *self.extent(last)[2:])

    def _as_name(self, node: Any) -> Range:
        return self._led_by(["as"], node.name, node.name)

    def _comp_for(self, node: Any) -> Range:
        return self._led_by(
            ["async", "for"] if node.asynchronous else ["for"], node.target, node.children[-1]
        )

    def _comp_if(self, node: Any) -> Range:
        return self._led_by(["if"], node.test, node.test)

    def _compared(self, node: Any) -> Range:
        words = self.code(node.operator).split()
        return self._led_by(words, node.comparator, node.comparator)

    # -- texts -------------------------------------------------------------------------------------------------------

    def code(self, node: Any) -> str:
        """The text of a node; of a statement with the comments above it and the end of its line."""
        found = self._codes.get(node)
        if found is None:
            found = self._codes[node] = self._code(node)
        return found

    def _code(self, node: Any) -> str:
        found = _CODES.get(type(node))
        if found is not None:
            return found(self, node)
        if node.text:
            return str(node.text)  # An operator, which all of its kind share.
        if not hasattr(node, "place"):
            return str(getattr(node, "value", "pass"))  # A name or statement that stands nowhere.
        return (
            self._small(node) if isinstance(node, cst.BaseSmallStatement) else self._text(self.extent(node))
        )

    def _text(self, where: Range) -> str:
        line, column, end_line, end = where
        if line == end_line:
            return self._lines[line - 1][column:end]
        if not self._layers():
            lines = self._lines
            return "\n".join(
                (lines[line - 1][column:], *lines[line : end_line - 1], lines[end_line - 1][:end])
            )
        return self._layout.text(line, column, end_line, end)

    def _layers(self) -> bool:
        """Whether there are blocks in this part of the file."""
        return any(hasattr(node, "body") or isinstance(node, ast.Match) for node in self._body)

    def _whole_lines(self, first: int, last: int, at: int) -> str:
        """Whole lines, not indented as the block is in which line ``at`` stands."""
        return self._layout.whole(first, last, self._layout.indent(at))

    def _statement(self, node: Any) -> str:
        place = node.place
        if place is self._body[0] and len(self._body) == 1:
            return "\n".join((*self._lines[first_line(place) - 1 : place.end_lineno], ""))
        layout, line = self._layout, first_line(place)
        text = self._whole_lines(layout.start(place), layout.end(place), line)
        if isinstance(place, ast.If) and self._lines[line - 1].startswith("elif", place.col_offset):
            text = re.sub(r"^([ \t]*)elif", r"\1if", text, count=1, flags=re.MULTILINE)
        return text

    def _line_code(self, node: Any) -> str:
        place = node.place
        return self._whole_lines(self._layout.start(place), node.body[-1].place.end_lineno, place.lineno)

    def _block_code(self, node: Any) -> str:
        body = node.place
        line = header_end(body, self._lines)
        text = before_comment(self._lines[line - 1])
        return self._layout.text(line, text.rindex(":") + 1, self._layout.block_end(body), None)

    def _suite_code(self, node: Any) -> str:
        start = self._range(node.place[0])
        return self._layout.text(*backward(self._lines, start[0], start[1]), node.place[-1].end_lineno, None)

    def _clause_code(self, node: Any) -> str:
        before, body = node.place
        line = keyword(before, self._lines)[0]
        return self._whole_lines(self._layout.start(body), self._layout.block_end(body), line)

    def _handler_code(self, node: Any) -> str:
        place = node.place
        line = case_line(place, self._lines) if isinstance(place, ast.match_case) else place.lineno
        return self._whole_lines(self._layout.start(place), self._layout.block_end(place.body), line)

    def _decorator_code(self, node: Any) -> str:
        where = self.span(node)
        first = where[0]
        while node.place[1] and not before_comment(self._lines[first - 2]).strip():
            first -= 1
        return self._whole_lines(first, where[2], where[0])

    def _small(self, node: Any) -> str:
        """With the semicolon behind it."""
        line, column, end_line, end = self.span(node)
        after = forward(self._lines, end_line, end)
        if after[0] == end_line and self._lines[end_line - 1][after[1]] == ";":
            rest = self._lines[end_line - 1][after[1] + 1 :]
            end = after[1] + 1 + len(rest) - len(rest.lstrip(" \t\f"))
        return self._text((line, column, end_line, end))


def _elements(place: Any) -> Sequence[Any]:
    return place.patterns if isinstance(place, ast.MatchSequence) else getattr(place, "elts", (place,))


_SPANS: dict[type, Callable[[Places, Any], Range]] = {
    cst.Name: Places._name,
    cst.Tuple: Places._stripped,
    cst.GeneratorExp: Places._stripped,
    cst.MatchTuple: Places._stripped,
    cst.Arg: Places._argument,
    cst.AssignTarget: Places._target,
    cst.Annotation: Places._annotation,
    cst.Element: Places._value,
    cst.MatchValue: Places._value,
    cst.DictElement: Places._dict_element,
    cst.StarredDictElement: Places._starred_dict_element,
    cst.SubscriptElement: Places._subscript_element,
    cst.Index: Places._index,
    cst.Param: Places._parameter,
    cst.Decorator: Places._decorator,
    cst.From: Places._from,
    cst.SimpleStatementLine: Places._line,
    cst.IndentedBlock: Places._block,
    cst.SimpleStatementSuite: Places._block,
    cst.Else: Places._clause,
    cst.Finally: Places._clause,
    cst.MatchCase: Places._case,
    cst.WithItem: Places._with_item,
    cst.AsName: Places._as_name,
    cst.CompFor: Places._comp_for,
    cst.CompIf: Places._comp_if,
    cst.ComparisonTarget: Places._compared,
    cst.NameItem: Places._name_item,
}
_CODES: dict[type, Callable[[Places, Any], str]] = {
    **dict.fromkeys(
        (
            cst.FunctionDef,
            cst.ClassDef,
            cst.If,
            cst.For,
            cst.While,
            cst.With,
            cst.Try,
            cst.TryStar,
            cst.Match,
        ),
        Places._statement,
    ),
    **dict.fromkeys((cst.ExceptHandler, cst.ExceptStarHandler, cst.MatchCase), Places._handler_code),
    cst.SimpleStatementLine: Places._line_code,
    cst.IndentedBlock: Places._block_code,
    cst.SimpleStatementSuite: Places._suite_code,
    cst.Else: Places._clause_code,
    cst.Finally: Places._clause_code,
    cst.Decorator: Places._decorator_code,
}
