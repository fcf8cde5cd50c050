"""Dataclasses whose methods are written late behave as if they had been written at once."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from optlint.deferred import deferring, regex


def _point(make: Any) -> dict[str, type]:
    """The same few classes, made by ``make``."""

    @make(frozen=True, order=True)
    class Point:
        x: int
        y: int = 0
        kind: ClassVar[str] = "point"

    @make(frozen=True)
    class Named(Point):
        name: str = "?"
        tags: list[str] = dataclasses.field(default_factory=list, compare=False)

    @make
    class Counter:
        count: int = 0

        def __repr__(self) -> str:
            return f"<{self.count}>"

    @make(frozen=True, eq=False)
    class Token:
        text: str

    @make(frozen=True)
    class Checked:
        number: int

        def __post_init__(self) -> None:
            if self.number < 0:
                raise ValueError("negative")

    return {cls.__name__: cls for cls in (Point, Named, Counter, Token, Checked)}


def _deferred() -> Any:
    with deferring():
        return dataclasses.dataclass


@pytest.fixture(params=["at once", "late"])
def classes(request: pytest.FixtureRequest) -> dict[str, Any]:
    return _point(dataclasses.dataclass if request.param == "at once" else _deferred())


def test_compared_hashed_and_ordered(classes: dict[str, Any]) -> None:
    point, named, token = classes["Point"], classes["Named"], classes["Token"]
    assert point(1) == point(1, 0)
    assert point(1) != point(2)
    assert point(1) < point(1, 2) <= point(1, 2)
    assert hash(point(3)) == hash(point(3))
    assert named(1, name="a", tags=["b"]) == named(1, name="a")
    assert named(1) != point(1)
    assert token("a") != token("a")


def test_a_subclass_first(classes: dict[str, Any]) -> None:
    made = classes["Named"](1, 2, "n")
    assert repr(made).endswith("Named(x=1, y=2, name='n', tags=[])")
    assert (made.kind, made.tags) == ("point", [])
    assert [field.name for field in dataclasses.fields(classes["Named"])] == ["x", "y", "name", "tags"]


def test_frozen_or_not(classes: dict[str, Any]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        classes["Point"](1).x = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del classes["Named"](1).name
    counter = classes["Counter"]()
    counter.count += 1
    assert repr(counter) == "<1>"
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


def test_replaced_matched_and_made_wrongly(classes: dict[str, Any]) -> None:
    assert dataclasses.replace(classes["Point"](1, 2), x=5) == classes["Point"](5, 2)
    assert dataclasses.is_dataclass(classes["Token"])
    point = classes["Point"]
    match point(1, 2):
        case point(x, y):
            assert (x, y) == (1, 2)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        point()
    with pytest.raises(ValueError, match="negative"):
        classes["Checked"](-1)


def test_an_object_that_comes_from_another_process() -> None:
    """It is made without ``__init__``, which is what has the methods written otherwise."""
    imports = "import pickle, sys; from optlint.finding import Span; "
    script = imports + "sys.stdout.buffer.write(pickle.dumps(Span(1, 2, 3, 4)))"
    sent = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    checks = (
        "dataclasses.replace(span, line=7).line == 7",
        "span == pickle.loads(sent)",
        "hash(span) == hash(pickle.loads(sent))",
        "span < dataclasses.replace(span, line=7)",
        "repr(span) == 'Span(line=1, column=2, end_line=3, end_column=4)'",
    )
    for check in checks:
        program = f"import pickle, dataclasses; sent = {sent!r}; span = pickle.loads(sent); assert {check}"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


_TREES = """
import sys, copy, pickle
if sys.argv[1] == "late":
    import optlint.syntax.newer
import libcst
from libcst.metadata import MetadataWrapper, PositionProvider, QualifiedNameProvider

text = open(sys.argv[2], encoding="utf-8").read()
tree = MetadataWrapper(libcst.parse_module(text))
positions = tree.resolve(PositionProvider)
names = tree.resolve(QualifiedNameProvider)
print(len(positions), len(names), tree.module.code == text)
print(tree.module.with_changes(default_newline="\\r\\n").deep_clone() == tree.module)
copied = pickle.loads(pickle.dumps(copy.deepcopy(tree.module)))
print(copied.deep_equals(tree.module), repr(copied)[:20_000])
name = libcst.Name("a")
for change in (lambda: setattr(name, "value", "b"), lambda: libcst.Name(""), lambda: libcst.Name(valu="")):
    try:
        change()
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_syntax_trees_are_what_they_were() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", _TREES, how, __file__], capture_output=True, text=True, check=True
        ).stdout
        for how in ("at once", "late")
    ]
    assert said[0] == said[1]
    assert "FrozenInstanceError" in said[0]


def test_regular_expressions_are_compiled_on_demand() -> None:
    words = regex(r"(\w+)-\d", re.IGNORECASE)
    assert [found.group(1) for found in words.finditer("a-1 B-2")] == ["a", "B"]
    assert words.sub("x", "a-1 B-2") == "x x"
    assert (words.pattern, words.groups) == (r"(\w+)-\d", 1)
    with pytest.raises(AttributeError):
        words.no_such_thing  # noqa: B018


def test_what_asking_for_the_version_or_a_run_without_findings_leaves_unloaded(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import torch\nopt = torch.optim.SGD(torch.nn.Linear(2, 2).parameters(), 0.1)\n")
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import torch\nopt = torch.optim.SGD([], 0.1)\n")
    for arguments, unwanted in (
        (["--version"], "click libcst rich optlint.cli"),
        (
            [str(script), "-q", "--no-cache"],
            "rich multiprocessing concurrent.futures libcst tempfile",
        ),
        ([str(wrong), "--no-cache", "--exit-zero"], "rich.console rich.text libcst"),
        ([str(script)], "click optlint.cli rich libcst"),
    ):
        program = (
            f"import sys; sys.argv[1:] = {arguments}\nfrom optlint.__main__ import main\n"
            "try: main()\nexcept SystemExit as status: assert not status.code, status\n"
            f"print([name for name in {unwanted.split()} if name in sys.modules], file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stderr.endswith("[]\n"), done.stderr


_SHAPES = """
import json, sys
if sys.argv[1] == "deferred":
    import optlint.syntax.newer
import libcst
shapes = {}
pending = [libcst.CSTNode]
while pending:
    cls = pending.pop()
    pending += cls.__subclasses__()
    if getattr(sys.modules[cls.__module__], cls.__name__, None) is not cls:
        continue  # what a class was before it got its slots
    properties = sorted(name for name, value in vars(cls).items() if isinstance(value, property))
    shapes[f"{cls.__module__}.{cls.__qualname__}"] = [sorted(vars(cls).get("__slots__", ())), properties]
code = "match x:\\n    case 1:\\n        pass\\n    case a.b:\\n        pass\\n"
assert libcst.parse_module(code).code == code
print(json.dumps(shapes))
"""


def test_the_classes_of_libcst_keep_their_slots_and_properties() -> None:
    """A name that only an undecorated base annotates is no field: as a slot it would hide a property."""
    path = os.pathsep.join(sys.path)
    deferred, plain = (
        json.loads(
            subprocess.run(
                [sys.executable, "-c", _SHAPES, how],
                env={**os.environ, "PYTHONPATH": path},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for how in ("deferred", "plain")
    )
    assert len(plain) > 100
    assert deferred == plain
