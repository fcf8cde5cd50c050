"""Checks files one by one in this process, as the command line would with one worker and no cache.

`slowest` and `hotspots` use it. It must not know what is done with the times.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from optlint.checker import Checker
from optlint.settings import Configuration
from optlint.source import SourceStore

_WARM_UP = "import torch\n\noptimizer = torch.optim.SGD([], lr=0.1)\n"


@dataclass(frozen=True)
class Checked:
    """One file: the seconds of CPU time that it took, how many findings it gave, and its notes."""

    path: Path
    cpu: float
    findings: int
    notes: tuple[str, ...]


def check_files(folder: Path, files: Iterable[Path]) -> Iterator[Checked]:
    """Check ``files`` as a call in ``folder`` does. The working directory is ``folder`` meanwhile."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        configuration = Configuration(isolated=True, cwd=str(folder))
        checkers: dict[object, Checker] = {}
        store = SourceStore()
        for file in files:
            settings = configuration.for_folder(str(file.parent))
            checker = checkers.setdefault(settings, Checker((settings,), store))
            began = time.process_time()
            outcome = checker.check(str(file), 0)
            took = time.process_time() - began
            notes = (note.message for note in outcome.notes)
            yield Checked(file, took, len(outcome.findings), (*notes, *outcome.faults))
    finally:
        os.chdir(before)


def warm_up() -> None:
    """Import what a check needs, so that the first file does not pay for it."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name).resolve() / "main.py"
        file.write_text(_WARM_UP, encoding="utf-8")
        list(check_files(file.parent, [file]))
