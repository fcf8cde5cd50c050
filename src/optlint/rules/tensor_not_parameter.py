"""OPT201: a tensor on a Module that wants a gradient and is no Parameter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Safety, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run


class TensorNotParameter(Rule):
    """A Module keeps a weight as a plain tensor with `requires_grad`.

    `self.w = torch.randn(…, requires_grad=True)` looks like a weight and gets a gradient, but only `nn.Parameter`
    objects are registered: `model.parameters()` does not list it, so no optimizer built from it changes the tensor.
    """

    code = "OPT201"
    name = "tensor-not-parameter"
    severity = Severity.ERROR
    at_run_time = """\
Nothing is raised. The tensor is in neither `parameters()` nor `state_dict()`; it is not moved by `.to()` and not saved.
Its `.grad` accumulates from step to step, because `optimizer.zero_grad()` never sees it, and its value never changes.
If it is the model's only weight, the optimizer raises `ValueError: optimizer got an empty parameter list`."""
    bad = """\
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.ones(1, requires_grad=True)

    def forward(self, x):
        return x * self.scale
"""
    good = """\
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x * self.scale
"""
    silent = (
        "the tensor is handed to an optimizer, or a method gives it to code that may do so",
        "its gradient is read (saliency, attacks), or it is updated by hand",
        "it is an input: made in forward, from data, or never used in forward",
    )
    misses = ("a tensor whose `requires_grad` depends on something that is not known",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each such tensor."""
        from optlint.semantics import repairs
        from optlint.semantics.questions.raw_tensors import unregistered_tensors

        for tensor in run.ask(unregistered_tensors):
            parameter = None if tensor.inside else repairs.torch_name(tensor.site, "Parameter")
            name = f"`{tensor.owner}.{tensor.name}`"
            yield self.finding(
                tensor.site,
                message=(
                    f"{name} holds plain tensors, not `nn.Parameter`s: `parameters()` does not list them, so no "
                    "optimizer ever changes them"
                    if tensor.inside
                    else f"{name} is a plain tensor, not an `nn.Parameter`: `parameters()` does not list it, so no "
                    "optimizer ever changes it"
                ),
                help="keep each as an `nn.Parameter`, and all in an `nn.ParameterList` or `nn.ParameterDict`"
                if tensor.inside
                else f"register it: `self.{tensor.name} = nn.Parameter(…)` (or `register_buffer` if it must not train)",
                fix=(parameter and repairs.value_wrapped(tensor.site, parameter, Safety.SAFE)) or None,
                related=tuple(
                    site.related("this optimizer does not hold it") for site in tensor.optimizers[:1]
                ),
            )
