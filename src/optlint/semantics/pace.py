"""How long a program is followed: in all, and without coming to anything that was not followed before.

The interpreter counts its steps here, and goes back to where a round of a loop began that brings nothing new. Must not
know what a statement means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from optlint.semantics import stopping

if TYPE_CHECKING:
    import libcst as cst

    from optlint.semantics.frame import Loop
    from optlint.semantics.interpreter import Interpreter

#: Statements and calls followed in one run; protects against programs that unfold without end.
MAX_STEPS = 40_000
#: Those in a row that run no statement for the first time: what goes on like that is more of the same. (What the 95
#: repositories of docs/accuracy.md are found to do wrong takes up to 3,800.)
MAX_REPEATING_STEPS = 4_000
#: The same in a later round of a loop that may have any number: the loop then ends with the round before.
MAX_LATER_STEPS = 1_500
#: Parts of containers and objects joined or searched in one run; protects against lists that grow in every branch, and
#: against hundreds of optimizers, each of which may hold what another one clears.
MAX_WORK = 40_000


class BudgetExceeded(Exception):
    """The run was longer or deeper than it may be (``MAX_STEPS``, ``MAX_WORK``, ``functions.MAX_CALL_DEPTH``)."""

    bound = "MAX_STEPS"


class Repetitive(BudgetExceeded):
    """The run has come to nothing new for ``MAX_REPEATING_STEPS``."""

    bound = "MAX_REPEATING_STEPS"


class Pace:
    """Which statements a run has reached, and by which step it must have reached another."""

    def __init__(self) -> None:
        self.until = MAX_REPEATING_STEPS
        self._reached: set[cst.CSTNode] = set()

    def reach(self, statement: cst.CSTNode, step: int) -> None:
        """A statement is run."""
        if statement not in self._reached:
            self._reached.add(statement)
            self.allow(step)

    def allow(self, step: int) -> None:
        """Something new is met."""
        self.until = step + MAX_REPEATING_STEPS


class Standing:
    """What the interpreter is in the midst of, to be gone back to."""

    def __init__(self, it: Interpreter, loop: Loop) -> None:
        """``loop``: the one of which another round begins."""
        self._it = it
        self._until = it.pace.until
        self._hurried = it.pace.until = min(self._until, it.steps + MAX_LATER_STEPS)
        self._mark = it.heap.mark()
        self._events = len(it.events)
        self._frames = it.frames, len(it.frames)
        self._saved = {name: getattr(it, name) for name in _CONTEXT}
        self._branches, self._tapes = list(it.branches), list(it.recording.active)
        self._mode: Callable[[], None] = stopping.keep_mode(it)
        exits = [loop.breaks, *([it.frame.exits] if it.frame.exits is not None else [])]
        self._exits = [(way_out, way_out.count) for way_out in exits]

    def leave(self) -> None:
        """The round is over."""
        if self._it.pace.until == self._hurried:
            self._it.pace.until = self._until

    def go_back(self) -> None:
        """Nothing that was done since counts, but that it was reached."""
        it = self._it
        it.heap.rollback(self._mark)
        del it.events[self._events :]
        it.frames, depth = self._frames
        del it.frames[depth:]
        for name, value in self._saved.items():
            setattr(it, name, value)
        it.branches[:], it.recording.active[:] = self._branches, self._tapes
        self._mode()
        for way_out, count in self._exits:
            way_out.forget(count)
        it.pace.until = max(self._until, it.steps + MAX_LATER_STEPS)


_CONTEXT = (
    "conditional",
    "unknown_rounds",
    "later_rounds",
    "catching",
    "handling",
    "for_type_checkers",
    "several",
    "parameters_used",
    "pending",
    "reader",
    "raising",
)
