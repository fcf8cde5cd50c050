"""Baselines: what is new, what is known, what is gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from optlint.cli import command

EMPTY = "optim.SGD([], lr=0.1)\n"
IMPORT = "from torch import optim\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text(IMPORT + EMPTY)
    (tmp_path / "b.py").write_text(IMPORT + EMPTY)
    return tmp_path


def optlint(*arguments: str) -> Result:
    return CliRunner().invoke(
        command, ["--isolated", "--jobs", "1", "--output-format", "concise", *arguments]
    )


def test_what_is_known_is_not_reported(project: Path) -> None:
    result = optlint(".", "--write-baseline", "known.json")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Wrote 2 findings to known.json.\n")
    assert optlint(".", "--baseline", "known.json").exit_code == 0
    (project / "a.py").write_text(f"{IMPORT}\n# moved\n{EMPTY}{EMPTY}")
    result = optlint(".", "--baseline", "known.json")
    assert result.exit_code == 1
    assert [line.split(" ")[0] for line in result.stdout.splitlines()] == ["a.py:5:1:"]


def test_no_line_numbers_sorted_and_stable(project: Path) -> None:
    optlint(".", "--write-baseline", "known.json")
    first = (project / "known.json").read_text()
    rows = json.loads(first)["findings"]
    assert [(row["path"], row["code"], row["line"]) for row in rows] == [
        ("a.py", "OPT101", EMPTY.strip()),
        ("b.py", "OPT101", EMPTY.strip()),
    ]
    assert all(set(row) == {"path", "code", "line", "fingerprint"} for row in rows)
    optlint("b.py", "a.py", "--write-baseline", "known.json")
    assert (project / "known.json").read_text() == first


def test_stale_entries_are_named(project: Path) -> None:
    optlint(".", "--write-baseline", "known.json")
    (project / "a.py").write_text(IMPORT)
    (project / "b.py").unlink()
    result = optlint("a.py", "--baseline", "known.json")
    assert result.exit_code == 0
    assert result.stderr.count("is no longer found at `optim.SGD([], lr=0.1)`") == 2


def test_files_that_were_not_checked_make_nothing_stale(project: Path) -> None:
    optlint(".", "--write-baseline", "known.json")
    assert "no longer" not in optlint("a.py", "--baseline", "known.json").stderr


def test_paths_count_from_the_baseline(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "sub").mkdir()
    (project / "sub" / "c.py").write_text(IMPORT + EMPTY)
    optlint(".", "--write-baseline", "known.json")
    monkeypatch.chdir(project / "sub")
    result = optlint("c.py", "--baseline", "../known.json")
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no baseline: it is not JSON"),
        ("[]", "no baseline of version 1; --write-baseline writes one"),
        ('{"version": 2}', "no baseline of version 1; --write-baseline writes one"),
        ('{"version": 1}', "no baseline: `findings` is no list"),
        (
            '{"version": 1, "findings": [{"path": "a.py"}]}',
            "entry 1 lacks one of path, code, line, fingerprint",
        ),
    ],
)
def test_what_is_no_baseline(project: Path, text: str, reason: str) -> None:
    (project / "known.json").write_text(text)
    result = optlint(".", "--baseline", "known.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"known.json: {reason}" in result.stderr


def test_missing_and_unwritable_files(project: Path) -> None:
    assert "gone.json: cannot be read" in optlint(".", "--baseline", "gone.json").stderr
    result = optlint(".", "--write-baseline", "no/such/folder.json")
    assert (result.exit_code, "cannot be written" in result.stderr) == (2, True)
    assert optlint(".", "--baseline", "a", "--write-baseline", "b").exit_code == 2
