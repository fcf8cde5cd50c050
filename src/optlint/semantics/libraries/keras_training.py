"""Keras models over time: what ``compile`` and the first ``fit`` fix, and what changes afterwards.

``keras_models`` asks. What is frozen is known from ``keras_trainable``; it must not know how models are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import events, families, keras_events
from optlint.semantics.libraries import keras_contradictions, keras_losses, keras_optimizers, keras_trainable
from optlint.semantics.libraries.keras_trainable import MAX_DEPTH, Flagged, layers_of
from optlint.semantics.site import Site
from optlint.semantics.values import (
    FALSE,
    TRUE,
    UNKNOWN,
    Arguments,
    Container,
    Instance,
    UserClass,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Layers with weights, and whether each trains; None: not known.
Flags = dict[Instance, bool | None]
#: What makes a model forget what its first fit fixed.
_FORGETS = ("compile(", "train_function", "run_eagerly")


@dataclass(frozen=True)
class Fixed:
    """When a model was compiled and first fitted since, and what could train then.

    ``moment``: when the last of both was; ``entry``: in which of the methods that nobody in the file calls.
    """

    compiled: Site
    at_compile: tuple[tuple[Instance, bool | None], ...]
    eager: bool
    moment: int
    entry: int
    fitted: Site | None = None
    at_fit: tuple[tuple[Instance, bool | None], ...] = ()


# -- what trains now -------------------------------------------------------------------------------------------------


def flags_of(it: Interpreter, model: Instance) -> Flags:
    """The layers with weights inside a model, and whether they train when it is trained."""
    found: Flags = {}
    root = _flag(model)
    for layer, whole_way in _leaves(model, root, 0):
        new = False if root is False else _flag(layer)
        old = False if False in (whole_way, _flag(layer)) else None if whole_way is None else _flag(layer)
        versions = {version: new if version == 3 else old for version in it.keras.versions}
        told = set(versions.values())
        found[layer] = told.pop() if len(told) == 1 else None
    return found


def _leaves(owner: Instance, way: bool | None, depth: int) -> Iterator[tuple[Instance, bool | None]]:
    """The layers that have weights of their own, each with what the flags above them say together."""
    for child in layers_of(owner).values if depth <= MAX_DEPTH else ():
        for option in options(child):
            if not isinstance(option, Instance):
                continue
            if layers_of(option).values:
                below = False if False in (way, _flag(option)) else None if way is None else _flag(option)
                yield from _leaves(option, below, depth + 1)
            elif option.slots.get("#weights") is True or option.slots.get("#own_weights"):
                yield option, way


def _flag(layer: Instance) -> bool | None:
    flag = layer.slots.get("trainable", TRUE)
    return True if flag == TRUE else False if flag == FALSE else None


# -- compile ---------------------------------------------------------------------------------------------------------


def compiled(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> None:
    """``model.compile(…)``."""
    frozen = keras_trainable.frozen_state(it, owner)
    it.heap.set(owner.slots, "#compiled", "frozen" if frozen else "trainable")
    flags = flags_of(it, owner)
    eagerly = arguments.keywords.get("run_eagerly", UNKNOWN if arguments.open else FALSE)
    fixed = Fixed(
        it.site(node), tuple(flags.items()), eagerly != FALSE or it.keras.eager, next(it.moments), it.entry
    )
    it.heap.set(owner.slots, "#fixed", fixed)
    keras_optimizers.compiled(it, owner, arguments, node)
    keras_losses.compiled(it, owner, arguments)
    for layer, flag in flags.items():
        if flag is False:
            _note(it, layer, "#frozen_in", owner)


def forget(it: Interpreter, owner: Instance) -> None:
    """The next fit looks at the flags anew: ``make_train_function(force=True)``."""
    fixed = owner.slots.get("#fixed")
    if isinstance(fixed, Fixed):
        it.heap.set(owner.slots, "#fixed", replace(fixed, fitted=None, at_fit=()))


def _note(it: Interpreter, layer: Instance, key: str, model: Instance) -> None:
    known = layer.slots.get(key, ())
    if known is None or model not in known:
        it.heap.set(layer.slots, key, (*(known or ()), model))


# -- fit -------------------------------------------------------------------------------------------------------------


def fitted(it: Interpreter, owner: Instance, how: str, arguments: Arguments, node: cst.CSTNode) -> None:
    """A model is trained: fix what trains if it is the first time, else see what changed since."""
    fixed = owner.slots.get("#fixed")
    flags = flags_of(it, owner)
    if isinstance(fixed, Fixed):
        site = it.site(node)
        _compare(it, owner, how, fixed, flags, site)
        if fixed.fitted is None:
            fixed = replace(
                fixed, fitted=site, at_fit=tuple(flags.items()), moment=next(it.moments), entry=it.entry
            )
            it.heap.set(owner.slots, "#fixed", fixed)
        _follow_callbacks(it, owner, how, fixed, arguments, site)
        if keras_trainable.can_be_judged(owner) and not layers_of(owner).open and not _has_own_step(owner):
            keras_optimizers.fitted(it, owner, fixed.at_fit, site)
    for layer, flag in flags.items():
        if flag is True:
            _note(it, layer, "#trained_in", owner)


def _has_own_step(owner: Instance) -> bool:
    from optlint.semantics import attributes

    return attributes.user_method(owner, "train_step") is not None


def _compare(it: Interpreter, owner: Instance, how: str, fixed: Fixed, flags: Flags, site: Site) -> None:
    by = "fit" if fixed.fitted is not None else "compile"
    if by == "compile" and not it.keras.is_2:
        return  # Keras 3 looks at the flags when it is first fitted
    before = dict(fixed.at_fit if by == "fit" and not it.keras.is_2 else fixed.at_compile)
    place = fixed.compiled if it.keras.is_2 or fixed.fitted is None else fixed.fitted
    if fixed.entry not in (0, it.entry) or not _all_seen(it, owner, fixed):
        return
    for layer, now in flags.items():
        was = before.get(layer, "new")
        flagged = layer.slots.get("#added" if was == "new" else "#flagged")
        if not isinstance(flagged, Flagged) or flagged.order < fixed.moment or flagged.entry != it.entry:
            continue
        wanted = None if was == "new" else now
        if now is None or was is None or now is was or (was == "new" and now is False):
            continue
        if _meant(layer, owner, now):
            continue
        refused = _refused(it, fixed, now)
        if refused is not None:
            it.record(
                keras_events.TrainableIgnored(
                    site, bool(it.conditional), owner, how, flagged.site, wanted, place,
                    "compile" if place is fixed.compiled else "fit", refused,
                )
            )  # fmt: skip


def _refused(it: Interpreter, fixed: Fixed, wanted: bool) -> bool | None:
    """Whether the change raises (True) or goes unnoticed (False); None where it works or that is not known."""
    if it.keras.is_2:
        return False
    if it.keras.torch or (it.keras.tensorflow and fixed.eager and it.keras.is_3):
        return True if wanted else None
    return False if it.keras.tensorflow and not fixed.eager else None


def _meant(layer: Instance, model: Instance, now: bool) -> bool:
    """Whether the flag is set for another model that has the layer too: the generator's, the discriminator's own."""
    others = layer.slots.get("#trained_in" if now else "#frozen_in", ())
    return others is None or any(other is not model for other in others)


def _all_seen(it: Interpreter, owner: Instance, fixed: Fixed) -> bool:
    if not keras_trainable.can_be_judged(owner) or layers_of(owner).open:
        return False
    return keras_trainable.last_doubt(it) < fixed.moment


# -- callbacks -------------------------------------------------------------------------------------------------------


def sets_flags(values: Sequence[Value]) -> bool:
    """Whether a callback of the user's class that ``fit`` is given says something of ``trainable``."""
    return any(keras_trainable.sets_flags(_code(callback)) for callback in _callbacks(values))


def _callbacks(values: Sequence[Value]) -> Iterator[Instance]:
    for value in values:
        if isinstance(value, Container):
            yield from _callbacks(value.items.values)
        elif isinstance(value, Instance) and isinstance(value.cls, UserClass):
            yield value


def _code(value: Instance) -> str:
    classes = value.cls.order() if isinstance(value.cls, UserClass) else ()
    return "\n".join(c.context.part.code(c.node) for c in classes if isinstance(c, UserClass))


def _follow_callbacks(
    it: Interpreter, owner: Instance, how: str, fixed: Fixed, arguments: Arguments, site: Site
) -> None:
    """A callback that changes flags while a model is fitted comes too late."""
    if how != "fit" or _refused(it, fixed, False) is not False or not _all_seen(it, owner, fixed):
        return
    for callback in _callbacks(arguments.all_values()):
        code = _code(callback)
        if not keras_trainable.sets_flags(code) or any(word in code for word in _FORGETS):
            continue
        for hook in ("on_epoch_begin", "on_epoch_end"):
            for event in _hook_changes(it, owner, callback, hook):
                at_first = hook == "on_epoch_begin" and not event.conditional
                layers = [layer for layer in event.layers if layer in dict(fixed.at_fit)]
                if layers and not at_first and not any(_meant(x, owner, event.wanted) for x in layers):
                    it.record(
                        keras_events.TrainableIgnored(
                            site, bool(it.conditional), owner, how, event.site, event.wanted, site, "fit",
                            inside=True,
                        )
                    )  # fmt: skip


def _hook_changes(
    it: Interpreter, owner: Instance, callback: Instance, hook: str
) -> list[keras_events.FlagChanged]:
    """The flags that a hook of a callback changes; what it does is taken back."""
    from optlint.semantics import attributes, functions

    method = attributes.user_method(callback, hook)
    if method is None:
        return []
    mark, recorded = it.heap.mark(), len(it.events)
    it.heap.set(callback.slots, "model", owner)
    functions.invoke(it, method, Arguments((UNKNOWN, UNKNOWN)), callback)
    changes = [event for event in it.events[recorded:] if isinstance(event, keras_events.FlagChanged)]
    it.heap.rollback(mark)
    del it.events[recorded:]
    return changes


def record(it: Interpreter, owner: Instance, how: str, node: cst.CSTNode) -> None:
    """A model is trained: note whether nothing of it can train."""
    frozen = keras_trainable.frozen_state(it, owner)
    compiled_when = owner.slots.get("#compiled", "never")
    if compiled_when in ("trainable", None) and not it.keras.is_3:
        # Keras 2 trains what was trainable at compile, Keras 3 what is trainable at the first fit.
        frozen = None
    fixed = owner.slots.get("#fixed")
    if isinstance(fixed, Fixed) and not fixed.eager and any(flag is not False for _, flag in fixed.at_fit):
        frozen = None  # what trains was settled when it was first trained since compile
    it.record(events.KerasTrained(it.site(node), bool(it.conditional), owner, how, frozen))


def train(it: Interpreter, owner: Instance, how: str, arguments: Arguments, node: cst.CSTNode) -> None:
    """A model is trained: by its own ``train_step`` if its class has one, else all of it that can train."""
    from optlint.semantics import attributes, functions

    keras_trainable.build(it, owner)
    step = attributes.user_method(owner, "train_step")
    changing = sets_flags(arguments.all_values())
    if how != "train_step" and families.keras_kind(owner.cls) == "model":
        fitted(it, owner, how, arguments, node)
    if changing:
        return
    if how != "train_step":
        fixed = owner.slots.get("#fixed")
        at_compile = dict(fixed.at_compile) if isinstance(fixed, Fixed) else {}
        keras_contradictions.note(it, owner, how, it.site(node), at_compile)
    if step is None:
        keras_losses.fitted(it, owner, node)
        record(it, owner, how, node)
    elif how == "train_step":  # asked for by the one of the user's
        record(it, owner, "fit", node)
    else:
        functions.invoke(it, step, Arguments((UNKNOWN,)), owner)
