"""OPT110: an optimizer that is built anew for each step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.rebuilt import Rebuilt


class OptimizerRebuiltEachStep(Rule):
    """An optimizer is built inside the loop, stepped once, and built again.

    Adam, RMSprop, SGD with momentum and their like remember earlier gradients. Built anew in each round they forget
    them, and a scheduler or `param_groups` that were set on the old one are forgotten, too.
    """

    code = "OPT110"
    name = "optimizer-rebuilt-each-step"
    severity = Severity.WARNING
    at_run_time = """\
Nothing is raised, and the model learns something, but not by the algorithm that is written there. Adam takes its first
step over and over (its `step` is 1 each time: the running averages start from zero, and every weight moves by about
`lr`, whatever the size of its gradient); momentum never builds up. Plain SGD without momentum gives the same result
as if it were built once."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
for _ in range(100):
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    loss = model(torch.randn(8, 4)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    good = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.Adam(model.parameters(), lr=1e-3)
for _ in range(100):
    loss = model(torch.randn(8, 4)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    silent = (
        "the optimizer keeps nothing between steps (SGD without momentum), or what it keeps is loaded again",
        "one optimizer for each epoch, fold, stage or task: a loop inside steps it",
        "each round has tensors of its own (adversarial examples, latent codes, copies of a model), or gives the "
        "model its old weights back",
        "it is built in some rounds only: once, or when something has changed",
        "LBFGS, which takes many steps in one",
    )
    misses = (
        "an optimizer that a method builds each time, where the loop that calls the method is not seen",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each optimizer that is built for a single step."""
        from optlint.semantics.questions.rebuilt import rebuilt_each_step

        for fact in run.ask(rebuilt_each_step):
            yield self._finding(fact)

    def _finding(self, fact: Rebuilt) -> Finding:
        name = fact.built.optimizer.cls_name
        return self.finding(
            fact.built.site,
            message=f"`{name}` is built anew for each step: its {fact.lost} {_EFFECTS[fact.lost]}",
            help=f"build `{name}` once, before the loop",
            related=(fact.loop.related("each round of this loop builds one"),),
        )


_EFFECTS = {
    "momentum": "never builds up",
    "state": "(running averages, step count) starts from zero every time",
}
