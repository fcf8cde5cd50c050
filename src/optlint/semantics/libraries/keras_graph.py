"""Symbolic tensors of functional Keras models: which layers a tensor went through, so which a model has.

``keras_models`` makes them; operators, slices and unpacking pass them on. It must not know ``trainable``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import walking
from optlint.semantics.values import (
    TRUE,
    UNKNOWN,
    Arguments,
    Choice,
    Const,
    Container,
    DictObj,
    Instance,
    LibraryClass,
    Value,
)

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Arguments of a layer's call that change how it computes, never what it computes from.
_MODES = frozenset({"training", "mask", "return_attention_scores", "use_causal_mask", "name"})


@dataclass(frozen=True)
class Symbolic(Value):
    """A symbolic tensor of a functional model: the layers it went through.

    ``complete``: all of them are known; ``many``: some of them stand for any number of their kind.
    """

    layers: tuple[Instance, ...] = ()
    complete: bool = True
    many: bool = False


def has_symbolic(values: Iterable[Value]) -> bool:
    """Whether a symbolic tensor is among the values, also inside lists and dicts."""
    return any(isinstance(value, Symbolic) for value in walking.within(values))


def merge(values: Iterable[Value]) -> Symbolic:
    """The history of several symbolic tensors together."""
    layers: list[Instance] = []
    complete, many = True, False
    for value in values:
        if isinstance(value, Container):
            complete = complete and not value.items.open
            value = merge(value.items.values)
        elif isinstance(value, DictObj):
            complete = complete and not value.entries.open
            value = merge(tuple(value.entries.values.values()))
        elif isinstance(value, Choice):
            value = _either(value)
        if isinstance(value, Symbolic):
            layers.extend(layer for layer in value.layers if layer not in layers)
            complete, many = complete and value.complete, many or value.many
        elif not isinstance(value, Const):
            complete = False
    return Symbolic(tuple(layers), complete, many)


def _either(choice: Choice) -> Symbolic:
    """A tensor that went one of several ways: through any of their layers, and nobody can count them."""
    ways = [merge([option]) for option in choice.options]
    union = merge(ways)
    return Symbolic(union.layers, union.complete, union.many or any(way != ways[0] for way in ways))


def unseen_layer() -> Instance:
    """What stands for the layers, one or many, that code which cannot be seen puts into a model."""
    layer = Instance(LibraryClass("keras.layers.Unseen"))
    layer.slots.update({"trainable": TRUE, "#weights": None, "#name": UNKNOWN})
    return layer


def through_unseen(values: Sequence[Value]) -> Symbolic | None:
    """What code that cannot be seen makes of symbolic tensors; None when it is given none."""
    if not has_symbolic(values):
        return None
    before = merge(value for value in values if has_symbolic([value]))
    layer = unseen_layer()
    layer.slots["#built"] = True
    return Symbolic((*before.layers, layer), before.complete, True)


def combined(values: Iterable[Value]) -> Symbolic | None:
    """What an operator or a function makes of values; None when no symbolic tensor is among them."""
    values = tuple(values)
    return merge(values) if has_symbolic(values) else None


def after(it: Interpreter, owner: Instance, arguments: Arguments) -> Symbolic | None:
    """The tensor that a layer or model gives for symbolic inputs; None for numbers."""
    values = arguments.all_values()
    if not has_symbolic(values):
        return None
    inputs = [value for name, value in arguments.keywords.items() if name not in _MODES]
    before = merge([*arguments.positional, *inputs])
    layers = before.layers if owner in before.layers else (*before.layers, owner)
    result = Symbolic(layers, before.complete and not arguments.open, before.many)
    earlier = owner.slots.get("#output")
    it.heap.set(owner.slots, "#output", result if earlier is None else merge([earlier, result]))
    return result


def output_of(owner: Instance) -> Symbolic:
    """``layer.output``: the tensor that a layer of a functional or sequential model gave."""
    known = owner.slots.get("#output")
    if isinstance(known, Symbolic):
        return known
    home = owner.slots.get("#home")
    items = home.slots.get("#layers") if isinstance(home, Instance) else None
    if items is not None and not items.open and not items.many and owner in items.values:
        return merge([Symbolic((layer,)) for layer in items.values[: items.values.index(owner) + 1]])
    return Symbolic((owner,), False)
