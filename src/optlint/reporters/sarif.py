"""SARIF 2.1.0, which GitHub's code scanning and many editors read: findings with rules, flows, fixes, fingerprints.

``reporters.write`` calls it. The keys are those of the standard, https://docs.oasis-open.org/sarif/sarif/v2.1.0/.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from optlint import __version__
from optlint.finding import Finding, Fix, Note, Safety, Severity, Span
from optlint.rulepages import page
from optlint.rules import all_rules

if TYPE_CHECKING:
    from optlint.baseline import Entry
    from optlint.engine import Report
    from optlint.fingerprints import Texts
    from optlint.rules.base import Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
HOME = "https://optlint.dev/"

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def to_text(report: Report, texts: Texts) -> str:
    """The report as one run of a SARIF log."""
    return (
        json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [_Run(report, texts).run()]}, indent=2)
        + "\n"
    )


class _Run:
    def __init__(self, report: Report, texts: Texts) -> None:
        self._report = report
        self._texts = texts
        self._rules = list(all_rules())
        self._numbers = {rule.code: number for number, rule in enumerate(self._rules)}

    def run(self) -> dict[str, Any]:
        report = self._report
        run: dict[str, Any] = {
            "tool": {
                "driver": {
                    "name": "optlint",
                    "version": __version__,
                    "semanticVersion": __version__,
                    "informationUri": HOME,
                    "rules": [_rule(rule) for rule in self._rules],
                }
            },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {"ROOT": {"uri": _folder_uri(report.folder)}},
            "invocations": [self._invocation()],
            "results": self._results(report.findings, "new" if report.compared else ""),
        }
        if report.compared:
            run["results"] += self._results(report.unchanged, "unchanged")
            run["results"] += [self._absent(entry) for entry in report.stale]
        return run

    def _invocation(self) -> dict[str, Any]:
        notes = set(self._report.notes)
        return {
            "executionSuccessful": self._report.exit_status != 2,
            "toolExecutionNotifications": [
                {
                    "level": "note" if note in notes else "error",
                    "message": {"text": note.message},
                    "locations": [self._note_place(note)],
                }
                for note in self._report.errors
            ],
        }

    def _note_place(self, note: Note) -> dict[str, Any]:
        return {"physicalLocation": self._physical(note.path, note.cell, Span(note.line, 1, note.line, 1))}

    def _results(self, findings: Sequence[Finding], state: str) -> list[dict[str, Any]]:
        return [self._result(finding, state) for finding in findings]

    def _result(self, finding: Finding, state: str) -> dict[str, Any]:
        result: dict[str, Any] = {
            "ruleId": finding.code,
            "ruleIndex": self._numbers[finding.code],
            "level": _LEVELS[finding.severity],
            "message": {"text": f"{finding.message}\n{finding.help}" if finding.help else finding.message},
            "locations": [self._location(finding.path, finding.cell, finding.span)],
            "partialFingerprints": {"optlint/v1": finding.fingerprint},
            "properties": {"confidence": finding.confidence.value},
        }
        if finding.related:
            places = [(p.path, p.cell, p.span, p.message) for p in finding.related]
            here = (finding.path, finding.cell, finding.span, finding.message)
            result["relatedLocations"] = [
                {"id": number, **self._location(*place)} for number, place in enumerate(places, start=1)
            ]
            steps = [{"location": self._location(*place)} for place in (*places, here)]
            result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
        if finding.fix is not None and finding.fix.safety is not Safety.DISPLAY:
            result["fixes"] = [self._fix(finding, finding.fix)]
        if state:
            result["baselineState"] = state
        return result

    def _absent(self, entry: Entry) -> dict[str, Any]:
        result: dict[str, Any] = {
            "ruleId": entry.code,
            "message": {"text": f"no longer found: {entry.line}"},
            "locations": [{"physicalLocation": {"artifactLocation": self._artifact(entry.path)}}],
            "partialFingerprints": {"optlint/v1": entry.fingerprint},
            "baselineState": "absent",
        }
        return result | ({"ruleIndex": self._numbers[entry.code]} if entry.code in self._numbers else {})

    def _fix(self, finding: Finding, fix: Fix) -> dict[str, Any]:
        replacements = [
            {
                "deletedRegion": _region(self._in_file(finding.path, edit.cell, edit.span)),
                "insertedContent": {"text": self._as_written(finding, edit.content)},
            }
            for edit in fix.edits
        ]
        change = {"artifactLocation": self._artifact(finding.path), "replacements": replacements}
        return {"description": {"text": fix.message}, "artifactChanges": [change]}

    def _as_written(self, finding: Finding, content: str) -> str:
        """What an edit puts into the file: within the JSON of a notebook, its escapes."""
        return content if finding.cell is None else json.dumps(content, ensure_ascii=False)[1:-1]

    def _location(self, path: str, cell: int | None, span: Span, message: str = "") -> dict[str, Any]:
        location: dict[str, Any] = {"physicalLocation": self._physical(path, cell, span)}
        if cell is not None:
            location["logicalLocations"] = [{"name": f"cell {cell}", "kind": "member"}]
        if message:
            location["message"] = {"text": message}
        return location

    def _physical(self, path: str, cell: int | None, span: Span) -> dict[str, Any]:
        return {"artifactLocation": self._artifact(path), "region": _region(self._in_file(path, cell, span))}

    def _in_file(self, path: str, cell: int | None, span: Span) -> Span:
        return self._texts.in_file(os.path.join(self._report.folder, path), cell, span)

    def _artifact(self, path: str) -> dict[str, Any]:
        if os.path.isabs(path):
            return {"uri": "file://" + quote(path)}
        return {"uri": quote(path), "uriBaseId": "ROOT"}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _folder_uri(folder: str) -> str:
    path = folder.replace(os.sep, "/").rstrip("/")
    return f"file://{quote(path if path.startswith('/') or not path else '/' + path)}/"


def _rule(rule: type[Rule]) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": "".join(part.capitalize() for part in rule.name.split("-")),
        "shortDescription": {"text": rule.summary()},
        "fullDescription": {"text": rule.description()},
        "helpUri": rule.url(),
        "help": {"text": f"{rule.summary()}\n\n{rule.at_run_time}".strip(), "markdown": page(rule)},
        "defaultConfiguration": {"enabled": rule.default, "level": _LEVELS[rule.severity]},
        "properties": {
            "precision": "very-high" if rule.confidence.value == "certain" else "high",
            "problem.severity": {"note": "recommendation"}.get(
                _LEVELS[rule.severity], _LEVELS[rule.severity]
            ),
            "tags": ["machine-learning", *(framework.lower() for framework in rule.frameworks)],
        },
    }
