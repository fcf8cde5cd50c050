"""OPT109: an optimizer that is given tensors which never want a gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.gradless import Gradless


class GradlessTensorInOptimizer(Rule):
    """An optimizer holds a tensor that wants no gradient.

    A plain tensor without `requires_grad=True`, `.data` or `.detach()` of a parameter, a buffer, what was computed
    under `torch.no_grad()`: the optimizer takes it, its `.grad` stays None, and no step changes it.
    """

    code = "OPT109"
    name = "gradless-tensor-in-optimizer"
    severity = Severity.ERROR
    at_run_time = """\
Nothing is raised by the optimizer. The backward pass leaves the tensor's `.grad` at None, and `step()` passes over
every tensor without one, also with momentum and weight decay. If the loss depends on nothing else, `backward()` raises
`RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn`."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
scale = torch.ones(1)
optimizer = optim.Adam([*model.parameters(), scale])
for _ in range(3):
    loss = (scale * model(torch.randn(8, 4))).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    good = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
scale = torch.ones(1, requires_grad=True)
optimizer = optim.Adam([*model.parameters(), scale])
for _ in range(3):
    loss = (scale * model(torch.randn(8, 4))).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    silent = (
        "its flag is set later, or its `.grad` is read or set by hand",
        "frozen parameters of a model stand among others: that is harmless",
        "no backward pass or no step is seen: the optimizer may stand in for another",
    )
    misses = ("a tensor whose `requires_grad` depends on something that is not known",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each place that makes such a tensor."""
        from optlint.semantics.questions.gradless import gradless

        for tensor in run.ask(gradless):
            yield self.finding(
                tensor.site,
                message=_message(tensor),
                help=_help(tensor),
                related=(tensor.given.related(f"`{tensor.optimizer}` is given it here"),),
            )


def _message(tensor: Gradless) -> str:
    what = f"`{tensor.name}`" if tensor.name else "this tensor"
    why = {
        "iteration": "the rows of a tensor that does not require grad do not either",
        "plain": f"{what} does not require grad",
        "parameter": f"{what} is made with `requires_grad=False`",
        "no_grad": f"{what} is computed under `torch.no_grad()` and does not require grad",
    }.get(tensor.made, f"{what} comes from `{tensor.made}` and does not require grad")
    if tensor.raises:
        return f"{why}: `backward()` raises `RuntimeError: element 0 of tensors does not require grad`"
    return f"{why}: `{tensor.optimizer}` takes it and never changes it"


def _help(tensor: Gradless) -> str:
    if tensor.leaves:
        return "give the optimizer the parameter itself"
    if tensor.made == "parameter":
        return "leave out `requires_grad=False`, or do not give it to the optimizer"
    if tensor.made == "plain":
        return "make it with `requires_grad=True`, or as `nn.Parameter(…)`"
    return "call `.requires_grad_()` on it, or do not give it to the optimizer"
