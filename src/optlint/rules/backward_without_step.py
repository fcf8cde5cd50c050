"""OPT506: gradients that are computed and cleared, and an optimizer that never steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run


class BackwardWithoutStep(Rule):
    """An optimizer is never stepped, although gradients of its parameters are computed and cleared.

    The loop has `zero_grad()` and `backward()` and forgets `step()`, altogether or for one of several optimizers; or it
    updates by hand and writes `p = p - lr * p.grad`, which gives the name `p` to a new tensor.
    """

    code = "OPT506"
    name = "backward-without-step"
    at_run_time = """\
Nothing is raised. Gradients are computed and thrown away in each round; the parameters that this optimizer holds keep
their initial values."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    optimizer.zero_grad()
    loss = model(x).pow(2).mean()
    loss.backward()
"""
    good = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    optimizer.zero_grad()
    loss = model(x).pow(2).mean()
    loss.backward()
    optimizer.step()
"""
    silent = (
        "the optimizer goes to code that cannot be followed, or the parameters are updated by hand",
        "the gradients are read: a saliency map, an adversarial example, a test of gradients",
        "`zero_grad` is never called on it: it may be there for another purpose",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each optimizer that never steps."""
        from optlint.semantics.questions.stepping import never_stepped, updates_thrown_away

        for update in run.ask(updates_thrown_away):
            yield self.finding(
                update.site,
                message=f"this binds the name `{update.name}` anew and leaves the parameter as it is: nothing is "
                "ever updated",
                help=f"write into the parameter, under `torch.no_grad()`: `{update.name}.sub_(...)`",
            )
        for fact in run.ask(never_stepped):
            yield self.finding(
                fact.site,
                message=f"this `{fact.optimizer}` is never stepped: gradients are computed and cleared, and its "
                "parameters never change",
                help="call its `step()` after the backward pass",
                related=(fact.backward.related("gradients of its parameters are computed here"),),
            )
