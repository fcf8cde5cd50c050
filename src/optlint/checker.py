"""Checks one file: reads it, leaves out what cannot matter, asks the analysis, and keeps every fault to the
file.

The workers call it, in as many processes as there are. Must not know the other files, options or output.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import field
from functools import lru_cache
from typing import TYPE_CHECKING

from optlint import suppressions
from optlint.around.questions import BYTES, Question, bytes_digest
from optlint.deferred import dataclass, regex
from optlint.finding import Finding, Note, Span
from optlint.rules import all_rules
from optlint.rules.housekeeping import HOUSEKEEPING, InvalidSyntax, RuleFailed, housekeeping_finding
from optlint.selection import selected
from optlint.source import (
    NOTEBOOK_SUFFIX,
    SourceError,
    SourceStore,
    UndecodableError,
    UnreadableError,
    decode,
)
from optlint.suppressions import Suppressions
from optlint.validity import MAX_PARTS, Validity, Verdict, check

if TYPE_CHECKING:
    from optlint.around.surroundings import Surroundings
    from optlint.rules.base import Rule
    from optlint.semantics.project import Project
    from optlint.settings import Settings

SurroundingsOf = Callable[["Settings"], "Surroundings"]

_RELEVANT = regex(
    rb"optim\b|optimi[sz]ers?\b|Adam|SGD|\.parameters\(|\bParameter\(|\bVariable\("
    rb"|requires_grad|trainable|no_grad|inference_mode|GradientTape|detach\(|\.backward\("
    rb"|\bnn\.|\bModule\)|keras|[Tt]rainer\b|\btrain\(|\.fit\("
)
"""What a file mentions when it can build, fill or use an optimizer; anything else is not worth following.

The last three are for the script that only puts the project's other files together.
"""

_FRAMEWORK = regex(rb"^\s*(?:import|from)\s+(?:torch|tensorflow)\b", re.MULTILINE)
_SCRIPT = regex(rb"__main__|^(?:for|while|with) ", re.MULTILINE)
"""A script that imports a framework may run what other files define (``agent.replay()``), whatever that is called."""

_SKIP_FILE = b"skip-file"


def may_matter(data: bytes) -> bool:
    """Whether the bytes of a file mention anything that a rule could be about."""
    if _RELEVANT.search(data) is not None:
        return True
    return _SCRIPT.search(data) is not None and _FRAMEWORK.search(data) is not None


@dataclass
class Outcome:
    """What one file gave, in plain data that travels between processes. Paths are absolute.

    ``analysed`` says that every rule had its say, so that a suppression without effect can be called so. ``left_out``
    tells of parts of the program that were too much to follow, and of the bound that says so. ``looked`` are the
    questions that it rests on, about the file itself and about others, with their answers.
    """

    path: str
    findings: list[Finding] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    suppressions: Suppressions | None = None
    skipped: bool = False
    analysed: bool = False
    left_out: list[str] = field(default_factory=list)
    looked: dict[Question, str] = field(default_factory=dict)

    def fail(self, reason: str) -> None:
        """Take note that optlint itself went wrong on this file."""
        message = f"optlint failed on this file: {reason}"
        advice = "this is a fault in optlint; the other files are checked all the same"
        span = Span(1, 1, 1, 1)
        self.findings.append(housekeeping_finding(RuleFailed, self.path, span, message, advice=advice))
        self.faults.append(message)
        self.analysed = False


@lru_cache(maxsize=256)
def rules_of(settings: Settings) -> tuple[type[Rule], ...]:
    """The rules that ``settings`` select, housekeeping among them."""
    return selected(settings.selections, all_rules())


#: Settings whose parsed files are kept: neighbours come one after the other, so that more would only take memory.
MAX_PROJECTS = 2


class Checker:
    """Checks files one by one; a process has one, so that what it learns of shared modules is learnt once."""

    def __init__(
        self, settings: Sequence[Settings], store: SourceStore, surroundings: SurroundingsOf | None = None
    ) -> None:
        """``settings`` are those that a file's number in ``check`` stands for. ``surroundings`` are there already."""
        self._settings = settings
        self._store = store
        self._surroundings = surroundings
        self._projects: dict[int, Project] = {}

    def check(self, path: str, which: int) -> Outcome:
        """Check one file. Never raises (but for an interrupt)."""
        outcome = Outcome(path)
        try:
            self._check(outcome, which)
        except Exception as error:
            outcome.fail(_described(error))
            outcome.details.append(traceback.format_exc())
        return outcome

    def _check(self, outcome: Outcome, which: int) -> None:
        path = outcome.path
        try:
            data = self._store.load(path)
            outcome.looked[Question(BYTES, path)] = bytes_digest(data)
            parts = _parts(path, data)
            text = "".join(parts)
        except SourceError as error:
            _record_source_error(outcome, error)
            return
        if _SKIP_FILE in data and suppressions.skips_file(text):
            outcome.skipped = True
            return
        validity = check(text)
        relevant = may_matter(data) or _mentions(data, self._settings[which])
        errors = _syntax_errors(path, parts) if len(parts) > 1 or validity.verdict is Verdict.INVALID else []
        if errors:
            outcome.findings += errors
        elif validity.verdict is Verdict.TOO_DEEP:
            outcome.notes.append(Note(path, 1, "nested too deeply for Python's parser, not analysed"))
        elif validity.verdict is Verdict.TOO_LARGE:
            message = (
                f"too large, not analysed: more than {MAX_PARTS:,} commas, brackets, operators and lines"
            )
            outcome.notes.append(Note(path, 1, message))
        elif relevant:
            self._analyse(outcome, text, which, validity)
        else:
            outcome.analysed = True
        judged = outcome.analysed and suppressions.may_be_unused(data)
        if judged or (outcome.findings and suppressions.may_suppress(data)):
            outcome.suppressions = suppressions.find(text, validity.verdict is not Verdict.INVALID)

    def _analyse(self, outcome: Outcome, text: str, which: int, validity: Validity) -> None:
        from optlint.analysis import analyse

        settings = self._settings[which]
        rules = tuple(rule for rule in rules_of(settings) if rule not in HOUSEKEEPING)
        project = self._project(which)
        project.looked_at()  # not at what the file before it has asked, if that failed
        try:
            report = analyse(outcome.path, text, settings, rules, project, validity.tree)
        except SyntaxError:
            if validity.verdict is not Verdict.NEWER:
                raise
            message = "needs a newer Python than the one that runs optlint, not analysed"
            outcome.notes.append(Note(outcome.path, validity.line, f"{message}: {validity.message}"))
            return
        outcome.looked |= project.looked_at()
        outcome.findings += report.findings
        outcome.notes += report.notes
        outcome.faults += report.faults
        outcome.left_out += report.left_out
        outcome.analysed = not report.notes and not report.faults

    def _project(self, which: int) -> Project:
        from optlint.semantics.project import Project

        project = self._projects.pop(which, None)
        if project is None:
            settings = self._settings[which]
            known = self._surroundings(settings) if self._surroundings is not None else None
            project = Project(settings, self._store.read, known)
        self._projects[which] = project
        if len(self._projects) > MAX_PROJECTS:
            del self._projects[next(iter(self._projects))]
        return project


def _mentions(data: bytes, settings: Settings) -> bool:
    """Whether a file names one of the classes that the configuration adds."""
    names = (*settings.optimizers, *settings.modules)
    return any(name.rpartition(".")[2].encode() in data for name in names)


def _described(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _record_source_error(outcome: Outcome, error: SourceError) -> None:
    note = Note(outcome.path, error.line, error.message)
    if isinstance(error, UndecodableError):
        span = Span(error.line, 1, error.line, 1)
        outcome.findings.append(housekeeping_finding(InvalidSyntax, outcome.path, span, error.message))
    elif isinstance(error, UnreadableError):
        outcome.faults.append(error.message)
    else:
        outcome.notes.append(note)


def _parts(path: str, data: bytes) -> list[str]:
    """The program in the bytes of a file: the cells of a notebook, or one text. Raises ``SourceError``."""
    if not path.endswith(NOTEBOOK_SUFFIX):
        return [decode(data)]
    from optlint import notebook

    return [cell.text for cell in notebook.read(data).cells]


def _syntax_errors(path: str, parts: Sequence[str]) -> list[Finding]:
    """The first error of each part, which must be Python by itself; lines count through all of them."""
    found: list[Finding] = []
    lines_before = 0
    for part in parts:
        validity = check(part)
        if validity.verdict is Verdict.INVALID:
            line = lines_before + validity.line
            span = Span(line, validity.column, line, validity.column + 1)
            found.append(housekeeping_finding(InvalidSyntax, path, span, validity.message))
        lines_before += part.count("\n")
    return found
