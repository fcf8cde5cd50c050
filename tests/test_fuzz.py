"""Random bytes and damaged real programs through the whole engine: no traceback, no hang.

A few inputs by default; OPTLINT_FUZZ_EXAMPLES=10000 makes it a real search.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optlint import engine
from optlint.reporters import Style, write
from optlint.settings import OUTPUT_FORMATS, Configuration
from optlint.source import SourceStore

EXAMPLES = int(os.environ.get("OPTLINT_FUZZ_EXAMPLES", "40"))
SECONDS = 60
"""An input that takes longer hangs. (Most take a hundredth of a second.)"""

ROOT = Path(__file__).parent
PROGRAMS = [
    path.read_bytes()
    for folder in (ROOT / "fixtures", ROOT.parent / "examples")
    for path in sorted(folder.rglob("*.py"))
]
# In a folder that does not exist no import leads to another file: each input stands for itself.
NOWHERE = os.path.join(os.path.sep, "nowhere", "fuzzed.py")

PIECES = [
    *(
        b"\n",
        b"\r",
        b"\r\n",
        b"\t",
        b"    ",
        b"\x0c",
        b"\\\n",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        "\u2028é🦜".encode(),
    ),
    *(
        b"(",
        b")",
        b"[",
        b"]",
        b"{",
        b"}",
        b'"""',
        b"'",
        b":",
        b",",
        b"*",
        b"**",
        b"=",
        b":=",
        b";",
        b"@",
        b".",
        b"->",
    ),
    *(
        b"lambda: ",
        b"yield ",
        b"await ",
        b"async ",
        b"return ",
        b"del ",
        b"global ",
        b"not ",
        b"if ",
        b"else ",
        b"for ",
    ),
    *(
        b"while True:\n",
        b"try:\n",
        b"with x as y:\n",
        b"match x:\n case _:\n",
        b"class C(C):\n",
        b"def f():\n",
    ),
    *(b"import *", b"from . import x\n", b"# noqa: OPT1", b"# optlint: ignore[", b"# optlint: skip-file\n"),
    *(
        b"self",
        b"model",
        b"optimizer",
        b".parameters()",
        b"super().__init__()",
        b"f'{",
        b"0x",
        b"1e999",
        b"9" * 50,
    ),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A real program with a few cuts, copies, swaps and insertions."""
    data = draw(st.sampled_from(PROGRAMS))
    for _ in range(draw(st.integers(1, 6))):
        start, end, to = sorted(draw(st.integers(0, len(data))) for _ in range(3))
        part = data[start : min(end, start + 400)]
        change = draw(st.sampled_from(["cut", "copy", "insert", "replace", "lines", "repeat"]))
        if change == "cut":
            data = data[:start] + data[start + len(part) :]
        elif change == "copy":
            data = data[:to] + part + data[to:]
        elif change == "insert":
            data = data[:start] + draw(st.sampled_from(PIECES)) + data[start:]
        elif change == "replace":
            data = data[:start] + draw(st.sampled_from(PIECES)) + data[start + 1 :]
        elif change == "repeat":
            data = data[:start] + draw(st.sampled_from(PIECES)) * draw(st.integers(2, 300)) + data[start:]
        else:
            lines = data.split(b"\n")
            first, second = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
            lines[first], lines[second] = lines[second], lines[first]
            data = b"\n".join(lines)
    return data


@contextlib.contextmanager
def no_hang() -> Iterator[None]:
    """Raise ``TimeoutError`` after ``SECONDS``, where the system can."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def alarm(*_: object) -> None:
        raise TimeoutError(f"longer than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, alarm)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def survive(data: bytes) -> None:
    """Check and report ``data``; anything but findings and notes is a fault."""
    store = SourceStore({NOWHERE: data})
    with no_hang():
        report = engine.run([NOWHERE], Configuration(isolated=True).for_folder, store=store)
        for output_format in OUTPUT_FORMATS:
            write(report, output_format, io.StringIO(), Style(), store)
    assert not report.faults, "\n".join((*report.faults, *report.details))
    for finding in report.findings:
        assert finding.span.line >= 1
        assert finding.span.column >= 1


fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="OPTLINT_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@fuzz
@given(st.binary(max_size=400))
def test_random_bytes(data: bytes) -> None:
    survive(data)


@fuzz
@given(st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join))
def test_random_pieces(data: bytes) -> None:
    survive(b"import torch.optim\n" + data)


@fuzz
@given(damaged())
def test_damaged_programs(data: bytes) -> None:
    survive(data)


@pytest.mark.parametrize("count", [60, 300, 1_000, 30_000])
@pytest.mark.parametrize(
    "piece",
    [
        *(
            b"(",
            b"[",
            b"x = [",
            b"-",
            b"not ",
            b"lambda: ",
            b"a.",
            b"f(",
            b"1 + ",
            b"1 if 1 else ",
            b"x[",
            b"x and ",
        ),
        *(b"f()", b"2 ** ", b"x = ", b"if 1: ", b"\\\n", b"'", b'f"{', b"x <", b"await "),
    ],
    ids=repr,
)
def test_much_of_the_same(piece: bytes, count: int) -> None:
    survive(b"import torch.optim\nx = " + piece * count + b"1\n")


@pytest.mark.parametrize("count", [60, 3_000])
@pytest.mark.parametrize(
    "line",
    [
        b"if x:\n    pass\nel",
        b"try:\n    pass\nfinally:\n    pass\n",
        b"@f\n",
        b"x = nn.Linear(x, x)\n",
        b"class A(A): pass\n",
    ],
    ids=repr,
)
def test_many_lines_of_the_same(line: bytes, count: int) -> None:
    survive(b"from torch import nn, optim\n" + line * count + b"if x:\n    pass\n")


def test_blocks_within_blocks() -> None:
    for depth in (20, 90, 120):
        lines = [b" " * level + b"if x:" for level in range(depth)]
        survive(b"import torch.optim\n" + b"\n".join([*lines, b" " * depth + b"pass\n"]))
