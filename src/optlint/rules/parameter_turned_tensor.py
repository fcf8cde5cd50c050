"""OPT204: an `nn.Parameter` that does not reach its module as one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.turned_parameters import TurnedParameter

_UNLISTED = "`parameters()` does not list it, and no optimizer changes it"


class ParameterTurnedTensor(Rule):
    """A Parameter is turned into a plain tensor on its way to the module.

    `nn.Parameter(…)` followed by `.cuda()`, `* 0.1`, `.view(…)`, `.data` and their like gives an ordinary tensor, the
    result of an operation; only the Parameter itself would be registered, and that is thrown away. The same holds for
    a Parameter that is registered as a buffer, and for a copy that the constructor takes of one. A write into a
    Parameter, and a tensor assigned to a Parameter's name, are refused by torch.
    """

    code = "OPT204"
    name = "parameter-turned-tensor"
    severity = Severity.ERROR
    at_run_time = """\
Mostly silent: the tensor is neither in `parameters()` nor in `state_dict()`, the hidden Parameter behind it gets the
gradients, and nothing changes. Where the operation keeps tensors for its derivative (`*`, `/`, `exp`, `softmax`), the
second backward pass raises `RuntimeError: Trying to backward through the graph a second time`. `.to(device)` and
`.cuda()` give back the Parameter itself where there is nothing to move, so the mistake shows on a GPU only; `.float()`,
`.cpu()` and `.contiguous()` of a fresh one are harmless. `nn.Parameter(…).normal_()` raises RuntimeError, and
`self.weight = self.weight * 2` raises `TypeError: cannot assign 'torch.FloatTensor' as parameter 'weight'`."""
    bad = """\
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n)).view(1, n)

    def forward(self, x):
        return x * self.weight
"""
    good = """\
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n).view(1, n))

    def forward(self, x):
        return x * self.weight
"""
    silent = (
        "the Parameter is registered, too, under another name or in a list, and the tensor shares its memory",
        "the result is wrapped again: `nn.Parameter(nn.Parameter(x) * 2)`, `nn.ParameterList([…])`",
        "the Parameter is frozen, held by an optimizer, or no forward uses the tensor",
        "nothing can move: `.cpu()`, `.float()`, a tensor that was made on the device, or where is not known",
    )
    misses = ("`.to(dtype)` with a type that is not written out",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each such attribute."""
        from optlint.semantics.questions.turned_parameters import turned_parameters

        for fact in run.ask(turned_parameters):
            yield self.finding(
                fact.site,
                message=_message(fact),
                help=_help(fact),
                related=tuple(
                    built.site.related("this optimizer holds nothing") for built in fact.optimizers[:1]
                ),
            )


def _message(fact: TurnedParameter) -> str:
    name = f"`{fact.owner}.{fact.name}`"
    done = f"of `{fact.operation}` " if fact.operation else "of an operation "
    second = "; the second `backward()` raises RuntimeError" if fact.raises else ""
    if fact.form == "result" or fact.moves == "always":
        return f"{name} is the result {done}on an `nn.Parameter`, and none itself: {_UNLISTED}{second}"
    if fact.form == "moved":
        where = "on a GPU" if fact.moves == "gpu" else "where it really moves the tensor (to a GPU)"
        return f"{where} `{fact.operation}` makes {name} a plain tensor instead of an `nn.Parameter`: {_UNLISTED}"
    if fact.form == "detached":
        return f"`{fact.operation}` makes {name} a plain tensor instead of an `nn.Parameter`: {_UNLISTED}"
    if fact.form == "buffer":
        kind = "an `nn.Parameter`" if fact.source == "Parameter" else "a tensor with `requires_grad`"
        return f"{name} is {kind} that is registered as a buffer: {_UNLISTED}"
    if fact.form == "stale":
        kept = second or ", but `forward` keeps using what it was computed from at first"
        return f"{name} is computed of `{fact.source}` once, in the constructor: training changes `{fact.source}`{kept}"
    if fact.form == "written":
        what = "a view of a leaf Variable" if fact.operation.startswith("[") else "a leaf Variable"
        return (
            f"`{fact.operation}` writes into an `nn.Parameter`: it raises "
            f"`RuntimeError: {what} that requires grad is being used in an in-place operation`"
        )
    return (
        f"{name} is a registered parameter: assigning something else to it raises "
        f"`TypeError: cannot assign … as parameter '{fact.name}'`"
    )


def _help(fact: TurnedParameter) -> str:
    target = f"self.{fact.name}"
    if fact.form == "moved":
        return (
            f"move the data, `{target} = nn.Parameter(….to(device))`, or the whole model, `model.to(device)`"
        )
    if fact.form == "detached":
        return (
            f"keep the Parameter: `{target} = nn.Parameter(…)`; `nn.init` or `torch.no_grad()` set its values"
        )
    if fact.form == "buffer":
        return f"register it as what it is: `{target} = nn.Parameter(…)`; a buffer takes a tensor that is not trained"
    if fact.form == "stale":
        return f"keep `self.{fact.source}` alone and compute `{fact.name}` in `forward`"
    if fact.form == "written":
        return "use `nn.init`, or write inside of `with torch.no_grad():`"
    if fact.form == "replaced":
        return f"change its values: `with torch.no_grad(): {target}.copy_(…)`; or assign an `nn.Parameter(…)`"
    return f"do it to the data, `{target} = nn.Parameter(…)` around the whole, or in `forward`"
