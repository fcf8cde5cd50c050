"""OPT501: a step, a clearing, a backward pass or an update that is named and not called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run

_EFFECT = {
    ("optimizer", "step"): "no parameter is updated",
    ("loss", "backward"): "no gradient is computed",
    ("optimizer", "zero_grad"): "the gradients pile up from step to step",
    ("model", "zero_grad"): "the gradients pile up from step to step",
    ("scheduler", "step"): "the learning rate stays what it is",
    ("scaler", "update"): "its next `step()` raises RuntimeError",
}


class MethodNotCalled(Rule):
    """`step`, `zero_grad`, `backward` or a scaler's `update` stands there without parentheses.

    The statement looks the method up and throws it away. The object is known to be an optimizer, a scheduler, a gradient
    scaler, a model or a loss, by where it comes from or by what else is done with it.
    """

    code = "OPT501"
    name = "method-not-called"
    at_run_time = """\
Nothing is raised. Without `optimizer.step()` no parameter changes; without `loss.backward()` there is no gradient to
step along; without `optimizer.zero_grad()` each step uses the sum of all gradients so far (0.31, 0.62, 0.93 for a
constant one); without `scheduler.step()` the learning rate stays what it is. A missing `scaler.update()` raises at the
scaler's next step."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    loss = model(x).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step
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
        "the method is stored, passed on or compared: only a statement of its own does nothing",
        "it is not known that the object is an optimizer or a loss",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each statement that does nothing."""
        from optlint.semantics import repairs
        from optlint.semantics.questions.idle_methods import not_called

        for fact in run.ask(not_called):
            text = fact.site.text()
            yield self.finding(
                fact.site,
                message=f"`{text}` is named, not called: {_EFFECT[fact.what, fact.method]}",
                help=f"add the parentheses: `{text}()`",
                # What a scheduler's step is to be called with depends on its class.
                fix=None if fact.what == "scheduler" else repairs.called(fact.site),
            )
