"""The library tables against the real frameworks: each claim is checked where torch or keras is installed.

What needs a framework is skipped without it; the rest (names, aliases, unknown arguments) runs everywhere.
"""

from __future__ import annotations

import contextlib
import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from optlint.semantics.libraries import keras_layers, model_zoo, optimizers, tensor_ops, torch_nn
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


def test_attributes_of_every_module() -> None:
    torch = pytest.importorskip("torch")
    assert {name for name in dir(torch.nn.Module()) if not name.startswith("_")} == torch_nn.MODULE_ATTRIBUTES
    assert not any(map(torch_nn.is_own_name, dir(torch.nn.Module())))


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


# --- optimizers ---


@pytest.mark.parametrize("name", sorted(optimizers.TORCH_OPTIMIZERS))
def test_torch_optimizers_have_the_real_signature_and_refuse_an_empty_list(name: str) -> None:
    torch = pytest.importorskip("torch")
    real = getattr(torch.optim, name)
    arguments = [p.name for p in own_arguments(real.__init__) if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert list(optimizers.TORCH_OPTIMIZERS[name]) == arguments
    more: tuple[Any, ...] = ({},) if name == "Optimizer" else ()
    with pytest.raises(ValueError, match="optimizer got an empty parameter list"):
        real([], *more)


def test_every_optimizer_and_scheduler_of_torch_is_known() -> None:
    torch = pytest.importorskip("torch")
    base = torch.optim.Optimizer
    classes = {n for n, c in vars(torch.optim).items() if inspect.isclass(c) and issubclass(c, base)}
    assert classes == optimizers.TORCH_OPTIMIZERS.keys()
    schedulers = vars(torch.optim.lr_scheduler)
    base = torch.optim.lr_scheduler.LRScheduler
    assert {n for n, c in schedulers.items() if inspect.isclass(c) and issubclass(c, base)} == (
        optimizers.TORCH_SCHEDULERS
    )


@pytest.mark.parametrize(
    ("qualified_name", "canonical", "framework"),
    [
        ("torch.optim.Adam", "torch.optim.Adam", "torch"),
        ("torch.optim.adam.Adam", "torch.optim.Adam", "torch"),
        ("torch.optim._muon.Muon", "torch.optim.Muon", "torch"),
        ("torch.optim.optimizer.Optimizer", "torch.optim.Optimizer", "torch"),
        ("timm.optim.Lamb", "timm.optim.Lamb", "torch"),
        ("timm.optim.lamb.Lamb", "timm.optim.Lamb", "torch"),
        ("transformers.optimization.AdamW", "transformers.AdamW", "torch"),
        ("came_pytorch.CAME.CAME", "came_pytorch.CAME", "torch"),
        ("bitsandbytes.optim.PagedAdamW8bit", "bitsandbytes.optim.PagedAdamW8bit", "torch"),
        ("keras.optimizers.Adam", "keras.optimizers.Adam", "keras"),
        ("keras.src.optimizers.adam.Adam", "keras.src.optimizers.Adam", "keras"),
        ("tensorflow.keras.optimizers.legacy.SGD", "tensorflow.keras.optimizers.SGD", "keras"),
        ("tensorflow_addons.optimizers.LAMB", "tensorflow_addons.optimizers.LAMB", "keras"),
        ("tensorflow.train.AdamOptimizer", "tensorflow.train.AdamOptimizer", "tf1"),
        ("mylib.optim.Best", "mylib.optim.Best", "torch"),
    ],
)
def test_optimizers_go_by_their_canonical_name(qualified_name: str, canonical: str, framework: str) -> None:
    found = optimizers.optimizer_class(qualified_name, frozenset({"mylib.optim.Best"}))
    assert found is not None
    assert (found.qualified_name, found.framework) == (canonical, framework)
    assert found.checks_empty is (framework == "torch" and not qualified_name.startswith("mylib"))


@pytest.mark.parametrize(
    "qualified_name",
    [
        "torch.optim.lr_scheduler.StepLR",
        "torch.optim.Adams",
        "timm.optim.Lookahead",
        "pytorch_optimizer.LOMO",
        "keras.optimizers.schedules.ExponentialDecay",
        "mylib.optim.Adam",
        "Adam",
        "tensorflow.train.Saver",
    ],
)
def test_other_things_are_no_optimizer(qualified_name: str) -> None:
    assert optimizers.optimizer_class(qualified_name, frozenset()) is None


def test_first_arguments_of_other_packages() -> None:
    cpu = optimizers.optimizer_class("deepspeed.ops.adam.DeepSpeedCPUAdam")
    assert cpu is not None
    assert cpu.signature == ("model_params",)
    sharded = optimizers.optimizer_class(
        "torch.distributed.optim.zero_redundancy_optimizer.ZeroRedundancyOptimizer"
    )
    assert sharded is not None
    assert sharded.signature == ("params", "optimizer_class")


@pytest.mark.parametrize(
    ("qualified_name", "expected"),
    [
        ("torch.optim.lr_scheduler.OneCycleLR", True),
        ("torch.optim.swa_utils.SWALR", True),
        ("transformers.get_linear_schedule_with_warmup", True),
        ("transformers.optimization.get_cosine_schedule_with_warmup", True),
        ("transformers.get_scheduler", True),
        ("diffusers.optimization.get_scheduler", True),
        ("timm.scheduler.cosine_lr.CosineLRScheduler", True),
        ("timm.scheduler.create_scheduler", False),
        ("transformers.get_logger", False),
        ("torch.optim.Adam", False),
        ("torch.optim.lr_scheduler.warnings", False),
    ],
)
def test_schedulers(qualified_name: str, expected: bool) -> None:
    assert optimizers.is_scheduler(qualified_name) is expected


def test_keras_and_tensorflow_optimizers_are_the_real_ones() -> None:
    keras = pytest.importorskip("keras")
    tensorflow = pytest.importorskip("tensorflow")
    base = keras.optimizers.Optimizer
    wrappers = {"LossScaleOptimizer", "MultiOptimizer"}
    real = {n for n, c in vars(keras.optimizers).items() if inspect.isclass(c) and issubclass(c, base)}
    assert real - wrappers == optimizers.KERAS_OPTIMIZERS
    for name in sorted(optimizers.KERAS_OPTIMIZERS - {"Optimizer"}):
        assert next(iter(inspect.signature(getattr(keras.optimizers, name)).parameters)) == "learning_rate"
    train = tensorflow.compat.v1.train
    base = train.Optimizer
    real = {
        n for n in dir(train) if inspect.isclass(getattr(train, n)) and issubclass(getattr(train, n), base)
    }
    assert real - {"SyncReplicasOptimizer"} == optimizers.TF1_OPTIMIZERS
    for name in sorted(optimizers.TF1_OPTIMIZERS):
        found = optimizers.optimizer_class(f"tensorflow.compat.v1.train.{name}")
        assert found is not None
        assert own_arguments(getattr(train, name).__init__)[0].name == found.signature[0]


# --- tensor operations ---


def found_by_name(qualified_name: str) -> Any:
    """Return the object of torch with that name."""
    torch = pytest.importorskip("torch")
    value: Any = torch
    for part in qualified_name.split(".")[1:]:
        value = getattr(value, part)
    return value


def operands(name: str) -> list[tuple[Any, ...]]:
    """Arguments with which an operation on a 2 by 2 tensor may work, the first that does is taken."""
    torch = pytest.importorskip("torch")
    other = torch.ones(2, 2)
    if name in {"multinomial", "one_hot"}:
        return [(1,)] if name == "multinomial" else [()]
    if name == "unflatten":
        return [(0, (1, 2))]
    if name == "narrow":
        return [(0, 0, 1)]
    if name == "flip":
        return [((0,),)]
    return [(), (other,), (0,), (1,), (2, 2), (0, 1), ((2, 2),), (other[0],)]


def applied(function: Callable[..., Any], value: Any, name: str) -> Any:
    """Apply an operation with the first operands that it takes."""
    for arguments in operands(name):
        with contextlib.suppress(TypeError, RuntimeError, IndexError, ValueError):
            return function(value, *arguments)
    raise AssertionError(f"{name} takes none of the operands")


def weights() -> Any:
    """A leaf that requires grad, with values that are neither whole nor above one."""
    torch = pytest.importorskip("torch")
    return torch.tensor([[0.3, 0.4], [0.6, 0.9]], requires_grad=True)


INTEGERS_ONLY = {"bincount", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "one_hot"}


def test_detaching_operations_leave_the_graph() -> None:
    torch = pytest.importorskip("torch")
    leaf = weights()
    for name in tensor_ops.DETACHING_METHODS - {"item", "tolist", "numpy", "new_tensor"}:
        assert not getattr(leaf * 2, name)().requires_grad
    assert not leaf.new_tensor(leaf * 2).requires_grad
    assert isinstance((leaf * 2).tolist()[0][0], float)
    assert isinstance(leaf.sum().item(), float)
    with pytest.raises(RuntimeError, match="requires grad"):
        (leaf * 2).numpy()
    for name in tensor_ops.DETACHING_ATTRIBUTES:
        assert not getattr(leaf * 2, name).requires_grad
    for name in tensor_ops.DETACHING_FUNCTIONS:
        assert not found_by_name(name)(leaf * 2).requires_grad, name
    assert torch.as_tensor(leaf * 2).requires_grad
    assert torch.asarray(leaf * 2).requires_grad


@pytest.mark.parametrize("name", sorted(tensor_ops.NON_DIFFERENTIABLE_METHODS))
def test_non_differentiable_methods_give_no_grad_fn(name: str) -> None:
    leaf = weights()
    value = leaf.detach().long().flatten() if name in INTEGERS_ONLY else leaf * 1
    assert not applied(lambda tensor, *rest: getattr(tensor, name)(*rest), value, name).requires_grad


@pytest.mark.parametrize("name", sorted(tensor_ops.NON_DIFFERENTIABLE_FUNCTIONS))
def test_non_differentiable_functions_give_no_grad_fn(name: str) -> None:
    leaf, last = weights(), name.rsplit(".", 1)[-1]
    value = leaf.detach().long().flatten() if last in INTEGERS_ONLY else leaf * 1
    assert not applied(found_by_name(name), value, last).requires_grad


@pytest.mark.parametrize("name", sorted(tensor_ops.ZERO_GRADIENT_FUNCTIONS))
def test_zero_gradient_operations_give_zeros(name: str) -> None:
    last = name.rsplit(".", 1)[-1]
    leaf = weights()
    found_by_name(name)(leaf * 1).sum().backward()
    assert not leaf.grad.any()
    if last in tensor_ops.ZERO_GRADIENT_METHODS:
        leaf = weights()
        getattr(leaf * 1, last)().sum().backward()
        assert not leaf.grad.any()


@pytest.mark.parametrize("name", sorted(tensor_ops.NO_DERIVATIVE_FUNCTIONS))
def test_operations_without_a_derivative_raise_in_backward(name: str) -> None:
    last = name.rsplit(".", 1)[-1]
    for function in (found_by_name(name), lambda tensor, *rest: getattr(tensor, last)(*rest)):
        result = applied(function, weights() * 1, last)
        with pytest.raises((RuntimeError, NotImplementedError), match="derivative"):
            result.sum().backward()


def test_every_method_without_a_gradient_is_in_a_table() -> None:
    torch = pytest.importorskip("torch")
    known = (
        tensor_ops.DETACHING_METHODS
        | tensor_ops.NON_DIFFERENTIABLE_METHODS
        | tensor_ops.SHAPE_METHODS
        | {"hash_tensor", "module_load", "const_data_ptr", "is_distributed", "type", "new"}
    )
    missing = set()
    for name in dir(torch.Tensor):
        if name.startswith(("_", "new_")) or name.endswith("_") or name in {"imag", "grad_dtype"}:
            continue
        if not callable(getattr(weights(), name)) or name in {"register_hook", "backward", "retain_grad"}:
            continue
        try:
            result = getattr(weights() * 1, name)()
        except (RuntimeError, TypeError, AssertionError, ValueError):
            continue
        results = result if isinstance(result, tuple) else (result,)
        if not any(isinstance(part, torch.Tensor) and part.requires_grad for part in results):
            missing.add(name)
    assert missing <= known


def test_shape_methods_and_attributes_are_no_tensors() -> None:
    torch = pytest.importorskip("torch")
    for name in tensor_ops.SHAPE_METHODS:
        result = applied(lambda tensor, *rest, name=name: getattr(tensor, name)(*rest), weights(), name)
        assert not isinstance(result, torch.Tensor), name
    for name in tensor_ops.SHAPE_ATTRIBUTES:
        assert not isinstance(getattr(weights(), name), torch.Tensor), name
        assert not callable(getattr(weights(), name)), name


def test_fresh_tensors_take_requires_grad_as_said() -> None:
    torch = pytest.importorskip("torch")
    made: dict[str, tuple[Any, ...]] = {
        "arange": (3.0,),
        "empty_strided": ((2, 2), (2, 1)),
        "eye": (2,),
        "frombuffer": (bytearray(8),),
        "from_numpy": (pytest.importorskip("numpy").zeros(2),),
        "full": ((2, 2), 0.5),
        "full_like": (torch.zeros(2), 0.5),
        "linspace": (0.0, 1.0, 3),
        "logspace": (0.0, 1.0, 3),
        "normal": (0.0, 1.0, (2, 2)),
        "randint": (3, (2, 2)),
        "randint_like": (torch.zeros(2), 3),
        "range": (0.0, 1.0),
        "scalar_tensor": (1.0,),
        "tensor": ([1.0, 2.0],),
        "tril_indices": (2, 2),
        "triu_indices": (2, 2),
    }
    for name, takes in tensor_ops.FRESH_TENSOR_FUNCTIONS.items():
        last = name.rsplit(".", 1)[-1]
        function = found_by_name(name)
        if last == "from_file" or name.startswith("torch.cuda."):
            assert function is not None
            continue
        arguments = made.get(last, (torch.zeros(2),) if last.endswith("_like") else (2,))
        more = {"dtype": torch.float32} if last in {"frombuffer", "randint", "randperm"} else {}
        assert not function(*arguments, **more).requires_grad, name
        if takes:
            assert function(*arguments, requires_grad=True, **more).requires_grad, name
        else:
            with pytest.raises((TypeError, RuntimeError)):
                function(*arguments, requires_grad=True)


def test_methods_that_may_return_the_tensor_itself() -> None:
    torch = pytest.importorskip("torch")
    typed = {"double": torch.float64, "half": torch.float16, "bfloat16": torch.bfloat16}
    arguments: dict[str, tuple[Any, ...]] = {
        "to": (torch.float32,),
        "type": (torch.float32,),
        "type_as": (torch.zeros(2),),
        "sum_to_size": (2,),
    }
    for name in tensor_ops.SELF_RETURNING_WHEN_UNCHANGED - {"cuda"}:
        tensor = torch.zeros(2, dtype=typed.get(name, torch.float32), requires_grad=True)
        assert getattr(tensor, name)(*arguments.get(name, ())) is tensor, name
    for name in tensor_ops.SELF_RETURNING_METHODS:
        tensor = torch.zeros(2, requires_grad=True)
        assert getattr(tensor, name)() is tensor, name
    moved = torch.zeros(2, requires_grad=True).double()
    assert not moved.is_leaf


@pytest.mark.parametrize("name", sorted(tensor_ops.NON_LEAF_METHODS))
def test_results_are_no_leaves(name: str) -> None:
    result = applied(lambda tensor, *rest: getattr(tensor, name)(*rest), weights(), name)
    first = result[0] if isinstance(result, (tuple, list)) else result
    assert not first.is_leaf
    assert first.requires_grad


@pytest.mark.parametrize("name", sorted(tensor_ops.NON_LEAF_FUNCTIONS))
def test_results_of_functions_are_no_leaves(name: str) -> None:
    function, last = found_by_name(name), name.rsplit(".", 1)[-1]
    if last in {"cat", "column_stack", "concat", "concatenate", "hstack", "stack", "vstack"}:
        result = function([weights(), weights()])
    elif last == "interpolate":
        result = function(weights()[None, None], scale_factor=1)
    elif last == "pad":
        result = function(weights(), (0, 0))
    else:
        result = applied(function, weights(), last)
    first = result[0] if isinstance(result, (tuple, list)) else result
    assert not first.is_leaf
    assert first.requires_grad


def test_what_results_share_and_keep() -> None:
    torch = pytest.importorskip("torch")
    for name in sorted(tensor_ops.NON_LEAF_METHODS | tensor_ops.SAVING & set(dir(torch.nn.functional))):
        leaf = weights()
        function = getattr(torch.Tensor, name, None) or getattr(torch.nn.functional, name)
        result = applied(function, leaf, name)
        first = result[0] if isinstance(result, (tuple, list)) else result
        before = first.detach().clone()
        with torch.no_grad():
            leaf.mul_(0.5)
        follows = not torch.equal(before, first.detach())
        assert follows == (name in tensor_ops.SHARING), name
        first = applied(function, weights(), name)
        first = first[0] if isinstance(first, (tuple, list)) else first
        first.sum().backward()
        keeps = False
        try:
            first.sum().backward()
        except RuntimeError:
            keeps = True
        assert keeps == (name in tensor_ops.SAVING), name


def test_leaves_refuse_what_writes_into_them() -> None:
    torch = pytest.importorskip("torch")
    other = torch.zeros(2, 2)
    given: dict[str, tuple[Any, ...]] = {
        **dict.fromkeys(
            [
                "fill",
                "geometric",
                "add",
                "sub",
                "mul",
                "div",
                "clamp",
                "clamp_min",
                "clamp_max",
                "pow",
                "unsqueeze",
            ],
            (0.5,),
        ),
        "unsqueeze": (0,),
        "copy": (other,),
        "masked_fill": (other > 0, 1.0),
        "index_fill": (0, torch.tensor([0]), 1.0),
        "transpose": (0, 1),
    }
    for name in tensor_ops.IN_PLACE_METHODS:
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            getattr(weights(), name)(*given.get(name.rstrip("_"), ()))


def test_initialisers_return_their_argument() -> None:
    torch = pytest.importorskip("torch")
    arguments: dict[str, tuple[Any, ...]] = {"constant_": (0.5,), "sparse_": (0.5,)}
    real = {f"torch.nn.init.{n}" for n in dir(torch.nn.init) if n.endswith("_") and not n.startswith("_")}
    assert real == tensor_ops.IN_PLACE_INIT_FUNCTIONS
    for name in tensor_ops.IN_PLACE_INIT_FUNCTIONS:
        last = name.rsplit(".", 1)[-1]
        tensor = torch.zeros(2, 2, 2, requires_grad=True) if last == "dirac_" else weights()
        assert found_by_name(name)(tensor, *arguments.get(last, ())) is tensor
        assert tensor.is_leaf


def test_grad_modes_switch_the_graph() -> None:
    torch = pytest.importorskip("torch")
    leaf = weights()
    for name in tensor_ops.NO_GRAD_CONTEXTS:
        with found_by_name(name)():
            assert not (leaf * 2).requires_grad
    for name in tensor_ops.GRAD_CONTEXTS:
        with torch.no_grad(), found_by_name(name)():
            assert (leaf * 2).requires_grad
    for name in tensor_ops.GRAD_SWITCHES:
        with found_by_name(name)(False):
            assert not (leaf * 2).requires_grad


# --- ready-made models ---


@pytest.mark.parametrize(
    ("qualified_name", "arguments", "family", "head", "pretrained"),
    [
        ("torchvision.models.resnet18", {}, "torchvision.resnet", "fc", False),
        ("torchvision.models.resnet.resnet50", {"weights": "DEFAULT"}, "torchvision.resnet", "fc", True),
        ("torchvision.models.vgg16", {"pretrained": True}, "torchvision.vgg", "classifier", True),
        ("torchvision.models.vgg16", {"weights": UNKNOWN}, "torchvision.vgg", "classifier", None),
        ("torchvision.models.vit_b_16", {"weights": None}, "torchvision.vit", "heads.head", False),
        ("torchvision.models.swin_t", {}, "torchvision.swin", "head", False),
        ("torchvision.models.get_model", {"name": "resnet18"}, "torchvision.resnet", "fc", False),
        (
            "torchvision.models.detection.fasterrcnn_resnet50_fpn",
            {},
            "torchvision.fasterrcnn",
            "roi_heads.box_predictor",
            None,
        ),
        ("timm.create_model", {"model_name": "resnet50", "pretrained": True}, "timm", "fc", True),
        ("timm.create_model", {"model_name": "resnet50", "num_classes": 0}, "timm", "", False),
        ("timm.create_model", {"model_name": UNKNOWN}, "timm", "", False),
        ("transformers.AutoModel.from_pretrained", {}, "transformers", "", True),
        ("transformers.BertModel", {}, "transformers", "", False),
        ("transformers.models.bert.modeling_bert.BertModel", {}, "transformers", "", False),
        (
            "transformers.BertForSequenceClassification.from_pretrained",
            {},
            "transformers",
            "classifier",
            True,
        ),
        ("transformers.GPT2LMHeadModel.from_pretrained", {}, "transformers", "lm_head", True),
        ("transformers.AutoModelForCausalLM.from_config", {}, "transformers", "", False),
        ("diffusers.UNet2DModel", {}, "diffusers", "", False),
        (
            "torch.hub.load",
            {"repo_or_dir": "pytorch/vision:v0.10.0", "model": "resnet18", "pretrained": True},
            "torchvision.resnet",
            "fc",
            True,
        ),
        (
            "segmentation_models_pytorch.Unet",
            {},
            "segmentation_models_pytorch",
            "segmentation_head",
            None,
        ),
        (
            "efficientnet_pytorch.EfficientNet.from_pretrained",
            {},
            "efficientnet_pytorch",
            "_fc",
            True,
        ),
    ],
)
def test_ready_made_models(
    qualified_name: str, arguments: dict[str, object], family: str, head: str, pretrained: bool | None
) -> None:
    found = model_zoo.library_model(qualified_name, arguments)
    assert found is not None
    assert (found.family, ".".join(found.heads), found.pretrained) == (family, head, pretrained)


@pytest.mark.parametrize(
    "qualified_name",
    [
        "torchvision.transforms.Resize",
        "torchvision.models.ResNet50_Weights",
        "torchvision.models.detection.backbone_utils.resnet_fpn_backbone",
        "timm.optim.create_optimizer",
        "timm.data.create_dataset",
        "transformers.AutoTokenizer.from_pretrained",
        "transformers.AutoConfig.from_pretrained",
        "transformers.DataCollatorForLanguageModeling",
        "transformers.TFBertModel.from_pretrained",
        "transformers.TrainingArguments",
        "transformers.get_linear_schedule_with_warmup",
        "torch.hub.load",
        "torch.nn.Linear",
        "segmentation_models_pytorch.losses.DiceLoss",
        "diffusers.DDPMScheduler",
        "mylib.resnet18",
        "torchvision",
    ],
)
def test_other_things_are_no_models(qualified_name: str) -> None:
    assert model_zoo.library_model(qualified_name, {}) is None


def test_heads_and_children_of_torchvision_are_the_real_ones() -> None:
    torch = pytest.importorskip("torch")
    models = pytest.importorskip("torchvision").models
    for name in ("alexnet", "resnet18", "mobilenet_v2", "vgg11", "vit_b_16", "swin_t", "squeezenet1_0"):
        found = model_zoo.library_model(f"torchvision.models.{name}", {})
        assert found is not None
        with torch.device("meta"):
            model = getattr(models, name)()
        assert {child for child, _ in model.named_children()} == set(found.children)
        head = model
        for part in found.heads:
            head = getattr(head, part)
        assert list(head.parameters())


# --- Keras ---

# Arguments and input shape with which each layer can be built; those not named take none and 2 by 8.
KERAS_BUILDS: dict[str, tuple[dict[str, Any], Any]] = {
    "AdditiveAttention": ({}, [(2, 3, 4), (2, 3, 4)]),
    "Attention": ({}, [(2, 3, 4), (2, 3, 4)]),
    "ConvLSTM1D": ({"filters": 2, "kernel_size": 2}, (2, 3, 8, 3)),
    "ConvLSTM2D": ({"filters": 2, "kernel_size": 2}, (2, 3, 8, 8, 3)),
    "ConvLSTM3D": ({"filters": 2, "kernel_size": 2}, (2, 3, 8, 8, 8, 3)),
    "Dense": ({"units": 3}, (2, 8)),
    "DepthwiseConv1D": ({"kernel_size": 2}, (2, 8, 3)),
    "DepthwiseConv2D": ({"kernel_size": 2}, (2, 8, 8, 3)),
    "EinsumDense": ({"equation": "ab,bc->ac", "output_shape": 4}, (2, 8)),
    "Embedding": ({"input_dim": 5, "output_dim": 3}, (2, 8)),
    "GRU": ({"units": 3}, (2, 4, 8)),
    "GRUCell": ({"units": 3}, (2, 8)),
    "GroupNormalization": ({"groups": 2}, (2, 8)),
    "GroupQueryAttention": (
        {"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1},
        [(2, 3, 4), (2, 3, 4)],
    ),
    "LSTM": ({"units": 3}, (2, 4, 8)),
    "LSTMCell": ({"units": 3}, (2, 8)),
    "MultiHeadAttention": ({"num_heads": 2, "key_dim": 2}, [(2, 3, 4), (2, 3, 4)]),
    "ReversibleEmbedding": ({"input_dim": 5, "output_dim": 3}, (2, 8)),
    "STFTSpectrogram": ({"frame_length": 8, "frame_step": 4, "fft_length": 8}, (2, 32)),
    "SimpleRNN": ({"units": 3}, (2, 4, 8)),
    "SimpleRNNCell": ({"units": 3}, (2, 8)),
}

for _dimensions in (1, 2, 3):
    _shape = (2, *(8,) * _dimensions, 3)
    for _name in ("Conv{}D", "Conv{}DTranspose", "Convolution{}D", "Convolution{}DTranspose"):
        KERAS_BUILDS[_name.format(_dimensions)] = ({"filters": 2, "kernel_size": 2}, _shape)
    for _name in ("SeparableConv{}D", "SeparableConvolution{}D"):
        KERAS_BUILDS[_name.format(_dimensions)] = ({"filters": 2, "kernel_size": 2}, _shape)

KERAS_VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("AdditiveAttention", {"use_scale": False}),
    ("Attention", {"use_scale": True}),
    ("Attention", {"score_mode": "concat"}),
    ("BatchNormalization", {"center": False}),
    ("BatchNormalization", {"center": False, "scale": False}),
    ("Dense", {"use_bias": False}),
    ("GroupNormalization", {"center": False, "scale": False}),
    ("LayerNormalization", {"center": False, "scale": False}),
    ("LayerNormalization", {"scale": False}),
]


def built(name: str, more: dict[str, Any]) -> Any:
    """Build a layer of the real Keras."""
    keras = pytest.importorskip("keras")
    if name == "STFTSpectrogram":
        pytest.importorskip("scipy")
    arguments, shape = KERAS_BUILDS.get(name, ({}, (2, 8)))
    made = getattr(keras.layers, name)(**arguments, **more)
    made.build(*shape) if name in {"GroupQueryAttention", "MultiHeadAttention"} else made.build(shape)
    return made


def keras_cases() -> list[tuple[str, dict[str, Any]]]:
    """Every layer that a test can build by itself, then those whose arguments decide."""
    names = {*KERAS_BUILDS, "BatchNormalization", "LayerNormalization", "PReLU", "RMSNormalization"}
    plain: list[tuple[str, dict[str, Any]]] = [(n, {}) for n in sorted(names & keras_layers.known_layers())]
    return plain + KERAS_VARIANTS


@pytest.mark.parametrize(("name", "arguments"), keras_cases())
def test_keras_layers_have_the_weights_that_the_table_says(name: str, arguments: dict[str, Any]) -> None:
    layer = built(name, arguments)
    assert layer.weights or not layer.trainable_weights
    assert keras_layers.has_weights(name, arguments) is bool(layer.trainable_weights)


def test_keras_layers_without_weights_have_none() -> None:
    keras = pytest.importorskip("keras")
    required: dict[str, tuple[Any, ...]] = {
        "Activation": ("relu",),
        "CategoryEncoding": (4,),
        "CenterCrop": (2, 2),
        "Discretization": ([0.0, 1.0],),
        "Dot": (1,),
        "Dropout": (0.1,),
        "Equalization": (),
        "GaussianDropout": (0.1,),
        "GaussianNoise": (0.1,),
        "HashedCrossing": (3,),
        "Hashing": (3,),
        "InputLayer": ((3,),),
        "Lambda": (abs,),
        "MaxNumBoundingBoxes": (3,),
        "Permute": ((1, 2),),
        "RandomCrop": (2, 2),
        "RepeatVector": (2,),
        "Rescaling": (0.5,),
        "Reshape": ((2, 2),),
        "Resizing": (2, 2),
    }
    guesses: tuple[tuple[Any, ...], ...] = ((), (2,), (0.1,), ((2,),), (0.1, 0.1))
    for name in sorted(keras_layers.known_layers()):
        if keras_layers.has_weights(name, {}) is not False or not hasattr(keras.layers, name):
            continue
        if name in {"Attention", "AdditiveAttention"}:
            continue
        made = None
        for arguments in (required[name],) if name in required else guesses:
            with contextlib.suppress(TypeError, ValueError):
                made = made or getattr(keras.layers, name)(*arguments)
        assert made is not None, name
        with contextlib.suppress(Exception):  # some check the shape of their input here
            made.build((2, 8, 8, 3))
        assert not made.trainable_weights, name


def test_every_keras_layer_is_known() -> None:
    keras = pytest.importorskip("keras")
    base = keras.layers.Layer
    real = {n for n, c in vars(keras.layers).items() if inspect.isclass(c) and issubclass(c, base)}
    assert real <= keras_layers.known_layers()
    # What only Keras 2 has.
    assert keras_layers.known_layers() - real == {
        "AbstractRNNCell",
        "CuDNNGRU",
        "CuDNNLSTM",
        "DenseFeatures",
        "LocallyConnected1D",
        "LocallyConnected2D",
        "RandomHeight",
        "RandomWidth",
        "SyncBatchNormalization",
        "ThresholdedReLU",
    }
    wrappers = {n for n in real if issubclass(getattr(keras.layers, n), keras.layers.Wrapper)}
    known = {n for n in real if (found := keras_layers.layer(f"keras.layers.{n}")) and found.wraps}
    assert known == wrappers | {"Bidirectional", "Pipeline", "RNN", "StackedRNNCells"}


def test_keras_applications_are_the_real_ones() -> None:
    keras = pytest.importorskip("keras")
    real = {
        name: tuple(inspect.signature(value).parameters)
        for name, value in vars(keras.applications).items()
        if name[0].isupper() and callable(value)
    }
    assert dict(keras_layers.APPLICATIONS) == real


@pytest.mark.parametrize(
    ("qualified_name", "name"),
    [
        ("keras.layers.Dense", "Dense"),
        ("tensorflow.keras.layers.Dense", "Dense"),
        ("tf_keras.layers.Dense", "Dense"),
        ("tf_keras.src.layers.core.dense.Dense", "Dense"),
        ("keras.src.layers.core.dense.Dense", "Dense"),
        ("tensorflow.python.keras.layers.core.Dense", "Dense"),
        ("tensorflow.keras.layers.experimental.preprocessing.Resizing", "Resizing"),
        ("keras.layers.convolutional.Conv2D", "Conv2D"),
        ("keras.Layer", "Layer"),
        ("keras.engine.base_layer.Layer", "Layer"),
        ("keras.layers.Unheard", None),
        ("keras.Dense", None),
        ("keras.models.Sequential", None),
        ("keras.layers", None),
        ("mykeras.layers.Dense", None),
    ],
)
def test_keras_layers_by_any_of_their_names(qualified_name: str, name: str | None) -> None:
    found = keras_layers.layer(qualified_name)
    assert (found and found.name) == name


def test_keras_arguments_that_are_not_known_decide_nothing() -> None:
    assert keras_layers.has_weights("BatchNormalization", {"center": UNKNOWN, "scale": False}) is None
    assert keras_layers.has_weights("BatchNormalization", {"center": None, "scale": True}) is True
    assert keras_layers.has_weights("Attention", {"score_mode": UNKNOWN}) is None
    assert keras_layers.has_weights("Bidirectional", {}) is None
    assert keras_layers.has_weights("Unheard", {}) is None
    assert keras_layers.KERAS_PREFIXES["tf_keras"] == {2}


# --- all tables ---


def test_the_tables_import_no_framework() -> None:
    program = (
        "import sys\n"
        "from optlint.semantics.libraries import keras_layers, model_zoo, optimizers, tensor_ops, torch_nn\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'torch', 'keras', 'tensorflow', 'numpy'}, loaded\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(sys.path)})
