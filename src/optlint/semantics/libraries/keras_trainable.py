"""The ``trainable`` flags of Keras layers and models over time, and whether anything of a model can train.

What an assignment does differs between Keras 2 and 3; where they disagree the state is unknown. ``keras_models``
and ``attributes`` ask; it must not know how a model is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeGuard

from optlint.deferred import dataclass, regex
from optlint.semantics import events, families, keras_events, truth
from optlint.semantics.site import Site
from optlint.semantics.values import (
    FALSE,
    TRUE,
    UNKNOWN,
    Arguments,
    Choice,
    Const,
    Container,
    DictObj,
    Function,
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
#: Make their parts when they are built, and in Keras 3 those parts do not know that the layer was frozen before.
BUILT_LATE = frozenset({"MultiHeadAttention", "GroupQueryAttention"})
#: Properties that decide what an optimizer is given; a class that has its own is not judged.
_DECIDING = ("trainable", "trainable_variables", "trainable_weights")
#: Code that sets flags.
_SETS_FLAGS = regex(r"\.trainable\s*=(?!=)|[\"']trainable[\"']")
#: Ways to get weights that are not seen as attributes.
_HIDDEN_WEIGHTS = regex(r"add_weight|add_variable|Variable\(|_layers\b|_trackables|_track")

#: Slot of a list that was extended by such a one, and got nothing by it.
EMPTIED = "#emptied"


class NoVariables(Container):
    """A list that stands for the variables of something that has none to train now; empty so far."""

    __slots__ = ()

    def again(self) -> NoVariables:
        """Another list of the same emptiness: gradients for these variables, or pairs of both."""
        return NoVariables(self.kind, Items())


class FrozenVariables(NoVariables):
    """``model.trainable_variables`` of a model of which nothing can train: a list of its own, and empty so far."""

    __slots__ = ("frozen", "model")

    def __init__(self, model: Instance, frozen: events.FrozenModel) -> None:
        super().__init__("list", Items())
        self.model = model
        self.frozen = frozen

    def again(self) -> FrozenVariables:
        """Another list of the same emptiness: gradients for these variables, or pairs of both."""
        return FrozenVariables(self.model, self.frozen)


def is_empty(value: Value) -> TypeGuard[NoVariables]:
    """Whether a value is the list of variables of something without any, to which nothing was added since."""
    return isinstance(value, NoVariables) and value.items == Items()


def is_of_frozen(value: Value) -> TypeGuard[FrozenVariables]:
    """Whether that is so because a model is frozen."""
    return isinstance(value, FrozenVariables) and value.items == Items()


@dataclass(frozen=True)
class FrozenMark:
    """When and where a flag was set to False, whether the weights were there by then, and in which entry."""

    order: int
    site: Site
    entry: int
    built: bool


@dataclass(frozen=True)
class Flagged:
    """When and where a flag was last set, or a layer added, and in which entry."""

    order: int
    site: Site
    entry: int


@dataclass(frozen=True)
class Skipped:
    """Where the flag of ``owner`` was set to what it was already, so that this layer, frozen before, stays frozen."""

    order: int
    site: Site
    entry: int
    frozen_at: Site | None
    owner: Instance


# -- the layers of a model -------------------------------------------------------------------------------------------


def is_layer(value: Value) -> bool:
    """Whether a value is a Keras layer or model."""
    return isinstance(value, Instance) and families.keras_kind(value.cls) is not None


def layers_of(model: Instance) -> Items:
    """The layers directly inside a model or layer; ``open`` when there may be others."""
    listed = model.slots.get("#layers")
    if not isinstance(listed, Items) and isinstance(model.cls, LibraryClass):
        if families.keras_kind(model.cls) == "model":
            return Items((), True)
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


# -- building --------------------------------------------------------------------------------------------------------


def build(it: Interpreter, owner: Instance, depth: int = 0) -> None:
    """The first call of a layer or model: from now on its weights are there, and those of everything inside it."""
    if owner.slots.get("#built") is True or depth > MAX_DEPTH:
        return
    it.heap.set(owner.slots, "#built", True)
    _first_call(it, owner)
    for child in layers_of(owner).values:
        for option in options(child):
            if isinstance(option, Instance):
                build(it, option, depth + 1)


def note_build(it: Interpreter, owner: Value) -> None:
    """The program calls its own ``build`` method."""
    if isinstance(owner, Instance) and is_layer(owner):
        it.heap.set(owner.slots, "#built", True)


def _first_call(it: Interpreter, owner: Instance) -> None:
    """Follow ``build`` and ``call`` of the user's class on an unknown tensor: both may make layers."""
    from optlint.semantics import attributes, functions

    for name in ("build", "call"):
        method = attributes.user_method(owner, name)
        if method is not None:
            functions.invoke(it, method, Arguments((UNKNOWN,)), owner)


# -- flags -----------------------------------------------------------------------------------------------------------


def set_trainable(it: Interpreter, owner: Instance, value: Value, site: Site) -> None:
    """``owner.trainable = value``: its own flag, and those of everything inside it."""
    flag = truth.truth(value)
    if flag is not False:
        it.record(events.KerasReleased(site, bool(it.conditional), it.entry))
        if owner.slots.get("#escaped"):
            release_unknown(it, value)  # code that is not seen may have put it into other models
    before = {layer: layer.slots.get("trainable") for layer in _all_inside(owner, 0)}
    # Keras compares what is written: 1 is not the True that stands there, and is set everywhere.
    other = flag is None or (flag and isinstance(value, Const) and value.value is not True)
    _set(it, owner, UNKNOWN if other else Const(flag), next(it.moments), site, 0)
    now = Const(flag)
    changed = tuple(
        layer
        for layer, was in before.items()
        if was in (TRUE, FALSE) and was != now and layer.slots.get("trainable") == now
    )
    if flag is not None and changed:
        it.record(keras_events.FlagChanged(site, bool(it.conditional), changed, flag, it.entry))


def _all_inside(owner: Instance, depth: int) -> Iterator[Instance]:
    """A layer and all that it holds."""
    yield owner
    for child in layers_of(owner).values if depth <= MAX_DEPTH else ():
        for option in options(child):
            if isinstance(option, Instance):
                yield from _all_inside(option, depth + 1)


def release_unknown(it: Interpreter, value: Value) -> None:
    """``x.trainable = value`` where ``x`` may be any layer: what was frozen before may be trainable again."""
    if truth.truth(value) is not False:
        it.heap.set(it.doubts, "released", Const(next(it.moments)))


def kept_by_unknown(it: Interpreter, value: Value) -> None:
    """A layer is kept by an object that is not known: code that cannot be seen can reach it there."""
    from optlint.semantics import calls

    for option in options(value):
        if is_layer(option):
            calls.escape(it, [option])


def may_be_called(it: Interpreter, function: Function) -> None:
    """Code that cannot be seen gets a function: if that sets flags, nobody knows when."""
    if sets_flags(function.context.part.code(function.node)):
        release_unknown(it, UNKNOWN)


def sets_flags(code: str) -> bool:
    """Whether a piece of code sets ``trainable`` of something."""
    return _SETS_FLAGS.search(code) is not None


def goes_on(it: Interpreter, last_round: Sequence[events.Event]) -> None:
    """A loop may run for more rounds than were followed: if the last one set flags, others may set more."""
    if any(isinstance(event, events.KerasReleased) for event in last_round):
        release_unknown(it, UNKNOWN)


def _set(it: Interpreter, owner: Instance, wanted: Value, order: int, site: Site, depth: int) -> None:
    unchanged = owner.slots.get("trainable") == wanted
    if unchanged and wanted == TRUE:
        _note_skipped(it, owner, order, site)
    _set_flag(it, owner, wanted, order, site)
    if depth > MAX_DEPTH or (unchanged and it.keras.is_3 and it.keras.tensorflow):
        return
    for child in layers_of(owner).values:
        for option in options(child):
            if isinstance(option, Instance):
                if unchanged:
                    _maybe_set(it, option, wanted, depth + 1)
                else:
                    _set(it, option, wanted, order, site, depth + 1)


def _note_skipped(it: Interpreter, owner: Instance, order: int, site: Site) -> None:
    """Keras 3 on TensorFlow passes on no flag that is there already."""
    for layer in _all_inside(owner, 0):
        mark = layer.slots.get("#frozen_at")
        if layer is not owner and is_frozen(layer) and isinstance(mark, FrozenMark):
            it.heap.set(layer.slots, "#skipped", Skipped(order, site, it.entry, mark.site, owner))


def _set_flag(it: Interpreter, owner: Instance, wanted: Value, order: int, site: Site) -> None:
    built = owner.slots.get("#built") is True
    it.heap.set(owner.slots, "#skipped", None)
    leaking = (
        owner.slots.get("#leaks") is not None and wanted == FALSE
    )  # it says False already: nothing is done
    if wanted == FALSE and not built and owner.cls.name in BUILT_LATE and not it.keras.is_2:
        wanted = UNKNOWN
        it.heap.set(owner.slots, "#leaks", site)
    elif not leaking:
        it.heap.set(owner.slots, "#leaks", None)
    it.heap.set(owner.slots, "trainable", wanted)
    mark = FrozenMark(order, site, it.entry, built) if wanted == FALSE else None
    it.heap.set(owner.slots, "#frozen_at", mark)
    it.heap.set(owner.slots, "#flagged", Flagged(order, site, it.entry))


def _maybe_set(it: Interpreter, owner: Instance, wanted: Value, depth: int) -> None:
    """Keras 3 skips an assignment of the value that is there already; Keras 2 passes it on."""
    if owner.slots.get("trainable") != wanted:
        it.heap.set(owner.slots, "trainable", UNKNOWN)
    if depth <= MAX_DEPTH:
        for child in layers_of(owner).values:
            for option in options(child):
                if isinstance(option, Instance):
                    _maybe_set(it, option, wanted, depth + 1)


# -- whether anything can train --------------------------------------------------------------------------------------


def frozen_state(it: Interpreter, model: Instance) -> events.FrozenModel | None:
    """Why nothing of a model can train now; None when something can, or that is not certain."""
    if not can_be_judged(model):
        return None
    mark = it.heap.mark()
    recorded = len(it.events)
    parts = list(_parts(it, model, 0))
    it.heap.rollback(mark)
    del it.events[recorded:]
    if is_frozen(model):
        if not any(part is not None for part in parts) and not isinstance(model.cls, UserClass):
            return None
        return _why(it, model, [model], "model")
    layers = [part for part in parts if part is not None]
    if not layers or None in parts or not all(map(is_frozen, layers)):
        return None
    return _why(it, model, layers, "layers")


def is_frozen(layer: Instance) -> bool:
    return bool(layer.slots.get("trainable") == FALSE)


def _frozen_when_built(layer: Instance) -> bool:
    """Whether it was frozen when all its weights were there: then none of them trains, whatever they are."""
    mark = layer.slots.get("#frozen_at")
    return is_frozen(layer) and isinstance(mark, FrozenMark) and mark.built


def can_be_judged(owner: Instance) -> bool:
    """Whether all that decides is seen: no code that is not seen has it, and its class has no say of its own."""
    from optlint.semantics import attributes

    if owner.open or owner.slots.get("#escaped"):
        return False
    return not any(isinstance(attributes.class_attribute(owner.cls, name), Function) for name in _DECIDING)


def _why(it: Interpreter, model: Instance, layers: list[Instance], by: str) -> events.FrozenModel | None:
    marks = [layer.slots.get("#frozen_at") for layer in layers]
    known = [mark for mark in marks if isinstance(mark, FrozenMark)]
    earliest = min(mark.order for mark in known) if len(known) == len(marks) else 0
    certain = (0, it.entry, model.slots.get("#made_in"))
    if earliest < last_doubt(it) or any(mark.entry not in certain for mark in known):
        return None
    last = max(known, key=lambda mark: mark.order, default=None)
    site = model.site if last is None else last.site
    if site is None:
        return None
    names = tuple(dict.fromkeys(layer.cls.name for layer in layers))
    order = 0 if last is None else last.order
    return events.FrozenModel(site, by if known else "constructor", names, order, it.entry)


def last_doubt(it: Interpreter) -> float:
    """When a layer that may be any was last released; 0 for never."""
    released = it.doubts.get("released")
    if released is None:
        return 0
    orders = [option.value for option in options(released) if isinstance(option, Const)]
    return max(orders) if orders else float("inf")


def _parts(it: Interpreter, owner: Instance, depth: int) -> Iterator[Instance | None]:
    """What has weights inside a model or layer, at any depth; None for what cannot be judged."""
    if isinstance(owner.cls, UserClass):
        build(it, owner)
    items = layers_of(owner)
    if items.open or depth > MAX_DEPTH:
        yield None
    if owner.slots.get("#own_weights"):
        yield owner
    for child in items.values if depth <= MAX_DEPTH else ():
        if not isinstance(child, Instance) or not can_be_judged(child):
            yield None
        elif isinstance(child.cls, UserClass):
            yield from _of_users(it, child, depth + 1)
        elif families.keras_kind(child.cls) == "model":
            yield from _parts(it, child, depth + 1)
        else:
            yield from _of_library(it, child, depth + 1)


def _of_users(it: Interpreter, child: Instance, depth: int) -> Iterator[Instance | None]:
    """A layer or model of the user's class inside another."""
    if _frozen_when_built(child):
        yield child  # everything it has was there, and was frozen with it
        yield from _released(_parts(it, child, depth))
        return
    parts = list(_parts(it, child, depth))
    weights = child.slots.get("#weights", False)
    if weights is not False:
        parts.append(child if weights else None)
    if not parts and _may_hide_weights(child.cls):
        parts.append(None)
    yield from parts


def _released(parts: Iterator[Instance | None]) -> Iterator[Instance]:
    return (part for part in parts if part is not None and not is_frozen(part))


def _may_hide_weights(cls: Value) -> bool:
    classes = (
        [base for base in cls.order() if isinstance(base, UserClass)] if isinstance(cls, UserClass) else []
    )
    return any(_HIDDEN_WEIGHTS.search(base.context.part.code(base.node)) for base in classes)


def _of_library(it: Interpreter, child: Instance, depth: int) -> Iterator[Instance | None]:
    """A layer of Keras; one that wraps others has their weights."""
    weights = child.slots.get("#weights")
    inner = child.slots.get("#inner")
    if not isinstance(inner, Items) or not inner.values:
        if weights is not False:
            yield child if weights or _frozen_when_built(child) else None
        return
    parts = list(_parts(it, child, depth))
    if None in parts:
        yield None
    elif is_frozen(child):
        yield child
        yield from _released(iter(parts))
    else:
        yield from parts
        if weights:
            yield child
