"""OPT102: parameters that take part in training and that no optimizer holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.left_out import LeftOut


class PartialParameterList(Rule):
    """Parameters of a model are left out of every optimizer.

    All optimizers, param groups and `add_param_group` calls are taken together. What is left over, is not frozen,
    and takes part in the forward pass keeps its initial value for ever: a bias beside its weight, a head, a learnable
    loss weight, a decoder whose optimizer was given another network's parameters, a layer that no name filter matches.
    """

    code = "OPT102"
    name = "partial-parameter-list"
    severity = Severity.WARNING
    at_run_time = """\
Nothing is raised. The backward pass computes gradients for the parameters that were left out, `step()` never looks at
them, and they keep their initial values while the rest of the model trains around them. Their `.grad` is not cleared
by `optimizer.zero_grad()` either, so it grows from step to step."""
    bad = """\
import torch
from torch import nn, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(x)


model = Net()
optimizer = optim.Adam([model.linear.weight])
for _ in range(3):
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
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(x)


model = Net()
optimizer = optim.Adam(model.parameters())
for _ in range(3):
    loss = model(torch.randn(8, 4)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    silent = (
        "the parameters are frozen, are not used in the forward pass, or no gradient reaches them",
        "weights were loaded or are pretrained: training a part of them is meant",
        "they are updated by hand (momentum encoders, targets, meta-learning)",
        "some optimizer was given something that cannot be followed, or the model went to code that cannot be seen",
    )
    misses = (
        "a whole network upstream of the trained one that no optimizer holds: it may be meant to stay fixed",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each model of which something is left out."""
        from optlint.semantics.questions.left_out import left_out

        for left in run.ask(left_out):
            yield self._finding(left)

    def _finding(self, left: LeftOut) -> Finding:
        names = _listed(left.names)
        verb = "is" if len(left.names) == 1 else "are"
        whose = f" of `{left.model_name}`" if left.model_name else ""
        if left.whole:
            instead = f", this one holds `{left.instead}`" if left.instead else ""
            message = (
                f"no optimizer holds `{left.model_name}` ({names}){instead}: gradients reach it, "
                "but it keeps its initial values"
            )
            fix = f"give them to an optimizer: `{left.optimizer_name}({left.model_name}.parameters(), …)`"
        else:
            message = (
                f"{names}{whose} {verb} left out of every optimizer: gradients reach "
                f"{'it' if len(left.names) == 1 else 'them'}, but `{left.optimizer_name}` never changes "
                f"{'it' if len(left.names) == 1 else 'them'}"
            )
            owner = left.variable or "model"
            fix = (
                f"give it every parameter: `{left.optimizer_name}({owner}.parameters(), …)`; "
                f"or freeze what is meant to stay: `.requires_grad_(False)`"
            )
        related = tuple(site.related(f"`{name}` is made here") for name, site in left.made[:3])
        return self.finding(left.site, message=message, help=fix, related=related)


def _listed(names: tuple[str, ...]) -> str:
    shown = [f"`{name}`" for name in names[:4]]
    if len(names) > 4:
        shown.append(f"{len(names) - 4} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
