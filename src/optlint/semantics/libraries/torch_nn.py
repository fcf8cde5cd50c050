"""The classes of ``torch.nn``: constructor arguments, and the parameters that an instance then has.

The interpreter asks when the program builds a layer; a test compares every class with the real ``torch.nn``.
Must not know syntax or abstract values: arguments are Python constants or ``UNKNOWN``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias


class _Unknown:
    """The class of ``UNKNOWN``, which has no other instance."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


#: An argument whose value the analysis does not know.
UNKNOWN: Final = _Unknown()


class LibraryModule(NamedTuple):
    """A class of ``torch.nn``.

    ``signature`` holds the constructor's arguments in positional order; ``defaults`` those that may be left
    out, with the keyword-only ones, which ``signature`` does not name. ``variadic``: takes any arguments.
    """

    name: str
    signature: tuple[str, ...]
    defaults: Mapping[str, object]
    variadic: bool = False


class LibraryParameter(NamedTuple):
    """One parameter of an instance, with the name that ``named_parameters()`` gives it.

    ``ndim`` is None when not known. ``certain`` is False when arguments that are not known decide whether the
    parameter exists or whether it is frozen.
    """

    path: str
    ndim: int | None
    certain: bool = True
    requires_grad: bool = True


Parameters: TypeAlias = "tuple[LibraryParameter, ...] | None"
_Arguments: TypeAlias = Mapping[str, object]
_Builder: TypeAlias = Callable[[_Arguments], Parameters]

#: Hold what the program puts into them: the interpreter follows that itself.
CONTAINERS: Final = frozenset({"ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"})

#: Hold one module, given as their first argument, under the attribute ``module``.
WRAPPERS: Final = frozenset({"DataParallel", "DistributedDataParallel"})

#: Methods of ``nn.Module`` that return the module itself (``compile``, ``zero_grad``, ``add_module``: None).
MODULE_METHODS_RETURNING_SELF: Final = frozenset(
    {
        "apply",
        "bfloat16",
        "cpu",
        "cuda",
        "double",
        "eval",
        "float",
        "half",
        "ipu",
        "mtia",
        "requires_grad_",
        "share_memory",
        "to",
        "to_empty",
        "train",
        "type",
        "xpu",
    }
)

#: What every ``nn.Module`` has.
MODULE_ATTRIBUTES: Final = frozenset(
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches"
    " eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict"
    " modules mtia named_buffers named_children named_modules named_parameters parameters register_backward_hook"
    " register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook"
    " register_full_backward_pre_hook register_load_state_dict_post_hook register_load_state_dict_pre_hook"
    " register_module register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_"
    " set_extra_state set_submodule share_memory state_dict to to_empty train training type xpu zero_grad".split()
)

_MODULES: dict[str, LibraryModule] = {}

#: Names that mean the same class, or one with the same parameters.
_ALIASES: Final = {"NonDynamicallyQuantizableLinear": "Linear", "_LinearWithBias": "Linear"}

_PREFIXES: Final = ("torch.nn.modules.", "torch.nn.parallel.", "torch.nn.")


def is_own_name(name: str) -> bool:
    """Whether a module has an attribute of this name only if the program gives it one."""
    return not name.startswith("_") and name not in MODULE_ATTRIBUTES


@functools.lru_cache(maxsize=4096)
def lookup(qualified_name: str) -> LibraryModule | None:
    """Return what is known of a class of ``torch.nn``, under its public name or the module that defines it.

    ``torch.nn.Linear`` and ``torch.nn.modules.linear.Linear`` are the same; ``Embedding.from_pretrained`` and
    ``EmbeddingBag.from_pretrained`` count as classes of their own. None for everything else, also for
    ``torch.nn.Module`` itself and for functions.
    """
    prefix = next(filter(qualified_name.startswith, _PREFIXES), None)
    if prefix is None:
        return None
    path = qualified_name[len(prefix) :].split(".")
    name = ".".join(path[-2:]) if path[-1] == "from_pretrained" else path[-1]
    # Only `torch.nn.modules.<file>.<Class>` has a part between; `torch.nn.quantized.Linear` is another class.
    folders = len(path) - 1 - name.count(".")
    if folders > (0 if prefix == "torch.nn." else 1):
        return None
    return _MODULES.get(_ALIASES.get(name, name))


def known_names() -> frozenset[str]:
    """Return the names of all classes that ``lookup`` knows, containers and wrappers included."""
    return frozenset(_MODULES)


def parameters(name: str, arguments: _Arguments) -> Parameters:
    """Return the parameters of an instance, in the order of ``named_parameters()``.

    ``name`` is ``LibraryModule.name``; ``arguments`` the bound constructor arguments, constants or
    ``UNKNOWN``. Defaults are filled in; a required argument that is missing counts as not known. () means
    none, None that they cannot be listed: a container, a wrapper, a number of layers that is not known.
    An activation that is given as a module to a Transformer layer is not followed.
    """
    module = _MODULES.get(name)
    if module is None or name in CONTAINERS or name in WRAPPERS:
        return None
    builder = _BUILDERS.get(name)
    if builder is None:
        return ()
    bound = dict.fromkeys(module.signature, UNKNOWN) | dict(module.defaults) | dict(arguments)
    return builder(bound)


def has_parameters(name: str, arguments: _Arguments) -> bool | None:
    """Say whether an instance has any parameter; None when the arguments that decide it are not known."""
    found = parameters(name, arguments)
    if found is None:
        return None if name in CONTAINERS or name in WRAPPERS or name not in _MODULES else True
    if not found:
        return False
    return True if any(parameter.certain for parameter in found) else None


# --- parameters of each family ---


def _truth(value: object) -> bool | None:
    """Return the truth of a constant, None for anything that is not one."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return bool(value)
    return None


def _count(value: object) -> int | None:
    """Return a number of layers or the like if it is a plain number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _optional(exists: bool | None, *found: LibraryParameter) -> tuple[LibraryParameter, ...]:
    """Return the parameters if they exist, none if not, and uncertain ones if that is not known."""
    if exists is None:
        return tuple(parameter._replace(certain=False) for parameter in found)
    return found if exists else ()


def _below(prefix: str, found: tuple[LibraryParameter, ...]) -> tuple[LibraryParameter, ...]:
    """Return the parameters of a submodule under its name."""
    return tuple(parameter._replace(path=f"{prefix}.{parameter.path}") for parameter in found)


def _weight_and_bias(ndim: int) -> _Builder:
    """Build for layers with a weight, and a bias unless ``bias=False``."""

    def build(arguments: _Arguments) -> Parameters:
        bias = LibraryParameter("bias", 1)
        return LibraryParameter("weight", ndim), *_optional(_truth(arguments["bias"]), bias)

    return build


def _affine(arguments: _Arguments) -> Parameters:
    """Build for normalisation over channels: nothing unless ``affine``."""
    bias = _optional(_truth(arguments["bias"]), LibraryParameter("bias", 1))
    return _optional(_truth(arguments["affine"]), LibraryParameter("weight", 1), *bias)


def _over_shape(arguments: _Arguments) -> Parameters:
    """Build for LayerNorm and RMSNorm, whose parameters have the normalised shape."""
    shape = arguments["normalized_shape"]
    ndim = len(shape) if isinstance(shape, (tuple, list)) else 1 if isinstance(shape, int) else None
    bias = _optional(_truth(arguments.get("bias", False)), LibraryParameter("bias", ndim))
    return _optional(_truth(arguments["elementwise_affine"]), LibraryParameter("weight", ndim), *bias)


def _embedding(arguments: _Arguments) -> Parameters:
    """Build for Embedding and EmbeddingBag: ``_freeze`` of the class, ``freeze`` of ``from_pretrained``."""
    frozen = _truth(arguments.get("freeze", arguments.get("_freeze", False)))
    return (LibraryParameter("weight", 2, certain=frozen is not None, requires_grad=not frozen),)


def _prelu(_: _Arguments) -> Parameters:
    return (LibraryParameter("weight", 1),)


def _recurrent(arguments: _Arguments) -> Parameters:
    """Build for RNN, LSTM and GRU: a set of weights for each layer and direction."""
    layers = _count(arguments["num_layers"])
    if layers is None:
        return None
    two_ways = _truth(arguments["bidirectional"])
    found: list[LibraryParameter] = []
    for layer in range(layers):
        found += _recurrent_layer(f"l{layer}", arguments)
        found += _optional(two_ways, *_recurrent_layer(f"l{layer}_reverse", arguments))
    return tuple(found)


def _recurrent_layer(suffix: str, arguments: _Arguments) -> tuple[LibraryParameter, ...]:
    weights = (LibraryParameter(f"weight_ih_{suffix}", 2), LibraryParameter(f"weight_hh_{suffix}", 2))
    biases = (LibraryParameter(f"bias_ih_{suffix}", 1), LibraryParameter(f"bias_hh_{suffix}", 1))
    projection = LibraryParameter(f"weight_hr_{suffix}", 2)
    return (
        *weights,
        *_optional(_truth(arguments["bias"]), *biases),
        *_optional(_truth(arguments.get("proj_size", 0)), projection),
    )


def _recurrent_cell(arguments: _Arguments) -> Parameters:
    biases = (LibraryParameter("bias_ih", 1), LibraryParameter("bias_hh", 1))
    weights = (LibraryParameter("weight_ih", 2), LibraryParameter("weight_hh", 2))
    return *weights, *_optional(_truth(arguments["bias"]), *biases)


def _attention(arguments: _Arguments) -> tuple[LibraryParameter, ...]:
    """Build for MultiheadAttention: one projection for all, or three if keys or values have another width."""
    separate = _separate_projections(arguments)
    together = None if separate is None else not separate
    bias = _truth(arguments["bias"])
    return (
        *_optional(separate, *(LibraryParameter(f"{which}_proj_weight", 2) for which in "qkv")),
        *_optional(together, LibraryParameter("in_proj_weight", 2)),
        *_optional(bias, LibraryParameter("in_proj_bias", 1)),
        *_optional(
            _truth(arguments["add_bias_kv"]), LibraryParameter("bias_k", 3), LibraryParameter("bias_v", 3)
        ),
        LibraryParameter("out_proj.weight", 2),
        *_optional(bias, LibraryParameter("out_proj.bias", 1)),
    )


def _separate_projections(arguments: _Arguments) -> bool | None:
    """Say whether keys or values have another width than the queries."""
    width = arguments["embed_dim"]
    others = [arguments[name] for name in ("kdim", "vdim") if arguments[name] is not None]
    if any(_count(other) is not None and _count(width) is not None and other != width for other in others):
        return True
    if any(_count(value) is None for value in (others and [width, *others])):
        return None
    return False


def _transformer_layer(attentions: tuple[str, ...], norms: tuple[str, ...]) -> _Builder:
    """Build for one layer of a Transformer; the names are those of its attentions and normalisations."""

    def build(arguments: _Arguments) -> Parameters:
        bias = {"bias": arguments["bias"]}
        return (
            *(p for name in attentions for p in _below(name, parameters("MultiheadAttention", bias) or ())),
            *(p for name in ("linear1", "linear2") for p in _below(name, parameters("Linear", bias) or ())),
            *(
                p
                for name in norms
                for p in _below(name, parameters("LayerNorm", {"normalized_shape": 1, **bias}) or ())
            ),
        )

    return build


def _transformer(arguments: _Arguments) -> Parameters:
    """Build for a whole Transformer out of the library's own encoder and decoder."""
    if arguments["custom_encoder"] is not None or arguments["custom_decoder"] is not None:
        return None
    bias = {"bias": arguments["bias"]}
    norm = _below("norm", parameters("LayerNorm", {"normalized_shape": 1, **bias}) or ())
    found: list[LibraryParameter] = []
    for half, layer_class in (("encoder", "TransformerEncoderLayer"), ("decoder", "TransformerDecoderLayer")):
        layers = _count(arguments[f"num_{half}_layers"])
        if layers is None:
            return None
        layer = parameters(layer_class, bias) or ()
        for index in range(layers):
            found += _below(f"{half}.layers.{index}", layer)
        found += _below(half, norm)
    return tuple(found)


def _cloned_layers(_: _Arguments) -> Parameters:
    """TransformerEncoder and -Decoder hold copies of a module that the program made."""
    return None


def _adaptive_softmax(arguments: _Arguments) -> Parameters:
    cutoffs = arguments["cutoffs"]
    if not isinstance(cutoffs, (tuple, list)):
        return None
    bias = _optional(_truth(arguments["head_bias"]), LibraryParameter("head.bias", 1))
    clusters = range(len(cutoffs))
    tail = (LibraryParameter(f"tail.{index}.{half}.weight", 2) for index in clusters for half in (0, 1))
    return LibraryParameter("head.weight", 2), *bias, *tail


def _linear_loss(arguments: _Arguments) -> Parameters:
    bias = _optional(_truth(arguments["bias"]), LibraryParameter("linear.bias", 1))
    return LibraryParameter("linear.weight", 2), *bias


# --- the classes ---


def _declare(names: str, required: str, **defaults: object) -> None:
    """Enter classes that share a constructor: required arguments by name, the others with their default."""
    signature = (*required.split(), *defaults)
    for name in names.split():
        _MODULES[name] = LibraryModule(name, signature, MappingProxyType(defaults))


def _keyword_only(names: str, **defaults: object) -> None:
    """Add keyword-only arguments to classes that are entered already."""
    for name in names.split():
        module = _MODULES[name]
        _MODULES[name] = module._replace(defaults=MappingProxyType({**module.defaults, **defaults}))


def _dims(stem: str) -> str:
    """Name the three classes of a family that comes in one, two and three dimensions."""
    return f"{stem}1d {stem}2d {stem}3d"


def _declare_layers() -> None:
    factory: dict[str, object] = {"device": None, "dtype": None}
    _declare("Linear", "in_features out_features", bias=True, **factory)
    _declare("LazyLinear", "out_features", bias=True, **factory)
    _declare("Bilinear", "in1_features in2_features out_features", bias=True, **factory)
    conv: dict[str, object] = {
        "stride": 1,
        "padding": 0,
        "dilation": 1,
        "groups": 1,
        "bias": True,
        "padding_mode": "zeros",
        **factory,
    }
    _declare(_dims("Conv"), "in_channels out_channels kernel_size", **conv)
    _declare(_dims("LazyConv"), "out_channels kernel_size", **conv)
    transposed: dict[str, object] = {
        "stride": 1,
        "padding": 0,
        "output_padding": 0,
        "groups": 1,
        "bias": True,
        "dilation": 1,
        "padding_mode": "zeros",
        **factory,
    }
    _declare(_dims("ConvTranspose"), "in_channels out_channels kernel_size", **transposed)
    _declare(_dims("LazyConvTranspose"), "out_channels kernel_size", **transposed)
    weight: dict[str, object] = {"scale_grad_by_freq": False, "sparse": False}
    norm: dict[str, object] = {"max_norm": None, "norm_type": 2.0}
    _declare(
        "Embedding",
        "num_embeddings embedding_dim",
        padding_idx=None,
        **norm,
        **weight,
        _weight=None,
        _freeze=False,
        **factory,
    )
    _declare("Embedding.from_pretrained", "embeddings", freeze=True, padding_idx=None, **norm, **weight)
    bag: dict[str, object] = {**norm, "scale_grad_by_freq": False, "mode": "mean", "sparse": False}
    ends: dict[str, object] = {"include_last_offset": False, "padding_idx": None}
    _declare("EmbeddingBag", "num_embeddings embedding_dim", **bag, _weight=None, **ends, **factory)
    _declare("EmbeddingBag.from_pretrained", "embeddings", freeze=True, **bag, **ends)


def _declare_normalisation() -> None:
    factory: dict[str, object] = {"device": None, "dtype": None}
    stats: dict[str, object] = {"eps": 1e-5, "momentum": 0.1, "affine": True, "track_running_stats": True}
    instance = {**stats, "affine": False, "track_running_stats": False}
    _declare(_dims("BatchNorm"), "num_features", **stats, **factory)
    _declare(_dims("LazyBatchNorm"), "", **stats, **factory)
    _declare("SyncBatchNorm", "num_features", **stats, process_group=None, **factory)
    _declare(_dims("InstanceNorm"), "num_features", **instance, **factory)
    # Unlike InstanceNorm itself, the lazy form is affine unless told otherwise.
    _declare(_dims("LazyInstanceNorm"), "", **stats, **factory)
    _declare("GroupNorm", "num_groups num_channels", eps=1e-5, affine=True, **factory)
    _keyword_only(
        f"SyncBatchNorm GroupNorm {_dims('BatchNorm')} {_dims('LazyBatchNorm')}"
        f" {_dims('InstanceNorm')} {_dims('LazyInstanceNorm')}",
        bias=True,
    )
    _declare("LayerNorm", "normalized_shape", eps=1e-5, elementwise_affine=True, bias=True, **factory)
    _declare("RMSNorm", "normalized_shape", eps=None, elementwise_affine=True, **factory)
    _declare("LocalResponseNorm", "size", alpha=1e-4, beta=0.75, k=1.0)
    _declare("CrossMapLRN2d", "size", alpha=1e-4, beta=0.75, k=1)


def _declare_sequences() -> None:
    factory: dict[str, object] = {"device": None, "dtype": None}
    shape: dict[str, object] = {"bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
    sizes = "input_size hidden_size"
    _declare("RNNBase", f"mode {sizes}", num_layers=1, **shape, proj_size=0, **factory)
    _declare("LSTM", sizes, num_layers=1, **shape, proj_size=0, **factory)
    _declare("GRU", sizes, num_layers=1, **shape, **factory)
    _declare("RNN", sizes, num_layers=1, nonlinearity="tanh", **shape, **factory)
    _declare("RNNCellBase", f"{sizes} bias num_chunks", **factory)
    _declare("RNNCell", sizes, bias=True, nonlinearity="tanh", **factory)
    _declare("LSTMCell GRUCell", sizes, bias=True, **factory)
    _declare(
        "MultiheadAttention",
        "embed_dim num_heads",
        dropout=0.0,
        bias=True,
        add_bias_kv=False,
        add_zero_attn=False,
        kdim=None,
        vdim=None,
        batch_first=False,
        **factory,
    )
    inner: dict[str, object] = {"dim_feedforward": 2048, "dropout": 0.1, "activation": "relu"}
    order: dict[str, object] = {
        "layer_norm_eps": 1e-5,
        "batch_first": False,
        "norm_first": False,
        "bias": True,
    }
    _declare("TransformerEncoderLayer TransformerDecoderLayer", "d_model nhead", **inner, **order, **factory)
    _declare(
        "TransformerEncoder",
        "encoder_layer num_layers",
        norm=None,
        enable_nested_tensor=True,
        mask_check=True,
    )
    _declare("TransformerDecoder", "decoder_layer num_layers", norm=None)
    layers: dict[str, object] = {"num_encoder_layers": 6, "num_decoder_layers": 6}
    custom: dict[str, object] = {"custom_encoder": None, "custom_decoder": None}
    _declare("Transformer", "", d_model=512, nhead=8, **layers, **inner, **custom, **order, **factory)


def _declare_activations() -> None:
    _declare("PReLU", "", num_parameters=1, init=0.25, device=None, dtype=None)
    _declare("Hardsigmoid Hardswish Mish ReLU ReLU6 SELU SiLU", "", inplace=False)
    _declare("CELU ELU", "", alpha=1.0, inplace=False)
    _declare("GELU", "", approximate="none")
    _declare("GLU", "", dim=-1)
    _declare("Hardshrink Softshrink", "", lambd=0.5)
    _declare("Hardtanh", "", min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None)
    _declare("LeakyReLU", "", negative_slope=0.01, inplace=False)
    _declare("LogSoftmax Softmax Softmin", "", dim=None)
    _declare("RReLU", "", lower=1 / 8, upper=1 / 3, inplace=False)
    _declare("Softplus", "", beta=1.0, threshold=20.0)
    _declare("Threshold", "threshold value", inplace=False)
    for name in ("Identity", "LogSigmoid", "Sigmoid", "Softmax2d", "Softsign", "Tanh", "Tanhshrink"):
        _MODULES[name] = LibraryModule(name, (), MappingProxyType({}), variadic=True)


def _declare_shaping() -> None:
    _declare(f"{_dims('Dropout')} Dropout AlphaDropout FeatureAlphaDropout", "", p=0.5, inplace=False)
    pads = " ".join(_dims(f"{kind}Pad") for kind in ("Circular", "Reflection", "Replication", "Zero"))
    _declare(pads, "padding")
    _declare(_dims("ConstantPad"), "padding value")
    _declare(_dims("AdaptiveAvgPool"), "output_size")
    _declare(_dims("AdaptiveMaxPool"), "output_size", return_indices=False)
    average: dict[str, object] = {"stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True}
    _declare("AvgPool1d", "kernel_size", **average)
    _declare("AvgPool2d AvgPool3d", "kernel_size", **average, divisor_override=None)
    largest: dict[str, object] = {"dilation": 1, "return_indices": False, "ceil_mode": False}
    _declare(_dims("MaxPool"), "kernel_size", stride=None, padding=0, **largest)
    _declare(_dims("MaxUnpool"), "kernel_size", stride=None, padding=0)
    _declare(_dims("LPPool"), "norm_type kernel_size", stride=None, ceil_mode=False)
    _declare(
        "FractionalMaxPool2d FractionalMaxPool3d",
        "kernel_size",
        output_size=None,
        output_ratio=None,
        return_indices=False,
        _random_samples=None,
    )
    _declare("Flatten", "", start_dim=1, end_dim=-1)
    _declare("Unflatten", "dim unflattened_size")
    _declare("Fold", "output_size kernel_size", dilation=1, padding=0, stride=1)
    _declare("Unfold", "kernel_size", dilation=1, padding=0, stride=1)
    scale: dict[str, object] = {"size": None, "scale_factor": None}
    _declare("Upsample", "", **scale, mode="nearest", align_corners=None, recompute_scale_factor=None)
    _declare("UpsamplingBilinear2d UpsamplingNearest2d", "", **scale)
    _declare("PixelShuffle", "upscale_factor")
    _declare("PixelUnshuffle", "downscale_factor")
    _declare("ChannelShuffle", "groups")


def _declare_losses() -> None:
    old: dict[str, object] = {"size_average": None, "reduce": None, "reduction": "mean"}
    _declare("L1Loss MSELoss MultiLabelMarginLoss SoftMarginLoss", "", **old)
    _declare("BCELoss MultiLabelSoftMarginLoss", "", weight=None, **old)
    _declare("BCEWithLogitsLoss", "", weight=None, **old, pos_weight=None)
    _declare("CosineEmbeddingLoss MarginRankingLoss", "", margin=0.0, **old)
    _declare("HingeEmbeddingLoss", "", margin=1.0, **old)
    index: dict[str, object] = {"weight": None, "size_average": None, "ignore_index": -100, "reduce": None}
    _declare("NLLLoss NLLLoss2d", "", **index, reduction="mean")
    _declare("CrossEntropyLoss", "", **index, reduction="mean", label_smoothing=0.0)
    _declare("CTCLoss", "", blank=0, reduction="mean", zero_infinity=False)
    _declare("GaussianNLLLoss", "")
    _keyword_only("GaussianNLLLoss", full=False, eps=1e-6, reduction="mean")
    _declare("HuberLoss", "", reduction="mean", delta=1.0)
    _declare("KLDivLoss", "", **old, log_target=False)
    _declare("MultiMarginLoss", "", p=1, margin=1.0, weight=None, **old)
    poisson: dict[str, object] = {"log_input": True, "full": False, "size_average": None, "eps": 1e-8}
    _declare("PoissonNLLLoss", "", **poisson, reduce=None, reduction="mean")
    _declare("SmoothL1Loss", "", **old, beta=1.0)
    _declare("TripletMarginLoss", "", margin=1.0, p=2.0, eps=1e-6, swap=False, **old)
    triplet = "TripletMarginWithDistanceLoss"
    _declare(triplet, "")
    _keyword_only(triplet, distance_function=None, margin=1.0, swap=False, reduction="mean")
    _declare("CosineSimilarity", "", dim=1, eps=1e-8)
    _declare("PairwiseDistance", "", p=2.0, eps=1e-6, keepdim=False)
    _declare(
        "AdaptiveLogSoftmaxWithLoss",
        "in_features n_classes cutoffs",
        div_value=4.0,
        head_bias=False,
        device=None,
        dtype=None,
    )
    _declare("LinearCrossEntropyLoss", "in_features num_classes")
    _keyword_only(
        "LinearCrossEntropyLoss",
        out_features=(),
        bias=False,
        device=None,
        dtype=None,
        reduction="mean",
        weight=None,
        ignore_index=None,
        label_smoothing=0.0,
        options=None,
    )


def _declare_holders() -> None:
    _MODULES["Sequential"] = LibraryModule("Sequential", (), MappingProxyType({}), variadic=True)
    _declare("ModuleList ModuleDict", "", modules=None)
    _declare("ParameterList", "", values=None)
    _declare("ParameterDict", "", parameters=None)
    _declare("DataParallel", "module", device_ids=None, output_device=None, dim=0)
    # Of its many arguments only those that people give by position.
    _declare("DistributedDataParallel", "module", device_ids=None, output_device=None, dim=0)


for _declare_family in (
    _declare_layers,
    _declare_normalisation,
    _declare_sequences,
    _declare_activations,
    _declare_shaping,
    _declare_losses,
    _declare_holders,
):
    _declare_family()


def _builders() -> dict[str, _Builder]:
    built: dict[str, _Builder] = {
        "Linear": _weight_and_bias(2),
        "LazyLinear": _weight_and_bias(2),
        "Bilinear": _weight_and_bias(3),
        "GroupNorm": _affine,
        "SyncBatchNorm": _affine,
        "LayerNorm": _over_shape,
        "RMSNorm": _over_shape,
        "PReLU": _prelu,
        "MultiheadAttention": _attention,
        "TransformerEncoderLayer": _transformer_layer(("self_attn",), ("norm1", "norm2")),
        "TransformerDecoderLayer": _transformer_layer(
            ("self_attn", "multihead_attn"), ("norm1", "norm2", "norm3")
        ),
        "TransformerEncoder": _cloned_layers,
        "TransformerDecoder": _cloned_layers,
        "Transformer": _transformer,
        "AdaptiveLogSoftmaxWithLoss": _adaptive_softmax,
        "LinearCrossEntropyLoss": _linear_loss,
    }
    for stem in ("", "Lazy"):
        for dimensions in (1, 2, 3):
            built[f"{stem}Conv{dimensions}d"] = _weight_and_bias(dimensions + 2)
            built[f"{stem}ConvTranspose{dimensions}d"] = _weight_and_bias(dimensions + 2)
            built[f"{stem}BatchNorm{dimensions}d"] = _affine
            built[f"{stem}InstanceNorm{dimensions}d"] = _affine
    built |= dict.fromkeys(("RNNBase", "RNN", "LSTM", "GRU"), _recurrent)
    built |= dict.fromkeys(("RNNCellBase", "RNNCell", "LSTMCell", "GRUCell"), _recurrent_cell)
    for embedding in ("Embedding", "EmbeddingBag"):
        built |= dict.fromkeys((embedding, f"{embedding}.from_pretrained"), _embedding)
    return built


_BUILDERS: Final = _builders()


def _layer_parts(attentions: str, norms: str) -> Mapping[str, str]:
    parts = dict.fromkeys(attentions.split(), "MultiheadAttention")
    parts |= {"linear1": "Linear", "dropout": "Dropout", "linear2": "Linear"}
    parts |= dict.fromkeys(norms.split(), "LayerNorm")
    return MappingProxyType(parts | {norm.replace("norm", "dropout"): "Dropout" for norm in norms.split()})


#: Submodules by attribute, with the name of their class, for the classes that are made of others.
SUBMODULES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "MultiheadAttention": {"out_proj": "Linear"},
        "TransformerEncoderLayer": _layer_parts("self_attn", "norm1 norm2"),
        "TransformerDecoderLayer": _layer_parts("self_attn multihead_attn", "norm1 norm2 norm3"),
        "TransformerEncoder": {"layers": "ModuleList"},
        "TransformerDecoder": {"layers": "ModuleList"},
        "Transformer": {"encoder": "TransformerEncoder", "decoder": "TransformerDecoder"},
        "AdaptiveLogSoftmaxWithLoss": {"head": "Linear", "tail": "ModuleList"},
        "LinearCrossEntropyLoss": {"linear": "Linear"},
    }
)
