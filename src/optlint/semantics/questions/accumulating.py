"""Gradients of micro-batches that are cleared although only every n-th round of the loop steps (OPT502).

The other rounds' gradients are computed and thrown away. Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics.events import GradientsDropped, Stepped
from optlint.semantics.gradients import DIRTY, FILLED
from optlint.semantics.questions.clearing import cleared_too_early, is_optimizer, told
from optlint.semantics.site import Site
from optlint.semantics.values import Optimizer
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.program import Run

#: By what the number of the round is divided.
_EVERY = regex(r"%\s*([\w.]+)")


@dataclass(frozen=True)
class MicroBatchesCleared:
    """``site`` clears in each round what the ``step``, taken under ``condition``, is to add up; so ``optimizer``."""

    site: Site
    step: Site
    optimizer: str
    condition: str


def cleared_micro_batches(run: Run) -> Iterator[MicroBatchesCleared]:
    """The calls that clear each micro-batch's gradients before the optimizer has stepped."""
    if run.interpreter.book.out_of_hand:
        return
    seen = {fact.site for fact in run.ask(cleared_too_early)}  # there no step sees any gradient
    steps = [event for event in run.of(Stepped) if is_optimizer(event.subject)]
    for event in run.of(GradientsDropped):
        if event.site in seen or not event.each_round or not event.before.kinds & {FILLED, DIRTY}:
            continue
        own = [step for step in steps if step.subject is event.subject]
        if not own or len({step.site for step in own}) > 1:
            continue
        if isinstance(event.subject, Optimizer) and run.held_by(event.subject) & run.touched:
            continue  # the gradients were used in another way
        loop = event.loop.node
        condition = _condition(loop, own[0].site)
        if condition is None or not _adds_up(event.loop, condition):
            continue
        filled = {site for kind in (FILLED, DIRTY) for site in event.before.sites(kind)}
        if any(filled & _used(step) for step in steps if step.subject is not event.subject):
            continue  # another optimizer steps in between, along the same gradients
        if not all(_conditions(loop, site.node) == [] for site in (*filled, event.site)):
            continue
        seen.add(event.site)
        yield MicroBatchesCleared(event.site, own[0].site, told(own[0]), condition)


def _used(step: Stepped) -> set[Site]:
    """The backward passes whose gradients a step uses."""
    return {site for kind in (FILLED, DIRTY) for site in step.before.sites(kind)}


def _adds_up(loop: Site, condition: str) -> bool:
    """Whether the loss is divided by the number of rounds between two steps: their gradients are to be a mean."""
    every = _EVERY.search(condition)
    return every is not None and re.search(rf"/=?\s*{re.escape(every[1])}\b", loop.text()) is not None


def _condition(loop: cst.CSTNode, step: Site) -> str | None:
    """The test with a ``%`` under which a step is taken in a loop."""
    tests = _conditions(loop, step.node)
    if tests is None or len(tests) != 1:
        return None
    text = " ".join(step.part.code(tests[0]).split())
    return text if _EVERY.search(text) else None


def _conditions(loop: cst.CSTNode, wanted: cst.CSTNode) -> list[cst.BaseExpression] | None:
    """The tests of the ``if`` statements between a loop and a node in it; None where it is not in its own body."""
    for child in loop.children:
        if child is wanted:
            return []
        if isinstance(child, (cst.For, cst.While, cst.FunctionDef, cst.ClassDef, cst.Try)):
            continue
        found = _conditions(child, wanted)
        if found is not None:
            return [loop.test, *found] if isinstance(loop, cst.If) else found
    return None
