"""Findings that are known and left for later: which of a report are new, and which entries have served their time.

The command line reads and writes baselines through here. Must not know how a report is shown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optlint.deferred import dataclass
from optlint.fingerprints import Texts, line_texts
from optlint.rules.housekeeping import RuleFailed

if TYPE_CHECKING:
    from optlint.engine import Report
    from optlint.finding import Finding

VERSION = 1


class BaselineError(Exception):
    """A file that is no baseline. ``str`` of it is for the user."""


@dataclass(frozen=True, order=True)
class Entry:
    """A known finding: where it is (``path`` relative to the baseline), its rule, its line, and what it is known by."""

    path: str
    code: str
    line: str
    fingerprint: str


def entries(report: Report, folder: str, texts: Texts) -> list[Entry]:
    """What a baseline in ``folder`` would hold of a report's findings, sorted. Faults of optlint are never known."""
    return sorted(
        entry for finding, entry in _with_entries(report, folder, texts) if finding.code != RuleFailed.code
    )


def _with_entries(report: Report, folder: str, texts: Texts) -> Iterable[tuple[Finding, Entry]]:
    lines = line_texts(report.findings, report.folder, texts)
    for finding, line in zip(report.findings, lines, strict=True):
        path = os.path.relpath(os.path.join(report.folder, finding.path), folder).replace(os.sep, "/")
        yield finding, Entry(path, finding.code, line, finding.fingerprint)


def compare(
    report: Report, known: Collection[Entry], folder: str, checked: Collection[str], texts: Texts
) -> Report:
    """``report`` with only what is new among its findings; the others, and stale entries, are named beside them.

    ``known`` is the baseline that lies in ``folder``; ``checked`` are the absolute paths of the files of this run: an
    entry about another file that still exists is not stale.
    """
    identities = {(entry.path, entry.code, entry.fingerprint) for entry in known}
    new: list[Finding] = []
    old: list[Finding] = []
    met: set[tuple[str, str, str]] = set()
    for finding, entry in _with_entries(report, folder, texts):
        identity = (entry.path, entry.code, entry.fingerprint)
        met.add(identity)
        (old if identity in identities else new).append(finding)
    stale = [entry for entry in sorted(known) if (entry.path, entry.code, entry.fingerprint) not in met]
    gone = tuple(
        entry for entry in stale if _judged(os.path.normpath(os.path.join(folder, entry.path)), checked)
    )
    return replace(report, findings=tuple(new), unchanged=tuple(old), stale=gone, compared=True)


def _judged(path: str, checked: Collection[str]) -> bool:
    return path in checked or not os.path.exists(path)


def to_text(known: Iterable[Entry]) -> str:
    """A baseline as it is written: JSON, an entry after the other in the order of paths."""
    rows = [{"path": e.path, "code": e.code, "line": e.line, "fingerprint": e.fingerprint} for e in known]
    return json.dumps({"version": VERSION, "findings": rows}, indent=2, ensure_ascii=False) + "\n"


def from_bytes(data: bytes) -> list[Entry]:
    """The entries of a baseline. Raises ``BaselineError``."""
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BaselineError("no baseline: it is not JSON") from error
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise BaselineError(f"no baseline of version {VERSION}; --write-baseline writes one")
    rows = document.get("findings")
    if not isinstance(rows, list):
        raise BaselineError("no baseline: `findings` is no list")
    return [_entry(row, number) for number, row in enumerate(rows, start=1)]


def _entry(row: Any, number: int) -> Entry:
    keys = ("path", "code", "line", "fingerprint")
    values = [row.get(key) if isinstance(row, dict) else None for key in keys]
    if not all(isinstance(value, str) for value in values):
        raise BaselineError(f"entry {number} lacks one of {', '.join(keys)}")
    return Entry(*(str(value) for value in values))
