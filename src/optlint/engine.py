"""From files to a report: which process checks what, and what all files' findings come to together.

The command line, the editor server and the tests call ``run``. Must not know options, or how a report is
shown.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint import garbage, suppressions
from optlint.checker import Outcome, may_matter, rules_of
from optlint.deferred import dataclass
from optlint.discovery import Excluder
from optlint.finding import Edit, Finding, Fix, Note, Related, Span
from optlint.fingerprints import fingerprints
from optlint.rules import all_rules
from optlint.rules.housekeeping import InvalidSyntax, RuleFailed, UnusedSuppression, housekeeping_finding
from optlint.selection import matches
from optlint.source import SourceStore
from optlint.suppressions import Suppressions

if TYPE_CHECKING:
    from optlint.baseline import Entry
    from optlint.cache.results import ResultCache
    from optlint.settings import Settings
    from optlint.workers import Progress, Take

__all__ = ["Report", "may_matter", "run"]


@dataclass(frozen=True)
class Report:
    """What a run found, ready to be shown: paths are relative to ``folder`` where they lie below it.

    ``errors`` names every file that could not be (fully) checked and why; ``notes`` are those of them that are the
    user's mistake in nothing; ``faults`` what went wrong with the run itself; ``details`` the tracebacks behind them.
    Where it was ``compared`` with a baseline, ``unchanged`` are the findings that it knows, ``stale`` its entries that
    are no more. ``cached`` counts the files whose results were known from earlier runs;
    ``left_out`` tells of files that were too much to be followed to the end.
    """

    folder: str
    files: int
    findings: tuple[Finding, ...]
    errors: tuple[Note, ...] = ()
    notes: tuple[Note, ...] = ()
    faults: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    unchanged: tuple[Finding, ...] = ()
    stale: tuple[Entry, ...] = ()
    compared: bool = False
    cached: int = 0
    left_out: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """0 nothing found, 1 findings, 2 the run itself went wrong."""
        if self.faults or any(finding.code == RuleFailed.code for finding in self.findings):
            return 2
        return 1 if self.findings else 0


def run(
    files: Sequence[str],
    settings_of: Callable[[str], Settings],
    *,
    store: SourceStore | None = None,
    jobs: int = 1,
    folder: str | None = None,
    progress: Progress | None = None,
    cache: ResultCache | None = None,
) -> Report:
    """Check ``files`` (absolute paths) and bring together what they gave.

    ``settings_of`` gives the settings for an absolute folder; ``store`` reads files; ``jobs`` is the number
    of processes; ``folder`` is what the report's paths are relative to (default: the current folder). The
    report is the same for any ``jobs``. ``progress`` is told of files as they are done: how many, and of how many.
    ``cache`` knows what earlier runs gave; it is left out where texts are laid over the disk.
    Raises what ``settings_of`` raises.
    """
    store = store or SourceStore()
    files = sorted(dict.fromkeys(files))
    if store.overlay:
        cache = None
    known = _known(files, settings_of, cache)
    if progress is not None and known:
        progress(len(known), len(files))
    fresh: list[Outcome] = []

    def take(outcomes: Sequence[Outcome]) -> None:
        fresh.extend(outcomes)
        if progress is not None:
            progress(len(outcomes), len(files))

    try:
        _check([file for file in files if file not in known], settings_of, store, jobs, take, cache)
    except BaseException:
        with contextlib.suppress(Exception):  # what is told is why the run ended
            _keep(fresh, settings_of, cache)
        raise
    _keep(fresh, settings_of, cache)
    outcomes = sorted((*known.values(), *fresh), key=lambda outcome: outcome.path)
    report = _Merger(outcomes, settings_of, store, folder or os.getcwd()).report()
    return replace(report, cached=len(known))


def _known(
    files: Sequence[str], settings_of: Callable[[str], Settings], cache: ResultCache | None
) -> dict[str, Outcome]:
    """The outcomes of the files that the cache knows, by path."""
    if cache is None:
        return {}
    found = ((path, cache.lookup(path, settings_of(os.path.dirname(path)))) for path in files)
    return {path: outcome for path, outcome in found if outcome is not None}


def _keep(
    outcomes: Iterable[Outcome], settings_of: Callable[[str], Settings], cache: ResultCache | None
) -> None:
    """Keep outcomes for later runs, also those of a run that was interrupted."""
    if cache is not None:
        for outcome in outcomes:
            cache.keep(outcome, settings_of(os.path.dirname(outcome.path)))
        cache.close()


def _check(
    files: Sequence[str],
    settings_of: Callable[[str], Settings],
    store: SourceStore,
    jobs: int,
    take: Take,
    cache: ResultCache | None,
) -> None:
    """Have files checked; ``take`` is given their outcomes."""
    if not files:
        return
    from optlint.workers import check_all

    numbers: dict[Settings, int] = {}
    tasks = [(path, numbers.setdefault(settings_of(os.path.dirname(path)), len(numbers))) for path in files]
    surroundings = None if cache is None else cache.surroundings
    with garbage.by_need():
        check_all(tasks, tuple(numbers), store, jobs, take, surroundings)


class _Merger:
    """Brings the outcomes of all files together; only here is it known which findings stand in which file."""

    def __init__(
        self,
        outcomes: Sequence[Outcome],
        settings_of: Callable[[str], Settings],
        store: SourceStore,
        folder: str,
    ) -> None:
        self._outcomes = outcomes
        self._by_path = {outcome.path: outcome for outcome in outcomes}
        self._settings_of = settings_of
        self._store = store
        self._folder = folder
        self._excluder = Excluder(settings_of)
        self._foreign: dict[str, Suppressions | None] = {}
        self._active_codes: dict[str, frozenset[str]] = {}

    def report(self) -> Report:
        kept = [finding for outcome, finding in self._distinct() if self._stays(finding, outcome)]
        kept += self._unused_suppressions()
        shown = [self._shown(finding) for finding in kept]
        notes = _sorted({self._shown_note(note) for outcome in self._outcomes for note in outcome.notes})
        failures = {note for outcome in self._outcomes for note in self._failures(outcome)}
        return Report(
            folder=self._folder,
            files=len(self._outcomes),
            findings=self._marked(sorted(shown, key=lambda finding: finding.sort_key)),
            errors=_sorted({*notes, *failures}),
            notes=notes,
            faults=tuple(
                f"{self._display(outcome.path)}: {fault}"
                for outcome in self._outcomes
                for fault in outcome.faults
            ),
            details=tuple(detail for outcome in self._outcomes for detail in outcome.details),
            left_out=tuple(
                f"{self._display(outcome.path)}: {reason}"
                for outcome in self._outcomes
                for reason in outcome.left_out
            ),
        )

    def _marked(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        marks = fingerprints(findings, self._folder, self._store)
        return tuple(replace(f, fingerprint=mark) for f, mark in zip(findings, marks, strict=True))

    def _distinct(self) -> Iterator[tuple[Outcome, Finding]]:
        """Each finding once, although several scripts may have led to it; the first script's words stand, and what came
        of that script is given with it.
        """
        seen: set[tuple[str, str, Span, str]] = set()
        for outcome in self._outcomes:
            for found in outcome.findings:
                finding = replace(found, path=os.path.abspath(found.path))
                identity = (finding.code, finding.path, finding.span, finding.message)
                if identity not in seen:
                    seen.add(identity)
                    yield outcome, finding

    def _stays(self, finding: Finding, outcome: Outcome) -> bool:
        if finding.path not in self._by_path and self._excluder.excludes_anywhere(finding.path):
            return False
        if not self._counts(finding, outcome):
            return False
        if self._skipped(finding.path):
            return False
        found = self._suppressions(finding.path)
        return found is None or not found.suppress(finding)

    def _counts(self, finding: Finding, outcome: Outcome) -> bool:
        """Whether the finding's rule is selected for the file that it stands in, and not ignored there. The rules, which
        take long to load, are left alone where no rule is chosen, neither there nor for the file that led to it.
        """
        settings = self._settings_of(os.path.dirname(finding.path))
        leading = self._settings_of(os.path.dirname(outcome.path))
        if settings.choices() or leading.choices():
            return finding.code in self._active(finding.path)
        return not any(matches(selector, finding) for selector in settings.ignored_in(finding.path))

    def _active(self, path: str) -> frozenset[str]:
        """The codes that count in ``path``: selected, and not ignored for this file."""
        if path not in self._active_codes:
            settings = self._settings_of(os.path.dirname(path))
            ignored = settings.ignored_in(path)
            rules = rules_of(settings)
            self._active_codes[path] = frozenset(
                rule.code for rule in rules if not any(matches(selector, rule) for selector in ignored)
            )
        return self._active_codes[path]

    def _skipped(self, path: str) -> bool:
        if path in self._by_path:
            return self._by_path[path].skipped
        text = self._store.read(path)
        return text is not None and suppressions.skips_file(text)

    def _suppressions(self, path: str) -> Suppressions | None:
        own = self._by_path.get(path)
        if own is not None and own.suppressions is not None:
            return own.suppressions
        if path not in self._foreign:
            text = self._store.read(path)
            self._foreign[path] = None if text is None else suppressions.find(text)
        return self._foreign[path]

    def _unused_suppressions(self) -> Iterator[Finding]:
        for outcome in self._outcomes:
            active = self._active(outcome.path) if outcome.suppressions else frozenset()
            if outcome.suppressions is None or not outcome.analysed or UnusedSuppression.code not in active:
                continue
            for suppression, message in outcome.suppressions.unused(active, all_rules()):
                finding = housekeeping_finding(UnusedSuppression, outcome.path, suppression.span, message)
                if not outcome.suppressions.covers_itself(finding, suppression):
                    text = self._store.read(outcome.path) or ""
                    fix = suppressions.removal(suppression, text, message)
                    yield replace(finding, help="remove it", fix=fix)

    def _failures(self, outcome: Outcome) -> Iterator[Note]:
        """What kept the file from being checked, besides its notes."""
        for finding in outcome.findings:
            if finding.code == InvalidSyntax.code:
                yield self._shown_note(Note(finding.path, finding.span.line, finding.message))
        for fault in outcome.faults:
            yield Note(self._display(outcome.path), 1, fault)

    def _shown_note(self, note: Note) -> Note:
        path = os.path.abspath(note.path)
        span, cell = self._place(path, Span(note.line, 1, note.line, 1))
        return replace(note, path=self._display(path), line=span.line, cell=cell)

    def _shown(self, finding: Finding) -> Finding:
        severity = self._settings_of(os.path.dirname(finding.path)).severity_of(finding)
        span, cell = self._place(finding.path, finding.span)
        first = finding.statement_line or finding.span.line
        statement, its_cell = self._place(finding.path, Span(first, 1, first, 1))
        return replace(
            finding,
            path=self._display(finding.path),
            span=span,
            cell=cell,
            statement_line=statement.line if its_cell == cell else span.line,
            severity=severity,
            fix=self._shown_fix(finding),
            related=tuple(self._shown_related(finding.related)),
        )

    def _shown_fix(self, finding: Finding) -> Fix | None:
        if finding.fix is None:
            return None
        edits: list[Edit] = []
        for edit in finding.fix.edits:
            span, cell = self._place(finding.path, edit.span)
            edits.append(replace(edit, span=span, cell=cell))
        return replace(finding.fix, edits=tuple(edits))

    def _shown_related(self, related: Iterable[Related]) -> Iterator[Related]:
        for place in related:
            path = os.path.abspath(place.path)
            span, cell = self._place(path, place.span)
            yield replace(place, path=self._display(path), span=span, cell=cell)

    def _place(self, path: str, span: Span) -> tuple[Span, int | None]:
        """A range of what was analysed as the author counts it: in a notebook, within one cell."""
        book = self._store.notebook(path)
        place = book.place(span) if book is not None else None
        return (span, None) if place is None else (place.span, place.cell)

    def _display(self, path: str) -> str:
        """``path`` as the user would write it: relative when it lies below the report's folder."""
        below = os.path.join(self._folder, "")
        shown = path[len(below) :] if path.startswith(below) else path
        return shown.replace(os.sep, "/")


def _sorted(notes: Iterable[Note]) -> tuple[Note, ...]:
    return tuple(sorted(notes, key=lambda note: (note.path, note.cell or 0, note.line, note.message)))
