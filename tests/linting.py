"""Lints a folder by the function that the command line calls, and compares findings with marks.

Called by the tests that compare findings; knows the engine and nothing of the analysis.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from optlint import engine
from optlint.settings import Configuration
from tests.fixture_files import Mark


@dataclass(frozen=True, order=True)
class Reported:
    """What a mark says something about; ``path`` is relative to the folder that was linted."""

    path: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.code} {self.message}"


def lint(folder: Path) -> list[Reported]:
    """Lint every Python file below ``folder`` with the default rules and no configuration.

    Raises AssertionError when something went wrong in the run or a file could not be analysed.
    """
    root = str(folder.resolve())
    files = sorted(str(path) for path in Path(root).rglob("*.py"))
    report = engine.run(files, Configuration(isolated=True, cwd=root).for_folder, folder=root)
    assert not report.faults, (report.faults, report.details)
    assert not report.errors, report.errors
    return [Reported(f.path, f.span.line, f.code, f.message) for f in report.findings]


def differences(marks: list[Mark], found: list[Reported]) -> list[str]:
    """What is found but not marked, marked but not found, or found where a miss was known."""
    left = list(found)
    faults = []
    for mark in marks:
        here = [f for f in left if (f.path, f.line, f.code) == (mark.path, mark.line, mark.code)]
        where = f"{mark.path}:{mark.line}: {mark.code}"
        if mark.missed:
            faults += [f"{where} is found now: turn its 'miss' into 'expect'"] if here else []
            left = [f for f in left if f not in here]
            continue
        fitting = [f for f in here if all(text in f.message for text in mark.texts)]
        if fitting:
            left.remove(fitting[0])
        elif here:
            faults.append(f"{where} does not contain {', '.join(mark.texts)}: {here[0].message}")
            left.remove(here[0])
        else:
            faults.append(f"{where} is not found")
    return faults + [f"not expected: {f}" for f in left]
