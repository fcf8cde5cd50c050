"""Who checks which files: a share of neighbours for each worker, and help for those that are not done yet.

``pool`` asks whenever a worker is free. Must not know files, nor processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

Chunk = tuple[int, int]
"""The number of the first file, and of the one behind the last."""

MAX_FILES = 32
"""Files that are handed out at once."""

_CHUNKS = 8
"""Into how many chunks a worker would cut what it has left: they get smaller towards the end."""


class Shares:
    """Consecutive files for each worker, of about the same cost: neighbours import the same modules.

    Each worker goes through its share from the front; one that is done takes from the back of the largest share left.
    """

    def __init__(self, costs: Sequence[int], workers: int) -> None:
        """``costs`` are those of the files in order, in any unit."""
        self.workers = workers
        self._before = [0, *accumulate(costs)]
        bounds = [0]
        for worker in range(1, workers):
            wanted = self._before[-1] * worker // workers
            bound = bounds[-1]
            while bound < len(costs) and self._before[bound] < wanted:
                bound += 1
            bounds.append(bound)
        self._left = [[start, end] for start, end in zip(bounds, [*bounds[1:], len(costs)], strict=True)]

    def take(self, worker: int) -> Chunk | None:
        """Files for a worker that is free; ``None`` when all are taken."""
        start, end = self._left[worker]
        if start < end:
            stop = start + 1
            while stop < end and stop - start < MAX_FILES and self._within(start, stop + 1, start, end):
                stop += 1
            self._left[worker][0] = stop
            return start, stop
        return self._from_another()

    def _from_another(self) -> Chunk | None:
        share = max(self._left, key=lambda left: self._before[left[1]] - self._before[left[0]])
        start, end = share
        if start == end:
            return None
        first = end - 1
        while first > start and end - first < MAX_FILES and self._within(first - 1, end, start, end):
            first -= 1
        share[1] = first
        return first, end

    def _within(self, first: int, last: int, start: int, end: int) -> bool:
        """Whether the files from ``first`` to ``last`` are a small enough part of those that are left."""
        return (self._before[last] - self._before[first]) * _CHUNKS <= self._before[end] - self._before[start]
