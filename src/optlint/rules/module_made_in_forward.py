"""OPT205: a layer or Parameter that is made in forward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Related, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.made_in_forward import MadeAtEachCall


class ModuleMadeInForward(Rule):
    """A layer or `nn.Parameter` is made while `forward` runs.

    Each call then works with weights that are new and that no optimizer has ever seen. A layer that is made only at
    the first call comes too late for an optimizer that was built before it.
    """

    code = "OPT205"
    name = "module-made-in-forward"
    severity = Severity.ERROR
    at_run_time = """\
Nothing is raised. A layer that is made and dropped has new random weights at each call, while the rest of the model
trains around it. `self.head = nn.Linear(…)` in `forward` registers a new head at each call; the optimizer holds none of
them. A layer that is made once, behind `if self.head is None:`, gets gradients and never changes if the optimizer was
built before the first call; one batch through the model before that puts it right. If all layers are made so, the
optimizer raises `ValueError: optimizer got an empty parameter list`."""
    bad = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 8)

    def forward(self, x):
        x = torch.relu(self.body(x))
        return nn.Linear(8, 2)(x)
"""
    good = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        x = torch.relu(self.body(x))
        return self.head(x)
"""
    silent = (
        "the module has no parameters (`nn.ReLU()`, `nn.Softmax(dim=1)`, `nn.MSELoss()`), or they are frozen",
        "its weights are given to it: copied, loaded, generated, filled with chosen numbers",
        "it is trained there: an inner optimizer holds it, or its gradients are read",
        "it is made once and the optimizer is built after the first call, or when it is built is not known",
        "forward gives the layer back, or the names say that it is meant to be random",
    )
    misses = (
        "layers that are made in the training loop, outside of any forward",
        "a model all of whose layers are made at the first call",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each place where a forward makes a layer."""
        from optlint.semantics.questions.made_in_forward import made_in_forward

        for fact in run.ask(made_in_forward):
            yield self._finding(fact)

    def _finding(self, fact: MadeAtEachCall) -> Finding:
        related: tuple[Related, ...] = ()
        if fact.built is not None:
            message = (
                f"`{fact.owner}.{fact.attribute}` is made at the first call of `{fact.method}`, after "
                f"`{fact.built.optimizer.cls_name}` was built: it gets gradients and never changes"
            )
            advice = (
                "make it in `__init__`, or send one batch through the model before the optimizer is built"
                " (`nn.LazyLinear` and its like do not need that)"
            )
            related = (fact.built.site.related("this optimizer cannot hold it"),)
        else:
            whole = f"as `self.{fact.attribute}` " if fact.attribute else ""
            message = (
                f"`{fact.what}` is made {whole}at each call of `{fact.owner}.{fact.method}`: its weights are always "
                "new, and no optimizer ever trains them"
            )
            name = fact.attribute or ("weight" if fact.what == "nn.Parameter" else "layer")
            advice = (
                f"make it once, in `__init__`: `self.{name} = {fact.what}(…)`; `{fact.method}` only uses it"
            )
        return self.finding(fact.site, message=message, help=advice, related=related)
