"""The command line as users and their scripts meet it: options, streams, exit statuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from optlint import __version__, cli, running
from optlint.options import Options
from optlint.rules import all_rules
from tests import snapshot
from tests.test_reporters import SCHEMA

ROOT = Path(__file__).parent.parent
EMPTY = "from torch import optim\n\noptimizer = optim.SGD([], lr=0.1)\n"
CLEAN = "import os\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: one file with a finding, one without."""
    (tmp_path / "train.py").write_text(EMPTY)
    (tmp_path / "clean.py").write_text(CLEAN)
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def optlint(*arguments: str, stdin: str | bytes | None = None) -> Result:
    """Run in this process, but for the outermost handling of exceptions."""
    return CliRunner().invoke(cli.command, arguments, input=stdin, prog_name="optlint")


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run in a process of its own."""
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "optlint", *arguments],
        env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


class TestExitStatus:
    def test_findings(self, project: Path) -> None:
        result = optlint(".")
        assert result.exit_code == 1
        assert "train.py:3:13: OPT101[empty-parameter-list]" in result.stdout
        assert result.stdout.endswith("Found 1 finding (1 error) in 2 files.\n")
        assert result.stderr == ""

    def test_nothing_found(self, project: Path) -> None:
        result = optlint("clean.py")
        assert (result.exit_code, result.output) == (0, "All checks passed.\n")

    def test_exit_zero(self, project: Path) -> None:
        result = optlint("train.py", "--exit-zero")
        assert result.exit_code == 0
        assert "OPT101" in result.stdout

    def test_syntax_error(self, project: Path) -> None:
        (project / "broken.py").write_text("x = (\n")
        result = optlint("broken.py")
        assert result.exit_code == 1
        assert "broken.py:1:5: OPT901[syntax-error] '(' was never closed" in result.stdout

    def test_missing_path_and_the_others_are_linted(self, project: Path) -> None:
        for options in ((), ("--exit-zero",)):
            result = optlint("missing.py", "train.py", *options)
            assert result.exit_code == 2
            assert result.stderr == "optlint: error: missing.py: No such file or directory\n"
            assert "OPT101" in result.stdout

    def test_no_path(self) -> None:
        result = optlint()
        assert result.exit_code == 2
        assert result.stdout == ""
        snapshot.check("no-path.txt", result.stderr)

    def test_empty_folder(self, project: Path) -> None:
        (project / "empty").mkdir()
        result = optlint("empty")
        assert (result.exit_code, result.output) == (0, "No Python files or notebooks found.\n")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--selct", "OPT1", "."), "No such option"),
            (("--select", "OPT107x", "."), "unknown rule 'OPT107x'; did you mean OPT1"),
            (("--ignore", "partial-parameters", "."), "did you mean partial-parameter-list?"),
            (
                ("--output-format", "jsn", "."),
                "--output-format must be one of full, concise, json, sarif, github, gitlab, junit, not `jsn`; did",
            ),
            (("--jobs", "0", "."), "--jobs"),
            (("--config", "missing.toml", "."), "missing.toml: cannot be read: No such file or directory"),
            (("--output-file", "no/such/folder", "."), "no/such/folder: cannot be written: No such file"),
            (
                ("--explain", "OPT1022"),
                "unknown rule 'OPT1022'; did you mean OPT102 (partial-parameter-list)?",
            ),
            (("--statistics", "--output-format", "json", "."), "--statistics is text"),
        ],
    )
    def test_usage(self, project: Path, arguments: tuple[str, ...], message: str) -> None:
        result = optlint(*arguments)
        assert result.exit_code == 2
        assert message in result.stderr
        assert "OPT101[" not in result.stdout

    def test_configuration_error(self, project: Path) -> None:
        (project / "pyproject.toml").write_text('[tool.optlint]\nselct = ["OPT1"]\n')
        result = optlint("train.py")
        assert result.exit_code == 2
        assert (
            "pyproject.toml: unknown key `selct` in [tool.optlint]; did you mean `select`?" in result.stderr
        )
        assert optlint("train.py", "--isolated").exit_code == 1

    def test_a_fault_of_optlint(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from optlint import analysis

        def failing(*_: object) -> None:
            raise KeyError("x")

        monkeypatch.setattr(analysis, "analyse", failing)
        result = optlint("train.py", "--exit-zero")
        assert result.exit_code == 2
        assert "train.py:1:1: OPT999[rule-failed] optlint failed on this file: KeyError: 'x'" in result.stdout
        assert "optlint: error: train.py: optlint failed on this file: KeyError: 'x'" in result.stderr
        assert "Traceback" not in result.output
        assert "Traceback" in optlint("train.py", "-v").stderr


class TestFormats:
    def test_full(self, project: Path) -> None:
        snapshot.check("cli-full.txt", optlint(".").stdout)

    def test_concise(self, project: Path) -> None:
        result = optlint(".", "--output-format", "concise")
        [line] = result.stdout.splitlines()
        assert line.startswith("train.py:3:13: OPT101 ")
        assert result.stderr == "Found 1 finding (1 error) in 2 files.\n"
        assert optlint(".", "--output-format", "concise", "-q").stderr == ""

    def test_json(self, project: Path) -> None:
        (project / "broken.py").write_text("x = (\n")
        (project / "binary.py").write_bytes(b"\0")
        result = optlint(".", "--output-format", "json")
        report = json.loads(result.stdout)
        jsonschema.validate(report, SCHEMA)
        assert result.stderr == ""
        assert report["version"] == 1
        assert report["summary"] == {"files": 4, "findings": 2, "fixable": 0}
        assert [(found["path"], found["code"], found["line"]) for found in report["findings"]] == [
            ("broken.py", "OPT901", 1),
            ("train.py", "OPT101", 3),
        ]
        assert [error["path"] for error in report["errors"]] == ["binary.py", "broken.py"]

    def test_examples_follow_the_schema(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(ROOT)
        report = json.loads(optlint("--output-format", "json", "examples").stdout)
        jsonschema.validate(report, SCHEMA)
        assert report["findings"]

    def test_configured_format_and_the_option_over_it(self, project: Path) -> None:
        (project / "optlint.toml").write_text('output-format = "concise"\n')
        assert optlint("train.py").stdout.count("\n") == 1
        assert optlint("train.py", "--output-format", "json").stdout.startswith("{")

    def test_statistics(self, project: Path) -> None:
        result = optlint(".", "--statistics")
        assert result.stdout == "1  OPT101  empty-parameter-list\nFound 1 finding (1 error) in 2 files.\n"
        assert result.exit_code == 1

    def test_output_file(self, project: Path) -> None:
        result = optlint(".", "-o", "report.txt")
        assert (result.exit_code, result.stdout) == (1, "")
        assert (project / "report.txt").read_text(encoding="utf-8") == optlint(".").stdout

    def test_quiet(self, project: Path) -> None:
        (project / "binary.py").write_bytes(b"\0")
        assert optlint("clean.py", "binary.py", "-q").output == ""
        assert "optlint: note: binary.py:1: looks binary" in optlint("binary.py").stderr
        assert "Found" not in optlint("train.py", "-q").output

    def test_verbose(self, project: Path) -> None:
        result = optlint("train.py", "-v", "--jobs", "1")
        assert result.stderr.splitlines() == [
            f"optlint: {project}: config none",
            "optlint: 1 file, 1 at a time",
            "optlint: 0 of 1 known from earlier runs",
        ]


class TestOptions:
    def test_select_ignore_extend(self, project: Path) -> None:
        assert optlint(".", "--select", "OPT2").exit_code == 0
        assert optlint(".", "--select", "OPT2,empty-parameter-list").exit_code == 1
        assert optlint(".", "--select", "OPT2", "--select", "OPT101").exit_code == 1
        assert optlint(".", "--ignore", "OPT1").exit_code == 0
        assert optlint(".", "--select", "OPT2", "--extend-select", "OPT101").exit_code == 1

    def test_config_file(self, project: Path) -> None:
        (project / "optlint.toml").write_text("zzz = 1\n")
        (project / "other.toml").write_text('ignore = ["OPT1"]\n')
        assert optlint(".", "--config", "other.toml").exit_code == 0

    def test_per_file_ignores(self, project: Path) -> None:
        (project / "pyproject.toml").write_text('[tool.optlint.per-file-ignores]\n"train.py" = ["OPT101"]\n')
        assert optlint(".").exit_code == 0

    def test_show_files(self, project: Path) -> None:
        result = optlint(".", "--show-files")
        assert (result.exit_code, result.stdout) == (0, f"{project / 'clean.py'}\n{project / 'train.py'}\n")

    def test_show_settings(self, project: Path) -> None:
        (project / "optlint.toml").write_text(
            'select = ["OPT1"]\noptimizers = ["a.B"]\n[severity]\nOPT1 = "info"\n'
        )
        lines = optlint(".", "--show-settings").stdout.splitlines()
        assert f"config: {project / 'optlint.toml'}" in lines
        rules = next(line for line in lines if line.startswith("rules: "))
        assert rules.startswith("rules: OPT101, OPT102, ")
        assert rules.endswith(", OPT901, OPT999")
        assert "OPT2" not in rules
        assert "optimizers: a.B" in lines
        assert "severity: OPT1: info" in lines

    def test_list_rules(self) -> None:
        result = optlint("--list-rules")
        assert result.exit_code == 0
        assert [line.split()[0] for line in result.stdout.splitlines()] == [rule.code for rule in all_rules()]
        (line,) = [line for line in result.stdout.splitlines() if line.startswith("OPT902 ")]
        assert re.split(r" {2,}", line)[1:4] == ["unused-suppression", "on", "warning"]

    @pytest.mark.parametrize("rule", ["OPT101", "opt101", "empty-parameter-list"])
    def test_explain(self, rule: str) -> None:
        result = optlint("--explain", rule)
        assert result.exit_code == 0
        assert result.stdout.startswith("# empty-parameter-list (OPT101)\n")

    def test_help_and_version(self) -> None:
        assert "--stdin-filename" in optlint("--help").stdout
        assert optlint("-h").exit_code == 0
        assert optlint("--version").stdout == f"optlint {__version__}\n"

    def test_jobs_do_not_change_the_report(self, project: Path) -> None:
        for number in range(10):
            (project / f"m{number}.py").write_text(EMPTY)
        assert optlint(".", "--jobs", "1").stdout == optlint(".", "--jobs", "2").stdout


class TestStandardInput:
    def test_without_a_name(self, project: Path) -> None:
        result = optlint("-", stdin=EMPTY)
        assert result.exit_code == 1
        assert result.stdout.startswith("<stdin>:3:13: OPT101[")
        assert "3 | optimizer = optim.SGD([], lr=0.1)" in result.stdout

    def test_with_a_name(self, project: Path) -> None:
        (project / "optlint.toml").write_text('[per-file-ignores]\n"gen/*" = ["OPT1"]\n')
        assert optlint("-", "--stdin-filename", "gen/x.py", stdin=EMPTY).exit_code == 0
        assert optlint("-", "--stdin-filename", "x.py", stdin=EMPTY).stdout.startswith("x.py:3:13")

    def test_holds_over_the_file_of_its_name(self, project: Path) -> None:
        assert optlint("-", "--stdin-filename", "train.py", stdin=CLEAN).exit_code == 0

    def test_together_with_files(self, project: Path) -> None:
        assert "in 2 files" in optlint("-", "train.py", stdin=EMPTY).stdout

    def test_any_bytes(self, project: Path) -> None:
        assert "not valid utf-8" in optlint("-", stdin=b"x = '\xff'\n").stdout


class TestProcess:
    def test_findings_and_colour(self, project: Path) -> None:
        plain, coloured = process("."), process(".", FORCE_COLOR="1")
        assert plain.returncode == coloured.returncode == 1
        assert "\x1b" not in plain.stdout
        assert "\x1b[1;31mOPT101" in coloured.stdout
        assert plain.stdout == optlint(".").stdout

    def test_workers(self, project: Path) -> None:
        for number in range(10):
            (project / f"m{number}.py").write_text(EMPTY)
        one, two = process(".", "--jobs", "1"), process(".", "--jobs", "2")
        assert (one.stdout, one.returncode) == (two.stdout, two.returncode)
        assert two.stderr == ""

    def test_usage_errors_reach_standard_error(self, project: Path) -> None:
        missing, wrong, unknown = process(), process("--nope"), process(".", "--select", "X1")
        assert [run.returncode for run in (missing, wrong, unknown)] == [2, 2, 2]
        assert missing.stderr.startswith("Usage: optlint [OPTIONS] PATH...")
        assert "No such option" in wrong.stderr
        assert unknown.stderr.startswith("optlint: error: unknown rule 'X1'")
        assert missing.stdout + wrong.stdout + unknown.stdout == ""

    def test_paths_alone_are_read_without_click_and_mean_the_same(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken: list[Options] = []
        monkeypatch.setattr(running, "dispatch", lambda options: taken.append(options) or 0)
        for arguments in (["train.py"], ["clean.py", "."], ["a b", "ü.py", ""]):
            assert optlint(*arguments).exit_code == 0
            assert running.plain(arguments) == taken[-1]
        assert [running.plain(given) for given in ([], ["-"], ["a.py", "-q"], ["--", "a.py"])] == [None] * 4

    def test_a_hook_and_a_run_with_options_say_the_same(self, project: Path) -> None:
        broken = "optlint.toml"
        (project / broken).write_text("nope = 1\n")
        for _ in range(2):
            runs = [process("train.py", "gone.py"), process("--output-format=full", "train.py", "gone.py")]
            assert runs[0].args != runs[1].args
            assert len({(run.returncode, run.stdout, run.stderr) for run in runs}) == 1
            (project / broken).write_text("")
        assert runs[0].stdout.count("OPT101") == 1
        assert "gone.py: No such file" in runs[0].stderr

    def test_version_loads_nothing(self) -> None:
        code = (
            "import sys; sys.argv = ['optlint', '--version']\n"
            "import optlint.__main__ as m\n"
            "try: m.main()\n"
            "except SystemExit: pass\n"
            "print([name for name in ('click', 'rich', 'libcst', 'optlint.rules') if name in sys.modules])"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        output = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert output.stdout == f"optlint {__version__}\n[]\n"

    def test_a_clean_run_loads_no_libcst(self, project: Path) -> None:
        code = (
            "import sys; from optlint.cli import run\n"
            "status = run(['clean.py', '--output-format', 'concise'])\n"
            "print(status, [name for name in ('rich', 'libcst', 'pygments') if name in sys.modules])"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        output = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert output.stdout == "0 []\n"

    @pytest.mark.skipif(sys.platform == "win32", reason="pipes close otherwise there")
    def test_a_closed_pipe_is_no_fault(self, project: Path) -> None:
        for number in range(60):
            (project / f"m{number}.py").write_text(EMPTY * 20)
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        with subprocess.Popen(
            [sys.executable, "-m", "optlint", ".", "--jobs", "1"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            running.stdout.readline()
            running.stdout.close()
            assert running.stderr.read() == b""
            assert running.wait(timeout=120) == 1

    @pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes only there")
    def test_a_file_name_that_is_no_text(self, project: Path) -> None:
        with open(os.path.join(os.fsencode(project), b"b\xff.py"), "w") as file:
            file.write(EMPTY)
        for output_format in ("full", "concise", "json"):
            result = process(".", "--output-format", output_format)
            assert result.returncode == 1
            assert "Traceback" not in result.stderr
            assert "\\udcff.py" in result.stdout
