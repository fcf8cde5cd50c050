"""OPT302: parameters that are unfrozen after an optimizer was built without them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.unfrozen import Unfrozen


class UnfrozenAfterOptimizer(Rule):
    """Parameters are unfrozen while the optimizer goes on without them.

    The optimizer was built while they were frozen, from what was trainable then (a `requires_grad` filter) or from the
    head alone. Setting `requires_grad` back does not bring them in.
    """

    code = "OPT302"
    name = "unfrozen-after-optimizer"
    severity = Severity.WARNING
    at_run_time = """\
Nothing is raised. From then on the unfrozen parameters get gradients, which grow from step to step, since
`optimizer.zero_grad()` does not know them; `step()` never changes them. Training costs the memory and time of the whole
model, and goes on with the head alone. An optimizer that was built from all `model.parameters()` would take them up:
it skips what is frozen and has no gradient."""
    bad = """\
import torch
from torch import nn, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(4, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(torch.relu(self.backbone(x)))


model = Net()
model.backbone.requires_grad_(False)
optimizer = optim.Adam(filter(lambda p: p.requires_grad, model.parameters()))
for epoch in range(4):
    if epoch == 2:
        model.backbone.requires_grad_(True)
    loss = model(torch.randn(8, 4)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    good = """\
import torch
from torch import nn, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(4, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(torch.relu(self.backbone(x)))


model = Net()
model.backbone.requires_grad_(False)
optimizer = optim.Adam(filter(lambda p: p.requires_grad, model.parameters()))
for epoch in range(4):
    if epoch == 2:
        model.backbone.requires_grad_(True)
        optimizer.add_param_group({"params": model.backbone.parameters()})
    loss = model(torch.randn(8, 4)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    silent = (
        "some optimizer holds them: from the beginning, by `add_param_group`, or one that is built later",
        "no step of the optimizer follows a backward pass that reaches them",
        "the program writes them by hand",
        "some optimizer was given something that cannot be followed",
    )
    misses = (
        "what is unfrozen by code that cannot be seen, or in another file's method that nothing here calls",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each place that unfreezes parameters in vain."""
        from optlint.semantics.questions.unfrozen import unfrozen_too_late

        for fact in run.ask(unfrozen_too_late):
            yield self._finding(fact)

    def _finding(self, fact: Unfrozen) -> Finding:
        optimizer = fact.built.optimizer.cls_name
        what, many = _told(fact)
        them = "them" if many else "it"
        known = fact.variable is not None and len(fact.names) == 1 and not fact.single
        part = _path(fact) if known else ""
        return self.finding(
            fact.site,
            message=(
                f"{what} {'are' if many else 'is'} unfrozen too late for `{optimizer}`, which was built without "
                f"{them}: {'they get' if many else 'it gets'} gradients, but never {'change' if many else 'changes'}"
            ),
            help=(
                f"give {them} to `{optimizer}` {_group(part)}; "
                "or build it from all parameters, it skips the frozen ones"
            ),
            related=(
                fact.built.site.related(f"`{optimizer}` is built here"),
                *(site.related("more is unfrozen here") for site in fact.others[:2]),
            ),
        )


def _path(fact: Unfrozen) -> str:
    """The first of the names as the program would write it."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", f"{fact.variable}.{fact.names[0]}") + ".parameters()"


def _group(part: str) -> str:
    return f'here: `add_param_group({{"params": {part}}})`' if part else "with `add_param_group` here"


def _told(fact: Unfrozen) -> tuple[str, bool]:
    """What is unfrozen, and whether that is many things."""
    owner = f"`{fact.variable or fact.model_name}`"
    if not fact.names:
        return f"parameters of {owner}", True
    shown = [f"`{name}`" for name in fact.names[:3]]
    if len(fact.names) > 3:
        shown.append(f"{len(fact.names) - 3} more")
    listed = " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
    return f"{listed} of {owner}", len(fact.names) > 1
