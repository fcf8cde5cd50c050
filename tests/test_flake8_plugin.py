"""optlint inside flake8, started as its users start it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from optlint.flake8_plugin import Plugin

BROKEN = "from torch import optim\n\noptimizer = optim.SGD([], lr=0.1){}\n"


def flake8(folder: Path, *arguments: str, stdin: str | None = None) -> tuple[int, list[str]]:
    command = [sys.executable, "-m", "flake8", "--isolated", "--select=OPT,E9", *arguments]
    done = subprocess.run(
        command, cwd=folder, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_flake8_finds_the_plugin() -> None:
    found = [entry.load() for entry in entry_points(group="flake8.extension") if entry.name == "OPT"]
    assert found == [Plugin]


def test_findings_by_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(BROKEN.format(""))
    status, (line,) = flake8(tmp_path, "train.py")
    assert status == 1
    assert line.startswith(("./train.py:3:13: OPT101 ", "train.py:3:13: OPT101 "))


def test_standard_input(tmp_path: Path) -> None:
    status, (line,) = flake8(tmp_path, "-", stdin=BROKEN.format(""))
    assert status == 1
    assert ":3:13: OPT101 " in line


@pytest.mark.parametrize("comment", ["  # noqa: OPT101", "  # optlint: ignore[OPT101]", "  # noqa"])
def test_both_kinds_of_suppression(tmp_path: Path, comment: str) -> None:
    (tmp_path / "train.py").write_text(BROKEN.format(comment))
    assert flake8(tmp_path, "train.py") == (0, [])


def test_the_configuration_of_optlint_holds(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(BROKEN.format(""))
    (tmp_path / "optlint.toml").write_text('ignore = ["OPT1"]\n')
    assert flake8(tmp_path, "train.py") == (0, [])


def test_other_files_are_read_and_reported_for_themselves(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.layers = [nn.Linear(4, 1)]\n\n    def forward(self, x):\n        return self.layers[0](x)\n"
    )
    (tmp_path / "train.py").write_text(
        "from torch import optim\n\nfrom model import Net\n\noptimizer = optim.SGD(Net().parameters(), lr=0.1)\n"
    )
    assert flake8(tmp_path, "train.py") == (0, [])
    status, (line,) = flake8(tmp_path, "train.py", "model.py")
    assert status == 1
    assert "model.py:7:9: OPT202 " in line


@pytest.mark.parametrize("text", ["def f(:\n", "# coding: latin-1\nx = 'ä'\n", ""])
def test_odd_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "train.py").write_bytes(text.encode("latin-1"))
    _, lines = flake8(tmp_path, "train.py")
    assert not [line for line in lines if "OPT" in line]
