"""Optimizers that certainly hold nothing, where no other mistake is the cause (OPT101, OPT106)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics.questions import causes
from optlint.semantics.site import Site
from optlint.semantics.values import Container, DictObj, UserClass

if TYPE_CHECKING:
    from optlint.semantics.events import OptimizerBuilt
    from optlint.semantics.program import Run


def given_nothing(run: Run) -> Iterator[OptimizerBuilt]:
    """The optimizers whose argument certainly holds nothing; ``empty`` is set on each."""
    other = causes.explained(run)
    for built in run.optimizers:
        if built.empty is not None and not other.holds(built):
            yield built


@dataclass(frozen=True)
class Parameterless:
    """An optimizer that is given the parameters of models that have none.

    ``silent``: they come as param groups, which may be empty; ``made``: the first model's class, or where it is made.
    """

    built: OptimizerBuilt
    silent: bool
    made: Site | None


def parameterless_models(run: Run) -> Iterator[Parameterless]:
    """The optimizers whose models have no parameters, where nothing else is the cause."""
    other = causes.explained(run)
    for built in run.optimizers:
        if not built.parameterless or built.faults or other.holds(built):
            continue
        given = built.argument
        groups = isinstance(given, Container) and any(isinstance(v, DictObj) for v in given.items.values)
        model = built.parameterless[0]
        made = model.cls.site if isinstance(model.cls, UserClass) else model.site
        yield Parameterless(built, groups or not built.optimizer.raises_on_empty, made)
