"""OPT510: a gradient scaler that is misused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.scalers import ScalerFault


class ScalerMisused(Rule):
    """The calls of a `GradScaler` do not fit together: a loss, a step or an update goes past it.

    `scaler.scale(loss).backward()`, `scaler.step(optimizer)` and `scaler.update()` belong together. One of them left
    out, or replaced by the plain call, raises in the first or second step, or trains with gradients that are 65536
    times too large or too small.
    """

    code = "OPT510"
    name = "scaler-misused"
    at_run_time = """\
Silent are: `scaler.scale(loss).backward()` followed by `optimizer.step()` (SGD steps with gradients times 65536: the
weights explode at once; Adam hardly cares, but weight decay, clipping and infinite gradients go wrong), a plain
`loss.backward()` beside a `scaler.scale(loss)` (gradients are divided by 65536: SGD stands still), and a scaler that is
made anew for each step (it begins with the scale 65536 every time, and skips each step that overflows with that).
`scaler.step` without any scaled loss raises `AssertionError: Attempted step but _scale is None`, a second one without
`update()` `RuntimeError: step() has already been called since the last update()`, `update()` without a step
`AssertionError: No inf checks were recorded prior to update`, a second `unscale_` RuntimeError. With `enabled=False`, or
without a GPU, all of it is harmless."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2).cuda()
optimizer = optim.SGD(model.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cuda")
for x in torch.randn(10, 8, 4, device="cuda"):
    optimizer.zero_grad()
    with torch.autocast("cuda"):
        loss = model(x).pow(2).mean()
    scaler.scale(loss).backward()
    optimizer.step()
    scaler.update()
"""
    good = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2).cuda()
optimizer = optim.SGD(model.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cuda")
for x in torch.randn(10, 8, 4, device="cuda"):
    optimizer.zero_grad()
    with torch.autocast("cuda"):
        loss = model(x).pow(2).mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
"""
    silent = (
        "a scaler that is switched off (`enabled=False`), or that comes from code which cannot be followed",
        "what happens in branches that are taken or not together: `if use_amp: … else: …`",
        "gradients that the program scales back by itself, with `get_scale()` or by writing `.grad`",
        "`unscale_` followed by `optimizer.step()`: the gradients are right then",
    )
    misses = (
        "a loss whose computation is not followed, divided by the scale",
        "clipping before `unscale_` (OPT508) and methods that are named and not called (OPT501) are other rules' matter",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each scaler whose calls do not fit."""
        from optlint.semantics.questions.scalers import scaler_faults

        for fact in run.ask(scaler_faults):
            yield self._finding(fact)

    def _finding(self, fact: ScalerFault) -> Finding:
        message, help_ = _WORDS[fact.kind]
        words = {"scaler": fact.scaler, "optimizer": fact.optimizer}
        if fact.kind == "no-optimizer" and fact.optimizer:
            message = "`{scaler}.step` is given a `{optimizer}`, no optimizer: it raises AttributeError"
        finding = self.finding(
            fact.site,
            message=message.format(**words),
            help=help_.format(**words),
            related=tuple(site.related(label) for site, label in fact.places),
        )
        return replace(finding, severity=Severity.WARNING) if fact.kind == "anew" else finding


_WORDS = {
    "dropped": (
        "the scaled loss of `{scaler}.scale(…)` is dropped: the gradients stay unscaled, and `{scaler}.step` still "
        "divides them by the scale (65536)",
        "take the backward pass from it: `{scaler}.scale(loss).backward()`",
    ),
    "no-method": (
        "`{scaler}` is a GradScaler, which has no `{optimizer}`: it raises AttributeError",
        "write `{scaler}.scale(loss).backward()`, and `optimizer.zero_grad()`",
    ),
    "no-optimizer": (
        "`{scaler}.step()` without the optimizer raises TypeError",
        "give it the optimizer: `{scaler}.step(optimizer)`",
    ),
    "plain": (
        "`{optimizer}.step()` uses the gradients of a scaled loss as they are: each step is 65536 times too large",
        "write `{scaler}.step({optimizer})`, which scales them back, and `{scaler}.update()`",
    ),
    "both": (
        "`{optimizer}.step()` steps a second time with gradients that `{scaler}.step({optimizer})` has used already",
        "leave `{optimizer}.step()` out",
    ),
    "not-scaled": (
        "no loss was scaled by `{scaler}` before `{scaler}` is used on `{optimizer}`: it raises AssertionError",
        "take the backward pass from the scaled loss: `{scaler}.scale(loss).backward()`",
    ),
    "divided": (
        "the backward pass is taken from the unscaled loss, and `{scaler}.step({optimizer})` divides its gradients by "
        "the scale (65536)",
        "take it from the scaled loss: `{scaler}.scale(loss).backward()`",
    ),
    "no-update": (
        "`{scaler}.update()` is never called: the second `{scaler}.step({optimizer})` raises RuntimeError",
        "call `{scaler}.update()` after the step",
    ),
    "step-twice": (
        "`{scaler}.step({optimizer})` is called twice before `{scaler}.update()`: it raises RuntimeError",
        "call it once, and `{scaler}.update()` after it in each round",
    ),
    "unscale-twice": (
        "`{scaler}.unscale_({optimizer})` is called twice before `{scaler}.update()`: it raises RuntimeError",
        "call it once, before the gradients are clipped",
    ),
    "unscale-late": (
        "`{scaler}.unscale_({optimizer})` comes after `{scaler}.step({optimizer})`: it raises RuntimeError",
        "call it before the step",
    ),
    "update-unused": (
        "`{scaler}` never scales a loss: `{scaler}.update()` raises AssertionError",
        "write `{scaler}.scale(loss).backward()` and `{scaler}.step(optimizer)`, or leave the scaler out",
    ),
    "update-alone": (
        "`{scaler}.update()` comes without a `{scaler}.step(optimizer)` since the last one: it raises AssertionError",
        "call `{scaler}.step(optimizer)` first",
    ),
    "anew": (
        "`{scaler}` is made anew for each step: it never learns a scale that fits, and skips each step that overflows",
        "make it once, before the loop",
    ),
}
