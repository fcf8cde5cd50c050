"""OPT208: one layer in several places where several layers were meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Confidence, Finding, Related, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.shared_layers import SharedLayers


class SharedByMultiplication(Rule):
    """A list of layers holds one layer several times.

    `[Block()] * n` makes one block and repeats the reference to it; so do `[layer for _ in range(n)]`, appending one
    layer in a loop and `dict.fromkeys(names, Linear(…))`. The model looks `n` layers deep and has the weights of one.
    """

    code = "OPT208"
    name = "shared-by-multiplication"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    at_run_time = """\
Nothing is raised. `parameters()` lists the weights once, the forward pass applies them `n` times, and their gradients
are summed: all `n` layers stay equal for ever, and the model has a fraction of the parameters that it seems to have."""
    bad = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4)] * depth)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).relu()
        return x
"""
    good = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(depth)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).relu()
        return x
"""
    silent = (
        "the module has no parameters (`[nn.ReLU()] * 3`), is pretrained or in `eval()`",
        "the layer has a name of its own and is a head, an attribute of the model, or repeated in one branch only",
        "a name or comment nearby speaks of sharing, tying or reusing weights, or of recurrence",
        "one layer is called several times, or written several times by its name: that is sharing on purpose",
    )
    misses = ("one instance that reaches several places by other ways than these",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each such repetition."""
        from optlint.semantics.questions.shared_layers import shared_layers

        for shared in run.ask(shared_layers):
            related: tuple[Related, ...] = ()
            if shared.made is not None and shared.made.statement is not shared.site.statement:
                related = (shared.made.related("the one layer is made here"),)
            yield self.finding(shared.site, message=_message(shared), help=_help(shared), related=related)


def _message(shared: SharedLayers) -> str:
    return (
        f"this repeats one `{shared.layer}` and makes no others: they all share one set of weights "
        "and train as one layer"
    )


def _help(shared: SharedLayers) -> str:
    if shared.instead:
        return f"make one for each place: `{shared.instead}`"
    if shared.form == "keys":
        return "make one for each key: `{key: … for key in keys}`"
    if shared.form == "appended":
        return "make the layer inside the loop, or put in a `copy.deepcopy` of it"
    if shared.form == "comprehended":
        return "make the layer inside the comprehension, or copy it there: `copy.deepcopy(layer)`"
    return "make new ones each time: a comprehension in place of the multiplication"
