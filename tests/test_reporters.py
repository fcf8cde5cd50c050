"""What users and their programs see of a report."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optlint.engine import Report
from optlint.finding import (
    Confidence,
    Edit,
    Finding,
    Fix,
    Note,
    Related,
    Safety,
    Severity,
    Span,
)
from optlint.reporters import Style, summary, write
from optlint.reporters.frames import Kind, frame
from optlint.reporters.full import colours_wanted
from optlint.settings import OUTPUT_FORMATS
from tests import snapshot

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "docs" / "output.schema.json").read_text(encoding="utf-8")
)

TRAIN = """\
import torch
from torch import optim

from model import Net

model = Net()
optimizer = optim.Adam(
    [
        {"params": model.encoder.parameters()},
        {"params": model.head.parameters()},
    ],
    lr=1e-3,
)

for größe in range(3):
\tstep(größe, optimizer, "日本語") ; other = optim.SGD([])
"""
MODEL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
"""
FILES = {"/project/train.py": TRAIN, "/project/lib/model.py": MODEL}

PARTIAL = Finding(
    code="OPT102",
    name="partial-parameter-list",
    severity=Severity.WARNING,
    confidence=Confidence.LIKELY,
    message="`scale` of `Net` is left out of every optimizer: gradients reach it, but `Adam` never changes it",
    path="train.py",
    span=Span(7, 13, 13, 2),
    help="give it every parameter: `Adam(model.parameters(), …)`;\nor freeze it",
    related=(Related("lib/model.py", Span(7, 9, 7, 19), "`scale` is made here"),),
    statement_line=7,
)
EMPTY = Finding(
    code="OPT101",
    name="empty-parameter-list",
    severity=Severity.ERROR,
    confidence=Confidence.CERTAIN,
    message="`SGD` gets an empty parameter list: it raises ValueError",
    path="train.py",
    span=Span(16, 44, 16, 57),
    fix=Fix(Safety.UNSAFE, "Give it the model's", (Edit(Span(16, 54, 16, 56), "model.parameters()"),)),
    statement_line=16,
)
FAULT = Finding(
    code="OPT999",
    name="rule-failed",
    severity=Severity.ERROR,
    confidence=Confidence.CERTAIN,
    message="rule OPT777 failed on this file: KeyError: 'x'",
    path="train.py",
    span=Span(1, 1, 1, 1),
)
NOTE = Note("old.py", 3, "needs a newer Python")
REPORT = Report(folder="/project", files=12, findings=(PARTIAL, EMPTY), errors=(NOTE,), notes=(NOTE,))
CLEAN = Report(folder="/project", files=3, findings=())


class Texts:
    """Files by path; every other one holds ``default``."""

    def __init__(self, files: dict[str, str], default: str | None = None) -> None:
        self._files = files
        self._default = default

    def shown(self, path: str, cell: int | None = None) -> str | None:
        return self._files.get(path, self._default)

    def in_file(self, path: str, cell: int | None, span: Span) -> Span:
        return span


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)


def shown(
    report: Report, output_format: str = "full", style: Style | None = None, stream: io.StringIO | None = None
) -> str:
    stream = stream or io.StringIO()
    write(report, output_format, stream, style or Style(), Texts(FILES))
    return stream.getvalue()


def test_full_when_piped() -> None:
    snapshot.check("full-piped.txt", shown(REPORT))


def test_full_on_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(REPORT, stream=Terminal())
    snapshot.check("full-80-columns.txt", text)
    assert max(map(len, text.splitlines())) <= 80


def test_full_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = re.sub(r"(?<=\x1b]8;)id=\d+", "id", shown(REPORT))
    assert "\x1b]8;id;https://" in text, "the code is a link"
    snapshot.check("full-colour.txt", text.replace("\x1b", "ESC"))


def test_concise() -> None:
    snapshot.check("concise.txt", shown(REPORT, "concise"))


def test_json() -> None:
    text = shown(REPORT, "json")
    snapshot.check("report.json", text)
    jsonschema.validate(json.loads(text), SCHEMA)


@pytest.mark.parametrize("output_format", ["full", "concise"])
def test_statistics(output_format: str) -> None:
    report = Report("/project", 2, (PARTIAL, EMPTY, PARTIAL))
    text = shown(report, output_format, Style(summary=False, statistics=True))
    assert text == "2  OPT102  partial-parameter-list\n1  OPT101  empty-parameter-list\n"


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (REPORT, "Found 2 findings (1 error, 1 warning) in 12 files."),
        (Report("/", 1, (EMPTY,)), "Found 1 finding (1 error) in 1 file."),
        (CLEAN, "All checks passed."),
        (Report("/", 0, ()), "No Python files or notebooks found."),
        (Report("/", 3, (), errors=(NOTE, NOTE)), "Found nothing, but 1 file could not be fully checked."),
    ],
)
def test_summary(report: Report, line: str) -> None:
    assert summary(report) == line
    assert shown(report).splitlines()[-1] == line
    assert line not in shown(report, style=Style(summary=False))


def test_nothing_but_findings_in_concise() -> None:
    assert shown(CLEAN, "concise") == ""


def test_a_finding_about_the_whole_file_has_no_frame() -> None:
    assert " | " not in shown(Report("/project", 1, (FAULT,)))


def test_a_file_that_is_gone_leaves_the_message() -> None:
    stream = io.StringIO()
    write(REPORT, "full", stream, Style(), Texts({}))
    assert "train.py:16:44: OPT101[empty-parameter-list]" in stream.getvalue()


def test_nothing_in_a_file_can_write_to_the_terminal() -> None:
    hostile = "x = '\x1b[31m\x07\u202e' # \x9b31m"
    finding = Finding(
        "OPT101",
        "empty-parameter-list",
        Severity.ERROR,
        Confidence.CERTAIN,
        "bad \x1b[2J name\nand line",
        "a\x1b[1m.py",
        Span(1, 1, 1, len(hostile)),
        help="\x1b]0;title\x07",
    )
    for output_format in OUTPUT_FORMATS:
        stream = io.StringIO()
        write(Report("/project", 1, (finding,)), output_format, stream, Style(), Texts({}, hostile))
        assert not set(stream.getvalue()) & set("\x1b\x07\x9b\u202e")


@pytest.mark.parametrize(
    ("terminal", "environment", "colours"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colours(terminal: bool, environment: dict[str, str], colours: bool) -> None:
    assert colours_wanted(terminal, environment) is colours


def drawn(text: str, span: Span, *, context: int = 0, width: int = 60) -> list[str]:
    lines = frame(text.split("\n"), span, context=context, mark="^", width=width)
    return [line.text for line in lines]


class TestFrame:
    def test_one_line(self) -> None:
        assert drawn("a = f(x)", Span(1, 5, 1, 9)) == ["a = f(x)", "    ^^^^"]

    def test_an_empty_span_has_one_mark(self) -> None:
        assert drawn("ab", Span(1, 3, 1, 3)) == ["ab", "  ^"]

    def test_tabs_and_wide_characters(self) -> None:
        assert drawn("\tf('日本', x)", Span(1, 10, 1, 11)) == ["    f('日本', x)", "              ^"]

    def test_context_without_blank_edges(self) -> None:
        assert drawn("\n\nx\ny\n\nz", Span(4, 1, 4, 2), context=2) == ["x", "y", "^", "", "z"]

    def test_several_lines(self) -> None:
        text = "a\nf(\n    1,\n)\nb"
        assert drawn(text, Span(2, 1, 4, 2), context=1) == ["  a", "/ f(", "|     1,", "| )", "|_^", "  b"]

    def test_many_lines_are_left_out(self) -> None:
        text = "\n".join(["f(", *"123456789", ")"])
        assert drawn(text, Span(1, 1, 11, 2)) == ["/ f(", "| 1", "| 2", "| ...", "| 9", "| )", "|_^"]

    def test_a_long_line_is_cut_around_the_span(self) -> None:
        code, marks = drawn("a" * 100 + "SPAN" + "b" * 100, Span(1, 101, 1, 105), width=40)
        assert len(code) <= 40
        assert code[marks.index("^") : marks.rindex("^") + 1] == "SPAN"

    @pytest.mark.parametrize("span", [Span(9, 1, 9, 2), Span(0, 1, 0, 2)])
    def test_a_span_outside_of_the_file(self, span: Span) -> None:
        assert drawn("a", span) == []

    @given(
        st.lists(st.text(st.characters(blacklist_characters="\r\n"), max_size=120), min_size=1, max_size=9),
        st.tuples(*[st.integers(0, 130)] * 4),
        st.integers(0, 3),
    )
    def test_any_span_can_be_drawn(self, lines: list[str], numbers: tuple[int, ...], context: int) -> None:
        from rich.cells import cell_len

        for line in frame(lines, Span(*numbers), context=context, mark="^", width=50):
            assert cell_len(line.text) <= 51
            assert "\n" not in line.text
            assert line.kind is not Kind.MARK or line.text.endswith("^")
