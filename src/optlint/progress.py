"""How far a long run has come, shown on a terminal and nowhere else.

The command line makes one for each run; the engine tells it of every file. Must not know what is done with files.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

#: Seconds that pass before anything is shown: a bar that flashes up is a distraction.
PATIENCE = 1.0


class ProgressBar:
    """A bar on standard error, gone without a trace when the run ends. Silent unless ``wanted`` on a terminal.

    It draws when it is told of files, and has no thread of its own: processes may still be forked.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._shown = wanted and sys.stderr.isatty()
        self._start = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._done = 0

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, files: int, total: int) -> None:
        """Take note that so many more files are done, of ``total``."""
        self._done += files
        if not self._shown or time.monotonic() - self._start < PATIENCE:
            return
        if self._bar is None:
            self._begin(total)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, total=total, refresh=True)

    def _begin(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("Checking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
        self._task = self._bar.add_task("Checking", total=total)
        self._bar.start()
