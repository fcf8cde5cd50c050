"""All files checked, by one process or by several side by side; the same when there are no processes to be had.

Only the engine calls this. Must not know what checking a file means, beyond ``Checker.check``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from optlint.checker import Checker, Outcome

if TYPE_CHECKING:
    from optlint.checker import SurroundingsOf
    from optlint.settings import Settings
    from optlint.source import SourceStore

Task = tuple[str, int]
"""A file's absolute path, and the number of its settings."""

Progress = Callable[[int, int], None]
"""Told how many more files are done, and of how many in all."""

Take = Callable[[Sequence[Outcome]], None]
"""Given the outcomes of some more files, as they come: should the run end here, they are what it has."""

MIN_FILES_FOR_WORKERS = 8
"""Starting processes costs more than a few files take."""


def check_all(
    tasks: Sequence[Task],
    settings: Sequence[Settings],
    store: SourceStore,
    jobs: int,
    take: Take,
    surroundings: SurroundingsOf | None = None,
) -> None:
    """Check ``tasks``; ``take`` is given their outcomes, each once and in no certain order.

    ``surroundings`` are those that this process has looked around in already, if it comes to check files itself.
    """
    left = dict(tasks)

    def taken(outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            del left[outcome.path]
        take(outcomes)

    if jobs > 1 and len(tasks) >= MIN_FILES_FOR_WORKERS:
        from optlint.pool import Pool  # multiprocessing takes longer to load than a small file to check

        # No semaphores, no memory or no right to make processes: one process does the same.
        with contextlib.suppress(OSError, ImportError, NotImplementedError):
            Pool(settings, store, jobs, taken).check(tasks)
    checker = Checker(settings, store, surroundings)
    for task in list(left.items()):
        taken([checker.check(*task)])
