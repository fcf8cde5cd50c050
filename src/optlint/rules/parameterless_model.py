"""OPT106: an optimizer for a model that has no parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.emptiness import Parameterless


class ParameterlessModel(Rule):
    """An optimizer gets the parameters of a model that has none.

    The module is made of layers that hold nothing to train (activations, pooling, dropout, losses), its weights are
    made elsewhere, or its layers are only made later.
    """

    code = "OPT106"
    name = "parameterless-model"
    at_run_time = """\
`list(nn.ReLU().parameters())` is empty, and so `optim.Adam(model.parameters())` raises
`ValueError: optimizer got an empty parameter list` in the constructor. As a param group (`[{"params":
model.parameters()}]`) it is accepted, and nothing ever trains. Modules without parameters are, among others, ReLU,
MaxPool, Flatten, Softmax, Dropout, Identity, Upsample, all losses but AdaptiveLogSoftmaxWithLoss, and by default
InstanceNorm."""
    bad = """\
import torch
from torch import nn, optim


class Normaliser(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.InstanceNorm1d(8)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.norm(x))


model = Normaliser()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
"""
    good = """\
import torch
from torch import nn, optim


class Normaliser(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.InstanceNorm1d(8, affine=True)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.norm(x))


model = Normaliser()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
"""
    silent = (
        "some part of the model cannot be followed: it may have parameters",
        "the model's layers exist and are not registered: that is the mistake, and another rule tells it",
        "the parameters are given together with others that are there",
        "the class is only a base: its subclasses may add layers",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each optimizer whose models have no parameters."""
        from optlint.semantics.questions.emptiness import parameterless_models

        for fact in run.ask(parameterless_models):
            yield self._finding(run, fact)

    def _finding(self, run: Run, fact: Parameterless) -> Finding:
        optimizer = fact.built.optimizer.cls_name
        model = fact.built.parameterless[0]
        name, cls = run.name_of(model), run.class_name(model)
        told = f"`{name}` (`{cls}`)" if name and name != cls else f"`{cls}`"
        if fact.silent:
            effect = f"`{optimizer}` has nothing to train, and nothing is raised"
        else:
            effect = f"`{optimizer}` raises `ValueError: optimizer got an empty parameter list`"
        related = (fact.made.related(f"`{cls}` registers no parameter"),) if fact.made is not None else ()
        return self.finding(
            fact.built.site,
            message=f"{told} has no parameters: {effect}",
            help="give the model layers or an `nn.Parameter` to train, or the optimizer what is meant to be trained",
            related=related,
        )
