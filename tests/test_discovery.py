"""Paths to files: folders, excludes, .gitignore, links, and what cannot be searched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optlint.discovery import Excluder, discover
from optlint.settings import Configuration, Settings


def tree(root: Path, *paths: str, **texts: str) -> None:
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x = 1\n")
    for path, text in texts.items():
        (root / path).write_text(text)


def found(root: Path, *named: str) -> list[str]:
    paths = [str(root / path) for path in named or ("",)]
    result = discover(paths, Configuration(cwd=str(root)).for_folder)
    return [os.path.relpath(path, root).replace(os.sep, "/") for path in result.files]


def test_python_files_and_notebooks_in_order_each_once(tmp_path: Path) -> None:
    tree(tmp_path, "b.py", "a/z.py", "a/a.py", "notes.txt", "stub.pyi", "book.ipynb", "script")
    assert found(tmp_path) == ["a/a.py", "a/z.py", "b.py", "book.ipynb"]
    assert found(tmp_path, "a", "b.py", "", "a/../b.py") == ["a/a.py", "a/z.py", "b.py", "book.ipynb"]


def test_usual_folders_are_left_out(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "a.py",
        *(f"{name}/x.py" for name in (".venv", "build", "node_modules", ".git", "__pycache__")),
    )
    tree(tmp_path, "lib/python3/site-packages/x.py", "src/build.py", "dist.py")
    assert found(tmp_path) == ["a.py", "dist.py", "src/build.py"]


def test_a_named_path_is_searched_or_linted_whatever_excludes_say(tmp_path: Path) -> None:
    tree(tmp_path, "build/a.py", "build/deep/b.py", "script", ".git/config")
    (tmp_path / ".gitignore").write_text("build/\nscript\nb.py\n")
    assert found(tmp_path, "build/a.py", "build/deep/b.py", "script") == [
        "build/a.py",
        "build/deep/b.py",
        "script",
    ]
    assert found(tmp_path, "build") == ["build/a.py"]


def test_a_named_folder_keeps_the_patterns_for_what_lies_in_it(tmp_path: Path) -> None:
    tree(tmp_path, "examples/a.py", "examples/b_pb2.py", "examples/venv/c.py", "examples/more/d.py")
    (tmp_path / "optlint.toml").write_text('extend-exclude = ["examples", "*_pb2.py"]\n')
    assert found(tmp_path) == []
    assert found(tmp_path, "examples") == ["examples/a.py", "examples/more/d.py"]


_NAMES = st.sampled_from(["a", "b", "venv", ".git", "x.py", "a-b"])


@given(
    globs=st.lists(_NAMES, max_size=3),
    parts=st.lists(_NAMES, min_size=1, max_size=4),
    above=st.booleans(),
    folder=st.booleans(),
)
def test_globs_that_are_names_cover_what_pathspec_says(
    globs: list[str], parts: list[str], above: bool, folder: bool
) -> None:
    root = os.path.join(os.sep, "work", "root")
    path = os.path.join(os.path.dirname(root) if above else root, *parts)
    #: Covers nothing, but is no name.
    with_a_pattern = Settings(root=root, exclude=tuple(globs), extend_exclude=("/none/at/all",))
    by_name = Settings(root=root, exclude=tuple(globs))
    assert by_name.excludes(path, folder=folder) == with_a_pattern.excludes(path, folder=folder)


def test_configured_excludes(tmp_path: Path) -> None:
    tree(tmp_path, "old/a.py", "src/old/b.py", "src/x_pb2.py", "src/keep.py", "build/c.py", "vendor/d.py")
    (tmp_path / "optlint.toml").write_text('extend-exclude = ["/old", "*_pb2.py", "vendor/"]\n')
    assert found(tmp_path) == ["src/keep.py", "src/old/b.py"]
    (tmp_path / "optlint.toml").write_text('exclude = ["src"]\n')
    assert found(tmp_path) == ["build/c.py", "old/a.py", "vendor/d.py"]


def test_inner_configuration_holds_for_its_folder(tmp_path: Path) -> None:
    tree(tmp_path, "a/x.py", "a/gen/y.py", "b/gen/y.py")
    (tmp_path / "a" / "optlint.toml").write_text('extend-exclude = ["gen"]\n')
    assert found(tmp_path) == ["a/x.py", "b/gen/y.py"]


@pytest.mark.parametrize("repository", [True, False])
def test_gitignore_nested_and_negated(tmp_path: Path, repository: bool) -> None:
    tree(tmp_path, "a.py", "gen/b.py", "src/gen/c.py", "src/tmp_d.py", "src/keep/tmp_e.py", "top_only.py")
    tree(tmp_path, "src/top_only.py")
    (tmp_path / ".gitignore").write_text("gen/\ntmp_*.py\n/top_only.py\n[bad\n")
    (tmp_path / "src" / "keep" / ".gitignore").write_text("!tmp_e.py\n")
    if repository:
        (tmp_path / ".git").mkdir()
    assert found(tmp_path) == ["a.py", "src/keep/tmp_e.py", "src/top_only.py"]


def test_gitignore_of_the_repository_above_counts(tmp_path: Path) -> None:
    tree(tmp_path, "pkg/a.py", "pkg/gen_a.py", ".git/info/exclude")
    (tmp_path / ".gitignore").write_text("gen_*.py\n")
    (tmp_path / ".git" / "info" / "exclude").write_text("a.py\n")
    assert found(tmp_path, "pkg") == []


def test_gitignore_above_the_repository_does_not_count(tmp_path: Path) -> None:
    tree(tmp_path, "repo/.git/config", "repo/a.py")
    (tmp_path / ".gitignore").write_text("*.py\n")
    assert found(tmp_path, "repo") == ["repo/a.py"]


def test_links(tmp_path: Path) -> None:
    tree(tmp_path, "real/a.py", "elsewhere.txt")
    os.symlink(tmp_path / "real", tmp_path / "real" / "loop")
    os.symlink(tmp_path / "real", tmp_path / "again")
    os.symlink(tmp_path / "real" / "a.py", tmp_path / "copy.py")
    os.symlink(tmp_path / "elsewhere.txt", tmp_path / "only_link.py")
    os.symlink(tmp_path / "missing", tmp_path / "broken.py")
    os.symlink(tmp_path / "self.py", tmp_path / "self.py")
    assert found(tmp_path) == ["only_link.py", "real/a.py"]
    assert found(tmp_path, "again") == ["again/a.py"]
    assert found(tmp_path, "copy.py") == ["copy.py"]


def test_a_folder_may_be_called_like_a_file(tmp_path: Path) -> None:
    tree(tmp_path, "pkg.py/a.py")
    assert found(tmp_path) == ["pkg.py/a.py"]


def test_missing_path_is_a_problem_and_the_rest_goes_on(tmp_path: Path) -> None:
    tree(tmp_path, "a.py")
    paths = [str(tmp_path / "missing"), str(tmp_path / "a.py")]
    result = discover(paths, Configuration(cwd=str(tmp_path)).for_folder)
    assert result.files == [str(tmp_path / "a.py")]
    assert [(problem.path, problem.message) for problem in result.problems] == [
        (paths[0], "No such file or directory")
    ]


def test_unreadable_folder_is_a_problem_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, "a.py", "closed/b.py")
    scandir = os.scandir

    def refusing(path: str) -> object:
        if os.path.basename(path) == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    result = discover([str(tmp_path)], Configuration(cwd=str(tmp_path)).for_folder)
    assert result.files == [str(tmp_path / "a.py")]
    assert [problem.message for problem in result.problems] == ["cannot be searched: Permission denied"]


def test_a_tree_deeper_than_the_stack(tmp_path: Path) -> None:
    folder = os.path.join(str(tmp_path), *["d"] * 600)
    os.makedirs(folder)
    Path(folder, "a.py").write_text("")
    result = discover([str(tmp_path)], Configuration(cwd=str(tmp_path)).for_folder)
    assert len(result.files) == 1


def test_excluded_anywhere_looks_at_the_folders_above(tmp_path: Path) -> None:
    tree(tmp_path, "venv/lib/x.py", "src/y.py", "pyproject.toml")
    excluder = Excluder(Configuration(cwd=str(tmp_path)).for_folder)
    assert excluder.excludes_anywhere(str(tmp_path / "venv" / "lib" / "x.py"))
    assert not excluder.excludes_anywhere(str(tmp_path / "src" / "y.py"))
