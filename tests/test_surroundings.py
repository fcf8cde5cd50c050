"""What an analysis sees around a file, and that it sees it through one door only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import optlint
from optlint.around import neighbours
from optlint.around.disk import Disk
from optlint.around.neighbours import Neighbours
from optlint.around.questions import FIND, REQUIREMENTS, Question
from optlint.around.surroundings import Surroundings
from optlint.semantics.project import Project
from optlint.settings import Settings

PACKAGE = Path(optlint.__file__).parent
PURE = {
    "os.path.abspath", "os.path.basename", "os.path.dirname", "os.path.isabs", "os.path.join", "os.path.relpath",
    "os.path.split", "os.path.splitext", "os.sep", "os.path",
}  # fmt: skip
"""What may be used of ``os`` without looking at the disk (``abspath`` asks for the current folder only)."""
READERS = {"codecs", "glob", "io", "linecache", "optlint.source", "pathlib", "shutil", "os.path", "tokenize"}


def read(path: str) -> str | None:
    try:
        return Path(path).read_text()
    except OSError:
        return None


def project(tmp_path: Path, files: dict[str, str]) -> Path:
    """A marked project with these files."""
    (tmp_path / ".git").mkdir()
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def ask(top: Path, kind: str, path: str, subject: str, *names: str) -> bool:
    return bool(Surroundings((str(top),), read).ask(Question(kind, str(top / path), subject, names)))


@pytest.mark.parametrize("layer", ["semantics", "rules", "syntax"])
def test_only_the_surroundings_look_at_the_disk(layer: str) -> None:
    seen: list[str] = []
    for file in (PACKAGE / layer).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("os", "os.path"):
                seen += [] if ast.unparse(node) in PURE else [f"{file.name}: {ast.unparse(node)}"]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "open":
                seen.append(f"{file.name}: open")
            elif isinstance(node, ast.Import):
                seen += [f"{file.name}: {name.name}" for name in node.names if name.name in READERS]
            elif isinstance(node, ast.ImportFrom) and node.module in READERS:
                names = {name.name for name in node.names} - {"split_lines", "lines_of", "normalise_newlines"}
                seen += [f"{file.name}: {node.module}.{name}" for name in names]
    assert seen == []


def test_a_neighbour_anywhere_in_the_project_is_asked(tmp_path: Path) -> None:
    top = project(
        tmp_path,
        {
            "src/models/net.py": "class Net: ...\n",
            "scripts/train.py": "from models.net import Net\nimport torch.optim\nSGD(net.extra)\n",
        },
    )
    assert ask(top, "mentions", "src/models/net.py", "extra", "net", "Net")
    assert not ask(top, "mentions", "src/models/net.py", "extras", "net", "Net")
    assert not ask(top, "mentions", "src/models/net.py", "extra", "other")
    assert not ask(top, "mentions", "scripts/train.py", "extra", "net")  # itself


def test_imports_in_brackets_count(tmp_path: Path) -> None:
    top = project(
        tmp_path,
        {"net.py": "", "use.py": "from m import (\n    A,\n    Net,\n)\nadam = optim.Adam(x.extra)\n"},
    )
    assert ask(top, "mentions", "net.py", "extra", "Net")
    assert ask(top, "takes", "net.py", "extra", "net", "Net")
    assert not ask(top, "takes", "net.py", "extra", "net", "Other")


def test_bases_and_methods_are_known(tmp_path: Path) -> None:
    top = project(
        tmp_path,
        {
            "base.py": "class Base: ...\n",
            "sub.py": "class Sub(\n    Mixin, base.Base\n):\n    def parameters(self, recurse=True):\n        ...\n",
        },
    )
    assert ask(top, "extends", "base.py", "Base")
    assert not ask(top, "extends", "sub.py", "Base")
    assert ask(top, "defines", "base.py", "parameters")
    assert ask(top, "defines", "sub.py", "parameters")
    assert not ask(top, "defines", "base.py", "named_parameters")


def test_a_method_that_needs_an_argument_is_another(tmp_path: Path) -> None:
    top = project(tmp_path, {"a.py": "class A:\n    def parameters(self, group):\n        ...\n"})
    assert not ask(top, "defines", "a.py", "parameters")


def test_code_that_gathers_any_attribute_counts_for_its_package(tmp_path: Path) -> None:
    text = "optim\nfor v in vars(x).values():\n    if v.is_leaf: v.requires_grad\n"
    top = project(tmp_path, {"pkg/__init__.py": "", "pkg/a.py": "", "pkg/b.py": text, "other/c.py": ""})
    assert ask(top, "mentions", "pkg/a.py", "extra", "a")
    assert not ask(top, "mentions", "other/c.py", "extra", "c")


def test_a_large_project_is_cut_at_the_nearest_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "MAX_NEIGHBOURS", 3)
    for name in ("top.py", "a/one.py", "a/x/two.py", "b/three.py", "b/four.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    folders = [str(tmp_path / "a" / "x"), str(tmp_path / "a"), str(tmp_path)]
    found = Neighbours(Disk(), read).around(folders).files
    assert [Path(file).relative_to(tmp_path).as_posix() for file in found] == [
        "a/one.py",
        "a/x/two.py",
        "top.py",
    ]


def test_a_file_is_read_once_for_all_questions(tmp_path: Path) -> None:
    top = project(
        tmp_path, {"net.py": "", **{f"m{number}.py": f"import x{number}\n" for number in range(20)}}
    )
    reads: list[str] = []

    def counting(path: str) -> str | None:
        reads.append(path)
        return read(path)

    around = Surroundings((str(top),), counting)
    for number in range(50):
        around.ask(Question("extends", str(top / "net.py"), f"Base{number}"))
    assert len(reads) == len(set(reads)) == 21


def test_hidden_and_linked_folders_are_no_neighbours(tmp_path: Path) -> None:
    top = project(
        tmp_path,
        {"net.py": "", ".hidden/a.py": "class A(Net): ...\n", "venv/b.py": "class B(Net): ...\n"},
    )
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    (elsewhere / "c.py").write_text("class C(Net): ...\n")
    (top / "linked").symlink_to(elsewhere)
    assert not ask(top, "extends", "net.py", "Net")


def test_modules_are_found_from_the_nearest_root(tmp_path: Path) -> None:
    top = project(
        tmp_path, {"utils.py": "", "scripts/train.py": "", "src/lib/__init__.py": "", "src/lib.py": ""}
    )
    around = Surroundings((), read)

    def find(name: str) -> str:
        return around.ask(Question(FIND, str(top / "scripts"), name))

    assert find("utils") == str(top / "utils.py")
    assert find("lib") == str(top / "src" / "lib" / "__init__.py")
    assert find("absent") == ""
    (top / "scripts" / "utils.py").write_text("")
    again = Surroundings((), read)
    assert again.ask(Question(FIND, str(top / "scripts"), "utils")) == str(top / "scripts" / "utils.py")


def test_what_is_in_a_module_is_no_module(tmp_path: Path) -> None:
    top = project(
        tmp_path, {"utils.py": "", "space/part.py": "", "pkg/__init__.py": "", "pkg/part.py": "", "a.py": ""}
    )
    seen = Project(Settings(root=str(top)), read)

    def find(name: str, level: int = 0) -> str | None:
        return seen.find(name, str(top / "a.py"), level)

    assert find("utils.helper") is find("absent.part") is find("utils.helper", 1) is find("space") is None
    assert find("space.part") == str(top / "space" / "part.py")
    assert find("pkg.part") == find("pkg.part", 1) == str(top / "pkg" / "part.py")
    asked = {(question.kind, question.subject) for question in seen.looked_at()}
    assert ("present", "absent") in asked
    assert ("find", "utils.helper") not in asked
    assert ("find", "absent.part") not in asked


def test_the_nearest_requirements_count(tmp_path: Path) -> None:
    top = project(tmp_path, {"sub/a.py": ""})
    (top / "requirements-dev.txt").write_text("keras>=3")
    question = Question(REQUIREMENTS, str(top / "sub"))
    assert Surroundings((), read).ask(question) == str(top / "requirements-dev.txt")
    (top / "sub" / "setup.cfg").write_text("")
    assert Surroundings((), read).ask(question) == str(top / "sub" / "setup.cfg")
