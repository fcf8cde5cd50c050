"""Whether files are as they were, by their size, times and number alone, as long as these can be trusted.

``results`` and ``neighbour_answers`` ask. Must not know what is in the files.
"""

from __future__ import annotations

import os

from optlint.cache.stored import Malformed
from optlint.cache.version import GRAIN_NS

Times = list[int]
"""Size, modification and change in nanoseconds, and number of a file."""


class FileTimes:
    """The files as they are in this run; each is asked once."""

    def __init__(self, started: int) -> None:
        """``started`` is when the run began, in nanoseconds, before it read anything."""
        self._limit = started - GRAIN_NS
        self._known: dict[str, Times | None] = {}

    def now(self, path: str) -> Times | None:
        """The times of a file; ``None`` where there is none."""
        if path not in self._known:
            try:
                found = os.stat(path)
                self._known[path] = [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
            except (OSError, ValueError):
                self._known[path] = None
        return self._known[path]

    def settled(self, path: str) -> Times | None:
        """The times of a file that has not changed since shortly before the run began, so that what the run has read of
        it is what they stand for; else ``None``. Asks anew: the run may have taken long.
        """
        self._known.pop(path, None)
        times = self.now(path)
        return times if times is not None and max(times[1], times[2]) < self._limit else None


def times_of(data: object) -> Times | None:
    """Stored times. Raises ``Malformed``."""
    if data is None:
        return None
    if type(data) is not list or not all(type(number) is int for number in data):
        raise Malformed
    return data
