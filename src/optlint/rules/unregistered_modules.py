"""OPT202: layers in a plain list, dict or set of a Module, which nothing registers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Fix, Related, Safety, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.unregistered_modules import ModulesInList


class UnregisteredModules(Rule):
    """A Module keeps layers in a plain list, dict, tuple or set.

    Assigning a layer to `self` registers it; putting it into a Python list, tuple, dict, set or deque does not, however
    the list came about: literal, comprehension, `append`, nested in another one, `list(nn.ModuleList(…))`.
    `parameters()` lists none of its weights, so an optimizer built from it never changes them. A generator in the place
    of the list is no better.
    """

    code = "OPT202"
    name = "unregistered-modules"
    severity = Severity.ERROR
    at_run_time = """\
Nothing is raised as long as the model has other parameters. The forward pass uses the layers and gradients reach them,
but they are in neither `parameters()` nor `state_dict()`: they keep their random initial values, are not saved, are not
moved by `.to()`, and `eval()` does not reach them. If the model has no other parameters, the optimizer raises
`ValueError: optimizer got an empty parameter list`."""
    bad = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(4, 4) for _ in range(3)]
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).relu()
        return self.head(x)
"""
    good = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).relu()
        return self.head(x)
"""
    silent = (
        "the layers are registered as well: `nn.ModuleList`, `nn.Sequential(*layers)`, `add_module`, `setattr`, "
        "or as attributes of their own",
        "they have no parameters (activations, dropout, pooling, losses), are frozen, pretrained, loaded or in `eval()`",
        "their parameters are handed to an optimizer, or the class overrides `parameters()`, `_apply()` or the like "
        "and goes through the list there",
        "a list or tuple around one module (`self.teacher = [teacher]`): that is how registration is avoided on purpose",
    )
    misses = ("layers that a class or function makes which cannot be seen",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each such list."""
        from optlint.semantics.questions.unregistered_modules import unregistered_modules

        for fact in run.ask(unregistered_modules):
            yield self.finding(
                fact.site, message=_message(fact), help=_help(fact), related=_effects(fact), fix=_fix(fact)
            )


def _fix(fact: ModulesInList) -> Fix | None:
    from optlint.semantics import repairs

    if fact.added or fact.nested or fact.kind != "list" or fact.iterator is not None:
        return None
    container = repairs.torch_name(fact.site, "ModuleList")
    # Unsafe: a ModuleList is no list, and the names in the state dict change.
    return None if container is None else repairs.value_wrapped(fact.site, container, Safety.UNSAFE)


def _message(fact: ModulesInList) -> str:
    if fact.added:
        return (
            f"`{fact.labels[0]}` of `{fact.owner}` stands only in a plain {fact.kind} and is not registered, so "
            "`parameters()` does not list its weights and no optimizer trains it"
        )
    return (
        f"`{fact.owner}.{fact.name}` is a plain {fact.kind}: the modules in it are not registered, so "
        "`parameters()` does not list their weights and no optimizer trains them"
    )


def _effects(fact: ModulesInList) -> tuple[Related, ...]:
    from optlint.semantics.questions.owners import raises

    if not fact.optimizers:
        return ()
    built = fact.optimizers[0]
    effect = "this optimizer does not hold their weights"
    if fact.nothing_else:
        effect = "this optimizer gets nothing to train"
        effect += (
            ": `ValueError: optimizer got an empty parameter list`"
            if raises(built)
            else ", and does not say so"
        )
    return (built.site.related(effect),)


def _help(fact: ModulesInList) -> str:
    if fact.added:
        return "register it as well: as an attribute of its own, with `self.add_module(…)`, or all in one `nn.ModuleList`"
    if fact.nested:
        return (
            f"use module containers at every level: `self.{fact.name} = nn.ModuleList([nn.ModuleList(…), …])`"
        )
    if fact.kind in ("dict", "namespace"):
        return f"register them: `self.{fact.name} = nn.ModuleDict({fact.written})` (its keys are strings)"
    return f"register them: `self.{fact.name} = nn.ModuleList({fact.written})`"
