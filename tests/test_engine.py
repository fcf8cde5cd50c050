"""From files to a report: triage, faults kept to their file, workers, and findings that stand in other files."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from optlint import analysis, engine, pool, validity
from optlint.engine import Report, may_matter
from optlint.finding import Confidence, FileReport, Finding, Note, Related, Severity, Span
from optlint.selection import Selection
from optlint.settings import Configuration, Settings
from optlint.source import SourceStore
from optlint.validity import Verdict, check

RELEVANT = "import torch.optim\n"
EMPTY = "from torch import optim\noptimizer = optim.SGD([], lr=0.1)\n"

Analyse = Callable[..., FileReport]


def write(folder: Path, **texts: str | bytes) -> list[str]:
    paths = []
    for name, text in texts.items():
        path = folder / f"{name}.py"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        paths.append(str(path))
    return paths


def run(folder: Path, *, jobs: int = 1, isolated: bool = True, files: list[str] | None = None) -> Report:
    paths = files or sorted(map(str, folder.glob("*.py")))
    configuration = Configuration(isolated=isolated, cwd=str(folder))
    return engine.run(paths, configuration.for_folder, jobs=jobs, folder=str(folder))


def found(report: Report) -> list[str]:
    return [f"{finding.path}:{finding.span.line} {finding.code}" for finding in report.findings]


def finding(path: str, line: int = 1, code: str = "OPT101", message: str = "m") -> Finding:
    return Finding(
        code,
        "name",
        Severity.ERROR,
        Confidence.CERTAIN,
        message,
        path,
        Span(line, 1, line, 2),
        statement_line=line,
    )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[Analyse], None]:
    """Puts another function in the place of the analysis."""

    def put(function: Analyse) -> None:
        monkeypatch.setattr(analysis, "analyse", function)

    return put


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets workers share what a test has put in place."""
    if sys.platform != "linux":
        pytest.skip("forks only on Linux")
    monkeypatch.setattr(pool, "_context", lambda: multiprocessing.get_context("fork"))


class TestTriage:
    @pytest.mark.parametrize(
        "text",
        [
            "from torch import optim",
            "torch.optim.Adam(model.parameters())",
            "class Net(nn.Module): pass",
            "class Net(Module): pass",
            "p.requires_grad = False",
            "layer.trainable = False",
            "model.compile('rmsprop'); model.fit(x, y)",
            "with tf.GradientTape() as tape: pass",
            "import keras",
            "opt = build_optimizer(cfg)",
            "from apex.optimizers import FusedAdam",
            "import bitsandbytes as bnb; bnb.Adam8bit(p)",
            "Trainer(Net()).run()",
            "x = y.detach()",
            "self.w = nn.Parameter(x)",
        ],
    )
    def test_may_matter(self, text: str) -> None:
        assert may_matter(text.encode())

    @pytest.mark.parametrize(
        "text",
        [
            "import os",
            "from django.db import models",
            "result = optimize(f)",
            "self.data = data",
            "parameters = []",
        ],
    )
    def test_does_not(self, text: str) -> None:
        assert not may_matter(text.encode())

    def test_only_what_may_matter_is_analysed(self, tmp_path: Path, fake: Callable[[Analyse], None]) -> None:
        seen: list[str] = []
        fake(lambda path, *_: seen.append(os.path.basename(path)) or FileReport())
        write(tmp_path, a=RELEVANT, b="import os\n", c="x = (", d="Lion(ps)\n")
        (tmp_path / "optlint.toml").write_text('optimizers = ["mine.Lion"]\n')
        run(tmp_path, isolated=False)
        assert seen == ["a.py", "d.py"]


class TestBrokenFiles:
    def test_syntax_error(self, tmp_path: Path) -> None:
        write(tmp_path, a="import os\nx = (1,\n", b=EMPTY)
        report = run(tmp_path)
        assert found(report) == ["a.py:2 OPT901", "b.py:2 OPT101"]
        assert [(note.path, note.line) for note in report.errors] == [("a.py", 2)]
        assert not report.notes
        assert report.exit_status == 1

    def test_bad_encoding(self, tmp_path: Path) -> None:
        write(tmp_path, a=b"import os\nx = '\xff'\n")
        assert found(run(tmp_path)) == ["a.py:2 OPT901"]

    def test_binary_is_a_note(self, tmp_path: Path) -> None:
        write(tmp_path, a=b"\0\0\1\2")
        report = run(tmp_path)
        assert (report.findings, report.exit_status) == ((), 0)
        assert report.notes == report.errors == (Note("a.py", 1, "looks binary, not analysed"),)

    def test_unreadable_is_a_fault_of_the_run(self, tmp_path: Path) -> None:
        report = run(tmp_path, files=[str(tmp_path / "gone.py"), *write(tmp_path, a=EMPTY)])
        assert found(report) == ["a.py:2 OPT101"]
        assert report.faults == ("gone.py: cannot be read: No such file or directory",)
        assert report.exit_status == 2

    def test_skip_file(self, tmp_path: Path) -> None:
        write(tmp_path, a=f"# optlint: skip-file\n{EMPTY}", b="# optlint: skip-file\n{{ template }\n")
        assert run(tmp_path) == Report(str(tmp_path), 2, ())

    @pytest.mark.parametrize("selection", [Selection(ignore=("OPT901",)), Selection(ignore=("OPT9",))])
    def test_ignored_syntax_error_still_stands_in_errors(self, tmp_path: Path, selection: Selection) -> None:
        paths = write(tmp_path, a="x = (")
        configuration = Configuration(isolated=True, command_line=selection)
        report = engine.run(paths, configuration.for_folder, folder=str(tmp_path))
        assert (report.findings, report.exit_status, len(report.errors)) == ((), 0, 1)

    @pytest.mark.parametrize(
        ("text", "verdict"),
        [
            ("x = 1\n", Verdict.VALID),
            ("x = (\n", Verdict.INVALID),
            ("print 'x'\n", Verdict.INVALID),
            ("x = '\ud800'\n", Verdict.INVALID),
            ("x = " + "(" * 500 + ")" * 500, Verdict.INVALID),
            ("x = " + "[" * 99 + "\n", Verdict.INVALID),
            ("x = (" + "-" * 5000 + "\n", Verdict.INVALID),
            ("x = 0777\n", Verdict.INVALID),
            ("x = '\\d'\nassert (1, 2)\n1 is 1\n", Verdict.VALID),
        ],
    )
    @pytest.mark.filterwarnings("error")
    def test_validity(self, text: str, verdict: Verdict) -> None:
        assert check(text).verdict is verdict

    def test_text_deeper_than_the_parser(self) -> None:
        assert check("x = " + "-" * 100_000 + "1\n").verdict in (Verdict.TOO_DEEP, Verdict.INVALID)

    def test_text_larger_than_the_parser_should_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(validity, "MAX_PARTS", 1_000)
        write(
            tmp_path,
            large="import torch.optim\nDATA = [" + "[1], " * 600 + "]\n",
            table="DATA = [" + "12345, " * 900 + "]\n",
            text="DATA = '''" + "[1], " * 600 + "'''\n# " + "[1], " * 600 + "\n",
        )
        report = run(tmp_path)
        assert [(note.path, note.line) for note in report.notes] == [("large.py", 1)]
        assert report.notes[0].message.startswith("too large, not analysed: more than 1,000,000 commas")
        assert report.exit_status == 0

    @pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python reads nested f-strings itself")
    def test_newer_syntax_is_no_error_of_the_user(
        self, tmp_path: Path, fake: Callable[[Analyse], None]
    ) -> None:
        write(tmp_path, a='import torch.optim\nname = f"{"nested"}"\n', b='x = f"{"nested"}"\n')
        assert run(tmp_path) == Report(str(tmp_path), 2, ())

        def refusing(*_: object) -> FileReport:
            raise SyntaxError

        fake(refusing)
        report = run(tmp_path)
        assert report.exit_status == 0
        assert [(note.path, note.line) for note in report.notes] == [("a.py", 2)]
        assert report.notes[0].message.startswith("needs a newer Python than the one that runs optlint")


class TestFaults:
    @pytest.mark.parametrize(
        "error", [ValueError("no\nsense"), RecursionError(), MemoryError(), SyntaxError("x")]
    )
    def test_an_exception_costs_its_file_alone(
        self, tmp_path: Path, fake: Callable[[Analyse], None], error: Exception
    ) -> None:
        def failing(path: str, *_: object) -> FileReport:
            if path.endswith("b.py"):
                raise error
            return FileReport([finding(path)])

        fake(failing)
        write(tmp_path, a=RELEVANT, b=RELEVANT, c=RELEVANT)
        report = run(tmp_path)
        assert found(report) == ["a.py:1 OPT101", "b.py:1 OPT999", "c.py:1 OPT101"]
        assert report.findings[1].message.startswith(f"optlint failed on this file: {type(error).__name__}")
        assert report.exit_status == 2
        assert "Traceback" in report.details[0]
        assert [note.path for note in report.errors] == ["b.py"]

    def test_faults_of_the_analysis(self, tmp_path: Path, fake: Callable[[Analyse], None]) -> None:
        fake(lambda path, *_: FileReport([finding(path)], faults=["rule OPT102 failed"]))
        write(tmp_path, a=RELEVANT)
        report = run(tmp_path)
        assert found(report) == ["a.py:1 OPT101"]
        assert report.faults == ("a.py: rule OPT102 failed",)
        assert report.exit_status == 2

    def test_a_fault_that_is_ignored_still_shows_in_the_status(
        self, tmp_path: Path, fake: Callable[[Analyse], None]
    ) -> None:
        def failing(*_: object) -> FileReport:
            raise ValueError

        fake(failing)
        paths = write(tmp_path, a=RELEVANT)
        configuration = Configuration(isolated=True, command_line=Selection(ignore=("OPT999",)))
        report = engine.run(paths, configuration.for_folder, folder=str(tmp_path))
        assert (report.findings, report.exit_status) == ((), 2)


class TestWorkers:
    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_same_report_for_any_number(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        if method not in multiprocessing.get_all_start_methods():
            pytest.skip(f"no {method} here")
        monkeypatch.setattr(pool, "_context", lambda: multiprocessing.get_context(method))
        write(tmp_path, broken="x = (", plain="import os\n", odd=b"'\xff'", skip="# optlint: skip-file\n")
        write(tmp_path, **{f"m{number}": EMPTY for number in range(8)}, unused="import os  # noqa: OPT101\n")
        one, two, three = (run(tmp_path, jobs=jobs) for jobs in (1, 2, 3))
        assert one == two == three
        assert len(one.findings) == 11

    @pytest.mark.usefixtures("forking")
    def test_a_worker_that_dies_costs_its_file_alone(
        self, tmp_path: Path, fake: Callable[[Analyse], None]
    ) -> None:
        def dying(path: str, *_: object) -> FileReport:
            if path.endswith("m3.py"):
                os._exit(11)
            return FileReport([finding(path)])

        fake(dying)
        write(tmp_path, **{f"m{number}": RELEVANT for number in range(9)})
        report = run(tmp_path, jobs=2)
        assert len(report.findings) == 9
        assert [one.path for one in report.findings if one.code == "OPT999"] == ["m3.py"]
        assert report.exit_status == 2

    def test_no_pool_means_one_process(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refusing(*_: object, **__: object) -> None:
            raise OSError(38, "Function not implemented")

        monkeypatch.setattr(pool, "ProcessPoolExecutor", refusing)
        write(tmp_path, **{f"m{number}": EMPTY for number in range(9)})
        assert len(run(tmp_path, jobs=2).findings) == 9

    @pytest.mark.usefixtures("forking")
    def test_workers_that_cannot_start_blame_no_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parent = os.getpid()

        class Broken:
            def __init__(self, *_: object) -> None:
                assert os.getpid() == parent

        monkeypatch.setattr(pool, "_start", Broken)
        write(tmp_path, **{f"m{number}": EMPTY for number in range(9)})
        report = run(tmp_path, jobs=2)
        assert (len(report.findings), report.faults) == (9, ())


class TestOtherFiles:
    """``train.py`` leads to a finding in ``model.py``."""

    @pytest.fixture(autouse=True)
    def leading_elsewhere(self, fake: Callable[[Analyse], None]) -> None:
        def leading(path: str, *_: object) -> FileReport:
            other = os.path.join(os.path.dirname(path), "model.py")
            related = (Related(path, Span(1, 1, 1, 2), "here"),)
            return FileReport([replace(finding(other, line=2), related=related)])

        fake(leading)

    def project(self, folder: Path, model: str, **configuration: str) -> None:
        write(folder, train=RELEVANT, second=RELEVANT, model=model)
        text = "\n".join(f"{key.replace('_', '-')} = {value}" for key, value in configuration.items())
        (folder / "optlint.toml").write_text(text)

    def test_is_kept_once_with_relative_paths(self, tmp_path: Path) -> None:
        self.project(tmp_path, "import os\nx = 1\n")
        report = run(tmp_path, isolated=False)
        assert found(report) == ["model.py:2 OPT101"]
        assert report.findings[0].related[0].path == "second.py"

    def test_is_kept_when_the_other_file_is_not_named(self, tmp_path: Path) -> None:
        self.project(tmp_path, "import os\nx = 1\n")
        report = run(tmp_path, isolated=False, files=[str(tmp_path / "train.py")])
        assert found(report) == ["model.py:2 OPT101"]
        assert report.files == 1

    @pytest.mark.parametrize("named", [True, False])
    @pytest.mark.parametrize(
        ("model", "configuration"),
        [
            ("import os\nx = 1  # noqa: OPT101\n", {}),
            ("import os\nx = 1  # noqa\n", {}),
            ("# optlint: skip-file\nx = 1\n", {}),
            ("import os\nx = 1\n", {"per_file_ignores": '{ "model.py" = ["OPT101"] }'}),
            ("import os\nx = 1\n", {"ignore": '["OPT101"]'}),
        ],
    )
    def test_the_other_file_may_silence_it(
        self, tmp_path: Path, named: bool, model: str, configuration: dict[str, str]
    ) -> None:
        self.project(tmp_path, model, **configuration)
        files = None if named else [str(tmp_path / "train.py")]
        assert found(run(tmp_path, isolated=False, files=files)) == []

    def test_an_excluded_file_gets_none_unless_it_is_linted(self, tmp_path: Path) -> None:
        self.project(tmp_path, "import os\nx = 1\n", extend_exclude='["model.py"]')
        assert found(run(tmp_path, isolated=False, files=[str(tmp_path / "train.py")])) == []
        assert found(run(tmp_path, isolated=False)) == ["model.py:2 OPT101"]


class TestSuppressions:
    def test_unused_is_reported_and_used_is_not(self, tmp_path: Path) -> None:
        write(tmp_path, a=EMPTY.replace("\n", "  # noqa: OPT101\n"))
        report = run(tmp_path)
        assert found(report) == ["a.py:1 OPT902"]
        assert report.findings[0].severity is Severity.WARNING
        assert report.exit_status == 1

    def test_in_a_file_that_is_not_worth_analysing(self, tmp_path: Path) -> None:
        write(tmp_path, a="import os  # optlint: ignore[OPT101]\n")
        assert found(run(tmp_path)) == ["a.py:1 OPT902"]

    def test_not_in_a_file_that_was_not_analysed(
        self, tmp_path: Path, fake: Callable[[Analyse], None]
    ) -> None:
        fake(lambda path, *_: FileReport(notes=[Note(path, 1, "libcst cannot parse it")]))
        write(tmp_path, a=RELEVANT.replace("\n", "  # noqa: OPT101\n"), b="x = (  # noqa: OPT101\n")
        assert found(run(tmp_path)) == ["b.py:1 OPT901"]

    @pytest.mark.parametrize(
        "comment",
        [
            "# noqa: OPT101,OPT902",
            "# noqa: OPT101  # optlint: ignore[OPT902]",
            "# optlint: ignore[OPT9, OPT101]",
        ],
    )
    def test_may_itself_be_suppressed(self, tmp_path: Path, comment: str) -> None:
        write(tmp_path, a=f"import os  {comment}\n")
        assert found(run(tmp_path)) == []

    def test_a_blanket_does_not_excuse_itself(self, tmp_path: Path) -> None:
        write(tmp_path, a="import os  # optlint: ignore\n")
        assert found(run(tmp_path)) == ["a.py:1 OPT902"]

    def test_a_syntax_error_can_be_suppressed(self, tmp_path: Path) -> None:
        write(tmp_path, a="x = )  # noqa: OPT901\n")
        assert found(run(tmp_path)) == []


class TestReport:
    def test_severity_is_the_users(self, tmp_path: Path) -> None:
        write(tmp_path, a=EMPTY)
        (tmp_path / "optlint.toml").write_text('[severity]\nOPT1 = "info"\n')
        assert run(tmp_path, isolated=False).findings[0].severity is Severity.INFO

    def test_order_is_by_place(self, tmp_path: Path, fake: Callable[[Analyse], None]) -> None:
        fake(lambda path, *_: FileReport([finding(path, 3), finding(path, 1, "OPT201"), finding(path, 1)]))
        write(tmp_path, b=RELEVANT, a=RELEVANT)
        report = run(tmp_path, files=[str(tmp_path / "b.py"), str(tmp_path / "a.py")])
        assert found(report) == [
            *("a.py:1 OPT101", "a.py:1 OPT201", "a.py:3 OPT101"),
            *("b.py:1 OPT101", "b.py:1 OPT201", "b.py:3 OPT101"),
        ]

    def test_standard_input_needs_no_file(self, tmp_path: Path) -> None:
        path = str(tmp_path / "<stdin>")
        report = engine.run(
            [path],
            Configuration(isolated=True).for_folder,
            store=SourceStore({path: EMPTY.encode()}),
            folder=str(tmp_path),
        )
        assert found(report) == ["<stdin>:2 OPT101"]

    def test_settings_differ_by_folder(self, tmp_path: Path) -> None:
        (tmp_path / "inner").mkdir()
        files = write(tmp_path, a=EMPTY) + write(tmp_path / "inner", b=EMPTY)
        (tmp_path / "inner" / "optlint.toml").write_text('ignore = ["OPT1"]\n')
        assert found(run(tmp_path, isolated=False, files=files)) == ["a.py:2 OPT101"]

    def test_default_settings_can_be_used_alone(self, tmp_path: Path) -> None:
        [path] = write(tmp_path, a=EMPTY)
        settings = Settings(root=str(tmp_path))
        assert found(engine.run([path], lambda folder: settings, folder=str(tmp_path))) == ["a.py:2 OPT101"]
