"""Lightning's trainer: the hooks of a module and of callbacks in its order, and the loop around ``training_step``.

``frameworks`` calls it for ``Trainer``; ``roots`` for a LightningModule that no trainer of the file is given. What the
module itself offers is in ``lightning_modules``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from optlint.semantics import attributes, events, families
from optlint.semantics.libraries import lightning_callbacks, training_rounds
from optlint.semantics.values import (
    ABSENT,
    FALSE,
    NONE,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    DictObj,
    Function,
    Instance,
    Items,
    Optimizer,
    Value,
    join_values,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter
    from optlint.semantics.site import Site

#: What runs before and after the optimizers are made, in the order of Lightning 2 (older names beside the new ones).
BEFORE_OPTIMIZERS = ("prepare_data", "setup", "configure_model", "configure_sharded_model")
BEFORE_TRAINING = ("on_fit_start", "on_pretrain_routine_start", "on_pretrain_routine_end", "on_train_start")
BEFORE_STEP = ("on_train_epoch_start", "on_epoch_start", "on_train_batch_start")
#: What runs between the backward pass and the step.
_BEFORE_UPDATE = ("on_after_backward", "on_before_optimizer_step")
_AFTER_STEP = (
    "on_before_zero_grad",
    "on_train_batch_end",
    "on_train_epoch_end",
    "on_epoch_end",
)
#: Everything of a module that following a fit runs.
HOOKS = frozenset(
    {
        *BEFORE_OPTIMIZERS,
        *BEFORE_TRAINING,
        *BEFORE_STEP,
        *_BEFORE_UPDATE,
        *_AFTER_STEP,
        "configure_optimizers",
        "training_step",
    }
)
#: Rounds of training; the second sees what a hook changed in the first.
_ROUNDS = 2

_METHODS = frozenset({"test", "validate", "predict", "save_checkpoint", "print", "log"})


# -- the trainer's object ----------------------------------------------------------------------------------------------


def initialise(it: Interpreter, owner: Instance, arguments: Arguments) -> None:
    """``Trainer(callbacks=[…])``."""
    given = arguments.keywords.get("callbacks", NONE)
    it.heap.set(owner.slots, "#callbacks", given)
    it.heap.set(owner.slots, "#more_callbacks", arguments.open and given == NONE)


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of the trainer; None for one that is not known."""
    if name == "fit":
        given = arguments.get(0, "model")
        for option in options(given) if given is not None else ():
            if isinstance(option, Instance) and families.is_lightning(option.cls):
                fit(it, option, node, owner)
        return NONE
    return UNKNOWN if name in _METHODS else None


def get_attribute(it: Interpreter, owner: Instance, name: str) -> Value | None:
    """An attribute of the trainer: its module and that one's optimizers, else unknown."""
    module = owner.slots.get("#module")
    if name in ("model", "lightning_module") and isinstance(module, Instance):
        return module
    if name in ("optimizers", "strategy") and isinstance(module, Instance):
        return module.slots.get("#optimizers", UNKNOWN) if name == "optimizers" else UNKNOWN
    return None if name == "fit" or name in _METHODS else UNKNOWN


# -- fitting -----------------------------------------------------------------------------------------------------------


def fit(it: Interpreter, module: Instance, node: cst.CSTNode, trainer: Instance | None = None) -> None:
    """Everything that ``trainer.fit(module)`` runs; without a trainer, what any trainer would run."""
    if trainer is not None:
        it.heap.set(module.slots, "#trainer", trainer)
        it.heap.set(trainer.slots, "#module", module)
        if not module.slots.get("#escaped"):
            module.cls.slots["#fitted"] = True  # type: ignore[union-attr]
    callbacks = lightning_callbacks.of(it, module, trainer)
    _run(it, module, callbacks, BEFORE_OPTIMIZERS)
    optimizers = _configure(it, module, it.site(node))
    _run(it, module, callbacks, BEFORE_TRAINING)
    hooked = bool(callbacks) or any(
        attributes.user_method(module, name) for name in (*BEFORE_STEP, *_BEFORE_UPDATE, *_AFTER_STEP)
    )
    step = attributes.user_method(module, "training_step")
    again = hooked or is_automatic(it, module) is False
    for _ in range(_ROUNDS if again else 1):
        with training_rounds.one_round(it, it.site_of(step) if step is not None else it.site(node)):
            _run(it, module, callbacks, BEFORE_STEP, optimizers)
            _train(it, module, callbacks, optimizers, node)
            _run(it, module, callbacks, _AFTER_STEP)


def _run(
    it: Interpreter,
    module: Instance,
    callbacks: list[Instance],
    names: Iterable[str],
    optimizers: Container | None = None,
) -> None:
    for name in names:
        for callback in callbacks:
            lightning_callbacks.run(it, callback, name, module, optimizers)
        method = attributes.user_method(module, name)
        if method is not None:
            stage = (Const("fit"),) if name == "setup" else ()
            training_rounds.hook(it, method, Arguments(stage, {}, not stage), module)


def _configure(it: Interpreter, module: Instance, site: Site) -> Container:
    """The optimizers that ``configure_optimizers`` gives; an open list when they are not all known."""
    method = attributes.user_method(module, "configure_optimizers")
    given: Value = ABSENT
    if method is not None:
        given = training_rounds.hook(it, method, Arguments(), module)
    place = it.site_of(method) if method is not None else site
    automatic, doubt = is_automatic(it, module), bool(it.conditional)
    it.record(events.OptimizerExpected(place, doubt, "lightning", given, module, method, automatic))
    found = Container("list", Items((), True) if given is ABSENT else configured(given))
    it.heap.set(module.slots, "#optimizers", found)
    return found


def configured(given: Value) -> Items:
    """The optimizers in what ``configure_optimizers`` returns: one, a list, ``([…], […])``, a dict, dicts."""
    found: list[Value] = []
    more = False
    for option in options(given):
        if isinstance(option, Optimizer):
            found.append(option)
        elif isinstance(option, DictObj):
            inner = configured(option.entries.values.get("optimizer", UNKNOWN))
            found.extend(inner.values)
            more = more or inner.open
        elif isinstance(option, Container):
            parts = option.items.values
            pair = len(parts) == 2 and isinstance(parts[0], Container)  # optimizers and schedulers
            inside = [configured(part) for part in (parts[:1] if pair else parts)]
            found.extend(value for items in inside for value in items.values)
            more = more or option.items.open or any(items.open for items in inside)
        elif option != NONE:
            more = True
    return Items(tuple(dict.fromkeys(found)), more)


def _train(
    it: Interpreter,
    module: Instance,
    callbacks: list[Instance],
    optimizers: Container,
    node: cst.CSTNode,
) -> None:
    """One ``training_step``; with automatic optimization its loss is taken backward and the optimizer stepped."""
    step = attributes.user_method(module, "training_step")
    if step is None:
        return
    automatic = is_automatic(it, module)
    for index, chosen in _turns(step, optimizers):
        batch: tuple[Value, ...] = (UNKNOWN, UNKNOWN, *index)
        loss = training_rounds.hook(it, step, Arguments(batch), module)
        if automatic is False:
            _run(it, module, callbacks, _BEFORE_UPDATE)
            continue
        training_rounds.clear(it, chosen, node)
        _backward(it, loss, node)
        _run(it, module, callbacks, _BEFORE_UPDATE)
        training_rounds.step(it, chosen, node)


def _turns(step: Function, optimizers: Container) -> list[tuple[tuple[Value, ...], tuple[Value, ...]]]:
    """Lightning 1 calls the step for each optimizer in turn when it takes ``optimizer_idx``."""
    names = {parameter.name.value for parameter in step.node.params.params}
    items = optimizers.items
    if "optimizer_idx" not in names:
        return [((), items.values)]
    if items.open or not items.values:
        return [((UNKNOWN,), items.values)]
    return [((Const(index),), (optimizer,)) for index, optimizer in enumerate(items.values)]


def _backward(it: Interpreter, loss: Value, node: cst.CSTNode) -> None:
    from optlint.semantics.libraries import tensor_calls

    losses = [loss_of(option) for option in options(loss) if option != NONE]
    if losses and join_values(losses) != UNKNOWN:
        tensor_calls.record_backward(it, join_values(losses), node)


def loss_of(result: Value) -> Value:
    """The loss in what a training step gives: itself, or the entry ``loss`` of a dict."""
    if isinstance(result, DictObj):
        return result.entries.values.get("loss", UNKNOWN)
    return result


def is_automatic(it: Interpreter, module: Instance) -> bool | None:
    """Whether the trainer itself runs backward and step; None when that is not known."""
    value = module.slots.get("automatic_optimization")
    if value is None:
        member = attributes.class_attribute(module.cls, "automatic_optimization")
        method = member if isinstance(member, Function) else None
        value = member if method is None else training_rounds.hook(it, method, Arguments(), module)
    if value is None:
        return True
    if isinstance(value, Const):
        return value != FALSE
    return None
