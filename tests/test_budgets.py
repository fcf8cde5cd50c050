"""Programs that unfold without end, are very deep or very wide: analysed in bounded time, and no finding from a guess.

The times are far above what is needed; what they guard against takes minutes or never ends.
"""

from __future__ import annotations

import gc
import signal
import threading
import time
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from optlint import engine
from optlint.around.surroundings import Surroundings
from optlint.checker import MAX_PROJECTS, Checker
from optlint.cli import command
from optlint.semantics import functions, iteration, loading, modules, pace, roots, values
from optlint.semantics.interpreter import Interpreter
from optlint.semantics.project import MAX_CACHED_MODULES, Project
from optlint.settings import Configuration, Settings
from optlint.source import SourceStore
from tests.linting import Reported, lint

FIXTURES = Path(__file__).parent / "fixtures"
SECONDS = 20
"""Processor time for one program; the slowest here takes two."""

HEAD = "import torch\nfrom torch import nn\n\n\n"
TRAIN = """
for _ in range(3):
    optimizer.zero_grad()
    model(torch.randn(2, 4)).sum().backward()
    optimizer.step()
"""


@contextmanager
def in_time() -> Iterator[None]:
    """Fail when the block takes more than ``SECONDS`` of processor time; end it when it hangs."""

    def hangs(*_: object) -> None:
        raise TimeoutError(f"still running after {SECONDS * 10} s")

    alarm = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()
    if alarm:
        before = signal.signal(signal.SIGALRM, hangs)
        signal.alarm(SECONDS * 10)
    began = time.process_time()
    try:
        yield
    finally:
        if alarm:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
    assert time.process_time() - began < SECONDS


def found(folder: Path, train: str, files: dict[str, str] | None = None) -> list[Reported]:
    """What is found, in time, in a script with other files beside it."""
    for name, text in {"train.py": train, **(files or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with in_time():
        return lint(folder)


def codes(reported: list[Reported]) -> set[str]:
    return {finding.code for finding in reported}


def inheriting(levels: int, families: int, at_the_end: str) -> str:
    """Classes that inherit from one another, ``levels`` deep, in several families; a model of the last is trained."""
    text = [HEAD]
    for family in range(families):
        for level in range(levels):
            base = f"F{family}L{level - 1}" if level else "nn.Module"
            text += [
                f"class F{family}L{level}({base}):",
                "    def __init__(self, width=4):",
                "        super().__init__()" if level == 0 else "        super().__init__(width)",
                f"        self.layer{level} = nn.Linear(width, width)",
                "",
                "    def forward(self, x):",
                f"        x = self.layer{level}(x).relu()",
                "        return x" if level == 0 else "        return super().forward(x)",
                "\n",
            ]
    return "\n".join(text) + f"\nmodel = F{families - 1}L{levels - 1}()\n{at_the_end}{TRAIN}"


ALL = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
TWO = "optimizer = torch.optim.SGD([*model.layer0.parameters(), *model.layer1.parameters()], lr=0.1)\n"


def test_thirty_levels_of_inheritance_are_followed(tmp_path: Path) -> None:
    assert found(tmp_path, inheriting(30, 7, ALL)) == []
    [left_out] = found(tmp_path, inheriting(30, 7, TWO))
    assert left_out.code == "OPT102"
    assert "`layer2`" in left_out.message


def test_deeper_inheritance_than_is_followed_gives_nothing(tmp_path: Path) -> None:
    levels = functions.MAX_CALL_DEPTH + 10
    assert found(tmp_path, inheriting(levels, 1, ALL)) == []
    assert found(tmp_path, inheriting(levels, 1, TWO)) == []


def wide(layers: int, held: int) -> str:
    """A model of many layers, written out, of which an optimizer gets the first ones."""
    lines = [HEAD, "class Wide(nn.Module):", "    def __init__(self):", "        super().__init__()"]
    lines += [f"        self.layer{i} = nn.Linear(4, 4)" for i in range(layers)]
    lines += ["", "    def forward(self, x):"]
    lines += [f"        x = self.layer{i}(x)" for i in range(layers)]
    lines += ["        return x\n\n", "model = Wide()", "params = []"]
    lines += [f"params += model.layer{i}.parameters()" for i in range(held)]
    return "\n".join(lines) + "\noptimizer = torch.optim.SGD(params, lr=0.1)\n" + TRAIN


def test_a_wide_model_is_followed(tmp_path: Path) -> None:
    assert found(tmp_path, wide(300, 300)) == []
    assert codes(found(tmp_path, wide(300, 299))) == {"OPT102"}


def test_a_wider_model_than_is_followed_gives_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, wide(2_000, 2_000)) == []
    assert found(tmp_path, wide(2_000, 3)) == []


def test_modules_that_hold_one_another(tmp_path: Path) -> None:
    text = f"""{HEAD}
class Node(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4))

    def forward(self, x):
        return x * self.weight


nodes = [Node() for _ in range(20)]
for index, node in enumerate(nodes):
    for other in nodes:
        object.__setattr__(node, "peer", other)
        node.add_module(f"peer{{index}}", other)
for node in nodes:
    node.first, node.second, node.third = nodes[0], nodes[7], nodes[13]
model = nodes[0]
for module in model.modules():
    print(module)
for name, parameter in model.named_parameters():
    print(name)
model.apply(print)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
{TRAIN}"""
    assert found(tmp_path, text) == []


def test_modules_that_are_shared_on_every_level(tmp_path: Path) -> None:
    text = f"""{HEAD}
class Twice(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.left = inner
        self.right = inner

    def forward(self, x):
        return self.left(x)


model = nn.Linear(4, 4)
{"model = Twice(model)" + chr(10)}{("model = Twice(model)" + chr(10)) * 23}
print(list(model.modules()), list(model.named_parameters()))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
{TRAIN}"""
    assert found(tmp_path, text) == []


def test_containers_within_containers(tmp_path: Path) -> None:
    lines = [HEAD, "grid = [torch.randn(4, requires_grad=True)]"]
    lines += ["grid = [grid, grid, grid]"] * 30
    lines += ["table = {}"] + [f"table = {{'a': table, 'b': table, {i}: table}}" for i in range(30)]
    lines += ["print(grid, table)", "loss = torch.stack(grid).sum() + len(table)", "loss.backward()"]
    lines += ["import copy", "other = copy.deepcopy([grid, table])", "unseen(other, grid, table)"]
    assert found(tmp_path, "\n".join(lines) + "\n") == []


def test_branches_that_multiply(tmp_path: Path) -> None:
    lines = [HEAD, "import sys", "layers = []"]
    for i in range(60):
        lines += [f"if len(sys.argv) > {i}:", "    layers.append(nn.Linear(4, 4))"]
        lines += ["else:", "    layers = [*layers, nn.Tanh()]", f"choice{i} = layers"]
    lines += ["model = nn.Sequential(*layers)", ALL + TRAIN]
    assert found(tmp_path, "\n".join(lines)) == []


def test_calls_that_multiply(tmp_path: Path) -> None:
    lines = [HEAD, "params = []", "def f0(model):", "    params.extend(model.parameters())"]
    for i in range(1, 20):
        lines += [f"def f{i}(model):"] + [f"    f{i - 1}(model)"] * 3
    lines += ["model = nn.Linear(4, 4)", "f19(model)", "optimizer = torch.optim.SGD(params, lr=0.1)"]
    assert found(tmp_path, "\n".join(lines) + TRAIN) == []


def test_recursion_over_data_that_is_not_known(tmp_path: Path) -> None:
    text = f"""{HEAD}
def visit(node, path):
    for key in node:
        if isinstance(node[key], dict):
            visit(node[key], path + key)
        elif key.startswith("a"):
            visit(node[key].left, path + "l")
        else:
            visit(node[key].left, path)
            visit(node[key].right, path)


class Tree(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.leaf = nn.Linear(4, 4)
        if depth < limit():
            self.left = Tree(depth + 1)
            self.right = Tree(depth + 1)

    def forward(self, x):
        return self.leaf(x)


visit(load(), "")
model = Tree(0)
optimizer = torch.optim.SGD(model.leaf.parameters(), lr=0.1)
{TRAIN}"""
    assert found(tmp_path, text) == []


def test_recursion_that_is_known_is_followed_or_given_up(tmp_path: Path) -> None:
    text = f"""{HEAD}
layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(24)])
model = nn.Sequential(*layers)
params = []


def collect(index):
    if index < COUNT:
        params.extend(layers[index].parameters())
        collect(index + 1)


collect(0)
optimizer = torch.optim.SGD(params, lr=0.1)
{TRAIN}"""
    followed, given_up = functions.MAX_RECURSION - 2, functions.MAX_RECURSION + 4
    assert codes(found(tmp_path, text.replace("COUNT", str(followed)))) == {"OPT102"}
    assert found(tmp_path, text.replace("COUNT", str(given_up))) == []
    assert found(tmp_path, text.replace("COUNT", "24")) == []


def test_a_list_that_a_long_loop_fills(tmp_path: Path) -> None:
    """What a run that is cut short has left half done is no evidence, neither in it nor in those that follow."""
    text = f"""{HEAD}
model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
params = list(model[0].parameters())
numbers = [{", ".join(map(str, range(400)))}]
for i in numbers:
    for j in numbers:
        i * j + i - j
params += model[1].parameters()


def main():
    optimizer = torch.optim.SGD(params, lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(2, 4)).sum().backward()
        optimizer.step()


main()
"""
    assert found(tmp_path, text) == []
    other = (
        "from train import model, params\nimport torch\n\n\ndef main():\n"
        + text.partition("def main():\n")[2]
    )
    assert found(tmp_path, text, {"other.py": other}) == []


def ring(size: int, line: str) -> dict[str, str]:
    """Modules of a package that import one another in a circle, whether Python could run them or not."""
    return {
        f"ring/part{i}.py": "\n".join(
            (
                "from torch import nn",
                *(line.format((i + step) % size, i) for step in (1, 2)),
                "",
                "",
                f"class Part{i}(nn.Module):",
                "    def __init__(self, depth=0):",
                "        super().__init__()",
                "        self.layer = nn.Linear(4, 4)",
                f"        self.next = Part{(i + 1) % size}(depth + 1) if depth < 3 else nn.Identity()",
                "",
                "    def forward(self, x):",
                "        return self.next(self.layer(x))",
                "",
            )
        )
        for i in range(size)
    }


@pytest.mark.parametrize(
    "line",
    [
        "from ring.part{0} import *",
        "from . import part{0}\nfrom .part{0} import Part{0}",
        "import ring.part{0} as next{0}",
    ],
    ids=["star", "relative", "absolute"],
)
def test_modules_that_import_one_another(tmp_path: Path, line: str) -> None:
    script = f"import torch\nfrom ring.part0 import Part0\n\nmodel = Part0()\n{ALL}{TRAIN}"
    assert found(tmp_path, script, {"ring/__init__.py": "", **ring(16, line)}) == []


def test_a_package_that_imports_all_it_has(tmp_path: Path) -> None:
    count = MAX_CACHED_MODULES + 40
    parts = {
        f"zoo/part{i}.py": f"from torch import nn\n\n\nclass Part{i}(nn.Linear):\n    pass\n"
        for i in range(count)
    }
    init = "".join(f"from .part{i} import *\n" for i in range(count))
    script = f"import torch\nfrom zoo import Part3\n\nmodel = Part3(4, 4)\n{ALL}{TRAIN}"
    files = {"zoo/__init__.py": init, **parts}
    assert found(tmp_path, script, files) == []
    assert codes(found(tmp_path, script.replace("model.parameters()", "[model.weight]"), files)) == {"OPT102"}


def test_a_trainer_in_another_package(tmp_path: Path) -> None:
    """A deep model family and the code that trains it, each in a package of its own: both are followed."""
    family = inheriting(12, 4, "").partition("\nmodel = ")[0]
    trainer = """\
import torch


class Trainer:
    def __init__(self, model, parameters):
        self.model = model
        self.optimizer = torch.optim.AdamW(parameters, lr=1e-3)

    def fit(self, batches):
        for batch in batches:
            self.optimizer.zero_grad()
            self.model(batch).sum().backward()
            self.optimizer.step()
"""
    script = """\
import torch
from models.family import F3L11
from training.trainer import Trainer

model = F3L11()
Trainer(model, model.PART.parameters()).fit([torch.randn(2, 4)] * 3)
"""
    packages = {
        "models/__init__.py": "",
        "training/__init__.py": "",
        "models/family.py": family,
        "training/trainer.py": trainer,
    }
    right = found(tmp_path, script.replace(".PART", ""), packages)
    assert right == []
    [wrong] = found(tmp_path, script.replace("PART", "layer3"), packages)
    assert (wrong.code, wrong.path) == ("OPT102", "training/trainer.py")


LATER = (
    HEAD
    + """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(12))
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).relu()
        return self.head(x)


def train(model, optimizer, batches):
    for batch in batches:
        optimizer.zero_grad()
        model(batch).sum().backward()
        optimizer.step()


model = Net()
optimizer = torch.optim.SGD(model.layers.parameters(), lr=0.1)
for epoch in range(100):
    train(model, optimizer, load())
"""
)


def test_a_later_round_that_repeats_the_first_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    count = Interpreter.step
    monkeypatch.setattr(Interpreter, "step", lambda self: (steps.append(1), count(self))[1])
    taken = {}
    for bound in (pace.MAX_LATER_STEPS, 20):
        monkeypatch.setattr(pace, "MAX_LATER_STEPS", bound)
        [wrong] = found(tmp_path, LATER)
        assert (wrong.code, "head" in wrong.message) == ("OPT102", True)
        taken[bound] = len(steps)
        steps.clear()
    assert taken[20] < 0.8 * taken[1_500]


STEPS = ("pace.MAX_STEPS", "roots.MAX_STEPS", "roots.MAX_SIDE_STEPS")
SMALL: list[dict[str, int]] = [
    *(dict.fromkeys(STEPS, steps) for steps in (60, 150, 400, 1_000)),
    {"pace.MAX_WORK": 30},
    *({"pace.MAX_REPEATING_STEPS": steps, "pace.MAX_LATER_STEPS": steps} for steps in (20, 60, 200)),
    *({"pace.MAX_LATER_STEPS": steps} for steps in (5, 25, 75, 200)),
    {"functions.MAX_CALL_DEPTH": 2},
    {"functions.MAX_CALL_DEPTH": 3},
    {"functions.MAX_RECURSION": 1, "functions.MAX_OPEN_RECURSION": 1, "functions.MAX_BLIND_RECURSION": 1},
    {"functions.MAX_DECORATOR_STEPS": 0},
    {"loading.MAX_MODULE_STEPS": 20},
    {"loading.MAX_LOADING_STEPS": 0},
    {"iteration.MAX_ROUNDS": 2},
    {"iteration.MAX_RANGE": 2},
    {"modules.MAX_PARAMETERS": 3},
    {"modules.MAX_MODULE_DEPTH": 1},
    {"values.MAX_OPTIONS": 2},
]
"""Budgets so small that most programs reach them."""

MODULES = {
    module.__name__.rpartition(".")[2]: module
    for module in (functions, iteration, loading, modules, pace, roots, values)
}


@pytest.mark.parametrize("number", range(len(SMALL)), ids=["-".join(budget) for budget in SMALL])
def test_no_budget_that_is_reached_gives_a_finding(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right programs stay right, whatever part of them is not followed. Each fixture is tried with one budget."""
    for name, value in SMALL[number].items():
        module, _, constant = name.partition(".")
        assert hasattr(MODULES[module], constant)
        monkeypatch.setattr(MODULES[module], constant, value)
    for path in sorted(FIXTURES.glob("*/good/*")):
        if zlib.crc32(path.name.encode()) % len(SMALL) == number and (path.is_dir() or path.suffix == ".py"):
            assert lint_in_place(path) == [], path.name


def lint_in_place(path: Path) -> list[tuple[str, str, int]]:
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    folder = path if path.is_dir() else path.parent
    settings = Configuration(isolated=True, cwd=str(folder)).for_folder
    report = engine.run([str(file) for file in files], settings, folder=str(folder))
    return [(finding.code, finding.path, finding.span.line) for finding in report.findings]


@pytest.mark.parametrize(
    "long",
    [
        "WORDS = [" + ", ".join(f"'w{n}'" for n in range(6_000)) + "]",
        "WORDS = {" + ", ".join(f"'w{n}': {n}" for n in range(3_000)) + "}",
        "WORDS = nn.Sequential(" + ", ".join("nn.Linear(4, 4), nn.ReLU()" for _ in range(700)) + ")",
        "WORDS = [" + ", ".join("nn.Linear(4, 4)" for _ in range(1_200)) + "]",
    ],
    ids=["list", "dict", "arguments", "list of layers"],
)
def test_a_long_statement_does_not_repeat_itself(tmp_path: Path, long: str) -> None:
    program = HEAD + long + "\nmodel = nn.Linear(4, 2)\noptimizer = torch.optim.SGD([], lr=0.1)\n"
    assert [finding.code for finding in found(tmp_path, program)] == ["OPT101"]


def test_the_parsed_files_of_few_settings_are_kept(tmp_path: Path) -> None:
    """A tree may have a hundred projects with settings of their own; memory does not grow with them."""
    made: list[weakref.ref[Project]] = []
    several = [Settings(root=str(tmp_path / str(number))) for number in range(6)]
    checker = Checker(several, SourceStore(), lambda settings: Surroundings((), lambda path: None))
    (tmp_path / "train.py").write_text(LATER)
    for number in range(6):
        assert [finding.code for finding in checker.check(str(tmp_path / "train.py"), number).findings]
        made.append(weakref.ref(checker._project(number)))
    gc.collect()
    assert sum(project() is not None for project in made) == MAX_PROJECTS


@pytest.mark.parametrize("loop", ["for epoch in range(100):", "while load():"])
def test_a_round_that_is_taken_back_is_no_round(
    loop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows it is followed as if it had not begun."""
    left = []
    run_body = loading.run_body

    def followed(it: Interpreter, *arguments: Any) -> None:
        run_body(it, *arguments)
        left.append(it.later_rounds)

    monkeypatch.setattr(loading, "run_body", followed)
    monkeypatch.setattr(pace, "MAX_LATER_STEPS", 20)
    found(tmp_path, LATER.replace("for epoch in range(100):", loop))
    assert left == [0]


def test_a_name_that_two_files_import_from_each_other(tmp_path: Path) -> None:
    """It is not known, and nothing is left out because of it."""
    (tmp_path / "first.py").write_text("from second import helper\n")
    (tmp_path / "second.py").write_text("from first import helper\n")
    script = tmp_path / "train.py"
    script.write_text("from first import helper\n" + LATER.replace("load()", "helper()"))
    result = CliRunner().invoke(command, [str(script), "--verbose", "--no-cache"])
    assert "OPT102" in result.stdout
    assert "in part only" not in result.stderr


@pytest.mark.parametrize(
    ("bound", "value", "module"),
    [
        ("MAX_REPEATING_STEPS", 60, pace),
        ("MAX_WORK", 0, pace),
        ("MAX_CALL_DEPTH", 1, functions),
        ("MAX_ROUNDS", 3, iteration),
    ],
)
def test_the_bound_that_ends_a_run_is_told(
    bound: str, value: int, module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, bound, value)
    script = tmp_path / "train.py"
    script.write_text(LATER)
    result = CliRunner().invoke(command, [str(script), "--verbose", "--no-cache", "--jobs", "1"])
    assert f"followed in part only ({bound})" in result.stderr


def test_what_is_left_out_is_told_with_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roots, "MAX_STEPS", 50)
    monkeypatch.setattr(roots, "MAX_RUNS", 1)
    classes = "".join(f"class Net{n}(nn.Module):\n    pass\n\n\n" for n in range(3))
    script = tmp_path / "train.py"
    script.write_text("from torch import nn\n\n\n" + classes + "x = 0\n" + "x = x + 1\n" * 100)
    for _ in range(2):  # the second time from the cache
        result = CliRunner().invoke(
            command, [str(script), "--verbose", "--cache-dir", str(tmp_path / "kept")]
        )
        assert "train.py: what it does when it runs is followed in part only (MAX_STEPS)" in result.stderr
        assert "train.py: from line 8 on, what it defines is not followed (MAX_RUNS)" in result.stderr
    assert "1 of 1 known from earlier runs" in result.stderr
