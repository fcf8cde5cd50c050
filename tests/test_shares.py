"""Files are shared out so that none is forgotten, neighbours stay together and no worker is left waiting."""

from __future__ import annotations

import itertools
import random

import pytest

from optlint.shares import MAX_FILES, Shares


def _simulated(costs: list[int], workers: int) -> tuple[list[list[int]], float]:
    """The files that each worker gets, in order, and the time until all are done, if each takes what it costs."""
    shares = Shares(costs, workers)
    given: list[list[int]] = [[] for _ in range(workers)]
    busy = [0.0] * workers
    free = set(range(workers))
    while free:
        worker = min(free, key=lambda one: busy[one])
        chunk = shares.take(worker)
        if chunk is None:
            free.remove(worker)
            continue
        assert 0 < chunk[1] - chunk[0] <= MAX_FILES
        given[worker].extend(range(*chunk))
        busy[worker] += sum(costs[slice(*chunk)])
    return given, max(busy)


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("files", [1, 2, 7, 8, 100, 1_000])
def test_every_file_once(files: int, workers: int) -> None:
    dice = random.Random(files)
    given, _ = _simulated([dice.randrange(1, 100) for _ in range(files)], workers)
    assert sorted(number for numbers in given for number in numbers) == list(range(files))


def test_files_that_cost_nothing() -> None:
    given, _ = _simulated([0] * 20, 3)
    assert sorted(number for numbers in given for number in numbers) == list(range(20))


@pytest.mark.parametrize("workers", [2, 4])
def test_all_workers_end_together(workers: int) -> None:
    """Although the files at one end cost far more than was thought."""
    costs = [1] * 500 + [20] * 500
    _, ended = _simulated(costs, workers)
    assert ended <= sum(costs) / workers * 1.05


def test_neighbours_stay_together() -> None:
    given, _ = _simulated([1] * 1_000, 2)
    changes = sum(abs(one - other) > 1 for numbers in given for one, other in itertools.pairwise(numbers))
    assert changes <= 2
