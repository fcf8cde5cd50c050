"""``--add-ignore``: comments that suppress, where they can stand, and that nothing else changes."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from optlint.cli import command
from optlint.ignoring import line_ends
from tests.notebooks import notebook

HEAD = "from torch import optim\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def optlint(*arguments: str, stdin: bytes | None = None) -> Result:
    more = ["--isolated", "--jobs", "1", "--output-format", "concise"]
    return CliRunner().invoke(command, [*more, *arguments], input=stdin)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("o = optim.SGD([])", "o = optim.SGD([])  # optlint: ignore[OPT101] old"),
        ("o = optim.SGD([])  # noqa: E501", "o = optim.SGD([])  # noqa: E501  # optlint: ignore[OPT101] old"),
        ("o = optim.SGD([])  # ours   ", "o = optim.SGD([])  # ours  # optlint: ignore[OPT101] old"),
        (
            "o = optim.SGD([])  # optlint: ignore[OPT102] why",
            "o = optim.SGD([])  # optlint: ignore[OPT102, OPT101] why",
        ),
        ("o = optim.SGD(\n    [],\n)", "o = optim.SGD(  # optlint: ignore[OPT101] old\n    [],\n)"),
        ("o = optim.SGD(\\\n    [])", "o = optim.SGD(\\\n    [])  # optlint: ignore[OPT101] old"),
        ('o = f"""{optim.SGD([])}\n"""', 'o = f"""{optim.SGD([])}\n"""  # optlint: ignore[OPT101] old'),
        (
            's = "# optlint: ignore[A]"; o = optim.SGD([])',
            's = "# optlint: ignore[A]"; o = optim.SGD([])  # optlint: ignore[OPT101] old',
        ),
        (
            "o = [optim.SGD([]), optim.Adam([])]",
            "o = [optim.SGD([]), optim.Adam([])]  # optlint: ignore[OPT101] old",
        ),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_comment_stands_where_it_counts(project: Path, before: str, after: str, newline: str) -> None:
    (project / "a.py").write_bytes((HEAD + before + "\n").replace("\n", newline).encode())
    result = optlint("a.py", "--add-ignore", "old")
    assert (project / "a.py").read_bytes() == (HEAD + after + "\n").replace("\n", newline).encode()
    left = result.stdout.splitlines()
    assert all("OPT902" in line for line in left), "the one that was there and suppresses nothing is told"
    assert "Suppressed" in result.stderr
    again = optlint("a.py", "--add-ignore", "old")
    assert "Suppressed" not in again.stderr


def test_last_line_without_an_end(project: Path) -> None:
    (project / "a.py").write_text(HEAD + "o = optim.SGD([])")
    assert optlint("a.py", "--add-ignore", "").exit_code == 0
    assert (project / "a.py").read_text() == HEAD + "o = optim.SGD([])  # optlint: ignore[OPT101]"


def test_cells_of_a_notebook(project: Path) -> None:
    before = notebook("# optimizers\nfrom torch import optim", "x = 1\no = optim.SGD(\n    [],\n)")
    (project / "a.ipynb").write_bytes(before)
    assert optlint("a.ipynb", "--add-ignore", "later").exit_code == 0
    after = json.loads((project / "a.ipynb").read_bytes())
    source = "".join(after["cells"][1]["source"])
    assert source == "x = 1\no = optim.SGD(  # optlint: ignore[OPT101] later\n    [],\n)"
    was = json.loads(before)
    was["cells"][1]["source"] = after["cells"][1]["source"]
    assert was == after


def test_diff_changes_nothing(project: Path) -> None:
    (project / "a.py").write_text(HEAD + "o = optim.SGD([])\n")
    result = optlint("a.py", "--add-ignore", "old", "--diff")
    assert result.exit_code == 1
    assert "+o = optim.SGD([])  # optlint: ignore[OPT101] old" in result.stdout
    assert (project / "a.py").read_text() == HEAD + "o = optim.SGD([])\n"
    assert optlint("-", "--add-ignore", "old", "--diff", stdin=b"x = 1\n").exit_code == 0


def test_what_is_broken_is_not_hidden(project: Path) -> None:
    (project / "a.py").write_text("def f(:\n")
    result = optlint("a.py", "--add-ignore", "old")
    assert result.exit_code == 1
    assert "OPT901" in result.stdout
    assert (project / "a.py").read_text() == "def f(:\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--add-ignore", "see #12"),
        ("--add-ignore", "old", "--fix"),
        ("--add-ignore", "old", "--baseline", "known.json"),
    ],
)
def test_what_cannot_be_asked_for(project: Path, arguments: tuple[str, ...]) -> None:
    (project / "a.py").write_text(HEAD + "o = optim.SGD([])\n")
    result = optlint("a.py", *arguments)
    assert result.exit_code == 2
    assert "error" in result.stderr
    assert optlint("-", "--add-ignore", "old", stdin=b"x = 1\n").exit_code == 2


PIECES = [
    "x = 1",
    "y = (\n  2,\n)",
    's = """a\nb"""',
    "z = 1 + \\\n  2",
    "# note",
    "",
    "if x:\n    pass",
    "t = '#'",
]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8), st.booleans())
def test_a_comment_after_any_such_line_changes_no_meaning(pieces: list[str], ended: bool) -> None:
    text = "\n".join(pieces) + ("\n" if ended else "")
    lines = text.split("\n")
    for number in line_ends(text):
        changed = [line + "  # added" if at == number else line for at, line in enumerate(lines, start=1)]
        assert ast.dump(ast.parse("\n".join(changed))) == ast.dump(ast.parse(text))
