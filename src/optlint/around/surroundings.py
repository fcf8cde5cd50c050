"""What a file's analysis may ask about everything around it: modules, project marks, requirements, other files' texts.

``semantics.project`` asks for the interpreter and writes down each question with its answer; the cache asks again to
learn whether an old result still holds. Must not know modules, values or the interpreter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence

from optlint.around.disk import FILE, Disk
from optlint.around.neighbours import Neighbours, Watcher
from optlint.around.questions import (
    BESIDE,
    CONTENT,
    FIND,
    NEIGHBOURLY,
    PRESENT,
    REGISTERS,
    REQUIREMENTS,
    Question,
    digest,
)
from optlint.deferred import regex

#: How far above a file import roots are looked for.
MAX_PARENTS = 12
#: Answers kept for the next file that asks.
MAX_ANSWERS = 100_000
#: A larger file is not followed into.
MAX_FILE_BYTES = 1_500_000

YES = "yes"

_REGISTERS = regex(r"^@[\w.]*regist", re.MULTILINE | re.IGNORECASE)
_IMPORTS_SIBLINGS = regex(r"^from \S+ import [^#\n]*#\s*noqa", re.MULTILINE)
#: Folders in which packages lie side by side that are no parts of one project.
_INSTALLED = ("site-packages", "dist-packages")
_PROJECT_MARKS = (".git", "pyproject.toml", "setup.py")
#: Where a project says which packages it needs.
_REQUIREMENTS = regex(
    r"(?:requirements[\w.-]*|constraints)\.(?:txt|in)|setup\.(?:py|cfg)|pyproject\.toml|Pipfile|environment[\w-]*\.ya?ml"
)


class Surroundings:
    """Answers questions, each once. An answer is a text; the empty one is "no" or "none".

    ``src`` are the configured import roots, ``read`` gives a file's text, or None. ``watcher`` is told of neighbourhoods.
    """

    def __init__(
        self, src: Sequence[str], read: Callable[[str], str | None], watcher: Watcher | None = None
    ) -> None:
        self._src = tuple(os.path.abspath(root) for root in src)
        self._read = read
        self._disk = Disk()
        self._neighbours = Neighbours(self._disk, self.text, watcher)
        self._answers: dict[Question, str] = {}
        self._above: dict[str, tuple[str, ...]] = {}
        self._roots: dict[str, tuple[str, ...]] = {}

    def with_roots(self, src: Sequence[str]) -> Surroundings:
        """The same surroundings for other configured import roots; the disk is looked at once for both."""
        other = Surroundings(src, self._read)
        other._disk, other._neighbours, other._above = self._disk, self._neighbours, self._above
        return other

    def close(self) -> None:
        """Ask no more: tell the watcher."""
        self._neighbours.close()

    def ask(self, question: Question) -> str:
        """The answer to a question, of whatever kind."""
        known = self._answers.get(question)
        if known is None:
            if len(self._answers) >= MAX_ANSWERS:
                self._answers.clear()
            known = self._answers[question] = self._answer(question)
        return known

    def _answer(self, question: Question) -> str:
        kind, path, name, _ = question
        if kind == FIND:
            return self._find(path, name)
        if kind == PRESENT:
            return YES if any(self._has(root, name) for root in self.roots(path)) else ""
        if kind == BESIDE:
            return self._module_file(path, name)
        if kind == CONTENT:
            return digest(self.text(path))
        if kind == REGISTERS:
            return YES if _registers(path, self.text(path) or "") else ""
        if kind == REQUIREMENTS:
            return "\0".join(self._requirements(path))
        if kind not in NEIGHBOURLY:
            raise ValueError(f"no question of the kind {kind}")
        around = self._neighbours.around(self._folders_above(os.path.dirname(path)))
        return YES if around.witness(question) is not None else ""

    def text(self, path: str) -> str | None:
        """The text of a file that is not too large; None when there is none to be had."""
        return self._read(path) if 0 <= self._disk.size(path) <= MAX_FILE_BYTES else None

    def roots(self, folder: str) -> tuple[str, ...]:
        """Folders that absolute imports of a folder's files may start from: the configured ones, it and those above it,
        each perhaps with a ``src`` folder.
        """
        if folder not in self._roots:
            above = (place for at in self._folders_above(folder) for place in (at, os.path.join(at, "src")))
            existing = (place for place in above if self._disk.is_folder(place))
            self._roots[folder] = tuple(dict.fromkeys((*self._src, *existing)))
        return self._roots[folder]

    def _has(self, root: str, name: str) -> bool:
        """Whether a package or module may be in a folder."""
        names = self._disk.names(root)
        return name in names or name + ".py" in names

    def _find(self, folder: str, name: str) -> str:
        first = name.split(".", 1)[0]
        for root in self.roots(folder):
            if self._has(root, first) and not _installed_beside(root, name, folder):
                found = self._module_file(root, name)
                if found:
                    return found
        return ""

    def _module_file(self, root: str, name: str) -> str:
        """The file of a dotted module name below a folder (packages before modules, as Python does)."""
        if not name:
            return (
                os.path.join(root, "__init__.py") if self._disk.names(root).get("__init__.py") == FILE else ""
            )
        *above, last = name.split(".")
        folder = os.path.join(root, *above)
        names = self._disk.names(folder)
        if names.get(last, FILE) != FILE:
            package = os.path.join(folder, last)
            if self._disk.names(package).get("__init__.py") == FILE:
                return os.path.join(package, "__init__.py")
        return os.path.join(folder, last + ".py") if names.get(last + ".py") == FILE else ""

    def _requirements(self, folder: str) -> list[str]:
        """The files that say what a project needs, of the nearest folder that has any."""
        above = [
            root for root in self.roots(folder) if os.path.join(folder, "").startswith(os.path.join(root, ""))
        ]
        for root in sorted(above, key=len, reverse=True):
            names = self._disk.names(root).items()
            files = [name for name, kind in names if kind == FILE and _REQUIREMENTS.fullmatch(name)]
            if files:
                return [os.path.join(root, name) for name in files]
        return []

    def _folders_above(self, folder: str) -> tuple[str, ...]:
        """The folder and those above it up to the project's root.

        Where nothing marks the root of a project, only the package that the folder is in and what lies around it counts.
        """
        if folder not in self._above:
            self._above[folder] = tuple(self._climb(folder))
        return self._above[folder]

    def _climb(self, folder: str) -> list[str]:
        folders: list[str] = []
        unmarked = 2
        inside_package = True
        for _ in range(MAX_PARENTS):
            folders.append(folder)
            inside_package = inside_package and self._disk.has(folder, "__init__.py")
            if inside_package:
                unmarked = len(folders) + 1
            if any(self._disk.has(folder, mark) for mark in _PROJECT_MARKS):
                return folders
            parent = os.path.dirname(folder)
            if parent == folder:
                break
            folder = parent
        return folders[:unmarked]


def _registers(path: str, text: str) -> bool:
    """Whether importing a file matters although nothing of it is named: its classes enter a registry."""
    imported = path.endswith("__init__.py") and _IMPORTS_SIBLINGS.search(text) is not None
    return _REGISTERS.search(text) is not None or (imported and len(text) < 4_000)


def _installed_beside(root: str, name: str, folder: str) -> bool:
    """Whether a module would be found in another installed package than the one that ``folder`` is in."""
    own = os.path.join(root, name.split(".", 1)[0], "")
    return os.path.basename(root) in _INSTALLED and not os.path.join(folder, "").startswith(own)
