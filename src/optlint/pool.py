"""Processes that check files side by side, and what happens when one of them dies.

``workers`` makes a pool when there is enough to do. Must not know what checking a file means, beyond ``Checker.check``.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from optlint.checker import Checker, Outcome, may_matter
from optlint.source import SourceError

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from optlint.settings import Settings
    from optlint.source import SourceStore
    from optlint.workers import Progress, Task

MAX_CHUNK = 32
"""Files that go to a worker at once: neighbours, which share modules, yet few enough that no worker is left
over.
"""

_checker: Checker | None = None


def _start(settings: Sequence[Settings], store: SourceStore) -> None:
    """Make this process a worker. An interrupt is the parent's to handle."""
    global _checker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # the analysis collects by need
    _checker = Checker(settings, store)


def _check_chunk(chunk: Sequence[Task]) -> list[Outcome]:
    if _checker is None:
        raise RuntimeError("the worker was not started")
    return [_checker.check(*task) for task in chunk]


class Pool:
    """Processes that check files with the same settings and store."""

    def __init__(
        self, settings: Sequence[Settings], store: SourceStore, jobs: int, progress: Progress
    ) -> None:
        self._settings = settings
        self._store = store
        self._jobs = jobs
        self._progress = progress

    def check(self, tasks: Sequence[Task]) -> list[Outcome]:
        """The outcomes in the order of ``tasks``. Raises ``OSError`` and the like when no process can be
        made.
        """
        context = _context()
        if context.get_start_method() == "fork":
            self._load_before_forking(tasks)
        size = min(MAX_CHUNK, max(1, len(tasks) // (self._jobs * 4)))
        chunks = [tasks[start : start + size] for start in range(0, len(tasks), size)]
        before = set(multiprocessing.active_children())
        executor = self._executor(context, min(self._jobs, len(chunks)))
        try:
            self._try_out(executor)
            futures = [self._submit(executor, chunk) for chunk in chunks]
            self._follow(futures, chunks, len(tasks))
            results = [self._result(future) for future in futures]
        except BaseException:
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()
            raise
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
        outcomes: list[Outcome] = []
        for chunk, result in zip(chunks, results, strict=True):
            outcomes += self._alone(chunk, context) if result is None else result
        return outcomes

    def _follow(
        self,
        futures: Sequence[Future[list[Outcome]] | None],
        chunks: Sequence[Sequence[Task]],
        total: int,
    ) -> None:
        """Wait for all chunks, and tell of each when it is done."""
        sizes = {
            future: len(chunk) for future, chunk in zip(futures, chunks, strict=True) if future is not None
        }
        for future in as_completed(sizes):
            self._progress(sizes[future], total)

    def _executor(self, context: BaseContext, workers: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            workers, mp_context=context, initializer=_start, initargs=(self._settings, self._store)
        )

    def _load_before_forking(self, tasks: Sequence[Task]) -> None:
        """Import the analysis once, for all workers to share, when a file will need it."""
        for path, _ in tasks:
            try:
                relevant = may_matter(self._store.load(path))
            except SourceError:
                continue
            if relevant:
                import optlint.analysis  # noqa: F401

                return

    @staticmethod
    def _try_out(executor: ProcessPoolExecutor) -> None:
        """Raise ``OSError`` when workers cannot even start, so that no file is blamed for it."""
        try:
            executor.submit(_check_chunk, ()).result()
        except BrokenProcessPool as error:
            raise OSError("no worker could be started") from error

    @staticmethod
    def _submit(executor: ProcessPoolExecutor, chunk: Sequence[Task]) -> Future[list[Outcome]] | None:
        try:
            return executor.submit(_check_chunk, chunk)
        except BrokenProcessPool:
            return None

    @staticmethod
    def _result(future: Future[list[Outcome]] | None) -> list[Outcome] | None:
        """The outcomes, or ``None`` when a worker died while this chunk was open."""
        try:
            return None if future is None else future.result()
        except BrokenProcessPool:
            return None

    def _alone(self, chunk: Sequence[Task], context: BaseContext) -> list[Outcome]:
        """Check ``chunk`` in a process of its own; cut it in halves until the file that kills is alone."""
        executor = self._executor(context, 1)
        try:
            result = self._result(self._submit(executor, chunk))
        finally:
            executor.shutdown(wait=True)
        if result is not None:
            return result
        if len(chunk) == 1:
            return [_died(chunk[0][0])]
        middle = len(chunk) // 2
        return self._alone(chunk[:middle], context) + self._alone(chunk[middle:], context)


def _died(path: str) -> Outcome:
    outcome = Outcome(path)
    outcome.fail("the process that checked it died")
    return outcome


def _context() -> BaseContext:
    """Forking shares what is loaded and is quick, but safe only on Linux and where no other thread runs."""
    if sys.platform == "linux" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")
