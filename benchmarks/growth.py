"""Measures how time and memory grow with the size of the tree, from 1,000 to 1,000,000 lines.

    python -m benchmarks.growth CHECKOUTS [--sizes LINES…] [--runs N] [--write]

The trees are copies of small projects of the checkouts, in folders of their own, each file with a last line that no
other has, so that no two are the same to a cache. `--write` puts the table into docs/performance.md and draws
docs/growth.svg.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import trees
from benchmarks.measuring import (
    BUILD,
    PAGE,
    Cost,
    checkouts,
    cores,
    deliver,
    described,
    exponent,
    lines_in,
    machine,
    median,
    python_files,
    say,
    table,
)
from benchmarks.plot import Line, Panel, svg
from benchmarks.speed import FLOOR, in_turn

NAME = "growth"
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
PICTURE = PAGE.parent / "growth.svg"
#: Projects that are copied have no more lines than this.
SMALL = 1_500
#: Trees up to this size are measured several times.
SHORT = 30_000


@dataclass(frozen=True)
class Size:
    """One tree, and what each kind of run over it took."""

    files: int
    lines: int
    costs: Mapping[str, Cost]


def projects(folders: Sequence[Path]) -> list[Path]:
    """The small projects among the checkouts."""
    found = [folder for folder in folders if 0 < lines_in(python_files([folder]))[1] <= SMALL]
    if not found:
        raise SystemExit(f"no checkout has at most {SMALL:,} lines")
    return found


def replicated(small: Sequence[Path], into: Path, lines: int) -> tuple[int, int]:
    """Fill the new folder ``into`` with copies of projects up to ``lines`` lines; gives files and lines made.

    Only Python files are copied.
    """
    into.mkdir(parents=True)
    files = made = 0
    for number, folder in enumerate(itertools.cycle(small)):
        for file in python_files([folder]):
            if made >= lines:
                return files, made
            target = into / f"project_{number:05}" / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            content = file.read_bytes() + b"\n# copy %d\n" % number
            target.write_bytes(content)
            files, made = files + 1, made + content.count(b"\n")
    raise AssertionError("cycle never ends")


def steps(runs: trees.Runs, many: int) -> list[tuple[str, Callable[[], Cost]]]:
    """What is measured of each tree."""
    found: list[tuple[str, Callable[[], Cost]]] = [
        (FLOOR, runs.floor),
        ("cold, 1 worker", lambda: runs.cold(1)),
    ]
    if many > 1:
        found.append((f"cold, {many} workers", lambda: runs.cold(many)))
    if trees.has_cache():
        found.append(("warm", lambda: runs.warm(many)))
    return found


def measured(small: Sequence[Path], lines: int, runs: int) -> Size:
    """The tree with ``lines`` lines."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name).resolve()
        files, made = replicated(small, work / "tree", lines)
        say(f"{files:,} files, {made:,} lines")
        turns = runs if made <= SHORT else 1
        costs = in_turn(steps(trees.Runs(work / "tree", work / "cache"), cores()), turns)
    return Size(files, made, {kind: median(own) for kind, own in costs.items()})


def rows(sizes: Sequence[Size]) -> list[list[str]]:
    """Wall time and memory of each kind of run, for each size; and the power of the size that each follows."""
    found = []
    for size in sizes:
        cells = [cell for cost in size.costs.values() for cell in (f"{cost.wall:.2f}", f"{cost.peak:.0f}")]
        found.append([f"{size.lines:,}", f"{size.files:,}", *cells])
    powers = []
    for kind in sizes[0].costs:
        for quantity in ("cpu", "peak"):
            values = [getattr(size.costs[kind], quantity) for size in sizes[-4:]]
            power = exponent([size.lines for size in sizes[-4:]], values)
            powers.append("-" if power is None else f"{power:.2f}")
    return [*found, ["power of the last four", "", *powers]]


def picture(sizes: Sequence[Size]) -> str:
    """Wall time above, memory of the largest process below."""
    kinds = list(sizes[0].costs)
    wall = [Line(kind, [(size.lines, size.costs[kind].wall) for size in sizes]) for kind in kinds]
    peak = [Line(kind, [(size.lines, size.costs[kind].peak) for size in sizes]) for kind in kinds]
    return svg(
        [
            Panel("Wall time, seconds", "lines of the tree", wall),
            Panel("Memory of the largest process, MiB", "lines of the tree", peak),
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, draw and write; see the module's documentation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkouts", type=Path, metavar="CHECKOUTS", help="folder of OWNER+NAME folders")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=SIZES, metavar="LINES", help="sizes of the trees"
    )
    parser.add_argument(
        "--runs", type=int, default=3, metavar="N", help=f"for trees up to {SHORT:,} lines (3)"
    )
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and docs/growth.svg")
    chosen = parser.parse_args(arguments)
    small = projects(checkouts(chosen.checkouts))
    sizes = [measured(small, lines, chosen.runs) for lines in sorted(chosen.sizes)]
    head = ["lines", "files"]
    for kind in sizes[0].costs:
        head += [f"{kind}, s", "MiB"]
    content = [
        f"Wall time, and memory of the largest process. {described(machine())}",
        table(head, rows(sizes)),
    ]
    plain = [
        {"lines": s.lines, "costs": {k: [c.wall, c.cpu, c.peak] for k, c in s.costs.items()}} for s in sizes
    ]
    BUILD.mkdir(parents=True, exist_ok=True)
    (PICTURE if chosen.write else BUILD / PICTURE.name).write_text(picture(sizes), encoding="utf-8")
    result = {"machine": machine(), "sizes": plain}
    deliver(NAME, result, "\n\n".join(content), PAGE if chosen.write else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
