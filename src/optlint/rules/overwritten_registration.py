"""OPT209: layers that are lost because each takes the place of the one before, or that nothing ever makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Related
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.overwritten import LostLayers


class OverwrittenRegistration(Rule):
    """A loop registers layer after layer under one name, or a misspelt constructor registers none.

    `self.conv = nn.Conv2d(…)` in a loop, `setattr(self, "layer", …)`, `add_module("layer", …)` or one key of a
    `ModuleDict` keep the last layer only. A method `_init_` or `__int__` that was meant to be `__init__` never runs.
    """

    code = "OPT209"
    name = "overwritten-registration"
    at_run_time = """\
Nothing is raised: a module has one entry for each name, and each assignment takes the place of the one before. The
first layers are gone, with their parameters; `forward` uses the last one wherever it was meant to use them all. With
a misspelt constructor the module has no layers: `optim.Adam(model.parameters())` raises `ValueError: optimizer got an
empty parameter list`, and `forward` an AttributeError."""
    bad = """\
from torch import nn, optim


class Mlp(nn.Module):
    def __init__(self, widths):
        super().__init__()
        for before, after in zip(widths, widths[1:]):
            self.layer = nn.Linear(before, after)

    def forward(self, x):
        return self.layer(x)


model = Mlp([8, 8, 8])
optimizer = optim.Adam(model.parameters())
"""
    good = """\
from torch import nn, optim


class Mlp(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList()
        for before, after in zip(widths, widths[1:]):
            self.layers.append(nn.Linear(before, after))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


model = Mlp([8, 8, 8])
optimizer = optim.Adam(model.parameters())
"""
    silent = (
        "what is overwritten is kept elsewhere as well, or was used before",
        "it has no parameters",
        "it is overwritten outside a loop, as by a subclass",
    )
    misses = ("the same name twice in the text", "an `OrderedDict` with the same key twice")

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each place that loses layers."""
        from optlint.semantics.questions.overwritten import lost_layers

        for fact in run.ask(lost_layers):
            yield self.finding(
                fact.site, message=_message(fact), help=_help(fact), related=tuple(_related(fact))
            )


def _place(fact: LostLayers) -> str:
    return f'`{fact.owner}["{fact.name}"]`' if fact.key else f"`{fact.owner}.{fact.name}`"


def _message(fact: LostLayers) -> str:
    if fact.loop is None:
        return (
            f"{_place(fact)} is not the constructor and nobody calls it: "
            f"a `{fact.owner}` is made without its layers"
        )
    return f"each round puts another `{fact.kind}` in the place of {_place(fact)}: only the last is kept"


def _help(fact: LostLayers) -> str:
    if fact.loop is None:
        return "name it `__init__`, with two underscores on each side"
    if fact.key:
        return f'give each its own name, for example `f"{fact.name}{{i}}"`'
    kept = "ParameterList" if fact.kind == "Parameter" else "ModuleList"
    return f"keep them all: make `self.{fact.name}s = nn.{kept}()` before the loop and append to it"


def _related(fact: LostLayers) -> Iterator[Related]:
    for built in fact.optimizers[:2]:
        if fact.loop is None:
            yield built.site.related("this optimizer gets nothing of it")
        else:
            yield built.site.related("this optimizer gets only the last")
