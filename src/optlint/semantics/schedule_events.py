"""What happened around learning-rate schedulers, gradient scalers and closures, besides the events in ``events``.

The interpreter records; the questions about schedules, scalers and closures ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics.events import Backward, Event, ModelCalled
from optlint.semantics.values import Arguments, Instance, Leaf, Optimizer, Scheduler, Value

if TYPE_CHECKING:
    from optlint.semantics.frame import Round
    from optlint.semantics.gradients import Gradients, Subject
    from optlint.semantics.scaling import Marks, Scaling


@dataclass(frozen=True)
class SchedulerMade(Event):
    """A scheduler was made. ``given``: what stands where its optimizer is expected (None: nothing).

    ``settings``: its other arguments by name; ``sure``: there are no others; ``resumed``: the optimizer may have a
    schedule's marks already; ``guarded``: an error here is expected; ``each_round``: each round of the innermost loop
    makes one.
    """

    scheduler: Scheduler
    given: Value | None
    settings: Mapping[str, Value]
    sure: bool
    resumed: bool
    guarded: bool
    rounds: tuple[Round, ...] = ()
    each_round: bool = False


@dataclass(frozen=True)
class SchedulerStepped(Event):
    """``scheduler.step(…)``; ``inside``: how many branches of the innermost round are open."""

    scheduler: Scheduler
    arguments: Arguments
    rounds: tuple[Round, ...] = ()
    each_round: bool = False
    guarded: bool = False


@dataclass(frozen=True)
class ScalerMade(Event):
    """A gradient scaler was made; ``enabled``: whether it scales at all (None: not known)."""

    scaler: Instance
    enabled: bool | None
    rounds: tuple[Round, ...] = ()
    each_round: bool = False


@dataclass(frozen=True)
class ScalerUsed(Event):
    """A method of a scaler was called, on ``subject`` where that is an optimizer.

    ``before`` and ``marks``: where the scaler was, and what the optimizer's gradients were; ``dropped``: the statement
    is nothing but this call.
    """

    scaler: Instance
    method: str
    arguments: Arguments
    subject: Subject | None
    before: Scaling
    marks: Marks
    dropped: bool
    rounds: tuple[Round, ...] = ()
    guarded: bool = False


@dataclass(frozen=True)
class PlainStep(Event):
    """An optimizer was stepped by itself in a program that has a scaler; ``marks``: what its gradients were."""

    subject: Subject
    marks: Marks


@dataclass(frozen=True)
class StepCalled(Event):
    """``optimizer.step(closure)`` (None: it is given nothing), and what the closure did when it was called.

    ``more``: there may be other arguments, or it may be another optimizer; ``called``: it is a function that was
    followed; ``before`` and ``after``: the gradients around it, where they count as used before if it is called again
    and again; ``used``: the leaves that something was computed of in it; ``each_round``: in each round of
    the innermost loop.
    """

    optimizer: Optimizer
    closure: Value | None
    more: bool
    called: bool
    result: Value
    before: Gradients
    after: Gradients
    backwards: tuple[Backward, ...] = ()
    forwards: tuple[ModelCalled, ...] = ()
    used: frozenset[Leaf] = frozenset()
    guarded: bool = False
    each_round: bool = True
