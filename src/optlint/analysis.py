"""Analyses one file: follows the program and gives what the rules find, with faults and notes of that file.

``engine`` calls it for each file; it knows settings only as the few values that it is given.
"""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from optlint import garbage
from optlint.finding import Confidence, FileReport, Finding, Note, Severity, Span
from optlint.semantics.interpreter import Interpreter
from optlint.semantics.pace import BudgetExceeded
from optlint.semantics.program import Run
from optlint.semantics.project import Project
from optlint.semantics.roots import follow
from optlint.syntax.source_module import SourceModule

if TYPE_CHECKING:
    from optlint.rules.base import Rule
    from optlint.settings import Settings

#: Nested calls of the analysed program become nested calls of the interpreter.
_RECURSION_LIMIT = 12_000
_STACK_BYTES = 256 * 1024 * 1024


def analyse(
    path: str,
    text: str,
    settings: Settings,
    rules: Sequence[type[Rule]],
    project: Project,
    tree: ast.Module | None = None,
) -> FileReport:
    """Follow the program in ``text`` (the file ``path``) and collect the findings of ``rules``.

    ``tree`` is what ``ast.parse`` made of the text, if it is known.

    Findings may stand in other files of the project. A rule that raises gives an OPT999 finding of this file; the
    others go on. A file that Python accepts and libcst does not is a note.
    """
    report = FileReport()
    with garbage.by_need():
        _with_deep_stack(
            lambda: _analyse(SourceModule(path, text, tree), path, settings, rules, project, report)
        )
    return report


def _with_deep_stack(action: object) -> None:
    """Run in a thread with room for deep recursion; what it raises is raised here."""
    raised: list[BaseException] = []

    def body() -> None:
        try:
            action()  # type: ignore[operator]
        except BaseException as error:
            raised.append(error)

    old_limit, old_stack = sys.getrecursionlimit(), threading.stack_size(_STACK_BYTES)
    sys.setrecursionlimit(max(old_limit, _RECURSION_LIMIT))
    try:
        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(old_stack)
        sys.setrecursionlimit(old_limit)
    if raised:
        raise raised[0]


def _analyse(
    source: SourceModule,
    path: str,
    settings: Settings,
    rules: Sequence[type[Rule]],
    project: Project,
    report: FileReport,
) -> None:
    if source.error is not None:
        raise source.error
    if source.too_deep:
        report.notes.append(Note(path, 1, "nested too deeply to analyse"))
        return
    interpreter = Interpreter(project, frozenset(settings.optimizers), frozenset(settings.modules))
    found: dict[tuple[str, str, Span, str], Finding] = {}

    def check(run: Run) -> None:
        for rule in rules:
            try:
                for finding in rule().check(run):
                    found.setdefault((finding.code, finding.path, finding.span, finding.message), finding)
            except BudgetExceeded:
                continue  # what it asked for takes too long: unknown
            except Exception as error:
                fault = _fault(path, rule, error)
                found.setdefault((fault.code, path, fault.span, fault.message), fault)
                report.faults.append(fault.message)

    try:
        report.left_out = follow(interpreter, source, path, check)
    finally:
        interpreter.let_go()
    report.findings = sorted(found.values(), key=lambda finding: finding.sort_key)
    report.notes.extend(Note(path, problem.line, problem.message) for problem in source.problems())


def _fault(path: str, rule: type[Rule], error: Exception) -> Finding:
    return Finding(
        code="OPT999",
        name="rule-failed",
        severity=Severity.ERROR,
        confidence=Confidence.CERTAIN,
        message=f"rule {rule.code} failed on this file: {type(error).__name__}: {error}",
        path=path,
        span=Span(1, 1, 1, 1),
        help="this is a fault in optlint; the findings of the other rules are complete",
        statement_line=1,
    )
