"""Looks from a folder upward, and remembers what each folder on the way led to.

Settings look for configurations and projects this way, discovery for repositories. Must not know what is looked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


def upward(folder: str) -> Iterator[str]:
    """``folder`` and every folder above it."""
    while True:
        yield folder
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


class Nearest(Generic[T]):
    """What ``look`` finds in a folder or in the nearest one above it; each folder is looked at once."""

    def __init__(self, look: Callable[[str], T | None]) -> None:
        """``look`` gives ``None`` for a folder in which there is nothing."""
        self._look = look
        self._known: dict[str, T | None] = {}

    def __call__(self, folder: str) -> T | None:
        """What is nearest to the absolute ``folder``, or ``None``. Raises what ``look`` raises."""
        passed: list[str] = []
        found: T | None = None
        for current in upward(folder):
            if current in self._known:
                found = self._known[current]
                break
            passed.append(current)
            found = self._look(current)
            if found is not None:
                break
        self._known.update(dict.fromkeys(passed, found))
        return found
