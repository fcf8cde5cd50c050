"""Writes suppression comments: which line can carry one, and the edit that puts it there.

The command line (``--add-ignore``) and the editor server call it. Must not know how findings are made.
"""

from __future__ import annotations

import io
import os
import re
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optlint.finding import Edit, Finding, Fix, Safety, Span
from optlint.fixing import EditError, edited
from optlint.source import SourceError, SourceStore, normalise_newlines, split_lines

if TYPE_CHECKING:
    from optlint.engine import Report

_OWN = re.compile(r"#\s*optlint\s*:\s*ignore\s*\[(?P<codes>[^\]]*)\]", re.IGNORECASE)
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
    ends: dict[int | None, Mapping[int, int]] = {}
    for finding in findings:
        cell = finding.cell
        if cell not in ends:
            ends[cell] = line_ends(store.shown(path, cell) or "")
        line = _line_for(finding, ends[cell])
        if line is None:
            hopeless.append(finding)
        elif finding.code not in codes.setdefault((cell, line), []):
            codes[cell, line].append(finding.code)
    edits = []
    for (cell, line), of_line in codes.items():
        text = split_lines(store.shown(path, cell) or "")[line - 1]
        edits.append(_comment(text, line, of_line, reason, cell))
    return edits, hopeless


def fix_for(finding: Finding, text: str) -> Fix | None:
    """The edit that suppresses one finding in ``text``, that of its file or cell; ``None`` where no line can hold it."""
    line = _line_for(finding, line_ends(text)) if finding.code not in _NEVER else None
    if line is None:
        return None
    edit = _comment(split_lines(text)[line - 1], line, [finding.code], "", finding.cell)
    return Fix(Safety.DISPLAY, f"Suppress {finding.code} on this line", (edit,))


def _line_for(finding: Finding, ends: Mapping[int, int]) -> int | None:
    """The finding's own line, the first of its statement, or the last that is joined with it by a backslash or a string:
    whichever can end in a comment.
    """
    own = finding.span.line
    if finding.statement_line in ends and own not in ends:
        return finding.statement_line
    return min((line for line in ends if line >= own), default=None)


def line_ends(text: str) -> dict[int, int]:
    """The lines after which a comment may stand, each with its length: not those that a string or a backslash goes on
    from.
    """
    lines = split_lines(text)
    found: dict[int, int] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(normalise_newlines(text)).readline):
            if token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT):
                found[token.start[0]] = len(lines[token.start[0] - 1])
    except (tokenize.TokenError, SyntaxError, IndexError):
        return found
    return found


def _comment(text: str, line: int, codes: Iterable[str], reason: str, cell: int | None) -> Edit:
    """The edit that adds ``codes`` to a line: into the directive that it has, or as a new comment at its end."""
    match = _OWN.search(text)
    if match is not None and match["codes"].strip():
        known = {code.strip() for code in match["codes"].split(",")}
        more = "".join(f", {code}" for code in codes if code not in known)
        column = match.end("codes") + 1
        return Edit(Span(line, column, line, column), more, cell)
    kept = text.rstrip()
    content = f"  # optlint: ignore[{', '.join(codes)}]"
    return Edit(
        Span(line, len(kept) + 1, line, len(text) + 1), f"{content} {reason}" if reason else content, cell
    )
