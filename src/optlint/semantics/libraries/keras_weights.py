"""The variables of Keras layers and models, one for all those of a layer, and what a model gives for real numbers.

``keras_models`` asks when tapes matter to the program. Must not know flags, nor how gradients are taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import expressions, families, tapes
from optlint.semantics.libraries import keras_trainable
from optlint.semantics.values import (
    UNKNOWN,
    Arguments,
    Const,
    Container,
    Cut,
    DictObj,
    Flow,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    Unknown,
    UserClass,
    Value,
    Variable,
    join_values,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_OWN, _ADDED = "#variables", "#own variables"
#: Attributes of a layer that are variables of its own.
_NAMES = frozenset({"kernel", "bias", "embeddings", "gamma", "beta", "recurrent_kernel", "depthwise_kernel"})
#: Give numbers, not tensors: no tape records what happens inside.
_PREDICTING = frozenset({"predict", "predict_on_batch", "predict_generator"})
#: Methods of a model that compute a loss from what they are given.
_LOSSES = frozenset({"compute_loss", "compiled_loss"})
#: Where the text says so, tapes matter to a program.
_TAPES = ("GradientTape", ".minimize(")


def matter(it: Interpreter) -> bool:
    """Whether a file of the program that was read opens a tape."""
    known: tuple[int, bool] = it.recording.matter
    if known[0] != len(it.sources):
        found = any(word in source.text for source in it.sources.values() for word in _TAPES)
        known = it.recording.matter = (len(it.sources), found)
    return known[1]


#: What Keras 3 calls the variables of its layers; those of others are ``kernel`` and ``bias``.
_NAMED = {
    "BatchNormalization": ("gamma", "beta", "moving_mean", "moving_variance"), "LayerNormalization": ("gamma", "beta"),
    "GroupNormalization": ("gamma", "beta"), "Embedding": ("embeddings",), "PReLU": ("alpha",),
    "RMSNormalization": ("scale",), "SeparableConv2D": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "SeparableConv1D": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "LSTM": ("kernel", "recurrent_kernel", "bias"), "GRU": ("kernel", "recurrent_kernel", "bias"),
    "SimpleRNN": ("kernel", "recurrent_kernel", "bias"),
    "Inner": ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "depthwise_kernel"),
}  # fmt: skip
_PLAIN = frozenset({
    "Dense", "Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "DepthwiseConv2D", "MultiHeadAttention",
})  # fmt: skip


def name_of(it: Interpreter, variable: Variable) -> Value | None:
    """``v.name`` in Keras 3, which does not have the layer's name in it; None where it is not known."""
    role = next((tapes.role_of(leaf) for leaf in variable.taint), None)
    owner = role.owner if role is not None else None
    if owner is None or not isinstance(owner.cls, LibraryClass) or not it.keras.is_likely_3:
        return None
    last = owner.cls.name
    names = _NAMED.get(last, ("kernel", "bias") if last in _PLAIN else ())
    return join_values([Const(name) for name in names]) if names else None


# -- variables -------------------------------------------------------------------------------------------------------


def variables_of(it: Interpreter, owner: Instance) -> Items:
    """The variables of a layer or model in order, one for those of each layer; ``open``: it may have others."""
    found: dict[Variable, None] = {}
    more = _collect(it, owner, found, set())
    return Items(tuple(found), more, True)


def leaves_of(it: Interpreter, owner: Instance) -> list[Leaf]:
    """What stands for the variables of a layer or model, where tapes matter to the program."""
    values = variables_of(it, owner).values if matter(it) else ()
    return [leaf for value in values for leaf in tapes.variables_in(value)]


def _collect(it: Interpreter, owner: Instance, found: dict[Variable, None], seen: set[int]) -> bool:
    if id(owner) in seen:
        return False
    seen.add(id(owner))
    it.heap.work += 1
    more = owner.open or owner.slots.get("#escaped") is True
    if isinstance(owner.cls, UserClass):
        for _, value in owner.members():
            found.update(dict.fromkeys(_kept(value, 0)))
            more = more or (isinstance(value, Unknown) and not isinstance(value, Variable))
        added = owner.slots.get(_ADDED)
        for variable in added.values if isinstance(added, Items) else ():
            found.update(dict.fromkeys(_kept(variable, 0)))
    inner = keras_trainable.layers_of(owner) if families.keras_kind(owner.cls) else Items()
    if _has_own(owner, inner):
        found[_own(it, owner)] = None
    for layer in inner.values:
        for option in options(layer):
            more = not isinstance(option, Instance) or _collect(it, option, found, seen) or more
    return more or inner.open


def _kept(value: Value, depth: int) -> list[Variable]:
    """Variables in an attribute, also inside lists and dicts."""
    if isinstance(value, Variable):
        return [value]
    inner: tuple[Value, ...] = ()
    if isinstance(value, Container):
        inner = value.items.values
    elif isinstance(value, DictObj):
        inner = tuple(value.entries.values.values())
    return [variable for part in inner if depth < 4 for variable in _kept(part, depth + 1)]


def _has_own(owner: Instance, inner: Items) -> bool:
    """Whether something is a layer of Keras itself, or of a subclass of one, that has weights or may have some."""
    if isinstance(owner.cls, LibraryClass) and families.keras_kind(owner.cls) == "model":
        return inner.open
    known = owner.slots.get("#weights", False if isinstance(owner.cls, UserClass) else None)
    return known is True or (known is None and not inner.values)


def _own(it: Interpreter, owner: Instance) -> Variable:
    """What stands for the variables of a layer that it makes itself."""
    known = next(iter(options(owner.slots.get(_OWN, UNKNOWN))))
    if isinstance(known, Variable):
        return known
    made = tapes.new_variable(it, owner.site, owner)
    owner.slots[_OWN] = made  # always the same, whatever asks for it first
    return made


def added(it: Interpreter, owner: Instance, site_node: cst.CSTNode) -> Variable:
    """``self.add_weight(…)``: another variable of a layer of the user's."""
    made = tapes.new_variable(it, it.site(site_node), owner)
    before = owner.slots.get(_ADDED)
    values = before.values if isinstance(before, Items) else ()
    it.heap.set(owner.slots, _ADDED, Items((*values, made)))
    return made


def listed(it: Interpreter, owner: Instance, name: str) -> Value | None:
    """``model.trainable_variables`` and the like; None for an attribute that holds no variables."""
    if not matter(it):
        return None
    if name in ("trainable_variables", "trainable_weights", "variables", "weights"):
        items = variables_of(it, owner)
        others = name in ("variables", "weights")
        return Container("list", Items(items.values, items.open or others, True))
    if name in _NAMES and isinstance(owner.cls, LibraryClass) and owner.slots.get("#weights"):
        return _own(it, owner)
    if name == "losses":
        return Unknown(tapes.unseen(it))
    return None


# -- numbers ---------------------------------------------------------------------------------------------------------


def called(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    """What a layer or model gives for numbers: the user's own ``call``, or something that all its weights are in."""
    from optlint.semantics import attributes, functions

    if not matter(it):
        return UNKNOWN
    method = attributes.user_method(owner, "call")
    if method is not None:
        result = functions.invoke(it, method, arguments, owner)
        return UNKNOWN if result is expressions.NEVER else result
    items = variables_of(it, owner)
    values = [*arguments.all_values(), *items.values]
    if isinstance(owner.cls, UserClass) and (owner.cls.has_unknown_base() or owner.open):
        return expressions.opaque(it, values)
    return expressions.flow(it, values)


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of a model that gives numbers; None for all others."""
    if name in _PREDICTING and matter(it):
        items = variables_of(it, owner)
        where = Cut("detach", it.site(node), f".{name}(…)", it.steps)
        cuts = frozenset((leaf, where) for value in items.values for leaf in tapes.variables_in(value))
        inputs = expressions.sources(it, arguments.all_values())[1]
        return Flow(frozenset(), cuts | inputs)
    if name in _LOSSES and matter(it):
        return expressions.flow(it, arguments.all_values())
    return None
