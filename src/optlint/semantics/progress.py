"""How far a one-shot iterator was read, and by whom: immutable notes that branches join.

``values.OneShot`` keeps one; ``reading`` writes it. It must not know the interpreter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from optlint.deferred import dataclass

if TYPE_CHECKING:
    from optlint.semantics.site import Site
    from optlint.semantics.values import Items

#: The place behind the last element.
END = 1_000_000_000
#: Readers of one iterator that are remembered.
MAX_USES = 6


@dataclass(frozen=True)
class Use:
    """A reader: where, by what, and whether it certainly read to the end.

    ``conditional``: in a branch that need not be taken; ``entry``: in which of the methods that nobody calls;
    ``aside``: what it took was thrown away at once (``next(it)`` as a statement of its own).
    """

    site: Site
    by: str
    full: bool
    conditional: bool
    entry: int
    aside: bool = False


@dataclass(frozen=True)
class Progress:
    """``at``: the places where an iterator may stand; ``items``: its elements, once somebody has begun to read."""

    at: frozenset[int] = frozenset({0})
    items: Items | None = None
    uses: tuple[Use, ...] = ()

    __hash__ = None  # type: ignore[assignment]

    @property
    def used_up(self) -> bool:
        """Whether nothing is left, whatever branch was taken."""
        return self.at == {END}

    def joined_with(self, others: Iterable[Progress]) -> Progress:
        """What holds after any of several branches."""
        everyone = (self, *others)
        known = [progress.items for progress in everyone if progress.items is not None]
        items = known[0] if known else None
        if items is not None and any(other is not items for other in known):
            items = items.joined_with(known[1:])
        uses: list[Use] = []
        for progress in everyone:
            uses.extend(use for use in progress.uses if use not in uses)
        at = frozenset[int]().union(*(progress.at for progress in everyone))
        return Progress(at, items, tuple(uses[:MAX_USES]))


START = Progress()
