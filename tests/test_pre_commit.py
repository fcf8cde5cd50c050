"""The hook, run by the real pre-commit in a repository of its own, from this checkout and without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.installing import copy_shipped, without_network
from tests.notebooks import notebook

BROKEN = "from torch import optim\n\noptimizer = optim.SGD([], lr=0.1)\n"

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def git(folder: Path, *arguments: str) -> str:
    name = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *name, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def repository(folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


@pytest.fixture(scope="module")
def hook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that holds what is shipped of this checkout."""
    folder = repository(tmp_path_factory.mktemp("hook") / "optlint")
    copy_shipped(folder)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "all")
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    cache = tmp_path_factory.mktemp("cache")
    return {**without_network(), "PRE_COMMIT_HOME": str(cache), "GIT_CONFIG_GLOBAL": os.devnull}


def run_hook(folder: Path, hook: Path, environment: dict[str, str]) -> tuple[int, str]:
    command = [sys.executable, "-m", "pre_commit", "try-repo", str(hook), "optlint", "--all-files"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_hook_checks_scripts_and_notebooks(
    tmp_path: Path, hook: Path, environment: dict[str, str]
) -> None:
    project = repository(tmp_path / "project")
    (project / "train.py").write_text(BROKEN)
    (project / "notes.txt").write_text(BROKEN)
    (project / "train.ipynb").write_bytes(notebook(BROKEN))
    git(project, "add", "-A")
    status, text = run_hook(project, hook, environment)
    assert status == 1, text
    assert "train.py:3:13: OPT101" in text
    assert "train.ipynb:cell 1:3:13: OPT101" in text
    assert "notes.txt" not in text

    (project / "train.py").write_text(BROKEN.replace("[]", "net.parameters()"))
    (project / "train.ipynb").write_bytes(notebook("x = 1\n"))
    git(project, "add", "-A")
    status, text = run_hook(project, hook, environment)
    assert (status, "Passed" in text) == (0, True), text
