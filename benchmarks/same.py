"""Says whether the findings are the same cold and warm, with one and with many workers, from any working directory.

    python -m benchmarks.same CHECKOUTS [--only OWNER/NAME…]

A copy of each repository is checked in all these ways, and the JSON reports are compared. Exit status 1 when one of
them differs; what differs is printed.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import trees
from benchmarks.measuring import checkouts, environment, optlint, repository_of, run, say

#: Lines of a difference that are shown.
SHOWN = 40


def reports(folder: Path, work: Path) -> Iterator[tuple[str, str]]:
    """The report of ``folder`` in every way, each with the name of the way; the first is what the others must be."""
    cached = trees.has_cache()
    off = ("--no-cache",) if cached else ()
    for jobs in (1, 2, 8):
        yield f"without a cache, {jobs} workers", _report(folder, [*off, "--jobs", str(jobs), "."], folder)
    elsewhere = work / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    yield "from elsewhere", _report(elsewhere, [*off, "--jobs", "2", str(folder)], folder)
    if not cached:
        return
    for jobs in (1, 2):
        cache = ("--cache-dir", str(work / f"cache-{jobs}"))
        for state in ("cold", "warm", "warm again"):
            yield f"{state}, {jobs} workers", _report(folder, [*cache, "--jobs", str(jobs), "."], folder)
    shared = ("--cache-dir", str(work / "cache-1"))
    yield "warm, from elsewhere", _report(elsewhere, [*shared, "--jobs", "2", str(folder)], folder)


def _report(cwd: Path, arguments: Sequence[str], folder: Path) -> str:
    """The JSON report, its paths relative to ``folder`` wherever it was made."""
    formats = ("--output-format", "json", "--quiet")
    cost = trees.checked(run(optlint(*formats, *arguments), cwd, environment=environment()))
    data = json.loads(cost.output)
    text = json.dumps(data, indent=1, sort_keys=True)
    below = [folder.relative_to(cwd).as_posix()] if cwd in folder.parents else []
    for place in (folder.as_posix(), *below):
        text = text.replace(f'"{place}/', '"')
    return text


def differences(first: tuple[str, str], second: tuple[str, str]) -> list[str]:
    """The lines in which two reports differ; none when they are the same."""
    lines = difflib.unified_diff(
        first[1].splitlines(), second[1].splitlines(), first[0], second[0], lineterm="", n=2
    )
    return list(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; see the module's documentation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkouts", type=Path, metavar="CHECKOUTS", help="folder of OWNER+NAME folders")
    parser.add_argument("--only", nargs="+", metavar="OWNER/NAME", help="these repositories alone")
    chosen = parser.parse_args(arguments)
    differ = False
    for folder in checkouts(chosen.checkouts.resolve(), chosen.only):
        with tempfile.TemporaryDirectory() as name:
            work = Path(name).resolve()
            ways = reports(trees.copied([folder], work / "tree", without="") / folder.name, work)
            first = next(ways)
            count = 1
            for way in ways:
                count += 1
                found = differences(first, way)
                differ = differ or bool(found)
                if found:
                    print(f"{repository_of(folder)}:", *found[:SHOWN], sep="\n", flush=True)
        findings = len(json.loads(first[1])["findings"])
        say(f"{repository_of(folder)}: {findings} findings, compared in {count} ways")
    if not trees.has_cache():
        say("this optlint has no cache: warm runs were not compared")
    print("some reports differ" if differ else "all reports are the same")
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
