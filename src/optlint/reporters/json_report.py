"""The report as JSON, version 1: what ``docs/output.schema.json`` describes.

``reporters.write`` calls it. Users' programs read this: a key never changes its meaning within a version.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from optlint.finding import Edit, Finding, Fix, Note, Related, Safety, Span
from optlint.rules.base import page_url

if TYPE_CHECKING:
    from optlint.engine import Report

VERSION = 1


def to_json(report: Report) -> str:
    """The report as indented JSON in ASCII, ended by a line feed."""
    fixable = sum(
        1 for finding in report.findings if finding.fix and finding.fix.safety is not Safety.DISPLAY
    )
    document = {
        "version": VERSION,
        "findings": [_finding(finding) for finding in report.findings],
        "errors": [_error(note) for note in report.errors],
        "summary": {"files": report.files, "findings": len(report.findings), "fixable": fixable},
    }
    return json.dumps(document, indent=2) + "\n"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity.value,
        "message": finding.message,
        "help": finding.help,
        "url": page_url(finding.name),
        "confidence": finding.confidence.value,
        "path": finding.path,
        "cell": finding.cell,
        **_place(finding.span),
        "related": [_related(place) for place in finding.related],
        "fix": None if finding.fix is None else _fix(finding.fix),
    }


def _place(span: Span) -> dict[str, int]:
    return {
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _related(place: Related) -> dict[str, Any]:
    return {
        "path": place.path,
        "cell": place.cell,
        "line": place.span.line,
        "column": place.span.column,
        "message": place.message,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "safety": fix.safety.value,
        "message": fix.message,
        "edits": [_edit(edit) for edit in fix.edits],
    }


def _edit(edit: Edit) -> dict[str, Any]:
    return {"cell": edit.cell, **_place(edit.span), "content": edit.content}


def _error(note: Note) -> dict[str, Any]:
    return {"path": note.path, "cell": note.cell, "line": note.line, "message": note.message}
