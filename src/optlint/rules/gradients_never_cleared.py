"""OPT503: gradients that pile up from step to step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.clearing import NeverCleared


class GradientsNeverCleared(Rule):
    """Gradients are not cleared between one step and the next backward pass.

    `zero_grad()` is missing from the loop, stands outside it (once an epoch), or is called for one of two optimizers
    only. Gradient accumulation, which clears after each step, is none of this.
    """

    code = "OPT503"
    name = "gradients-never-cleared"
    severity = Severity.WARNING
    at_run_time = """\
Nothing is raised. `backward()` adds to what is in `.grad`; without `zero_grad()` each step goes along the sum of all
gradients so far, most of them computed for weights that are long gone. The steps grow, the loss oscillates or
diverges, or training merely comes out worse than it should."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    loss = model(x).pow(2).mean()
    loss.backward()
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
        "gradients are accumulated on purpose: several backward passes, then one step, then `zero_grad()`",
        "some way through the loop clears them, or code that cannot be followed may",
        "what is stepped came in as an argument and is never cleared: it need not be an optimizer",
    )
    misses = ("a function that takes one step and that other files call in a loop",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each backward pass that adds to gradients that were used already."""
        from optlint.semantics.questions.clearing import never_cleared

        for fact in run.ask(never_cleared):
            yield self._finding(fact)

    def _finding(self, fact: NeverCleared) -> Finding:
        where = "nothing clears them between two steps" if fact.elsewhere else "nothing ever clears them"
        return self.finding(
            fact.site,
            message=f"the gradients of `{fact.optimizer}` pile up: {where}, "
            "so each step uses the sum of all that came before",
            help=f"clear them before each backward pass: `{fact.optimizer}.zero_grad()`",
            related=(fact.step.related("the step that uses the sum"),),
        )
