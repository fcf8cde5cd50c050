"""Names the files of the checkouts that take the longest, and says whether any takes over five seconds.

    python -m benchmarks.slowest CHECKOUTS [--only OWNER/NAME…] [--write]

Every Python file and notebook is checked in this process, one after the other, repository by repository; the time is
CPU time. `--write` puts the table into docs/performance.md. Exit status 1 when a file takes over five seconds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.in_process import Checked, check_files, warm_up
from benchmarks.measuring import PAGE, checkouts, deliver, described, machine, repository_of, say, table
from optlint.discovery import discover
from optlint.settings import Configuration

NAME = "slowest"
#: Seconds that no file may take.
TOO_LONG = 5.0
SHOWN = 20


def files_of(folder: Path) -> list[Path]:
    """What the command line would check in ``folder``."""
    configuration = Configuration(isolated=True, cwd=str(folder))
    return [Path(path) for path in discover([str(folder)], configuration.for_folder).files]


def rows(checked: Sequence[Checked], top: Path) -> list[list[str]]:
    """The slowest files: where, seconds, lines, and what was noted."""
    slowest = sorted(checked, key=lambda one: -one.cpu)[:SHOWN]
    return [
        [_shown(one.path, top), f"{one.cpu:.2f}", f"{_lines(one.path):,}", "; ".join(one.notes)]
        for one in slowest
    ]


def _shown(path: Path, top: Path) -> str:
    repository, *rest = path.relative_to(top).parts
    return f"{repository_of(Path(repository))} `{'/'.join(rest)}`"


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def summary(checked: Sequence[Checked]) -> str:
    """How the times are spread, in one sentence."""
    times = sorted(one.cpu for one in checked)
    over = sum(took > TOO_LONG for took in times)
    half, most = times[len(times) // 2], times[int(len(times) * 0.99)]
    return (
        f"{len(times):,} files take {sum(times):.0f} s of CPU time together. Half of them take under "
        f"{half * 1000:.0f} ms, 99 % under {most:.2f} s; {over or 'none'} takes over {TOO_LONG:.0f} s."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, print and write; see the module's documentation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkouts", type=Path, metavar="CHECKOUTS", help="folder of OWNER+NAME folders")
    parser.add_argument("--only", nargs="+", metavar="OWNER/NAME", help="these repositories alone")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    chosen = parser.parse_args(arguments)
    top = chosen.checkouts.resolve()
    warm_up()
    checked: list[Checked] = []
    for folder in checkouts(top, chosen.only):
        own = list(check_files(folder, files_of(folder)))
        checked += own
        longest = max((one.cpu for one in own), default=0)
        say(
            f"{repository_of(folder)}: {len(own)} files, {sum(one.cpu for one in own):.1f} s, longest {longest:.1f} s"
        )
    if not checked:
        raise SystemExit("there is nothing to check")
    head = ["file", "CPU, s", "lines", "notes"]
    content = "\n\n".join([summary(checked), described(machine()), table(head, rows(checked, top))])
    times = {str(one.path.relative_to(top)): round(one.cpu, 4) for one in checked}
    deliver(NAME, {"machine": machine(), "seconds": times}, content, PAGE if chosen.write else None)
    return int(any(one.cpu > TOO_LONG for one in checked))


if __name__ == "__main__":
    sys.exit(main())
