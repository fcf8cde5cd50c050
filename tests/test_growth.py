"""What is large in one way takes time in proportion to its size: no question compares everything with everything.

What is counted are calls of functions, which do not depend on the machine: a program four times the size may make nine
times as many at most, where the square would make sixteen.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import adversarial_inputs
from optlint import suppressions, validity
from optlint.cli import command
from optlint.semantics.values import UserClass
from tests.linting import lint

HEAD = "import torch\nfrom torch import nn\n\n\n"
MODEL = "model = nn.Linear(4, 4)\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
LOOP = "for x in loader:\n    optimizer.zero_grad()\n    train(model, optimizer, x)\n"
STEP = """
for x in loader:
    optimizer.zero_grad()
    model(x).sum().backward()
    optimizer.step()
"""


def _optimizers(number: int) -> str:
    lines = [
        f"    o{n} = torch.optim.SGD(model.parameters(), lr=0.1)\n    o{n}.zero_grad()\n    o{n}.step()\n"
        for n in range(number)
    ]
    loss = "    loss = model(x).sum()\n    loss.backward()\n    optimizer.step()\n"
    return HEAD + "def train(model, optimizer, x):\n" + "".join(lines) + loss + MODEL + LOOP


def _classes(number: int) -> str:
    classes = [
        f"class Net{n}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(4, 4)\n\n    def forward(self, x):\n        return self.fc(x)\n\n\n"
        for n in range(number)
    ]
    return (
        HEAD
        + "".join(classes)
        + "".join(
            f"model = Net{n}()\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n{STEP}"
            for n in range(number)
        )
    )


@pytest.mark.parametrize(("make", "size"), [(_optimizers, 10), (_classes, 30)])
def test_four_times_the_size(tmp_path: Path, make: Callable[[int], str], size: int) -> None:
    _calls(tmp_path, {"train.py": make(1)})  # what is loaded only once
    small = _calls(tmp_path, {"train.py": make(size)})
    assert _calls(tmp_path, {"train.py": make(size * 4)}) < 9 * small


#: Kinds of programs that once took the square of their size or worse, with a size whose square is seen.
KINDS = {
    "match cases": 200,
    "ifs in a row": 200,
    "nested withs": 4,
    "many steps": 50,
    "import chain of names": 50,
}


@pytest.mark.parametrize(("kind", "size"), KINDS.items(), ids=KINDS)
def test_four_times_the_size_of_a_tangled_program(tmp_path: Path, kind: str, size: int) -> None:
    (case,) = (case for case in adversarial_inputs.CASES if case.name == kind)
    _calls(tmp_path, case.make(1))  # what is loaded only once
    assert _calls(tmp_path, case.make(size * 4)) < 6 * _calls(tmp_path, case.make(size))


def _calls(folder: Path, files: adversarial_inputs.Files) -> int:
    """How many functions are called, those written in C among them: the same on each machine, unlike a time."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return _counted(lambda: lint(folder))


def _counted(action: Callable[[], object], wanted: Callable[[str], bool] = lambda _: True) -> int:
    """How many functions an action calls, those whose name is ``wanted``; one written in Python has none here."""
    calls = 0

    def count(_frame: object, event: str, called: object) -> None:
        nonlocal calls
        calls += event == "c_call" and wanted(getattr(called, "__qualname__", ""))
        calls += event == "call" and wanted("")

    threading.setprofile(count)  # for the thread that the analysis runs in
    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return calls


def test_invalid_text_full_of_quotes_is_judged_in_linear_time() -> None:
    started = time.process_time()
    assert validity.check("print '" + "\\'" * 100_000 + "\n").verdict is validity.Verdict.INVALID
    assert time.process_time() - started < 5  # it took minutes


def test_comments_are_found_in_linear_time_behind_a_string_that_is_not_closed() -> None:
    started = time.process_time()
    text = "print '" + "\\'" * 50_000 + "\nx = 1  # noqa: OPT101\n"
    assert list(suppressions.find(text, valid=False).by_line) == [2]
    assert time.process_time() - started < 5  # it took minutes


def test_a_report_for_people_cuts_a_file_into_lines_once(tmp_path: Path) -> None:
    def splits(findings: int) -> int:
        text = HEAD + "o = torch.optim.SGD([], lr=0.1)\n" * findings
        (tmp_path / "train.py").write_text(text, encoding="utf-8")
        arguments = ["--isolated", "--no-cache", "--jobs", "1", str(tmp_path)]
        return _counted(
            lambda: CliRunner().invoke(command, arguments), lambda called: called == "Pattern.split"
        )

    splits(1)
    assert splits(40) == splits(10) > 0


def test_the_order_of_a_long_chain_of_classes_is_found_in_time() -> None:
    started = time.process_time()
    chain: list[UserClass] = []
    for _ in range(2_000):
        chain.append(UserClass("C", Any, None, tuple(chain[-1:]), Any))  # type: ignore[arg-type]
        assert len(chain[-1].order()) == len(chain)
    assert time.process_time() - started < 5  # it took a minute
