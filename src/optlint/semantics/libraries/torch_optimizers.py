"""Optimizers of torch, and the objects that step them or prepare them (gradient scalers, accelerate, fabric)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from optlint.semantics import events, iteration, truth
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
) -> Value:
    """Construct an optimizer: its groups, and whether it certainly got nothing."""
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
    return optimizer


def call_optimizer_method(
    it: Interpreter, owner: Optimizer, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value:
    """A method of an optimizer."""
    from optlint.semantics import calls

    if name == "step":
        it.record(events.OptimizerStepped(it.site(node), bool(it.conditional), owner))
        closure = arguments.get(0, "closure")
        if closure is not None and truth.truth(closure) is True:
            return calls.call(it, closure, Arguments(), node)
        return NONE
    if name == "add_param_group":
        added = arguments.get(0, "param_group") or UNKNOWN
        more = groups_of(it, Container("list", Items((added,))))
        groups = owner.groups
        it.heap.set(owner.slots, "groups", Groups(groups.groups + more.groups, groups.open or more.open))
        return NONE
    if name == "load_state_dict":
        it.record(events.OptimizerRestored(it.site(node), bool(it.conditional), owner))
        return NONE
    if name in ("zero_grad", "state_dict"):
        return UNKNOWN if name == "state_dict" else NONE
    if name in ("register_step_pre_hook", "register_step_post_hook", "train", "eval"):
        return UNKNOWN
    calls.escape(it, [owner, *arguments.all_values()])
    return UNKNOWN


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
                it.record(events.OptimizerStepped(it.site(node), bool(it.conditional), option))
    return UNKNOWN
