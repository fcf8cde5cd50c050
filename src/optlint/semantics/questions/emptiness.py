"""Optimizers that certainly hold nothing, where no other mistake is the cause (OPT101)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.semantics.questions import causes

if TYPE_CHECKING:
    from optlint.semantics.events import OptimizerBuilt
    from optlint.semantics.program import Run


def given_nothing(run: Run) -> Iterator[OptimizerBuilt]:
    """The optimizers whose argument certainly holds nothing; ``empty`` is set on each."""
    other = causes.explained(run)
    for built in run.optimizers:
        if built.empty is not None and not other.holds(built):
            yield built
