"""Keras models whose ``trainable`` flags contradict each other when they are trained.

``keras_training`` asks. The flags are those of ``keras_trainable``; it must not know what an optimizer does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from optlint.semantics import families, keras_events
from optlint.semantics.libraries import keras_trainable
from optlint.semantics.libraries.keras_trainable import (
    BUILT_LATE,
    MAX_DEPTH,
    Flagged,
    FrozenMark,
    is_frozen,
    layers_of,
)
from optlint.semantics.site import Site
from optlint.semantics.values import TRUE, Instance, UserClass, options

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Wrappers: what they hold is what the program gave them.
_WRAPPERS = frozenset({"Bidirectional", "TimeDistributed", "RNN", "Wrapper"})


def note(
    it: Interpreter, model: Instance, how: str, site: Site, at_compile: Mapping[Instance, bool | None]
) -> None:
    """A model is trained: record what contradicts itself in it.

    ``at_compile``: what could train when it was compiled. That trains in Keras 2 whatever was set since.
    """
    if not keras_trainable.can_be_judged(model):
        return
    released = list(_released_inside(it, model))
    if is_frozen(model):
        released = [x for x in released if it.keras.is_3 or True not in at_compile.values()]
        if released and keras_trainable.frozen_state(it, model) is not None:
            _record(it, model, how, site, "outer", *released[-1], idle=True)
        return
    for part in _containers(model, 0):
        if it.keras.is_2:
            inner = list(_released_inside(it, part)) if is_frozen(part) else []
            if inner:
                _record(it, model, how, site, "nested", *inner[-1])
        elif keras_trainable.can_be_judged(part):
            _note_leak(it, model, part, how, site)
    if it.keras.may_be_3 and it.keras.tensorflow:
        _note_skipped(it, model, how, site, at_compile)


def _record(
    it: Interpreter,
    model: Instance,
    how: str,
    site: Site,
    kind: str,
    place: Site,
    other: Site | None,
    owner: Instance,
    idle: bool = False,
) -> None:
    unsure = bool(it.conditional)
    it.record(keras_events.FlagContradicted(site, unsure, model, how, kind, place, other, owner, idle))


def _containers(owner: Instance, depth: int) -> Iterator[Instance]:
    """The layers inside a model that hold others, or make them when they are built."""
    for child in layers_of(owner).values if depth <= MAX_DEPTH else ():
        for option in options(child):
            if isinstance(option, Instance) and (layers_of(option).values or option.cls.name in BUILT_LATE):
                yield option
                yield from _containers(option, depth + 1)


def _parts(owner: Instance, depth: int = 0) -> Iterator[Instance]:
    """All layers inside of one that have weights."""
    for child in layers_of(owner).values if depth <= MAX_DEPTH else ():
        for option in options(child):
            if isinstance(option, Instance) and layers_of(option).values:
                yield from _parts(option, depth + 1)
            elif isinstance(option, Instance) and _has_weights(option):
                yield option


def _has_weights(layer: Instance) -> bool:
    return layer.slots.get("#weights") is True or layer.slots.get("#own_weights") is True


# -- released inside of what is frozen -------------------------------------------------------------------------------


def _released_inside(it: Interpreter, owner: Instance) -> Iterator[tuple[Site, Site, Instance]]:
    """Where layers were released inside of something after that was frozen, and where that was."""
    mark = owner.slots.get("#frozen_at")
    if not is_frozen(owner) or not isinstance(mark, FrozenMark) or mark.entry not in (0, it.entry):
        return
    for part in _parts(owner):
        flagged = part.slots.get("#flagged")
        if part.slots.get("trainable") != TRUE or not isinstance(flagged, Flagged):
            continue
        if flagged.order > mark.order and flagged.entry in (0, it.entry):
            yield flagged.site, mark.site, owner


# -- a flag that was so already --------------------------------------------------------------------------------------


def _note_skipped(
    it: Interpreter, model: Instance, how: str, site: Site, at_compile: Mapping[Instance, bool | None]
) -> None:
    skipped: dict[Site, tuple[Site | None, Instance]] = {}
    parts = list(_parts(model))
    stuck = 0
    for part in parts:
        known = part.slots.get("#skipped")
        if not isinstance(known, keras_trainable.Skipped) or part.slots.get("trainable") == TRUE:
            continue
        stuck += 1
        if not it.keras.is_3 and at_compile.get(part) is True:
            continue
        if known.entry in (0, it.entry) and keras_trainable.last_doubt(it) < known.order:
            skipped[known.site] = (known.frozen_at, known.owner)
    idle = bool(stuck) and all(
        isinstance(part.slots.get("#skipped"), keras_trainable.Skipped) or is_frozen(part) for part in parts
    )
    for place, (other, owner) in skipped.items():
        _record(it, model, how, site, "skipped", place, other, owner, idle and not layers_of(model).open)


# -- what a frozen composite layer leaks -----------------------------------------------------------------------------


def _note_leak(it: Interpreter, model: Instance, part: Instance, how: str, site: Site) -> None:
    leak = part.slots.get("#leaks")
    if isinstance(part.cls, UserClass):
        leak = _leak_of_users(it, part)
    if not isinstance(leak, Site):
        return
    late = part.cls.name in BUILT_LATE
    loose = [x for x in _parts(part) if x.slots.get("trainable") == TRUE and not _chosen(x)]
    if late or loose:
        _record(it, model, how, site, "leak", leak, None, part)


def _chosen(layer: Instance) -> bool:
    """Whether the program set a layer's flag itself, or put the layer there later."""
    return any(isinstance(layer.slots.get(key), Flagged) for key in ("#flagged", "#added"))


def _leak_of_users(it: Interpreter, part: Instance) -> Site | None:
    """Where a layer of the user's class was frozen before it had the layers that it holds."""
    if not is_frozen(part) or families.keras_kind(part.cls) is None:
        return None
    mark = part.slots.get("#frozen_at")
    if mark is None:
        return part.site
    return mark.site if isinstance(mark, FrozenMark) and mark.entry in (0, it.entry) else None


def wraps(layer: Instance) -> bool:
    """Whether a composite layer holds a layer that the program made."""
    return layer.cls.name in _WRAPPERS
