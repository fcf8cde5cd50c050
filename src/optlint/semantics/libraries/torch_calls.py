"""torch: its functions, tensors and parameters; what builds modules and optimizers is handed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.semantics import copies, events, expressions, forwards, identity, iteration, stopping
from optlint.semantics.libraries import (
    clipping,
    functional_calls,
    grad_scalers,
    misused_values,
    optimizers,
    packed_sequences,
    schedulers,
    tensor_indices,
    tensor_moves,
    tensor_ops,
    torch_identity,
    torch_modules,
    torch_optimizers,
)
from optlint.semantics.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    Cut,
    Device,
    Flow,
    Function,
    Gradient,
    Instance,
    Items,
    Leaf,
    Origin,
    Unknown,
    UserClass,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_PARAMETER = frozenset(
    {"torch.nn.Parameter", "torch.nn.parameter.Parameter", "torch.nn.UninitializedParameter",
     "torch.nn.parameter.UninitializedParameter"}
)  # fmt: skip
#: Functions that give back the module they are given, ready for use.
_SAME_MODULE = frozenset(
    [
        "torch.compile",
        "torch.jit.script",
        "torch.jit.trace",
        "torch.nn.SyncBatchNorm.convert_sync_batchnorm",
        "torch.nn.utils.weight_norm",
        "torch.nn.utils.spectral_norm",
        "torch.nn.utils.parametrizations.spectral_norm",
        "torch.nn.utils.parametrizations.weight_norm",
        "torch.nn.utils.parametrizations.orthogonal",
        "torch.jit.ignore",
        "torch.jit.export",
        "torch.jit.unused",
    ]
)
_CONSUMES_PARAMETERS = (
    "torch.nn.utils.clip_grad_norm",
    "torch.nn.utils.clip_grad_value",
    "torch.nn.utils.clip_grads",
)


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """Call a function or class of torch (or of a library around it); None when the engine does not know it."""
    known = optimizers.optimizer_class(name, it.extra_optimizers)
    if known is not None and known.framework == "torch":
        return torch_optimizers.build_optimizer(
            it,
            known.name,
            arguments,
            node,
            known.checks_empty,
            known.signature,
            of_torch=known.qualified_name.startswith("torch.optim."),
        )
    if optimizers.is_scheduler(name):
        return schedulers.make(it, name, arguments, node)
    if name in grad_scalers.NAMES:
        return grad_scalers.make(it, name, arguments, node)
    model = torch_modules.library_model(it, name, arguments, node)
    if model is not None:
        return model
    if not name.startswith("torch."):
        return torch_identity.context(name) or torch_identity.configuration(name, arguments)
    return _call_torch(it, name, arguments, node)


def _call_torch(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    if name in _PARAMETER:
        return _parameter(it, arguments, node)
    changed = torch_identity.call(it, name, arguments, node)
    if changed is not None:
        return changed
    if name in _SAME_MODULE:
        given = arguments.positional[0] if arguments.positional else UNKNOWN
        if isinstance(given, Instance) and name.endswith(("spectral_norm", "orthogonal")):
            it.heap.set(given.slots, "#parametrized", True)
        return given
    module = torch_modules.make_module(it, name, arguments, node)
    if module is not None:
        return module
    mode = _grad_mode(name, arguments)
    if mode is not None:
        return mode
    if name.startswith("torch.nn.init."):
        for option in options(arguments.get(0, "tensor") or UNKNOWN):
            if isinstance(option, Leaf):
                forwards.note_filled(it, option, name.rsplit(".", 1)[-1], node)
        return arguments.positional[0] if arguments.positional else UNKNOWN
    if name.startswith(_CONSUMES_PARAMETERS):
        clipped = arguments.get(0, "parameters")
        if clipped is not None:
            misused_values.note_iterated(it, clipped, node)
        clipping.clipped(it, clipped, name, arguments, node)
        if "norm" not in name:
            return NONE
        return Flow(in_graph=False, origin=Origin(it.site(node), "clip_grad_norm_(…)"))
    return _tensor_function(it, name, arguments, node)


def _grad_mode(name: str, arguments: Arguments) -> expressions.GradMode | None:
    if name in tensor_ops.NO_GRAD_CONTEXTS:
        mode = arguments.get(0, "mode")
        if mode is not None and name.endswith("inference_mode") and not isinstance(mode, Function):
            enabled = not mode.value if isinstance(mode, Const) else None
            return expressions.GradMode(name, enabled)
        return expressions.GradMode(name, False)
    if name.endswith(".enable_grad"):
        return expressions.GradMode(name, True)
    if name.endswith(".set_grad_enabled"):
        mode = arguments.get(0, "mode")
        return expressions.GradMode(name, bool(mode.value) if isinstance(mode, Const) else None)
    return None


#: Ends of the names of loss functions.
_LOSSES = ("_loss", "cross_entropy", "_with_logits", "kl_div")


#: Where torch keeps functions that compute numbers from tensors, besides its top level.
_OF_TENSORS = (
    "torch.nn.functional.", "torch.linalg.", "torch.fft.", "torch.special.", "torch.sparse.", "torch.distributions.",
    "torch.nn.utils.rnn.", "torch.autograd.", "torch._C._nn.", "torch.Tensor.", "torch.nested.", "torch.masked.",
)  # fmt: skip
#: Of its top level, those that give something else.
_NO_TENSORS = frozenset(
    f"torch.{name}"
    for name in ("load", "save", "vmap", "compile", "Generator", "Size", "Stream", "get_default_device")
)


def _tensor_function(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    from optlint.semantics import calls
    from optlint.semantics.libraries import tensor_calls

    values = arguments.all_values()
    gradient = arguments.get(0, "input")
    if clipping.is_clamp(name) and isinstance(gradient, Gradient):
        clipping.by_hand(it, gradient, name.removeprefix("torch."), node)
    if packed_sequences.makes(name):
        return packed_sequences.pack(it, values)
    if name in tensor_ops.DETACHING_FUNCTIONS or name.endswith(("from_numpy", "Tensor")):
        return rewrapped(it, name, arguments, node)
    if name in tensor_ops.FRESH_TENSOR_FUNCTIONS:
        return _fresh(it, name, arguments, node)
    if name == "torch.autograd.grad":
        return _autograd_grad(it, arguments, node)
    if name in functional_calls.NAMES:
        return functional_calls.call(it, arguments, node)
    if name == "torch.autograd.backward":
        return tensor_calls.backward_of_several(it, arguments, node)
    if name.endswith(("checkpoint.checkpoint", "checkpoint.checkpoint_sequential")):
        function = arguments.get(0, "function") or UNKNOWN
        return calls.call(it, function, Arguments(arguments.positional[1:], {}, arguments.open), node)
    if name.endswith(".parameters_to_vector"):
        return expressions.flow(it, iteration.take(it, arguments.get(0, "parameters") or UNKNOWN).values)
    if name == "torch.nn.utils.vector_to_parameters":
        for value in iteration.take(it, arguments.get(1, "parameters") or UNKNOWN).values:
            if isinstance(value, Leaf):
                it.record_hand_update(value, node)
        return NONE
    if name in tensor_ops.NON_DIFFERENTIABLE_FUNCTIONS:
        return calls.non_differentiable(it, values, node, name.rsplit(".", 1)[-1])
    if name in tensor_ops.ZERO_GRADIENT_FUNCTIONS:
        return stopping.zeroed(it, list(values), node, stopping.told(it, node, name.rsplit(".", 1)[-1]))
    pair = tensor_indices.values_and_indices(it, name.removeprefix("torch."), values, arguments, node, False)
    if pair is not None:
        return pair
    if name == "torch.device":
        return Device(names=tensor_moves.device_names(arguments.get(0, "device") or UNKNOWN))
    if calls.is_harmless(name) or name in _NO_TENSORS:
        return None
    if not name.startswith(_OF_TENSORS) and name.count(".") > 1:
        return None
    if any(isinstance(value, (Function, Instance, UserClass)) for value in values):
        if not name.startswith("torch.distributions"):
            return None
    if name in tensor_ops.NON_LEAF_FUNCTIONS:
        return expressions.result_of(it, values, node, f"{name.removeprefix('torch.nn.functional.')}(…)")
    result = expressions.flow(it, values)
    if name.endswith(_LOSSES) and not it.no_grad:
        it.record(events.LossComputed(it.site(node), bool(it.conditional), result))
    return result


def _autograd_grad(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    from optlint.semantics.libraries import tensor_calls

    inputs = arguments.get(1, "inputs") or UNKNOWN
    tensors = all(isinstance(option, (Leaf, Flow)) for option in options(inputs))
    taken = (inputs,) if tensors else iteration.take(it, inputs).values
    for leaf in expressions.sources(it, taken)[0] if tensors else _leaves_among(taken):
        it.record(events.GradientRead(it.site(node), bool(it.conditional), leaf))
    outputs = arguments.get(0, "outputs")
    if outputs is not None and any(isinstance(value, Leaf) and value.is_parameter for value in taken):
        tensor_calls.record_backward(it, outputs, node, Container("tuple", Items(tuple(taken))))
    return expressions.flow(it, arguments.all_values())


def _leaves_among(values: Sequence[Value]) -> list[Leaf]:
    return [option for value in values for option in options(value) if isinstance(option, Leaf)]


def rewrapped(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``torch.tensor(x)``, ``Variable(x)``, ``y.new_tensor(x)``: new tensors that no gradient leaves."""
    from optlint.semantics.libraries import tensor_calls

    data = arguments.get(0, "data") or UNKNOWN
    deps, earlier, _ = expressions.sources(it, [data])
    where = Cut("detach", it.site(node), name.rsplit(".", 1)[-1] + "(…)", it.steps)
    cuts = stopping.hardened(earlier, where) | {(leaf, where) for leaf in deps}
    wanted = _wanted(name, arguments)
    if not cuts:
        leaf = _fresh(it, name, arguments, node)
        copies.wrapped(it, leaf, data, node)
        return leaf
    leaf = Leaf(where.site, is_parameter=False, requires_grad=wanted, fresh=False)
    leaf.slots["#cuts"] = frozenset(cuts)
    copies.wrapped(it, leaf, data, node)
    if wanted is True:
        tensor_calls.note_copy(leaf, data)
        return leaf
    in_graph, stop = False if wanted is False else None, stopping.stop_of([data])
    stop = stop if stopping.wants_none(data) else replace(where, order=it.steps)
    origin = Origin(where.site, where.text)
    terms = copies.of(leaf)
    return Flow(frozenset(), frozenset(cuts), None, in_graph, origin, wanted is False, stop, terms)


def _wanted(name: str, arguments: Arguments) -> bool | None:
    """The ``requires_grad`` that a new tensor is given."""
    wanted = arguments.keywords.get("requires_grad")
    if wanted is None and name.endswith("Variable"):
        wanted = arguments.get(1, "requires_grad")
    if wanted is not None:
        return bool(wanted.value) if isinstance(wanted, Const) else None
    return None if arguments.open else False


def _fresh(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Leaf:
    known = _wanted(name, arguments)
    leaf = Leaf(it.site(node), is_parameter=False, requires_grad=known, ndim=_ndim(name, arguments))
    given = arguments.positional[0] if arguments.positional else None
    if isinstance(given, Unknown):
        leaf.slots["#given"] = True
    # A tensor made of an array that the program got from elsewhere is an input, no weight.
    leaf.fresh = not name.endswith(("from_numpy", "as_tensor")) and not (
        isinstance(given, Leaf) and not given.fresh
    )
    tensor_moves.note_made(leaf, name, arguments)
    if name.endswith("Variable"):
        tensor_moves.note_wrapped(leaf, given)
    return leaf


def _ndim(name: str, arguments: Arguments) -> int | None:
    if not name.endswith((".randn", ".zeros", ".ones", ".rand", ".empty", ".full")):
        return None
    size = arguments.get(0, "size")
    if isinstance(size, Container) and not size.items.open:
        return len(size.items.values)
    if name.endswith(".full") or arguments.open:
        return None
    return len(arguments.positional) or None


def _parameter(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Leaf:
    from optlint.semantics.libraries import tensor_calls

    data = arguments.get(0, "data")
    wanted = arguments.get(1, "requires_grad")
    known: bool | None = True
    if wanted is not None:
        known = bool(wanted.value) if isinstance(wanted, Const) else None
    ndim = data.ndim if isinstance(data, Leaf) else None
    leaf = Leaf(it.site(node), is_parameter=True, requires_grad=known, ndim=ndim)
    for source in options(data) if data is not None else ():
        tensor_calls.note_copy(leaf, source)
    tensor_moves.note_wrapped(leaf, data)
    identity.born(it, leaf)
    if isinstance(data, Flow):
        copies.wrapped_parameter(it, leaf, data, node)
    # Of numbers, not of data; where only the size is not known, its dimensions are.
    if isinstance(data, Leaf) and data.fresh and ("#given" not in data.slots or data.ndim is not None):
        forwards.note_made(it, leaf, node)
    return leaf
