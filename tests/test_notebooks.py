"""Notebooks: what IPython adds to Python, where findings stand, and files that are no notebooks."""

from __future__ import annotations

import ast
import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optlint import engine, notebook
from optlint.engine import Report
from optlint.finding import Span
from optlint.magics import UNSEEN, to_python
from optlint.settings import Configuration
from tests.notebooks import notebook as made

EMPTY = "from torch import optim\noptimizer = optim.SGD([], lr=0.1)"


def run(folder: Path, data: bytes, name: str = "train.ipynb") -> Report:
    path = folder / name
    path.write_bytes(data)
    configuration = Configuration(isolated=True, cwd=str(folder))
    return engine.run([str(path)], configuration.for_folder, folder=str(folder))


def places(report: Report) -> list[tuple[str, int | None, int, int]]:
    return [(found.code, found.cell, found.span.line, found.span.column) for found in report.findings]


class TestMagics:
    @pytest.mark.parametrize(
        ("cell", "python"),
        [
            ("%matplotlib inline\nx = 1", "pass\nx = 1"),
            ("!pip install torch", "pass"),
            ("!pip install \\\n    torch\nx = 1", "pass\n\nx = 1"),
            ("if colab:\n    !pip install torch\n", "if colab:\n    pass\n"),
            ("%time x = f()", "x = f()"),
            ("%timeit -n 10 -r 3 f(x)", "f(x)"),
            ("    %time x = f()", "x = f()"),
            ("files = !ls\nn = %sql select", "files = get_ipython()\nn = get_ipython()"),
            ("model?\n?model\nmodel.fit??\n%time?", "pass\npass\npass\npass"),
            ("x = 7 % 3\ny = x != 3", "x = 7 % 3\ny = x != 3"),
            ("x = (7\n% 3)", "x = (7\n% 3)"),
            ("x = 7 \\\n% 3", "x = 7 \\\n% 3"),
            ('text = """\n!not a command\n"""\n!ls', 'text = """\n!not a command\n"""\npass'),
            ("text = 'it\\'s (' # [\n!ls", "text = 'it\\'s (' # [\npass"),
            ("  x = 1\n  y = 2", "x = 1\ny = 2"),
            ("%%time\nx = f()", "\nx = f()"),
            ("%%capture out\n%time x = 1", "\nx = 1"),
            ("%%bash\necho $HOME", "pass\n"),
            ("\n%%writefile model.py\nclass Net: pass", "\npass\n"),
            ("%%add_to Net\ndef forward(self): ...", f"{UNSEEN}\n"),
            ("%run train.py", UNSEEN),
            ("# what?\nprint('why?')", "# what?\nprint('why?')"),
        ],
    )
    def test_become_python(self, cell: str, python: str) -> None:
        text = "\n".join(line.text for line in to_python(cell.split("\n")))
        assert text == python
        ast.parse(text)

    @given(st.lists(st.text("ab=%!?()'\"#\\ \n", max_size=12), max_size=8))
    def test_keep_the_number_of_lines(self, lines: list[str]) -> None:
        cell = "\n".join(lines).split("\n")
        assert len(to_python(cell)) == len(cell)

    @given(
        st.sampled_from(
            ["x = f(a)\n", "if a:\n    b()\n", "s = '''\n!a\n'''\n", "y = [1,\n 2]\n", "z = 5 % 2 # c\n"]
        )
    )
    def test_leave_python_alone(self, code: str) -> None:
        assert "\n".join(line.text for line in to_python((code * 3).split("\n"))) == code * 3


class TestPlaces:
    def test_findings_stand_in_their_cells(self, tmp_path: Path) -> None:
        report = run(
            tmp_path, made(("markdown", "# Train\n\ntext"), "import torch", EMPTY, "", "print(optimizer)")
        )
        assert places(report) == [("OPT101", 3, 2, 13)]
        assert report.exit_status == 1

    def test_a_program_goes_on_from_cell_to_cell(self, tmp_path: Path) -> None:
        report = run(
            tmp_path,
            made(
                "from torch import nn, optim",
                "model = nn.ModuleDict({'a': nn.Linear(2, 2), 'b': nn.Linear(2, 1)})",
                ("raw", "no code"),
                "parameters = model.parameters()\nsum(p.numel() for p in parameters)",
                "%time optimizer = optim.Adam(parameters)",
            ),
        )
        assert places(report) == [("OPT103", 5, 1, 19)]
        assert [(place.cell, place.span.line) for place in report.findings[0].related] == [(4, 2), (4, 1)]

    def test_the_end_of_a_range_stays_in_its_cell(self) -> None:
        book = notebook.read(made("a = 1\nb = 2", "c = 3"))
        place = book.place(Span(1, 1, 3, 2))
        assert place is not None
        assert (place.cell, place.span) == (1, Span(1, 1, 2, 2))

    def test_columns_count_in_the_cell(self) -> None:
        book = notebook.read(made("    %time x = 1\n    y = 2"))
        spans = [book.place(Span(line, 1, line, 2)) for line in (1, 2)]
        assert [place and (place.span.line, place.span.column) for place in spans] == [(1, 11), (2, 5)]

    def test_suppressions_count_in_their_cells(self, tmp_path: Path) -> None:
        report = run(
            tmp_path, made("x = 1  # optlint: ignore[OPT101]", f"{EMPTY}  # optlint: ignore[OPT101]")
        )
        assert places(report) == [("OPT902", 1, 1, 8)]

    def test_skip_file_in_the_first_cell(self, tmp_path: Path) -> None:
        assert run(tmp_path, made("# optlint: skip-file", EMPTY)).findings == ()

    def test_source_as_one_string(self, tmp_path: Path) -> None:
        data = json.loads(made(EMPTY))
        data["cells"][0]["source"] = EMPTY.replace("\n", "\r\n")
        assert places(run(tmp_path, json.dumps(data).encode())) == [("OPT101", 1, 2, 13)]

    def test_modules_beside_the_notebook_are_followed(self, tmp_path: Path) -> None:
        (tmp_path / "parts.py").write_text("def nothing():\n    return []\n")
        report = run(
            tmp_path, made("from parts import nothing", "from torch import optim\noptim.SGD(nothing(), lr=1)")
        )
        assert places(report) == [("OPT101", 2, 2, 1)]


class TestSyntaxErrors:
    def test_stand_in_their_cells_and_nothing_is_guessed_about_the_rest(self, tmp_path: Path) -> None:
        report = run(tmp_path, made("x = (1,", EMPTY, "print 'two'"))
        assert [(code, cell, line) for code, cell, line, _ in places(report)] == [
            ("OPT901", 1, 1),
            ("OPT901", 3, 1),
        ]
        assert [(note.cell, note.line) for note in report.errors] == [(1, 1), (3, 1)]

    def test_await_at_the_top_is_allowed(self, tmp_path: Path) -> None:
        assert run(tmp_path, made("await data()", "print(1)")).findings == ()


class TestNoNotebooks:
    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "an empty file, no notebook"),
            (b" \n", "an empty file, no notebook"),
            (b"{", "no notebook: broken JSON (Expecting property name enclosed in double quotes)"),
            (b"[]", "no notebook: it has no list of cells"),
            (b"{}", "no notebook: it has no list of cells"),
            (b'{"cells": {}}', "no notebook: it has no list of cells"),
            (b'{"cells": "\xff"}', "no notebook: it is not UTF-8"),
            (b"[" * 200_000, "no notebook: its JSON cannot be read"),
            (made(metadata={"language_info": {"name": "R"}}), "a notebook in R, not analysed"),
            (made(metadata={"kernelspec": {"language": "julia"}}), "a notebook in julia, not analysed"),
            (made(metadata={"kernelspec": {"name": "python2"}}), "a notebook in Python 2, not analysed"),
            (
                made(metadata={"language_info": {"name": "python", "version": "2.7.10"}}),
                "a notebook in Python 2, ",
            ),
            (b'{"nbformat": 3, "worksheets": [{"cells": []}]}', "a notebook of format 3, not analysed: "),
        ],
    )
    def test_are_a_note_and_the_run_goes_on(self, tmp_path: Path, data: bytes, message: str) -> None:
        report = run(tmp_path, data)
        assert [note.message[: len(message)] for note in report.notes] == [message]
        assert (report.findings, report.exit_status) == ((), 0)

    @pytest.mark.parametrize(
        "cell",
        [
            None,
            5,
            {},
            {"cell_type": "code"},
            {"cell_type": "code", "source": 5},
            {"cell_type": "code", "source": [1]},
        ],
    )
    def test_odd_cells_are_passed_over_and_counted(self, tmp_path: Path, cell: object) -> None:
        data = json.loads(made(EMPTY))
        data["cells"].insert(0, cell)
        assert places(run(tmp_path, json.dumps(data).encode())) == [("OPT101", 2, 2, 13)]

    @given(st.binary(max_size=60))
    def test_no_bytes_raise_anything_else(self, data: bytes) -> None:
        with contextlib.suppress(notebook.NotebookError):
            notebook.read(data)
