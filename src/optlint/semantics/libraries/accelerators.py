"""Objects that prepare models and optimizers for a device and run the backward: accelerate, Fabric, DeepSpeed.

``frameworks`` calls it. On one process ``prepare`` and ``setup`` give back what they are given, in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from optlint.semantics import calls, events, gradients, iteration, modules
from optlint.semantics.libraries import clipping, torch_optimizers
from optlint.semantics.libraries.parameter_arguments import groups_of
from optlint.semantics.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Container,
    DictObj,
    Groups,
    Instance,
    Items,
    LibraryClass,
    Optimizer,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Give back what they are given, one thing as it is and several as a tuple.
_PREPARES = frozenset(
    """
    prepare prepare_model prepare_optimizer prepare_scheduler prepare_data_loader
    setup setup_module setup_optimizers setup_dataloaders
    """.split()
)
#: Give back their first argument, or what has the same gradient.
_PASSES = frozenset(
    """
    unwrap_model gather gather_for_metrics reduce pad_across_processes skip_first_batches to_device
    all_gather all_reduce broadcast
    """.split()
)
_STATE = frozenset(
    """
    device distributed_type global_rank gradient_accumulation_steps gradient_state is_fsdp2 is_global_zero
    is_last_process is_local_main_process is_main_process local_process_index local_rank logger loggers
    mixed_precision native_amp node_rank num_processes optimizer_step_was_skipped process_index project_configuration
    project_dir save_iteration scaler split_batches state step strategy sync_gradients tracker trackers
    use_distributed use_fp16 world_size
    """.split()
)


def get_attribute(it: Interpreter, owner: Instance, name: str) -> Value | None:
    """What the object knows of its process; None for its methods."""
    return UNKNOWN if name in _STATE else None


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of an accelerator or of fabric."""
    from optlint.semantics.libraries import tensor_calls

    first = arguments.positional[0] if arguments.positional else UNKNOWN
    if name == "backward":
        loss = arguments.get(0, "tensor") or arguments.keywords.get("loss")
        if loss is not None:
            tensor_calls.record_backward(it, loss, node)
        return NONE
    if name in _PREPARES:
        return _prepared(it, owner, arguments)
    if name in _PASSES:
        return first
    if name in ("clip_grad_norm_", "clip_grad_value_"):
        clipping.clipped(it, arguments.get(0, "parameters"), name, arguments, node)
    elif name in ("load", "load_state", "load_raw"):
        _restore(it, owner, name, arguments, node)
    elif name == "launch" and arguments.positional:
        return calls.call(it, first, Arguments((owner, *arguments.positional[1:]), arguments.keywords), node)
    return UNKNOWN


def _prepared(it: Interpreter, owner: Instance, arguments: Arguments) -> Value:
    """The same objects; the accelerator keeps them for ``load_state``."""
    named = [arguments.keywords[key] for key in ("module", "model") if key in arguments.keywords]
    given = (*named, *arguments.positional)
    scheduler = arguments.keywords.get("scheduler", NONE)
    if scheduler != NONE:
        given = (*given, scheduler)
    earlier = owner.slots.get("#prepared")
    kept = earlier.items.values if isinstance(earlier, Container) else ()
    it.heap.set(owner.slots, "#prepared", Container("list", Items((*kept, *given))))
    if len(given) == 1 and not arguments.open:
        return given[0]
    return Container("tuple", Items(given, arguments.open))


def _restore(it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode) -> None:
    """A checkpoint goes into everything that was prepared (``load_state``), or into what ``state`` holds."""
    prepared = owner.slots.get("#prepared") if name == "load_state" else None
    given = prepared.items.values if isinstance(prepared, Container) else ()
    state = arguments.get(1, "state")
    for option in options(state) if state is not None else ():
        if isinstance(option, DictObj):
            given = tuple(option.entries.values.values())
        elif isinstance(option, Instance):
            given = (option,)
    note_loaded(it, given, node)


def note_loaded(it: Interpreter, given: Sequence[Value], node: cst.CSTNode) -> None:
    """Models and optimizers get the values that an earlier training left."""
    for value in (option for element in given for option in options(element)):
        if isinstance(value, Instance):
            leaves = frozenset(entry.leaf for entry in modules.parameters(it, value).parameters)
            it.record(events.WeightsLoaded(it.site(node), bool(it.conditional), value, leaves))
        elif isinstance(value, Optimizer):
            it.record(events.OptimizerRestored(it.site(node), bool(it.conditional), value))


# -- accelerate's launchers --------------------------------------------------------------------------------------------


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """``notebook_launcher(main, (a, b))``, ``deepspeed.initialize(…)``; None for anything else."""
    if name in ("accelerate.notebook_launcher", "accelerate.debug_launcher"):
        function = arguments.get(0, "function") or UNKNOWN
        given = arguments.get(1, "args")
        items = iteration.take(it, given) if given is not None else Items()
        calls.call(it, function, Arguments(items.values, {}, items.open), node)
        return NONE
    return _deepspeed(it, arguments, node) if name == "deepspeed.initialize" else None


# -- DeepSpeed ---------------------------------------------------------------------------------------------------------


def _deepspeed(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``engine, optimizer, loader, scheduler = deepspeed.initialize(model=…, model_parameters=…)``."""
    model = arguments.get(1, "model") or UNKNOWN
    optimizer = arguments.get(2, "optimizer") or NONE
    engine = Instance(LibraryClass("torch.nn.DeepSpeedEngine"), it.site(node))
    it.heap.set(engine.slots, "module", model)
    if optimizer == NONE:
        given = arguments.get(3, "model_parameters")
        # What the configuration asks for, over these parameters or those that the engine finds.
        groups = Groups((), True) if given is None or given == NONE else groups_of(it, given)
        optimizer = Optimizer("deepspeed.initialize", groups, it.site(node), raises_on_empty=False)
        it.record(events.OptimizerBuilt(it.site(node), bool(it.conditional), optimizer, given or UNKNOWN))
        gradients.built(it, optimizer, True)
    it.heap.set(engine.slots, "#optimizer", optimizer)
    return Container("tuple", Items((engine, optimizer, UNKNOWN, UNKNOWN)))


def call_engine_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """``engine.step()``, ``engine.backward(loss)`` and checkpoints of DeepSpeed's engine."""
    from optlint.semantics.libraries import tensor_calls

    if name == "backward" and arguments.positional:
        tensor_calls.record_backward(it, arguments.positional[0], node)
        return NONE
    if name == "step":
        for option in options(owner.slots.get("#optimizer", UNKNOWN)):
            if isinstance(option, Optimizer):
                torch_optimizers.step(it, option, node)
                gradients.cleared(it, option, it.site(node))
        return NONE
    if name == "load_checkpoint":
        note_loaded(it, (owner, owner.slots.get("#optimizer", UNKNOWN)), node)
        return UNKNOWN
    if name in ("save_checkpoint", "save_16bit_model", "zero_grad", "set_gradient_accumulation_boundary"):
        return UNKNOWN
    return None
