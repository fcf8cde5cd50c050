"""From an object that the user's program made to the tensors below it, and the path to each.

Called by the observers, which say what a tensor is and which attributes count; knows no framework.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

# Fixtures nest four or five levels deep; the limits only guard against objects that refer to each other.
DEEPEST = 10
MOST_PATHS = 5_000

Children = Callable[[Any], Iterable[tuple[str, Any]] | None]


class UserCode:
    """Which objects come from the fixture's own files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def owns_class(self, cls: type) -> bool:
        """Whether ``cls`` was written in the fixture."""
        if cls.__module__ == "__main__":
            return True
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        return file is not None and self._folder in Path(file).resolve().parents

    def functions_running(self) -> set[str]:
        """The names of the fixture's functions that are being executed."""
        frame: FrameType | None = sys._getframe(1)
        found: set[str] = set()
        while frame is not None:
            if self._folder in Path(frame.f_code.co_filename).resolve().parents:
                found.add(frame.f_code.co_name)
            frame = frame.f_back
        return found

    def instances(self) -> list[Any]:
        """Every living instance of a class of the fixture that can hold attributes."""
        verdicts: dict[type, bool] = {}
        found = []
        for candidate in gc.get_objects():
            cls = type(candidate)
            if cls not in verdicts:
                verdicts[cls] = isinstance(cls, type) and hasattr(cls, "__dict__") and self.owns_class(cls)
            if verdicts[cls] and hasattr(candidate, "__dict__"):
                found.append(candidate)
        return found

    def class_attributes(self, cls: type) -> Iterator[tuple[str, Any]]:
        """What the classes of the fixture among ``cls`` and its bases hold themselves."""
        for base in cls.__mro__:
            if self.owns_class(base):
                yield from ((name, value) for name, value in vars(base).items() if not name.startswith("__"))


def paths_below(root: Any, children: Children) -> Iterator[tuple[str, Any]]:
    """Yield (path, value) for everything that ``children`` leads to; containers are opened on the way."""
    budget = [MOST_PATHS]
    yield from _below(root, "", children, frozenset(), budget)


def _below(
    value: Any, path: str, children: Children, above: frozenset[int], budget: list[int]
) -> Iterator[tuple[str, Any]]:
    if id(value) in above or len(above) > DEEPEST:
        return
    for name, child in _children(value, children):
        budget[0] -= 1
        if budget[0] < 0:
            return
        below = f"{path}.{name}" if path else name
        yield below, child
        yield from _below(child, below, children, above | {id(value)}, budget)


def _children(value: Any, children: Children) -> Iterable[tuple[str, Any]]:
    named = children(value)
    if named is not None:
        return named
    if isinstance(value, dict):
        return [(str(key), child) for key, child in list(value.items())]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [(str(index), child) for index, child in enumerate(value)]
    return ()
