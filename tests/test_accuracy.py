"""The benchmark over public repositories: what it calls new and lost, what it keeps, and how it goes on."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from benchmarks import accuracy

PROJECT = accuracy.ROOT
WRONG = """\
import torch

optimizer = torch.optim.SGD([], lr=0.1)
"""
RIGHT = """\
import torch
from torch import nn

model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
HEADER = "repository\tfile\tline\tcode\tverdict\twhy\n"
FOUND = "a/wrong\ttrain.py\t3\tOPT101\ttrue\tit holds nothing\n"


STAND_IN = """\
lines = open("train.py").read().splitlines()
found = [f'{{"path": "train.py", "line": {i}, "code": "OPT101"}}' for i, l in enumerate(lines, 1) if "[]" in l]
print('{"findings": [' + ', '.join(found) + ']}')
"""


def replace_optlint(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str) -> None:
    """Have the benchmark run ``program`` instead of optlint."""
    package = folder / "src" / "optlint"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(program, encoding="utf-8")
    monkeypatch.setattr(accuracy, "ROOT", folder)


@pytest.fixture
def checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two repositories: one with a mistake, one without; and something quick in place of optlint."""
    replace_optlint(monkeypatch, tmp_path / "stand_in", STAND_IN)
    folder = tmp_path / "checkouts"
    for name, text in (("a+wrong", WRONG), ("b+right", RIGHT)):
        (folder / name).mkdir(parents=True)
        (folder / name / "train.py").write_text(text, encoding="utf-8")
    return folder


def run(checkouts: Path, verdicts: str, *more: str) -> int:
    """The benchmark's exit status with these rows as verdicts."""
    file = checkouts.parent / "verdicts.tsv"
    file.write_text(HEADER + verdicts, encoding="utf-8")
    work = str(checkouts.parent / "work")
    return accuracy.main([str(checkouts), "--verdicts", str(file), "--work", work, *more])


def test_what_is_judged_is_counted_and_nothing_else_said(
    checkouts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(accuracy, "ROOT", PROJECT)  # optlint itself
    assert run(checkouts, FOUND) == 0
    assert capsys.readouterr().out == "OPT101\ttrue\t1\n"


def test_a_finding_that_nobody_has_judged_is_new(checkouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(checkouts, "") == 1
    assert "new\ta/wrong\ttrain.py\t3\tOPT101\n" in capsys.readouterr().out


def test_a_true_finding_that_is_gone_is_lost_and_a_false_one_is_not(
    checkouts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = "b/right\ttrain.py\t5\tOPT101\ttrue\tnot so\nb/right\ttrain.py\t6\tOPT101\tfalse\tnot so\n"
    assert run(checkouts, FOUND + gone) == 1
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith(("new", "lost"))] == [
        "lost\tb/right\ttrain.py\t5\tOPT101"
    ]


def test_verdicts_on_repositories_that_are_not_there_do_not_count(checkouts: Path) -> None:
    assert run(checkouts, FOUND + "c/elsewhere\ttrain.py\t5\tOPT101\ttrue\tit was so\n") == 0


def test_the_report_is_the_same_with_several_processes(
    checkouts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(checkouts, "", "--jobs", "1")
    alone = capsys.readouterr().out
    run(checkouts, "", "--jobs", "2")
    assert capsys.readouterr().out == alone


def test_progress_names_each_repository(checkouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(checkouts, FOUND, "--jobs", "1")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["[1/2] b/right", "[2/2] a/wrong"]
    assert lines[1].endswith("1 finding")


def test_results_are_used_again_only_when_asked(checkouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(checkouts, FOUND)
    (checkouts / "a+wrong" / "train.py").write_text(RIGHT, encoding="utf-8")
    capsys.readouterr()
    assert run(checkouts, FOUND, "--resume") == 0
    assert capsys.readouterr().err == "2 of 2 repositories kept from earlier runs\n"
    assert run(checkouts, FOUND) == 1


def test_results_of_another_optlint_or_of_a_failure_are_made_anew(
    checkouts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(checkouts, FOUND)
    for name, change in (("a+wrong", {"made_by": "another"}), ("b+right", {"failure": "it died"})):
        file = checkouts.parent / "work" / f"{name}.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}), encoding="utf-8")
    capsys.readouterr()
    assert run(checkouts, FOUND, "--resume") == 0
    assert capsys.readouterr().err.startswith("0 of 2 repositories kept")


def test_half_a_result_is_no_result(checkouts: Path) -> None:
    run(checkouts, FOUND)
    file = checkouts.parent / "work" / "a+wrong.json"
    file.write_text(file.read_text()[:20], encoding="utf-8")
    assert run(checkouts, FOUND, "--resume") == 0


def test_a_repository_that_takes_too_long_is_a_failure_and_loses_nothing(
    checkouts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(checkouts, FOUND, "--timeout", "0.001") == 2
    shown = capsys.readouterr()
    assert "lost" not in shown.out
    assert "a/wrong could not be checked: not done after" in shown.err


def test_an_optlint_that_says_nothing_is_a_failure(
    checkouts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace_optlint(monkeypatch, checkouts.parent / "broken", "raise ImportError('no click')\n")
    assert run(checkouts, FOUND) == 2
    assert "a/wrong could not be checked: " in (errors := capsys.readouterr().err)
    assert "no click" in errors


def test_one_repository_can_be_chosen(checkouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(checkouts, FOUND, "--only", "b/right") == 0
    assert capsys.readouterr().out == ""
    with pytest.raises(SystemExit, match="c/elsewhere"):
        run(checkouts, FOUND, "--only", "c/elsewhere")


WAITS_IN_B = """\
import os, time
if os.path.basename(os.getcwd()) == "b+right" and not os.path.exists("go_on"):
    time.sleep(600)
print('{"findings": []}')
"""


@pytest.mark.skipif(os.name == "nt", reason="an interrupt cannot be sent to oneself there")
def test_an_interrupted_run_goes_on_where_it_was(
    checkouts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace_optlint(monkeypatch, checkouts.parent / "waiting", WAITS_IN_B)
    done = checkouts.parent / "work" / "a+wrong.json"

    def interrupt() -> None:
        while not done.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    assert run(checkouts, "", "--jobs", "2") == 130
    assert "--resume" in capsys.readouterr().err
    (checkouts / "b+right" / "go_on").touch()
    assert run(checkouts, "", "--resume") == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first == "1 of 2 repositories kept from earlier runs"
    assert second.startswith("[2/2] b/right")
