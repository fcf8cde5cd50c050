"""The library tables against the real frameworks: each claim is checked where torch or keras is installed.

What needs a framework is skipped without it; the rest (names, aliases, unknown arguments) runs everywhere.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from optlint.semantics.libraries import torch_nn
from optlint.semantics.libraries.torch_nn import UNKNOWN, LibraryParameter

# Required constructor arguments of every class of torch.nn that has any, by the start of the name.
REQUIRED: dict[str, tuple[Any, ...]] = {
    "AdaptiveAvgPool": (2,),
    "AdaptiveMaxPool": (2,),
    "AdaptiveLogSoftmaxWithLoss": (8, 12, [4, 8]),
    "AvgPool": (2,),
    "BatchNorm": (3,),
    "Bilinear": (3, 4, 5),
    "ChannelShuffle": (2,),
    "CircularPad": (1,),
    "ConstantPad": (1, 0.0),
    "ConvTranspose": (4, 6, 3),
    "Conv": (4, 6, 3),
    "CrossMapLRN2d": (2,),
    "Embedding": (5, 3),
    "EmbeddingBag": (5, 3),
    "Fold": (4, 2),
    "FractionalMaxPool": (2, 2),
    "GRUCell": (3, 4),
    "GRU": (3, 4),
    "GroupNorm": (2, 4),
    "InstanceNorm": (3,),
    "LPPool": (2, 2),
    "LSTMCell": (3, 4),
    "LSTM": (3, 4),
    "LayerNorm": (4,),
    "LazyConv": (6, 3),
    "LazyConvTranspose": (6, 3),
    "LazyLinear": (6,),
    "LinearCrossEntropyLoss": (4, 3),
    "Linear": (3, 4),
    "LocalResponseNorm": (2,),
    "MaxPool": (2,),
    "MaxUnpool": (2,),
    "MultiheadAttention": (8, 2),
    "PixelShuffle": (2,),
    "PixelUnshuffle": (2,),
    "RMSNorm": (4,),
    "RNNBase": ("LSTM", 3, 4),
    "RNNCellBase": (3, 4, True, 4),
    "RNNCell": (3, 4),
    "RNN": (3, 4),
    "ReflectionPad": (1,),
    "ReplicationPad": (1,),
    "SyncBatchNorm": (3,),
    "Threshold": (0.1, 0.0),
    "TransformerEncoderLayer": (8, 2, 16),
    "TransformerDecoderLayer": (8, 2, 16),
    "Unflatten": (1, (2, 2)),
    "Unfold": (2,),
    "ZeroPad": (1,),
}

# More ways to make a layer, each beside the plain one.
VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "AdaptiveLogSoftmaxWithLoss": ({"head_bias": True}, {"cutoffs": (2, 4, 6)}),
    "BatchNorm": ({"affine": False}, {"bias": False}, {"track_running_stats": False}),
    "Bilinear": ({"bias": False},),
    "Conv": ({"bias": False}, {"groups": 2, "padding": 1}),
    "ConvTranspose": ({"bias": False},),
    "Embedding": ({"padding_idx": 0}, {"sparse": True}, {"_freeze": True}),
    "GroupNorm": ({"affine": False}, {"bias": False}),
    "GRU": ({"num_layers": 2, "bidirectional": True}, {"bias": False}),
    "GRUCell": ({"bias": False},),
    "InstanceNorm": ({"affine": True}, {"affine": True, "bias": False}),
    "LSTM": (
        {"num_layers": 2},
        {"num_layers": 2, "bidirectional": True, "proj_size": 2},
        {"proj_size": 2, "bias": False},
        {"bias": False, "bidirectional": True},
    ),
    "LSTMCell": ({"bias": False},),
    "LayerNorm": (
        {"normalized_shape": (2, 3)},
        {"normalized_shape": [4], "bias": False},
        {"elementwise_affine": False},
    ),
    "LazyBatchNorm": ({"affine": False}, {"bias": False}),
    "LazyConv": ({"bias": False},),
    "LazyConvTranspose": ({"bias": False},),
    "LazyInstanceNorm": ({"affine": False},),
    "LazyLinear": ({"bias": False},),
    "Linear": ({"bias": False}, {"bias": 0}),
    "LinearCrossEntropyLoss": ({"bias": True}, {"out_features": (2, 3)}),
    "MultiheadAttention": (
        {"bias": False},
        {"add_bias_kv": True},
        {"kdim": 6},
        {"vdim": 6, "bias": False},
        {"kdim": 8, "vdim": 8},
        {"kdim": 6, "vdim": 7, "add_bias_kv": True},
    ),
    "PReLU": ({"num_parameters": 4},),
    "RMSNorm": ({"elementwise_affine": False}, {"normalized_shape": (2, 3)}),
    "RNN": ({"nonlinearity": "relu"}, {"num_layers": 3, "bias": False}),
    "RNNCell": ({"bias": False}, {"nonlinearity": "relu"}),
    "SyncBatchNorm": ({"affine": False},),
    "Transformer": (
        {"d_model": 8, "nhead": 2, "num_encoder_layers": 1, "num_decoder_layers": 2, "dim_feedforward": 4},
        {"d_model": 8, "nhead": 2, "num_encoder_layers": 1, "num_decoder_layers": 1, "bias": False},
    ),
    "TransformerDecoderLayer": ({"bias": False}, {"norm_first": True}),
    "TransformerEncoderLayer": ({"bias": False}, {"norm_first": True}),
}


def family(name: str) -> str:
    """Name the entry of the two tables above for a class, which ignore how many dimensions it has."""
    return name[:-2] if name.endswith(("1d", "2d", "3d")) and name != "CrossMapLRN2d" else name


def made_by_the_program(name: str) -> bool:
    """Classes whose parameters come from the modules that the program hands in."""
    return name in torch_nn.CONTAINERS | torch_nn.WRAPPERS | {"TransformerEncoder", "TransformerDecoder"}


def constructions() -> list[tuple[str, dict[str, Any]]]:
    """Every class that can be made from plain values, with each set of arguments to try."""
    cases: list[tuple[str, dict[str, Any]]] = []
    for name in sorted(torch_nn.known_names()):
        if not made_by_the_program(name) and "." not in name:
            module = torch_nn.lookup(f"torch.nn.{name}")
            assert module is not None
            plain = dict(zip(module.signature, REQUIRED.get(family(name), ()), strict=False))
            cases += [(name, {**plain, **more}) for more in ({}, *VARIANTS.get(family(name), ()))]
    return cases


@pytest.mark.parametrize(("name", "arguments"), constructions(), ids=lambda value: str(value))
def test_parameters_are_those_of_the_real_layer(name: str, arguments: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    layer = getattr(torch.nn, name)(**arguments)
    lazy = name.startswith("Lazy")
    real = [(path, None if lazy else p.ndim, p.requires_grad) for path, p in layer.named_parameters()]
    found = torch_nn.parameters(name, arguments)
    assert found is not None
    assert [(p.path, None if lazy else p.ndim, p.requires_grad) for p in found] == real
    assert all(parameter.certain for parameter in found)
    assert torch_nn.has_parameters(name, arguments) is bool(real)


@pytest.mark.parametrize("freeze", [True, False])
@pytest.mark.parametrize("name", ["Embedding", "EmbeddingBag"])
def test_embedding_from_pretrained_is_frozen_as_said(name: str, freeze: bool) -> None:
    torch = pytest.importorskip("torch")
    weight = torch.zeros(5, 3)
    made = getattr(torch.nn, name).from_pretrained(weight, freeze=freeze)
    found = torch_nn.parameters(f"{name}.from_pretrained", {"embeddings": UNKNOWN, "freeze": freeze})
    assert found == (LibraryParameter("weight", 2, requires_grad=made.weight.requires_grad),)
    assert made.weight.requires_grad is not freeze


def own_arguments(function: Callable[..., Any], bound: bool = False) -> list[inspect.Parameter]:
    """List the arguments of a constructor without its ``self``."""
    return list(inspect.signature(function).parameters.values())[0 if bound else 1 :]


def test_every_class_of_torch_nn_is_known() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Module
    classes = {
        name
        for name, value in vars(torch.nn).items()
        if inspect.isclass(value) and issubclass(value, module) and value is not module
    }
    # Container has been an empty base class since 0.4; it holds what its subclass gives it.
    assert classes - {"Container"} <= torch_nn.known_names()
    from_elsewhere = {"DistributedDataParallel", "Embedding.from_pretrained", "EmbeddingBag.from_pretrained"}
    assert torch_nn.known_names() - classes == from_elsewhere


@pytest.mark.parametrize("name", sorted(torch_nn.known_names()))
def test_signatures_are_the_real_ones(name: str) -> None:
    torch = pytest.importorskip("torch")
    if name == "DistributedDataParallel":
        pytest.skip("the table holds only its first arguments")
    module = torch_nn.lookup(f"torch.nn.{name}")
    assert module is not None
    owner, _, method = name.partition(".")
    real_class = getattr(torch.nn, owner)
    if name in {"RNN", "LSTM", "GRU"}:
        # Their real constructor takes anything; the documented one is that of the common base.
        base = list(inspect.signature(torch.nn.RNNBase).parameters)[1:]
        expected = [argument for argument in base if argument != "proj_size" or name == "LSTM"]
        if name == "RNN":
            expected.insert(3, "nonlinearity")
        assert list(module.signature) == expected
        return
    signature = own_arguments(getattr(real_class, method) if method else real_class.__init__, bool(method))
    variadic = [p for p in signature if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    assert module.variadic is bool(variadic)
    assert list(module.signature) == [p.name for p in signature if p.kind is p.POSITIONAL_OR_KEYWORD]
    defaults = {p.name: p.default for p in signature if p.default is not p.empty}
    if "activation" in defaults:
        defaults["activation"] = "relu"  # the real default is the function of that name
    assert dict(module.defaults) == defaults


def test_submodules_are_the_real_ones() -> None:
    torch = pytest.importorskip("torch")
    small = {"d_model": 8, "nhead": 2, "num_encoder_layers": 1, "num_decoder_layers": 1}
    for name, parts in torch_nn.SUBMODULES.items():
        if name in {"TransformerEncoder", "TransformerDecoder"}:
            layer = getattr(torch.nn, f"{name}Layer")(8, 2)
            made = getattr(torch.nn, name)(layer, 1)
        else:
            arguments = small if name == "Transformer" else {}
            made = getattr(torch.nn, name)(*REQUIRED.get(name, ()), **arguments)
        real = {child: module for child, module in made.named_children() if child != "activation"}
        assert parts.keys() == real.keys()
        assert all(isinstance(module, getattr(torch.nn, parts[child])) for child, module in real.items())


def test_methods_that_return_the_module_do() -> None:
    torch = pytest.importorskip("torch")
    arguments: dict[str, tuple[Any, ...]] = {
        "apply": (lambda module: None,),
        "to": ("cpu",),
        "type": (torch.float32,),
    }
    devices = {"cuda", "ipu", "mtia", "xpu"}
    for name in torch_nn.MODULE_METHODS_RETURNING_SELF - devices - {"to_empty"}:
        layer = torch.nn.Linear(2, 2)
        assert getattr(layer, name)(*arguments.get(name, ())) is layer, name
    layer = torch.nn.Linear(2, 2)
    assert layer.to_empty(device="cpu") is layer
    for name in devices:
        returned = inspect.signature(getattr(torch.nn.Module, name)).return_annotation
        assert str(returned) in {"~T", "typing.Self", "Self", "T"}, name
    for name in ("zero_grad", "compile"):
        assert getattr(torch.nn.Linear(2, 2), name)() is None


@pytest.mark.parametrize(
    ("qualified_name", "name"),
    [
        ("torch.nn.Linear", "Linear"),
        ("torch.nn.modules.Linear", "Linear"),
        ("torch.nn.modules.linear.Linear", "Linear"),
        ("torch.nn.modules.linear.NonDynamicallyQuantizableLinear", "Linear"),
        ("torch.nn.modules.batchnorm.SyncBatchNorm", "SyncBatchNorm"),
        ("torch.nn.parallel.DistributedDataParallel", "DistributedDataParallel"),
        ("torch.nn.parallel.distributed.DistributedDataParallel", "DistributedDataParallel"),
        ("torch.nn.Embedding.from_pretrained", "Embedding.from_pretrained"),
        ("torch.nn.modules.sparse.Embedding.from_pretrained", "Embedding.from_pretrained"),
        ("torch.nn.quantized.Linear", None),
        ("torch.nn.functional.linear", None),
        ("torch.nn.Linear.forward", None),
        ("torch.nn.Linear.from_pretrained", None),
        ("torch.nn.Module", None),
        ("mytorch.nn.Linear", None),
        ("Linear", None),
    ],
)
def test_lookup_takes_public_and_defining_names(qualified_name: str, name: str | None) -> None:
    found = torch_nn.lookup(qualified_name)
    assert (found and found.name) == name


def test_unknown_arguments_make_parameters_uncertain() -> None:
    linear = torch_nn.parameters("Linear", {"bias": UNKNOWN})
    assert linear == (LibraryParameter("weight", 2), LibraryParameter("bias", 1, certain=False))
    assert torch_nn.parameters("LSTM", {"num_layers": UNKNOWN}) is None
    assert torch_nn.has_parameters("LSTM", {"num_layers": UNKNOWN}) is True
    assert torch_nn.parameters("Embedding.from_pretrained", {"freeze": UNKNOWN}) == (
        LibraryParameter("weight", 2, certain=False),
    )
    assert torch_nn.has_parameters("BatchNorm1d", {"affine": UNKNOWN}) is None
    assert torch_nn.has_parameters("Sequential", {}) is None
    attention = torch_nn.parameters("MultiheadAttention", {"embed_dim": UNKNOWN, "kdim": 4}) or ()
    certain = {parameter.path for parameter in attention if parameter.certain}
    assert certain == {"in_proj_bias", "out_proj.weight", "out_proj.bias"}
    plain = torch_nn.parameters("MultiheadAttention", {"embed_dim": UNKNOWN}) or ()
    assert all(parameter.certain for parameter in plain)
    assert torch_nn.parameters("LayerNorm", {"normalized_shape": UNKNOWN}) == (
        LibraryParameter("weight", None),
        LibraryParameter("bias", None),
    )


def test_there_is_one_unknown() -> None:
    assert repr(UNKNOWN) == "UNKNOWN"
    assert torch_nn.UNKNOWN is UNKNOWN


def test_the_tables_import_no_framework() -> None:
    program = (
        "import sys\n"
        "from optlint.semantics.libraries import torch_nn\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'torch', 'keras', 'tensorflow', 'numpy', 'libcst'}, loaded\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(sys.path)})
