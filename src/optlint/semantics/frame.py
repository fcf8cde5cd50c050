"""Scopes and the ways out of them while the interpreter follows a program."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from optlint.deferred import dataclass
from optlint.semantics.heap import Changes, Heap
from optlint.semantics.values import (
    ABSENT,
    NONE,
    Items,
    Namespace,
    UserClass,
    Value,
    join_values,
    next_serial,
)

if TYPE_CHECKING:
    import libcst as cst

    from optlint.semantics.contexts import Pending
    from optlint.semantics.site import Site
    from optlint.syntax.source_module import Slice


@dataclass(frozen=True)
class Context:
    """Where code stands: the globals it sees and the slice that its nodes belong to."""

    namespace: Namespace
    part: Slice


class Exits:
    """The states in which paths left a function or loop early, each as a change since ``mark``."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self._mark = heap.mark()
        self._ways: list[tuple[Changes, Value]] = []

    def leave(self, value: Value = NONE) -> None:
        """A path leaves here, with the state as it is now."""
        self._ways.append((self._heap.changes_since(self._mark), value))

    @property
    def used(self) -> bool:
        """Whether any path left."""
        return bool(self._ways)

    @property
    def count(self) -> int:
        """How many paths left."""
        return len(self._ways)

    def forget(self, count: int) -> None:
        """Keep the first ``count`` paths: the others were not taken."""
        del self._ways[count:]

    def close(self, live: bool, value: Value = NONE) -> Value:
        """Join all paths: those that left and, if ``live``, the one that reached the end with ``value``."""
        if not self._ways:
            return value
        ways = list(self._ways)
        if live:
            ways.append((self._heap.changes_since(self._mark), value))
        self._heap.rollback(self._mark)
        self._heap.join([changes for changes, _ in ways])
        return join_values([left for _, left in ways])


@dataclass(frozen=True, eq=False)
class Round:
    """One round of a loop. ``conditional``: how many branches are open where it begins.

    ``repeats``: there are others, though this one alone is followed; ``began``: all that is older has a lower serial.
    ``count``: how many rounds there are at most, if that is known; ``element``: what the loop variable is in this one.
    """

    loop: Loop
    site: Site
    conditional: int
    repeats: bool = False
    began: int = 0
    count: int | None = None
    element: Value | None = None


@dataclass(eq=False)
class Loop:
    """An enclosing loop: the paths that broke out of it, and those that went on with its next round.

    ``source``: what a ``for`` runs over.
    """

    breaks: Exits
    continues: Exits
    source: Value | None = None
    _now: Round | None = None

    def begin_round(
        self,
        heap: Heap,
        site: Site,
        conditional: int,
        repeats: bool = False,
        count: int | None = None,
        element: Value | None = None,
    ) -> None:
        """Another round of the loop at ``site``."""
        self.continues = Exits(heap)
        began = next_serial() if repeats else 0
        self._now = Round(self, site, conditional, repeats, began, count, element)

    @property
    def now(self) -> Round:
        """The round that is being followed."""
        assert self._now is not None
        return self._now


@dataclass
class Frame:
    """A scope that is being executed."""

    context: Context
    variables: dict[str, Any]
    parent: Frame | None = None
    name: str = "<module>"
    owner: UserClass | None = None
    receiver: Value | None = None
    exits: Exits | None = None
    loops: list[Loop] = field(default_factory=list)
    #: What a generator function gave so far; None in any other function.
    yielded: Items | None = None
    #: ``Interpreter.conditional`` and ``unknown_rounds`` when it was entered.
    entered_under: tuple[int, int] = (0, 0)
    #: What is older has a lower serial; the conditions of unknown outcome under which it was entered.
    began: int = field(default_factory=next_serial)
    under: int = 0
    #: The body of the ``with`` statement that runs at its ``yield``.
    pending: Pending | None = None
    global_names: set[str] = field(default_factory=set)
    nonlocal_names: set[str] = field(default_factory=set)
    statement: cst.CSTNode | None = None
    is_class: bool = False
    #: Whether a function was made in it that can look into it when it is over.
    captured: bool = False

    def capture(self) -> None:
        """A function was made that sees this scope and those around it."""
        scope: Frame | None = self
        while scope is not None and not scope.captured:
            scope.captured = True
            scope = scope.parent

    def lookup(self, name: str) -> Value | None:
        """The local or enclosing value of a name; None when no scope up to the module binds it."""
        scope: Frame | None = self
        while scope is not None:
            if scope is self or not scope.is_class:
                value = scope.variables.get(name)
                if value is not None and value is not ABSENT:
                    return value  # type: ignore[no-any-return]
            scope = scope.parent
        return None
