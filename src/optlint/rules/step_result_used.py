"""OPT505: the None that a step, a clearing or a backward pass returns is used as if it were something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run

_RAISES = {
    "attribute": "AttributeError",
    "iteration": "TypeError",
    "arithmetic": "TypeError",
    "call": "TypeError",
    "format": "TypeError",
    "number": "TypeError",
}


class StepResultUsed(Rule):
    """The result of `step()` without a closure, of `zero_grad()` or of `backward()` is used.

    All three return None. `optimizer = optimizer.step()` loses the optimizer, `loss = loss.backward()` the loss, and
    there are no updated tensors to go through.
    """

    code = "OPT505"
    name = "step-result-used"
    at_run_time = """\
`step()` returns what the closure returned, and None without one; `zero_grad()` and `backward()` return None. The next
use raises: `AttributeError: 'NoneType' object has no attribute 'zero_grad'`, or
`TypeError: 'NoneType' object is not iterable`."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    optimizer.zero_grad()
    model(x).pow(2).mean().backward()
    optimizer = optimizer.step()
"""
    good = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    optimizer.zero_grad()
    model(x).pow(2).mean().backward()
    optimizer.step()
"""
    silent = (
        "`step` is given a closure: it returns the loss",
        "the result is only kept, printed or compared with None",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each call whose None is used."""
        from optlint.semantics.questions.idle_methods import none_used

        for fact in run.ask(none_used):
            call = fact.made.text()
            yield self.finding(
                fact.made,
                message=f"`{call}` returns None, and using it raises {_RAISES[fact.how]}",
                help=f"call it for its effect only: `{call}`",
                related=(fact.site.related("the None is used here"),),
            )
