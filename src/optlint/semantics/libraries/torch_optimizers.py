"""Optimizers of torch, and the objects that step them or prepare them (gradient scalers, accelerate, fabric)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from optlint.semantics import events, gradients, iteration, truth
from optlint.semantics.libraries.parameter_arguments import empty_argument, groups_of
from optlint.semantics.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Container,
    Groups,
    Instance,
    Items,
    LibraryClass,
    Optimizer,
    Unknown,
    Value,
    options,
)

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

LIBRARY_OBJECTS = {
    "accelerate.Accelerator": "accelerate.Accelerator",
    "accelerate.accelerator.Accelerator": "accelerate.Accelerator",
    "lightning.Fabric": "lightning.Fabric",
    "lightning.fabric.Fabric": "lightning.Fabric",
    "lightning_fabric.Fabric": "lightning.Fabric",
    "torch.cuda.amp.GradScaler": "torch.GradScaler",
    "torch.amp.GradScaler": "torch.GradScaler",
    "torch.cuda.amp.grad_scaler.GradScaler": "torch.GradScaler",
    "torch.amp.grad_scaler.GradScaler": "torch.GradScaler",
    "torch.GradScaler": "torch.GradScaler",
}


def build_optimizer(
    it: Interpreter,
    name: str,
    arguments: Arguments,
    node: cst.CSTNode,
    checks_empty: bool = True,
    signature: tuple[str, ...] = ("params",),
    own_step: bool = False,
) -> Value:
    """Construct an optimizer: its groups, and whether it certainly got nothing. ``own_step``: the user wrote it."""
    position = signature.index("params") if "params" in signature else 0
    given = arguments.get(position, signature[position] if signature else "params")
    site = it.site(node)
    if given is None:
        given = Unknown()
    empty = None if arguments.open and not arguments.positional else empty_argument(it, given)
    if it.catching and empty is not None and empty.form != "group":
        empty = None  # the program expects the error
    optimizer = Optimizer(name, groups_of(it, given), site, raises_on_empty=checks_empty)
    it.record(events.OptimizerBuilt(site, bool(it.conditional), optimizer, given, empty))
    gradients.built(it, optimizer, own_step)
    return optimizer


def call_optimizer_method(
    it: Interpreter, owner: Optimizer, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value:
    """A method of an optimizer."""
    from optlint.semantics import calls

    if name == "step":
        closure = arguments.get(0, "closure")
        given = closure is not None and truth.truth(closure) is True
        result = calls.call(it, closure, Arguments(), node) if closure is not None and given else NONE
        step(it, owner, node)
        return result
    if name == "add_param_group":
        added = arguments.get(0, "param_group") or UNKNOWN
        more = groups_of(it, Container("list", Items((added,))))
        groups = owner.groups
        it.heap.set(owner.slots, "groups", Groups(groups.groups + more.groups, groups.open or more.open))
        return NONE
    if name == "load_state_dict":
        it.record(events.OptimizerRestored(it.site(node), bool(it.conditional), owner))
        return NONE
    if name == "zero_grad":
        gradients.cleared(it, owner, it.site(node))
        return NONE
    if name == "state_dict":
        return UNKNOWN
    if name in ("register_step_pre_hook", "register_step_post_hook", "train", "eval"):
        return UNKNOWN
    calls.escape(it, [owner, *arguments.all_values()])
    return UNKNOWN


def step(it: Interpreter, owner: Optimizer, node: cst.CSTNode) -> None:
    """An optimizer steps."""
    site = it.site(node)
    it.record(events.OptimizerStepped(site, bool(it.conditional), owner))
    it.record(events.Stepped(site, bool(it.conditional), owner, gradients.stepped(it, owner, site)))


#: What writes into a tensor, and so perhaps into a gradient.
_WRITES_GRADIENT = frozenset({"zero_", "fill_", "copy_", "detach_"})


def call_unseen(
    it: Interpreter, receiver: Value, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """``x.step()``, ``x.zero_grad()``, ``scaler.step(x)`` on what came from outside; None for other methods."""
    site = it.site(node)
    values = arguments.all_values()
    if name in _WRITES_GRADIENT:
        gradients.doubt_all(it)
        return None
    if name == "backward" and values:
        gradients.note_engine(it, receiver, node)
        return None
    if name == "zero_grad":
        subject = gradients.subject_of(it, receiver, site)
        if subject is None:
            gradients.doubt_all(it)
        else:
            gradients.cleared(it, subject, site)
        return NONE
    if name != "step":
        gradients.heard_of(it, name)
        return None
    known = [option for value in values[:1] for option in options(value) if isinstance(option, Optimizer)]
    if known:
        for optimizer in known:
            step(it, optimizer, node)
        return UNKNOWN
    stepped = receiver
    if values and gradients.subject_of(it, values[0], site) is not None and _takes_optimizers(it, values[0]):
        stepped = values[0]
    subject = gradients.subject_of(it, stepped, site)
    if subject is not None and (stepped is not receiver or not values):
        before = gradients.stepped(it, subject, site)
        it.record(events.Stepped(site, bool(it.conditional), subject, before))
    return None


def _takes_optimizers(it: Interpreter, value: Value) -> bool:
    """Whether what a scaler steps is known to be cleared like an optimizer."""
    known = it.book.unseen.get(value)
    return known is not None and known.clears


# -- library objects ---------------------------------------------------------------------------------------------------


def call_object_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of an accelerator, fabric or gradient scaler."""
    if not isinstance(owner.cls, LibraryClass):
        return None
    kind = owner.cls.qualified_name
    if kind == "torch.GradScaler":
        return _scaler_method(it, name, arguments, node)
    if kind not in ("accelerate.Accelerator", "lightning.Fabric"):
        return None
    from optlint.semantics.libraries import tensor_calls

    if name == "backward" and arguments.positional:
        tensor_calls.record_backward(it, arguments.positional[0], node)
        return NONE
    if name in ("prepare", "setup", "setup_module", "setup_optimizers", "setup_dataloaders", "prepare_model",
                "prepare_optimizer", "unwrap_model", "gather"):  # fmt: skip
        if len(arguments.positional) == 1 and not arguments.open:
            return arguments.positional[0]
        return Container("tuple", Items(arguments.positional, arguments.open))
    if name == "clip_grad_norm_" and arguments.positional:
        iteration.take(it, arguments.positional[0])
    return UNKNOWN


def _scaler_method(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value:
    first = arguments.positional[0] if arguments.positional else UNKNOWN
    if name == "scale":
        return first
    if name == "step":
        for option in options(first):
            if isinstance(option, Optimizer):
                step(it, option, node)
    return UNKNOWN
