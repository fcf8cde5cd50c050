"""What the other files of a project say, by their text alone: who imports a name, extends a class, uses an attribute.

``surroundings`` asks. A neighbourhood reads each file once and keeps the words of its imports, bases and methods, so
that a question costs a look into a dictionary. Must not know modules, values or the interpreter.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

from optlint.deferred import regex
from optlint.disk import FILE, Disk

#: Files around a file that are searched, besides those that lie directly in the folders above them.
MAX_NEIGHBOURS = 500
#: Folders that are entered in search of them.
MAX_FOLDERS = 2_000
#: Characters of text that are kept for the next question.
MAX_KEPT_TEXT = 4_000_000

_SKIPPED = frozenset({"node_modules", "site-packages", "venv", "build", "dist", "__pycache__"})
_IMPORT = regex(r"\n[ \t]*(?:from|import)\s([^\n]*)")
_IMPORTED_IN_BRACKETS = regex(r"import\s*\(([^)]*)")
_CLASS = regex(r"\n[ \t]*class \w+\(([^)]*)")
_METHOD = regex(r"\n[ \t]+def (\w+)\(\s*\w+\s*(?:,[^),]*[=*][^)]*)?,?\s*\)")
_WORD = regex(r"\w+")
#: Code that gathers tensors whatever attribute they are kept in.
_COLLECTS_ANY = regex(r"\bvars\([\s\S]*\.is_leaf\b|__dict__[\s\S]*\.is_leaf\b")
#: Code that may register what it mentions, or give it to an optimizer.
_TAKES_UP = regex(
    r"optim|parameters\(|ModuleList|ModuleDict|ParameterList|ParameterDict|Sequential\(\*|add_module|regist|setattr"
)

Read = Callable[[str], "str | None"]


@dataclass(frozen=True)
class Words:
    """What is kept of a file: the words of its import lines and of its classes' bases, the methods that can be called
    with nothing, whether it speaks of an optimizer, and whether it gathers tensors from any attribute.
    """

    imported: frozenset[str]
    bases: frozenset[str]
    methods: frozenset[str]
    optimizes: bool
    collects_any: bool


def words_of(text: str) -> Words:
    """The words of a file."""
    text = "\n" + text
    imported = _IMPORT.findall(text)
    imported += _IMPORTED_IN_BRACKETS.findall(text)
    optimizes = "optim" in text
    collects = optimizes and "requires_grad" in text and ".is_leaf" in text
    return Words(
        frozenset(_WORD.findall("\n".join(imported))),
        frozenset(_WORD.findall("\n".join(_CLASS.findall(text)))),
        frozenset(_METHOD.findall(text)),
        optimizes,
        collects and _COLLECTS_ANY.search(text) is not None,
    )


class Question(NamedTuple):
    """What is asked about the neighbours of the file ``path``; ``kind`` is one of those in ``says``."""

    kind: str
    path: str
    subject: str = ""
    names: tuple[str, ...] = ()


def says(question: Question, file: str, words: Words, text: Callable[[], str], disk: Disk) -> bool:
    """Whether one file makes the answer to a question yes.

    ``mentions``: it speaks of an optimizer, imports one of ``names``, and uses the attribute ``subject``.
    ``takes``: it imports one of ``names`` (the module's, then the classes'), and may take up the attribute ``subject``.
    ``extends``: it has a class with the base ``subject``.
    ``defines``: it has a method ``subject`` that can be called with nothing.
    """
    kind, own, subject, names = question
    if kind == "defines":
        return subject in words.methods
    if file == own:
        return False
    if kind == "extends":
        return subject in words.bases
    if kind == "takes":
        return not words.imported.isdisjoint(names) and takes(text(), subject, names[1:])
    if not words.optimizes:
        return False
    if not words.imported.isdisjoint(names) and re.search(rf"\.{re.escape(subject)}\b", text()):
        return True
    return words.collects_any and _same_package(file, own, disk)


def takes(code: str, attribute: str, classes: Sequence[str]) -> bool:
    """Whether code reads an attribute of something, or as a subclass of one of ``classes``, and may take it up."""
    if f".{attribute}" not in code or not _TAKES_UP.search(code):
        return False
    foreign = re.search(rf"(?<!\bself)\.{re.escape(attribute)}\b", code) is not None
    bases = "|".join(map(re.escape, classes))
    return foreign or re.search(rf"\bclass \w+\([^)]*\b(?:{bases})\b", code) is not None


def _same_package(file: str, own: str, disk: Disk) -> bool:
    """Whether two files lie in one package, so that a third is likely to bring them together."""
    folder = os.path.dirname(file)
    return folder == os.path.dirname(own) and disk.is_file(os.path.join(folder, "__init__.py"))


class Neighbourhood:
    """Some files of one project, and what they say. ``read`` gives a file's text, or None."""

    def __init__(self, files: Sequence[str], read: Read, disk: Disk) -> None:
        self.files = tuple(files)
        self._read = read
        self._disk = disk
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._kept = 0

    @cached_property
    def words(self) -> dict[str, Words]:
        """The words of every file that can be read."""
        texts = ((file, self._read(file)) for file in self.files)
        return {file: words_of(text) for file, text in texts if text is not None}

    def witness(self, question: Question) -> str | None:
        """The first file that makes the answer yes."""
        for file, words in self.words.items():
            if says(question, file, words, partial(self._text, file), self._disk):
                return file
        return None

    def _text(self, file: str) -> str:
        """The text of a file, kept for the next question as long as there is room."""
        if file in self._texts:
            self._texts.move_to_end(file)
            return self._texts[file]
        text = self._texts[file] = self._read(file) or ""
        self._kept += len(text)
        while self._kept > MAX_KEPT_TEXT and len(self._texts) > 1:
            self._kept -= len(self._texts.popitem(last=False)[1])
        return text


class Neighbours:
    """Finds the neighbourhood of each file; those of one project are the same as long as it is not too large."""

    def __init__(self, disk: Disk, read: Read) -> None:
        self._disk = disk
        self._read = read
        self._below: dict[str, list[str] | None] = {}
        self._around: OrderedDict[tuple[str, ...], Neighbourhood] = OrderedDict()

    def around(self, folders: Sequence[str]) -> Neighbourhood:
        """What lies around the files of a folder. ``folders`` are that folder and those above it in its project.

        The whole of the highest folder that holds no more than ``MAX_NEIGHBOURS`` files, and the files directly in those
        above it.
        """
        widest = next(
            (at for at in reversed(range(len(folders))) if self._all_below(folders[at]) is not None), 0
        )
        key = tuple(folders[widest:])
        if key not in self._around:
            below = self._all_below(key[0])
            files = self._directly_in(key[0]) if below is None else list(below)
            for folder in key[1:]:
                files += self._directly_in(folder)
            self._around[key] = Neighbourhood(files, self._read, self._disk)
            if len(self._around) > 4:  # Files come in the order of their folders: a few projects at a time.
                self._around.popitem(last=False)
        return self._around[key]

    def _all_below(self, top: str) -> list[str] | None:
        """The Python files in and below a folder; None when there are too many."""
        if top not in self._below:
            self._below[top] = self._walk(top)
        return self._below[top]

    def _walk(self, top: str) -> list[str] | None:
        files: list[str] = []
        for folders, found in enumerate(self._disk.walk(top, _SKIPPED, ".py")):
            files += found
            if len(files) > MAX_NEIGHBOURS or folders >= MAX_FOLDERS:
                return None
        return files

    def _directly_in(self, folder: str) -> list[str]:
        names = [
            name for name, kind in self._disk.names(folder).items() if name.endswith(".py") and kind == FILE
        ]
        return [os.path.join(folder, name) for name in names[:MAX_NEIGHBOURS]]
