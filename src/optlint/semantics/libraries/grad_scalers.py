"""``GradScaler`` of torch: it scales losses, scales gradients back, and steps optimizers.

``torch_calls`` and ``calls`` hand it here; the questions about scalers read what is recorded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from optlint.semantics import gradients, scaling
from optlint.semantics.loop_events import LossScaled, SteppedByScaler, Unscaled
from optlint.semantics.schedule_events import ScalerMade, ScalerUsed
from optlint.semantics.values import (
    TRUE,
    UNKNOWN,
    Arguments,
    Choice,
    Const,
    Container,
    Flow,
    Instance,
    Items,
    LibraryClass,
    Optimizer,
    Unknown,
    Value,
    join_values,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

CLASS: Final = "torch.GradScaler"
NAMES: Final = frozenset(
    {
        "torch.cuda.amp.GradScaler",
        "torch.amp.GradScaler",
        "torch.cuda.amp.grad_scaler.GradScaler",
        "torch.amp.grad_scaler.GradScaler",
        "torch.GradScaler",
    }
)
#: Methods that change nothing of what is followed here.
_QUIET = frozenset(
    """
    get_scale get_growth_factor get_backoff_factor get_growth_interval set_growth_factor set_backoff_factor
    set_growth_interval is_enabled state_dict load_state_dict
    """.split()
)


def make(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Instance:
    """``GradScaler(…)``."""
    scaler = Instance(LibraryClass(CLASS), it.site(node))
    enabled = arguments.get(4 if ".cuda." in name else 5, "enabled") or (UNKNOWN if arguments.open else TRUE)
    known = bool(enabled.value) if isinstance(enabled, Const) else None
    scaler.slots["#enabled"] = known
    scaling.made(it, scaler)
    rounds = it.rounds()
    always = bool(rounds) and rounds[-1].conditional == it.conditional
    it.record(ScalerMade(it.site(node), bool(it.conditional), scaler, known, rounds, always))
    return scaler


def is_scaler(owner: Instance) -> bool:
    """Whether an object is a scaler."""
    return isinstance(owner.cls, LibraryClass) and owner.cls.qualified_name == CLASS


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value:
    """A method of a scaler."""
    given = arguments.get(0, "outputs" if name == "scale" else "optimizer")
    scales = owner.slots.get("#enabled") is not False
    if name == "scale":
        if scales:
            it.record(LossScaled(it.site(node), bool(it.conditional)))
        _record(it, owner, name, arguments, node)
        scaling.moved(it, owner, (replace(phase, scaled=True) for phase in scaling.scaling(owner).phases))
        return _scaled(given or UNKNOWN) if scales else given or UNKNOWN
    if name == "update":
        _record(it, owner, name, arguments, node)
        scaling.moved(it, owner, {scaling.Phase(True)})
        return UNKNOWN
    if name in ("step", "unscale_"):
        for option in options(given) if given is not None else (None,):
            _of_optimizer(it, owner, name, arguments, option, node)
        return UNKNOWN
    if name == "get_scale":
        for subject in list(it.book.subjects()):
            scaling.doubt(it, subject)  # the program may scale back by itself
    elif name not in _QUIET:
        _record(it, owner, name, arguments, node)
    return UNKNOWN


def _of_optimizer(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, given: Value | None, node: cst.CSTNode
) -> None:
    from optlint.semantics.libraries import torch_optimizers

    subject = gradients.subject_of(it, given, it.site(node)) if given is not None else None
    _record(it, owner, name, arguments, node, subject)
    if subject is None:
        if given is not None and not isinstance(given, Const):
            scaling.moved(it, owner, (replace(phase, open=True) for phase in scaling.scaling(owner).phases))
        return
    stage = scaling.STEPPED if name == "step" else scaling.UNSCALED
    scaling.moved(it, owner, {phase.after(subject, stage) for phase in scaling.scaling(owner).phases})
    site, doubt = it.site(node), bool(it.conditional)
    if name == "unscale_":
        if isinstance(subject, Optimizer):
            it.record(Unscaled(site, doubt, subject))
        kinds = scaling.marks(subject).kinds
        scaling.mark(it, subject, {scaling.BACK} if kinds == {scaling.SCALED} else {scaling.DOUBT})
        return
    if isinstance(subject, Optimizer):
        if owner.slots.get("#enabled") is not False:
            it.record(SteppedByScaler(site, doubt, subject))
        torch_optimizers.step(it, subject, node)
    else:
        torch_optimizers.step_unseen(it, subject, node)
    scaling.mark(it, subject, {scaling.TAKEN})


def _record(
    it: Interpreter,
    owner: Instance,
    name: str,
    arguments: Arguments,
    node: cst.CSTNode,
    subject: gradients.Subject | None = None,
) -> None:
    statement = it.frame.statement
    dropped = isinstance(statement, cst.Expr) and statement.value is node
    marks = scaling.marks(subject) if subject is not None else scaling.Marks()
    before = scaling.scaling(owner)
    it.record(
        ScalerUsed(
            it.site(node),
            bool(it.conditional),
            owner,
            name,
            arguments,
            subject,
            before,
            marks,
            dropped,
            it.rounds(),
            it.catching > 0,
        )
    )


def _scaled(value: Value) -> Value:
    """A loss, or several, times the scale."""
    if isinstance(value, Flow):
        return replace(value, scaled=True)
    if isinstance(value, Unknown):
        return Unknown(value.taint, value.cuts, scaled=True)
    if isinstance(value, Choice):
        return join_values([_scaled(option) for option in value.options])
    if isinstance(value, Container):
        items = value.items
        return Container(value.kind, Items(tuple(map(_scaled, items.values)), items.open, items.many))
    return value
