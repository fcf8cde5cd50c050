"""Measures what a run costs before and around the work: `--version`, one script of 150 lines, the imports alone.

    python -m benchmarks.startup [--runs N] [--write]

Every figure is the median of `--runs` processes (20), from start to end. "Imports" is a process that imports what the
check of the script imports and does nothing else, less one that does nothing. `--write` puts the tables into
docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import trees
from benchmarks.measuring import (
    PAGE,
    ROOT,
    Cost,
    deliver,
    described,
    environment,
    machine,
    median,
    optlint,
    run,
    table,
)

NAME = "startup"
RUNS = 20
SCRIPT = ROOT / "benchmarks" / "data" / "train_150.py"
#: What makes the script wrong: its layers are kept in a plain list, so that no optimizer trains them.
RIGHT, WRONG = "nn.ModuleList([", "list(["

_NAMES = """\
import sys
sys.argv = ["optlint", *{arguments!r}]
before = set(sys.modules)
from optlint.__main__ import main
try:
    main()
finally:
    print("imported:", *(name for name in sys.modules if name not in before and name != "__main__"))
"""
_IMPORT = """\
import importlib, sys
for name in {names!r}:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
"""
_LINE = re.compile(r"^import time:\s*(\d+) \|\s*\d+ \| +(\S+)$", re.MULTILINE)

Step = tuple[str, Callable[[], Cost]]


def scripts(folder: Path) -> dict[str, Path]:
    """The script as it is, and with its mistake, in ``folder``."""
    text = SCRIPT.read_text(encoding="utf-8")
    if RIGHT not in text:
        raise SystemExit(f"{SCRIPT.name} has no {RIGHT}")
    right, wrong = folder / "right" / "train.py", folder / "wrong" / "train.py"
    for file, content in ((right, text), (wrong, text.replace(RIGHT, WRONG))):
        file.parent.mkdir()
        file.write_text(content, encoding="utf-8")
    return {"without a finding": right, "with a finding": wrong}


def _lint(file: Path, *more: str) -> Cost:
    return run(optlint("--isolated", *more, file.name), file.parent, environment=environment())


def steps(folder: Path) -> list[Step]:
    """What is measured, in order."""
    bare = [sys.executable, "-c", "pass"]
    found: list[Step] = [
        ("Python, doing nothing", lambda: run(bare, environment=environment())),
        ("`optlint --version`", lambda: run(optlint("--version"), environment=environment())),
    ]
    for what, file in scripts(folder).items():
        found.append((f"`optlint train.py`, {what}, cold", lambda file=file: _cold(file)))  # type: ignore[misc]
        if trees.has_cache():
            cache = str(file.parent.parent / f"{file.parent.name}-warm")
            _lint(file, "--cache-dir", cache)
            warm = lambda file=file, cache=cache: _lint(file, "--cache-dir", cache)  # noqa: E731
            found.append((f"`optlint train.py`, {what}, warm", warm))
        names = imported(file)
        found.append((f"imports alone, {what}", lambda names=names: _imports(names)))  # type: ignore[misc]
    return found


def _cold(file: Path) -> Cost:
    if not trees.has_cache():
        return _lint(file)
    with tempfile.TemporaryDirectory() as cache:
        return _lint(file, "--cache-dir", os.path.join(cache, "new"))


def imported(file: Path) -> list[str]:
    """The modules that the check of ``file`` imports beyond those of Python's own start, in that order."""
    program = _NAMES.format(arguments=["--isolated", *_no_cache(), file.name])
    output = run([sys.executable, "-c", program], file.parent, environment=environment()).output
    return output.rpartition("imported:")[2].split()


def _no_cache() -> list[str]:
    return ["--no-cache"] if trees.has_cache() else []


def _imports(names: Sequence[str]) -> Cost:
    return run([sys.executable, "-c", _IMPORT.format(names=list(names))], environment=environment())


def import_times(file: Path) -> Counter[str]:
    """The microseconds that the modules of each package take themselves while ``file`` is checked."""
    command = [sys.executable, "-X", "importtime", *optlint("--isolated", *_no_cache(), file.name)[1:]]
    times: Counter[str] = Counter()
    for took, name in _LINE.findall(run(command, file.parent, environment=environment()).complaints):
        times[_package(name)] += int(took)
    return times


def _package(name: str) -> str:
    top = name.partition(".")[0]
    return "Python's own library" if top in sys.stdlib_module_names else top


def measured(found: Sequence[Step], runs: int) -> dict[str, list[Cost]]:
    """Every step ``runs`` times in turn, after one turn that only fills the caches of the system."""
    for _, step in found:
        step()
    costs: dict[str, list[Cost]] = {name: [] for name, _ in found}
    for _ in range(runs):
        for name, step in found:
            costs[name].append(step())
    return costs


def rows(costs: Mapping[str, Sequence[Cost]]) -> list[list[str]]:
    """Wall time, the quickest, CPU time and memory of each step; from imports the bare Python is taken off."""
    bare = median(next(iter(costs.values())))
    found = []
    for name, own in costs.items():
        middle, least = median(own), min(cost.wall for cost in own)
        off = bare if name.startswith("imports") else Cost(0, 0, 0, 0)
        seconds = (middle.wall - off.wall, least - off.wall, middle.cpu - off.cpu)
        found.append([name, *(f"{max(part, 0):.3f}" for part in seconds), f"{middle.peak:.0f}"])
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; see the module's documentation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--runs", type=int, default=RUNS, metavar="N", help=f"processes for each figure ({RUNS})"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        costs = measured(steps(folder), chosen.runs)
        times = [import_times(folder / "wrong" / "train.py") for _ in range(min(chosen.runs, 5))]
    packages = {name: statistics.median(one[name] for one in times) / 1000 for name in times[0]}
    largest = sorted(packages.items(), key=lambda pair: -pair[1])
    content = [
        f"Median of {chosen.runs} processes each. {described(machine())}",
        table(["", "wall, s", "quickest, s", "CPU, s", "MiB"], rows(costs)),
        "What the imports of a check with a finding are (by `python -X importtime`, which slows them):",
        table(["package", "ms"], [[name, f"{took:.0f}"] for name, took in largest if took >= 1]),
    ]
    walls = {name: [cost.wall for cost in own] for name, own in costs.items()}
    result = {"machine": machine(), "walls": walls, "imports": packages}
    deliver(NAME, result, "\n\n".join(content), PAGE if chosen.write else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
