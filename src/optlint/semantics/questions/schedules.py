"""Schedulers that torch refuses, that hold the wrong optimizer, or that are stepped in the wrong place (OPT512).

Everything here needs evidence; a doubt is an empty answer. What a schedule makes of the rate is ``schedule_rates``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import families
from optlint.semantics.events import (
    Backward,
    MethodNamed,
    OptimizerBuilt,
    OptimizerRestored,
    OptimizerStepped,
)
from optlint.semantics.gradients import UnseenOptimizer
from optlint.semantics.libraries import optimizers
from optlint.semantics.questions.telling import argument_text, assigned_name, type_name
from optlint.semantics.schedule_events import SchedulerMade, SchedulerStepped
from optlint.semantics.values import (
    Const,
    Container,
    DictObj,
    External,
    Flow,
    Instance,
    Leaf,
    LibraryClass,
    OneShot,
    Optimizer,
    Scheduler,
    UserClass,
    Value,
    options,
)

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.site import Site

#: These hold other schedulers, and say so in errors of their own.
_COMPOSED = frozenset({"SequentialLR", "ChainedScheduler"})


@dataclass(frozen=True)
class Misused:
    """A mistake with a scheduler: ``kind`` of it, at ``site``.

    ``scheduler`` and ``optimizer``: how the user names them; ``detail``: what the message needs besides;
    ``places``: related places with their labels.
    """

    site: Site
    kind: str
    scheduler: str
    optimizer: str = ""
    detail: str = ""
    places: tuple[tuple[Site, str], ...] = ()


@dataclass(frozen=True)
class InPlace:
    """A scheduler that is stepped where its optimizer should be, which never is."""

    step: SchedulerStepped
    optimizer: Optimizer
    backward: Backward


def scheduler_name(scheduler: Scheduler) -> str:
    """How messages name a scheduler: its variable, else its class."""
    return (scheduler.site and assigned_name(scheduler.site)) or scheduler.name


def optimizer_name(optimizer: Optimizer) -> str:
    """How messages name an optimizer: its variable, else its class."""
    return (optimizer.site and assigned_name(optimizer.site)) or optimizer.cls_name


def steps_of(run: Run, scheduler: Scheduler) -> list[SchedulerStepped]:
    """Where a scheduler is stepped."""
    return [event for event in run.of(SchedulerStepped) if event.scheduler is scheduler]


# -- what raises -------------------------------------------------------------------------------------------------------


def refused_schedulers(run: Run) -> Iterator[Misused]:
    """Schedulers that cannot be made as they are called, and steps that raise or take a loss for an epoch."""
    seen: set[Site] = set()
    for event in run.events:
        found: Misused | None = None
        if isinstance(event, SchedulerMade) and not event.guarded and event.scheduler.exact:
            found = _refused(run, event)
        elif isinstance(event, SchedulerStepped) and not event.guarded and event.scheduler.exact:
            found = _misstepped(run, event)
        if found is not None and found.site not in seen:
            seen.add(found.site)
            yield found


def _refused(run: Run, made: SchedulerMade) -> Misused | None:
    scheduler = made.scheduler
    name = scheduler.name
    if made.given is not None and name not in _COMPOSED:
        wrong = [_no_optimizer(run, option) for option in options(made.given)]
        if wrong and all(wrong):
            text = argument_text(made.site) if not name.startswith("get_scheduler") else ""
            return Misused(made.site, "no-optimizer", name, detail=f"{wrong[0]}|{text}")
    foreign = _foreign(made)
    if foreign is not None:
        return foreign
    last = made.settings.get("last_epoch")
    optimizer = scheduler.optimizer
    number = last.value if isinstance(last, Const) else None
    fresh = optimizer is not None and not made.resumed and "#of_torch" in optimizer.slots
    if fresh and isinstance(number, int) and number >= 0 and not isinstance(number, bool) and optimizer:
        if not any(e.optimizer is optimizer for e in run.of(OptimizerRestored)):
            return Misused(made.site, "last-epoch", name, optimizer_name(optimizer), str(number))
    return None


def _foreign(made: SchedulerMade) -> Misused | None:
    """``SequentialLR(a, [StepLR(b), …])``: schedulers of different optimizers."""
    inner = made.settings.get("schedulers")
    if made.scheduler.name not in _COMPOSED or not isinstance(inner, Container):
        return None
    parts = [part for part in inner.items.values if isinstance(part, Scheduler) and part.optimizer]
    expected = made.given if isinstance(made.given, Optimizer) else parts[0].optimizer if parts else None
    for part in parts:
        if expected is not None and part.optimizer is not None and part.optimizer is not expected:
            places = ((part.site, f"made for `{optimizer_name(part.optimizer)}`"),) if part.site else ()
            name = scheduler_name(part)
            return Misused(made.site, "foreign", made.scheduler.name, optimizer_name(expected), name, places)
    return None


def _no_optimizer(run: Run, value: Value) -> str:
    """The type's name of what is certainly no optimizer; empty for anything else."""
    if isinstance(value, External):
        return "type" if optimizers.optimizer_class(value.name) else ""
    if isinstance(value, Instance):
        if families.is_module(run.interpreter, value):
            return type_name(value) or value.cls.name
        plain = isinstance(value.cls, UserClass) and not value.cls.library_bases()
        return value.cls.name if plain and not _is_open(value.cls) else ""
    if isinstance(value, (OneShot, Container, DictObj, Const, UserClass, LibraryClass)):
        return type_name(value)
    return ""


def _is_open(cls: UserClass | LibraryClass) -> bool:
    return not isinstance(cls, UserClass) or cls.has_unknown_base()


_MEASURE = regex(r"loss|acc\b|accuracy|score|metric", re.IGNORECASE)


def _misstepped(run: Run, event: SchedulerStepped) -> Misused | None:
    scheduler, arguments = event.scheduler, event.arguments
    others = {e.scheduler.site for e in run.of(SchedulerStepped) if e.site == event.site}
    if arguments.open or len(others) > 1 or id(scheduler) in run.interpreter.book.rewired:
        return None
    given = arguments.all_values()
    places = ((scheduler.site, "made here"),) if scheduler.site else ()
    name = _receiver(event) or scheduler_name(scheduler)
    if scheduler.name == "ReduceLROnPlateau":
        missing = not arguments.positional and "metrics" not in arguments.keywords
        steps = steps_of(run, scheduler)
        if event.conditional and any(e.arguments.all_values() or e.arguments.open for e in steps):
            return None  # another branch gives it one
        return Misused(event.site, "metrics", name, places=places) if missing else None
    if not given:
        return None
    if scheduler.name in _COMPOSED:
        return Misused(event.site, "argument", name, detail=scheduler.name, places=places)
    text = argument_text(event.site)
    computed = isinstance(given[0], Flow) and bool(given[0].deps or given[0].cuts)  # a sum of counts is none
    measured = computed or isinstance(given[0], Leaf)
    measured = measured or (not isinstance(given[0], Const) and _MEASURE.search(text) is not None)
    return Misused(event.site, "loss", name, "", f"{scheduler.name}|{text}", places) if measured else None


def _receiver(event: SchedulerStepped) -> str:
    """What stands before ``.step(``, if it is short."""
    owner, found, _ = event.site.text().partition(".step(")
    return owner if found and len(owner) <= 30 and owner.replace(".", "").replace("_", "").isalnum() else ""


# -- which optimizer ---------------------------------------------------------------------------------------------------


def stepped_in_place(run: Run) -> Iterator[InPlace]:
    """Schedulers that are stepped once after each backward pass of an optimizer that no step ever follows."""
    if not run.complete:
        return
    stepped = _stepped(run)
    if stepped is None:
        return
    named = {id(event.receiver) for event in run.of(MethodNamed)}
    for made in run.of(SchedulerMade):
        scheduler, optimizer = made.scheduler, made.scheduler.optimizer
        if optimizer is None or id(optimizer) in stepped | named or not _is_ours(run, optimizer):
            continue
        held = run.held_by(optimizer)
        if not held or held & run.updated_by_hand or held & run.touched:
            continue
        if any(held & run.held_by(event.optimizer) for event in run.of(OptimizerStepped)):
            continue  # another one trains them
        backward = _takes_turns(run, scheduler, optimizer)
        if backward is not None:
            yield InPlace(steps_of(run, scheduler)[0], optimizer, backward)


def _takes_turns(run: Run, scheduler: Scheduler, optimizer: Optimizer) -> Backward | None:
    """The backward pass that each step of the scheduler follows, in every round."""
    held = run.held_by(optimizer)
    turns: list[str] = []
    first: Backward | None = None
    for event in run.events:
        if isinstance(event, Backward) and event.reached & held:
            turns.append("backward")
            first = first or event
        elif isinstance(event, SchedulerStepped) and event.scheduler is scheduler and event.rounds:
            turns.append("step")
    alternate = turns == ["backward", "step"] * (len(turns) // 2)
    return first if alternate and len(turns) >= 4 else None


def _stepped(run: Run) -> set[int] | None:
    """The identities of the optimizers that are stepped; None where something else may be one."""
    from optlint.semantics.events import Stepped

    found: set[int] = set()
    for event in run.of(Stepped):
        if isinstance(event.subject, UnseenOptimizer):
            return None
        found.add(id(event.subject))
    return found


def _is_ours(run: Run, optimizer: Optimizer) -> bool:
    """Whether all that is done with an optimizer is seen."""
    return id(optimizer) not in run.interpreter.book.handed_out and not optimizer.groups.open


def wrong_optimizers(run: Run) -> Iterator[Misused]:
    """Schedulers in the optimizer's place, and those that hold another optimizer than the one that is stepped."""
    for turn in run.ask(stepped_in_place):
        place = (turn.backward.site, "gradients are computed here")
        name = _receiver(turn.step) or scheduler_name(turn.step.scheduler)
        yield Misused(turn.step.site, "in-place", name, optimizer_name(turn.optimizer), places=(place,))
    if run.complete:
        yield from _of_another(run)
        yield from _twice_on_one(run)


def _of_another(run: Run) -> Iterator[Misused]:
    """The optimizer was built anew after its scheduler: the one that steps has none."""
    from optlint.semantics.questions.stepping import never_stepped

    stepped = _stepped(run)
    if stepped is None:
        return
    forgotten = {fact.site for fact in run.ask(never_stepped)}
    scheduled = _scheduled(run)
    for made in run.of(SchedulerMade):
        scheduler, old = made.scheduler, made.scheduler.optimizer
        steps = steps_of(run, scheduler)
        if old is None or not steps or id(old) in stepped or not _is_ours(run, old) or old.site in forgotten:
            continue
        if id(scheduler) in run.interpreter.book.rewired:
            continue
        new = next((b for b in run.of(OptimizerBuilt) if _takes_over(run, b, old, steps, scheduled)), None)
        if new is not None and old.site is not None:
            used = optimizer_name(new.optimizer)
            places = (
                (old.site, "the optimizer that it holds"),
                (new.site, "the one that is stepped"),
            )
            yield Misused(made.site, "another", scheduler_name(scheduler), used, old.cls_name, places)


def _scheduled(run: Run) -> set[int]:
    """Optimizers that some scheduler holds or may hold."""
    found = {id(made.scheduler.optimizer) for made in run.of(SchedulerMade) if made.scheduler.optimizer}
    for made in run.of(SchedulerMade):
        if made.scheduler.optimizer is None and made.given is not None:
            found |= {id(option) for option in options(made.given)}
    return found


def _takes_over(
    run: Run, built: OptimizerBuilt, old: Optimizer, steps: list[SchedulerStepped], scheduled: set[int]
) -> bool:
    """Whether an optimizer is stepped in the same loop as the scheduler, over what the scheduler's was built for."""
    new = built.optimizer
    if new is old or id(new) in scheduled or not _is_ours(run, new):
        return False
    same = bool(run.held_by(new) & run.held_by(old))
    if not same and old.site is not None:
        text = argument_text(built.site)
        same = bool(text) and text == argument_text(old.site)
    loops = {id(one.loop) for step in steps for one in step.rounds}
    return same and any(
        event.optimizer is new and any(id(one.loop) in loops for one in event.rounds)
        for event in run.of(OptimizerStepped)
    )


def _twice_on_one(run: Run) -> Iterator[Misused]:
    """Two schedulers of a kind on one of two optimizers, none on the other: copied and not changed."""
    made = [event for event in run.of(SchedulerMade) if event.scheduler.optimizer is not None]
    book, scheduled = run.interpreter.book, _scheduled(run)
    for index, second in enumerate(made):
        optimizer = second.scheduler.optimizer
        for first in made[:index]:
            alike = first.scheduler.name == second.scheduler.name and first.scheduler.optimizer is optimizer
            if not alike or first.site == second.site or optimizer is None or first.conditional:
                continue
            if second.conditional or {id(first.scheduler), id(second.scheduler)} & (
                book.scheduled | book.rewired
            ):
                continue
            if not steps_of(run, first.scheduler) or not steps_of(run, second.scheduler):
                continue
            other = _the_other(run, optimizer, scheduled)
            if other is None or other.site is None:
                continue
            wrong = _meant_for(first, second, other, optimizer)
            place = (other.site, "no scheduler holds this one")
            name, wanted = scheduler_name(wrong.scheduler), optimizer_name(other)
            yield Misused(wrong.site, "twice", name, optimizer_name(optimizer), wanted, (place,))


def _the_other(run: Run, optimizer: Optimizer, scheduled: set[int]) -> Optimizer | None:
    """The second of exactly two optimizers that are stepped, if no scheduler holds it."""
    stepped = {id(event.optimizer): event.optimizer for event in run.of(OptimizerStepped)}
    if len(stepped) != 2 or id(optimizer) not in stepped:
        return None
    other = next(o for key, o in stepped.items() if key != id(optimizer))
    return None if id(other) in scheduled or not _is_ours(run, other) else other


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.split(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])", name) if word}


def _meant_for(
    first: SchedulerMade, second: SchedulerMade, other: Optimizer, held: Optimizer
) -> SchedulerMade:
    """Which of two schedulers was meant for ``other``: by its name, else the later one."""
    own = _words(optimizer_name(other)) - _words(optimizer_name(held))
    return first if own & _words(scheduler_name(first.scheduler)) else second
