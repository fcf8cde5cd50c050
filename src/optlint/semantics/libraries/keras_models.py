"""Keras: layers, Sequential, functional and subclassed models, their ``trainable`` flags over time, and training.

What an assignment to ``trainable`` does differs between Keras 2 and 3; where they disagree the state is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from optlint.semantics import events, families, iteration, truth
from optlint.semantics.libraries import keras_layers, keras_names
from optlint.semantics.site import Site
from optlint.semantics.values import (
    FALSE,
    NONE,
    TRUE,
    UNKNOWN,
    Arguments,
    Choice,
    Const,
    Container,
    DictObj,
    Instance,
    Items,
    LibraryClass,
    Unknown,
    UserClass,
    Value,
    options,
)

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Deeper nesting of models is cut.
MAX_DEPTH = 12
#: Their own ``trainable=False`` does not reach their weights in Keras 3 when it is given to the constructor.
_COMPOSITES = frozenset(
    ["MultiHeadAttention", "GroupQueryAttention", "Bidirectional", "TimeDistributed", "RNN", "Wrapper", "Sequential", "Model"]
)


@dataclass(frozen=True)
class Symbolic(Value):
    """A symbolic tensor of a functional model: the layers it went through; ``complete``: all of them are known."""

    layers: tuple[Instance, ...] = ()
    complete: bool = True


@dataclass(frozen=True)
class FrozenVariables(Value):
    """``model.trainable_variables`` of a model of which nothing can train."""

    model: Instance
    frozen: events.FrozenModel


@dataclass(frozen=True)
class FrozenMark:
    """When and where a flag was set to False; ``order`` tells which was last."""

    order: int
    site: Site


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """Call a class or function of Keras (or any function on symbolic tensors); None when it is not Keras."""
    generic = keras_names.canonical(name)
    if generic is None:
        return _on_symbolic(arguments)
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
    known = keras_layers.layer(name)
    if known is not None or generic.startswith("keras.layers."):
        return _make_layer(it, name, generic, arguments, node)
    return _on_symbolic(arguments)


def _on_symbolic(arguments: Arguments) -> Value | None:
    """A function of a symbolic tensor gives another one."""
    merged = _merge(arguments.all_values())
    return merged if merged.layers or _has_symbolic(arguments.all_values()) else None


def _has_symbolic(values: tuple[Value, ...]) -> bool:
    return any(
        isinstance(value, Symbolic) or (isinstance(value, Container) and _has_symbolic(value.items.values))
        for value in values
    )


def _merge(values: tuple[Value, ...]) -> Symbolic:
    """The history of several symbolic tensors together."""
    layers: list[Instance] = []
    complete = True
    for value in values:
        if isinstance(value, Container):
            value = _merge(value.items.values)
        elif isinstance(value, DictObj):
            value = _merge(tuple(value.entries.values.values()))
        if isinstance(value, Symbolic):
            layers.extend(layer for layer in value.layers if layer not in layers)
            complete = complete and value.complete
        elif not isinstance(value, Const):
            complete = False
    return Symbolic(tuple(layers), complete)


def _make_layer(
    it: Interpreter, name: str, generic: str, arguments: Arguments, node: cst.CSTNode
) -> Instance:
    layer = Instance(LibraryClass(generic), it.site(node))
    last = generic.rsplit(".", 1)[-1]
    known = {k: v.value if isinstance(v, Const) else None for k, v in arguments.keywords.items()}
    layer.slots["#weights"] = keras_layers.has_weights(last, known) if keras_layers.layer(name) else None
    flag = arguments.keywords.get("trainable", UNKNOWN if arguments.open else TRUE)
    if flag == FALSE and last in _COMPOSITES:
        flag = UNKNOWN
    layer.slots["trainable"] = flag
    layer.slots["#inner"] = Items(tuple(v for v in arguments.all_values() if is_layer(v)))
    layer.slots["#name"] = arguments.keywords.get("name", NONE)
    return layer


def _application(it: Interpreter, generic: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    last = generic.rsplit(".", 1)[-1]
    if last not in keras_layers.APPLICATIONS:
        return _on_symbolic(arguments) or UNKNOWN
    model = Instance(LibraryClass(generic), it.site(node))
    inner = []
    for _ in range(2):
        layer = Instance(LibraryClass("keras.layers.Inner"), model.site)
        layer.slots.update({"trainable": TRUE, "#weights": True})
        inner.append(layer)
    model.slots.update({"trainable": TRUE, "#layers": Items(tuple(inner), many=True)})
    return model


def _make_model(it: Interpreter, kind: str, arguments: Arguments, node: cst.CSTNode) -> Instance:
    model = Instance(LibraryClass(f"keras.{kind}"), it.site(node))
    initialise(it, model, f"keras.{kind}", arguments)
    it.record(events.ModelMade(model.site or it.site(node), bool(it.conditional), model))
    return model


def initialise(it: Interpreter, model: Instance, base: str, arguments: Arguments) -> None:
    """What the constructor of a Keras base class does to an instance."""
    last = base.rsplit(".", 1)[-1]
    flag = arguments.keywords.get("trainable", TRUE)
    it.heap.set(model.slots, "trainable", flag if flag in (TRUE, FALSE) else UNKNOWN)
    if last == "Sequential":
        given = arguments.get(0, "layers")
        items = Items() if given is None or given == NONE else iteration.take(it, given)
        layers = tuple(value for value in items.values if not isinstance(value, Symbolic))
        it.heap.set(model.slots, "#name", arguments.keywords.get("name", NONE))
        it.heap.set(model.slots, "#layers", Items(layers, items.open or arguments.open, items.many))
        return
    inputs = arguments.get(0, "inputs") or arguments.keywords.get("input")
    outputs = arguments.get(1, "outputs") or arguments.keywords.get("output")
    it.heap.set(model.slots, "#name", arguments.keywords.get("name", NONE))
    if inputs is None or outputs is None:
        return
    history = _merge((outputs,))
    it.heap.set(model.slots, "#layers", Items(history.layers, not history.complete))
    it.heap.set(model.slots, "#functional", True)


# -- layers of a model -----------------------------------------------------------------------------------------------


def is_layer(value: Value) -> bool:
    """Whether a value is a Keras layer or model."""
    return isinstance(value, Instance) and families.keras_kind(value.cls) is not None


def layers_of(it: Interpreter, model: Instance) -> Items:
    """The layers directly inside a model or layer; ``open`` when there may be others."""
    listed = model.slots.get("#layers")
    if isinstance(listed, Items):
        if isinstance(model.cls, UserClass):
            own = _attribute_layers(model)
            return Items((*listed.values, *own.values), listed.open or own.open, listed.many)
        return listed
    if isinstance(model.cls, UserClass):
        return _attribute_layers(model)
    inner = model.slots.get("#inner")
    return inner if isinstance(inner, Items) else Items()


def _attribute_layers(model: Instance) -> Items:
    layers: list[Value] = []
    more = model.open
    many = False
    for _, value in model.members():
        found, unknown, repeated = _layers_in(value, 0)
        layers.extend(layer for layer in found if layer not in layers)
        more, many = more or unknown, many or repeated
    return Items(tuple(layers), more, many)


def _layers_in(value: Value, depth: int) -> tuple[list[Value], bool, bool]:
    """Layers kept in an attribute (also inside lists and dicts), whether there may be others, whether they repeat."""
    if is_layer(value):
        return [value], False, False
    if isinstance(value, Choice):
        return [value] if any(is_layer(option) for option in options(value)) else [], False, False
    inner: tuple[Value, ...] = ()
    more = many = False
    if isinstance(value, Container):
        inner, more, many = value.items.values, value.items.open, value.items.many
    elif isinstance(value, DictObj):
        inner, more = tuple(value.entries.values.values()), value.entries.open
    elif isinstance(value, (Unknown, Instance)):
        return [], isinstance(value, Unknown), False
    layers: list[Value] = []
    for member in inner if depth < 4 else ():
        found, unknown, repeated = _layers_in(member, depth + 1)
        layers.extend(found)
        more, many = more or unknown, many or repeated
    return layers, more, many


def get_attribute(it: Interpreter, owner: Instance, name: str) -> Value | None:
    """An attribute that Keras gives to layers and models; None when it is none of those that matter."""
    if name == "layers":
        return Container("list", layers_of(it, owner))
    if name in ("output", "outputs"):
        return Symbolic(_all_layers(it, owner), not layers_of(it, owner).open)
    if name in ("input", "inputs"):
        return Symbolic()
    if name in ("trainable_variables", "trainable_weights"):
        frozen = frozen_state(it, owner)
        return UNKNOWN if frozen is None else FrozenVariables(owner, frozen)
    if name in ("variables", "weights", "non_trainable_variables", "name", "optimizer", "metrics", "losses"):
        return UNKNOWN
    return None


def _all_layers(it: Interpreter, owner: Instance) -> tuple[Instance, ...]:
    """The layers that a new functional model built on this one's output runs through."""
    found = tuple(value for value in layers_of(it, owner).values if isinstance(value, Instance))
    return found or (owner,)


# -- trainable -------------------------------------------------------------------------------------------------------


def set_trainable(it: Interpreter, owner: Instance, value: Value, site: Site, depth: int = 0) -> None:
    """``owner.trainable = value``: its own flag, and those of everything inside it."""
    flag = truth.truth(value)
    wanted: Value = UNKNOWN if flag is None else Const(flag)
    unchanged = owner.slots.get("trainable") == wanted
    mark = FrozenMark(it.heap.mark(), site)
    _set_flag(it, owner, wanted, mark)
    if depth > MAX_DEPTH:
        return
    for child in layers_of(it, owner).values:
        for option in options(child):
            if not isinstance(option, Instance):
                continue
            if unchanged and it.keras_3:
                continue
            if unchanged:
                _maybe_set(it, option, wanted, depth + 1)
            else:
                set_trainable(it, option, wanted, site, depth + 1)


def _set_flag(it: Interpreter, owner: Instance, wanted: Value, mark: FrozenMark) -> None:
    it.heap.set(owner.slots, "trainable", wanted)
    it.heap.set(owner.slots, "#frozen_at", mark if wanted == FALSE else None)


def _maybe_set(it: Interpreter, owner: Instance, wanted: Value, depth: int) -> None:
    """Keras 3 skips an assignment of the value that is there already; Keras 2 passes it on."""
    if owner.slots.get("trainable") != wanted:
        it.heap.set(owner.slots, "trainable", UNKNOWN)
    if depth <= MAX_DEPTH:
        for child in layers_of(it, owner).values:
            for option in options(child):
                if isinstance(option, Instance):
                    _maybe_set(it, option, wanted, depth + 1)


def frozen_state(it: Interpreter, model: Instance) -> events.FrozenModel | None:
    """Why nothing of a model can train now; None when something can, or that is not certain."""
    if model.open or model.slots.get("#escaped"):
        return None
    weighted = list(_weighted(it, model, 0))
    if model.slots.get("trainable") == FALSE:
        if not any(layer is not None for layer in weighted) and not isinstance(model.cls, UserClass):
            return None
        return _why(model, [model], "model")
    if not weighted or None in weighted or layers_of(it, model).open:
        return None
    layers = [layer for layer in weighted if layer is not None]
    if any(layer.slots.get("trainable") != FALSE for layer in layers):
        return None
    return _why(model, layers, "layers")


def _why(model: Instance, layers: list[Instance], by: str) -> events.FrozenModel | None:
    marks = [layer.slots.get("#frozen_at") for layer in layers]
    known = [mark for mark in marks if isinstance(mark, FrozenMark)]
    site = max(known, key=lambda mark: mark.order).site if known else model.site
    if site is None:
        return None
    if not known:
        by = "constructor"
    names = tuple(dict.fromkeys(_class_name(layer) for layer in layers))
    return events.FrozenModel(site, by, names)


def _class_name(layer: Instance) -> str:
    return layer.cls.name


def _weighted(it: Interpreter, model: Instance, depth: int) -> Iterator[Instance | None]:
    """The layers with weights inside a model, at any depth; None for what cannot be judged."""
    if depth > MAX_DEPTH:
        yield None
        return
    items = layers_of(it, model)
    if items.open or model.slots.get("#own_weights"):
        yield None
    for child in items.values:
        if isinstance(child, Choice) or not isinstance(child, Instance):
            yield None
        elif families.keras_kind(child.cls) == "model":
            yield from _weighted(it, child, depth + 1)
        elif isinstance(child.cls, UserClass):
            yield from _inside_users_layer(it, child, depth + 1)
        else:
            weights = child.slots.get("#weights")
            inner = child.slots.get("#inner")
            if weights is None and isinstance(inner, Items):
                weights = (
                    True
                    if any(v.slots.get("#weights") for v in inner.values if isinstance(v, Instance))
                    else None
                )
            if weights is True:
                yield child
            elif weights is None:
                yield None


def _inside_users_layer(it: Interpreter, layer: Instance, depth: int) -> Iterator[Instance | None]:
    """The layers inside a layer of the user's; one with a ``build`` of its own may make others there."""
    from optlint.semantics import attributes

    if attributes.user_method(layer, "build") is not None or not layers_of(it, layer).values:
        yield None
    else:
        yield from _weighted(it, layer, depth)


# -- methods ---------------------------------------------------------------------------------------------------------

_TRAINING = frozenset({"fit", "fit_generator", "train_on_batch"})
_NEUTRAL = frozenset(
    ["predict", "evaluate", "summary", "save", "save_weights", "predict_on_batch", "test_on_batch", "predict_generator", "get_config", "evaluate_generator", "to_json", "get_weights", "count_params", "reset_states", "reset_metrics", "call", "compute_mask", "plot_model", "load_weights", "set_weights", "build", "export", "get_metrics_result", "add_loss", "add_metric"]
)


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of a Keras layer or model; None when it is none of those that matter."""
    if families.keras_kind(owner.cls) is None:
        return None
    if name in _TRAINING:
        record_training(it, owner, name, node)
        return UNKNOWN
    if name == "compile":
        it.heap.set(owner.slots, "#compiled", "frozen" if frozen_state(it, owner) else "trainable")
        return NONE
    if name == "add":
        return _add(it, owner, arguments, node)
    if name == "pop":
        return _pop(it, owner)
    if name in ("add_weight", "add_variable"):
        if arguments.keywords.get("trainable") != FALSE:
            it.heap.set(owner.slots, "#own_weights", True)
        return UNKNOWN
    if name == "get_layer":
        return _get_layer(it, owner, arguments)
    if name == "__call__":
        return call_layer(it, owner, arguments, node)
    return UNKNOWN if name in _NEUTRAL else None


def _add(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    items = layers_of(it, owner)
    added = arguments.get(0, "layer") or UNKNOWN
    if not isinstance(added, Symbolic):
        it.heap.set(owner.slots, "#layers", Items((*items.values, added), items.open, items.many))
    return NONE


def _pop(it: Interpreter, owner: Instance) -> Value:
    items = layers_of(it, owner)
    if items.many or items.open or not items.values:
        it.heap.set(owner.slots, "#layers", Items(items.values, True, items.many))
        return UNKNOWN
    it.heap.set(owner.slots, "#layers", Items(items.values[:-1]))
    return items.values[-1]


def _get_layer(it: Interpreter, owner: Instance, arguments: Arguments) -> Value:
    """The layer of that name or index; where it is not known which, any of them."""
    from optlint.semantics import containers
    from optlint.semantics.values import join_values

    items = layers_of(it, owner)
    name, index = arguments.get(0, "name"), arguments.get(1, "index")
    if isinstance(name, Const) and isinstance(name.value, str):
        for layer in items.values:
            if isinstance(layer, Instance) and layer.slots.get("#name") == name:
                return layer
    if isinstance(index, Const):
        return containers.get_item(it, Container("list", items), index)
    return join_values([*items.values, UNKNOWN])


def record_training(it: Interpreter, owner: Instance, how: str, node: cst.CSTNode) -> None:
    """A model is trained: note whether nothing of it can train."""
    frozen = frozen_state(it, owner)
    compiled = owner.slots.get("#compiled", "never")
    if compiled in ("trainable", None) and not it.keras_3:
        # Keras 2 trains what was trainable at compile, Keras 3 what is trainable at the first fit.
        frozen = None
    it.record(events.KerasTrained(it.site(node), bool(it.conditional), owner, how, frozen))


def record_gradients(it: Interpreter, values: tuple[Value, ...], how: str, node: cst.CSTNode) -> None:
    """Gradients are taken for variables of a model of which nothing can train."""
    for value in values:
        if isinstance(value, FrozenVariables):
            it.record(
                events.KerasTrained(it.site(node), bool(it.conditional), value.model, how, value.frozen)
            )


def call_layer(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    """A layer or model called: on symbolic tensors it becomes part of a functional model."""
    values = arguments.all_values()
    if not _has_symbolic(values):
        return UNKNOWN
    before = _merge(arguments.positional[:1] or values)
    layers = before.layers if owner in before.layers else (*before.layers, owner)
    return Symbolic(layers, before.complete)


def is_instance(value: Instance, name: str) -> bool | None:
    """``isinstance`` of a Keras object against a library class."""
    if families.keras_kind(value.cls) is None or not isinstance(value.cls, LibraryClass):
        return None
    generic = keras_names.canonical(name)
    if generic is None or value.cls.qualified_name in ("keras.layers.Inner",):
        return None
    last = generic.rsplit(".", 1)[-1]
    if last in ("Layer",):
        return True
    if last == "Model":
        return families.keras_kind(value.cls) == "model"
    return value.cls.name == last


__all__ = ["DictObj", "FrozenVariables", "Symbolic", "call", "call_layer", "call_method", "set_trainable"]
