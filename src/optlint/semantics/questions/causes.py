"""One cause is one finding: what the questions about causes explain, so that those about effects leave it alone.

A layer in a plain list makes an optimizer empty and a list partial; only the list is the mistake. Questions that look
for causes are listed here in order of precedence, each answers with facts that name the ``leaves`` and ``optimizers``
that they explain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from optlint.deferred import dataclass

if TYPE_CHECKING:
    from optlint.semantics.events import OptimizerBuilt
    from optlint.semantics.program import Run
    from optlint.semantics.values import Leaf


class Cause(Protocol):
    """A fact that explains why leaves are in no optimizer, or why an optimizer holds nothing (of them)."""

    @property
    def leaves(self) -> frozenset[Leaf]:
        """The leaf tensors whose absence it explains."""
        ...

    @property
    def optimizers(self) -> tuple[OptimizerBuilt, ...]:
        """The optimizers whose contents it explains."""
        ...


@dataclass(frozen=True)
class Explained:
    """Everything that some causes explain."""

    leaves: frozenset[Leaf] = frozenset()
    optimizers: frozenset[int] = frozenset()

    def holds(self, built: OptimizerBuilt) -> bool:
        """Whether the contents of this optimizer have such a cause."""
        return id(built.optimizer) in self.optimizers


Question = Callable[["Run"], Iterable[Cause]]


def _in_order() -> tuple[Question, ...]:
    """The questions about causes, the strongest first. (Imported late: they ask this module in turn.)"""
    from optlint.semantics.questions.exhausted import read_again
    from optlint.semantics.questions.frozen import everything_frozen
    from optlint.semantics.questions.gradless import gradless
    from optlint.semantics.questions.group_edits import edited_groups
    from optlint.semantics.questions.hidden_modules import hidden_modules
    from optlint.semantics.questions.made_in_forward import made_in_forward
    from optlint.semantics.questions.missed_freezing import missed_freezing
    from optlint.semantics.questions.missing_init import missing_init
    from optlint.semantics.questions.non_leaves import non_leaves
    from optlint.semantics.questions.overwritten import lost_layers
    from optlint.semantics.questions.stale import stale_optimizers
    from optlint.semantics.questions.turned_parameters import turned_parameters
    from optlint.semantics.questions.unfrozen import unfrozen_too_late
    from optlint.semantics.questions.unregistered_modules import unregistered_modules
    from optlint.semantics.questions.unregistered_parameters import unregistered_parameters
    from optlint.semantics.questions.wrong_arguments import wrong_arguments

    return (
        missing_init,
        unregistered_modules,
        unregistered_parameters,
        turned_parameters,
        hidden_modules,
        lost_layers,
        made_in_forward,
        wrong_arguments,
        non_leaves,
        gradless,
        read_again,
        edited_groups,
        stale_optimizers,
        missed_freezing,
        everything_frozen,
        unfrozen_too_late,
    )


def explained(run: Run, before: Question | None = None) -> Explained:
    """What causes explain; with ``before``, only those that take precedence over that question."""
    leaves: set[Leaf] = set()
    optimizers: set[int] = set()
    for question in _in_order():
        if question is before:
            break
        for cause in run.ask(question):
            leaves |= cause.leaves
            optimizers |= {id(built.optimizer) for built in cause.optimizers}
    return Explained(frozenset(leaves), frozenset(optimizers))
