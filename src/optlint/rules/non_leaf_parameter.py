"""OPT105: an optimizer that is given the result of an operation, not the leaf tensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.non_leaves import NonLeaf

_ERROR = "`ValueError: can't optimize a non-leaf Tensor`"


class NonLeafParameter(Rule):
    """An optimizer gets a tensor that is the result of an operation.

    `torch.randn(…, requires_grad=True).cuda()`, `nn.Parameter(…) * 0.1`, `w.view(…)`, `w[0]`: what was created is the
    leaf that gets the gradient, what is handed over is something computed from it.
    """

    code = "OPT105"
    name = "non-leaf-parameter"
    at_run_time = """\
The optimizer raises `ValueError: can't optimize a non-leaf Tensor` when it is built. `.to(device)` and `.cuda()` give
back the tensor itself where there is nothing to move; so the same line runs on a CPU and raises on a GPU. `.half()`
and `.double()` of a float32 tensor always give a new one; `.float()` and `.contiguous()` do not."""
    bad = """\
import torch
from torch import optim

latent = torch.randn(1, 64, requires_grad=True) * 0.1
optimizer = optim.Adam([latent], lr=1e-2)
"""
    good = """\
import torch
from torch import optim

latent = (torch.randn(1, 64) * 0.1).requires_grad_()
optimizer = optim.Adam([latent], lr=1e-2)
"""
    silent = (
        "the tensor is made a leaf again: `.detach()`, `.requires_grad_()` at the end, `nn.Parameter(…)`",
        "`retain_grad()` was called on it, or the optimizer is `differentiable`: torch takes it then",
        "nothing that it was computed from certainly wants a gradient",
    )
    misses = ("results of functions that are not known to give a new tensor",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each operation whose result an optimizer is given."""
        from optlint.semantics.questions.non_leaves import non_leaves

        for tensor in run.ask(non_leaves):
            same = tensor.given.statement is tensor.site.statement
            yield self.finding(
                tensor.site,
                message=_message(tensor),
                help=_help(tensor),
                related=() if same else (tensor.given.related("it is given to the optimizer here"),),
            )


def _message(tensor: NonLeaf) -> str:
    what = f"`{tensor.name}`" if tensor.name else f"`{tensor.source}`" if tensor.source else "this tensor"
    if tensor.moves == "perhaps":
        return (
            f"{what} is no leaf where `{tensor.operation}` moves it, as to a GPU: `{tensor.optimizer}` raises {_ERROR} "
            "there"
        )
    if tensor.operation == "iteration":
        return f"the rows that a tensor is iterated into are no leaves: `{tensor.optimizer}` raises {_ERROR}"
    how = f"the result of `{tensor.operation}`"
    if tensor.moves:
        how = f"a new tensor, made by `{tensor.operation}`"
    return f"{what} is {how}, not a leaf: `{tensor.optimizer}` raises {_ERROR}"


def _help(tensor: NonLeaf) -> str:
    if tensor.operation == "iteration":
        return "put the tensor itself into a list: `[w]`"
    if tensor.of_module:
        return "give it the whole parameter, and take the part or compute with it in `forward`"
    if tensor.moves in ("gpu", "perhaps"):
        return (
            "make it where it belongs: `torch.randn(…, device=device, requires_grad=True)`, or move it before"
        )
    name = tensor.name or "w"
    return (
        f"make the result the leaf: `{name} = (…).detach().requires_grad_()`, or `nn.Parameter(…)` around it"
    )
