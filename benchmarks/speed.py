"""Compares optlint with the mere parsing of the same tree: cold, warm, and after one file has changed.

    python -m benchmarks.speed CHECKOUTS [--runs N] [--only OWNER/NAME…] [--write]

`CHECKOUTS` holds one folder for each repository, named `OWNER+NAME`; the work is done on a copy. The parse floor is
`libcst.parse_module` over every `.py` file in one process. All rows are measured in turn, `--runs` times; a ratio is
the median of the ratios within one turn, so that a machine that is busy for a while slows both sides of it. `--write`
puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import trees
from benchmarks.measuring import (
    PAGE,
    Cost,
    checkouts,
    cores,
    deliver,
    described,
    machine,
    median,
    say,
    table,
)

NAME = "speed"
FLOOR = "parse floor"
#: Files of the smaller tree on which a warm run is measured too.
SMALLER = 1_000

Step = tuple[str, Callable[[], Cost]]


def in_turn(steps: Sequence[Step], runs: int, tell: Callable[[str], None] = say) -> dict[str, list[Cost]]:
    """The costs of all ``steps``, measured one after the other, ``runs`` times."""
    costs: dict[str, list[Cost]] = {name: [] for name, _ in steps}
    for turn in range(runs):
        for name, measure in steps:
            cost = measure()
            costs[name].append(cost)
            ended = "  ENDED: out of time" if cost.status is None else ""
            tell(
                f"[{turn + 1}/{runs}] {name}: {cost.wall:.2f} s, CPU {cost.cpu:.2f} s, {cost.peak:.0f} MiB{ended}"
            )
    return costs


def rows(costs: dict[str, list[Cost]], floor: str = FLOOR) -> list[list[str]]:
    """For each step its wall time, CPU time, memory, and the ratios of both times to those of the floor."""
    found = []
    for name, measured in costs.items():
        middle = median(measured)
        pairs = list(zip(measured, costs[floor], strict=True))
        wall = statistics.median(own.wall / base.wall for own, base in pairs)
        cpu = statistics.median(own.cpu / base.cpu for own, base in pairs)
        more = "over " if middle.status is None else ""
        found.append(
            [
                name,
                f"{more}{middle.wall:.2f}",
                f"{more}{middle.cpu:.2f}",
                f"{middle.peak:.0f}",
                f"{more}{wall:.3f}",
                f"{more}{cpu:.3f}",
            ]
        )
    return found


HEAD = ["", "wall, s", "CPU, s", "largest process, MiB", "wall ÷ floor", "CPU ÷ floor"]


def steps(runs: trees.Runs, many: int, edit: Callable[[], None] | None, prefix: str = "") -> Iterator[Step]:
    """The floor, and optlint cold with one worker and with ``many``, warm, and with one file changed."""
    yield f"{prefix}{FLOOR}", runs.floor
    yield f"{prefix}cold, 1 worker", lambda: runs.cold(1)
    if many > 1:
        yield f"{prefix}cold, {many} workers", lambda: runs.cold(many)
    if not trees.has_cache():
        return
    yield f"{prefix}warm", lambda: runs.warm(many)
    if edit is not None:
        yield f"{prefix}one file changed", lambda: (edit(), runs.warm(many))[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; see the module's documentation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkouts", type=Path, metavar="CHECKOUTS", help="folder of OWNER+NAME folders")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="how often each is measured (3)")
    parser.add_argument("--only", nargs="+", metavar="OWNER/NAME", help="these repositories alone")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    chosen = parser.parse_args(arguments)
    folders = checkouts(chosen.checkouts, chosen.only)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name).resolve()
        tree = trees.copied(folders, work / "tree")
        whole = trees.Runs(tree, work / "cache")
        with trees.edits(trees.training_script([tree])) as edit:
            measured = in_turn(list(steps(whole, cores(), edit)), chosen.runs)
        files, lines = trees.size_of(tree)
        content = [
            f"{len(folders)} repositories, {files:,} Python files, {lines:,} lines; median of {chosen.runs} runs.",
            described(machine()),
            table(HEAD, rows(measured)),
        ]
        result: dict[str, object] = {"machine": machine(), "costs": plain(measured)}
        if trees.has_cache():
            said, smaller = _smaller(tree, work / "smaller", chosen.runs)
            content += said
            result["smaller"] = plain(smaller)
        else:
            content.append("This optlint has no cache: there is nothing to say of warm runs.")
    deliver(NAME, result, "\n\n".join(content), PAGE if chosen.write else None)
    return 0


def _smaller(tree: Path, cache: Path, runs: int) -> tuple[list[str], dict[str, list[Cost]]]:
    """The same for a tree of the size that a project has: what to say of it, and the costs."""
    paths = trees.first_files(tree, SMALLER)
    files, lines = trees.size_of(tree, paths)
    with trees.edits(trees.training_script([tree / path for path in paths])) as edit:
        some = trees.Runs(tree, cache, paths)
        measured = in_turn(list(steps(some, cores(), edit)), runs)
    title = f"The first {len(paths)} of these repositories, {files:,} files with {lines:,} lines:"
    return [title, table(HEAD, rows(measured))], measured


def plain(measured: dict[str, list[Cost]]) -> dict[str, list[dict[str, float | int | None]]]:
    """Costs as JSON, without what the commands printed."""
    return {
        name: [{"wall": c.wall, "cpu": c.cpu, "peak": c.peak, "status": c.status} for c in costs]
        for name, costs in measured.items()
    }


if __name__ == "__main__":
    sys.exit(main())
