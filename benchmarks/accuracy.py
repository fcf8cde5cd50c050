"""Lints checkouts of public repositories and compares the findings with those that a reader has judged.

    python benchmarks/accuracy.py CHECKOUTS

`CHECKOUTS` holds one folder for each repository, named `OWNER+NAME`. The verdicts are in
`benchmarks/accuracy/verdicts.tsv`. Prints a table by rule, the findings that nobody has judged, and the judged ones
that are no longer found; exit status 1 when there are any of either.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

VERDICTS = Path(__file__).parent / "accuracy" / "verdicts.tsv"


class Place(NamedTuple):
    """Where a finding stands: repository, file, line and rule."""

    repository: str
    file: str
    line: int
    code: str


def judged() -> dict[Place, str]:
    """The verdict (true or false) of every finding that a reader has opened."""
    with VERDICTS.open(encoding="utf-8") as lines:
        rows = csv.DictReader(lines, delimiter="\t")
        return {Place(r["repository"], r["file"], int(r["line"]), r["code"]): r["verdict"] for r in rows}


def found(checkouts: Path) -> set[Place]:
    """What optlint finds with its default rules, housekeeping aside."""
    places: set[Place] = set()
    for folder in sorted(path for path in checkouts.iterdir() if path.is_dir()):
        places.update(found_in(folder))
    return places


def found_in(folder: Path) -> set[Place]:
    """What optlint finds in one checkout, run inside it so that its import roots are the repository's."""
    command = [sys.executable, "-m", "optlint", "--isolated", "--output-format", "json", "."]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if answer.returncode not in (0, 1):
        print(f"{folder.name}: exit status {answer.returncode}\n{answer.stderr}", file=sys.stderr)
    if not answer.stdout:
        return set()
    findings = json.loads(answer.stdout)["findings"]
    repository = folder.name.replace("+", "/", 1)
    return {
        Place(repository, finding["path"], finding["line"], finding["code"])
        for finding in findings
        if not finding["code"].startswith("OPT9")
    }


def main() -> int:
    """Compare and print; see the module's documentation."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    verdicts, places = judged(), found(Path(sys.argv[1]))
    counts = Counter((place.code, verdicts.get(place, "not judged")) for place in places)
    for (code, verdict), count in sorted(counts.items()):
        print(f"{code}\t{verdict}\t{count}")
    new = sorted(places - set(verdicts))
    lost = sorted(place for place in set(verdicts) - places if verdicts[place] == "true")
    for title, group in (("new", new), ("lost", lost)):
        for place in group:
            print(title, *place, sep="\t")
    return 1 if new or lost else 0


if __name__ == "__main__":
    sys.exit(main())
