"""OPT108: the same parameter twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Related
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.duplicates import Duplicate


class DuplicateParameters(Rule):
    """An optimizer gets the same parameter twice, or two optimizers that hold the same step one after the other.

    It happens where lists are put together of parts that overlap: a model and one of its layers, all of `modules()`
    (each module lists the parameters of those inside it, too), two networks that share an encoder, weights that are
    tied; and where a layer is added with `add_param_group` that the optimizer has already.
    """

    code = "OPT108"
    name = "duplicate-parameters"
    at_run_time = """\
The same parameter in two param groups, or in a group that is added later, raises `ValueError: some parameters appear
in more than one parameter group`. Twice in one group gives a warning only, and each step is applied to it twice: an
`SGD` with a learning rate of 0.1 moves it by 0.2, the moments of `Adam` advance by two steps. Two optimizers that hold
the same parameters and step after the same backward pass do that without any warning. `model.parameters()` by itself
lists weights that are tied once."""
    bad = """\
from torch import nn, optim

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = optim.SGD(
    [
        {"params": model.parameters()},
        {"params": model[2].parameters(), "lr": 1e-2},
    ],
    lr=1e-3,
)
"""
    good = """\
from torch import nn, optim

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = optim.SGD(
    [
        {"params": model[0].parameters()},
        {"params": model[2].parameters(), "lr": 1e-2},
    ],
    lr=1e-3,
)
"""
    silent = (
        "two optimizers share a part of their parameters, or each steps after a backward pass of its own",
        "the list is made unique: a set, a dict by identity, a test whether the parameter is there already",
        "the groups come from branches of which only one is taken",
    )
    misses = ("overlaps that depend on names or sizes which cannot be known from the source",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each optimizer that gets parameters twice."""
        from optlint.semantics.questions.duplicates import given_twice

        for fact in run.ask(given_twice):
            yield self._finding(fact)

    def _finding(self, fact: Duplicate) -> Finding:
        return self.finding(fact.site, message=_message(fact), help=_help(fact), related=tuple(_where(fact)))


def _message(fact: Duplicate) -> str:
    names = _listed(fact.names) or "the same parameters"
    stand = "stands" if len(fact.names) == 1 else "stand"
    if fact.how == "group":
        them = "it" if len(fact.names) == 1 else "them"
        return f"{names}{_tied(fact)} {stand} in the list for `{fact.optimizer}` twice: each step changes {them} twice"
    if fact.how == "optimizers":
        return (
            f"this `{fact.optimizer}` holds the very parameters of the optimizer built before, and both step after "
            "the same backward pass: each is changed twice"
        )
    where = "in two groups of" if fact.how == "groups" else "already in a group of"
    verb = "is" if len(fact.names) == 1 else "are"
    return (
        f"{names}{_tied(fact)} {verb} {where} `{fact.optimizer}`: it raises `ValueError: some parameters appear in "
        "more than one parameter group`"
    )


def _tied(fact: Duplicate) -> str:
    if not fact.same:
        return ""
    one, other = fact.same[0]
    return f" (one with `{other}`)" if len(fact.names) == 1 else f" (`{one}` is `{other}`)"


def _help(fact: Duplicate) -> str:
    if fact.how == "optimizers":
        return "give this optimizer what it is for, or keep one of the two"
    if fact.how == "added":
        return "add only what the optimizer does not have; what it has can be unfrozen, or its group's settings changed"
    if fact.how == "group":
        return "give each parameter once: `model.parameters()` lists those of all submodules, and tied weights once"
    return (
        "leave out of one group what the other has: `[p for p in model.parameters() if id(p) not in taken]`"
    )


def _where(fact: Duplicate) -> Iterator[Related]:
    if fact.first is not None and fact.first != fact.site:
        text = "the other optimizer" if fact.how == "optimizers" else "they are given here first"
        yield fact.first.related(text)


def _listed(names: tuple[str, ...]) -> str:
    shown = [f"`{name}`" for name in names[:3]]
    if len(names) > 3:
        shown.append(f"{len(names) - 3} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
