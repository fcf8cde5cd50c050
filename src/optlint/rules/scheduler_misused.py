"""OPT512: a learning-rate scheduler that is misused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.schedules import Misused


class SchedulerMisused(Rule):
    """A scheduler steps in the optimizer's place, holds another optimizer, or makes the rate useless.

    Schedulers of torch (`torch.optim.lr_scheduler`) and of transformers: those that cannot be made as they are called,
    that hold an optimizer which is never stepped, that make the rate zero, that count batches as epochs or epochs as
    batches, that are stepped too early, begun anew in each epoch, or forgotten.
    """

    code = "OPT512"
    name = "scheduler-misused"
    at_run_time = """\
A scheduler writes the rate into the `param_groups` of the one optimizer that it was given. Stepped in the optimizer's
place it changes a rate that nobody uses: nothing trains, and PyTorch warns once that `lr_scheduler.step()` came before
`optimizer.step()`. When the optimizer was built anew, the new one keeps its first rate for ever. A factor or `gamma` of
0, or `lr=0`, stops every class of optimizer, AdamW too. `CosineAnnealingLR` with `T_max` in epochs that is stepped for
each batch swings up and down again; `get_linear_schedule_with_warmup` reaches 0 after as many batches as there are
epochs. `OneCycleLR` raises `ValueError: Tried to step 4 times. The specified number of total steps is 3`; anything but
an optimizer raises `TypeError: generator is not an Optimizer`; `ReduceLROnPlateau.step()` without a metric
raises TypeError, `last_epoch=5` on a new optimizer KeyError."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=30)
for x in torch.randn(100, 8, 4):
    loss = model(x).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    scheduler.step()
"""
    good = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=30)
for x in torch.randn(100, 8, 4):
    loss = model(x).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
"""
    silent = (
        "a scheduler whose class comes from a configuration, or that goes to code that cannot be followed (a trainer, "
        "a framework)",
        "a state that is loaded, `scheduler.optimizer = …`, a rate that is written into `param_groups`",
        "a scheduler for one of several optimizers, several schedulers on one optimizer",
        "a `T_max` that is a number or is computed: only a name for the number of epochs says what it counts",
        "`verbose=`, which raises TypeError in PyTorch of today and is right in that of some years ago",
        "a first step of the scheduler before the optimizer's where that is not certain, or with an epoch given",
    )
    misses = (
        "a warm-up that is longer than the training",
        "schedulers of other libraries (timm, ignite, pytorch_warmup)",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each mistake with a scheduler."""
        from optlint.semantics.questions.schedule_rates import odd_schedules
        from optlint.semantics.questions.schedules import refused_schedulers, wrong_optimizers

        for question in (refused_schedulers, wrong_optimizers, odd_schedules):
            for fact in run.ask(question):
                yield self._finding(fact)

    def _finding(self, fact: Misused) -> Finding:
        message, help_ = _WORDS[fact.kind]
        first, _, second = fact.detail.partition("|")
        words = {
            "scheduler": fact.scheduler,
            "optimizer": fact.optimizer,
            "detail": first,
            "second": second,
            "given": f"`{second}` is no optimizer" if second else "there is no optimizer",
            "times": f"all {first} steps" if first else "every step",
        }
        finding = self.finding(
            fact.site,
            message=message.format(**words),
            help=help_.format(**words),
            related=tuple(site.related(label) for site, label in fact.places),
        )
        return replace(finding, severity=Severity.WARNING) if fact.kind in _WARNINGS else finding


#: Something is lost, but the model trains.
_WARNINGS = frozenset({"another", "twice", "epochs", "batches", "early", "forgotten", "anew", "loss"})

_WORDS = {
    "no-optimizer": (
        "`{scheduler}` is given something else than an optimizer, {given}: TypeError: {detail} is not an Optimizer",
        "give it the optimizer that trains the model",
    ),
    "last-epoch": (
        "`last_epoch={detail}` on a new optimizer raises KeyError: the groups of `{optimizer}` have no `initial_lr`",
        "leave `last_epoch` out and load the scheduler's `state_dict`, or load the optimizer's first",
    ),
    "foreign": (
        "`{scheduler}` is for `{optimizer}`, and `{detail}` was made for another optimizer: it raises ValueError",
        "make every scheduler in it for `{optimizer}`",
    ),
    "metrics": (
        "`{scheduler}` is a ReduceLROnPlateau: `step()` without the metric raises TypeError",
        "give it what it watches: `{scheduler}.step(val_loss)`",
    ),
    "argument": (
        "`{scheduler}.step()` takes no argument ({detail}): it raises TypeError",
        "call `{scheduler}.step()`",
    ),
    "loss": (
        "`{scheduler}` is a {detail}, which takes `{second}` for the number of the epoch: the schedule stands still "
        "or jumps",
        "call `{scheduler}.step()`, or use `ReduceLROnPlateau`, which watches a metric",
    ),
    "in-place": (
        "`{scheduler}.step()` stands where `{optimizer}.step()` should: the optimizer never steps, nothing trains",
        "call `{optimizer}.step()` before `{scheduler}.step()`",
    ),
    "another": (
        "`{scheduler}` holds an older `{detail}`, which is never stepped: the rate of `{optimizer}` never changes",
        "make the scheduler after the optimizer that is stepped",
    ),
    "twice": (
        "`{scheduler}` holds `{optimizer}`, which has a scheduler already, and `{detail}` has none: its rate never "
        "changes",
        "make it for `{detail}`",
    ),
    "lr-zero": (
        "`{optimizer}` has a rate of 0, and nothing changes that: its parameters stay what they are",
        "give it a rate above 0",
    ),
    "drop-zero": (
        "`{scheduler}` with `{detail}=0` makes the rate 0 for good: nothing trains from there on",
        "give `{detail}` a value between 0 and 1",
    ),
    "length-zero": (
        "`{scheduler}` over 0 steps makes the rate 0 from the beginning: nothing trains",
        "give it the number of optimizer steps in the whole training",
    ),
    "factor-zero": (
        "the factor of this `{scheduler}` is 0 at {times}, so is the rate: nothing trains",
        "return a factor above 0 (`/` for `//`, `1.0` for the unchanged rate)",
    ),
    "too-long": (
        "`{scheduler}` has {detail} steps and is stepped {second} times: it raises ValueError",
        "give it `total_steps` for all batches of all epochs, or step it once per epoch",
    ),
    "epochs": (
        "`{detail}={second}` counts epochs, but this `{scheduler}` is stepped for each batch: its schedule is over "
        "after as many batches",
        "step it once per epoch, or multiply `{second}` by the number of batches",
    ),
    "batches": (
        "`{detail}={second}` counts batches, but this `{scheduler}` is stepped once per epoch: only the beginning of the "
        "schedule is reached",
        "step it after each `optimizer.step()`, or give it the number of epochs",
    ),
    "early": (
        "`{scheduler}.step()` comes before the first `{optimizer}.step()`: the first value of the schedule is skipped",
        "call it after `{optimizer}.step()`",
    ),
    "forgotten": (
        "`{scheduler}` is never stepped: the rate of `{optimizer}` never follows it",
        "call `{scheduler}.step()` after each epoch (or step) of `{optimizer}`",
    ),
    "anew": (
        "this `{scheduler}` is made anew in each round and stepped once: its schedule never gets beyond its beginning",
        "make it once, before the loop",
    ),
}
