"""OPT207: layers that are hidden from registration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Related
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.hidden_modules import HiddenModule

_WHERE = {
    "class": "stands in the class body",
    "cached": "is made by a `cached_property`, which stores it past `nn.Module`",
    "dict": "is set past `nn.Module.__setattr__`",
    "object": "belongs to a plain object, not to a Module",
    "partial": "is hidden in a `partial`",
    "function": "is hidden in a function",
    "method": "is hidden behind its bound method",
}


class HiddenModules(Rule):
    """A Module uses layers that are hidden from it.

    The layer (or Parameter) stands in the class body, is made by a `cached_property`, is put into `__dict__`, belongs to
    a plain helper object, or is only held by a `partial`, a lambda or a bound method. `nn.Module` registers what is set
    as an attribute, and nothing else.
    """

    code = "OPT207"
    name = "hidden-module"
    at_run_time = """\
Nothing is raised. The layer takes part in `forward`, but `parameters()`, `state_dict()` and `to()` do not see it: no
optimizer trains it, it is not saved, and it stays on its device. A `cached_property` stores its value straight in
`__dict__`, so that the layer is not registered after the first call either. If the module has no other parameters, the
optimizer raises `ValueError: optimizer got an empty parameter list`."""
    bad = """\
import functools

import torch
from torch import nn, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 4)

    @functools.cached_property
    def head(self):
        return nn.Linear(4, 2)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))


model = Net()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
"""
    good = """\
import torch
from torch import nn, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))


model = Net()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
"""
    silent = (
        "the layer is registered as well, under another name or with another module",
        "its parameters are given to an optimizer by hand, or the class overrides `parameters()` or the like",
        "it is frozen, pretrained, loaded or in `eval()`, or no gradient reaches it: a teacher kept out on purpose",
        "the helper object comes in from outside: who made it may train it",
    )
    misses = ("layers in a helper object of a class that cannot be seen",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each place that hides layers."""
        from optlint.semantics.questions.hidden_modules import hidden_modules

        for fact in run.ask(hidden_modules):
            yield self.finding(
                fact.site,
                message=f"`{fact.label}` of `{fact.owner}` ({_kind(fact)}) {_WHERE[fact.how]}: `parameters()` does "
                "not list it, so no optimizer trains it",
                help=f"register it: assign it to `self.{_attribute(fact)}` in `__init__`",
                related=_effects(fact),
            )


def _kind(fact: HiddenModule) -> str:
    return f"`{fact.what}`"


def _attribute(fact: HiddenModule) -> str:
    return fact.label.rsplit(".", 1)[-1]


def _effects(fact: HiddenModule) -> tuple[Related, ...]:
    effect = "this optimizer does not hold its weights"
    if fact.nothing_else:
        effect = "this optimizer gets nothing: `ValueError: optimizer got an empty parameter list`"
    return tuple(built.site.related(effect) for built in fact.optimizers[:1])
