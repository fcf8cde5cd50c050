"""How long a program is followed: in all, and without coming to anything that was not followed before.

The interpreter asks here how far it may go, and goes back to where a round of a loop began that brings nothing new. Must
not know what a statement means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from optlint.semantics import (
    events,
    function_events,
    loop_events,
    modes,
    registration_events,
    schedule_events,
    stopping,
    tape_events,
)
from optlint.semantics.values import (
    ABSENT,
    Choice,
    Const,
    Container,
    DictObj,
    Entries,
    Groups,
    Items,
    Obj,
    OneShot,
    next_serial,
)

if TYPE_CHECKING:
    from optlint.semantics.frame import Loop
    from optlint.semantics.interpreter import Interpreter
    from optlint.syntax import cst

#: Statements and calls followed in one run; protects against programs that unfold without end.
MAX_STEPS = 40_000
#: Those in a row in which nothing is run for the first time: what goes on like that is more of the same. (3,000 are too
#: few for two of the mistakes in the repositories of docs/accuracy.md.)
MAX_REPEATING_STEPS = 4_000
#: The same in a later round of a loop that may have any number, when the rounds before it only trained and counted: the
#: loop then ends with the round before.
MAX_LATER_STEPS = 1_500
#: How deep lists of numbers lie in each other that still count as numbers.
MAX_DEPTH = 4
#: Parts of containers and objects joined or searched in one run; protects against lists that grow in every branch, and
#: against hundreds of optimizers, each of which may hold what another one clears.
MAX_WORK = 40_000

#: What happens in each round of training alike. Anything else may be the beginning of what comes round by round, such
#: as one layer after the other that begins to train.
_ALIKE: frozenset[type] = frozenset(
    {
        events.Backward,
        events.Cleared,
        events.GradientRead,
        events.GradientsDropped,
        events.FlagRead,
        events.LossComputed,
        events.ModelCalled,
        events.OptimizerStepped,
        events.Returned,
        events.Stepped,
        events.AttributeSet,
        loop_events.Clipped,
        loop_events.LeavesCleared,
        loop_events.LossScaled,
        loop_events.SteppedByScaler,
        loop_events.Unscaled,
        registration_events.AttributeMissing,
        modes.LoopRan,
        modes.ModeSet,
        schedule_events.SchedulerStepped,
        schedule_events.ScalerUsed,
        schedule_events.StepCalled,
        schedule_events.PlainStep,
        function_events.FunctionApplied,
        function_events.FunctionCalled,
        tape_events.GradientsTaken,
        tape_events.GradientsApplied,
    }
)


class BudgetExceeded(Exception):
    """The run was longer or deeper than it may be; ``bound`` names the constant that says so."""

    def __init__(self, bound: str) -> None:
        super().__init__(bound)
        self.bound = bound


class Repetitive(BudgetExceeded):
    """The run has come to nothing new for ``MAX_REPEATING_STEPS``."""

    def __init__(self) -> None:
        super().__init__("MAX_REPEATING_STEPS")


class Pace:
    """Which statements, arguments and elements of lists a run has reached, and by which step it must reach another."""

    def __init__(self) -> None:
        self.until = MAX_REPEATING_STEPS
        self._reached: set[cst.CSTNode] = set()

    def reach(self, node: cst.CSTNode, step: int) -> None:
        """A statement is run, or a part of one that may be as long as a program."""
        if node not in self._reached:
            self._reached.add(node)
            self.allow(step)

    def allow(self, step: int) -> None:
        """Something new is met."""
        self.until = max(self.until, step + MAX_REPEATING_STEPS)


class Beginning:
    """Where a loop began; tells what its rounds have changed since."""

    def __init__(self, it: Interpreter) -> None:
        self._it = it
        self._mark, self._serial, self._events = it.heap.mark(), next_serial(), len(it.events)

    def rounds_are_alike(self) -> bool:
        """Whether nothing has happened that another round may carry on: it was trained, and numbers were counted."""
        it = self._it
        if any(type(event) not in _ALIKE for event in it.events[self._events :]):
            return False
        return all(_is_number(old, new) for _, _, old, new in it.heap.differences(self._mark, self._serial))


def _is_number(old: object, new: object) -> bool:
    """Whether what changed is a number, or a list of them, and not an object, a flag or what a list holds."""
    if old is ABSENT:
        return True
    if isinstance(old, Const) and isinstance(new, Const):
        return isinstance(old.value, (int, float)) and not isinstance(old.value, bool)
    return not any(_holds_objects(value) for value in (old, new)) and not isinstance(new, (bool, Groups))


def _holds_objects(value: object, depth: int = 0) -> bool:
    """Whether a value is more than numbers and the lists and iterators of them."""
    if isinstance(value, Container):
        value = value.items
    elif isinstance(value, DictObj):
        value = value.entries
    if isinstance(value, Items):
        return depth > MAX_DEPTH or any(_holds_objects(part, depth + 1) for part in value.values)
    if isinstance(value, Entries):
        return depth > MAX_DEPTH or any(_holds_objects(part, depth + 1) for part in value.values.values())
    if isinstance(value, Choice):
        return any(_holds_objects(option, depth + 1) for option in value.options)
    return isinstance(value, Obj) and not isinstance(value, OneShot)


class Standing:
    """What the interpreter is in the midst of when another round of a loop begins, to be gone back to.

    ``may_go_back``: the rounds so far are alike; where they are not, this one is followed however long it takes.
    """

    def __init__(self, it: Interpreter, loop: Loop, beginning: Beginning) -> None:
        """``beginning``: of the loop."""
        self._it = it
        self.may_go_back = beginning.rounds_are_alike()
        self._until = it.pace.until
        self._given = min(self._until, it.steps + MAX_LATER_STEPS) if self.may_go_back else it.max_steps
        it.pace.until = self._given
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
        if self._it.pace.until == self._given:
            self._it.pace.until = max(self._until, self._it.steps + MAX_LATER_STEPS)

    def go_back(self) -> None:
        """The round is not followed: the loop ended with the one before."""
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
