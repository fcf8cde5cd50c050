"""Optimizers of Keras as objects: how they are made, what is set on them, and whose variables they were built for.

``keras_models``, ``calls`` and ``attributes`` ask. Gradients that they are given are not their matter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from optlint.deferred import dataclass, regex
from optlint.semantics import keras_events
from optlint.semantics.libraries import keras_names, optimizers
from optlint.semantics.site import Site
from optlint.semantics.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    External,
    Instance,
    Method,
    Unknown,
    Value,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: What their second positional argument is; of ``AdamW`` it is the weight decay.
_SECOND = {
    "Adam": "beta_1", "Nadam": "beta_1", "Adamax": "beta_1", "Lion": "beta_1", "SGD": "momentum", "RMSprop": "rho",
    "Adadelta": "rho",
}  # fmt: skip
#: No second argument below these is meant as what it is: decay rates are near one, or a half in GANs.
_TOO_SMALL = {"beta_1": 0.1, "rho": 0.1, "momentum": 0.02}
_DECAY = regex(r"decay|\bwd\b|\bl2\b|weight_?reg")
#: Names that other frameworks, or Keras once, have for settings: what they are called today.
_FOREIGN = {
    "lr": "learning_rate", "LR": "learning_rate", "learn_rate": "learning_rate", "learningrate": "learning_rate",
    "beta1": "beta_1", "beta2": "beta_2", "eps": "epsilon",
}  # fmt: skip
#: Arguments of other frameworks' optimizers that none of Keras takes.
_NEVER = {"betas": "beta_1", "eps": "epsilon", "params": ""}
_VARIABLES = regex(r"\.(?:trainable_variables|trainable_weights|parameters\(\)|variables|weights)$")

#: The optimizer of a Keras model, in code that names no other framework.
_OF_A_MODEL = regex(r"(?:^|[._])model\.optimizer\.\w+$")


@dataclass(frozen=True, eq=False)
class KerasOptimizer(External):
    """One optimizer. ``cls``: its class; ``old``: of a kind that takes the variables of any model at any time."""

    cls: str = ""
    old: bool = False
    site: Site | None = None
    slots: dict[str, Any] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


@dataclass(frozen=True)
class Built:
    """For which layers an optimizer has its state, since which training of which model; ``entry``: where it runs."""

    model: Instance
    layers: frozenset[Instance]
    site: Site
    entry: int


# -- made ------------------------------------------------------------------------------------------------------------


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> KerasOptimizer | None:
    """An optimizer is made; None when it is none of Keras."""
    name = re.sub(r"^tensorflow\.optimizers\.", "tensorflow.keras.optimizers.", name)
    generic = keras_names.canonical(name)
    if generic is None or not generic.startswith("keras.optimizers.") or "schedules" in generic:
        return None
    last = generic.rsplit(".", 1)[-1]
    if last not in optimizers.KERAS_OPTIMIZERS and last != "LossScaleOptimizer":
        return None
    old = ".legacy." in generic or ".optimizer_v" in generic
    made = KerasOptimizer(f"{generic}()", last, old, it.site(node))
    if not it.catching and isinstance(node, cst.Call):
        _judge_arguments(it, made, arguments, node)
    return made


def named(it: Interpreter, value: Value | None, node: cst.CSTNode) -> Value:
    """The optimizer that a model is compiled with: one that is given, or made for a name."""
    if isinstance(value, KerasOptimizer):
        return value
    if value is None or (isinstance(value, Const) and isinstance(value.value, str)):
        return KerasOptimizer("keras.optimizers.Optimizer()", "Optimizer", site=it.site(node))
    return UNKNOWN


def _judge_arguments(it: Interpreter, made: KerasOptimizer, arguments: Arguments, node: cst.Call) -> None:
    if made.cls == "LossScaleOptimizer":
        return
    written = [argument for argument in node.args if argument.keyword is None and not argument.star]
    if len(written) == len(arguments.positional):
        _judge_positional(it, made, arguments.positional, written)
    for argument in node.args:
        name = argument.keyword.value if argument.keyword is not None else ""
        if name in ("lr", "decay") and not made.old:
            _record(it, "argument", made, name, argument)
        elif name in _NEVER or (
            name == "momentum" and made.cls in ("Adam", "AdamW", "Nadam", "Adamax", "Lion")
        ):
            _record(it, "unknown argument", made, name, argument)


def _judge_positional(
    it: Interpreter, made: KerasOptimizer, values: Sequence[Value], written: Sequence[cst.Arg]
) -> None:
    code = it.frame.context.part.code
    if values and (_VARIABLES.search(code(written[0].value)) or isinstance(values[0], Container)):
        _record(it, "variables", made, code(written[0].value), written[0])
    elif len(values) > 1 and made.cls in _SECOND:
        meaning = _SECOND[made.cls]
        known = values[1].value if isinstance(values[1], Const) else None
        small = isinstance(known, float) and 0 < known < _TOO_SMALL[meaning]
        if small or (not isinstance(known, float) and _DECAY.search(code(written[1].value))):
            _record(it, "positional", made, meaning, written[1])


def _record(it: Interpreter, kind: str, made: KerasOptimizer, name: str, node: cst.CSTNode) -> None:
    it.record(keras_events.SettingMissed(it.site(node), bool(it.conditional), kind, made.cls, name))


# -- used ------------------------------------------------------------------------------------------------------------


def get_attribute(owner: KerasOptimizer, name: str) -> Value:
    """``optimizer.name``."""
    return Method(owner, name)


def set_attribute(it: Interpreter, owner: KerasOptimizer, name: str, node: cst.CSTNode) -> None:
    """``optimizer.lr = …``: names that are none of its settings are new attributes which nobody reads."""
    if name in _FOREIGN and not owner.old:
        _record(it, "attribute", owner, _FOREIGN[name], node)


def set_on_unknown(it: Interpreter, owner: Value, name: str, node: cst.CSTNode) -> None:
    """``self.model.optimizer.lr = …`` in a callback, or of a model that was loaded."""
    if name not in _FOREIGN or not isinstance(owner, (Unknown, Method)):
        return
    if it.keras.used and it.keras.tensorflow and _OF_A_MODEL.search(it.frame.context.part.code(node)):
        unsure = bool(it.conditional)
        it.record(keras_events.SettingMissed(it.site(node), unsure, "attribute", "", _FOREIGN[name]))


def call_method(
    it: Interpreter, owner: KerasOptimizer, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value:
    """A method of an optimizer."""
    from optlint.semantics import calls

    if name == "minimize" and not owner.old and not it.catching:
        _record(it, "method", owner, name, node)
    if name in ("build", "apply", "apply_gradients", "minimize", "load_own_variables", "set_weights"):
        it.heap.set(owner.slots, "#built", UNKNOWN)  # for variables that are not followed here
    return calls.call_external(it, f"{owner.name}.{name}", arguments, node)


# -- whose variables -------------------------------------------------------------------------------------------------


def fitted(
    it: Interpreter, model: Instance, flags: Collection[tuple[Instance, bool | None]], site: Site
) -> None:
    """A model is fitted: its optimizer is built for what trains then, or it was built for something else."""
    optimizer = model.slots.get("#optimizer")
    compiled = model.slots.get("#compiled_at")
    if not isinstance(optimizer, KerasOptimizer) or optimizer.old or not isinstance(compiled, Site):
        return
    layers = frozenset(layer for layer, flag in flags if flag is True)
    if any(flag is None for _, flag in flags) or not layers:
        return  # without variables it is not built
    built = optimizer.slots.get("#built")
    if built is None:
        it.heap.set(optimizer.slots, "#built", Built(model, layers, site, it.entry))
        return
    if not isinstance(built, Built) or built.entry not in (0, it.entry) or layers <= built.layers:
        return
    if it.catching or optimizer.slots.get("#escaped"):
        return
    kind = "unfrozen" if built.model is model or built.layers & layers else "model"
    made = optimizer.site or site
    it.record(
        keras_events.OptimizerReused(
            compiled, bool(it.conditional), kind, model, built.model, made, built.site, site
        )
    )
    it.heap.set(optimizer.slots, "#built", UNKNOWN)


def compiled(it: Interpreter, model: Instance, arguments: Arguments, node: cst.CSTNode) -> None:
    """``model.compile(optimizer=…)``."""
    given = arguments.get(0, "optimizer")
    chosen = UNKNOWN if given is None and arguments.open else named(it, given, node)
    it.heap.set(model.slots, "#optimizer", chosen)
    it.heap.set(model.slots, "#compiled_at", it.site(node))
    own = model.slots.get("optimizer")
    if given is None and not arguments.open and isinstance(own, KerasOptimizer):
        site = own.site or it.site(node)
        missed = keras_events.SettingMissed(
            it.site(node), bool(it.conditional), "overwritten", own.cls, "", site
        )
        it.record(missed)
    if given == NONE:
        it.heap.set(model.slots, "#optimizer", UNKNOWN)


def of_model(model: Instance) -> Value:
    """``model.optimizer``."""
    value = model.slots.get("#optimizer", UNKNOWN)
    return value if isinstance(value, KerasOptimizer) else UNKNOWN
