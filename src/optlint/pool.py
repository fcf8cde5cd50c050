"""Processes that check files side by side, and what happens when one of them dies.

``workers`` makes a pool when there is enough to do. Must not know what checking a file means, beyond ``Checker.check``.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from optlint.checker import Checker, Outcome, may_matter
from optlint.shares import Chunk, Shares
from optlint.source import SourceError

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from optlint.settings import Settings
    from optlint.source import SourceStore
    from optlint.workers import Take, Task

_COST_OF_A_FILE = 2_000

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
    """Processes that check files with the same settings and store, and give what comes of each to ``take``."""

    def __init__(self, settings: Sequence[Settings], store: SourceStore, jobs: int, take: Take) -> None:
        self._settings = settings
        self._store = store
        self._jobs = jobs
        self._take = take

    def check(self, tasks: Sequence[Task]) -> None:
        """Check ``tasks``. Raises ``OSError`` and the like when no process can be made."""
        context = _context()
        if context.get_start_method() == "fork":
            self._load_before_forking(tasks)
        workers = min(self._jobs, len(tasks))
        shares = Shares([_cost(path) for path, _ in tasks], workers)
        before = set(multiprocessing.active_children())
        executor = self._executor(context, workers)
        try:
            self._try_out(executor)
            while lost := self._run(executor, shares, tasks):
                executor.shutdown(wait=True, cancel_futures=True)
                for start, end in lost:
                    self._take(self._alone(tasks[start:end], context))
                executor = self._executor(context, workers)
        except BaseException:
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()
            raise
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def _run(self, executor: ProcessPoolExecutor, shares: Shares, tasks: Sequence[Task]) -> list[Chunk]:
        """Keep every worker at its share until all is done; the chunks that were open when a worker died, if one did.

        Each worker has one chunk at a time, so that the one that is free is the one whose share is asked.
        """
        open_chunks: dict[Future[list[Outcome]], tuple[int, Chunk]] = {}
        lost: list[Chunk] = []
        free = list(range(shares.workers))
        while free or open_chunks:
            for worker in free:
                chunk = None if lost else shares.take(worker)
                if chunk is None:
                    continue
                try:
                    future = executor.submit(_check_chunk, tasks[chunk[0] : chunk[1]])
                except BrokenProcessPool:
                    lost.append(chunk)
                else:
                    open_chunks[future] = (worker, chunk)
            free = []
            for future in wait(open_chunks, return_when=FIRST_COMPLETED).done:
                worker, chunk = open_chunks.pop(future)
                try:
                    found = future.result()
                except BrokenProcessPool:
                    lost.append(chunk)
                else:
                    self._take(found)
                    free.append(worker)
        return lost

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

    def _alone(self, chunk: Sequence[Task], context: BaseContext) -> list[Outcome]:
        """Check ``chunk`` in a process of its own; cut it in halves until the file that kills is alone."""
        executor = self._executor(context, 1)
        try:
            return executor.submit(_check_chunk, chunk).result()
        except BrokenProcessPool:
            pass
        finally:
            executor.shutdown(wait=True)
        if len(chunk) == 1:
            return [_died(chunk[0][0])]
        middle = len(chunk) // 2
        return self._alone(chunk[:middle], context) + self._alone(chunk[middle:], context)


def _cost(path: str) -> int:
    """What checking a file costs, roughly and in bytes: its size, and something for opening it."""
    try:
        return _COST_OF_A_FILE + os.stat(path).st_size
    except (OSError, ValueError):
        return _COST_OF_A_FILE


def _died(path: str) -> Outcome:
    outcome = Outcome(path)
    outcome.fail("the process that checked it died")
    return outcome


def _context() -> BaseContext:
    """Forking shares what is loaded and is quick, but safe only on Linux and where no other thread runs."""
    if sys.platform == "linux" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")
