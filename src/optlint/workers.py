"""All files checked, by one process or by several side by side; the same when there are no processes to be had.

Only the engine calls this. Must not know what checking a file means, beyond ``Checker.check``.
"""

from __future__ import annotations

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

MIN_FILES_FOR_WORKERS = 8
"""Starting processes costs more than a few files take."""


def check_all(
    tasks: Sequence[Task],
    settings: Sequence[Settings],
    store: SourceStore,
    jobs: int,
    progress: Progress | None = None,
    surroundings: SurroundingsOf | None = None,
) -> list[Outcome]:
    """The outcomes of ``tasks``, in their order. ``progress`` is told of files as they are done.

    ``surroundings`` are those that this process has looked around in already, if it comes to check files itself.
    """
    tell = progress or _tell_nobody
    if jobs > 1 and len(tasks) >= MIN_FILES_FOR_WORKERS:
        from optlint.pool import Pool  # multiprocessing takes longer to load than a small file to check

        try:
            return Pool(settings, store, jobs, tell).check(tasks)
        except (OSError, ImportError, NotImplementedError):
            pass  # No semaphores, no memory or no right to make processes: one process does the same.
    checker = Checker(settings, store, surroundings)
    outcomes: list[Outcome] = []
    for task in tasks:
        outcomes.append(checker.check(*task))
        tell(1, len(tasks))
    return outcomes


def _tell_nobody(files: int, total: int) -> None:
    pass
