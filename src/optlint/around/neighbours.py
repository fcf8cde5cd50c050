"""What the other files of a project say, by their text alone: who imports a name, extends a class, uses an attribute.

``surroundings`` asks. A neighbourhood reads each file once and keeps the words of its imports, bases and methods, so
that a question costs a look into a dictionary. Must not know modules, values or the interpreter.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from optlint.around.disk import FILE, Disk
from optlint.around.questions import Question, digest
from optlint.deferred import regex

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

#: Neighbourhoods that are kept: files come in the order of their folders, a few projects at a time.
MAX_NEIGHBOURHOODS = 4

Read = Callable[[str], "str | None"]


class Words(NamedTuple):
    """What is kept of a file: the words of its import lines and of its classes' bases, the methods that can be called
    with nothing, whether it speaks of an optimizer, whether it gathers tensors from any attribute, and a digest.
    """

    imported: frozenset[str]
    bases: frozenset[str]
    methods: frozenset[str]
    optimizes: bool
    collects_any: bool
    content: str


def words_of(text: str) -> Words:
    """The words of a file."""
    content = digest(text)
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
        content,
    )


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
    """Some files of one project, and what they say. ``read`` gives a file's text, or None.

    ``folder`` is the one that they lie in or below, but for those directly in the folders above it. ``answers`` names for
    each question the file that makes the answer yes.
    """

    def __init__(self, folder: str, files: Sequence[str], read: Read, disk: Disk) -> None:
        self.folder = folder
        self.files = tuple(files)
        self.answers: dict[Question, str | None] = {}
        self._read = read
        self._disk = disk
        self._words: dict[str, Words | None] = {}
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._kept = 0

    def witness(self, question: Question) -> str | None:
        """The first file that makes the answer yes."""
        if question not in self.answers:
            self.answers[question] = self.search(question, self.files)
        return self.answers[question]

    def search(self, question: Question, files: Sequence[str]) -> str | None:
        """The first of some of the files that makes the answer yes."""
        for file in files:
            words = self._words_of(file)
            if words is not None and says(question, file, words, partial(self._text, file), self._disk):
                return file
        return None

    def content(self, file: str) -> str:
        """A digest of what a file held when its words were read."""
        words = self._words_of(file)
        return "" if words is None else words.content

    def _words_of(self, file: str) -> Words | None:
        if file not in self._words:
            text = self._read(file)
            self._words[file] = None if text is None else words_of(text)
        return self._words[file]

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


class Watcher(Protocol):
    """Knows answers from earlier, and keeps them for later."""

    def opened(self, around: Neighbourhood) -> None:
        """A neighbourhood is about to be asked for the first time."""

    def closed(self, around: Neighbourhood) -> None:
        """A neighbourhood is not asked any more."""


class Neighbours:
    """Finds the neighbourhood of each file; those of one project are the same as long as it is not too large."""

    def __init__(self, disk: Disk, read: Read, watcher: Watcher | None = None) -> None:
        self._disk = disk
        self._read = read
        self._watcher = watcher
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
            self._around[key] = opened = Neighbourhood(key[0], self._files(key), self._read, self._disk)
            if self._watcher is not None:
                self._watcher.opened(opened)
            if len(self._around) > MAX_NEIGHBOURHOODS:
                self._close(self._around.popitem(last=False)[1])
        return self._around[key]

    def close(self) -> None:
        """Forget all neighbourhoods."""
        while self._around:
            self._close(self._around.popitem()[1])

    def _close(self, around: Neighbourhood) -> None:
        if self._watcher is not None:
            self._watcher.closed(around)

    def _files(self, folders: Sequence[str]) -> list[str]:
        below = self._all_below(folders[0])
        files = self._directly_in(folders[0]) if below is None else list(below)
        for folder in folders[1:]:
            files += self._directly_in(folder)
        return files

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
