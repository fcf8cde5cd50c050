"""Workflow commands of GitHub Actions: each finding becomes an annotation of the pull request.

``reporters.write`` calls it. https://docs.github.com/actions/reference/workflow-commands-for-github-actions says what
may stand in them and how it is escaped.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from optlint.finding import Severity
from optlint.reporters import visible

if TYPE_CHECKING:
    from optlint.engine import Report
    from optlint.finding import Finding
    from optlint.fingerprints import Texts

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def to_text(report: Report, texts: Texts) -> str:
    """One command a line, in the report's order."""
    return "".join(_command(finding, report.folder, texts) + "\n" for finding in report.findings)


def _command(finding: Finding, folder: str, texts: Texts) -> str:
    span = texts.in_file(os.path.join(folder, finding.path), finding.cell, finding.span)
    properties = {
        "file": finding.path,
        "line": str(span.line),
        "endLine": str(span.end_line),
        "title": f"{finding.code} {finding.name}",
    }
    if span.line == span.end_line:  # columns of a range over several lines are refused
        properties |= {"col": str(span.column), "endColumn": str(span.end_column)}
    cell = "" if finding.cell is None else f"cell {finding.cell}: "
    advice = f"\nhelp: {finding.help}" if finding.help else ""
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{_COMMANDS[finding.severity]} {listed}::{_message(cell + finding.message + advice)}"


def _message(text: str) -> str:
    lines = (visible(line) for line in text.splitlines())
    return "\n".join(lines).replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return visible(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
