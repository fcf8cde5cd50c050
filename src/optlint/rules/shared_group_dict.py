"""OPT111: a dict of a param group whose settings do not count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Related, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.group_dicts import SharedDict, UnknownKey


class SharedGroupDict(Rule):
    """The dict of a param group does not do what it says.

    Either two optimizers are given the same dict: the first writes all of its settings into it, and the second runs
    with these instead of its own. Or a setting is misspelt (`learning_rate`, `weight_decy`): unlike an unknown keyword
    argument it is kept and ignored.
    """

    code = "OPT111"
    name = "shared-group-dict"
    severity = Severity.WARNING
    at_run_time = """\
An optimizer keeps the dicts that it is given: `params` becomes a list, and every setting that is missing is filled in
with the optimizer's own. A second optimizer that gets the same dict finds `lr` there already and uses it; nothing is
raised, and `SGD(groups, lr=0.5)` after `SGD(groups, lr=0.1)` runs with 0.1. What a scheduler later writes for one holds
for both. A key that no optimizer knows is kept in the group and never read: the group runs with the default."""
    bad = """\
from torch import nn, optim

model = nn.Linear(4, 2)
groups = [{"params": model.parameters()}]
warmup = optim.SGD(groups, lr=0.01)
optimizer = optim.SGD(groups, lr=0.5)
"""
    good = """\
from torch import nn, optim

model = nn.Linear(4, 2)
warmup = optim.SGD([{"params": model.parameters()}], lr=0.01)
optimizer = optim.SGD([{"params": model.parameters()}], lr=0.5)
"""
    silent = (
        "both optimizers have the same settings, or the dict has its own",
        "a key is no setting's near miss: `name`, `lr_scale`, `initial_lr` and the like are the user's own",
        "some code of the program reads the key from a group",
    )
    misses = (
        "settings whose values come from arguments or a configuration",
        "copies of a dict that an optimizer was given before: they have its settings, too",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each optimizer that runs with another's settings, and for each key that is ignored."""
        from optlint.semantics.questions.group_dicts import ignored_keys, shared

        for fact in run.ask(shared):
            yield self._shared(fact)
        for key in run.ask(ignored_keys):
            yield self._ignored(key)

    def _shared(self, fact: SharedDict) -> Finding:
        name, wanted, got = fact.settings[0]
        others = ", ".join(f"`{key}={value}`" for key, _, value in fact.settings[1:3])
        more = f" (and with {others})" if others else ""
        return self.finding(
            fact.site,
            message=(
                f"`{fact.optimizer}` gets a group dict that belongs to {_another(fact)}: it runs with "
                f"`{name}={got}`, not with `{name}={wanted}`{more}"
            ),
            help="make the dicts anew for each optimizer, in a function that both call",
            related=tuple(_where(fact)),
        )

    def _ignored(self, fact: UnknownKey) -> Finding:
        return self.finding(
            fact.site,
            message=(
                f"`{fact.optimizer}` has no setting `{fact.key}` and ignores it: this group runs with "
                f"{f'`{fact.meant}={fact.runs_with}`' if fact.runs_with else f'the `{fact.meant}` of the optimizer'}"
            ),
            help=f'call it `"{fact.meant}"`',
            related=(fact.built.related(f"`{fact.optimizer}` is built here"),)
            if fact.built != fact.site
            else (),
        )


def _another(fact: SharedDict) -> str:
    return f"{'another ' if fact.first == fact.optimizer else ''}`{fact.first}`"


def _where(fact: SharedDict) -> Iterator[Related]:
    if fact.first_site is not None and fact.first_site != fact.site:
        yield fact.first_site.related(f"`{fact.first}` writes its settings into the dict here")
    if fact.dict_site is not None:
        yield fact.dict_site.related("the dict is made here")
