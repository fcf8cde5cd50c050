"""Optimizers that are built anew for each step, so that their state is lost every time (OPT110).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import events
from optlint.semantics.libraries.parameter_arguments import optimizer_leaves
from optlint.semantics.questions.chronicle import chronicle
from optlint.semantics.values import Const, Leaf, Optimizer, options

if TYPE_CHECKING:
    from optlint.semantics.events import OptimizerBuilt
    from optlint.semantics.program import Run
    from optlint.semantics.site import Site

#: What these keep between steps decides how far the next one goes.
_STATEFUL = frozenset(
    """
    ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax Muon NAdam RAdam RMSprop Rprop SparseAdam
    AdamP AdaBelief AdaBound Lamb LAMB Lion NovoGrad RangerQH Ranger Yogi FusedAdam FusedLAMB DeepSpeedCPUAdam
    Adam8bit AdamW8bit PagedAdamW8bit Prodigy MADGRAD Shampoo SOAP
    """.split()
)


@dataclass(frozen=True)
class Rebuilt:
    """An optimizer that is built in each round of ``loop`` and stepped once in it. ``lost``: what it forgets."""

    built: OptimizerBuilt
    loop: Site
    lost: str


def rebuilt_each_step(run: Run) -> Iterator[Rebuilt]:
    """Optimizers of the same parameters that each round of a loop builds, steps once, and throws away."""
    if not run.complete:
        return
    last: dict[tuple[object, int], OptimizerBuilt] = {}
    told: set[object] = set()
    for built in run.optimizers:
        if not built.rounds or not built.each_round or built.site in told:
            continue
        key = (built.site, id(built.rounds[-1].loop))
        before, last[key] = last.get(key), built
        if built.rounds[-1].repeats:
            before = built
        elif before is None or before.rounds[-1] is built.rounds[-1]:
            continue
        lost = _lost(before)
        if lost and _same_work(run, before, built) and _stepped_once(run, before):
            told.add(built.site)
            yield Rebuilt(built, built.rounds[-1].site, lost)


def _lost(built: OptimizerBuilt) -> str:
    """What an optimizer of this class keeps between steps; empty where that is nothing, or not known."""
    name = built.optimizer.cls_name
    if name in _STATEFUL:
        return "state"
    momentum = built.settings.get("momentum") if name == "SGD" else None
    known = momentum is not None and all(
        isinstance(option, Const) and isinstance(option.value, (int, float)) and option.value > 0
        for option in options(momentum)
    )
    return "momentum" if known else ""


def _same_work(run: Run, before: OptimizerBuilt, built: OptimizerBuilt) -> bool:
    """Whether two rounds build the optimizer for the same tensors, and nothing gives these new values in between."""
    first, more = optimizer_leaves(before.optimizer)
    second, others = optimizer_leaves(built.optimizer)
    if more or others or not first or first != second:
        return False
    if before is built:  # one round alone is followed
        return all(leaf.serial < built.rounds[-1].began for leaf in first)
    start, end = run.ask(chronicle)[0].place(before), run.ask(chronicle)[0].place(built)
    return not any(_resets(event, first, before.optimizer) for event in run.events[start:end])


def _resets(event: events.Event, leaves: set[Leaf], optimizer: Optimizer) -> bool:
    if isinstance(event, events.WeightsLoaded):
        return bool(event.leaves & leaves)
    if isinstance(event, events.OptimizerRestored):
        return event.optimizer is optimizer
    return isinstance(event, events.HandUpdated) and event.leaf in leaves


def _stepped_once(run: Run, built: OptimizerBuilt) -> bool:
    """Whether the optimizer is stepped in the round that built it, outside of any loop in that, and only once."""
    steps = [event for event in run.of(events.OptimizerStepped) if event.optimizer is built.optimizer]
    if not steps or any(event.rounds != built.rounds for event in steps):
        return False
    return sum(not event.conditional for event in steps) <= 1 and len({event.site for event in steps}) <= 2
