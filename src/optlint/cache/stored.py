"""Outcomes as plain JSON data and back; paths are written so that a moved project keeps its results.

``results`` calls it. What is read may be anything at all: whatever is not exactly what we write raises ``Malformed``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from optlint.checker import Outcome
from optlint.finding import Confidence, Edit, Finding, Fix, Note, Related, Safety, Severity, Span
from optlint.suppressions import Suppression, Suppressions

T = TypeVar("T")


class Malformed(Exception):  # noqa: N818
    """Data that we have not written."""


class Base:
    """The folder that paths in the cache are relative to; those outside of it, or all without one, are absolute."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._below = os.path.join(folder, "") if folder else "\0"

    def key(self, path: str) -> str:
        """A path as it is stored."""
        if path == self._folder:
            return "."
        return path[len(self._below) :].replace(os.sep, "/") if path.startswith(self._below) else path

    def path(self, key: object) -> str:
        """A stored path as an absolute one. Raises ``Malformed``."""
        text = checked(key, str)
        if "\0" in text:
            raise Malformed
        if text == ".":
            return self._folder
        return text if os.path.isabs(text) else self._below + text.replace("/", os.sep)


def checked(value: object, kind: type[T]) -> T:
    """``value``, which must be of exactly this type. Raises ``Malformed``."""
    if type(value) is not kind:
        raise Malformed
    return value


def listed(value: object, each: Callable[[Any], T]) -> list[T]:
    """A list with ``each`` of its items converted. Raises ``Malformed``."""
    return [each(item) for item in checked(value, list)]


def is_cacheable(outcome: Outcome) -> bool:
    """Whether an outcome says something of the file, and not of the run."""
    return not outcome.faults and not outcome.details and bool(outcome.looked)


def to_data(outcome: Outcome, base: Base) -> Any:
    """An outcome as JSON data; most are the same, and short."""
    if (
        not (outcome.findings or outcome.notes or outcome.suppressions or outcome.skipped or outcome.left_out)
        and outcome.analysed
    ):
        return 0
    return [
        [_finding_data(finding, base) for finding in outcome.findings],
        [[base.key(note.path), note.line, note.message, note.cell] for note in outcome.notes],
        None if outcome.suppressions is None else _suppressions_data(outcome.suppressions),
        outcome.skipped,
        outcome.analysed,
        outcome.left_out,
    ]


def from_data(data: object, path: str, base: Base) -> Outcome:
    """The outcome of the file ``path``. Raises ``Malformed``."""
    if data == 0 and type(data) is int:
        return Outcome(path, analysed=True)
    findings, notes, suppressions, skipped, analysed, left_out = _parts(data, 6)
    return Outcome(
        path,
        listed(findings, lambda item: _finding(item, base)),
        listed(notes, lambda item: _note(item, base)),
        suppressions=None if suppressions is None else _suppressions(suppressions),
        skipped=checked(skipped, bool),
        analysed=checked(analysed, bool),
        left_out=listed(left_out, lambda item: checked(item, str)),
    )


def _parts(value: object, count: int) -> Sequence[Any]:
    parts = checked(value, list)
    if len(parts) != count:
        raise Malformed
    return parts


def _finding_data(finding: Finding, base: Base) -> Any:
    fix = finding.fix
    return [
        finding.code,
        finding.name,
        finding.severity.value,
        finding.confidence.value,
        finding.message,
        base.key(finding.path),
        _span_data(finding.span),
        finding.help,
        [[base.key(place.path), _span_data(place.span), place.message] for place in finding.related],
        None
        if fix is None
        else [fix.safety.value, fix.message, [[_span_data(e.span), e.content] for e in fix.edits]],
        finding.statement_line,
    ]


def _finding(data: object, base: Base) -> Finding:
    code, name, severity, confidence, message, path, span, advice, related, fix, line = _parts(data, 11)
    try:
        return Finding(
            checked(code, str),
            checked(name, str),
            Severity(severity),
            Confidence(confidence),
            checked(message, str),
            base.path(path),
            _span(span),
            checked(advice, str),
            tuple(listed(related, lambda item: _related(item, base))),
            None if fix is None else _fix(fix),
            checked(line, int),
        )
    except ValueError as error:
        raise Malformed from error


def _related(data: object, base: Base) -> Related:
    path, span, message = _parts(data, 3)
    return Related(base.path(path), _span(span), checked(message, str))


def _fix(data: object) -> Fix:
    safety, message, edits = _parts(data, 3)
    return Fix(Safety(safety), checked(message, str), tuple(listed(edits, _edit)))


def _edit(data: object) -> Edit:
    span, content = _parts(data, 2)
    return Edit(_span(span), checked(content, str))


def _note(data: object, base: Base) -> Note:
    path, line, message, cell = _parts(data, 4)
    number = None if cell is None else checked(cell, int)
    return Note(base.path(path), checked(line, int), checked(message, str), number)


def _span_data(span: Span) -> list[int]:
    return [span.line, span.column, span.end_line, span.end_column]


def _span(data: object) -> Span:
    line, column, end_line, end_column = (checked(number, int) for number in _parts(data, 4))
    return Span(line, column, end_line, end_column)


def _suppressions_data(suppressions: Suppressions) -> Any:
    every = [one for line in suppressions.by_line.values() for one in line]
    return [
        [[_span_data(one.span), one.codes, one.own, one.sure] for one in every],
        [[first, line] for first, line in suppressions.joined.items()],
    ]


def _suppressions(data: object) -> Suppressions:
    every, joined = _parts(data, 2)
    found = Suppressions()
    for one in listed(every, _suppression):
        found.by_line.setdefault(one.span.line, []).append(one)
    for pair in listed(joined, lambda item: _parts(item, 2)):
        found.joined[checked(pair[0], int)] = checked(pair[1], int)
    return found


def _suppression(data: object) -> Suppression:
    span, codes, own, sure = _parts(data, 4)
    parts = None if codes is None else tuple(listed(codes, lambda code: checked(code, str)))
    return Suppression(_span(span), parts, checked(own, bool), checked(sure, bool))
