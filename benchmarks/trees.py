"""A copy of some checkouts, and the runs over it that are compared: the parse floor, optlint cold and warm.

`speed`, `peers` and `growth` measure them. Nothing is written to the checkouts themselves.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring import ROOT, Cost, environment, lines_in, optlint, python_files, run

#: What a training script holds.
_TRAINS = re.compile(rb"\.backward\(\)")
_SCRIPT = re.compile(rb"__main__")
#: The script that is edited is the one whose length is nearest to this.
_USUAL_LINES = 150
_LEFT_OUT = (".git", "__pycache__", ".optlint_cache")
NOTEBOOKS = "*.ipynb"


def copied(checkouts: Sequence[Path], into: Path, without: str = NOTEBOOKS) -> Path:
    """Copies of ``checkouts`` side by side in a new folder ``into``; files that fit ``without`` stay behind.

    Those are notebooks, which the parse floor and the other linters do not read. Every copy gets an empty ``.git``, by
    which the root of a checkout is known, also where the checkout was made without its history.
    """
    into.mkdir(parents=True)
    for folder in checkouts:
        ignored = shutil.ignore_patterns(*_LEFT_OUT, without)
        shutil.copytree(folder, into / folder.name, symlinks=True, ignore=ignored)
        (into / folder.name / ".git").mkdir()
    return into


@functools.cache
def has_cache() -> bool:
    """Whether this optlint has a cache."""
    return "--cache-dir" in run(optlint("--help"), environment=environment()).output


class Runs:
    """The commands over one tree. Each method runs one, and gives what it cost."""

    def __init__(
        self, tree: Path, cache: Path, paths: Sequence[str] = (".",), limit: float | None = None
    ) -> None:
        """``cache`` is where caches are made; ``paths`` are what of ``tree`` is checked."""
        self.tree = tree
        self.paths = tuple(paths)
        self._cache = cache
        self._limit = limit

    def floor(self) -> Cost:
        """`libcst.parse_module` over all files in one process."""
        command = [sys.executable, str(ROOT / "benchmarks" / "parse_floor.py"), *self.paths]
        return run(command, self.tree, self._limit, environment())

    def cold(self, jobs: int) -> Cost:
        """optlint with an empty cache, which it fills."""
        folder = self._cache / f"jobs-{jobs}"
        shutil.rmtree(folder, ignore_errors=True)
        return self._lint(jobs, folder)

    def warm(self, jobs: int) -> Cost:
        """optlint once more, with the cache that ``cold`` has left."""
        return self._lint(jobs, self._cache / f"jobs-{jobs}")

    def _lint(self, jobs: int, cache: Path) -> Cost:
        caching = ("--cache-dir", str(cache)) if has_cache() else ()
        formats = ("--output-format", "json")
        command = optlint("--isolated", "--quiet", "--jobs", str(jobs), *caching, *formats, *self.paths)
        return checked(run(command, self.tree, self._limit, environment()))


def checked(cost: Cost) -> Cost:
    """``cost``, if the run came to its end. Raises ``SystemExit`` where optlint itself broke: its time means nothing."""
    if cost.status is not None and not cost.output.startswith("{"):
        raise SystemExit(f"optlint failed (exit status {cost.status}):\n{cost.complaints.strip()}")
    return cost


def training_script(folders: Sequence[Path]) -> Path:
    """The training script of the most usual length. Raises ``SystemExit`` when there is none."""
    found: list[tuple[int, Path]] = []
    for file in python_files(folders):
        data = file.read_bytes()
        if _TRAINS.search(data) and _SCRIPT.search(data):
            found.append((abs(data.count(b"\n") - _USUAL_LINES), file))
    if not found:
        raise SystemExit("there is no training script to change")
    return min(found)[1]


@contextmanager
def edits(file: Path) -> Iterator[Callable[[], None]]:
    """What changes ``file``, to another text at each call; the file is as before at the end, its times too."""
    before, times = file.read_bytes(), file.stat()
    count = 0

    def edit() -> None:
        nonlocal count
        count += 1
        file.write_bytes(before + b"\nversion_of_this_file = %d\n" % count)

    try:
        yield edit
    finally:
        file.write_bytes(before)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def size_of(tree: Path, paths: Sequence[str] = (".",)) -> tuple[int, int]:
    """How many Python files and lines a run over ``paths`` sees at the most."""
    return lines_in(python_files(tree / path for path in paths))


def first_files(tree: Path, count: int) -> list[str]:
    """The first folders of ``tree`` that hold ``count`` Python files together, or all of them."""
    chosen: list[str] = []
    held = 0
    for folder in sorted(path for path in tree.iterdir() if path.is_dir()):
        if held >= count:
            break
        chosen.append(folder.name)
        held += sum(1 for _ in python_files([folder]))
    return chosen
