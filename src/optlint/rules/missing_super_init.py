"""OPT206: a module whose ``Module.__init__`` does not run, runs too late, or runs twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Fix, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.missing_init import MissingInit


#: Which of the tables that `nn.Module.__init__` makes a method misses first.
_TABLES = {
    "__call__": "_backward_hooks",
    **dict.fromkeys(("parameters", "named_parameters", "zero_grad", "requires_grad_"), "_parameters"),
    **dict.fromkeys(("modules", "named_modules", "children", "named_children", "apply"), "_modules"),
    **dict.fromkeys(("train", "eval", "to", "cpu", "cuda", "float"), "_modules"),
}


class MissingSuperInit(Rule):
    """A module sets its layers without `super().__init__()`, before it, or has them wiped by a second one.

    `nn.Module.__init__` makes the tables in which parameters and submodules are registered. Until it has run, a layer
    cannot be set at all; when it runs again, the tables are new and what they held is gone; and when a subclass goes
    past its parent's constructor, the parent's layers are never made.
    """

    code = "OPT206"
    name = "missing-super-init"
    severity = Severity.ERROR
    at_run_time = """\
Setting a layer or `nn.Parameter` raises `AttributeError: cannot assign module before Module.__init__() call` (or
`parameters`). Where only numbers, tensors or lists are set, the constructor passes and the first use fails:
`'Net' object has no attribute '_parameters'` (`parameters()`), `'_modules'` (`to()`, `train()`), `'_backward_hooks'`
(a call). `super(Other, self).__init__()` with a class that is no base raises TypeError. A second call of
`Module.__init__` is silent: the layers set before it are neither attributes nor in `parameters()` any more."""
    bad = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(x)
"""
    good = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(x)
"""
    silent = (
        "plain attributes (numbers, lists, tensors) are set before `super().__init__()`: that works",
        "a base, metaclass, decorator, `__new__` or `__setattr__` may construct the object in a way that is not seen",
        "the class itself is only a part: other classes extend it and call the constructors one by one",
        "what a second call wipes is made again, or what a passed-over parent would make is never read",
    )
    misses = (
        "`@dataclass` without `eq=False` on a module: it cannot be hashed, and `parameters()` raises TypeError",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each such constructor."""
        from optlint.semantics.questions.missing_init import missing_init

        for fact in run.ask(missing_init):
            yield self.finding(
                fact.site,
                message=_message(fact),
                help=_help(fact),
                related=tuple(site.related(text) for site, text in fact.places),
                fix=_fix(fact),
            )


def _fix(fact: MissingInit) -> Fix | None:
    from optlint.semantics import repairs

    if fact.form == "named":
        return repairs.called(fact.site)
    return repairs.constructor_called(fact.site, fact.owner) if fact.form == "missing" else None


def _message(fact: MissingInit) -> str:
    why = {
        "missing": f"`{fact.owner}.__init__` never calls `super().__init__()`",
        "late": f"`super().__init__()` of `{fact.owner}` comes too late",
        "named": "`super().__init__` is only named here, not called",
        "past": "this goes past `nn.Module`, whose `__init__` never runs",
        "unbound": "`super(…)` without `self` belongs to no object: `nn.Module.__init__` never runs",
        "stopped": f"`{fact.other}.__init__` does not go on to `nn.Module.__init__`",
        "dataclass": f"the `__init__` that `@dataclass` writes for `{fact.owner}` does not call `super().__init__()`",
    }
    if fact.form == "foreign":
        return (
            f"`{fact.other}` is no base of `{fact.owner}`: this `super` raises TypeError whenever one is made"
        )
    if fact.form == "bare":
        return "`super` is not called here: `super.__init__()` raises TypeError"
    if fact.form == "wiped":
        return f"a second `nn.Module.__init__` wipes what `{fact.owner}` had registered: {_gone(fact)}"
    if fact.form == "skipped":
        return (
            f"this goes past `{fact.other}.__init__`: `{fact.names[0]}` is never made, "
            "and reading it raises AttributeError"
        )
    return f"{why[fact.form]}: {_failure(fact)}"


def _failure(fact: MissingInit) -> str:
    if fact.used:
        table = _TABLES.get(fact.used, "")
        what = "calling the module" if fact.used == "__call__" else f"`{fact.used}()`"
        error = f": '{fact.owner}' object has no attribute '{table}'" if table else ""
        return f"{what} raises `AttributeError{error}`"
    error = (
        f"'{fact.owner}' object has no attribute '_modules'"
        if fact.kind == "table"
        else f"cannot assign {fact.kind} before Module.__init__() call"
    )
    what = f"setting `self.{fact.names[0]}`" if fact.names else "registering anything"
    return f"{what} raises `AttributeError: {error}`"


def _gone(fact: MissingInit) -> str:
    names = ", ".join(f"`{name}`" for name in fact.names[:3]) + (" and more" if len(fact.names) > 3 else "")
    verb = "is" if len(fact.names) == 1 else "are"
    pronoun = "it" if len(fact.names) == 1 else "them"
    effect = f"reading {pronoun} raises AttributeError" if fact.read else f"no optimizer gets {pronoun}"
    return f"{names} {verb} gone, and {effect}"


def _help(fact: MissingInit) -> str:
    if fact.form == "named":
        return "call it: `super().__init__()`"
    if fact.form in ("past", "unbound", "bare"):
        return f"write `super().__init__()` (or `super({fact.owner}, self).__init__()`)"
    if fact.form == "foreign":
        return f"write `super().__init__()`: it always means the class that it stands in, here `{fact.owner}`"
    if fact.form == "stopped":
        return f"call `super().__init__()` in `{fact.other}.__init__`, so that every base is constructed"
    if fact.form == "dataclass":
        return "write `__init__` yourself: `super().__init__()` first, then the layers"
    if fact.form == "wiped":
        return "construct the base once, before the first layer is set"
    if fact.form == "skipped":
        return f"call `super().__init__(…)`: it runs `{fact.other}.__init__`"
    return f"make `super().__init__()` the first line of `{fact.owner}.__init__`"
