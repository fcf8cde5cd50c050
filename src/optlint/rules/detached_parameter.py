"""OPT401: a parameter to which every path of gradient is cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.fruitless import Fruitless


_NO_ARRAY = "it raises `RuntimeError: Can't call numpy() on Tensor that requires grad`"
_NOT_SAVED = "the next layer raises `RuntimeError: Inference tensors cannot be saved for backward`"
#: What gives numbers of Python: they have no ``backward`` at all.
_NUMBERS = frozenset({".item()", "float()", "int()", ".tolist()"})


class DetachedParameter(Rule):
    """A parameter can get no gradient, because it is detached on every way to the loss.

    `.detach()`, `.data`, `.item()`, `.numpy()`, `torch.tensor(x)` or `torch.no_grad()` stand between the parameter and
    everything that is computed from it. A cut that leaves another path open (a target, a metric, a straight-through
    estimator, the discriminator's step) is none.
    """

    code = "OPT401"
    name = "detached-parameter"
    severity = Severity.ERROR
    at_run_time = """\
Nothing is raised as long as some other parameter gets a gradient. Those before the cut have `.grad` None at every
step, and an optimizer passes over them without a word; they keep their initial values. Where the whole loss is cut off,
`backward()` raises `RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn`."""
    bad = """\
import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        detached_weight = self.weight.detach()
        return self.fc(x * detached_weight)
"""
    good = """\
import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x * self.weight)
"""
    silent = (
        "gradient reaches the parameter by any other path, in any backward pass of the program",
        "the parameter is frozen, pretrained, loaded, or updated by hand",
        "the loss went through code that cannot be followed",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each place that cuts off parameters."""
        from optlint.semantics.questions.cuts import cut_off
        from optlint.semantics.questions.fruitless import fruitless

        for fact in run.ask(fruitless):
            if fact.kind == "detach" and fact.cut is not None:
                yield self._whole(fact)
        for cut in run.ask(cut_off):
            if cut.kind != "detach" and not (cut.kind == "no_grad" and not cut.whole):
                continue  # OPT402 and OPT403
            names = ", ".join(f"`{name}`" for name in cut.names[:3])
            if len(cut.names) > 3:
                names += f" and {len(cut.names) - 3} more"
            many = len(cut.names) > 1
            names += f" of `{cut.models[0]}`" if len(cut.models) == 1 else ""
            nothing = f"{'get' if many else 'gets'} no gradient"
            they = "they" if many else "it"
            follows = (
                f"{they} {nothing} and {'keep their initial values' if many else 'keeps its initial value'}"
            )
            if cut.text == "`.numpy()`":
                follows = f"{_NO_ARRAY}; behind a `.detach()` {they} would get none"
            elif "inference_mode" in cut.text:
                follows = f"{_NOT_SAVED}, or {they} {nothing}"
            yield self.finding(
                cut.site,
                message=f"{cut.text} cuts {names} off from the loss: {follows}",
                help=(
                    f"let gradient through where {'they are' if many else 'it is'} meant to train: leave out "
                    f"{cut.text}; or freeze {'them' if many else 'it'} with `requires_grad_(False)` to say so"
                ),
                related=tuple(site.related("this optimizer holds it") for site in cut.optimizers[:1]),
            )

    def _whole(self, fact: Fruitless) -> Finding:
        assert fact.cut is not None
        text = fact.cut.text
        names = ", ".join(f"`{name}`" for name in fact.names[:2])
        names += ", …" if len(fact.names) > 2 else ""
        raises = "`backward()` raises `RuntimeError: element 0 of tensors does not require grad`"
        if text in _NUMBERS:
            raises = "it is a plain number from there on, and `backward()` raises"
        elif text == ".numpy()":
            raises = _NO_ARRAY
        return self.finding(
            fact.cut.site,
            message=f"`{text}` cuts the loss off from every parameter{f' ({names})' if names else ''}: {raises}",
            help=f"compute the loss without `{text}`",
            related=(fact.site.related("the backward pass"),),
        )
