"""The same findings, word for word, in every process: sets are read in an order that Python shuffles from run to run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures"
#: Each was told in different words before, once in so many processes.
PICKED_FROM_SETS = {
    "forward-outside-tape/bad/gan_generator_loss_below_the_tapes.py": 8,
    "wrong-params-argument/bad/optimizer_of_a_deep_copy.py": 8,
}


def report(path: Path, seed: int) -> str:
    """What a process with that seed of its hashes says of a file."""
    told = subprocess.run(
        [sys.executable, "-m", "optlint", "--isolated", "--no-cache", "--output-format", "json", str(path)],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert told.returncode == 1, told.stderr
    return told.stdout


@pytest.mark.parametrize("name", PICKED_FROM_SETS)
def test_every_process_says_the_same(name: str) -> None:
    first, *others = [report(FIXTURES / name, seed) for seed in range(1, PICKED_FROM_SETS[name] + 1)]
    assert all(other == first for other in others)
