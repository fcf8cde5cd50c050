"""Methods of tensors: where gradient flows on, where it is cut, what is written by hand, and the backward pass."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.semantics import copies, events, expressions, forwards, gradients, idle, scaling, stopping
from optlint.semantics.libraries import tensor_indices, tensor_moves, tensor_ops
from optlint.semantics.values import (
    FALSE,
    NONE,
    UNKNOWN,
    Arguments,
    Choice,
    Const,
    Container,
    Cut,
    Flow,
    Leaf,
    OneShot,
    Origin,
    Value,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: In-place methods that only give a tensor its first value.
INITIALISERS = frozenset(
    [
        "normal_",
        "uniform_",
        "zero_",
        "fill_",
        "xavier_uniform_",
        "kaiming_uniform_",
        "random_",
        "trunc_normal_",
        "exponential_",
        "bernoulli_",
        "log_normal_",
        "cauchy_",
        "geometric_",
        "clamp_",
        "clamp_min_",
        "clamp_max_",
        "requires_grad_",
        "retain_grad_",
        "share_memory_",
        "detach_",
        "record_stream_",
        "squeeze_",
        "unsqueeze_",
        "t_",
        "resize_",
        "set_",
    ]
)
_MOVES = frozenset(
    [
        "to",
        "cuda",
        "cpu",
        "float",
        "double",
        "half",
        "bfloat16",
        "type",
        "type_as",
        "contiguous",
        "pin_memory",
    ]
)
_SAMPLES = frozenset({"sample", "sample_n", "multinomial"})


def call_method(
    it: Interpreter, owner: Leaf | Flow, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value:
    """``tensor.name(…)``."""
    from optlint.semantics.libraries import torch_calls

    values = [owner, *arguments.all_values()]
    if name == "backward":
        record_backward(it, owner, node, arguments.keywords.get("inputs"))
        return idle.none_of(it.site(node), "backward")
    if name == "requires_grad_":
        return _requires_grad(it, owner, arguments, node)
    if name == "new_tensor":
        return torch_calls.rewrapped(it, name, arguments, node)
    if name in tensor_ops.DETACHING_METHODS:
        return _detached(it, owner, name, node)
    if name in tensor_ops.SHAPE_METHODS:
        return _shape(owner, name)
    if name in _SAMPLES or name in tensor_ops.NON_DIFFERENTIABLE_METHODS:
        kind = "cast" if name in tensor_ops.CASTS else "non-differentiable"
        return _without_gradient(it, values, node, name, kind)
    if name in tensor_ops.ZERO_GRADIENT_METHODS:
        return stopping.zeroed(it, values, node, stopping.told(it, node, f".{name}"))
    if name == "retain_grad" or name.startswith("register_"):
        for hook in arguments.positional:
            gradients.function_given(it, hook)
        for leaf in (owner,) if isinstance(owner, Leaf) else owner.deps:
            it.record(events.GradientRead(it.site(node), bool(it.conditional), leaf))
        _marked(it, owner, name, node)
        return NONE
    cast = tensor_indices.cast(it, owner, name, arguments, node)
    if cast is not None:
        return cast
    pair = tensor_indices.values_and_indices(it, name, values, arguments, node, True)
    if pair is not None:
        return pair
    if name in _MOVES:
        return _moved(it, owner, name, arguments, node)
    if name.endswith("_") and not name.endswith("__"):
        return _in_place(it, owner, name, values, node)
    if name.startswith("new_"):
        return Leaf(it.site(node), is_parameter=False, requires_grad=False)
    if name in tensor_ops.NON_LEAF_METHODS:
        return expressions.result_of(it, values, node, f".{name}()")
    return expressions.flow(it, values)


def _detached(it: Interpreter, owner: Leaf | Flow, name: str, node: cst.CSTNode) -> Value:
    """The values without the graph: as a tensor (``detach``), or as numbers or an array."""
    where = Cut("detach", it.site(node), f".{name}()")
    if name.startswith("detach"):
        return expressions.detached(it, owner, where)
    result = expressions.cut(it, owner, where)
    if not isinstance(result, Flow):
        return result
    return replace(result, in_graph=None, origin=Origin(where.site, where.text))


def _marked(it: Interpreter, tensor: Leaf | Flow, name: str, node: cst.CSTNode) -> None:
    """Something is done to a tensor without identity that makes it want, have or keep a gradient."""
    if isinstance(tensor, Flow):
        it.record(events.TensorMarked(it.site(node), bool(it.conditional), tensor, name))


def _without_gradient(it: Interpreter, values: list[Value], node: cst.CSTNode, name: str, kind: str) -> Value:
    from optlint.semantics import calls

    return calls.non_differentiable(it, values, node, f".{name}", kind)


def _shape(owner: Leaf | Flow, name: str) -> Value:
    if name in ("dim", "ndimension") and isinstance(owner, Leaf) and owner.ndim is not None:
        return Const(owner.ndim)
    return stopping.data()


def _moved(it: Interpreter, owner: Leaf | Flow, name: str, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``.to(…)`` and its like: the same tensor, or a result of it where it really moves."""
    values = [owner, *arguments.all_values()]
    if isinstance(owner, Flow):
        if owner.alias is not None:
            return owner
        moved = copies.computed_by(name, expressions.flow(it, values), values)
        if not isinstance(moved, Flow):
            return moved
        in_graph = False if it.no_grad else owner.in_graph
        return replace(moved, in_graph=in_graph, origin=owner.origin)
    if owner.requires_grad is False and not owner.is_parameter:
        tensor_moves.note_moved(it, owner, name)
        return owner
    moves = tensor_moves.moves(name, owner, arguments, node)
    result = expressions.result_of(it, [owner], node, tensor_moves.told(name, arguments))
    if isinstance(result, Flow) and result.origin is not None:
        origin = Origin(result.origin.site, result.origin.operation, moves)
        result = replace(result, origin=origin)
    return Choice((owner, result))


def _in_place(
    it: Interpreter, owner: Leaf | Flow, name: str, values: list[Value], node: cst.CSTNode
) -> Value:
    leaf = owner if isinstance(owner, Leaf) else owner.alias
    if leaf is not None and name not in INITIALISERS:
        it.record_hand_update(leaf, node)
    elif leaf is not None:
        forwards.note_filled(it, leaf, name, node)
    if isinstance(owner, Leaf):
        if name in tensor_ops.IN_PLACE_METHODS:
            forwards.note_written(it, owner, f".{name}(…)" if len(values) > 1 else f".{name}()", node)
        return owner
    result = expressions.flow(it, values)
    return replace(result, alias=owner.alias) if isinstance(result, Flow) else result


def _requires_grad(it: Interpreter, owner: Leaf | Flow, arguments: Arguments, node: cst.CSTNode) -> Value:
    from optlint.semantics import attributes

    wanted = arguments.get(0, "requires_grad")
    known = True if wanted is None else wanted.value if isinstance(wanted, Const) else None
    if isinstance(owner, Leaf):
        if known is True and any(frame.name == "__init__" for frame in it.frames):
            owner.fresh = True  # whatever it is made of, a constructor that wants its gradient means a weight
        attributes.set_requires_grad(it, [(owner, known if isinstance(known, bool) else None)], node)
        return owner
    return owner if wanted == FALSE else made_leaf(it, owner, node, "call" if known is True else "")


def made_leaf(it: Interpreter, tensor: Flow, node: cst.CSTNode, how: str = "") -> Value:
    """A tensor is told to want a gradient: where it is no part of the graph, it is a leaf that does from then on."""
    if tensor.in_graph is True or any(leaf.requires_grad is not False for leaf in tensor.deps):
        return tensor
    _marked(it, tensor, "requires_grad", node)
    leaf = Leaf(it.site(node), is_parameter=False, requires_grad=True, fresh=not tensor.cuts)
    note_copy(leaf, tensor)
    if tensor.cuts:
        leaf.slots["#cuts"] = tensor.cuts
    if how:
        copies.told_to_want(it, leaf, tensor, how, node)
    return leaf


def note_copy(leaf: Leaf, source: Value) -> None:
    """Remember which leaves a new one was made from: training it does not train them."""
    if isinstance(source, Leaf):
        copied = frozenset({source}) | source.slots.get("#copy_of", frozenset())
    elif isinstance(source, Flow):
        copied = source.deps | {cut_leaf for cut_leaf, _ in source.cuts}
        copied = copied if source.alias is None else copied | {source.alias}
    else:
        return
    leaf.slots["#copy_of"] = copied | leaf.slots.get("#copy_of", frozenset())


def backward_of_several(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``torch.autograd.backward(tensors, …)``: one backward pass from one number or from several."""
    from optlint.semantics import iteration

    given = arguments.get(0, "tensors") or UNKNOWN
    if isinstance(given, (Container, OneShot)):
        items = iteration.take(it, given)
        given = UNKNOWN if items.open or not items.values else expressions.flow(it, list(items.values))
    record_backward(it, given, node, arguments.keywords.get("inputs"))
    return idle.none_of(it.site(node), "backward")


def record_backward(it: Interpreter, value: Value, node: cst.CSTNode, inputs: Value | None = None) -> None:
    """A backward pass from ``value``; with ``inputs`` only these get a gradient."""
    deps, cuts, opaque = expressions.sources(it, [value])
    if inputs is not None and inputs != NONE:
        deps &= expressions.sources(it, [inputs])[0]
    certain = frozenset() if opaque else frozenset(deps)
    known = isinstance(value, (Flow, Leaf))
    maybe, without = frozenset(deps), frozenset(cuts)
    branches = tuple(it.branches)
    guarded = it.catching + it.handling > 0
    site = it.site(node)
    it.record(
        events.Backward(
            site, bool(it.conditional), certain, maybe, without, known, branches, value, guarded, it.rounds()
        )
    )
    gradients.filled(it, frozenset(deps), not deps and not cuts, it.site(node))
    scaling.backward(it, value, frozenset(deps), not deps and not cuts)
