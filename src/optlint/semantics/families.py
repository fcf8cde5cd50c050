"""Which family a class belongs to: torch module, optimizer, Keras model or layer, Lightning, autograd function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics.libraries import keras_layers, keras_names, optimizers, torch_nn
from optlint.semantics.values import Instance, LibraryClass, UserClass, Value

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_LIGHTNING = ("lightning.", "pytorch_lightning.")
_KERAS_MODELS = frozenset({"Model", "Sequential", "Functional"})


def is_torch_module_name(name: str, extra: frozenset[str] = frozenset()) -> bool:
    """Whether a library class is an ``nn.Module``."""
    if name in extra or (name.startswith("torch.nn.") and torch_nn.lookup(name) is not None):
        return True
    if name in ("torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module"):
        return True
    return is_lightning_module_name(name) or is_plain_module_base(name)


#: Base classes of other libraries that are an ``nn.Module`` and register nothing by themselves.
_PLAIN_BASES = (
    ("transformers.", "PreTrainedModel"), ("diffusers.", "ModelMixin"), ("torch_geometric.nn.", "MessagePassing"),
    ("stable_baselines3.", "BaseFeaturesExtractor"), ("mmcv.", "BaseModule"), ("mmengine.", "BaseModule"),
    ("gpytorch.", "Module"), ("pyro.nn.", "PyroModule"),
)  # fmt: skip


def is_plain_module_base(name: str) -> bool:
    """Whether a class of another library is a base for modules, with nothing of its own inside."""
    return any(name.startswith(library) and name.endswith(last) for library, last in _PLAIN_BASES)


def is_lightning_module_name(name: str) -> bool:
    """Whether a library class is a ``LightningModule``."""
    return name.startswith(_LIGHTNING) and name.endswith("LightningModule")


def is_module_class(it: Interpreter, cls: Value) -> bool:
    """Whether instances of a class are ``nn.Module`` objects, so far as that can be seen."""
    if isinstance(cls, LibraryClass):
        return cls.qualified_name.startswith("torch.") or cls.qualified_name.startswith("optlint.module.")
    if isinstance(cls, UserClass):
        cached = cls.slots.get("#is_module")
        if cached is None:
            cached = any(is_torch_module_name(n, it.extra_modules) for n in cls.library_bases())
            cls.slots["#is_module"] = cached
        return bool(cached)
    return False


def is_module(it: Interpreter, value: Value) -> bool:
    """Whether a value is an ``nn.Module`` object."""
    return isinstance(value, Instance) and is_module_class(it, value.cls)


def is_plain_module(it: Interpreter, value: Instance) -> bool:
    """Whether an object's attributes are those of ``nn.Module`` and of the user's classes, and all are known."""
    bases = value.cls.library_bases() if isinstance(value.cls, UserClass) else ()
    known = ("torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module")
    others = ("builtins.object", "abc.ABC", "typing.Generic")
    return (
        any(base in known for base in bases)
        and all(base in known or base in others for base in bases)
        and not value.open
        and isinstance(value.cls, UserClass)
        and not value.cls.has_unknown_base()
    )


def is_lightning(cls: Value) -> bool:
    """Whether a class is a LightningModule."""
    return isinstance(cls, UserClass) and any(is_lightning_module_name(n) for n in cls.library_bases())


def is_optimizer_class(it: Interpreter, cls: UserClass) -> bool:
    """Whether a class of the user's derives from a torch optimizer."""
    for base in cls.library_bases():
        known = optimizers.optimizer_class(base, it.extra_optimizers)
        if base == "torch.optim.Optimizer" or base == "torch.optim.optimizer.Optimizer":
            return True
        if known is not None and known.framework == "torch":
            return True
    return False


def keras_kind(cls: Value) -> str | None:
    """``model``, ``layer`` or None for a class."""
    if isinstance(cls, LibraryClass):
        if not cls.qualified_name.startswith("keras."):
            return None
        return "model" if cls.name in _KERAS_MODELS or cls.qualified_name.startswith("keras.app") else "layer"
    if isinstance(cls, UserClass):
        for base in cls.library_bases():
            kind = keras_library_kind(base)
            if kind is not None:
                return kind
    return None


def keras_library_kind(name: str) -> str | None:
    """``model`` or ``layer`` for the qualified name of a library class, None for any other."""
    generic = keras_names.canonical(name)
    if generic is None:
        return None
    last = generic.rsplit(".", 1)[-1]
    if last in _KERAS_MODELS and not generic.startswith("keras.layers."):
        return "model"
    if last == "Layer" or keras_layers.layer(name) is not None:
        return "layer"
    return None
