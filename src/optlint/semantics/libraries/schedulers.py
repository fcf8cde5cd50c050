"""Learning-rate schedulers: what their arguments are called, what they hold, and when they are stepped.

``torch_calls`` and ``calls`` hand them here; the questions about schedules read what is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from optlint.semantics.libraries import optimizers
from optlint.semantics.schedule_events import SchedulerMade, SchedulerStepped
from optlint.semantics.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Container,
    DictObj,
    External,
    Function,
    Groups,
    Instance,
    Method,
    Optimizer,
    Scheduler,
    UserClass,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_WARMUP = "optimizer num_warmup_steps num_training_steps"
#: The positional arguments of each, from torch 2.13 and transformers 5.
SIGNATURES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        name: tuple(arguments.split())
        for name, arguments in {
            "ChainedScheduler": "schedulers optimizer",
            "ConstantLR": "optimizer factor total_iters last_epoch",
            "CosineAnnealingLR": "optimizer T_max eta_min last_epoch",
            "CosineAnnealingWarmRestarts": "optimizer T_0 T_mult eta_min last_epoch",
            "CyclicLR": (
                "optimizer base_lr max_lr step_size_up step_size_down mode gamma scale_fn scale_mode"
                " cycle_momentum base_momentum max_momentum last_epoch"
            ),
            "ExponentialLR": "optimizer gamma last_epoch",
            "LRScheduler": "optimizer last_epoch",
            "LambdaLR": "optimizer lr_lambda last_epoch",
            "LinearLR": "optimizer start_factor end_factor total_iters last_epoch",
            "MultiStepLR": "optimizer milestones gamma last_epoch",
            "MultiplicativeLR": "optimizer lr_lambda last_epoch",
            "OneCycleLR": (
                "optimizer max_lr total_steps epochs steps_per_epoch pct_start anneal_strategy cycle_momentum"
                " base_momentum max_momentum div_factor final_div_factor three_phase last_epoch"
            ),
            "PolynomialLR": "optimizer total_iters power last_epoch",
            "ReduceLROnPlateau": (
                "optimizer mode factor patience threshold threshold_mode cooldown min_lr eps"
            ),
            "SWALR": "optimizer swa_lr anneal_epochs anneal_strategy last_epoch",
            "SequentialLR": "optimizer schedulers milestones last_epoch",
            "StepLR": "optimizer step_size gamma last_epoch",
            "_LRScheduler": "optimizer last_epoch",
            "get_constant_schedule": "optimizer last_epoch",
            "get_constant_schedule_with_warmup": "optimizer num_warmup_steps last_epoch",
            "get_cosine_schedule_with_warmup": f"{_WARMUP} num_cycles last_epoch",
            "get_cosine_with_hard_restarts_schedule_with_warmup": f"{_WARMUP} num_cycles last_epoch",
            "get_inverse_sqrt_schedule": "optimizer num_warmup_steps timescale last_epoch",
            "get_linear_schedule_with_warmup": f"{_WARMUP} last_epoch",
            "get_polynomial_decay_schedule_with_warmup": f"{_WARMUP} lr_end power last_epoch",
            "get_scheduler": f"name {_WARMUP}",
        }.items()
    }
)

#: Attributes that are no methods.
_STATE = frozenset({"base_lrs", "last_epoch", "num_bad_epochs", "best", "T_max", "gamma", "total_steps"})
_KEPT = "#scheduler"


def make(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Scheduler:
    """``StepLR(optimizer, …)``, ``get_linear_schedule_with_warmup(optimizer, …)``."""
    short = name.rsplit(".", 1)[-1]
    signature = SIGNATURES.get(short, ("optimizer",))
    settings = dict(zip(signature, arguments.positional, strict=False))
    settings.update(arguments.keywords)
    given = settings.pop("optimizer", None)
    if given is None and short == "ChainedScheduler":
        given = _common_optimizer(settings.get("schedulers"))
    held = tuple(option for option in options(given or UNKNOWN) if isinstance(option, Optimizer))
    sole = held[0] if len(held) == 1 and given is held[0] else None
    exact = name.startswith(("torch.optim.lr_scheduler.", "torch.optim.swa_utils.", "transformers."))
    it.schedulers_made = True
    scheduler = Scheduler(short, sole, it.site(node), exact=exact and short in SIGNATURES)
    rounds = it.rounds()
    always = bool(rounds) and rounds[-1].conditional == it.conditional
    for inner in _within(settings.values()):
        it.book.scheduled.add(id(inner))
    it.record(
        SchedulerMade(
            it.site(node),
            bool(it.conditional),
            scheduler,
            given,
            settings,
            not arguments.open,
            any(_is_marked(optimizer) for optimizer in held) or not held,
            it.catching > 0,
            rounds,
            always,
        )
    )
    for optimizer in held:
        it.heap.set(optimizer.slots, _KEPT, True)
    return scheduler


def _common_optimizer(schedulers: Value | None) -> Value | None:
    """The optimizer that all of some schedulers hold."""
    if not isinstance(schedulers, Container) or schedulers.items.open:
        return None
    held = {
        id(s.optimizer): s.optimizer
        for s in schedulers.items.values
        if isinstance(s, Scheduler) and s.optimizer
    }
    return next(iter(held.values())) if len(held) == 1 else None


def _is_marked(optimizer: Optimizer) -> bool:
    """Whether the groups of an optimizer may have an ``initial_lr``: an earlier scheduler's, or written by hand."""
    groups = optimizer.groups
    written = any("initial_lr" in group.settings for group in groups.groups)
    touched = any(key in optimizer.slots for key in (_KEPT, "#param_groups", "#restored"))
    return written or touched or groups.open or any(group.params is None for group in groups.groups)


def _within(values: Iterable[Value], depth: int = 0) -> Iterable[Scheduler]:
    for value in values:
        for option in options(value):
            if isinstance(option, Method):
                option = option.receiver
            if isinstance(option, Scheduler):
                yield option
            elif isinstance(option, Container) and depth < 3:
                yield from _within(option.items.values, depth + 1)
            elif isinstance(option, DictObj) and depth < 3:
                yield from _within(option.entries.values.values(), depth + 1)


def note_given(it: Interpreter, function: Value, values: Iterable[Value]) -> None:
    """Something is called with ``values``: a scheduler among them may be stepped there, if that is not followed."""
    followed = isinstance(function, (Function, UserClass)) or (
        isinstance(function, Method) and function.function is not None
    )
    if not followed:
        handed(it, values)


def handed(it: Interpreter, values: Iterable[Value]) -> None:
    """Code that cannot be seen has these: a scheduler among them may be stepped there."""
    if not it.schedulers_made:
        return
    for scheduler in _within(values):
        it.book.scheduled.add(id(scheduler))


def get_attribute(owner: Scheduler, name: str) -> Value:
    """``scheduler.optimizer``, ``scheduler.step``."""
    if name == "optimizer":
        return owner.optimizer or UNKNOWN
    return UNKNOWN if name in _STATE or name.startswith("_") else Method(owner, name)


def is_instance(owner: Scheduler, wanted: Value) -> bool | None:
    """``isinstance(scheduler, ReduceLROnPlateau)``."""
    if not owner.exact or not isinstance(wanted, External) or not optimizers.is_scheduler(wanted.name):
        return None
    asked = wanted.name.rsplit(".", 1)[-1]
    if asked in ("LRScheduler", "_LRScheduler"):
        return None if owner.name == "ReduceLROnPlateau" else True  # it was none until torch 2.2
    return asked == ("LambdaLR" if owner.name.startswith("get_") else owner.name)


def set_attribute(it: Interpreter, owner: Scheduler, name: str) -> None:
    """``scheduler.optimizer = …``: from here on it is not known what it does."""
    it.book.scheduled.add(id(owner))
    it.book.rewired.add(id(owner))


def call_method(
    it: Interpreter, owner: Scheduler, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of a scheduler; None for one of which nothing is known."""
    if name == "step":
        rounds = it.rounds()
        always = bool(rounds) and rounds[-1].conditional == it.conditional
        it.record(
            SchedulerStepped(
                it.site(node), bool(it.conditional), owner, arguments, rounds, always, it.catching > 0
            )
        )
        return NONE
    if name == "load_state_dict":
        it.book.rewired.add(id(owner))
        return NONE
    return None


# -- the user's own ----------------------------------------------------------------------------------------------------


def initialise(it: Interpreter, owner: Instance, base: str, arguments: Arguments) -> bool:
    """The constructor of a scheduler's base class; False when ``base`` is none."""
    if not optimizers.is_scheduler(base) or not base.startswith("torch."):
        return False
    given = arguments.get(0, "optimizer")
    held = given if isinstance(given, Optimizer) else None
    it.schedulers_made = True
    scheduler = Scheduler(owner.cls.name, held, owner.site, exact=False)
    it.heap.set(owner.slots, _KEPT, scheduler)
    it.heap.set(owner.slots, "optimizer", given or UNKNOWN)
    if held is not None:
        it.heap.set(held.slots, _KEPT, True)
    return True


def of_instance(owner: Instance) -> Scheduler | None:
    """The scheduler that an object of the user's class is."""
    kept = owner.slots.get(_KEPT)
    return kept if isinstance(kept, Scheduler) else None


def untouched_groups(groups: Groups) -> bool:
    """Whether all groups are known and certainly there."""
    return not groups.open and all(group.sure and group.params is not None for group in groups.groups)
