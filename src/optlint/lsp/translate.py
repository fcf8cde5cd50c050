"""Findings, fixes and rules in the protocol's terms: diagnostics, edits, actions and hover texts.

The server calls it with what a check gave. Must not know how documents change or when they are checked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from lsprotocol import types
from pygls.workspace import PositionCodec

from optlint import ignoring
from optlint.deferred import dataclass
from optlint.finding import Edit, Finding, Fix, Safety, Severity, Span
from optlint.fixing import without_overlap
from optlint.lsp.documents import Checked
from optlint.rulepages import page
from optlint.rules import all_rules
from optlint.rules.base import page_url
from optlint.source import split_lines

SOURCE = "optlint"
FIX_ALL = "source.fixAll.optlint"

_SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFO: types.DiagnosticSeverity.Information,
}


@dataclass(frozen=True)
class Shown:
    """A finding and the diagnostic that the editor got for it."""

    finding: Finding
    diagnostic: types.Diagnostic


class Translator:
    """Translates one check, in the units in which the editor counts columns."""

    def __init__(self, checked: Checked, codec: PositionCodec) -> None:
        self._checked = checked
        self._codec = codec
        self._lines: dict[tuple[str, int | None], list[str]] = {}

    def diagnostics(self) -> dict[str, list[Shown]]:
        """The findings by the address of the document that they stand in; every open document has an entry."""
        found: dict[str, list[Shown]] = {uri: [] for uri in self._checked.snapshot.versions}
        for finding in self._checked.report.findings:
            path = self._absolute(finding.path)
            uri = self._checked.snapshot.uri(path, finding.cell)
            found.setdefault(uri, []).append(Shown(finding, self._diagnostic(finding, path)))
        return found

    def actions(
        self, shown: Sequence[Shown], wanted: types.Range, only: Sequence[str] | None
    ) -> Iterator[types.CodeAction]:
        """What can be done about the findings of one document that touch a range."""
        if _asked(types.CodeActionKind.QuickFix, only):
            for one in shown:
                if _touch(one.diagnostic.range, wanted):
                    yield from self._quick_fixes(one)
        if _asked(FIX_ALL, only):
            safe = [(s.finding, s.finding.fix) for s in shown if s.finding.fix is not None]
            chosen = without_overlap((f, fix) for f, fix in safe if fix.safety is Safety.SAFE)
            edits = [(f, edit) for f, fix in chosen for edit in fix.edits]
            if edits:
                title = f"Fix all that {SOURCE} can fix safely"
                yield types.CodeAction(title, kind=FIX_ALL, edit=self._workspace_edit(edits))

    def _quick_fixes(self, shown: Shown) -> Iterator[types.CodeAction]:
        finding = shown.finding
        if finding.fix is not None and finding.fix.safety is not Safety.DISPLAY:
            safe = finding.fix.safety is Safety.SAFE
            title = (
                finding.fix.message if safe else f"{finding.fix.message} (unsafe: look at what it changes)"
            )
            yield self._action(title, shown, finding.fix, preferred=safe)
        text = self._checked.store.shown(self._absolute(finding.path), finding.cell)
        suppress = ignoring.fix_for(finding, text or "")
        if suppress is not None:
            yield self._action(suppress.message, shown, suppress, preferred=False)

    def _action(self, title: str, shown: Shown, fix: Fix, *, preferred: bool) -> types.CodeAction:
        return types.CodeAction(
            title,
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[shown.diagnostic],
            is_preferred=preferred,
            edit=self._workspace_edit((shown.finding, edit) for edit in fix.edits),
        )

    def _workspace_edit(self, edits: Iterable[tuple[Finding, Edit]]) -> types.WorkspaceEdit:
        """The edits, each for the version of the document that was checked."""
        by_uri: dict[str, list[types.TextEdit | types.AnnotatedTextEdit | types.SnippetTextEdit]] = {}
        for finding, edit in edits:
            path = self._absolute(finding.path)
            uri = self._checked.snapshot.uri(path, edit.cell)
            place = self._range(path, edit.cell, edit.span)
            by_uri.setdefault(uri, []).append(types.TextEdit(place, edit.content))
        versions = self._checked.snapshot.versions
        return types.WorkspaceEdit(
            document_changes=[
                types.TextDocumentEdit(
                    types.OptionalVersionedTextDocumentIdentifier(uri, versions.get(uri)), changes
                )
                for uri, changes in by_uri.items()
            ]
        )

    def _diagnostic(self, finding: Finding, path: str) -> types.Diagnostic:
        advice = f"\n{finding.help}" if finding.help else ""
        return types.Diagnostic(
            self._range(path, finding.cell, finding.span),
            message=finding.message + advice,
            severity=_SEVERITIES[finding.severity],
            code=finding.code,
            code_description=types.CodeDescription(page_url(finding.name)),
            source=SOURCE,
            related_information=[
                types.DiagnosticRelatedInformation(
                    types.Location(
                        self._checked.snapshot.uri(self._absolute(place.path), place.cell),
                        self._range(self._absolute(place.path), place.cell, place.span),
                    ),
                    place.message,
                )
                for place in finding.related
            ],
            data={"fingerprint": finding.fingerprint},
        )

    def _absolute(self, path: str) -> str:
        return os.path.normpath(os.path.join(self._checked.report.folder, path))

    def _range(self, path: str, cell: int | None, span: Span) -> types.Range:
        key = (path, cell)
        if key not in self._lines:
            self._lines[key] = split_lines(self._checked.store.shown(path, cell) or "")
        lines = self._lines[key]
        return types.Range(
            self._position(lines, span.line, span.column),
            self._position(lines, span.end_line, span.end_column),
        )

    def _position(self, lines: Sequence[str], line: int, column: int) -> types.Position:
        if line > len(lines):
            return types.Position(line - 1, 0)
        return types.Position(line - 1, self._codec.client_num_units(lines[line - 1][: column - 1]))


def hover(shown: Iterable[Shown], position: types.Position) -> types.Hover | None:
    """The page of the rule whose finding stands at ``position``."""
    for one in shown:
        place = one.diagnostic.range
        if place.start <= position <= place.end:
            rule = next((rule for rule in all_rules() if rule.code == one.finding.code), None)
            if rule is not None:
                content = types.MarkupContent(types.MarkupKind.Markdown, page(rule))
                return types.Hover(content, range=place)
    return None


def _asked(kind: str, only: Sequence[str] | None) -> bool:
    """Whether an editor that asks for actions of some kinds (``None``: any) means this one."""
    if only is None:
        return kind != FIX_ALL
    return any(kind == wanted or kind.startswith(wanted + ".") or not wanted for wanted in only)


def _touch(one: types.Range, other: types.Range) -> bool:
    return one.start <= other.end and other.start <= one.end
