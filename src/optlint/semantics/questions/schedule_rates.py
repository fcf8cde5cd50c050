"""What schedules make of the rate: zero for good, counted in the wrong unit, started anew, never moved (OPT512).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import regex
from optlint.semantics import calls
from optlint.semantics.events import Backward, OptimizerBuilt, OptimizerStepped
from optlint.semantics.frame import Frame
from optlint.semantics.libraries.schedulers import SIGNATURES, untouched_groups
from optlint.semantics.pace import BudgetExceeded
from optlint.semantics.questions.schedules import (
    Misused,
    optimizer_name,
    refused_schedulers,
    scheduler_name,
    steps_of,
    wrong_optimizers,
)
from optlint.semantics.questions.telling import assigned_name, short
from optlint.semantics.schedule_events import SchedulerMade, SchedulerStepped
from optlint.semantics.values import Arguments, Const, Container, Function, Value
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.frame import Round
    from optlint.semantics.program import Run
    from optlint.semantics.site import Site

#: Steps at which a factor is looked at where their number is not known.
_PROBES = (0, 1, 2, 3, 5, 10, 25, 50, 100, 300, 1_000, 10_000, 100_000, 1_000_000)
#: These multiply the rate that the optimizer was built with.
_MULTIPLY = frozenset(
    """
    ConstantLR ExponentialLR LambdaLR LinearLR MultiStepLR MultiplicativeLR PolynomialLR StepLR ReduceLROnPlateau
    get_constant_schedule get_constant_schedule_with_warmup get_cosine_schedule_with_warmup
    get_linear_schedule_with_warmup get_inverse_sqrt_schedule
    """.split()
)
#: What is multiplied with the rate at each drop.
_DROPS = {"StepLR": "gamma", "ExponentialLR": "gamma", "MultiStepLR": "gamma", "ReduceLROnPlateau": "factor"}
#: How long the whole schedule is, in steps of the scheduler.
_LENGTHS = {
    "CosineAnnealingLR": "T_max",
    "OneCycleLR": "total_steps",
    "PolynomialLR": "total_iters",
    "get_cosine_schedule_with_warmup": "num_training_steps",
    "get_cosine_with_hard_restarts_schedule_with_warmup": "num_training_steps",
    "get_linear_schedule_with_warmup": "num_training_steps",
    "get_polynomial_decay_schedule_with_warmup": "num_training_steps",
    "get_scheduler": "num_training_steps",
}
#: Begun anew, these start over, or go another way than they would.
_START_OVER = frozenset(
    """
    ConstantLR CosineAnnealingLR CosineAnnealingWarmRestarts CyclicLR LambdaLR LinearLR MultiStepLR OneCycleLR
    PolynomialLR ReduceLROnPlateau StepLR get_cosine_schedule_with_warmup get_linear_schedule_with_warmup
    get_constant_schedule_with_warmup get_polynomial_decay_schedule_with_warmup
    """.split()
)


def odd_schedules(run: Run) -> Iterator[Misused]:
    """One fact for each schedule that does not do what it is for."""
    refused = {fact.site for fact in (*run.ask(refused_schedulers), *run.ask(wrong_optimizers))}
    seen: set[Site] = set()
    for fact in _all(run):
        if fact.site not in refused | seen:
            seen.add(fact.site)
            yield fact


def _all(run: Run) -> Iterator[Misused]:
    yield from _zero_rates(run)
    made = [event for event in run.of(SchedulerMade) if event.scheduler.exact]
    wrong = {fact.scheduler for fact in run.ask(wrong_optimizers)}
    for event in made:
        steps = [] if _is_changed(run, event) else steps_of(run, event.scheduler)
        found = _made_zero(run, event, steps) or _too_long(event, steps) or _other_unit(run, event, steps)
        found = found or _early(run, event, steps)
        if found is None and run.complete and scheduler_name(event.scheduler) not in wrong:
            found = _never_stepped(run, event)
        if found is not None:
            yield found
    yield from _begun_anew(run, made)


def _is_changed(run: Run, made: SchedulerMade) -> bool:
    return id(made.scheduler) in run.interpreter.book.rewired


def _number(value: Value | None) -> float | None:
    if (
        isinstance(value, Const)
        and isinstance(value.value, (int, float))
        and not isinstance(value.value, bool)
    ):
        return value.value
    return None


# -- a rate of zero ----------------------------------------------------------------------------------------------------


def _zero_rates(run: Run) -> Iterator[Misused]:
    """``SGD(…, lr=0)`` that is stepped, and nothing gives it another rate."""
    stepped = {id(event.optimizer) for event in run.of(OptimizerStepped) if event.rounds}
    for built in run.of(OptimizerBuilt):
        optimizer = built.optimizer
        if not built.signature or id(optimizer) not in stepped or not run.complete:
            continue
        if id(optimizer) in run.interpreter.book.handed_out or "#param_groups" in optimizer.slots:
            continue
        groups = optimizer.groups
        default = built.settings.get("lr")
        rates = [_number(group.settings.get("lr", default)) for group in groups.groups]
        if not rates or any(rate != 0 or rate is None for rate in rates) or not untouched_groups(groups):
            continue
        schedules = [m for m in run.of(SchedulerMade) if m.scheduler.optimizer in (optimizer, None)]
        if all(m.scheduler.exact and m.scheduler.name in _MULTIPLY for m in schedules):
            yield Misused(built.site, "lr-zero", "", optimizer_name(optimizer))


def _made_zero(run: Run, made: SchedulerMade, steps: list[SchedulerStepped]) -> Misused | None:
    name = made.scheduler.name
    if not steps or any(step.arguments.all_values() for step in steps if name != "ReduceLROnPlateau"):
        return None
    drop = _DROPS.get(name, "")
    if drop and _number(made.settings.get(drop)) == 0:
        return Misused(made.site, "drop-zero", name, detail=drop)
    if name == "get_linear_schedule_with_warmup":
        lengths = [_number(made.settings.get(f"num_{key}_steps")) for key in ("training", "warmup")]
        return Misused(made.site, "length-zero", name) if lengths == [0, 0] else None
    if name not in ("LambdaLR", "MultiplicativeLR") or not made.sure:
        return None
    total = _total(made, steps)
    given = made.settings.get("lr_lambda")
    functions = given.items.values if isinstance(given, Container) and not given.items.open else (given,)
    first = 1 if name == "MultiplicativeLR" else 0
    if functions and all(_is_zero(run, function, total, first) for function in functions):
        return Misused(made.site, "factor-zero", name, detail=str(total or ""))
    return None


def _total(made: SchedulerMade, steps: list[SchedulerStepped]) -> int | None:
    """How often a scheduler is stepped at most; None when that is not known."""
    counts = {step.site: _count(made, step) for step in steps}
    known = [count for count in counts.values() if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _inner(made: SchedulerMade, step: SchedulerStepped) -> tuple[Round, ...]:
    """The rounds of loops around a step that began after the scheduler was made."""
    outer = {id(one.loop) for one in made.rounds}
    return tuple(one for one in step.rounds if id(one.loop) not in outer)


def _count(made: SchedulerMade, step: SchedulerStepped) -> int | None:
    counts = [one.count for one in _inner(made, step)]
    return math.prod(count for count in counts if count is not None) if None not in counts else None


def _is_zero(run: Run, function: Value | None, total: int | None, first: int) -> bool:
    """Whether a factor is zero at each step that is taken."""
    if not isinstance(function, Function):
        return False
    probes = [at for at in _PROBES if total is None or at < total] + ([total - 1] if total else [])
    return all(_number(_called(run, function, at + first)) == 0 for at in probes)


def _called(run: Run, function: Function, argument: int) -> Value | None:
    """What a function of the user's gives for a number; nothing that it does stays."""
    it = run.interpreter
    mark, saved = it.heap.mark(), it.events
    it.events = []
    it.frames.append(Frame(function.context, {}))
    try:
        return calls.call(it, function, Arguments((Const(argument),)), function.node)
    except (BudgetExceeded, RecursionError):
        return None
    finally:
        it.frames.pop()
        it.heap.rollback(mark)
        it.events = saved


# -- the wrong unit ----------------------------------------------------------------------------------------------------


def _too_long(made: SchedulerMade, steps: list[SchedulerStepped]) -> Misused | None:
    """``OneCycleLR`` that is certainly stepped more often than it has steps."""
    if made.scheduler.name != "OneCycleLR" or not made.sure:
        return None
    total = _number(made.settings.get("total_steps"))
    if total is None:
        parts = [_number(made.settings.get(key)) for key in ("epochs", "steps_per_epoch")]
        total = parts[0] * parts[1] if parts[0] is not None and parts[1] is not None else None
    if total is None or total <= 0 or not steps:
        return None
    certain = {s.site: _count(made, s) for s in steps if not s.guarded and _is_certain(made, s)}
    taken = sum(count for count in certain.values() if count is not None)
    if taken > total:
        place = (next(iter(certain)), f"stepped {taken} times")
        return Misused(
            made.site, "too-long", scheduler_name(made.scheduler), "", f"{int(total)}|{taken}", (place,)
        )
    return None


def _is_certain(made: SchedulerMade, step: SchedulerStepped) -> bool:
    """Whether a step is taken in each round of each loop, none of which ends early."""
    inner = _inner(made, step)
    unconditional = not step.conditional and all(one.conditional == 0 for one in inner)
    return unconditional and not any(one.loop.breaks.used or one.loop.continues.used for one in inner)


_EPOCHS = regex(r"epochs?$", re.IGNORECASE)
_A_NAME = regex(r"[A-Za-z_][\w.]*$|[A-Za-z_][\w.]*\[['\"]\w+['\"]\]$")


def _other_unit(run: Run, made: SchedulerMade, steps: list[SchedulerStepped]) -> Misused | None:
    """A length in epochs of what is stepped for each batch, or in batches of what is stepped for each epoch."""
    name = made.scheduler.name
    key = _LENGTHS.get(name, "")
    if name == "OneCycleLR" and "total_steps" not in made.settings:
        key = "steps_per_epoch"
    plain = [
        step for step in steps if step.each_round and not step.arguments.all_values() and _inner(made, step)
    ]
    text = _text(made, key)
    if not plain or len({step.site for step in steps}) > 1 or not text:
        return None
    loops = _inner(made, plain[0])
    if (
        key != "steps_per_epoch"
        and len(loops) > 1
        and _is_in_epochs(text, loops)
        and not _one_round(loops[-1])
    ):
        return _unit("epochs", made, plain[0], key, text, loops[-1])
    loader = re.search(r"\blen\(\s*([\w.]+)\s*\)", _spelt_out(made, text))
    if loader is None or len(loops) != 1:
        return None
    inner = _loop_over(run, made, loader[1], loops)
    return _unit("batches", made, plain[0], key, text, inner) if inner is not None else None


def _unit(
    kind: str, made: SchedulerMade, step: SchedulerStepped, key: str, text: str, loop: Round
) -> Misused:
    over = "per batch" if kind == "epochs" else "once per epoch"
    places = ((step.site, f"stepped {over}"), (loop.site, "the loop over the batches"))
    return Misused(made.site, kind, made.scheduler.name, detail=f"{key}|{text}", places=places)


def _one_round(one: Round) -> bool:
    return one.count == 1


def _text(made: SchedulerMade, key: str) -> str:
    """The source of an argument of the call that made a scheduler."""
    node = made.site.node
    if not key or not isinstance(node, cst.Call) or any(argument.star for argument in node.args):
        return ""
    signature = SIGNATURES.get(made.scheduler.name, ())
    position = signature.index(key) if key in signature else -1
    for index, argument in enumerate(node.args):
        named = argument.keyword is not None and argument.keyword.value == key
        if named or (argument.keyword is None and index == position):
            return short(made.site.part.code(argument.value))
    return ""


def _is_in_epochs(text: str, loops: tuple[Round, ...]) -> bool:
    """Whether a length is just the number of epochs: by its name, or as the outer loop counts to it."""
    if not _A_NAME.match(text):
        return False
    if _EPOCHS.search(text.rstrip("'\"]")):
        return True
    outer = loops[-2].site
    if not isinstance(outer.node, cst.For):
        return False
    over = " ".join(outer.part.code(outer.node.iter).split())
    return re.search(rf"range\((?:[\w.]+, ?)?{re.escape(text)}(?: ?\+ ?1)?\)", over) is not None


def _spelt_out(made: SchedulerMade, text: str) -> str:
    """The source of an argument, with what is assigned to a name where that is done once in the file."""
    if not text.isidentifier():
        return text
    module = made.site.part.module.text
    found = re.findall(rf"^[ \t]*{text}[ \t]*=[ \t]*(.+)$", module, re.MULTILINE)
    return found[0] if len(found) == 1 else text


def _loop_over(run: Run, made: SchedulerMade, loader: str, loops: tuple[Round, ...]) -> Round | None:
    """A loop over ``loader`` inside of the one that steps the scheduler, in which its optimizer is stepped."""
    for event in run.of(OptimizerStepped):
        if event.optimizer is not made.scheduler.optimizer or not event.rounds:
            continue
        last = event.rounds[-1]
        inside = any(one.loop is loops[-1].loop for one in event.rounds[:-1])
        if not inside or not isinstance(last.site.node, cst.For) or _one_round(last):
            continue
        over = " ".join(last.site.part.code(last.site.node.iter).split())
        if re.search(rf"(?<![\w.]){re.escape(loader)}(?![\w.])", over):
            return last
    return None


# -- too early, never, anew --------------------------------------------------------------------------------------------


def _early(run: Run, made: SchedulerMade, steps: list[SchedulerStepped]) -> Misused | None:
    """The first step of a scheduler comes before the first one of its optimizer, in the same round."""
    optimizer = made.scheduler.optimizer
    if optimizer is None or not steps or made.scheduler.name == "ReduceLROnPlateau" or made.conditional:
        return None
    first = steps[0]
    if first.conditional or not first.rounds or first.arguments.all_values() or first.arguments.open:
        return None
    if id(optimizer) in run.interpreter.book.handed_out or not any(run.of(Backward)):
        return None
    if first.scheduler.slots.get("#composed") or "last_epoch" in made.settings:
        return None
    for event in run.events:
        if isinstance(event, OptimizerStepped) and event.optimizer is optimizer:
            return None
        if event is first:
            break
    if any(one.conditional for one in first.rounds):
        return None
    after = [e for e in run.of(OptimizerStepped) if e.optimizer is optimizer]
    if not any(len(e.rounds) >= len(first.rounds) and _same_round(e.rounds, first.rounds) for e in after):
        return None
    place = (after[0].site, "the optimizer steps here")
    return Misused(
        first.site, "early", scheduler_name(made.scheduler), optimizer_name(optimizer), places=(place,)
    )


def _same_round(inner: tuple[Round, ...], outer: tuple[Round, ...]) -> bool:
    return all(one is other for one, other in zip(inner, outer, strict=False))


def _never_stepped(run: Run, made: SchedulerMade) -> Misused | None:
    """A scheduler that a script makes, gives a name, and forgets, while its optimizer trains."""
    scheduler, optimizer = made.scheduler, made.scheduler.optimizer
    if run.root != "<module>" or optimizer is None or made.conditional or made.guarded:
        return None
    name = assigned_name(made.site)
    if not name or id(scheduler) in run.interpreter.book.scheduled or steps_of(run, scheduler):
        return None
    trained = [e for e in run.of(OptimizerStepped) if e.optimizer is optimizer and e.rounds]
    if not trained or id(optimizer) in run.interpreter.book.handed_out:
        return None
    last = name.rsplit(".", 1)[-1]
    other_use = re.compile(
        rf"(?<!optim\.)(?<!import )\b{last}\b(?!\s*=[^=]|\.(?:get_|state_dict|last_epoch|print_lr))"
    )
    if any(other_use.search(source.text) for source in run.interpreter.sources.values()):
        return None  # stepped, or handed on, in code that was not followed
    return Misused(made.site, "forgotten", name, optimizer_name(optimizer))


def _begun_anew(run: Run, made: list[SchedulerMade]) -> Iterator[Misused]:
    """A scheduler that each round of a loop makes, for one and the same optimizer, and steps once."""
    for index, event in enumerate(made):
        scheduler, optimizer = event.scheduler, event.scheduler.optimizer
        if not event.rounds or not event.each_round or optimizer is None or scheduler.name not in _START_OVER:
            continue
        if "last_epoch" in event.settings or _is_changed(run, event) or not event.sure:
            continue
        if scheduler.name == "StepLR" and _number(event.settings.get("step_size")) in (None, 1):
            continue
        steps = steps_of(run, scheduler)
        if len(steps) != 1 or steps[0].rounds != event.rounds:
            continue
        if any(_is_next(event, other) for other in made[index + 1 :]):
            place = (event.rounds[-1].site, "each round of this loop makes one")
            yield Misused(event.site, "anew", scheduler.name, optimizer_name(optimizer), places=(place,))


def _is_next(event: SchedulerMade, other: SchedulerMade) -> bool:
    """Whether ``other`` is the same call in a later round of the same loop."""
    if other.site != event.site or other.scheduler.optimizer is not event.scheduler.optimizer:
        return False
    return bool(other.rounds) and other.rounds[-1].loop is event.rounds[-1].loop
