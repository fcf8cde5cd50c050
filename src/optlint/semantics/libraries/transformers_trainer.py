"""The Trainer of transformers: which optimizer it trains its model with, and what the user's subclass changes.

``frameworks`` calls it. ``train()`` is forward, loss, backward and step of the optimizer that it was given, that the
subclass creates, or that it creates itself over everything that is not frozen then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import (
    attributes,
    calls,
    events,
    families,
    gradients,
    iteration,
    modules,
)
from optlint.semantics.libraries import training_rounds
from optlint.semantics.values import (
    FALSE,
    NONE,
    UNKNOWN,
    Arguments,
    Choice,
    Const,
    Container,
    DictObj,
    Flow,
    Group,
    Groups,
    Instance,
    Items,
    LibraryClass,
    Optimizer,
    Unknown,
    UserClass,
    Value,
    join_values,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

POSITIONS = {
    "model": 0,
    "args": 1,
    "model_init": 6,
    "compute_loss_func": 7,
    "callbacks": 9,
    "optimizers": 10,
}
#: Methods that look at the model, or write files.
_HARMLESS = frozenset(
    """
    evaluate predict prediction_step evaluation_loop save_model save_state save_metrics log log_metrics
    push_to_hub create_model_card get_train_dataloader get_eval_dataloader get_test_dataloader is_world_process_zero
    is_local_process_zero num_examples floating_point_ops pop_callback remove_callback create_scheduler
    get_decay_parameter_names get_learning_rates get_num_trainable_parameters metrics_format num_tokens
    set_initial_training_values init_hf_repo call_model_init get_batch_samples _prepare_inputs _prepare_input
    compute_loss_context_manager autocast_smart_context_manager propagate_args_to_deepspeed store_flos
    """.split()
)
#: Callbacks of the library that leave parameters alone.
ONLOOKERS = frozenset(
    """
    EarlyStoppingCallback DefaultFlowCallback PrinterCallback ProgressCallback NotebookProgressCallback
    TensorBoardCallback WandbCallback MLflowCallback CometCallback ClearMLCallback NeptuneCallback
    """.split()
)
_BEFORE_STEP = ("on_train_begin", "on_epoch_begin", "on_step_begin")
_AFTER_STEP = ("on_optimizer_step", "on_step_end", "on_epoch_end")


def is_callback_name(name: str) -> bool:
    """Whether a class of transformers is a callback that only looks on."""
    return name.rsplit(".", 1)[-1] in ONLOOKERS


def initialise(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode | None) -> None:
    """``Trainer(model=…, args=…, optimizers=(optimizer, scheduler))``."""
    given = {name: arguments.get(position, name) for name, position in POSITIONS.items()}
    missing: Value = UNKNOWN if arguments.open else NONE
    for name in ("model", "args"):
        it.heap.set(owner.slots, name, given[name] or missing)
    it.heap.set(owner.slots, "#trained", given["model"] or missing)
    for name in ("model_init", "compute_loss_func", "callbacks"):
        it.heap.set(owner.slots, f"#{name}", given[name] or missing)
    pair = given["optimizers"]
    it.heap.set(owner.slots, "optimizer", missing if pair is None else _first(it, pair))
    it.heap.set(owner.slots, "lr_scheduler", UNKNOWN)
    site = it.site(node) if node is not None else owner.site
    if pair is not None and site is not None:
        others = {**given, "optimizer_cls_and_kwargs": arguments.keywords.get("optimizer_cls_and_kwargs")}
        beside = next((n for n in ("model_init", "optimizer_cls_and_kwargs") if _is_there(others[n])), "")
        doubt, model = bool(it.conditional), given["model"] or missing
        it.record(events.OptimizerExpected(site, doubt, "transformers", pair, model, None, True, beside))


def _is_there(value: Value | None) -> bool:
    """Whether an argument certainly was given, and not as None."""
    return value is not None and value != NONE and not isinstance(value, (Unknown, Choice))


def _first(it: Interpreter, pair: Value) -> Value:
    parts = iteration.unpacked(it, pair, 2, None) if isinstance(pair, Container) else [UNKNOWN]
    return parts[0]


def get_attribute(it: Interpreter, owner: Instance, name: str) -> Value | None:
    """An attribute that the trainer sets up itself; None for its methods."""
    if name == "accelerator":
        return Instance(LibraryClass("accelerate.Accelerator"), owner.site)
    if name == "model_wrapped":
        trained = owner.slots.get("#trained")
        return trained if isinstance(trained, Value) else UNKNOWN
    if name == "deepspeed":
        return NONE
    if name in ("state", "control", "train_dataset", "eval_dataset", "processing_class", "tokenizer", "data_collator",
                "label_smoother", "callback_handler", "place_model_on_device", "is_deepspeed_enabled",
                "is_fsdp_enabled", "model_accepts_loss_kwargs", "optimizer_cls_and_kwargs"):  # fmt: skip
        return UNKNOWN
    return None


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of the library's own Trainer; None for one that is not known."""
    if name in ("train", "_inner_training_loop"):
        _train(it, owner, arguments, node)
        return UNKNOWN
    if name in ("create_optimizer", "create_optimizer_and_scheduler"):
        _create_optimizer(it, owner, node, name)
        return owner.slots.get("optimizer", UNKNOWN) if name == "create_optimizer" else NONE
    if name == "compute_loss":
        return _compute_loss(it, owner, arguments, node)
    if name == "training_step":
        return _training_step(it, owner, arguments.get(0, "model") or UNKNOWN, node)
    if name == "add_callback":
        _add_callback(it, owner, arguments)
        return NONE
    if name in ("_wrap_model", "_move_model_to_device"):
        return arguments.get(0, "model") or UNKNOWN
    return UNKNOWN if name in _HARMLESS else None


def _add_callback(it: Interpreter, owner: Instance, arguments: Arguments) -> None:
    earlier = owner.slots.get("#callbacks", NONE)
    known = earlier.items if isinstance(earlier, Container) else Items((), earlier != NONE)
    added = (*known.values, *arguments.positional)
    it.heap.set(owner.slots, "#callbacks", Container("list", Items(added, known.open)))


# -- training ----------------------------------------------------------------------------------------------------------


def _train(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> None:
    make = owner.slots.get("#model_init", NONE)
    if make != NONE:
        made = calls.call(it, make, Arguments(), node)
        for name in ("model", "#trained"):
            it.heap.set(owner.slots, name, made)
        it.heap.set(owner.slots, "optimizer", NONE)
    # What it was made with: a later ``trainer.model = …`` changes the optimizer's model only.
    trained = owner.slots.get("#trained", UNKNOWN)
    models = [option for option in options(trained) if isinstance(option, Instance)]
    if len(models) != 1 or not families.is_module(it, models[0]):
        return
    model = models[0]
    callbacks = _callbacks(it, owner, model)
    _create_optimizer(it, owner, node, "create_optimizer")
    for _ in range(2 if callbacks else 1):
        with training_rounds.one_round(it, it.site(node)):
            _run_callbacks(it, owner, callbacks, _BEFORE_STEP)
            own = attributes.user_method(owner, "training_step")
            if own is not None:
                training_rounds.hook(it, own, Arguments((model, UNKNOWN, UNKNOWN)), owner)
            else:
                _training_step(it, owner, model, node)
            optimizers = options(owner.slots.get("optimizer", UNKNOWN))
            training_rounds.step(it, optimizers, node)
            training_rounds.clear(it, optimizers, node)
            _run_callbacks(it, owner, callbacks, _AFTER_STEP)


def _create_optimizer(it: Interpreter, owner: Instance, node: cst.CSTNode, name: str) -> None:
    """The user's method, or AdamW over what requires a gradient now; one that is there already is kept."""
    both = attributes.user_method(owner, "create_optimizer_and_scheduler")
    own = attributes.user_method(owner, "create_optimizer")
    running = {frame.name for frame in it.frames if frame.receiver is owner}
    method = next((m for m in (both, own) if m is not None and m.name not in running), None)
    if method is not None:
        made = training_rounds.hook(it, method, Arguments((), {}, method is both), owner)
        if isinstance(made, Optimizer) and owner.slots.get("optimizer") in (None, NONE):
            it.heap.set(
                owner.slots, "optimizer", UNKNOWN
            )  # returned, and kept nowhere that the trainer looks
        return
    if owner.slots.get("optimizer", NONE) != NONE:
        return
    model = owner.slots.get("model", UNKNOWN)
    if not isinstance(model, Instance):
        it.heap.set(owner.slots, "optimizer", UNKNOWN)
        return
    listing = modules.parameters(it, model)
    held = [entry.leaf for entry in listing.parameters if entry.leaf.requires_grad is not False]
    # Where all is frozen it holds nothing, and the backward pass raises: no step of it is ever of use.
    frozen = [entry.leaf for entry in listing.parameters] if not held else []
    params = Container("list", Items((*held, *frozen), listing.open or listing.doubtful))
    optimizer = Optimizer("AdamW", Groups((Group(params.items),)), it.site(node), raises_on_empty=False)
    it.record(events.OptimizerBuilt(it.site(node), bool(it.conditional), optimizer, params))
    gradients.built(it, optimizer, False)
    it.heap.set(owner.slots, "optimizer", optimizer)


def _training_step(it: Interpreter, owner: Instance, model: Value, node: cst.CSTNode) -> Value:
    """One forward and backward."""
    from optlint.semantics.libraries import tensor_calls

    own = attributes.user_method(owner, "compute_loss")
    if own is not None:
        loss = training_rounds.hook(it, own, Arguments((model, UNKNOWN), {"return_outputs": FALSE}), owner)
    else:
        loss = _compute_loss(it, owner, Arguments((model, UNKNOWN)), node)
    if loss not in (NONE, UNKNOWN):
        tensor_calls.record_backward(it, loss, node)
    return loss


def _compute_loss(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    """The entry ``loss`` or the first part of what the model gives, or what ``compute_loss_func`` makes of it."""
    model = arguments.get(0, "model") or UNKNOWN
    outputs = calls.call(it, model, Arguments((), {}, True), node)
    function = owner.slots.get("#compute_loss_func", NONE)
    if function != NONE:
        loss = calls.call(it, function, Arguments((outputs, UNKNOWN), {}, True), node)
    else:
        loss = join_values([_loss_of(option) for option in options(outputs)] or [UNKNOWN])
    wanted = arguments.get(2, "return_outputs")
    if wanted is None or wanted == FALSE:
        return loss
    both = Container("tuple", Items((loss, outputs)))
    return both if isinstance(wanted, Const) else Unknown(modules.reachable_leaves(it, both))


def _loss_of(outputs: Value) -> Value:
    if isinstance(outputs, DictObj):
        return outputs.entries.values.get("loss", UNKNOWN)
    if isinstance(outputs, Container) and outputs.kind == "tuple" and outputs.items.values:
        return outputs.items.values[0]
    if isinstance(outputs, Instance):
        loss = outputs.slots.get("loss")
        return loss if isinstance(loss, Value) else UNKNOWN
    return outputs if isinstance(outputs, (Flow, Unknown)) else UNKNOWN


# -- callbacks ---------------------------------------------------------------------------------------------------------


def _callbacks(it: Interpreter, owner: Instance, model: Instance) -> list[Instance]:
    """The callbacks of the user's; with one that cannot be seen, the model is in unknown hands."""
    found: list[Instance] = []
    unseen = False
    for option in options(owner.slots.get("#callbacks", NONE)):
        items = option.items if isinstance(option, Container) else Items((), option != NONE)
        unseen = unseen or items.open
        for callback in (choice for element in items.values for choice in options(element)):
            if isinstance(callback, UserClass):
                callback = calls.call(it, callback, Arguments(), callback.node)
            if isinstance(callback, Instance) and isinstance(callback.cls, UserClass):
                found.append(callback)
            elif not _is_onlooker(callback):
                unseen = True
    if unseen:
        calls.escape(it, [model])
    return found


def _is_onlooker(callback: Value) -> bool:
    if isinstance(callback, Instance):
        return isinstance(callback.cls, LibraryClass) and is_callback_name(callback.cls.qualified_name)
    return is_callback_name(getattr(callback, "name", ""))  # the class itself may be given


def _run_callbacks(
    it: Interpreter, owner: Instance, callbacks: list[Instance], names: tuple[str, ...]
) -> None:
    keywords = {
        "model": owner.slots.get("model", UNKNOWN),
        "optimizer": owner.slots.get("optimizer", UNKNOWN),
    }
    for name in names:
        for callback in callbacks:
            method = attributes.user_method(callback, name)
            if method is not None:
                training_rounds.hook(it, method, Arguments((UNKNOWN,) * 3, keywords, True), callback)
