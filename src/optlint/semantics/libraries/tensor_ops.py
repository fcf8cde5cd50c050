"""What operations on tensors do to the gradient: cut it, zero it, make a leaf, or give back the same tensor.

The interpreter asks by method name (``detach``) or qualified function name (``torch.argmax``). A test runs
every name under the real torch. Must not know syntax or abstract values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final


def _qualified(names: Iterable[str], package: str = "torch") -> frozenset[str]:
    return frozenset(f"{package}.{name}" for name in names)


#: The result holds the values and nothing of the graph.
DETACHING_METHODS: Final = frozenset({"detach", "detach_", "item", "new_tensor", "numpy", "tolist"})

#: Attributes of the same kind.
DETACHING_ATTRIBUTES: Final = frozenset({"data"})

#: Functions of the same kind; ``torch.as_tensor`` and ``torch.asarray`` keep the graph.
DETACHING_FUNCTIONS: Final = frozenset(
    {
        "torch.Tensor.detach",
        "torch.autograd.Variable",
        "torch.autograd.variable.Variable",
        "torch.detach",
        "torch.tensor",
    }
)

_COMPARISONS: Final = frozenset(
    {
        "eq",
        "ge",
        "greater",
        "greater_equal",
        "gt",
        "le",
        "less",
        "less_equal",
        "lt",
        "ne",
        "not_equal",
    }
)

_WITHOUT_GRADIENT: Final = frozenset(
    {
        "all",
        "any",
        "argmax",
        "argmin",
        "argsort",
        "argwhere",
        "bincount",
        "bitwise_and",
        "bitwise_not",
        "bitwise_or",
        "bitwise_xor",
        "count_nonzero",
        "histc",
        "isclose",
        "isfinite",
        "isinf",
        "isnan",
        "isneginf",
        "isposinf",
        "isreal",
        "logical_and",
        "logical_not",
        "logical_or",
        "logical_xor",
        "multinomial",
        "nonzero",
        "signbit",
    }
)

#: Casts to a type that can carry no gradient.
CASTS: Final = frozenset({"bool", "byte", "char", "int", "long", "short"})

#: Names that only tensors and arrays have.
UNMISTAKABLE_METHODS: Final = frozenset({"argmax", "argmin", "argsort", "isnan", "isinf", "multinomial"})

#: The result is no part of the graph (no ``grad_fn``): a loss of nothing else raises in ``backward()``.
NON_DIFFERENTIABLE_METHODS: Final = _COMPARISONS | _WITHOUT_GRADIENT | CASTS
NON_DIFFERENTIABLE_FUNCTIONS: Final = _qualified(_COMPARISONS | _WITHOUT_GRADIENT) | {
    "torch.bucketize",
    "torch.isin",
    "torch.nn.functional.one_hot",
    "torch.searchsorted",
}

_ROUNDING: Final = frozenset({"bernoulli", "ceil", "fix", "floor", "round", "sgn", "sign", "trunc"})

#: The backward pass runs and hands back zeros: nothing is raised and nothing is learnt.
ZERO_GRADIENT_METHODS: Final = _ROUNDING
ZERO_GRADIENT_FUNCTIONS: Final = _qualified(_ROUNDING | {"poisson"})

_UNDERIVED: Final = frozenset({"floor_divide", "heaviside", "unique", "unique_consecutive"})

#: Part of the graph, but ``backward()`` raises when it gets there: no derivative is implemented.
NO_DERIVATIVE_METHODS: Final = _UNDERIVED
NO_DERIVATIVE_FUNCTIONS: Final = _qualified(_UNDERIVED)

#: Facts about a tensor, as numbers, tuples, strings or booleans: no gradient is lost by asking.
SHAPE_METHODS: Final = frozenset(
    {
        "allclose",
        "data_ptr",
        "dense_dim",
        "dim",
        "dim_order",
        "element_size",
        "equal",
        "get_device",
        "is_complex",
        "is_conj",
        "is_contiguous",
        "is_floating_point",
        "is_inference",
        "is_neg",
        "is_pinned",
        "is_same_size",
        "is_set_to",
        "is_shared",
        "is_signed",
        "ndimension",
        "nelement",
        "numel",
        "size",
        "sparse_dim",
        "storage",
        "storage_offset",
        "storage_type",
        "stride",
        "untyped_storage",
    }
)
SHAPE_ATTRIBUTES: Final = frozenset(
    {
        "device",
        "dtype",
        "grad_fn",
        "is_cpu",
        "is_cuda",
        "is_leaf",
        "is_meta",
        "is_mps",
        "is_nested",
        "is_quantized",
        "is_sparse",
        "is_xla",
        "is_xpu",
        "itemsize",
        "layout",
        "name",
        "nbytes",
        "ndim",
        "output_nr",
        "requires_grad",
        "retains_grad",
        "shape",
    }
)

_FACTORIES: Final = (
    "arange bartlett_window blackman_window empty empty_like empty_strided eye frombuffer full full_like"
    " hamming_window hann_window kaiser_window linspace logspace ones ones_like rand rand_like randint"
    " randint_like randn randn_like randperm range scalar_tensor tensor zeros zeros_like"
)
_TYPES: Final = "Bool Byte Char Double Float Half Int Long Short"

#: Functions whose result is a new tensor that depends on nothing, and whether they take ``requires_grad=``.
FRESH_TENSOR_FUNCTIONS: Final[Mapping[str, bool]] = MappingProxyType(
    {
        **dict.fromkeys(_qualified(_FACTORIES.split()), True),
        **dict.fromkeys(_qualified(f"{kind}Tensor" for kind in _TYPES.split()), False),
        **dict.fromkeys(_qualified((f"{kind}Tensor" for kind in _TYPES.split()), "torch.cuda"), False),
        "torch.BFloat16Tensor": False,
        "torch.Tensor": False,
        "torch.from_file": True,
        "torch.from_numpy": False,
        "torch.normal": True,
        "torch.tril_indices": False,
        "torch.triu_indices": False,
    }
)

#: Give back the tensor itself if there is nothing to change (same type, device, layout), else a result of it.
SELF_RETURNING_WHEN_UNCHANGED: Final = frozenset(
    {
        "bfloat16",
        "contiguous",
        "cpu",
        "cuda",
        "double",
        "float",
        "half",
        "positive",
        "resolve_conj",
        "resolve_neg",
        "sum_to_size",
        "to",
        "to_dense",
        "type",
        "type_as",
    }
)

#: Give back the tensor itself always.
SELF_RETURNING_METHODS: Final = frozenset({"requires_grad_", "share_memory_"})

_NEW_TENSORS: Final = (
    "abs add clamp clip clone cos cosh cumprod cumsum diagonal div divide erf exp expm1 flip fliplr flipud inverse"
    " log log10 log1p log2 log_softmax logsumexp matmul maximum mean minimum mm movedim mul multiply mv narrow neg"
    " negative norm pow prod ravel reciprocal relu repeat_interleave reshape roll rot90 rsqrt select sigmoid sin"
    " sinh softmax sqrt square squeeze std sub subtract sum swapaxes t tan tanh tile transpose tril triu"
    " true_divide unflatten unsqueeze var"
)
_NEW_TUPLES: Final = "chunk split unbind"

#: Of a leaf that requires grad, these always make a result, which an optimizer refuses ("non-leaf Tensor").
NON_LEAF_METHODS: Final = frozenset(
    f"{_NEW_TENSORS} {_NEW_TUPLES} expand expand_as permute repeat view view_as".split()
)

#: Functions of the same kind (of one leaf, or of a list of them).
NON_LEAF_FUNCTIONS: Final = _qualified(
    f"{_NEW_TENSORS} {_NEW_TUPLES} cat column_stack concat concatenate hstack stack vstack".split()
) | _qualified(
    (
        "elu gelu hardtanh interpolate leaky_relu log_softmax normalize pad relu selu sigmoid silu softmax"
        " softplus tanh"
    ).split(),
    "torch.nn.functional",
)

#: The result lies in the memory of the tensor (of one that is contiguous): what is written there is seen here.
SHARING: Final = frozenset(
    "T chunk data detach diagonal expand expand_as flatten mT movedim narrow permute ravel reshape select split squeeze"
    " swapaxes t transpose unbind unflatten unsqueeze view view_as".split()
)

#: Keep tensors for their derivative, which one backward pass frees: a second one through the same result raises.
SAVING: Final = frozenset(
    "abs clamp clip cos cosh cumprod div divide elu erf exp exp2 expm1 gelu hardtanh inverse leaky_relu log log10"
    " log1p log2 log_softmax logsumexp matmul maximum minimum mm mul multiply mv norm normalize pow prod reciprocal"
    " relu rsqrt selu sigmoid silu sin sinh softmax softplus sqrt square std tan tanh true_divide var".split()
)

_INITIALISERS: Final = (
    "constant_ dirac_ eye_ kaiming_normal_ kaiming_uniform_ normal_ ones_ orthogonal_ sparse_ trunc_normal_"
    " uniform_ xavier_normal_ xavier_uniform_ zeros_"
)

#: Fill their first argument in place, without a graph, and return it: it stays the leaf that it was.
IN_PLACE_INIT_FUNCTIONS: Final = _qualified(_INITIALISERS.split(), "torch.nn.init")


#: Methods that write into the tensor itself: a leaf that requires grad refuses them while gradients are recorded.
IN_PLACE_METHODS: Final = frozenset(
    {f"{name}_" for name in (
        "normal uniform zero fill random exponential bernoulli log_normal cauchy geometric clamp clamp_min clamp_max"
        " mul add sub div copy abs exp relu pow sqrt neg masked_fill index_fill unsqueeze squeeze t transpose"
    ).split()}
)  # fmt: skip


def _of_grad_mode(*names: str) -> frozenset[str]:
    """Qualify names that torch exports in three places."""
    homes = ("torch", "torch.autograd", "torch.autograd.grad_mode")
    return frozenset(f"{home}.{name}" for home in homes for name in names)


#: As a context manager or decorator, called or not, nothing inside builds a graph.
NO_GRAD_CONTEXTS: Final = _of_grad_mode("no_grad", "inference_mode")

#: Bring the graph back inside (not within ``inference_mode``).
GRAD_CONTEXTS: Final = _of_grad_mode("enable_grad")

#: Switch it by their first argument, as a context or, as a bare statement, for all that follows.
GRAD_SWITCHES: Final = _of_grad_mode("set_grad_enabled")
