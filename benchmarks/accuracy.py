"""Lints checkouts of public repositories and compares the findings with those that a reader has judged.

    python benchmarks/accuracy.py CHECKOUTS

`CHECKOUTS` holds one folder for each repository, named `OWNER+NAME`. The verdicts are in
`benchmarks/accuracy/verdicts.tsv`. Prints a table by rule, the findings that nobody has judged, and the judged ones
that are no longer found; exit status 1 when there are any of either, 2 when a repository could not be checked.

What each repository gave is kept in the work folder, so that an interrupted run goes on with `--resume`: results of
the same optlint (its source code, its Python) are used again, others are made anew.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
VERDICTS = Path(__file__).resolve().parent / "accuracy" / "verdicts.tsv"
#: Seconds after which a repository counts as one that could not be checked.
TIMEOUT = 3600


class Place(NamedTuple):
    """Where a finding stands: repository, file, line and rule."""

    repository: str
    file: str
    line: int
    code: str


@dataclass(frozen=True)
class Result:
    """What one checkout gave. ``made_by`` tells which optlint it was; ``failure`` is empty when all went well."""

    made_by: str
    seconds: float
    findings: list[tuple[str, int, str]]
    failure: str = ""

    def places(self, repository: str) -> set[Place]:
        """The findings as they are compared."""
        return {Place(repository, file, line, code) for file, line, code in self.findings}


def repository_of(folder: Path) -> str:
    """``OWNER/NAME`` of a checkout."""
    return folder.name.replace("+", "/", 1)


def judged(verdicts: Path, repositories: set[str]) -> dict[Place, str]:
    """The verdict (true or false) of every finding in ``repositories`` that a reader has opened."""
    with verdicts.open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines, delimiter="\t") if row["repository"] in repositories]
    return {Place(r["repository"], r["file"], int(r["line"]), r["code"]): r["verdict"] for r in rows}


def fingerprint() -> str:
    """Identifies the optlint that is run: its source code and the Python beneath it."""
    code = hashlib.sha256(sys.version.encode())
    for path in sorted((ROOT / "src").rglob("*.py")):
        code.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return code.hexdigest()[:16]


class Runs:
    """The command line's runs that are under way, so that an interrupt can end them all."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def lint(self, folder: Path, made_by: str) -> Result | None:
        """Run optlint inside ``folder``, so that its import roots are the repository's; None once stopped."""
        command = [
            sys.executable,
            "-m",
            "optlint",
            "--isolated",
            "--jobs",
            "1",
            "--output-format",
            "json",
            ".",
        ]
        paths = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
        began = time.monotonic()
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"},
            )
            self._running.add(process)
        try:
            output, complaints = process.communicate(timeout=self._timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            output, complaints = "", f"not done after {self._timeout:.0f} s"
        finally:
            with self._lock:
                self._running.discard(process)
        if self._stopped:
            return None
        return _result(made_by, time.monotonic() - began, process.returncode, output, complaints)

    def stop(self) -> None:
        """End every process and start no other."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.kill()


def _result(made_by: str, seconds: float, status: int, output: str, complaints: str) -> Result:
    """What a run of the command line said; housekeeping aside."""
    failure = "" if status in (0, 1) else complaints.strip() or f"exit status {status}"
    try:
        found = json.loads(output)["findings"]
    except ValueError:  # also what Python leaves when optlint cannot even be imported
        found, failure = [], failure or complaints.strip() or "no report"
    findings = [(f["path"], f["line"], f["code"]) for f in found if not f["code"].startswith("OPT9")]
    return Result(made_by, round(seconds, 1), findings, failure)


def kept(file: Path, made_by: str) -> Result | None:
    """The result that an earlier run left, if the same optlint made it and it is whole."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        result = Result(**{**data, "findings": [tuple(finding) for finding in data["findings"]]})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return result if result.made_by == made_by and not result.failure else None


def keep(file: Path, result: Result) -> None:
    """Write a result so that an interrupt leaves either all of it or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(asdict(result)), encoding="utf-8")
    unfinished.replace(file)


def lint_all(
    folders: Sequence[Path], work: Path, jobs: int, resume: bool, timeout: float, say: Callable[[str], None]
) -> dict[str, Result]:
    """The results of all checkouts by repository; raises ``KeyboardInterrupt`` with every process ended."""
    made_by = fingerprint()
    results: dict[str, Result] = {}
    for folder in folders:
        old = kept(_file(work, folder), made_by) if resume else None
        if old is not None:
            results[repository_of(folder)] = old
    if resume:
        say(f"{len(results)} of {len(folders)} repositories kept from earlier runs")
    waiting = [folder for folder in folders if repository_of(folder) not in results]
    waiting.sort(
        key=_python_bytes, reverse=True
    )  # the long ones first, so that no core waits for one at the end
    runs = Runs(timeout)
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(runs.lint, folder, made_by): folder for folder in waiting}
        try:
            for future in as_completed(futures):
                folder, result = futures[future], future.result()
                if result is None:
                    continue
                keep(_file(work, folder), result)
                results[repository_of(folder)] = result
                say(f"[{len(results)}/{len(folders)}] {_line(repository_of(folder), result)}")
        except BaseException:
            runs.stop()
            pool.shutdown(cancel_futures=True)
            raise
    return results


def _file(work: Path, folder: Path) -> Path:
    return work / f"{folder.name}.json"


def _python_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.py") if path.is_file())


def _line(repository: str, result: Result) -> str:
    count = len(result.findings)
    ending = f"  FAILED: {result.failure.splitlines()[-1]}" if result.failure else ""
    return f"{repository}  {result.seconds:.1f} s  {count} finding{'s' * (count != 1)}{ending}"


def compare(places: set[Place], verdicts: dict[Place, str], failed: Iterable[str]) -> tuple[list[str], bool]:
    """The table by rule with the new and the lost findings, as lines; and whether there are any of either.

    What is missing in a repository of ``failed`` is not lost: nobody knows.
    """
    unknown = set(failed)
    counts = Counter((place.code, verdicts.get(place, "not judged")) for place in places)
    lines = [f"{code}\t{verdict}\t{count}" for (code, verdict), count in sorted(counts.items())]
    new = sorted(places - set(verdicts))
    lost = sorted(
        place
        for place, verdict in verdicts.items()
        if verdict == "true" and place not in places and place.repository not in unknown
    )
    for title, group in (("new", new), ("lost", lost)):
        lines += ["\t".join((title, *map(str, place))) for place in group]
    return lines, bool(new or lost)


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    summary, _, details = (__doc__ or "").partition("\n\n    ")
    parser = argparse.ArgumentParser(
        description=summary,
        epilog=details.partition("\n\n")[2],
        formatter_class=argparse.RawTextHelpFormatter,
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser.add_argument("checkouts", type=Path, metavar="CHECKOUTS", help="folder of OWNER+NAME folders")
    parser.add_argument("--only", nargs="+", metavar="OWNER/NAME", help="check these repositories alone")
    parser.add_argument(
        "--jobs", type=int, default=cores, metavar="N", help="repositories at once (the cores)"
    )
    parser.add_argument("--resume", action="store_true", help="use the results that an earlier run has left")
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "accuracy", help="where results are kept"
    )
    parser.add_argument(
        "--timeout", type=float, default=TIMEOUT, metavar="S", help="seconds for one repository"
    )
    parser.add_argument("--verdicts", type=Path, default=VERDICTS, help="the judged findings")
    chosen = parser.parse_args(arguments)
    if chosen.jobs < 1:
        parser.error("--jobs takes a number from 1")
    return chosen


def checkouts(folder: Path, only: Sequence[str] | None = None) -> list[Path]:
    """The checkouts in ``folder``, in order; those of ``only`` when it is given.

    Raises ``SystemExit`` for one that is not there.
    """
    if not folder.is_dir():
        raise SystemExit(f"{folder} is no folder")
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if only is None:
        return found
    missing = set(only) - {repository_of(path) for path in found}
    if missing:
        raise SystemExit(f"not in {folder}: {', '.join(sorted(missing))}")
    return [path for path in found if repository_of(path) in only]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; see the module's documentation."""
    chosen = options(arguments)
    folders = checkouts(chosen.checkouts, chosen.only)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        results = lint_all(folders, chosen.work, chosen.jobs, chosen.resume, chosen.timeout, say)
    except KeyboardInterrupt:
        say(f"interrupted; what is done is in {chosen.work}: --resume goes on from there")
        return 130
    failures = {repository: result.failure for repository, result in results.items() if result.failure}
    places = {place for repository, result in results.items() for place in result.places(repository)}
    lines, differs = compare(places, judged(chosen.verdicts, set(results)), failures)
    if lines:
        print(*lines, sep="\n", flush=True)
    for repository, failure in sorted(failures.items()):
        say(f"{repository} could not be checked: {failure}")
    return 2 if failures else int(differs)


if __name__ == "__main__":
    sys.exit(main())
