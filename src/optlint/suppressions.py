"""Suppression comments: where they stand, which findings they cover, and which of them cover none (OPT902).

The engine asks for them once the findings of all files are known. Must not know how findings are made or
shown.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.finding import Edit, Finding, Fix, Safety, Span
from optlint.selection import matches, nearest_rule
from optlint.source import lines_of, normalise_newlines, split_lines

if TYPE_CHECKING:
    from optlint.rules.base import Rule

# As flake8 reads it: text after the colon that is no code leaves a blanket `noqa`.
_NOQA = regex(
    r"#\s*noqa(?![\w-])(?:\s*:\s?\s*(?P<codes>[A-Z]+[0-9]+(?:[,\s]+(?:[A-Z]+[0-9]+)\b)*|OPT\b))?",
    re.IGNORECASE,
)
_OWN = regex(
    r"#\s*optlint\s*:\s*ignore(?![\w-])(?P<rest>\s*\[(?P<codes>[^\]]*)(?P<closed>\])?)?", re.IGNORECASE
)
_SKIP_FILE = regex(r"#\s*optlint\s*:\s*skip-file(?![\w-])", re.IGNORECASE)
_MENTION = regex(rb"noqa|optlint", re.IGNORECASE)
_DIRECTIVE = regex(r"noqa|optlint", re.IGNORECASE)
_JUDGED_MENTION = regex(rb"noqa\s*:[^\n]*OPT|optlint\s*:\s*ignore", re.IGNORECASE)

#: Where a string is not closed, ``tokenize`` takes time by the square of the line's length.
_LONG_LINE = regex(r"[^\r\n]{5000}")


@dataclass(frozen=True)
class Suppression:
    """One directive: ``codes`` as written, or ``None`` for all. ``own`` when it is ours and not a ``noqa``.

    ``sure`` is false when it was found in a file that cannot be cut into tokens: it counts, but is never
    judged.
    """

    span: Span
    codes: tuple[str, ...] | None
    own: bool
    sure: bool = True


@dataclass
class Suppressions:
    """The suppressions of one file, and which parts of them have been used.

    ``joined`` leads from a line that a backslash or a string goes on from to the one that can hold the comment.
    """

    by_line: dict[int, list[Suppression]] = field(default_factory=dict)
    joined: dict[int, int] = field(default_factory=dict)
    _used: set[tuple[Suppression, str | None]] = field(default_factory=set)

    def suppress(self, finding: Finding) -> bool:
        """Whether ``finding`` is suppressed; every part that covers it counts as used from now on."""
        suppressed = False
        lines = {finding.span.line, finding.statement_line or finding.span.line}
        for line in lines | {self.joined[line] for line in lines if line in self.joined}:
            for suppression in self.by_line.get(line, ()):
                for part in suppression.codes if suppression.codes is not None else (None,):
                    if part is None or matches(part, finding):
                        self._used.add((suppression, part))
                        suppressed = True
        return suppressed

    def unused(self, ran: Collection[str], rules: Sequence[type[Rule]]) -> Iterator[tuple[Suppression, str]]:
        """Directives with a part that covered nothing, each with what to say of it.

        ``ran`` are the codes that were checked in this file; ``rules`` are all rules.
        """
        for line in sorted(self.by_line):
            for suppression in self.by_line[line]:
                message = self._verdict(suppression, ran, rules) if suppression.sure else None
                if message is not None:
                    yield suppression, message

    def covers_itself(self, finding: Finding, suppression: Suppression) -> bool:
        """Whether OPT902 about ``suppression`` is suppressed: by its code, or by another directive on the
        line.
        """
        return any(
            other is not suppression if part is None else matches(part, finding)
            for other in self.by_line[suppression.span.line]
            for part in (other.codes if other.codes is not None else (None,))
        )

    def _verdict(
        self, suppression: Suppression, ran: Collection[str], rules: Sequence[type[Rule]]
    ) -> str | None:
        if suppression.codes is None:
            if not suppression.own or (suppression, None) in self._used:
                return None
            return "unused suppression: optlint finds nothing here"
        unused: list[str] = []
        for part in dict.fromkeys(suppression.codes):
            meant = [rule.code for rule in rules if matches(part, rule)]
            if not meant and suppression.own:
                return f"'{part}' is no rule{nearest_rule(part, rules)}"
            judged = bool(meant) and all(code in ran for code in meant) and "OPT902" not in meant
            if judged and (suppression, part) not in self._used:
                unused.append(part)
        if not unused:
            return None
        return f"unused suppression: optlint finds no {' and no '.join(unused)} here"


def removal(suppression: Suppression, text: str, message: str) -> Fix | None:
    """The edit that takes a directive away which covers nothing, or those codes of it that cover nothing; ``None`` where
    words follow the whole of it.

    ``text`` is the program that it stands in; ``message`` is what is said of it.
    """
    span = suppression.span
    lines = lines_of(text)
    line = lines[span.line - 1] if span.line <= len(lines) else ""
    codes = suppression.codes or ()
    idle = [code for code in codes if f"'{code}'" in message or f" {code} " in message]
    if len(idle) < len(codes):
        return _without_codes(line, span, idle)
    before, after = line[: span.column - 1], line[span.end_column - 1 :]
    if after.strip():
        return None
    if before.strip():
        edit = Edit(Span(span.line, len(before.rstrip()) + 1, span.line, len(line) + 1), "")
    elif span.line < len(lines):
        edit = Edit(Span(span.line, 1, span.line + 1, 1), "")
    else:
        edit = Edit(Span(span.line, 1, span.line, len(line) + 1), "")
    return Fix(Safety.SAFE, "Remove the suppression", (edit,))


def _without_codes(line: str, span: Span, codes: Sequence[str]) -> Fix | None:
    """The directive without some of its codes."""
    before = after = line[span.column - 1 : span.end_column - 1]
    for code in codes:
        name = re.escape(code)
        after = re.sub(rf"(?<![\w-]){name}\s*,\s*|\s*,\s*{name}(?![\w-])", "", after, count=1)
    if after == before:
        return None
    return Fix(Safety.SAFE, f"Remove {' and '.join(codes)} from the suppression", (Edit(span, after),))


def may_suppress(data: bytes) -> bool:
    """Whether a file mentions any directive at all; a cheap test before ``find``."""
    return _MENTION.search(data) is not None


def may_be_unused(data: bytes) -> bool:
    """Whether a file mentions a directive that OPT902 could be about."""
    return _JUDGED_MENTION.search(data) is not None


def find(text: str, valid: bool = True) -> Suppressions:
    """All directives in the comments of ``text``. Never raises. ``valid``: whether Python accepts the text."""
    found = Suppressions()
    if not _DIRECTIVE.search(text):
        return found
    for line, column, comment, sure, first in _comments(text, valid):
        for suppression in _directives(line, column, comment, sure):
            found.by_line.setdefault(line, []).append(suppression)
            found.joined.update(dict.fromkeys(range(first, line), line))
    return found


def _directives(line: int, column: int, comment: str, sure: bool) -> Iterator[Suppression]:
    for match in _NOQA.finditer(comment):
        codes = re.findall(r"[A-Z]+[0-9]+|OPT\b", match["codes"] or "", re.IGNORECASE)
        yield Suppression(_span(line, column, match), tuple(codes) if codes else None, own=False, sure=sure)
    for match in _OWN.finditer(comment):
        if match["rest"] is None:
            yield Suppression(_span(line, column, match), None, own=True, sure=sure)
        elif match["closed"]:
            codes = [code.strip() for code in match["codes"].split(",")]
            kept = tuple(code for code in codes if code)
            if kept:
                yield Suppression(_span(line, column, match), kept, own=True, sure=sure)


def _span(line: int, column: int, match: re.Match[str]) -> Span:
    text = match[0].rstrip()
    return Span(line, column + match.start(), line, column + match.start() + len(text))


def _comments(text: str, valid: bool) -> Iterator[tuple[int, int, str, bool, int]]:
    """Line, column (from 1) and text of each comment, whether it is surely one, and the first of the lines that are
    joined with its own.

    Where the text cannot be cut into tokens, what looks like a comment in the remaining lines is given as
    unsure.
    """
    reached = ended = 0
    try:
        if not valid and _LONG_LINE.search(text):
            raise tokenize.TokenError
        for token in tokens(text):
            if token.type == tokenize.COMMENT:
                reached = token.start[0]
                yield token.start[0], token.start[1] + 1, token.string, True, min(ended + 1, reached)
            elif token.type in (tokenize.NEWLINE, tokenize.NL):
                ended = token.start[0]
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        for number, line in enumerate(split_lines(text), start=1):
            if number > reached and "#" in line:
                start = line.index("#")
                yield number, start + 1, line[start:], False, number


def tokens(text: str) -> Iterable[tokenize.TokenInfo]:
    """The tokens of ``text``. Raises what ``tokenize`` raises for text that is no Python."""
    # A carriage return alone ends a line for Python but not for tokenize.
    return tokenize.generate_tokens(io.StringIO(normalise_newlines(text)).readline)


def skips_file(text: str) -> bool:
    """Whether ``# optlint: skip-file`` stands at the top: before any code, or right after the docstring.

    Works on text that is no Python. Never raises.
    """
    if not _SKIP_FILE.search(text):
        return False
    try:
        return _skip_comment_at_top(tokens(text))
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        return _skip_line_at_top(split_lines(text))


def _skip_comment_at_top(tokens: Iterable[tokenize.TokenInfo]) -> bool:
    docstring_seen = False
    for token in tokens:
        if token.type == tokenize.COMMENT:
            if _SKIP_FILE.match(token.string):
                return True
        elif token.type == tokenize.STRING and not docstring_seen:
            docstring_seen = True
        elif token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING):
            return False
    return False


def _skip_line_at_top(lines: Iterable[str]) -> bool:
    for line in lines:
        stripped = line.strip()
        if _SKIP_FILE.match(stripped):
            return True
        if stripped and not stripped.startswith("#"):
            return False
    return False
