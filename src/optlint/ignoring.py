"""Writes suppression comments: which line can carry one, and the edit that puts it there.

The command line (``--add-ignore``) and the editor server call it. Must not know how findings are made.
"""

from __future__ import annotations

import os
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from optlint import suppressions
from optlint.deferred import dataclass
from optlint.finding import Edit, Finding, Fix, Safety, Span
from optlint.fixing import EditError, edited
from optlint.source import SourceError, SourceStore, split_lines

if TYPE_CHECKING:
    from optlint.engine import Report

_NEVER = ("OPT901", "OPT902", "OPT999")
"""What no comment should hide: a broken file, a comment without effect, a fault in optlint."""


class ReasonError(ValueError):
    """A reason that cannot stand in a comment."""


@dataclass
class Ignored:
    """New bytes of files, how many findings are suppressed in them, and the findings that no comment can reach."""

    files: dict[str, bytes] = field(default_factory=dict)
    count: int = 0
    left: list[Finding] = field(default_factory=list)


def checked_reason(reason: str) -> str:
    """The reason as it will be written. Raises ``ReasonError``."""
    reason = " ".join(reason.split())
    if "#" in reason:
        raise ReasonError("a reason must not contain '#': another tool would read a comment of its own there")
    return reason


def ignore_all(report: Report, store: SourceStore, reason: str) -> Ignored:
    """Suppress every finding of ``report`` by a comment; no file is written. Raises ``ReasonError``."""
    reason = checked_reason(reason)
    ignored = Ignored()
    for path, findings in _by_file(report, ignored.left).items():
        edits, hopeless = _edits(path, findings, store, reason)
        try:
            if edits:
                ignored.files[path] = edited(path, store.load(path), edits)
        except (EditError, SourceError):
            hopeless = findings
        ignored.count += len(findings) - len(hopeless)
        ignored.left += hopeless
    return ignored


def _by_file(report: Report, left: list[Finding]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if finding.code in _NEVER:
            left.append(finding)
        else:
            path = os.path.normpath(os.path.join(report.folder, finding.path))
            found.setdefault(path, []).append(finding)
    return found


def _edits(
    path: str, findings: Sequence[Finding], store: SourceStore, reason: str
) -> tuple[list[Edit], list[Finding]]:
    """The edits that suppress ``findings`` of one file, a comment a line, and the findings without a place."""
    codes: dict[tuple[int | None, int], list[str]] = {}
    hopeless: list[Finding] = []
    texts: dict[int | None, _Text] = {}
    for finding in findings:
        cell = finding.cell
        if cell not in texts:
            texts[cell] = _Text(store.shown(path, cell) or "")
        line = texts[cell].line_for(finding)
        if line is None:
            hopeless.append(finding)
        elif finding.code not in codes.setdefault((cell, line), []):
            codes[cell, line].append(finding.code)
    edits = [texts[cell].comment(line, of_line, reason, cell) for (cell, line), of_line in codes.items()]
    return edits, hopeless


def fix_for(finding: Finding, text: str) -> Fix | None:
    """The edit that suppresses one finding in ``text``, that of its file or cell; ``None`` where no line can hold it."""
    its_text = _Text(text)
    line = its_text.line_for(finding) if finding.code not in _NEVER else None
    if line is None:
        return None
    edit = its_text.comment(line, [finding.code], "", finding.cell)
    return Fix(Safety.DISPLAY, f"Suppress {finding.code} on this line", (edit,))


class _Text:
    """The lines of a file or cell, those of them that can end in a comment, and the directives that they have."""

    def __init__(self, text: str) -> None:
        self._lines = split_lines(text)
        self._ends = line_ends(text)
        self._directives = suppressions.find(text).by_line

    def line_for(self, finding: Finding) -> int | None:
        """The finding's own line, the first of its statement, or the last that is joined with it by a backslash or a
        string: whichever can end in a comment.
        """
        own = finding.span.line
        if finding.statement_line in self._ends and own not in self._ends:
            return finding.statement_line
        return min((line for line in self._ends if line >= own), default=None)

    def comment(self, line: int, codes: Iterable[str], reason: str, cell: int | None) -> Edit:
        """The edit that adds ``codes`` to a line: into the directive that it has, or as a new comment at its end."""
        for directive in self._directives.get(line, ()):
            if directive.own and directive.codes is not None:
                more = "".join(f", {code}" for code in codes if code not in directive.codes)
                column = directive.span.end_column - 1  # before the bracket that closes it
                return Edit(Span(line, column, line, column), more, cell)
        text = self._lines[line - 1]
        content = " ".join(filter(None, (f"  # optlint: ignore[{', '.join(codes)}]", reason)))
        return Edit(Span(line, len(text.rstrip()) + 1, line, len(text) + 1), content, cell)


def line_ends(text: str) -> set[int]:
    """The lines after which a comment may stand: not those that a string or a backslash goes on from."""
    found: set[int] = set()
    try:
        for token in suppressions.tokens(text):
            if token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT):
                found.add(token.start[0])
    except (tokenize.TokenError, SyntaxError):
        return found
    return found
