"""What a finding is known by from one version of a file to the next: its rule and its line's text, not its number.

The baseline and the reports for other programs ask. Must not know how findings come about.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from optlint.source import split_lines

if TYPE_CHECKING:
    from optlint.finding import Finding, Span


class Texts(Protocol):
    """Reads what findings are about."""

    def shown(self, path: str, cell: int | None = None) -> str | None:
        """The text of a file, or of one cell of a notebook; ``None`` where there is none."""

    def in_file(self, path: str, cell: int | None, span: Span) -> Span:
        """A range as lines and columns of the file itself, also in a notebook."""


def line_texts(findings: Sequence[Finding], folder: str, texts: Texts) -> list[str]:
    """The text of the line on which each finding begins, without its indentation."""
    known: dict[tuple[str, int | None], list[str]] = {}
    found: list[str] = []
    for finding in findings:
        place = (finding.path, finding.cell)
        if place not in known:
            text = texts.shown(os.path.join(folder, finding.path), finding.cell)
            known[place] = split_lines(text) if text is not None else []
        number, lines = finding.span.line, known[place]
        found.append(lines[number - 1].strip() if 1 <= number <= len(lines) else "")
    return found


def fingerprints(findings: Sequence[Finding], folder: str, texts: Texts) -> list[str]:
    """For each finding of a report a text that stays the same when lines move, and differs from the others' in its file.

    ``folder`` is what the findings' paths are relative to.
    """
    if not findings:
        return []
    import hashlib  # loads OpenSSL

    seen: Counter[tuple[str, str, str]] = Counter()
    result: list[str] = []
    for finding, line in zip(findings, line_texts(findings, folder, texts), strict=True):
        key = (finding.path, finding.code, line)
        seen[key] += 1
        content = "\0".join((finding.code, line, str(seen[key])))
        result.append(hashlib.sha256(content.encode("utf-8", "backslashreplace")).hexdigest()[:32])
    return result
