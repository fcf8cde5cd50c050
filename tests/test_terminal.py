"""What only a terminal shows: the progress of a long run, and words that a shell completes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from optlint import progress
from optlint.engine import run
from optlint.progress import ProgressBar
from optlint.rules import all_rules
from optlint.settings import Settings


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Puts a terminal in the place of standard error; to be called in the test, after pytest has put its own there."""
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def replace() -> Terminal:
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        return screen

    return replace


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_file_is_told_of_once(tmp_path: Path, jobs: int) -> None:
    names = [f"m{number}.py" for number in range(20)]
    for name in names:
        (tmp_path / name).write_text("x = 1\n")
    told: list[tuple[int, int]] = []
    paths = [str(tmp_path / name) for name in names]
    run(paths, lambda folder: Settings(), jobs=jobs, progress=lambda *how: told.append(how))
    assert sum(files for files, _ in told) == len(names)
    assert {total for _, total in told} == {len(names)}


def test_a_long_run_shows_how_far_it_is(terminal: Callable[[], Terminal]) -> None:
    screen = terminal()
    with ProgressBar(wanted=True) as bar:
        bar.advance(3, 10)
        bar.advance(4, 10)
    assert "3/10" in screen.getvalue()
    assert "7/10" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K"), "the bar is wiped out"


def test_nothing_is_shown_where_nobody_looks(
    terminal: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = terminal()
    with ProgressBar(wanted=False) as bar:
        bar.advance(3, 10)
    assert screen.getvalue() == ""
    plain = io.StringIO()
    monkeypatch.setattr(sys, "stderr", plain)
    with ProgressBar(wanted=True) as bar:
        bar.advance(3, 10)
    assert plain.getvalue() == ""


def test_a_short_run_shows_nothing(terminal: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 60.0)
    screen = terminal()
    with ProgressBar(wanted=True) as bar:
        bar.advance(3, 10)
    assert screen.getvalue() == ""


def completions(*words: str) -> list[str]:
    environment = {
        **os.environ,
        "_OPTLINT_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from optlint.cli import run; sys.exit(run([]))"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "optlint"],
        env={**os.environ, "_OPTLINT_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "_OPTLINT_COMPLETE" in done.stdout


def test_words_that_are_completed() -> None:
    assert completions("optlint", "--stat") == ["--statistics"]
    assert completions("optlint", "--output-format", "g") == ["github", "gitlab"]
    assert completions("optlint", "--explain", "empty-p") == ["empty-parameter-list"]
    assert completions("optlint", "--select", "OPT101,opt10") == [
        f"OPT101,{rule.code}" for rule in all_rules() if rule.code.startswith("OPT10")
    ]
    assert completions("optlint", "--ignore", "") == [rule.code for rule in all_rules()]
