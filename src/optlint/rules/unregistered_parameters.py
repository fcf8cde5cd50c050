"""OPT203: Parameters in a plain list, dict or tuple of a Module, which nothing registers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Related, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.unregistered_parameters import ParametersInList


class UnregisteredParameters(Rule):
    """A Module keeps Parameters in a plain list, dict, tuple or set.

    Assigning an `nn.Parameter` to `self` registers it; a Python list or dict of Parameters is an attribute like any
    other. `nn.ParameterList` and `nn.ParameterDict` register what stands directly in them, but not what stands in a
    list within them, and they keep plain numbers as they are.
    """

    code = "OPT203"
    name = "unregistered-parameters"
    severity = Severity.ERROR
    at_run_time = """\
Nothing is raised as long as the model has other parameters. The Parameters get gradients, but they are in neither
`parameters()` nor `state_dict()`: no optimizer built from the model changes them, they are not saved and not moved by
`.to()`. If the model has no other parameters, the optimizer raises `ValueError: optimizer got an empty parameter list`.
"""
    bad = """\
import torch
from torch import nn


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.scales = [nn.Parameter(torch.ones(1)) for _ in range(2)]
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.scales[0] * x + self.scales[1] * self.fc(x)
"""
    good = """\
import torch
from torch import nn


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(1)) for _ in range(2))
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.scales[0] * x + self.scales[1] * self.fc(x)
"""
    silent = (
        "the Parameters are registered as well: `nn.ParameterList`, `register_parameter`, `setattr`, or as attributes "
        "of their own",
        "they are frozen, handed to an optimizer, or updated by hand",
        "the class overrides `parameters()`, `_apply()` or the like and goes through the list there",
    )
    misses = ("Parameters that a function makes which cannot be seen",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each such list."""
        from optlint.semantics.questions.unregistered_parameters import unregistered_parameters

        for fact in run.ask(unregistered_parameters):
            yield self.finding(fact.site, message=_message(fact), help=_help(fact), related=_effects(fact))


def _message(fact: ParametersInList) -> str:
    where = f"`{fact.owner}.{fact.name}`"
    if fact.numbers:
        return f"{where} holds no Parameters: `{fact.holder}` keeps plain numbers as they are, so they never train"
    if fact.added:
        what = (
            f"`{fact.labels[0]}` of `{fact.owner}` stands only in a plain {fact.kind} and is not registered"
        )
    elif fact.holder:
        what = f"{where} is an `{fact.holder}` of {fact.kind}s: the Parameters in these are not registered"
    else:
        what = f"{where} is a plain {fact.kind}: the Parameters in it are not registered"
    them = "it" if fact.added else "them"
    return f"{what}, so `parameters()` does not list {them} and no optimizer trains {them}"


def _effects(fact: ParametersInList) -> tuple[Related, ...]:
    from optlint.semantics.questions.owners import raises

    if not fact.optimizers:
        return ()
    built = fact.optimizers[0]
    effect = "this optimizer does not hold them"
    if fact.nothing_else:
        effect = "this optimizer gets nothing to train"
        effect += (
            ": `ValueError: optimizer got an empty parameter list`"
            if raises(built)
            else ", and does not say so"
        )
    return (built.site.related(effect),)


def _help(fact: ParametersInList) -> str:
    if fact.numbers:
        return "give it tensors: `nn.Parameter(torch.tensor(1.0))`"
    if fact.added:
        return "register it as well: as an attribute of its own, or all in one `nn.ParameterList`"
    if fact.holder or fact.nested:
        return f"use registered lists at every level: `self.{fact.name} = nn.ModuleList([nn.ParameterList(…), …])`"
    if fact.kind in ("dict", "namespace"):
        return f"register them: `self.{fact.name} = nn.ParameterDict({fact.written})` (its keys are strings)"
    return f"register them: `self.{fact.name} = nn.ParameterList({fact.written})`"
