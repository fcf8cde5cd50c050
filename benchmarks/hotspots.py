"""Profiles the check of checkouts, and says which layer the time goes to.

    python -m benchmarks.hotspots CHECKOUTS [--only OWNER/NAME…] [--functions N] [--write]

Every repository is checked and reported in this process under cProfile. A function's own time counts for the layer
whose module it stands in; the time of Python's own and of other packages' functions counts for the layers that call
them, in the shares in which they call. The profile slows small functions most: it shows where to look, not how long
things take. `--write` puts the table into docs/performance.md; `--functions` prints the functions that take the most.
"""

from __future__ import annotations

import argparse
import cProfile
import functools
import io
import os
import pstats
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import optlint
from benchmarks.in_process import warm_up
from benchmarks.measuring import (
    PAGE,
    checkouts,
    deliver,
    described,
    lines_in,
    machine,
    python_files,
    say,
    table,
)
from optlint import analysis, engine
from optlint.discovery import discover
from optlint.reporters import json_report  # noqa: F401  (imported before the profile begins)
from optlint.settings import Configuration
from optlint.source import SourceStore

NAME = "hotspots"

Function = tuple[str, int, str]
_Times = tuple[int, int, float, float]
_Entry = tuple[int, int, float, float, dict[Function, _Times]]

_PACKAGE = os.path.dirname(optlint.__file__)
OTHER = "Python and packages"

#: How often shares are handed down: more than packages call each other in a row.
_ROUNDS = 40
#: The layer of a module of optlint, by how its path begins; the first that fits counts.
LAYERS = (
    ("discovery", "reading and discovery"),
    ("folders", "reading and discovery"),
    ("disk", "reading and discovery"),
    ("source.py", "reading and discovery"),
    ("notebook", "reading and discovery"),
    ("magics", "reading and discovery"),
    ("settings", "reading and discovery"),
    ("ignoring", "reading and discovery"),
    ("validity", "`ast`: is it Python, where are its statements"),
    ("checker", "triage"),
    ("triage", "triage"),
    ("cache", "cache"),
    ("analysis", "interpreting"),
    ("semantics/project", "finding and reading imported files"),
    ("semantics/loading", "interpreting"),
    ("semantics/questions", "questions and rules"),
    ("semantics/program", "questions and rules"),
    ("rules", "questions and rules"),
    ("semantics", "interpreting"),
    ("suppressions", "suppressions, merging, reporting"),
    ("fingerprints", "suppressions, merging, reporting"),
    ("selection", "suppressions, merging, reporting"),
    ("engine", "suppressions, merging, reporting"),
    ("reporters", "suppressions, merging, reporting"),
    ("delivery", "suppressions, merging, reporting"),
    ("", "the rest"),
)
#: Functions that are a layer of their own, by file and name.
SPECIAL = {
    ("syntax/source_module.py", "_parse"): "libcst: parsing",
    ("syntax/source_module.py", "_whole"): "libcst: parsing",
    ("syntax/source_module.py", "span"): "libcst: positions of findings",
    ("syntax/source_module.py", "code"): "libcst: source text of nodes",
    ("checker.py", "may_matter"): "triage",
}
#: Modules that work for all layers: their time counts for the callers, as a package's does.
EVERYWHERE = ("dataclass_methods.py", "deferred.py")
_SYNTAX = "`ast`: is it Python, where are its statements"


@functools.cache
def layer(function: Function) -> str | None:
    """The layer that a function belongs to; None for one that works for whoever calls it."""
    file, _, name = function
    if not file.startswith(_PACKAGE + os.sep):
        return None
    inside = file[len(_PACKAGE) + 1 :].replace(os.sep, "/")
    if inside in EVERYWHERE:
        return None
    if (inside, name) in SPECIAL:
        return SPECIAL[inside, name]
    if inside.startswith("syntax/"):
        return _SYNTAX
    return next(name for begin, name in LAYERS if inside.startswith(begin))


def shares(stats: pstats.Stats) -> dict[str, float]:
    """The seconds of each layer."""
    entries: dict[Function, _Entry] = stats.stats  # type: ignore[attr-defined]
    callers = _callers(entries)
    total: dict[str, float] = defaultdict(float)
    for function, (_, _, seconds, _, _) in entries.items():
        own = layer(function)
        for name, share in ({own: 1.0} if own else callers[function]).items():
            total[name] += seconds * share
    return total


def _callers(entries: Mapping[Function, _Entry]) -> dict[Function, dict[str, float]]:
    """In which shares the layers call each function that is not optlint's, perhaps through others that are not.

    Such functions call each other in circles: the shares are handed down from callers again and again until they stand.
    """
    found: dict[Function, dict[str, float]] = {}
    foreign = {function: entry[4] for function, entry in entries.items() if layer(function) is None}
    for _ in range(_ROUNDS):
        handed: dict[Function, dict[str, float]] = {}
        for function, callers in foreign.items():
            shares: dict[str, float] = defaultdict(float)
            for caller, times in callers.items():
                own = layer(caller)
                for name, share in ({own: 1.0} if own else found.get(caller, {})).items():
                    shares[name] += share * max(times[3], 1e-9)
            whole = sum(shares.values())
            handed[function] = {name: share / whole for name, share in shares.items()}
        found = handed
    return {function: shares or {OTHER: 1.0} for function, shares in found.items()}


def profiled(folders: Sequence[Path]) -> pstats.Stats:
    """The profile of checking ``folders`` one by one, threads of the analysis included."""
    stats: list[cProfile.Profile] = []
    outside = cProfile.Profile()
    deep = analysis._with_deep_stack

    def in_its_thread(action: Callable[[], None]) -> None:
        inside = cProfile.Profile()
        stats.append(inside)
        outside.disable()
        try:
            deep(lambda: inside.runcall(action))
        finally:
            outside.enable()

    analysis._with_deep_stack = in_its_thread  # type: ignore[assignment]
    try:
        for folder in folders:
            say(folder.name)
            outside.enable()
            try:
                _check(folder)
            finally:
                outside.disable()
    finally:
        analysis._with_deep_stack = deep
    result = pstats.Stats(outside)
    for one in stats:
        result.add(one)
    return result


def _check(folder: Path) -> None:
    """What the command line does in ``folder`` with one worker and no cache."""
    configuration = Configuration(isolated=True, cwd=str(folder))
    files = discover([str(folder)], configuration.for_folder).files
    engine.run(files, configuration.for_folder, store=SourceStore(), folder=str(folder))


def main(arguments: Sequence[str] | None = None) -> int:
    """Profile, print and write; see the module's documentation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkouts", type=Path, metavar="CHECKOUTS", help="folder of OWNER+NAME folders")
    parser.add_argument("--only", nargs="+", metavar="OWNER/NAME", help="these repositories alone")
    parser.add_argument(
        "--functions", type=int, default=0, metavar="N", help="print the N slowest functions too"
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    chosen = parser.parse_args(arguments)
    folders = [folder.resolve() for folder in checkouts(chosen.checkouts, chosen.only)]
    warm_up()
    stats = profiled(folders)
    if chosen.functions:
        text = io.StringIO()
        shown = pstats.Stats(stream=text)
        shown.add(stats)
        shown.sort_stats("tottime").print_stats(chosen.functions)
        print(text.getvalue(), file=sys.stderr)
    times = shares(stats)
    total = sum(times.values())
    files, lines = lines_in(python_files(folders))
    largest = sorted(times.items(), key=lambda pair: -pair[1])
    rows = [[name, f"{took / total:.1%}"] for name, took in largest if took / total >= 0.001]
    content = [
        f"{len(folders)} repositories, {files:,} Python files, {lines:,} lines. {described(machine())}",
        table(["layer", "share"], rows),
    ]
    result = {"machine": machine(), "seconds": dict(times)}
    deliver(NAME, result, "\n\n".join(content), PAGE if chosen.write else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
