"""Results of earlier runs: used when nothing that they rest on has changed, and only then; never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

import optlint
from optlint import cli, engine
from optlint.around import surroundings
from optlint.around.disk import Disk
from optlint.around.questions import Question
from optlint.around.surroundings import Surroundings
from optlint.cache import drawers, neighbour_answers, results, shards, times, version
from optlint.cache.results import ResultCache
from optlint.checker import Checker, Outcome
from optlint.engine import Report
from optlint.rules.empty_parameter_list import EmptyParameterList
from optlint.selection import Selection
from optlint.settings import OUTPUT_FORMATS, Configuration, Settings
from optlint.source import SourceStore
from tests.notebooks import notebook

NET = """from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(3, 3), nn.Linear(3, 3)]
        self.head = nn.Linear(3, 1)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x)
"""
TAKER = """import torch
from net import Net

net = Net()
optimizer = torch.optim.SGD([p for layer in net.layers for p in layer.parameters()], lr=0.1)
"""
BASE = """from torch import nn


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)
"""
WITHOUT_LAYER = BASE.replace("nn.Linear(3, 3)", "None")
TRAIN = """import torch
from base import Base


class Net(Base):
    def forward(self, x):
        return self.layer(x)


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
"""
KERAS = """import keras

model = keras.Sequential([keras.layers.Dense(3)])
model.compile(optimizer=keras.optimizers.Adam(lr=0.1))
"""
EMPTY = "from torch import optim\n\noptimizer = optim.SGD([], lr=0.1)\n"
FIXED = "from torch import optim\n\noptimizer = optim.SGD(ws, lr=0.1)\n"
SUPPRESSED = (
    "from torch import optim\n\noptimizer = optim.SGD([], lr=0.1)  # noqa: OPT101\nx = 1  # noqa: OPT101\n"
)
TREE = {
    "example.py": (Path(__file__).parent.parent / "examples" / "broken_classifier.py").read_text(),
    "setup.py": "",
    "models/net.py": NET,
    "train/base.py": BASE,
    "train/train.py": TRAIN,
    "keras/m.py": KERAS,
    "empty.py": EMPTY,
    "plain.py": "import os\n",
    "suppressed.py": SUPPRESSED,
    "skipped.py": "# optlint: skip-file\n" + EMPTY,
    "broken.py": "def (:\n",
    "latin.py": "# \xe9\n",
    "binary.py": "x = 1\0",
}


class Tree:
    """A project on the disk, and runs over it with what earlier runs have left."""

    def __init__(self, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.top = top
        self.checked: list[str] = []
        check = Checker.check

        def counting(checker: Checker, path: str, which: int) -> Outcome:
            self.checked.append(os.path.relpath(path, top).replace(os.sep, "/"))
            return check(checker, path, which)

        monkeypatch.setattr(Checker, "check", counting)

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode("latin-1"))

    def run(self, *, cached: bool = True, jobs: int = 1, select: tuple[str, ...] | None = None) -> Report:
        self.checked.clear()
        layer = None if select is None else Selection(select)
        configuration = Configuration(cwd=str(self.top), command_line=layer)
        files = [str(path) for path in sorted(self.top.rglob("*")) if path.suffix in (".py", ".ipynb")]
        cache = ResultCache(str(self.top)) if cached else None
        report = engine.run(files, configuration.for_folder, jobs=jobs, folder=str(self.top), cache=cache)
        assert not report.details
        return report

    def rechecked(self) -> list[str]:
        """Run, compare with a run without a cache, and tell which files had to be checked."""
        with_cache = self.run()
        checked = sorted(self.checked)
        assert replace(with_cache, cached=0) == self.run(cached=False)
        assert with_cache.cached == with_cache.files - len(checked)
        return checked

    def codes(self) -> list[str]:
        return [f"{finding.path}: {finding.code}" for finding in self.run().findings]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.chdir(tmp_path)
    found = Tree(tmp_path, monkeypatch)
    found.write({"setup.py": ""})
    return found


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the times of files that have just been written."""
    monkeypatch.setattr(times, "GRAIN_NS", -(10**10))


@pytest.fixture
def no_reading(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and from then on no file may be read."""

    def refuse(path: str) -> bytes:
        raise AssertionError(f"{path} was read")

    def forbid() -> None:
        for module in (results, shards):
            monkeypatch.setattr(module, "read_bytes", refuse)
        monkeypatch.setattr("optlint.source.read_bytes", refuse)

    return forbid


class TestWarm:
    def test_a_second_run_checks_nothing_and_finds_the_same(self, tree: Tree) -> None:
        tree.write({**TREE, "book.ipynb": notebook("from torch import optim", "optim.SGD([], lr=0.1)\n1 +")})
        tree.write({"good.ipynb": notebook("from torch import optim", "o = optim.SGD([], lr=0.1)")})
        cold = tree.run()
        assert len(tree.checked) == cold.files == len(TREE) + 2
        assert {"OPT101", "OPT202", "OPT901", "OPT902"} <= {finding.code for finding in cold.findings}
        assert cold.notes
        assert any(finding.fix for finding in cold.findings)
        assert any(finding.related for finding in cold.findings)
        assert tree.rechecked() == []

    @pytest.mark.parametrize("name", OUTPUT_FORMATS)
    def test_every_report_is_the_same(
        self, tree: Tree, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        tree.write({**TREE, "good.ipynb": notebook("from torch import optim", "o = optim.SGD([], lr=0.1)")})
        outputs = set()
        for arguments in ([], [], ["--no-cache"]):
            tree.checked.clear()
            status = cli.run(["--output-format", name, "--jobs", "1", *arguments, "."])
            outputs.add((status, capsys.readouterr().out))
            if outputs and not arguments:
                assert len(outputs) == 1
        assert len(outputs) == 1
        assert len(tree.checked) == len(TREE) + 1

    def test_nothing_is_read_where_the_times_are_the_same(
        self, tree: Tree, at_once: None, no_reading: Callable[[], None]
    ) -> None:
        tree.write(
            {"net.py": NET, "use.py": TAKER, "base.py": BASE, "train.py": TRAIN, "plain.py": "import os\n"}
        )
        tree.run()
        no_reading()
        assert tree.run().cached == 6

    def test_nothing_of_the_analysis_is_imported(self, tree: Tree) -> None:
        tree.write({f"m{number}.py": "import torch.optim\n" for number in range(20)} | {"net.py": NET})
        program = (
            "import sys\nfrom optlint.cli import run\nstatus = run(['-v', '--output-format', 'concise', '.'])\n"
            "heavy = ['libcst', 'multiprocessing', 'optlint.analysis', 'optlint.workers', 'optlint.semantics.values',"
            "'optlint.rules.empty_parameter_list']\n"
            "print([name for name in heavy if name in sys.modules], status)\n"
        )
        answers = [self._process(tree, program) for _ in range(2)]
        assert "0 of 22 known" in answers[0].stderr
        assert "22 of 22 known" in answers[1].stderr
        assert answers[1].stdout.splitlines()[-1] == "[] 1"

    @staticmethod
    def _process(tree: Tree, program: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(Path(optlint.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            [sys.executable, "-c", program],
            cwd=tree.top,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )

    @pytest.mark.parametrize("jobs", [1, 2])
    def test_what_an_interrupted_run_has_checked_is_known_to_the_next(self, tree: Tree, jobs: int) -> None:
        tree.write(TREE | {f"more{number}.py": EMPTY for number in range(30)})
        done = 0

        def interrupt(files: int, total: int) -> None:
            nonlocal done
            done += files
            if done > 3:
                raise KeyboardInterrupt

        files = [str(path) for path in sorted(tree.top.rglob("*.py"))]
        cache = ResultCache(str(tree.top))
        settings = Configuration(cwd=str(tree.top)).for_folder
        with pytest.raises(KeyboardInterrupt):
            engine.run(files, settings, jobs=jobs, progress=interrupt, cache=cache)
        assert 3 < done < len(files)
        assert len(tree.rechecked()) == len(files) - done

    def test_any_folder_and_number_of_processes(self, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        tree.write(TREE | {f"extra{number}.py": EMPTY for number in range(6)})
        first = tree.run(jobs=2)
        monkeypatch.chdir(tree.top / "train")
        again = tree.run()
        assert tree.checked == []
        assert replace(again, cached=0) == first

    def test_the_command_line_from_below_finds_what_is_known(
        self, tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        tree.write(TREE)
        cli.run(["-q", "--jobs", "1", "."])
        tree.checked.clear()
        monkeypatch.chdir(tree.top / "train")
        cli.run(["-q", "--jobs", "1", ".."])
        assert tree.checked == []

    def test_a_moved_project_keeps_its_results(self, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        tree.write({f"project/{name}": text for name, text in TREE.items()})
        (tree.top / "setup.py").unlink()
        project = Tree(tree.top / "project", monkeypatch)
        project.run()
        (tree.top / "project").rename(tree.top / "elsewhere")
        moved = Tree(tree.top / "elsewhere", monkeypatch)
        assert moved.rechecked() == []


class TestChanges:
    @pytest.fixture
    def warm(self, tree: Tree) -> Tree:
        tree.write(
            {"base.py": BASE, "train.py": TRAIN, "net.py": NET, "m.py": KERAS, "plain.py": "import os\n"}
        )
        assert tree.codes() == ["net.py: OPT202"]
        return tree

    def test_a_base_class_in_another_file(self, warm: Tree) -> None:
        warm.write({"base.py": WITHOUT_LAYER})
        assert warm.rechecked() == ["base.py", "train.py"]
        assert "train.py: OPT106" in warm.codes()
        warm.write({"base.py": BASE})
        assert warm.rechecked() == ["base.py", "train.py"]

    def test_a_file_that_shadows_an_import(self, warm: Tree) -> None:
        warm.write({"base/__init__.py": WITHOUT_LAYER})
        assert warm.rechecked() == ["base/__init__.py", "train.py"]
        assert "train.py: OPT106" in warm.codes()

    def test_a_file_that_is_gone(self, warm: Tree) -> None:
        (warm.top / "base.py").unlink()
        assert warm.rechecked() == ["train.py"]
        warm.write({"base.py": BASE})
        assert warm.rechecked() == ["base.py", "train.py"]

    def test_which_rules_run(self, warm: Tree) -> None:
        assert [f.code for f in warm.run(select=("OPT1",)).findings] == []
        assert len(warm.checked) == 6
        warm.run(select=("OPT1",))
        assert warm.checked == []
        assert warm.codes() == ["net.py: OPT202"]
        assert warm.checked == []

    def test_settings_that_only_the_report_has_to_do_with(self, warm: Tree) -> None:
        warm.write({"optlint.toml": '[severity]\nOPT2 = "info"\n[per-file-ignores]\n"m.py" = ["ALL"]\n'})
        report = warm.run()
        assert warm.checked == []
        assert [finding.severity.value for finding in report.findings] == ["info"]

    def test_classes_that_the_configuration_names(self, warm: Tree) -> None:
        warm.write({"optlint.toml": 'optimizers = ["ours.Fast"]\n'})
        warm.run()
        assert len(warm.checked) == 6

    def test_import_roots(self, warm: Tree) -> None:
        warm.write({"lib/base2.py": WITHOUT_LAYER, "train.py": TRAIN.replace("base ", "base2 ")})
        warm.run()
        warm.write({"optlint.toml": 'src = ["lib"]\n'})
        assert warm.rechecked() == ["train.py"]
        assert "train.py: OPT106" in warm.codes()

    def test_another_version(self, warm: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(optlint, "__version__", "99.0")
        version.version_key.cache_clear()
        version.look.cache_clear()
        warm.run()
        assert len(warm.checked) == 6
        monkeypatch.undo()
        version.version_key.cache_clear()
        version.look.cache_clear()

    def test_other_code_of_the_same_version(self, tmp_path: Path) -> None:
        (tmp_path / "rules").mkdir()
        (tmp_path / "rules" / "one.py").write_text("a = 1\n")
        before = version._code_digest(str(tmp_path))
        (tmp_path / "rules" / "one.py").write_text("a = 2\n")
        changed = version._code_digest(str(tmp_path))
        (tmp_path / "rules" / "one.py").rename(tmp_path / "rules" / "two.py")
        assert len({before, changed, version._code_digest(str(tmp_path))}) == 3

    def test_the_program_is_read_again_only_when_it_looks_different(
        self, warm: Tree, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        code = tmp_path_factory.mktemp("program") / "code.py"
        read: list[str] = []
        digest = version._code_digest

        def counting(package: str) -> str:
            read.append(package)
            return digest(package)

        monkeypatch.setattr(version, "_package", lambda: str(code.parent))
        monkeypatch.setattr(version, "_code_digest", counting)

        def run() -> tuple[int, int]:
            """How often the program was read, and how many files were checked."""
            version.version_key.cache_clear()
            version.look.cache_clear()
            read.clear()
            warm.run()
            return len(read), len(warm.checked)

        try:
            code.write_text("a = 1\n")
            assert run() == (1, 6)
            assert run() == (1, 0)  # just written: it may change again without showing it
            monkeypatch.setattr(version, "GRAIN_NS", -(10**10))
            assert run() == (1, 0)
            assert run() == (0, 0)
            code.write_text("a = 2\n")
            assert run() == (1, 6)
            os.utime(code, (1_000_000_000, 1_000_000_000))
            assert run() == (1, 0)  # another time, the same code
            assert run() == (0, 0)
            monkeypatch.setattr(optlint, "__version__", "99.0")
            assert run() == (1, 6)
        finally:
            monkeypatch.undo()
            version.version_key.cache_clear()
            version.look.cache_clear()

    def test_touched_but_the_same(self, warm: Tree, at_once: None, no_reading: Callable[[], None]) -> None:
        warm.write({"use.py": TAKER})  # the report reads files with findings
        warm.run()
        for path in warm.top.glob("*.py"):
            os.utime(path, (1_000_000_000, 1_000_000_000))
        assert warm.run().cached == 7
        no_reading()
        assert warm.run().cached == 7  # the new times were written down

    def test_the_same_size_and_time(self, warm: Tree, at_once: None) -> None:
        warm.run()
        was = (warm.top / "base.py").stat()
        warm.write({"base.py": BASE.replace("nn.Linear(3, 3)", "None           ")})
        os.utime(warm.top / "base.py", ns=(was.st_atime_ns, was.st_mtime_ns))
        assert (warm.top / "base.py").stat().st_size == was.st_size
        assert warm.rechecked() == ["base.py", "train.py"]

    def test_changed_within_the_grain_of_the_clock(self, warm: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        """As if neither size nor times told the two apart: those of so young a file are not relied on."""
        stat = times.FileTimes.now
        young, just_now = str(warm.top / "base.py"), time.time_ns()

        def now(self: times.FileTimes, path: str) -> list[int] | None:
            return [10, just_now, just_now, 1] if path == young else stat(self, path)

        monkeypatch.setattr(times.FileTimes, "now", now)
        warm.write({"base.py": BASE + "\n"})
        warm.run()
        warm.write({"base.py": WITHOUT_LAYER})
        assert warm.rechecked() == ["base.py", "train.py"]

    def test_a_result_that_was_not_asked_for_is_not_taken_for_fresh(
        self, warm: Tree, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What another file rests on is not known to be as the other file found it."""
        warm.write({"other.py": TRAIN})
        warm.run()
        warm.write({"base.py": WITHOUT_LAYER})
        monkeypatch.setattr(times, "GRAIN_NS", -(10**10))
        cli.run(["-q", "--jobs", "1", "train.py", "plain.py", "net.py", "m.py"])
        assert warm.rechecked() == ["base.py", "other.py"]

    def test_requirements_that_appear(self, warm: Tree) -> None:
        warm.write({"requirements.txt": "keras>=3\n"})
        assert "m.py" in warm.rechecked()
        assert "m.py: OPT611" in warm.codes()
        warm.write({"requirements.txt": "keras<3\n"})
        assert "m.py" in warm.rechecked()
        assert "m.py: OPT611" not in warm.codes()

    def test_a_mark_of_the_project(self, warm: Tree) -> None:
        warm.write({"optlint.toml": 'src = ["lib"]\n', "base.py": WITHOUT_LAYER, "sub/deep/train.py": TRAIN})
        assert "sub/deep/train.py: OPT106" in warm.codes()
        (warm.top / "sub/deep/.git").mkdir()
        assert warm.rechecked() == ["sub/deep/train.py"]
        assert "sub/deep/train.py: OPT106" not in warm.codes()
        (warm.top / "sub/deep/.git").rename(warm.top / "sub/.git")
        assert warm.rechecked() == []  # as far away from `base.py` as before
        (warm.top / "sub/.git").rmdir()
        assert warm.rechecked() == ["sub/deep/train.py"]

    def test_a_third_file_that_takes_up_what_is_hidden(self, warm: Tree) -> None:
        warm.write({"use.py": TAKER})
        assert set(warm.rechecked()) == {"net.py", "use.py"}
        assert "net.py: OPT202" not in warm.codes()
        warm.write({"use.py": TAKER.replace("net.layers", "net.others")})
        assert "net.py" in warm.rechecked()
        assert "net.py: OPT202" in warm.codes()
        warm.write({"other.py": TAKER})
        warm.rechecked()
        (warm.top / "other.py").unlink()
        assert "net.py" in warm.rechecked()

    def test_a_change_elsewhere_leaves_the_others(self, warm: Tree) -> None:
        warm.write({"plain.py": "import sys\n", "new.py": "import optim\n"})
        assert warm.rechecked() == ["new.py", "plain.py"]

    def test_a_file_that_cannot_be_checked_is_tried_again(
        self, warm: Tree, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(rule: object, run: object) -> None:
            raise RuntimeError("no")

        with monkeypatch.context() as patch:
            patch.setattr(EmptyParameterList, "check", fail)
            warm.write({"train.py": TRAIN + "\n"})
            assert warm.run().faults
        assert warm.run().faults == ()
        assert warm.checked == ["train.py"]


class TestTexts:
    def test_texts_laid_over_the_disk_are_neither_looked_up_nor_kept(self, tree: Tree) -> None:
        tree.write({"train.py": EMPTY})
        tree.run()
        path = str(tree.top / "train.py")
        settings = Configuration(cwd=str(tree.top)).for_folder
        laid = SourceStore({path: FIXED.encode()})
        report = engine.run([path], settings, store=laid, cache=ResultCache(str(tree.top)))
        assert (report.findings, report.cached) == ((), 0)
        assert tree.codes() == ["train.py: OPT101"]

    def test_fixing_uses_what_is_known_and_is_not_misled_by_it(
        self, tree: Tree, capsys: pytest.CaptureFixture[str]
    ) -> None:
        tree.write({"net.py": NET})
        cli.run(["-q", "--jobs", "1", "."])
        assert cli.run(["-q", "--jobs", "1", "--fix", "--unsafe-fixes", "."]) == 0
        assert "nn.ModuleList" in (tree.top / "net.py").read_text()
        assert cli.run(["-q", "--jobs", "1", "."]) == 0


DAMAGE = st.one_of(
    st.binary(max_size=60).map(lambda data: ("whole", 0, data)),
    st.tuples(st.just("cut"), st.floats(0, 1), st.just(b"")),
    st.tuples(st.just("put"), st.floats(0, 1), st.binary(min_size=1, max_size=4)),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project for tests that run many times."""
    top = tmp_path_factory.mktemp("damage")
    (top / ".git").mkdir()
    (top / "net.py").write_text(NET)
    (top / "empty.py").write_text(EMPTY)
    return top


class TestDamage:
    @staticmethod
    def _codes(top: Path) -> tuple[list[str], int]:
        files = [str(path) for path in top.glob("*.py")]
        settings = Configuration(cwd=str(top)).for_folder
        report = engine.run(files, settings, folder=str(top), cache=ResultCache(str(top)))
        assert not report.details
        return [finding.code for finding in report.findings], report.cached

    @examples(max_examples=60)
    @given(damage=DAMAGE)
    def test_any_bytes_in_its_files_change_no_finding(
        self, place: Path, damage: tuple[str, float, bytes]
    ) -> None:
        assert self._codes(place)[0] == ["OPT101", "OPT202"]
        assert self._codes(place)[1] == 2
        kind, where, data = damage
        for path in place.glob(".optlint_cache/results-*/*.json"):
            old = path.read_bytes()
            at = int(where * len(old))
            new = {"whole": data, "cut": old[:at], "put": old[:at] + data + old[at + len(data) :]}[kind]
            path.write_bytes(new)
        assert self._codes(place)[0] == ["OPT101", "OPT202"]

    @examples(max_examples=60)
    @given(data=st.data())
    def test_anything_in_the_place_of_anything(self, place: Path, data: st.DataObject) -> None:
        """What was written on purpose, with the right checksum, may be wrong, but must not fail the run."""
        self._codes(place)
        for path in place.glob(".optlint_cache/results-*/*.json"):
            content = json.loads(path.read_bytes().partition(b"\n")[2])
            broken = _replaced(content, data)
            payload = json.dumps(broken).encode()
            path.write_bytes(drawers._checksum(payload) + b"\n" + payload)
        self._codes(place)
        for path in place.glob(".optlint_cache/results-*/*.json"):
            path.unlink()

    def test_a_digit_that_flips_is_noticed(self, tree: Tree) -> None:
        tree.write({"empty.py": EMPTY})
        tree.run()
        flipped = 0
        for path in tree.top.glob(".optlint_cache/results-*/*.json"):
            flipped += path.read_bytes().count(b",[3,13,3,")
            path.write_bytes(path.read_bytes().replace(b",[3,13,3,", b",[2,13,2,"))
        assert flipped
        assert tree.rechecked() == ["empty.py", "setup.py"]

    def test_deeply_nested_data_are_nothing(self, tree: Tree) -> None:
        tree.write({"empty.py": EMPTY})
        tree.run()
        for path in tree.top.glob(".optlint_cache/results-*/*.json"):
            payload = b"[" * 200_000 + b"]" * 200_000
            path.write_bytes(drawers._checksum(payload) + b"\n" + payload)
        assert tree.rechecked() == ["empty.py", "setup.py"]

    def test_a_folder_or_pipe_in_the_place_of_a_file(self, tree: Tree) -> None:
        tree.write({"empty.py": EMPTY})
        tree.run()
        for path in list(tree.top.glob(".optlint_cache/results-*/*.json")):
            path.unlink()
            if hasattr(os, "mkfifo"):
                os.mkfifo(path)
            else:
                path.mkdir()
        assert tree.rechecked() == ["empty.py", "setup.py"]

    def test_a_file_in_the_place_of_the_folder(self, tree: Tree) -> None:
        tree.write({"empty.py": EMPTY, ".optlint_cache": b"not a folder"})
        assert tree.rechecked() == ["empty.py", "setup.py"]
        assert (tree.top / ".optlint_cache").read_bytes() == b"not a folder"

    def test_a_folder_that_cannot_be_written(self, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        tree.write({"empty.py": EMPTY})
        tree.run()
        tree.write({"plain.py": "import os\n"})
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        for _ in range(2):
            assert tree.run().cached == 2  # what is known is used all the same
            assert tree.checked == ["plain.py"]

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
    def test_a_folder_without_the_right_to_write(self, tree: Tree) -> None:
        tree.write({"empty.py": EMPTY})
        tree.top.chmod(0o555)
        try:
            assert tree.rechecked() == ["empty.py", "setup.py"]
        finally:
            tree.top.chmod(0o755)

    def test_a_full_disk(self, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(path: str, data: bytes) -> None:
            raise drawers.WriteError(f"{path}: no space left on device")

        tree.write({"empty.py": EMPTY})
        monkeypatch.setattr(drawers, "write_bytes", full)
        assert tree.rechecked() == ["empty.py", "setup.py"]

    def test_two_runs_at_once(self, tree: Tree) -> None:
        tree.write(TREE)
        wanted = tree.run(cached=False).findings
        found: list[object] = []

        def work() -> None:
            files = [str(path) for path in sorted(tree.top.rglob("*.py"))]
            settings = Configuration(cwd=str(tree.top)).for_folder
            try:
                cache = ResultCache(str(tree.top))
                found.append(engine.run(files, settings, folder=str(tree.top), cache=cache).findings)
            except BaseException as error:
                found.append(error)

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [wanted, wanted]
        assert tree.rechecked() == []


def _replaced(content: object, data: st.DataObject) -> object:
    """``content`` with something else in the place of one part of it."""
    if isinstance(content, (list, dict)) and content and data.draw(st.integers(0, 5)):
        keys = range(len(content)) if isinstance(content, list) else sorted(content)
        key = data.draw(st.sampled_from(keys))
        copy = content.copy()
        copy[key] = _replaced(content[key], data)  # type: ignore[index]
        return copy
    return data.draw(JSON)


class TestPlace:
    def test_the_folder_tells_git_and_backups_to_leave_it_out(self, tree: Tree) -> None:
        tree.write({"empty.py": EMPTY})
        tree.run()
        assert (tree.top / ".optlint_cache" / ".gitignore").read_text() == "*\n"
        tag = (tree.top / ".optlint_cache" / "CACHEDIR.TAG").read_text()
        assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55\n")

    def test_a_folder_that_was_there_stays_as_it_is(self, tree: Tree) -> None:
        tree.write({"empty.py": EMPTY, "kept/mine.txt": "mine"})
        assert cli.run(["-q", "--jobs", "1", "--cache-dir", "kept", "."]) == 1
        names = sorted(path.name for path in (tree.top / "kept").iterdir())
        assert len(names) == 2
        assert names[0] == "mine.txt"
        assert not (tree.top / ".optlint_cache").exists()
        tree.checked.clear()
        cli.run(["-q", "--jobs", "1", "--cache-dir", str(tree.top / "kept"), "."])
        assert tree.checked == []

    def test_one_folder_for_two_projects(self, tree: Tree, tmp_path: Path) -> None:
        for name in ("one", "two"):
            tree.write({f"{name}/setup.py": "", f"{name}/train.py": EMPTY})
        for _ in range(2):
            tree.checked.clear()
            for name in ("one", "two"):
                assert cli.run(["-q", "--jobs", "1", "--cache-dir", "shared", name]) == 1
        assert tree.checked == []

    def test_the_configuration_says_where(self, tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
        tree.write({"empty.py": EMPTY, "optlint.toml": 'cache-dir = "var/cache"\n'})
        cli.run(["-q", "--jobs", "1", "."])
        assert (tree.top / "var" / "cache" / "CACHEDIR.TAG").is_file()
        cli.run(["--show-settings", "."])
        assert f"cache-dir: {tree.top / 'var' / 'cache'}\n" in capsys.readouterr().out

    @pytest.mark.parametrize("value", ["3", '""', '["a"]'])
    def test_a_folder_that_is_none(self, tree: Tree, value: str, capsys: pytest.CaptureFixture[str]) -> None:
        tree.write({"empty.py": EMPTY, "optlint.toml": f"cache-dir = {value}\n"})
        assert cli.run(["."]) == 2
        assert "`cache-dir` must be the path of a folder" in capsys.readouterr().err

    def test_no_cache(self, tree: Tree) -> None:
        tree.write({"empty.py": EMPTY})
        for _ in range(2):
            tree.checked.clear()
            assert cli.run(["-q", "--jobs", "1", "--no-cache", "."]) == 1
            assert len(tree.checked) == 2
        assert not (tree.top / ".optlint_cache").exists()

    def test_files_of_no_project_are_known_where_one_works(
        self, tree: Tree, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        (elsewhere / "a" / "b").mkdir(parents=True)
        (elsewhere / "a" / "b" / "train.py").write_text(EMPTY)
        assert cli.run(["-q", "--jobs", "1", str(elsewhere)]) == 1
        assert list(elsewhere.rglob(".optlint_cache")) == []
        tree.checked.clear()
        cli.run(["-q", "--jobs", "1", str(elsewhere)])
        assert tree.checked == []

    def test_what_is_gone_is_dropped(self, tree: Tree) -> None:
        tree.write({"empty.py": EMPTY, "plain.py": "import os\n"})
        tree.run()
        (tree.top / "empty.py").unlink()
        tree.write({"plain.py": "import sys\n"})
        tree.run()
        text = b"".join(path.read_bytes() for path in tree.top.glob(".optlint_cache/results-*/*.json"))
        assert b"empty.py" not in text
        assert b"plain.py" in text

    def test_old_versions_are_removed_and_nothing_else(self, tree: Tree) -> None:
        cache = tree.top / ".optlint_cache"
        names = [f"results-{number:016x}" for number in range(6)]
        for number, name in enumerate([*names, "results-mine", "other"]):
            (cache / name).mkdir(parents=True)
            os.utime(cache / name, (2_000_000_000 + number, 2_000_000_000 + number))
        os.utime(cache / names[5], (1_000_000_000, 1_000_000_000))
        tree.write({"empty.py": EMPTY})
        tree.run()
        left = {path.name for path in cache.iterdir() if path.is_dir()}
        assert {"results-mine", "other", names[4], names[3], names[2]} < left
        assert left.isdisjoint({names[0], names[1], names[5]})

    def test_files_that_were_left_half_written_are_removed(self, tree: Tree) -> None:
        tree.write({"empty.py": EMPTY})
        tree.run()
        results_folder = next((tree.top / ".optlint_cache").glob("results-*"))
        (results_folder / ".optlint-abc").write_text("half")
        os.utime(results_folder / ".optlint-abc", (1_000_000_000, 1_000_000_000))
        tree.run()
        assert not (results_folder / ".optlint-abc").exists()


CONTENTS = [
    "",
    "class A(Net): ...\n",
    "class B(Other):\n    def parameters(self): ...\n",
    "from net import Net\noptim.Adam(net.layers.parameters())\n",
    "from net import Net\noptim.Adam(net.head.parameters())\n",
    "optim\nfor v in vars(x).values():\n    if v.is_leaf: v.requires_grad\n",
]
QUESTIONS = [
    ("extends", "Net", ()),
    ("extends", "Other", ()),
    ("defines", "parameters", ()),
    ("mentions", "layers", ("net", "Net")),
    ("mentions", "head", ("net", "Net")),
    ("takes", "layers", ("net", "Net")),
]
FILES = ["net.py", "__init__.py", "a.py", "b.py", "sub/c.py"]


@examples(max_examples=60)
@given(
    edits=st.lists(
        st.lists(st.tuples(st.sampled_from(FILES), st.sampled_from([None, *CONTENTS])), max_size=3),
        min_size=1,
        max_size=5,
    ),
    asked=st.lists(st.lists(st.sampled_from(QUESTIONS), max_size=4), min_size=5, max_size=5),
    trusted=st.booleans(),
)
def test_stored_answers_about_neighbours_are_those_of_today(
    tmp_path_factory: pytest.TempPathFactory,
    edits: list[list[tuple[str, str | None]]],
    asked: list[list[tuple[str, str, tuple[str, ...]]]],
    trusted: bool,
) -> None:
    """Whatever was changed in between, and whichever questions were asked in which run."""
    top = tmp_path_factory.mktemp("around")
    (top / ".git").mkdir()
    (top / "sub").mkdir()
    for changes, questions in zip(edits, asked, strict=False):
        for name, text in changes:
            path = top / name
            if text is None:
                path.unlink(missing_ok=True)
            else:
                path.write_text(text)
        cabinet = drawers.Cabinet(str(top / "cache"))
        cabinet.ready()
        clock = cabinet.clock() + (10**11 if trusted else 0)
        watcher = neighbour_answers.NeighbourAnswers(cabinet, results.Base(str(top)), times.FileTimes(clock))
        known = Surroundings((), results._read, watcher)
        fresh = Surroundings((), results._read)
        for kind, subject, names in questions:
            question = Question(kind, str(top / "net.py"), subject, names)
            assert known.ask(question) == fresh.ask(question)
        known.close()


class TestNeighbours:
    @pytest.fixture
    def top(self, tmp_path: Path) -> Path:
        (tmp_path / ".git").mkdir()
        (tmp_path / "net.py").write_text(NET)
        return tmp_path

    @staticmethod
    def _ask(top: Path, kind: str, subject: str, *names: str) -> tuple[str, list[str]]:
        """The answer that a run gives, and the files that it reads for it."""
        reads: set[str] = set()

        def reading(path: str) -> str | None:
            reads.add(os.path.basename(path))
            return results._read(path)

        cabinet = drawers.Cabinet(str(top / "cache"))
        cabinet.ready()
        clock = times.FileTimes(cabinet.clock() + 10**11)
        watcher = neighbour_answers.NeighbourAnswers(cabinet, results.Base(str(top)), clock)
        around = Surroundings((), reading, watcher)
        answer = around.ask(Question(kind, str(top / "net.py"), subject, names))
        around.close()
        return answer, sorted(reads)

    def test_a_stored_answer_is_asked_of_the_changed_files_only(self, top: Path) -> None:
        for number in range(30):
            (top / f"m{number}.py").write_text("import os\n")
        assert len(self._ask(top, "extends", "Net")[1]) == 31
        assert self._ask(top, "extends", "Net") == ("", [])
        (top / "m3.py").write_text("class A(Net): ...\n")
        assert self._ask(top, "extends", "Net") == (surroundings.YES, ["m3.py"])
        (top / "m4.py").write_text("import sys\n")
        assert self._ask(top, "extends", "Net") == (surroundings.YES, ["m4.py"])
        assert self._ask(top, "extends", "Net") == (surroundings.YES, [])

    def test_another_witness_is_found_when_the_first_is_gone(self, top: Path) -> None:
        for name in ("a.py", "b.py"):
            (top / name).write_text("class A(Net): ...\n")
        assert self._ask(top, "extends", "Net")[0]
        (top / "a.py").unlink()
        assert self._ask(top, "extends", "Net")[0]
        (top / "b.py").write_text("")
        assert not self._ask(top, "extends", "Net")[0]

    def test_a_folder_that_becomes_a_package(self, top: Path) -> None:
        (top / "a.py").write_text("optim\nfor v in vars(x).values():\n    if v.is_leaf: v.requires_grad\n")
        assert not self._ask(top, "mentions", "layers", "net", "Net")[0]
        (top / "__init__.py").write_text("")
        assert self._ask(top, "mentions", "layers", "net", "Net")[0]
        (top / "__init__.py").unlink()
        assert not self._ask(top, "mentions", "layers", "net", "Net")[0]


def test_everything_that_settings_hold_is_in_the_key_or_known_not_to_matter() -> None:
    """A new setting that the analysis reads must become part of the key."""
    outside = {
        "root",
        "config_path",
        "per_file_ignores",
        "exclude",
        "extend_exclude",
        "severity",
        "output_format",
    }
    asked = {"src"}
    assert set(Settings.__dataclass_fields__) == outside | asked | {
        "selections", "optimizers", "modules", "cache_dir",
    }  # fmt: skip
    disk = Disk()
    assert disk.names("/nowhere/at/all") == {}
