"""OPT504: a step before or without a backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run


class StepWithoutBackward(Rule):
    """The optimizer steps although no backward pass has computed a gradient.

    There is no `backward()` in the loop, or it comes after the step and its gradients are cleared before the next one.
    """

    code = "OPT504"
    name = "step-without-backward"
    at_run_time = """\
Nothing is raised. `step()` leaves every parameter whose `.grad` is None as it is, in every optimizer class: the loss is
computed in each round and the model stays what it was. With `zero_grad(); step(); backward()` the gradients are computed
after the step and cleared before the next."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    loss = model(x).pow(2).mean()
    optimizer.zero_grad()
    optimizer.step()
    loss.backward()
"""
    good = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    loss = model(x).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    silent = (
        "a single step outside any loop, which only makes the optimizer's state",
        "a loop that calls no model: it looks at a learning-rate schedule",
        "gradients may be computed by code that cannot be followed, or are written by hand",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each step that has no gradient to use."""
        from optlint.semantics.questions.stepping import early_steps

        for fact in run.ask(early_steps):
            if fact.backward is None:
                message = f"`{fact.optimizer}.step()` has no gradient to use: no backward pass is ever taken"
                help_ = f"call `loss.backward()` before `{fact.optimizer}.step()`"
            else:
                message = (
                    f"`{fact.optimizer}.step()` comes before `backward()`, and the gradients are cleared before the "
                    "next step: nothing trains"
                )
                help_ = f"move `{fact.optimizer}.step()` after `backward()`"
            related = () if fact.backward is None else (fact.backward.related("gradients are computed here"),)
            yield self.finding(fact.site, message=message, help=help_, related=related)
