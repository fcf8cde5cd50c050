"""Compares optlint with other linters on a sample of the checkouts, all measured in the same turns.

    python -m benchmarks.peers CHECKOUTS [--venv FOLDER] [--lines N] [--runs N] [--limit SECONDS] [--write]

The peers are installed into a virtual environment of their own, at the versions below; `--venv` keeps it, so that the
next run finds it. The sample is every so manieth repository by name, until it has about `--lines` lines. A run that
takes longer than `--limit` seconds is ended, and its row says "over". `--write` puts the table into
docs/performance.md.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import trees
from benchmarks.measuring import (
    PAGE,
    Cost,
    checkouts,
    cores,
    deliver,
    described,
    lines_in,
    machine,
    python_files,
    repository_of,
    run,
    say,
    table,
)
from benchmarks.speed import HEAD, Step, in_turn, plain, rows, steps

NAME = "peers"
PINNED = ("flake8==7.5.0", "pylint==4.1.4", "ruff==0.17.6", "torchfix==0.7.0")
LINES = 60_000
LIMIT = 3_600.0
_STAMP = "installed.txt"
_OWN = "optlint"


def installed(folder: Path) -> Path:
    """The folder of the peers' programs below the virtual environment ``folder``, which is made unless it is there.

    Raises ``SystemExit`` for a folder that holds something else.
    """
    if folder.exists() and not (folder / "pyvenv.cfg").is_file() and any(folder.iterdir()):
        raise SystemExit(f"{folder} is no virtual environment")
    programs = folder / "bin"
    stamp = folder / _STAMP
    if not stamp.is_file() or stamp.read_text(encoding="utf-8").split() != list(PINNED):
        say(f"installing {', '.join(PINNED)}")
        venv.create(folder, with_pip=True)
        subprocess.run([programs / "python", "-m", "pip", "install", "--quiet", *PINNED], check=True)
        stamp.write_text("\n".join(PINNED), encoding="utf-8")
    return programs


def commands(programs: Path) -> dict[str, list[str]]:
    """What each peer is called with, in the folder that it is to check. None may use a cache or a configuration."""
    many = str(cores())
    ruff = [str(programs / "ruff"), "check", "--isolated", "--no-cache", "--quiet", "--exit-zero"]
    pylint = [str(programs / "pylint"), "--rcfile=/dev/null", "--recursive=y", "--exit-zero", "--reports=n"]
    flake8 = [str(programs / "flake8"), "--isolated", "--exit-zero", "--select=TOR"]
    torchfix = [str(programs / "torchfix"), "--select", "ALL"]
    return {
        "ruff, its default rules": [*ruff, "."],
        "ruff, all rules": [*ruff, "--select", "ALL", "."],
        "TorchFix by itself, 1 process": [*torchfix, "--jobs", "1", "."],
        f"TorchFix by itself, {many} processes": [*torchfix, "--jobs", many, "."],
        f"flake8 with TorchFix, {many} processes": [*flake8, f"--jobs={many}", "."],
        "pylint, 1 process": [*pylint, "--jobs=1", "."],
    }


def sample(folders: Sequence[Path], lines: int) -> list[Path]:
    """Repositories from all over the alphabet that hold about ``lines`` lines together.

    Those that hold more than a quarter of that by themselves are left out, so that none speaks for all.
    """
    held = {folder: lines_in(python_files([folder]))[1] for folder in folders}
    fitting = [folder for folder in folders if 0 < held[folder] <= lines / 4]
    total = sum(held[folder] for folder in fitting)
    if total <= lines:
        return fitting or list(folders)
    chosen: list[Path] = []
    passed = taken = 0
    for folder in fitting:
        passed += held[folder]
        if taken / lines < passed / total:
            chosen.append(folder)
            taken += held[folder]
    return chosen


def peer_steps(tree: Path, programs: Path, wanted: Sequence[str] | None, limit: float) -> Iterator[Step]:
    """A step for each peer whose name holds one of ``wanted``."""
    for name, command in commands(programs).items():
        if wanted is None or any(part in name for part in wanted):
            yield name, lambda command=command: _checked(run(command, tree, limit))  # type: ignore[misc]


def _checked(cost: Cost) -> Cost:
    """``cost``, if the peer did its work. Raises ``SystemExit`` when it broke."""
    # flake8 and pylint have a status of their own for files that they cannot parse.
    if cost.status not in (None, 0, 1) or "No module named" in cost.complaints:
        raise SystemExit(f"a peer failed (exit status {cost.status}):\n{cost.complaints[-2000:]}")
    return cost


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; see the module's documentation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkouts", type=Path, metavar="CHECKOUTS", help="folder of OWNER+NAME folders")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="how often each is measured (1)")
    parser.add_argument(
        "--lines", type=int, default=LINES, metavar="N", help=f"size of the sample ({LINES:,})"
    )
    parser.add_argument("--only", nargs="+", metavar="OWNER/NAME", help="these repositories are the sample")
    parser.add_argument("--peers", nargs="+", metavar="NAME", help="peers whose name holds one of these")
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="S", help="seconds for one run")
    parser.add_argument("--venv", type=Path, metavar="FOLDER", help="where the peers are, or are to be")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    chosen = parser.parse_args(arguments)
    folders = checkouts(chosen.checkouts, chosen.only)
    folders = folders if chosen.only else sample(folders, chosen.lines)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name).resolve()
        programs = installed(chosen.venv.resolve() if chosen.venv else work / "venv")
        tree = trees.copied(folders, work / "tree")
        own = trees.Runs(tree, work / "cache")
        order = [*_named(steps(own, cores(), None)), *peer_steps(tree, programs, chosen.peers, chosen.limit)]
        measured = in_turn(order, chosen.runs)
        files, lines = trees.size_of(tree)
    content = [
        f"{len(folders)} repositories, {files:,} Python files, {lines:,} lines; median of {chosen.runs} runs. "
        f"Peers: {', '.join(pin.replace('==', ' ') for pin in PINNED)}.",
        described(machine()),
        table([*HEAD, "CPU ÷ optlint cold"], _compared(measured)),
    ]
    names = [repository_of(folder) for folder in folders]
    result = {"machine": machine(), "repositories": names, "costs": plain(measured)}
    deliver(NAME, result, "\n\n".join(content), PAGE if chosen.write else None)
    return 0


def _compared(measured: dict[str, list[Cost]]) -> list[list[str]]:
    """The rows, each with how many times the CPU time of optlint (cold, one worker) it takes."""
    own = next(costs for name, costs in measured.items() if name.startswith(_OWN))
    found = []
    for row, costs in zip(rows(measured), measured.values(), strict=True):
        times = statistics.median(other.cpu / base.cpu for other, base in zip(costs, own, strict=True))
        found.append([*row, f"{times:.2f}"])
    return found


def _named(own: Iterator[Step]) -> Iterator[Step]:
    """optlint's steps with its name before them; the floor keeps its own."""
    for number, (name, measure) in enumerate(own):
        yield (f"{_OWN}, {name}" if number else name), measure


if __name__ == "__main__":
    sys.exit(main())
