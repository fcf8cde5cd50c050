"""Closures that are given to ``optimizer.step``: they are called, and it is noted what they did.

``torch_optimizers`` calls; the question about closures reads what is recorded. Must not know which closures are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from optlint.semantics import gradients, stopping, truth
from optlint.semantics.events import Backward, ModelCalled
from optlint.semantics.schedule_events import StepCalled
from optlint.semantics.values import NONE, Arguments, Const, Function, Method, Optimizer, Value
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter


def call(it: Interpreter, owner: Optimizer, arguments: Arguments, node: cst.CSTNode) -> Value:
    """Call the closure that ``step`` is given, if any, and give what it returned; None without one."""
    from optlint.semantics import calls

    closure = arguments.get(0, "closure")
    given = closure is not None and truth.truth(closure) is True
    repeats = evaluates_again(owner)
    before, start = gradients.state(owner), len(it.events)
    outer, it.parameters_used = it.parameters_used, set()
    restore_mode = stopping.set_mode(it, True, None)  # a closure runs with gradients on, whoever calls
    site = it.site(node)
    if given and repeats:
        gradients.used_before(it, owner, site)
    result = calls.call(it, closure, Arguments(), node) if closure is not None and given else NONE
    restore_mode()
    used, it.parameters_used = frozenset(it.parameters_used), outer
    if outer is not None:
        outer |= used
    after = gradients.state(owner)
    if given and repeats:
        gradients.used_at_last(it, owner, before)
    happened = it.events[start:]
    it.record(
        StepCalled(
            site,
            bool(it.conditional),
            owner,
            closure,
            arguments.open or it.several > 0,
            isinstance(closure, (Function, Method)) and given,
            result,
            before,
            after,
            tuple(event for event in happened if isinstance(event, Backward)),
            tuple(event for event in happened if isinstance(event, ModelCalled)),
            used,
            bool(it.catching or it.handling),
            it.conditional == (it.rounds()[-1].conditional if it.rounds() else 0),
        )
    )
    return result


def evaluates_again(owner: Optimizer) -> bool:
    """Whether an optimizer's ``step`` calls its closure several times: ``LBFGS``, unless it may take one iteration."""
    if owner.cls_name != "LBFGS" or "#of_torch" not in owner.slots:
        return False
    settings = owner.slots.get("#settings")
    most = settings.get("max_iter") if isinstance(settings, Mapping) else None
    return most is None or (isinstance(most, Const) and isinstance(most.value, int) and most.value > 1)
