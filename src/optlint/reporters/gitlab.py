"""The report that GitLab shows in a merge request: its Code Quality format, a subset of Code Climate's.

``reporters.write`` calls it. https://docs.gitlab.com/ci/testing/code_quality/ describes the keys.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from optlint.finding import Severity
from optlint.reporters import one_line

if TYPE_CHECKING:
    from optlint.engine import Report
    from optlint.finding import Finding
    from optlint.fingerprints import Texts

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "major", Severity.INFO: "info"}


def to_text(report: Report, texts: Texts) -> str:
    """A JSON array with an object for each finding."""
    rows = [_row(finding, report.folder, texts) for finding in report.findings]
    return json.dumps(rows, indent=2) + "\n"


def _row(finding: Finding, folder: str, texts: Texts) -> dict[str, Any]:
    span = texts.in_file(os.path.join(folder, finding.path), finding.cell, finding.span)
    cell = "" if finding.cell is None else f"cell {finding.cell}: "
    # GitLab takes two findings with one fingerprint for the same, in whatever files they are.
    identity = f"{finding.path}\0{finding.fingerprint}".encode("utf-8", "replace")
    return {
        "description": one_line(f"{cell}{finding.code} {finding.message}"),
        "check_name": finding.name,
        "fingerprint": hashlib.sha256(identity).hexdigest()[:32],
        "severity": _SEVERITIES[finding.severity],
        "location": {"path": finding.path, "lines": {"begin": span.line, "end": span.end_line}},
    }
