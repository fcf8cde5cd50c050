"""Fixes: what is changed, what is not, and that it comes to an end."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from optlint.cli import command
from optlint.finding import Edit, Span
from optlint.fixing import replaced
from optlint.notebook_text import NotebookText
from tests.notebooks import notebook

HEAD = """\
import torch
from torch import nn, optim

net = nn.Linear(4, 1)
"""
LOOP = """\
optimizer = optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    net(torch.randn(2, 4)).sum().backward()
    optimizer.step  # größer
"""
SCRIPT = HEAD + LOOP
FIXED = SCRIPT.replace("step  #", "step()  #")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def optlint(*arguments: str, stdin: bytes | None = None) -> Result:
    more = ["--isolated", "--jobs", "1", "--output-format", "concise"]
    return CliRunner().invoke(command, [*more, *arguments], input=stdin)


class TestPython:
    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize(
        ("encoding", "comment"), [("utf-8", ""), ("utf-8-sig", ""), ("latin-1", "# coding: latin-1\n")]
    )
    def test_only_the_edit_changes(self, project: Path, newline: str, encoding: str, comment: str) -> None:
        if comment and newline == "\r":
            pytest.skip("Python does not see a coding comment that a carriage return alone ends")
        before = (comment + SCRIPT).replace("\n", newline).encode(encoding)
        (project / "a.py").write_bytes(before)
        result = optlint("a.py", "--fix")
        assert (result.exit_code, result.stdout) == (0, "")
        assert (project / "a.py").read_bytes() == (comment + FIXED).replace("\n", newline).encode(encoding)
        assert "Fixed 1 finding.\n" in result.stderr

    def test_what_is_right_is_not_written(self, project: Path) -> None:
        (project / "a.py").write_text(FIXED)
        before = (project / "a.py").stat().st_mtime_ns
        assert optlint("a.py", "--fix").exit_code == 0
        assert (project / "a.py").stat().st_mtime_ns == before

    def test_permissions_and_links_stay(self, project: Path) -> None:
        (project / "real.py").write_text(SCRIPT)
        (project / "real.py").chmod(0o750)
        (project / "link.py").symlink_to("real.py")
        optlint("link.py", "--fix")
        assert (project / "link.py").is_symlink()
        assert stat.S_IMODE((project / "real.py").stat().st_mode) == 0o750
        assert (project / "real.py").read_text() == FIXED
        assert sorted(set(os.listdir(project)) - {".optlint_cache"}) == ["link.py", "real.py"]

    def test_unsafe_fixes_need_their_option(self, project: Path) -> None:
        frozen = HEAD + "net.requires_grad = False\n" + FIXED[len(HEAD) :]
        (project / "a.py").write_text(frozen)
        assert optlint("a.py", "--fix").exit_code == 1
        assert (project / "a.py").read_text() == frozen
        optlint("a.py", "--fix", "--unsafe-fixes")
        assert "net.requires_grad_(False)" in (project / "a.py").read_text()

    def test_findings_that_are_left_are_reported(self, project: Path) -> None:
        (project / "a.py").write_text(SCRIPT + "optim.SGD([], lr=1)\n")
        result = optlint("a.py", "--fix")
        assert result.exit_code == 1
        assert [line.split()[1] for line in result.stdout.splitlines()] == ["OPT101"]
        assert (project / "a.py").read_text() == FIXED + "optim.SGD([], lr=1)\n"

    def test_a_file_that_cannot_be_written(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (project / "a.py").write_text(SCRIPT)

        def refuse(source: str, target: str) -> None:
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr(os, "replace", refuse)
        result = optlint("a.py", "--fix", "--no-cache")
        assert (result.exit_code, "cannot be written: Read-only" in result.stderr) == (2, True)
        assert (project / "a.py").read_text() == SCRIPT
        assert os.listdir(project) == ["a.py"]


class TestDiff:
    def test_shows_and_changes_nothing(self, project: Path) -> None:
        (project / "a.py").write_text(SCRIPT)
        result = optlint("a.py", "--diff")
        assert result.exit_code == 1
        assert result.stdout.splitlines()[-2:] == [
            "-    optimizer.step  # größer",
            "+    optimizer.step()  # größer",
        ]
        assert (project / "a.py").read_text() == SCRIPT
        assert optlint("a.py", "--diff", "--exit-zero").exit_code == 0

    def test_nothing_to_show(self, project: Path) -> None:
        (project / "a.py").write_text(FIXED)
        assert (optlint("a.py", "--diff").stdout, optlint("a.py", "--diff").exit_code) == ("", 0)


class TestStandardInput:
    def test_the_program_goes_out_and_the_report_beside_it(self, project: Path) -> None:
        result = optlint("-", "--fix", stdin=(SCRIPT + "optim.SGD([], lr=1)\n").encode())
        assert result.stdout == FIXED + "optim.SGD([], lr=1)\n"
        assert "OPT101" in result.stderr
        assert os.listdir(project) == []

    def test_a_right_program_comes_out_as_it_is(self, project: Path) -> None:
        assert optlint("-", "--fix", stdin=b"x = 1\r\n").stdout_bytes == b"x = 1\r\n"


class TestNotebooks:
    def test_no_other_byte_changes(self, project: Path) -> None:
        cells = (("markdown", "Größe"), HEAD, '%time name = "a\\tb"', LOOP)
        data = notebook(*cells, metadata={"language_info": {"name": "python"}, "x": [1.50, "\u00e9"]})
        data = data.replace(b'"nbformat": 4', b'"nbformat"  :  4').rstrip(b"\n")
        (project / "a.ipynb").write_bytes(data)
        result = optlint("a.ipynb", "--fix")
        assert result.exit_code == 0
        assert (project / "a.ipynb").read_bytes() == data.replace(
            b"optimizer.step  #", b"optimizer.step()  #"
        )

    def test_ascii_notebooks_stay_ascii(self, project: Path) -> None:
        data = json.dumps(json.loads(notebook(HEAD, LOOP))).encode()
        (project / "a.ipynb").write_bytes(data)
        assert optlint("a.ipynb", "--fix").exit_code == 0
        assert (project / "a.ipynb").read_bytes() == data.replace(
            b"optimizer.step  #", b"optimizer.step()  #"
        )

    def test_a_new_line_is_a_new_string(self) -> None:
        raw = notebook("a = 1\nb = 2\n").decode()
        new = NotebookText(raw).replaced([Edit(Span(2, 1, 2, 1), "x = 3\n", 1)])
        assert json.loads(new)["cells"][0]["source"] == ["a = 1\n", "x = 3\n", "b = 2\n"]


SUPPRESSED = "x = 1  # optlint: ignore[OPT101]\n"


class TestSuppressions:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (SUPPRESSED, "x = 1\n"),
            ("# optlint: ignore[OPT101]\nx = 1\n", "x = 1\n"),
            ("x = 1  # why  # noqa: OPT101", "x = 1  # why"),
            ("x = 1  # noqa: OPT101 because of this\n", "x = 1  # noqa: OPT101 because of this\n"),
            ("x = 1  # noqa: OPT101,F401\n", "x = 1  # noqa: F401\n"),
            ("x = 1  # noqa: F401, OPT101  why\n", "x = 1  # noqa: F401  why\n"),
            (
                "from torch import optim\no = optim.SGD([])  # optlint: ignore[OPT102, OPT101] why\n",
                "from torch import optim\no = optim.SGD([])  # optlint: ignore[OPT101] why\n",
            ),
            (
                "from torch import optim\no = optim.SGD([])  # optlint: ignore[OPT101,OPT102, OPT103]\n",
                "from torch import optim\no = optim.SGD([])  # optlint: ignore[OPT101]\n",
            ),
        ],
    )
    def test_unused_ones_go_unless_something_else_would(self, project: Path, before: str, after: str) -> None:
        (project / "a.py").write_text(before)
        optlint("a.py", "--fix")
        assert (project / "a.py").read_text() == after


class TestTogether:
    @pytest.mark.parametrize("option", ["--baseline", "--write-baseline"])
    def test_not_with_a_baseline(self, project: Path, option: str) -> None:
        (project / "known.json").write_text('{"version": 1, "findings": []}')
        (project / "a.py").write_text(SCRIPT)
        assert optlint("a.py", "--fix", option, "known.json").exit_code == 2

    def test_wrapped_values_and_the_import_that_is_there(self, project: Path) -> None:
        (project / "a.py").write_text(NET)
        optlint("a.py", "--fix", "--unsafe-fixes")
        text = (project / "a.py").read_text()
        assert "self.layers = torch.nn.ModuleList([" in text
        assert "self.scale = torch.nn.Parameter(torch.ones(1, requires_grad=True))  # kept" in text
        assert optlint("a.py").exit_code == 0


NET = """\
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [
            torch.nn.Linear(4, 4),
            torch.nn.Linear(4, 4),  # two
        ]
        self.scale = torch.ones(1, requires_grad=True)  # kept

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x * self.scale


net = Net()
optimizer = torch.optim.SGD([{"params": net.parameters()}], lr=0.1)
net(torch.ones(2, 4)).sum().backward()
optimizer.step()
"""


@given(st.text("ab\r\n", max_size=20), st.data())
def test_edits_at_any_place(text: str, data: st.DataObject) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    number = data.draw(st.integers(1, len(lines)))
    column = data.draw(st.integers(1, len(lines[number - 1]) + 1))
    new = replaced(text, [Edit(Span(number, column, number, column), "!")])
    assert new.replace("!", "") == text
    shown = new.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert shown[number - 1][column - 1] == "!"


class TestMoves:
    BODY = (
        "optimizer = optim.SGD(net.parameters(), lr=0.1)\nfor _ in range(3):\n"
        "    net(torch.randn(2, 4)).sum().backward()\n"
    )
    BEFORE = BODY + "    optimizer.zero_grad()  # größer\n    optimizer.step()"
    AFTER = BODY + "    optimizer.step()\n    optimizer.zero_grad()  # größer"

    @pytest.mark.parametrize("end", ["", "\n", "\n\nprint(net)\n"])
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_a_line_goes_behind_another(self, project: Path, end: str, newline: str) -> None:
        (project / "a.py").write_bytes((HEAD + self.BEFORE + end).replace("\n", newline).encode())
        assert optlint("a.py", "--fix", "--unsafe-fixes").exit_code == 0
        assert (project / "a.py").read_bytes() == (HEAD + self.AFTER + end).replace("\n", newline).encode()

    def test_at_the_end_of_a_cell(self, project: Path) -> None:
        (project / "a.ipynb").write_bytes(notebook(HEAD, self.BEFORE))
        assert optlint("a.ipynb", "--fix", "--unsafe-fixes").exit_code == 0
        assert (project / "a.ipynb").read_bytes() == notebook(HEAD, self.AFTER)

    @pytest.mark.parametrize(
        "lines",
        [
            "    optimizer.zero_grad(); optimizer.step()",
            "    optimizer.zero_grad(); print(1)\n    optimizer.step()",
            "    optimizer.zero_grad()\n    if True:\n        optimizer.step()",
        ],
    )
    def test_lines_that_are_shared_or_apart_stay(self, project: Path, lines: str) -> None:
        (project / "a.py").write_text(HEAD + self.BODY + lines + "\n")
        assert optlint("a.py", "--fix", "--unsafe-fixes").exit_code == 1
        assert (project / "a.py").read_text() == HEAD + self.BODY + lines + "\n"


@pytest.mark.parametrize("nothing", ["[]", "params=[]", "list()"])
def test_the_only_model_takes_the_place_of_nothing(project: Path, nothing: str) -> None:
    (project / "a.py").write_text(f"{HEAD}optimizer = optim.SGD({nothing}, lr=0.1)\n")
    assert optlint("a.py", "--fix").exit_code == 1
    assert optlint("a.py", "--fix", "--unsafe-fixes").exit_code == 0
    word = "params=" if "params" in nothing else ""
    assert (project / "a.py").read_text() == f"{HEAD}optimizer = optim.SGD({word}net.parameters(), lr=0.1)\n"
