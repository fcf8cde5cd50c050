"""OPT103: an iterator of parameters that is read twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Fix, Related, Safety
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.exhausted import ReadAgain


class ExhaustedParameterIterator(Rule):
    """An iterator of parameters is read a second time, when nothing or not everything is left in it.

    `model.parameters()`, `named_parameters()`, `filter`, `map`, `zip`, `chain` and generator expressions give their
    elements once. Whoever reads first (a count, an initialisation, an optimizer, gradient clipping) uses them up; the
    next reader gets nothing. `next`, `any` and a loop that breaks take the first parameters only, and the optimizer
    gets the rest.
    """

    code = "OPT103"
    name = "exhausted-parameter-iterator"
    at_run_time = """\
An optimizer that is given a used-up iterator raises `ValueError: optimizer got an empty parameter list`. In a param
group, and in `add_param_group`, nothing is raised: the group is empty, and its parameters never train. The same goes
for a list made from what is left of `named_parameters()`. `clip_grad_norm_` over a used-up iterator returns 0.0 and
clips nothing (a generator gives a warning once, `filter`, `map` and `chain` give none). After `next(params)` the first
parameter is missing from the optimizer, silently."""
    bad = """\
from torch import nn, optim

model = nn.Linear(4, 2)
params = model.parameters()
print(sum(p.numel() for p in params))
optimizer = optim.Adam(params, lr=1e-3)
"""
    good = """\
from torch import nn, optim

model = nn.Linear(4, 2)
params = list(model.parameters())
print(sum(p.numel() for p in params))
optimizer = optim.Adam(params, lr=1e-3)
"""
    silent = (
        "the parts that were taken before are given to an optimizer as well: the iterator is shared out",
        "what was taken is thrown away on purpose, with `next(params)` as a statement of its own",
        "which reader comes first depends on the path, or on code that cannot be seen",
        "the iterator gives neither parameters nor modules that have some",
        "what gives the iterator is not known, and the project has a `parameters` method that may give a list",
    )
    misses = (
        "the first parameters, taken by `next` or `any` from the iterator of a model that is not known",
        "an iterator that two methods read, each of which some other file calls",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each place that reads an iterator again."""
        from optlint.semantics.questions.exhausted import read_again

        for fact in run.ask(read_again):
            yield self._finding(fact)

    def _finding(self, fact: ReadAgain) -> Finding:
        return self.finding(
            fact.site,
            message=f"{_cause(fact)}: {_EFFECTS[fact.effect](fact)}",
            help=_help(fact),
            related=tuple(_where(fact)),
            fix=_fix(fact),
        )


def _fix(fact: ReadAgain) -> Fix | None:
    """A list in the place of the iterator, where nobody asks that for its next element."""
    from optlint.semantics import repairs

    stepwise = any(use.by in ("builtins.next", "in") for use in fact.uses) or fact.by in (
        "builtins.next",
        "in",
    )
    if fact.made is None or fact.made.path != fact.site.path or fact.head or stepwise:
        return None
    plain = fact.made.text().endswith("parameters()")
    return repairs.wrapped(fact.made, "list", Safety.SAFE if plain else Safety.UNSAFE)


def _cause(fact: ReadAgain) -> str:
    name = f"`{fact.iterator}`" if fact.iterator else "the iterator"
    if fact.head:
        first = "the first one is" if fact.head == 1 else f"the first {fact.head} are"
        return f"{first} taken from {name} already"
    if fact.together:
        return f"{name} is used up by the group before"
    if fact.again_and_again:
        return f"{name} is used up {'by the first `in`' if fact.by == 'in' else 'in the first round'}"
    return f"{name} is used up {'where the branch before is taken' if fact.maybe else 'already'}"


def _empty_optimizer(fact: ReadAgain) -> str:
    return f"{_optimizer(fact)} raises `ValueError: optimizer got an empty parameter list`"


def _empty_group(fact: ReadAgain) -> str:
    end = (
        f"{_listed(fact.untrained)} never {_train(fact)}" if fact.untrained else "its settings reach nothing"
    )
    return f"{_optimizer(fact)} gets an empty group without a word{f', and {end}' if fact.known else ''}"


def _less(fact: ReadAgain) -> str:
    gets = "the rest" if fact.head else "nothing of it"
    end = f", and {_listed(fact.untrained)} never {_train(fact)}" if fact.untrained else ""
    return f"{_optimizer(fact)} gets {gets}{end}"


def _no_clipping(fact: ReadAgain) -> str:
    calls = "later calls clip nothing and give" if fact.again_and_again else "this clips nothing and gives"
    return f"{calls} 0.0{', without a warning' if fact.lazy else ''}"


def _raises(fact: ReadAgain) -> str:
    error = "ValueError" if "vector" in fact.by else "RuntimeError"
    return f"`{fact.by.rsplit('.', 1)[-1]}` raises {error}"


def _nothing(fact: ReadAgain) -> str:
    nothing = _READS_NOTHING.get(fact.by, "this reads nothing")
    if not fact.untrained:
        return nothing
    return f"{nothing}, and {_listed(fact.untrained)} never {_train(fact)}"


_READS_NOTHING = {
    "for": "the loop has no rounds",
    "comprehension": "this finds nothing",
    "builtins.sum": "the sum is 0",
    "builtins.list": "the list is empty",
    "in": "nothing is found in it any more",
}


_EFFECTS = {
    "empty-optimizer": _empty_optimizer,
    "empty-group": _empty_group,
    "less": _less,
    "no-clipping": _no_clipping,
    "raises": _raises,
    "nothing": _nothing,
}


def _optimizer(fact: ReadAgain) -> str:
    return f"`{fact.optimizers[0].optimizer.cls_name}`" if fact.optimizers else "the optimizer"


def _train(fact: ReadAgain) -> str:
    return "trains" if len(fact.untrained) == 1 else "train"


def _listed(names: tuple[str, ...]) -> str:
    shown = [f"`{name}`" for name in names[:3]]
    if len(names) > 3:
        shown.append(f"{len(names) - 3} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _where(fact: ReadAgain) -> Iterator[Related]:
    if fact.reader is not None:
        yield fact.reader.related("it is read again here")
    for use in fact.uses[:3]:
        if use.site not in (fact.site, fact.reader):
            took = "it is used up here" if use.full else "this takes from it"
            yield use.site.related("its first elements are taken here" if fact.head else took)
    for site in fact.also[:2]:
        yield site.related("and it is read again here")
    for built in fact.optimizers[:1]:
        if built.site != fact.site and fact.effect == "nothing":
            yield built.site.related(f"`{built.optimizer.cls_name}` is built here")
    if fact.made is not None and fact.made.statement is not fact.site.statement:
        yield fact.made.related("the iterator is made here")


def _help(fact: ReadAgain) -> str:
    made = fact.made.text() if fact.made is not None else ""
    if fact.iterator and 0 < len(made) <= 60 and fact.iterator != made:
        whole = f"[{made[1:-1]}]" if made.startswith("(") else f"list({made})"
        return f"make a list of it, which can be read again: `{fact.iterator} = {whole}`"
    return "make a list of it, which can be read again: `list(…)`"
