"""OPT502: gradients that are thrown away before the step could use them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run


class GradientsClearedBeforeStep(Rule):
    """Gradients are cleared between the backward pass and the step.

    `zero_grad()` of the optimizer or of the model stands after `backward()` and before `step()`, so that no step ever
    sees a gradient; or it runs for each micro-batch where the step is taken every few rounds only, so that the step sees
    the last one's gradient and no sum.
    """

    code = "OPT502"
    name = "gradients-cleared-before-step"
    at_run_time = """\
Nothing is raised and nothing is learned. `zero_grad()` sets every `.grad` to None, and `step()` leaves parameters
without a gradient as they are, in every optimizer class. With `set_to_none=False` momentum and weight decay may still
move the weights, but no gradient does."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    loss = model(x).pow(2).mean()
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
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
        "another backward pass fills the gradients again before the step",
        "some way to the step does not clear them",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each call that throws gradients away before a step."""
        from optlint.semantics import repairs
        from optlint.semantics.questions.accumulating import cleared_micro_batches
        from optlint.semantics.questions.clearing import cleared_too_early

        for part in run.ask(cleared_micro_batches):
            yield self.finding(
                part.site,
                message=f"the gradients are cleared in each round, and `{part.optimizer}.step()` runs only "
                f"if `{part.condition}`: it sees the last round's, all others are thrown away",
                help=f"clear them after `{part.optimizer}.step()`, in the same branch",
                related=(part.step.related("this step is to use the gradients of several rounds"),),
            )
        for fact in run.ask(cleared_too_early):
            yield self.finding(
                fact.site,
                message=f"the gradients are cleared after `backward()` and before `{fact.optimizer}.step()`: "
                "no step ever sees one, and nothing trains",
                help=f"clear them before the backward pass, or after `{fact.optimizer}.step()`",
                related=(fact.step.related("this step has no gradient to use"),),
                fix=repairs.moved_behind(fact.site, fact.step),
            )
