"""Keras: how layers and models are made, called, extended and trained, as the program does it.

``calls`` and ``attributes`` ask; flags are kept by ``keras_trainable``, symbolic tensors by ``keras_graph``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from optlint.semantics import events, families, iteration, tapes
from optlint.semantics.libraries import (
    empty_variables,
    keras_graph,
    keras_layers,
    keras_names,
    keras_optimizers,
    keras_trainable,
    keras_training,
    keras_weights,
    made_in_call,
    tensorflow_tapes,
    untracked,
)
from optlint.semantics.libraries.keras_graph import Symbolic
from optlint.semantics.libraries.keras_trainable import Flagged, FrozenVariables, is_layer, layers_of
from optlint.semantics.site import Site
from optlint.semantics.values import (
    FALSE,
    NONE,
    TRUE,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    External,
    Function,
    Instance,
    Items,
    LibraryClass,
    Method,
    Text,
    Unknown,
    UserClass,
    Value,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Their own ``trainable=False`` does not reach their weights in Keras 3 when it is given to the constructor.
_COMPOSITES = frozenset({
    "MultiHeadAttention", "GroupQueryAttention", "Bidirectional", "TimeDistributed", "RNN", "Wrapper", "Sequential",
    "Model",
})  # fmt: skip
#: Arguments by which a first layer says what its inputs look like.
_SHAPES = frozenset({"input_shape", "input_dim", "batch_input_shape"})
#: What these make holds no layers, and what it is given stays as it is.
_INERT = (
    "keras.losses.", "keras.metrics.", "keras.optimizers.", "keras.initializers.", "keras.regularizers.",
    "keras.constraints.", "keras.activations.", "keras.random.", "keras.callbacks.",
)  # fmt: skip
#: Functions that look at a model, or give something new.
_LOOKING = (
    "keras.utils.", "keras.backend.", "keras.preprocessing.", "keras.datasets.", "keras.saving.",
    "keras.mixed_precision.", "keras.config.", "keras.models.save_model", "keras.models.load_model",
)  # fmt: skip
#: Methods that call a model on something.
_RUNNING = frozenset({
    "predict", "evaluate", "predict_on_batch", "test_on_batch", "predict_generator", "evaluate_generator", "build",
    "load_weights", "compute_output_shape", "adapt",
})  # fmt: skip
#: What gives a gradient for each variable: where the variables stand among its arguments.
_ASKING = {
    "gradient": (1, "sources"),
    "jacobian": (1, "sources"),
    "gradients": (1, "xs"),
    "compute_gradients": (1, "var_list"),
    "get_gradients": (1, "params"),
}
#: What changes variables, likewise.
_APPLYING = {
    "apply_gradients": (0, "grads_and_vars"),
    "apply": (1, "trainable_variables"),
    "minimize": (1, "var_list"),
    "get_updates": (0, "params"),
    "build": (0, "var_list"),
}


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """Call a class or function of Keras (or any function on symbolic tensors); None when it is not Keras."""
    how = name.rsplit(".", 1)[-1]
    taken = of_gradients(it, arguments, how, node, name) or tensorflow_tapes.by_name(it, how, arguments, node)
    if taken is not None:
        return taken
    optimizer = keras_optimizers.call(it, name, arguments, node)
    if optimizer is not None:
        return optimizer
    generic = keras_names.canonical(name)
    if generic is None:
        return _of_tensorflow(name, arguments)
    last = generic.rsplit(".", 1)[-1]
    if last == "Input":
        entrance = Instance(LibraryClass("keras.layers.InputLayer"), it.site(node))
        entrance.slots.update({"trainable": TRUE, "#weights": False})
        return Symbolic((entrance,))
    if last in ("Sequential", "Model", "Functional"):
        return _make_model(it, last, arguments, node)
    if generic.startswith("keras.applications."):
        return _application(it, generic, arguments, node)
    if generic == "keras.models.clone_model":
        from optlint.semantics.libraries import python_calls

        return python_calls.copied(arguments.get(0, "model") or UNKNOWN, {})
    if generic.startswith("keras.layers.") and last[:1].islower():
        return keras_graph.combined(arguments.all_values()) or UNKNOWN  # `add`, `concatenate`
    if keras_layers.layer(name) is not None or generic.startswith("keras.layers."):
        return _make_layer(it, name, generic, arguments, node)
    symbolic = keras_graph.combined(arguments.all_values())
    if symbolic is not None:
        untracked.note_operation(it, generic, arguments.all_values(), node)
    if symbolic is None and generic.startswith(_INERT):
        return External(f"{generic}()")
    return UNKNOWN if symbolic is None and generic.startswith(_LOOKING) else symbolic


def _of_tensorflow(name: str, arguments: Arguments) -> Value | None:
    """A function of symbolic tensors gives another one; ``tf.function`` gives the function.

    Functions of other packages, and those that make layers, may put weights in between.
    """
    if name in ("tensorflow.function", "tensorflow.compat.v1.function"):
        given = arguments.get(0, "func")
        return given if isinstance(given, (Function, Method)) else UNKNOWN
    plain = name.startswith("tensorflow.") and ".layers." not in name and ".contrib." not in name
    return keras_graph.combined(arguments.all_values()) if plain else None


def _make_layer(
    it: Interpreter, name: str, generic: str, arguments: Arguments, node: cst.CSTNode
) -> Instance:
    layer = Instance(LibraryClass(generic), it.site(node))
    last = generic.rsplit(".", 1)[-1]
    known = {k: v.value if isinstance(v, Const) else None for k, v in arguments.keywords.items()}
    layer.slots["#weights"] = keras_layers.has_weights(last, known) if keras_layers.layer(name) else None
    layer.slots["#name"] = _given_name(arguments)
    layer.slots["#shaped"] = last == "InputLayer" or not _SHAPES.isdisjoint(arguments.keywords)
    flag = arguments.keywords.get("trainable", UNKNOWN if arguments.open else TRUE)
    if flag == FALSE and last in _COMPOSITES and not it.keras.is_2:
        flag = UNKNOWN
        layer.slots["#leaks"] = layer.site
    layer.slots["trainable"] = flag
    layer.slots["#inner"] = Items(_given_layers(last, arguments))
    made_in_call.note_made(it, layer, node)
    if last == "Lambda":
        untracked.note_lambda(it, layer, arguments, node)
    return layer


def _given_layers(wrapper: str, arguments: Arguments) -> tuple[Value, ...]:
    """The layers that a wrapper is given; ``Bidirectional`` makes its own two after their pattern."""
    from optlint.semantics.libraries import python_calls

    given = tuple(value for value in arguments.all_values() if is_layer(value))
    return tuple(python_calls.copied(value, {}) for value in given) if wrapper == "Bidirectional" else given


def _application(it: Interpreter, generic: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    last = generic.rsplit(".", 1)[-1]
    if last not in keras_layers.APPLICATIONS:
        return keras_graph.combined(arguments.all_values()) or UNKNOWN
    model = Instance(LibraryClass(generic), it.site(node))
    inner = tuple(Instance(LibraryClass("keras.layers.Inner"), model.site) for _ in range(2))
    before = keras_graph.merge([arguments.keywords.get("input_tensor", NONE)])
    output = Symbolic((*before.layers, *inner), before.complete and not arguments.open, True)
    for layer in inner:
        layer.slots.update({"trainable": TRUE, "#weights": True, "#name": UNKNOWN, "#output": output})
    layers = Items(output.layers, not output.complete, many=True)
    model.slots.update({"trainable": TRUE, "#name": UNKNOWN, "#layers": layers})
    return model


def _make_model(it: Interpreter, kind: str, arguments: Arguments, node: cst.CSTNode) -> Instance:
    model = Instance(LibraryClass(f"keras.{kind}"), it.site(node))
    initialise(it, model, f"keras.{kind}", arguments)
    it.record(events.ModelMade(model.site or it.site(node), bool(it.conditional), model))
    made_in_call.note_made(it, model, node)
    return model


def initialise(it: Interpreter, model: Instance, base: str, arguments: Arguments) -> None:
    """What the constructor of a Keras base class does to an instance."""
    last = base.rsplit(".", 1)[-1]
    flag = arguments.keywords.get("trainable", UNKNOWN if arguments.open else TRUE)
    it.heap.set(model.slots, "trainable", flag if flag in (TRUE, FALSE) else UNKNOWN)
    it.heap.set(model.slots, "#name", _given_name(arguments))
    it.heap.set(model.slots, "#made_in", it.entry)
    if flag == FALSE and not it.keras.is_2 and isinstance(model.cls, LibraryClass):
        it.heap.set(model.slots, "#leaks", model.site)
    if last == "Sequential":
        given = arguments.get(0, "layers")
        items = Items() if given is None or given == NONE else iteration.take(it, given)
        it.heap.set(model.slots, "#layers", Items((), items.open or arguments.open, items.many))
        for value in items.values:
            _append(it, model, value)
        return
    if keras_layers.layer(base) is not None and last != "Layer":
        known = {k: v.value if isinstance(v, Const) else None for k, v in arguments.keywords.items()}
        it.heap.set(model.slots, "#weights", keras_layers.has_weights(last, known))
        return
    inputs = arguments.get(0, "inputs") or arguments.keywords.get("input")
    outputs = arguments.get(1, "outputs") or arguments.keywords.get("output")
    if inputs is None or outputs is None:
        return
    history = keras_graph.merge((outputs,))
    it.heap.set(model.slots, "#layers", Items(history.layers, not history.complete, history.many))
    it.heap.set(model.slots, "#functional", True)


def _given_name(arguments: Arguments) -> Value:
    """The name given to a layer: a text, ``None`` when Keras makes one, Unknown otherwise."""
    return arguments.keywords.get("name", UNKNOWN if arguments.open else NONE)


def _says_its_input(it: Interpreter, model: Instance, layer: Instance) -> bool:
    """Whether it is the first layer and, in Keras 2, knows its input without being told."""
    return layer.cls.name == "Embedding" and not layers_of(model).values and not it.keras.is_likely_3


def _append(it: Interpreter, model: Instance, value: Value) -> None:
    """A layer becomes the last one of a sequential model; it is built at once when the shape of inputs is known."""
    shaped = isinstance(value, Instance) and (value.slots.get("#shaped") or _says_its_input(it, model, value))
    if isinstance(value, Symbolic) or shaped:
        it.heap.set(model.slots, "#shaped", True)
    if isinstance(value, Symbolic):
        return
    layer = keras_graph.unseen_layer() if isinstance(value, Unknown) else value
    items = layers_of(model)
    it.heap.set(model.slots, "#layers", Items((*items.values, layer), items.open, items.many))
    if not isinstance(layer, Instance):
        return
    # A layer that is part of two models has no output of its own.
    it.heap.set(layer.slots, "#home", model if layer.slots.get("#home") in (None, model) else UNKNOWN)
    if model.slots.get("#shaped") is True:
        keras_trainable.build(it, layer)


# -- attributes ------------------------------------------------------------------------------------------------------


def get_attribute(it: Interpreter, owner: Instance, name: str, node: cst.CSTNode) -> Value | None:
    """An attribute that Keras gives to layers and models; None when it is none of those that matter."""
    if name == "layers":
        return Container("list", layers_of(owner))
    if name in ("output", "outputs"):
        return _output(owner)
    if name in ("input", "inputs"):
        return Symbolic()
    if name in ("trainable_variables", "trainable_weights"):
        frozen = keras_trainable.frozen_state(it, owner)
        if frozen is not None:
            return FrozenVariables(owner, frozen)
        none = empty_variables.unbuilt(it, owner, node)
        if none is not None:
            return none
        return keras_weights.listed(it, owner, name) or UNKNOWN
    if name == "name":
        return _name(owner)
    if name == "optimizer":
        return keras_optimizers.of_model(owner)
    if name in ("variables", "weights", "non_trainable_variables", "metrics", "losses"):
        return keras_weights.listed(it, owner, name) or UNKNOWN
    return keras_weights.listed(it, owner, name)


def _output(owner: Instance) -> Symbolic:
    """What a model built on this one's output runs through; for a layer, what leads to it too."""
    if families.keras_kind(owner.cls) != "model":
        return keras_graph.output_of(owner)
    items = layers_of(owner)
    found = tuple(value for value in items.values if isinstance(value, Instance))
    return Symbolic(found or (owner,), not items.open and len(found) == len(items.values), items.many)


def _name(owner: Instance) -> Value:
    """``layer.name``: as given, or made by Keras of the class's name with a number behind it."""
    given = owner.slots.get("#name", UNKNOWN)
    if "_name" in owner.slots or given != NONE:
        return given if isinstance(given, Const) and "_name" not in owner.slots else UNKNOWN
    if families.keras_kind(owner.cls) == "model" or keras_names.main_name(owner.cls.name) != owner.cls.name:
        return UNKNOWN
    return Text((_snake_case(owner.cls.name), None))


def _snake_case(name: str) -> str:
    """How Keras turns the name of a class into the start of its layers' names."""
    parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", parted).lower()


def class_name(cls: LibraryClass) -> Value:
    """``layer.__class__.__name__``."""
    known = (
        cls.qualified_name.startswith("keras.layers.") and keras_layers.layer(cls.qualified_name) is not None
    )
    return Const(keras_names.main_name(cls.name)) if known else UNKNOWN


# -- methods ---------------------------------------------------------------------------------------------------------

_TRAINING = frozenset({"fit", "fit_generator", "train_on_batch", "train_step"})
_NEUTRAL = frozenset({
    "predict", "evaluate", "summary", "save", "save_weights", "predict_on_batch", "test_on_batch",
    "predict_generator", "get_config", "evaluate_generator", "to_json", "get_weights", "count_params",
    "reset_states", "reset_metrics", "call", "compute_mask", "plot_model", "load_weights", "set_weights",
    "build", "export", "get_metrics_result", "add_loss", "add_metric", "compute_output_shape", "adapt",
    "compute_loss", "compute_metrics", "make_train_function", "to_yaml", "get_build_config",
    "get_compile_config", "enable_lora",
})  # fmt: skip


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of a Keras layer or model; None when it is none of those that matter."""
    if families.keras_kind(owner.cls) is None:
        return None
    if name in _TRAINING:
        keras_training.train(it, owner, name, arguments, node)
        return UNKNOWN
    if name == "compile":
        keras_training.compiled(it, owner, arguments, node)
        return NONE
    if name in ("set_weights", "load_weights"):
        tapes.take_over(it, keras_weights.leaves_of(it, owner))
    if name == "make_train_function":
        keras_training.forget(it, owner)
    if name == "add":
        return _add(it, owner, arguments, it.site(node))
    if name == "pop":
        return _pop(it, owner)
    if name in ("add_weight", "add_variable"):
        if arguments.keywords.get("trainable") != FALSE:
            it.heap.set(owner.slots, "#own_weights", True)
            if keras_weights.matter(it):
                return keras_weights.added(it, owner, node)
        return External("keras.Variable()")
    if name == "parameters" and it.keras.torch:
        return empty_variables.unbuilt(it, owner, node)
    if name == "get_layer":
        return _get_layer(it, owner, arguments)
    if name == "__call__":
        return call_layer(it, owner, arguments, node)
    if name in _RUNNING:
        keras_trainable.build(it, owner)
    given = keras_weights.call_method(it, owner, name, arguments, node)
    return UNKNOWN if given is None and name in _NEUTRAL else given


def _add(it: Interpreter, owner: Instance, arguments: Arguments, site: Site) -> Value:
    layer = arguments.get(0, "layer") or UNKNOWN
    _append(it, owner, layer)
    if isinstance(layer, Instance):
        it.heap.set(layer.slots, "#added", Flagged(next(it.moments), site, it.entry))
    return NONE


def _pop(it: Interpreter, owner: Instance) -> Value:
    items = layers_of(owner)
    if items.many or items.open or not items.values:
        it.heap.set(owner.slots, "#layers", Items(items.values, True, items.many))
        return UNKNOWN
    it.heap.set(owner.slots, "#layers", Items(items.values[:-1]))
    return items.values[-1]


def _get_layer(it: Interpreter, owner: Instance, arguments: Arguments) -> Value:
    """The layer of that name or index; where it is not known which, any of them."""
    from optlint.semantics import containers
    from optlint.semantics.values import join_values

    items = layers_of(owner)
    name, index = arguments.get(0, "name"), arguments.get(1, "index")
    if isinstance(name, Const) and isinstance(name.value, str):
        for layer in items.values:
            if isinstance(layer, Instance) and layer.slots.get("#name") == name:
                return layer
        if not items.open and items.many:  # a ready-made model: one of its own, whatever they are called
            return join_values(items.values)
    if isinstance(index, Const):
        return containers.get_item(it, Container("list", items), index)
    return join_values([*items.values, UNKNOWN])


def of_gradients(
    it: Interpreter, arguments: Arguments, how: str, node: cst.CSTNode, name: str = ""
) -> Value | None:
    """Gradients for the variables of a frozen model are an empty list; an optimizer that is given it does nothing.

    ``name``: the qualified one of the method, where it is known.
    """
    asked, applied = _ASKING.get(how), _APPLYING.get(how)
    place = asked or applied
    value = arguments.get(*place) if place is not None else None
    if how == "apply" and (value is None or not keras_trainable.is_of_frozen(value)):
        empty_variables.applied(it, arguments, name, node)
        return None
    if value is None or (how == "build" and not name.endswith(".build")):
        return None
    if not keras_trainable.is_of_frozen(value):
        empty = empty_variables.used(it, value, how, name, node)
        return empty if asked is not None else None
    if applied is not None and how != "build":
        it.record(events.KerasTrained(it.site(node), bool(it.conditional), value.model, how, value.frozen))
    return value.again() if asked is not None else UNKNOWN


def operated(values: Sequence[Value]) -> Value | None:
    """What an operator makes of symbolic tensors, or of the variables of frozen models; None for all else."""
    none = [value for value in values if keras_trainable.is_empty(value)]
    if len(none) == len(values):  # `a.trainable_variables + b.trainable_variables`
        frozen = [value for value in none if keras_trainable.is_of_frozen(value)]
        return max(frozen, key=lambda variables: variables.frozen.order, default=none[-1]).again()
    return keras_graph.combined(values)


def call_layer(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    """A layer or model called: on symbolic tensors it becomes part of a functional model."""
    untracked.note_called(it, owner, node)
    keras_trainable.build(it, owner)
    return keras_graph.after(it, owner, arguments) or keras_weights.called(it, owner, arguments, node)


def is_instance(value: Instance, name: str) -> bool | None:
    """``isinstance`` of a Keras object against a library class."""
    kind = families.keras_kind(value.cls)
    generic = keras_names.canonical(name)
    if kind is None or generic is None:
        return None
    wanted = keras_names.main_name(generic.rsplit(".", 1)[-1])
    if wanted == "Layer":
        return True
    if wanted == "Model":
        return kind == "model"
    if isinstance(value.cls, UserClass):
        return _users_is(value.cls, wanted)
    own = keras_names.main_name(value.cls.name)
    if own == wanted:
        return True
    # Which of them derive from each other differs between versions: Conv2DTranspose and Conv2D, LSTM and RNN.
    related = wanted in own or wanted in ("RNN", "Wrapper", "Functional") or own in ("Inner", "Unseen")
    return None if related else False


def _users_is(cls: UserClass, wanted: str) -> bool | None:
    if cls.has_unknown_base():
        return None
    bases = {keras_names.main_name(base.rsplit(".", 1)[-1]) for base in cls.library_bases()}
    if wanted in bases:
        return True
    return False if bases <= {"Layer", "Model"} else None
