"""Closures of ``optimizer.step`` that are missing, called too early, or do not do what the optimizer needs (OPT511).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import attributes
from optlint.semantics.events import ModelCalled, OptimizerExpected
from optlint.semantics.gradients import CLEAR, DIRTY, FRESH, USED
from optlint.semantics.libraries import closures
from optlint.semantics.questions.participation import deps
from optlint.semantics.schedule_events import ScalerUsed, StepCalled
from optlint.semantics.site import Site
from optlint.semantics.values import (
    NONE,
    Const,
    Flow,
    Function,
    Instance,
    Leaf,
    Method,
    Optimizer,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class ClosureFault:
    """A step (or what is wrong of its closure) at ``site``.

    ``fault``: ``missing``, ``called`` (its result is given: ``got``), ``none`` (it returns nothing), ``no backward``,
    ``not cleared``, ``graph`` (the forward pass is outside), ``scaler``, or ``dropped`` (Lightning's, ``name``d so).
    ``subject``: the optimizer; ``step``: where it steps; ``name``: that of the optimizer or closure.
    """

    site: Site
    fault: str
    name: str = ""
    got: str = ""
    step: Site | None = None
    subject: Optimizer | None = None


def closure_faults(run: Run) -> Iterator[ClosureFault]:
    """The misused closures, each place once."""
    seen: set[Site] = set()
    for fact in _all(run):
        if fact.site not in seen:
            seen.add(fact.site)
            yield fact


def _all(run: Run) -> Iterator[ClosureFault]:
    for event in run.of(StepCalled):
        fact = None if event.guarded or event.more else _fact(run, event)
        if fact is not None:
            yield fact
    yield from _scaled(run)
    yield from _dropped(run)


def _fact(run: Run, event: StepCalled) -> ClosureFault | None:
    owner = event.optimizer
    if "#of_torch" not in owner.slots or "#own_step" in owner.slots:
        return None
    needed = owner.cls_name == "LBFGS"
    if event.closure is None:
        sure = needed and event.each_round and not _has_a_closure(run, owner)
        return ClosureFault(event.site, "missing", step=event.site, subject=owner) if sure else None
    if not event.called:
        got = _not_callable(event.closure)
        return ClosureFault(event.site, "called", got=got, step=event.site, subject=owner) if got else None
    if run.interpreter.book.out_of_hand or not run.complete:
        return None
    return _in_closure(run, event, needed)


def _has_a_closure(run: Run, owner: Optimizer) -> bool:
    """Whether the program gives the optimizer a closure elsewhere: it tells it from others, then."""
    return any(event.optimizer is owner and event.closure is not None for event in run.of(StepCalled))


def _not_callable(value: Value) -> str:
    """The type of what is given in place of a closure and certainly cannot be called."""
    kinds = set()
    for option in options(value):
        if isinstance(option, Const) and option != NONE:
            kinds.add(type(option.value).__name__)
        elif isinstance(option, Leaf) or (isinstance(option, Flow) and (option.deps or option.in_graph)):
            kinds.add("Tensor")
        elif isinstance(option, Flow) and option.stop is not None and option.stop.text == ".item()":
            kinds.add("float")
        else:
            return ""
    return kinds.pop() if len(kinds) == 1 else ""


def _in_closure(run: Run, event: StepCalled, needed: bool) -> ClosureFault | None:
    owner, held = event.optimizer, run.held_by(event.optimizer)
    place, name = _place(event)
    if needed and all(option == NONE for option in options(event.result)):
        return ClosureFault(place, "none", name, step=event.site, subject=owner)
    if not event.backwards:
        fresh = event.before.kinds <= {FRESH, CLEAR} and event.after.kinds <= {FRESH, CLEAR, USED}
        handed = id(owner) in run.interpreter.book.handed_out or bool(held & run.touched)
        if fresh and not handed and _depends(run, event.result, held):
            return ClosureFault(place, "no backward", name, step=event.site, subject=owner)
        return None
    if not closures.evaluates_again(owner):
        return None
    outside = _outside(run, event, held)
    if outside is not None:
        return ClosureFault(outside, "graph", name, step=event.site, subject=owner)
    if event.after.kinds == {DIRTY} and not held & run.touched:
        return ClosureFault(event.backwards[0].site, "not cleared", name, step=event.site, subject=owner)
    return None


def _depends(run: Run, result: Value, held: set[Leaf]) -> bool:
    return all(isinstance(option, Flow) for option in options(result)) and bool(deps(run, result) & held)


def _outside(run: Run, event: StepCalled, held: set[Leaf]) -> Site | None:
    """The backward pass of a closure that goes through a forward pass from before it."""
    for backward in event.backwards:
        reached = backward.reached & held
        if not reached or reached & event.used or event.forwards or not backward.known:
            continue
        if "retain_graph" in backward.site.text() or backward.guarded:
            continue
        models = [call for call in run.of(ModelCalled) if call.grad and reached & deps(run, call.result)]
        if models:
            return backward.site
    return None


def _place(event: StepCalled) -> tuple[Site, str]:
    """Where a closure is written, and what it is called."""
    closure = event.closure
    function = closure.function if isinstance(closure, Method) else closure
    if not isinstance(function, Function):
        return event.site, "closure"
    part = function.context.part
    if isinstance(function.node, cst.FunctionDef):
        return Site(part, function.node.name, function.node), function.name
    return Site(part, function.node, event.site.statement), "the lambda"


def _scaled(run: Run) -> Iterator[ClosureFault]:
    """What an enabled gradient scaler is asked to step and cannot."""
    for event in run.of(ScalerUsed):
        if event.method != "step" or event.guarded or event.arguments.open:
            continue
        enabled = event.scaler.slots.get("#enabled") is True
        subject = event.subject if isinstance(event.subject, Optimizer) else None
        if "closure" in event.arguments.keywords:
            if enabled and event.arguments.keywords["closure"] != NONE:
                yield ClosureFault(event.site, "scaler", subject=subject, step=event.site)
        elif subject is not None and len(event.arguments.all_values()) == 1:
            sure = event.arguments.all_values()[0] is subject
            if sure and subject.cls_name == "LBFGS" and "#of_torch" in subject.slots:
                yield ClosureFault(event.site, "missing", subject=subject, step=event.site)


def _dropped(run: Run) -> Iterator[ClosureFault]:
    """Lightning's ``optimizer_step`` written anew without its closure, in which the training step runs."""
    for event in run.of(OptimizerExpected):
        if (
            event.framework != "lightning"
            or event.automatic is not True
            or not isinstance(event.model, Instance)
        ):
            continue
        method = attributes.user_method(event.model, "optimizer_step")
        if method is None or not isinstance(method.node, cst.FunctionDef):
            continue
        parameters = method.node.params
        if isinstance(parameters.star_arg, cst.Param) or parameters.star_kwarg is not None:
            continue
        names = [parameter.name.value for parameter in parameters.params]
        name = next((name for name in names if "closure" in name), names[4] if len(names) == 5 else "")
        body = method.context.part.code(method.node.body)
        if (
            name
            and name not in body
            and "super()" not in body
            and "optimizer_step(" not in body
            and "locals()" not in body
        ):
            site = Site(method.context.part, method.node.name, method.node)
            yield ClosureFault(site, "dropped", name)
