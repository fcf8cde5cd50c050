"""OPT101: an optimizer that is given nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Related
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.events import OptimizerBuilt
    from optlint.semantics.program import Run


class EmptyParameterList(Rule):
    """An optimizer gets an empty parameter list.

    The list may be written empty, still be empty because it is filled only later, or be what a filter leaves when
    every parameter is frozen or no name matches. Empty param groups are the worse case, because nothing is raised.
    """

    code = "OPT101"
    name = "empty-parameter-list"
    at_run_time = """\
`optim.Adam([])` raises `ValueError: optimizer got an empty parameter list` in the constructor; so do an empty tuple,
set, dict, iterator and `nn.ParameterList()`. The check looks at the outer list only: `optim.Adam([{"params": []}])`
is accepted, `step()` and `zero_grad()` return None, no warning is given, and nothing ever trains. (`LBFGS` with an
empty group raises `IndexError: list index out of range` in `step()`.)"""
    bad = """\
from torch import nn, optim

model = nn.Linear(4, 2)
params = []
optimizer = optim.Adam(params, lr=1e-3)
"""
    good = """\
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.Adam(model.parameters(), lr=1e-3)
"""
    silent = (
        "the list may hold something on some path that reaches the optimizer",
        "an empty group stands beside one that is not empty",
        "the list comes from code that cannot be followed",
    )
    misses = (
        "a model that has no parameters at all",
        "a generator that an earlier optimizer used up",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each optimizer whose argument certainly holds nothing."""
        from optlint.semantics.questions.emptiness import given_nothing

        for built in run.ask(given_nothing):
            yield self._finding(run, built)

    def _finding(self, run: Run, built: OptimizerBuilt) -> Finding:
        from optlint.semantics import repairs

        assert built.empty is not None
        name = built.optimizer.cls_name
        model = run.only_model_name()
        return self.finding(
            built.site,
            message=_effect(name, built),
            help=_help(model, name) if built.empty.form != "unbuilt" else _BUILD_IT,
            related=_where(built),
            fix=None if model is None else repairs.nothing_replaced(built.site, f"{model}.parameters()"),
        )


def _effect(name: str, built: OptimizerBuilt) -> str:
    assert built.empty is not None
    if built.empty.form == "group":
        if name == "LBFGS":
            return f"every param group of `{name}` is empty: `step()` raises IndexError"
        return f"every param group of `{name}` is empty: nothing is raised, and nothing trains"
    if not built.optimizer.raises_on_empty:
        return f"`{name}` gets an empty parameter list: there is nothing for it to train"
    if built.empty.form == "unbuilt":
        return (
            f"`{built.empty.owner}` is not built and has no parameters yet: `{name}` raises `ValueError: optimizer got an"
            " empty parameter list`"
        )
    why = (
        "no parameter is left for" if built.empty.form == "filter" else "an empty parameter list is given to"
    )
    return f"{why} `{name}`: it raises `ValueError: optimizer got an empty parameter list`"


_BUILD_IT = "build the model first: with `keras.Input` as its first layer, its `build(input_shape)`, or one call of it"


def _where(built: OptimizerBuilt) -> tuple[Related, ...]:
    assert built.empty is not None
    made = built.empty.made
    if made is None or made.statement is built.site.statement:
        return ()
    if built.empty.form == "unbuilt":
        return (made.related("the Keras model is made here, without the shape of its input"),)
    text = (
        "nothing passes this filter"
        if built.empty.form == "filter"
        else "the list is made here, and still empty"
    )
    return (made.related(text),)


def _help(model: str | None, name: str) -> str:
    return f"give it what it has to train: `{name}({model or 'model'}.parameters(), …)`"
