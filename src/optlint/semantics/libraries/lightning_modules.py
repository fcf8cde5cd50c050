"""What a LightningModule offers its user: hyper-parameters, optimizers, the manual backward, state of the trainer.

``torch_methods`` and ``attributes`` ask for it; the order in which the trainer calls a module is in ``lightning``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import attributes, modules
from optlint.semantics.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    DictObj,
    Entries,
    Instance,
    Record,
    Value,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.frame import Frame
    from optlint.semantics.interpreter import Interpreter

_SILENT = frozenset(
    """
    all_gather clip_gradients configure_gradient_clipping log log_dict lr_scheduler_step lr_schedulers print
    toggle_optimizer toggled_optimizer untoggle_optimizer to_onnx to_torchscript
    """.split()
)
#: Numbers and objects of the trainer that say nothing of any parameter.
_STATE = frozenset(
    """
    current_epoch device device_mesh dtype fabric global_rank global_step hparams_initial local_rank logger loggers
    on_gpu strict_loading training
    """.split()
)


def get_attribute(it: Interpreter, owner: Instance, name: str) -> Value | None:
    """An attribute that Lightning gives to its modules; None for any other."""
    if name == "hparams":
        saved = owner.slots.get("#hparams")
        return saved if isinstance(saved, Record) else UNKNOWN
    if name == "trainer":
        trainer = owner.slots.get("#trainer")
        return trainer if isinstance(trainer, Instance) else UNKNOWN
    if name == "automatic_optimization":
        return Const(True)
    return UNKNOWN if name in _STATE else None


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method that Lightning gives to its modules; None for any other."""
    from optlint.semantics.libraries import tensor_calls

    if name in _SILENT:
        return UNKNOWN
    if name == "save_hyperparameters":
        _save_hyperparameters(it, owner, arguments)
        return NONE
    if name in ("manual_backward", "backward"):
        loss = arguments.get(0, "loss")
        if loss is not None:
            tensor_calls.record_backward(it, loss, node)
        return NONE
    if name in ("freeze", "unfreeze"):
        flags = [
            (entry.leaf, (name == "unfreeze") if entry.certain else None)
            for entry in modules.parameters(it, owner).parameters
        ]
        attributes.set_requires_grad(it, flags, node)
        return NONE
    if name == "optimizers":
        return _optimizers(owner)
    if name == "optimizer_step":
        # ``super().optimizer_step(…)`` in an override: the trainer's own step is what counts.
        return NONE
    return UNKNOWN if name == "configure_optimizers" else None


def _optimizers(owner: Instance) -> Value:
    made = owner.slots.get("#optimizers")
    if not isinstance(made, Container) or made.items.open:
        return UNKNOWN
    values = made.items.values
    return values[0] if len(values) == 1 else Container("list", made.items)


# -- hyper-parameters --------------------------------------------------------------------------------------------------


def _save_hyperparameters(it: Interpreter, owner: Instance, arguments: Arguments) -> None:
    """``self.save_hyperparameters()``: the arguments of the constructor become entries of ``self.hparams``."""
    frame = _constructor(it, owner)
    saved = dict(_arguments(frame)) if frame is not None else {}
    names = [v.value for v in arguments.positional if isinstance(v, Const) and isinstance(v.value, str)]
    if names:
        saved = {name: value for name, value in saved.items() if name in names}
    elif arguments.positional:
        saved = {}
    more = frame is None
    for value in arguments.positional:
        if isinstance(value, DictObj):
            saved.update({k: v for k, v in value.entries.values.items() if isinstance(k, str)})
            more = more or value.entries.open
        elif not isinstance(value, Const):
            more = True
    for name in _ignored(arguments.keywords.get("ignore")):
        saved.pop(name, None)
    earlier = owner.slots.get("#hparams")
    if isinstance(earlier, Record):
        saved = {**earlier.entries.values, **saved}
    it.heap.set(owner.slots, "#hparams", Record(Entries(saved, more)))


def _constructor(it: Interpreter, owner: Instance) -> Frame | None:
    """The outermost constructor of the object that is running: Lightning saves what the user's class was given."""
    return next((f for f in it.frames if f.name == "__init__" and f.receiver is owner), None)


def _arguments(frame: Frame) -> dict[str, Value]:
    node = frame.variables.get("#node")
    if not isinstance(node, cst.FunctionDef):
        return {}
    parameters = node.params
    names = [
        p.name.value for p in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)
    ]
    given = {name: frame.variables[name] for name in names[1:] if name in frame.variables}
    if parameters.star_kwarg is not None:
        rest = frame.variables.get(parameters.star_kwarg.name.value)
        if isinstance(rest, DictObj):
            given.update({k: v for k, v in rest.entries.values.items() if isinstance(k, str)})
    return given


def _ignored(value: Value | None) -> list[str]:
    if isinstance(value, Const) and isinstance(value.value, str):
        return [value.value]
    if isinstance(value, Container):
        return [v.value for v in value.items.values if isinstance(v, Const) and isinstance(v.value, str)]
    return []
