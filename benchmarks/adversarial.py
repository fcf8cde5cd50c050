"""Measures optlint on programs that are large or tangled in one way each, and how the time grows with the size.

    python -m benchmarks.adversarial [--only NAME…] [--write]

Each program (`benchmarks/adversarial_inputs`) is made in four sizes, each twice the one before, and its main file is
checked by the command line with one worker and no cache. The growth is the power of the size that the CPU time follows;
the time for a program of a few lines is taken off first. `--write` puts the table into docs/performance.md. Exit status 1
when a program takes longer than 5 s, or grows faster than the power 1.3 and no budget cuts it.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import adversarial_inputs as inputs
from benchmarks import trees
from benchmarks.measuring import (
    PAGE,
    Cost,
    deliver,
    described,
    environment,
    exponent,
    machine,
    median,
    optlint,
    run,
    say,
    table,
)

NAME = "adversarial"
#: Seconds of CPU time that no program may take.
TOO_LONG = 5.0
#: The power of the size that counts as linear, noise included.
LINEAR = 1.3
#: Seconds after which a run is ended.
LIMIT = 30.0
#: Programs that take that many seconds are shown on the page.
SHOWN = 1.0
#: Shorter times, with the start of the process taken off, say nothing about growth.
_CLEAR = 0.25
_IN_PART = "in part: "
_SMALLEST = inputs.HEAD + inputs.TAIL


@dataclass(frozen=True)
class Point:
    """One size of a program: seconds of CPU time less those for a tiny program, memory in MiB, what was noted."""

    size: int
    cpu: float
    peak: float
    ended: bool
    notes: tuple[str, ...]
    fault: str


@dataclass(frozen=True)
class Line:
    """One kind of program. ``growth`` is None where it takes too short a time to say."""

    name: str
    unit: str
    points: tuple[Point, ...]
    growth: float | None

    @property
    def longest(self) -> float:
        """The seconds of the size that took the longest."""
        return max(point.cpu for point in self.points)

    @property
    def bad(self) -> bool:
        """Whether it breaks one of the two promises, or optlint itself broke; what a budget cuts may grow until then."""
        cut = any(note.startswith(_IN_PART) for note in self.points[-1].notes)
        steep = self.growth is not None and self.growth > LINEAR and not cut
        return steep or any(point.ended or point.cpu > TOO_LONG or point.fault for point in self.points)


@functools.cache
def few_lines() -> float:
    """The CPU time for a program of a few lines: mostly the start of the process."""
    return median([_check({inputs.MAIN: _SMALLEST}) for _ in range(3)]).cpu


def _check(files: inputs.Files) -> Cost:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "program")
        folder.mkdir()
        for file, text in files.items():
            Path(folder, file).write_text(text, encoding="utf-8", newline="")
        mains = [file for file in files if file.startswith("main.")]
        shown = Path(name, "report.txt")
        # The report that people see is made too: it must not be what takes long.
        formats = ("--output-format", "json", "--output-format", f"full={shown}")
        caching = ("--no-cache",) if trees.has_cache() else ()
        command = optlint("--isolated", *caching, "--jobs", "1", "--verbose", *formats, mains[0])
        return run(command, folder, LIMIT, environment())


def measured(case: inputs.Case, runs: int) -> Line:
    """The sizes of ``case`` in turn, up to the first that takes too long by far."""
    points: list[Point] = []
    for size in case.sizes:
        files = case.make(size)
        point = _point(size, min((_check(files) for _ in range(runs)), key=lambda cost: cost.cpu))
        points.append(point)
        if point.ended:
            break
    return Line(case.name, case.unit, tuple(points), growth(points))


def growth(points: Sequence[Point]) -> float | None:
    """The steepest growth over three sizes in a row: a budget that cuts the largest must not hide what came before."""
    clear = [point for point in points if point.cpu >= _CLEAR]
    parts = [clear[i : i + 3] for i in range(max(len(clear) - 2, 1))]
    found = [exponent([p.size for p in part], [p.cpu for p in part]) for part in parts]
    return max((power for power in found if power is not None), default=None)


def _point(size: int, cost: Cost) -> Point:
    notes: tuple[str, ...] = ()
    fault = "" if cost.status in (0, 1, None) else cost.complaints.strip()[-200:] or f"status {cost.status}"
    if not fault and cost.status is not None:
        notes = tuple(sorted({error["message"] for error in json.loads(cost.output)["errors"]}))[:3]
        cut = sorted(set(re.findall(r"\((MAX_\w+)\)", cost.complaints)))
        notes += (f"{_IN_PART}{', '.join(cut)}",) if cut else ()
    took = max(cost.cpu - few_lines(), 0.0)
    return Point(size, round(took, 3), round(cost.peak), cost.status is None, notes, fault)


def rows(lines: Sequence[Line]) -> list[list[str]]:
    """The table's rows: what, its sizes, the times, the growth, the memory, the note of the largest."""
    return [
        [
            f"{line.name} ({line.unit})",
            " / ".join(f"{point.size:,}" for point in line.points),
            " / ".join(f"over {LIMIT:.0f}" if p.ended else f"{p.cpu:.2f}" for p in line.points),
            "-" if line.growth is None else f"{line.growth:.1f}",
            f"{line.points[-1].peak:.0f}",
            line.points[-1].fault or "; ".join(line.points[-1].notes),
        ]
        for line in lines
    ]


def content(lines: Sequence[Line]) -> str:
    """What the page says: how many programs there are, and a table of those that take a second or break a promise."""
    slow = sorted(
        (line for line in lines if line.bad or line.longest >= SHOWN), key=lambda line: -line.longest
    )
    bad = sum(line.bad for line in lines)
    said = (
        f"{len(lines)} kinds of program, each in four sizes; {bad or 'none'} of them over {TOO_LONG:.0f} s of CPU time, "
        f"or growing faster than the power {LINEAR} of its size. Those that take {SHOWN:.0f} s or more:"
    )
    head = ["program", "sizes", "seconds of CPU", "power", "MiB", "note"]
    return "\n\n".join([said, described(machine()), table(head, rows(slow))])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; see the module's documentation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="programs whose name holds one of these")
    parser.add_argument("--runs", type=int, default=1, help="runs of each; the quickest counts")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    chosen = parser.parse_args(arguments)
    wanted = [
        case for case in inputs.CASES if not chosen.only or any(part in case.name for part in chosen.only)
    ]
    lines: list[Line] = []
    for case in wanted:
        line = measured(case, chosen.runs)
        lines.append(line)
        say(" | ".join(rows([line])[0]) + ("   <-- BAD" if line.bad else ""))
    result = {"machine": machine(), "programs": [asdict(line) for line in lines]}
    deliver(NAME, result, content(lines), PAGE if chosen.write else None)
    return int(any(line.bad for line in lines))


if __name__ == "__main__":
    sys.exit(main())
