"""Callbacks of Lightning's trainer: which ones it has, what the user's own do, and the finetuning callback.

``lightning`` calls it at each hook. A callback that cannot be seen may do anything to the module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import attributes, calls, iteration, modules
from optlint.semantics.libraries import training_rounds
from optlint.semantics.libraries.parameter_arguments import optimizer_leaves
from optlint.semantics.values import (
    FALSE,
    NONE,
    UNKNOWN,
    Arguments,
    Container,
    DictObj,
    Entries,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    OneShot,
    Optimizer,
    UserClass,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Callbacks of the library that leave parameters and optimizers alone.
ONLOOKERS = frozenset(
    """
    Checkpoint ModelCheckpoint OnExceptionCheckpoint EarlyStopping LearningRateMonitor DeviceStatsMonitor
    TQDMProgressBar RichProgressBar ProgressBar ModelSummary RichModelSummary Timer GradientAccumulationScheduler
    LearningRateFinder BatchSizeFinder ThroughputMonitor SpikeDetection GPUStatsMonitor XLAStatsMonitor
    """.split()
)
_FINETUNING = frozenset({"BaseFinetuning"})


def is_callback_name(name: str) -> bool:
    """Whether a class of the library is a callback."""
    return name.rsplit(".", 1)[-1] in ONLOOKERS | _FINETUNING | {"Callback"}


def of(it: Interpreter, module: Instance, trainer: Instance | None) -> list[Instance]:
    """The callbacks of the user's that run; with one that cannot be seen, the module is in unknown hands."""
    found: list[Instance] = []
    given = [] if trainer is None else [trainer.slots.get("#callbacks", NONE)]
    own = attributes.user_method(module, "configure_callbacks")
    if own is not None:
        given.append(training_rounds.hook(it, own, Arguments(), module))
    unseen = trainer is not None and bool(trainer.slots.get("#more_callbacks"))
    for value in given:
        for option in options(value):
            if option == NONE:
                continue
            items = iteration.take(it, option) if isinstance(option, Container) else Items((option,))
            unseen = unseen or items.open
            for callback in (choice for element in items.values for choice in options(element)):
                if isinstance(callback, Instance) and isinstance(callback.cls, UserClass):
                    found.append(callback)
                elif not _is_onlooker(callback):
                    unseen = True
    if unseen:
        calls.escape(it, [module])
    return found


def _is_onlooker(callback: Value) -> bool:
    return (
        isinstance(callback, Instance)
        and isinstance(callback.cls, LibraryClass)
        and callback.cls.name in ONLOOKERS
    )


def run(
    it: Interpreter, callback: Instance, name: str, module: Instance, optimizers: Container | None = None
) -> None:
    """Call one hook of a callback."""
    if _is_finetuning(callback):
        _finetune(it, callback, name, module, optimizers)
    method = attributes.user_method(callback, name)
    if method is not None:
        trainer = module.slots.get("#trainer", UNKNOWN)
        training_rounds.hook(it, method, Arguments((trainer, module), {}, True), callback)


# -- finetuning --------------------------------------------------------------------------------------------------------


def _is_finetuning(callback: Instance) -> bool:
    return isinstance(callback.cls, UserClass) and any(
        base.rsplit(".", 1)[-1] in _FINETUNING for base in callback.cls.library_bases()
    )


def _finetune(
    it: Interpreter, callback: Instance, name: str, module: Instance, optimizers: Container | None
) -> None:
    """``BaseFinetuning``: freezes in ``setup``, and asks the user's function at the start of each epoch."""
    if name == "setup":
        method = attributes.user_method(callback, "freeze_before_training")
        if method is not None:
            training_rounds.hook(it, method, Arguments((module,)), callback)
    elif name == "on_train_epoch_start" and optimizers is not None:
        method = attributes.user_method(callback, "finetune_function")
        if method is None:
            return
        for optimizer in optimizers.items.values:
            training_rounds.hook(it, method, Arguments((module, UNKNOWN, optimizer)), callback)


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """``self.freeze(…)``, ``self.unfreeze_and_add_param_group(…)`` of a finetuning callback."""
    if not _is_finetuning(owner):
        return None
    given = arguments.get(0, "modules") or UNKNOWN
    if name in ("freeze", "make_trainable", "unfreeze_and_add_param_group"):
        leaves = _leaves(it, given)
        flags = [(leaf, (name != "freeze") if certain else None) for leaf, certain in leaves]
        attributes.set_requires_grad(it, flags, node)
        if name == "unfreeze_and_add_param_group":
            _add(it, arguments.get(1, "optimizer") or UNKNOWN, tuple(leaf for leaf, _ in leaves), node)
        return NONE
    if name == "filter_params":
        wanted = arguments.get(2, "requires_grad") != FALSE
        leaves = _leaves(it, given)
        return Container(
            "list", Items(tuple(leaf for leaf, _ in leaves if leaf.requires_grad in (wanted, None)))
        )
    return None


def _leaves(it: Interpreter, given: Value) -> list[tuple[Leaf, bool]]:
    """The parameters of one module, or of a list of them."""
    found: list[tuple[Leaf, bool]] = []
    for option in options(given):
        if isinstance(option, Instance):
            found.extend((entry.leaf, entry.certain) for entry in modules.parameters(it, option).parameters)
        elif isinstance(option, (Container, OneShot)):
            for element in iteration.take(it, option).values:
                found.extend(_leaves(it, element))
    return found


def _add(it: Interpreter, given: Value, leaves: tuple[Value, ...], node: cst.CSTNode) -> None:
    from optlint.semantics.libraries import torch_optimizers

    for option in options(given):
        if isinstance(option, Optimizer):
            held = optimizer_leaves(option)[0]
            new = tuple(leaf for leaf in leaves if leaf not in held)
            group = DictObj(Entries({"params": Container("list", Items(new))}))
            torch_optimizers.call_optimizer_method(it, option, "add_param_group", Arguments((group,)), node)
