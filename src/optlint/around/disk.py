"""What lies where on the disk: folders listed once, and questions about them answered from the lists.

The semantic layer looks for files through here and nowhere else. Must not know what is looked for, or why.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

FILE, FOLDER, LINKED_FOLDER = "file", "folder", "linked folder"


class Disk:
    """Folders as they were when they were first asked for. A file that appears later is one for the next run."""

    def __init__(self) -> None:
        self._listings: dict[str, dict[str, str]] = {}
        self._existing: dict[str, bool] = {}

    def names(self, folder: str) -> dict[str, str]:
        """What lies directly in a folder, by name in order, and of which kind it is; nothing where there is no folder."""
        known = self._listings.get(folder)
        if known is None:
            known = self._listings[folder] = _listed(folder)
        return known

    def is_file(self, path: str) -> bool:
        """Whether a file of exactly this name is there."""
        folder, name = os.path.split(path)
        return self.names(folder).get(name) == FILE

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there. Asks for that folder alone: what is above may be very full, or closed."""
        return self._asked(path, os.path.isdir(path)) if path not in self._existing else self._existing[path]

    def has(self, folder: str, name: str) -> bool:
        """Whether anything of that name is in a folder that may well be none of the project's."""
        path = os.path.join(folder, name)
        if folder in self._listings:
            return name in self._listings[folder]
        return self._existing[path] if path in self._existing else self._asked(path, os.path.exists(path))

    def _asked(self, path: str, answer: bool) -> bool:
        self._existing[path] = answer
        return answer

    @staticmethod
    def size(path: str) -> int:
        """The bytes of a file, now; -1 where there is none."""
        try:
            return os.path.getsize(path)
        except (OSError, ValueError):
            return -1

    def walk(self, top: str, skipped: frozenset[str], suffix: str) -> Iterator[list[str]]:
        """For each folder from ``top`` downward, in order: its files that end in ``suffix``. Follows no links to folders,
        and enters none that is hidden or ``skipped``.
        """
        pending = [top]
        while pending:
            folder = pending.pop()
            names = self.names(folder)
            yield [
                os.path.join(folder, name)
                for name, kind in names.items()
                if kind == FILE and name.endswith(suffix)
            ]
            pending.extend(
                os.path.join(folder, name)
                for name in reversed(names)
                if names[name] == FOLDER and not name.startswith(".") and name not in skipped
            )


def _listed(folder: str) -> dict[str, str]:
    try:
        with os.scandir(folder or ".") as entries:
            return {entry.name: kind for entry in sorted(entries, key=_name) if (kind := _kind(entry))}
    except (OSError, ValueError):
        return {}


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _kind(entry: os.DirEntry[str]) -> str:
    """Of which kind an entry is; nothing for a link that leads nowhere, and for what is neither file nor folder."""
    try:
        if entry.is_file():
            return FILE
        if entry.is_dir():
            return LINKED_FOLDER if entry.is_symlink() else FOLDER
    except OSError:
        pass
    return ""
