"""Paths to files: searches folders for Python files, past ``.gitignore`` and the configured excludes.

The command line calls ``discover`` once; the engine asks ``Excluder`` about files that findings turn up in.
Must not read the Python files, nor know what is done with them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.folders import Nearest, upward
from optlint.source import NOTEBOOK_SUFFIX

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    from optlint.settings import Settings

SettingsOf = Callable[[str], "Settings"]
"""Gives the settings for an absolute folder."""


@dataclass(frozen=True)
class Problem:
    """A path that could not be searched or found."""

    path: str
    message: str


@dataclass
class Discovered:
    """Absolute paths of the files to lint, sorted; what went wrong; and which of the files were named."""

    files: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    named: frozenset[str] = frozenset()


def discover(paths: Sequence[str], settings_of: SettingsOf) -> Discovered:
    """The files that ``paths`` stand for. A named file is always among them; folders are searched.

    A link to a folder is not followed during a search (a loop is none then), a link to a file only when the
    file itself is not found. Raises what ``settings_of`` raises.
    """
    search = _Search(Excluder(settings_of))
    for path in paths:
        search.add(os.path.abspath(path), path)
    return search.result()


class Excluder:
    """Answers whether a path is left out, by the excludes of its folder's settings and by ``.gitignore``
    files.
    """

    def __init__(self, settings_of: SettingsOf) -> None:
        """``settings_of`` gives the settings for an absolute folder."""
        self._settings_of = settings_of
        self._gitignores: dict[str, GitIgnoreSpec | None] = {}
        self._repository = Nearest(_repository_in)
        self._searched_tops: set[str] = set()

    def begin_search(self, top: str) -> None:
        """Take note that ``top`` is searched as a whole."""
        self._searched_tops.add(top)

    def excludes(self, path: str, *, folder: bool = False) -> bool:
        """Whether ``path`` itself is left out when a search meets it (the folders above it are not asked)."""
        settings = self._settings_of(os.path.dirname(path))
        return settings.excludes(path, folder=folder) or self._git_ignores(path, folder=folder)

    def excludes_anywhere(self, path: str) -> bool:
        """Whether ``path`` or a folder above it, below its settings' root, is left out."""
        root = self._settings_of(os.path.dirname(path)).root
        below = os.path.relpath(path, root).split(os.sep)
        if below[0] == os.pardir:
            below = below[-1:]
            root = os.path.dirname(path)
        current = root
        for part in below[:-1]:
            current = os.path.join(current, part)
            if self.excludes(current, folder=True):
                return True
        return self.excludes(path)

    def _git_ignores(self, path: str, *, folder: bool) -> bool:
        """The nearest ``.gitignore`` that has an opinion decides, as in git."""
        here = os.path.dirname(path)
        top = self._top(here)
        for current in upward(here):
            spec = self._gitignore(current)
            verdict = None if spec is None else _verdict(spec, os.path.relpath(path, current), folder)
            if verdict is not None:
                return verdict
            if current == top:
                break
        return False

    def _top(self, folder: str) -> str:
        """The highest folder whose ``.gitignore`` counts: the repository's; outside of one, that of the search."""
        found = self._repository(folder)
        if found is None:
            found = next((above for above in upward(folder) if above in self._searched_tops), folder)
        return found

    def _gitignore(self, folder: str) -> GitIgnoreSpec | None:
        if folder not in self._gitignores:
            lines = _lines_of(os.path.join(folder, ".git", "info", "exclude"))
            lines += _lines_of(os.path.join(folder, ".gitignore"))
            self._gitignores[folder] = _compile(lines) if lines else None
        return self._gitignores[folder]


def _repository_in(folder: str) -> str | None:
    """``folder``, if it is the top of a git repository."""
    return folder if os.path.exists(os.path.join(folder, ".git")) else None


def _verdict(spec: GitIgnoreSpec, relative: str, folder: bool) -> bool | None:
    """What the patterns say of this path itself; ``None`` when they say nothing.

    A path below an ignored folder is met only when that folder was named: then it is not ignored for its sake.
    """
    relative = relative.replace(os.sep, "/")
    verdict = spec.check_file(relative + "/" if folder else relative).include
    above, _, name = relative.rpartition("/")
    if verdict and above and spec.check_file(above + "/").include:
        return spec.check_file(name + "/" if folder else name).include
    return verdict


def _lines_of(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().split("\n")
    except OSError:
        return []


def _compile(lines: Iterable[str]) -> GitIgnoreSpec:
    """The patterns that can be read; git skips the others in silence too."""
    from pathspec import GitIgnoreSpec

    patterns: list[str] = []
    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError:
            continue
        patterns.append(line)
    return GitIgnoreSpec.from_lines(patterns)


class _Search:
    def __init__(self, excluder: Excluder) -> None:
        self._excluder = excluder
        self._named: set[str] = set()
        self._found: set[str] = set()
        self._links: dict[str, str] = {}
        self._searched: set[str] = set()
        self._problems: list[Problem] = []

    def add(self, path: str, as_named: str) -> None:
        """Take up one path of the command line."""
        try:
            mode = os.stat(path).st_mode
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._problems.append(Problem(as_named, reason))
            return
        if stat.S_ISDIR(mode):
            self._search(path)
        else:
            self._named.add(path)

    def result(self) -> Discovered:
        """Everything that was found, each file once."""
        files = self._named | self._found
        seen = {os.path.realpath(path) for path in files} if self._links else set()
        for link in sorted(self._links):
            if self._links[link] not in seen:
                seen.add(self._links[link])
                files.add(link)
        return Discovered(sorted(files), self._problems, frozenset(self._named))

    def _search(self, top: str) -> None:
        """Walk the tree below ``top`` without recursion: a tree may be deeper than Python's stack."""
        self._excluder.begin_search(top)
        pending = [top]
        while pending:
            folder = pending.pop()
            if folder in self._searched:
                continue
            self._searched.add(folder)
            try:
                with os.scandir(folder) as entries:
                    ordered = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                self._problems.append(Problem(folder, f"cannot be searched: {error.strerror or error}"))
                continue
            pending.extend(found for entry in ordered if (found := self._take(entry)) is not None)

    def _take(self, entry: os.DirEntry[str]) -> str | None:
        """Keep the entry if it is a Python file or a notebook; give its path back if it is a folder to search."""
        try:
            if entry.is_dir(follow_symlinks=False):
                return None if self._excluder.excludes(entry.path, folder=True) else entry.path
            wanted = entry.name.endswith((".py", NOTEBOOK_SUFFIX)) and entry.is_file()
        except OSError:  # A loop of links, or a file that has just gone.
            return None
        if wanted and not self._excluder.excludes(entry.path):
            if entry.is_symlink():
                self._links[entry.path] = os.path.realpath(entry.path)
            else:
                self._found.add(entry.path)
        return None
