"""The GitHub Action: its steps run here as they stand, in a workspace of their own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.installing import ROOT, copy_shipped, without_network

BROKEN = "from torch import optim\n\noptimizer = optim.SGD([], lr=0.1)\n"

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


class Runner:
    """Follows the steps that are scripts, as a runner does: expressions first, then bash."""

    def __init__(self, folder: Path) -> None:
        self.action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
        self.workspace = folder / "workspace"
        self._source, self._place, self._outputs = folder / "action", folder / "temp", folder / "outputs"
        for made in (self.workspace, self._source, self._place):
            made.mkdir()
        copy_shipped(self._source)

    def step(self, name: str, inputs: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run one step; ``inputs`` are those that the workflow gives."""
        (step,) = [step for step in self.action["runs"]["steps"] if step["name"] == name]
        values = {f"inputs.{key}": value["default"] for key, value in self.action["inputs"].items()}
        values |= {f"inputs.{key}": value for key, value in inputs.items()}
        values |= {"github.action_path": str(self._source), "runner.temp": str(self._place)}
        if self._outputs.exists():
            lines = self._outputs.read_text().splitlines()
            values |= {
                f"steps.run.outputs.{line.partition('=')[0]}": line.partition("=")[2] for line in lines
            }
        environment = {key: self._expanded(text, values) for key, text in step["env"].items()}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.workspace,
            env={**without_network(), **environment, "GITHUB_OUTPUT": str(self._outputs)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    @staticmethod
    def _expanded(text: str, values: dict[str, str]) -> str:
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda match: values[match[1]], text)

    def run(self, **inputs: str) -> tuple[subprocess.CompletedProcess[str], int]:
        """What optlint's own step printed, and how the job ends."""
        self._outputs.unlink(missing_ok=True)
        given = {key.replace("_", "-"): value for key, value in inputs.items()}
        done = self.step("Run optlint", given)
        assert done.returncode == 0, done.stderr
        return done, self.step("Result", given).returncode


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    made = Runner(tmp_path_factory.mktemp("runner"))
    installed = made.step("Install optlint", {})
    assert installed.returncode == 0, installed.stderr
    return made


def sarif_of(runner: Runner, name: str = "optlint.sarif") -> Any:
    return json.loads((runner.workspace / name).read_text())["runs"][0]["results"]


def test_findings_are_annotated_and_fail_the_job(runner: Runner) -> None:
    (runner.workspace / "my script.py").write_text(BROKEN)
    (runner.workspace / "other.py").write_text("x = 1\n")
    done, status = runner.run()
    assert "::error" in done.stdout
    assert "OPT101" in done.stdout
    assert [result["ruleId"] for result in sarif_of(runner)] == ["OPT101"]
    assert status == 1
    assert runner.run(fail="false")[1] == 0
    assert runner.run(paths="other.py\n\nmy script.py\n", sarif_file="a b.sarif")[1] == 1
    assert len(sarif_of(runner, "a b.sarif")) == 1


def test_options_and_clean_files(runner: Runner) -> None:
    (runner.workspace / "my script.py").write_text(BROKEN)
    done, status = runner.run(args="--ignore OPT101 --isolated")
    assert status == 0
    assert "::error" not in done.stdout
    assert sarif_of(runner) == []


def test_a_run_that_goes_wrong_always_fails(runner: Runner) -> None:
    assert runner.run(paths="no-such-file.py", fail="false")[1] == 2


def test_nothing_from_outside_is_pasted_into_a_script(runner: Runner) -> None:
    """Expressions stand in ``env`` only, where they are text and never code."""
    for step in runner.action["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
