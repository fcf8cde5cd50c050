"""What all benchmarks share: commands and what they cost, checkouts, the machine's description, parts of a page.

The scripts beside this one use it. It must not know what is measured.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO

from benchmarks.accuracy import checkouts as checkouts
from benchmarks.accuracy import repository_of as repository_of

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "benchmarks"
PAGE = ROOT / "docs" / "performance.md"

#: What ``ru_maxrss`` counts in: bytes on macOS, KiB elsewhere.
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Cost:
    """What a command took. ``cpu`` counts all its processes, ``peak`` the memory (MiB) of the largest of them.

    ``status`` is its exit status, None when it was ended after the time that it was given; ``complaints`` is what it
    wrote to standard error.
    """

    wall: float
    cpu: float
    peak: float
    status: int | None
    output: str = ""
    complaints: str = ""


def run(
    command: Sequence[str | os.PathLike[str]],
    folder: Path | None = None,
    limit: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Cost:
    """Run ``command`` in ``folder`` and measure it; end it and all it started after ``limit`` seconds.

    Raises ``SystemExit`` where the system does not tell what a process used.
    """
    if not hasattr(os, "wait4"):
        raise SystemExit("measuring needs Linux or macOS")
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=complaints,
            env={**_inherited(), **(environment or {})},
            start_new_session=True,
        )
        stopper = _Stopper(process.pid, limit)
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            _end(process.pid)
            raise
        finally:
            stopper.cancel()
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        return Cost(
            wall=wall,
            cpu=used.ru_utime + used.ru_stime,
            peak=used.ru_maxrss * _PEAK_UNIT / 2**20,
            status=None if stopper.stopped else process.returncode,
            output=_text(output),
            complaints=_text(complaints),
        )


def _inherited() -> dict[str, str]:
    """This process's environment, less what would have Python compile every module anew in every process."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


class _Stopper:
    """Ends a process group when its time is over."""

    def __init__(self, pid: int, limit: float | None) -> None:
        self.stopped = False
        self._pid = pid
        self._timer = threading.Timer(limit, self._stop) if limit is not None else None
        if self._timer is not None:
            self._timer.start()

    def _stop(self) -> None:
        self.stopped = True
        _end(self._pid)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it was just done
        os.killpg(pid, signal.SIGKILL)


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each quantity, with the status and the output of the last run."""
    return Cost(
        wall=statistics.median(cost.wall for cost in costs),
        cpu=statistics.median(cost.cpu for cost in costs),
        peak=statistics.median(cost.peak for cost in costs),
        status=costs[-1].status,
        output=costs[-1].output,
        complaints=costs[-1].complaints,
    )


def optlint(*arguments: str | os.PathLike[str]) -> list[str | os.PathLike[str]]:
    """The command line of the optlint that this checkout holds."""
    return [sys.executable, "-m", "optlint", *arguments]


def environment() -> dict[str, str]:
    """What optlint is run with: the code of this checkout, and no colours."""
    paths = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1", "NO_COLOR": "1"}


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def python_files(folders: Iterable[Path]) -> Iterator[Path]:
    """Every ``.py`` file below ``folders``, in order."""
    for folder in folders:
        for place, names, files in os.walk(folder):
            names.sort()
            yield from (Path(place, name) for name in sorted(files) if name.endswith(".py"))


def lines_in(files: Iterable[Path]) -> tuple[int, int]:
    """How many files and how many lines there are."""
    count = lines = 0
    for file in files:
        try:
            lines += file.read_bytes().count(b"\n")
        except OSError:
            continue
        count += 1
    return count, lines


def machine() -> dict[str, str]:
    """What the figures hold for: the processor, the system and the versions."""
    return {
        "processor": f"{_processor()}, {cores()} cores used",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        "libcst": metadata.version("libcst"),
        "optlint": _revision(),
        "date": time.strftime("%Y-%m-%d"),
    }


def described(facts: Mapping[str, str]) -> str:
    """``machine()`` as one line of prose."""
    return (
        f"{facts['processor']}, {facts['memory']}; {facts['system']}; Python {facts['Python']}, "
        f"libcst {facts['libcst']}; optlint {facts['optlint']}; {facts['date']}."
    )


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return " ".join(found[1].split()) if found else platform.processor() or platform.machine()


def _memory() -> str:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{pages / 2**30:.0f} GiB"


def _revision() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "of no known revision"


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float | None:
    """By which power of the size the time grows: the slope of the line through the points, on logarithmic axes.

    None when there are fewer than two points.
    """
    points = [(math.log(n), math.log(t)) for n, t in zip(sizes, times, strict=True) if n > 0 and t > 0]
    if len({x for x, _ in points}) < 2:
        return None
    mean_x = statistics.fmean(x for x, _ in points)
    mean_y = statistics.fmean(y for _, y in points)
    across = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / across


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown: the first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def begin(name: str) -> str:
    """What begins the part ``name`` of a page."""
    return f"<!-- {name}: written by python -m benchmarks.{name} -->"


def end(name: str) -> str:
    """What ends the part ``name`` of a page."""
    return f"<!-- end of {name} -->"


def write_part(page: Path, name: str, content: str) -> None:
    """Put ``content`` into the part ``name`` of ``page``. Raises ``ValueError`` when the page has no such part."""
    text = page.read_text(encoding="utf-8")
    before, found, rest = text.partition(begin(name))
    _, closed, after = rest.partition(end(name))
    if not found or not closed:
        raise ValueError(f"{page.name} has no part {name!r}")
    new = f"{before}{begin(name)}\n\n{content.strip()}\n\n{end(name)}{after}"
    page.write_text(new, encoding="utf-8")


def deliver(name: str, result: object, content: str, page: Path | None) -> None:
    """Keep ``result`` as JSON in the build folder, print ``content``, and write it into ``page`` if one is given."""
    BUILD.mkdir(parents=True, exist_ok=True)
    kept = BUILD / f"{name}.json"
    kept.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(content)
    print(f"\nkept in {kept}", file=sys.stderr)
    if page is not None:
        write_part(page, name, content)


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)


def repeated(runs: int, measure: Callable[[], Cost]) -> Cost:
    """The median of ``runs`` measurements."""
    return median([measure() for _ in range(runs)])
