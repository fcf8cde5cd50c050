"""peft: what adapters do to a model: the base is frozen in place, adapter weights are put beside its layers.

``frameworks`` calls it. Where the layers that get an adapter cannot be told, the model holds more than is known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from optlint.semantics import attributes, calls, events, expressions, families, identity
from optlint.semantics.libraries import torch_modules
from optlint.semantics.libraries.peft_injection import (
    ACTIVE,
    ADAPTER_LAYER,
    SAVED_MODULE,
    Injection,
    adapter_leaves,
    adapter_somewhere,
    freeze,
    unload,
)
from optlint.semantics.values import (
    FALSE,
    NONE,
    UNKNOWN,
    Arguments,
    Const,
    Instance,
    LibraryClass,
    Method,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_HARMLESS = frozenset(
    """
    print_trainable_parameters get_nb_trainable_parameters save_pretrained push_to_hub disable_adapter
    create_or_update_model_card enable_input_require_grads gradient_checkpointing_disable
    """.split()
)
PEFT_MODEL = "torch.nn.PeftModel"


def is_configuration_name(name: str) -> bool:
    """Whether a class of peft describes adapters."""
    return name.startswith("peft.") and name.endswith("Config")


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """A function or class method of peft; None for any other."""
    last = name.rsplit(".", 1)[-1]
    if last in ("get_peft_model", "inject_adapter_in_model"):
        first, second = ("model", "peft_config") if last == "get_peft_model" else ("peft_config", "model")
        given = {first: arguments.get(0, first), second: arguments.get(1, second)}
        return _adapted(it, given["model"] or UNKNOWN, given["peft_config"] or UNKNOWN, last, node)
    if last in ("prepare_model_for_kbit_training", "prepare_model_for_int8_training"):
        model = arguments.get(0, "model") or UNKNOWN
        for option in options(model):
            if isinstance(option, Instance):
                freeze(it, option, node)
        return model
    if last == "from_pretrained" and re.fullmatch(r"peft\.(\w+\.)*PeftM\w+\.from_pretrained", name):
        return _restored(it, arguments, node)
    return None


def _adapted(it: Interpreter, model: Value, configuration: Value, how: str, node: cst.CSTNode) -> Value:
    results: list[Value] = []
    for option in options(model):
        if not isinstance(option, Instance) or not families.is_module(it, option):
            calls.escape(it, [option])
            return expressions.opaque(it, [model])
        with identity.watched(it, option, how=f"`{how}(…)` freezes the model and adds adapters"):
            Injection(it, option, configuration, node).run()
        results.append(_wrapped(it, option, node) if how == "get_peft_model" else option)
    return results[0] if len(results) == 1 else expressions.opaque(it, results)


def _wrapped(it: Interpreter, base: Instance, node: cst.CSTNode) -> Instance:
    """``PeftModel``: parameters are called ``base_model.model.…``."""
    tuner = Instance(LibraryClass("torch.nn.PeftTuner"), it.site(node))
    it.heap.set(tuner.slots, "model", base)
    wrapper = Instance(LibraryClass(PEFT_MODEL), it.site(node))
    it.heap.set(wrapper.slots, "base_model", tuner)
    for made in (tuner, wrapper):
        it.record(events.ModelMade(it.site(node), bool(it.conditional), made))
    return wrapper


def _restored(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``PeftModel.from_pretrained(model, path)``: everything is frozen unless ``is_trainable=True``."""
    model = arguments.get(0, "model")
    if not isinstance(model, Instance) or not families.is_module(it, model):
        return _unknown_model(it, arguments, node)
    freeze(it, model, node)
    wanted = arguments.keywords.get("is_trainable", UNKNOWN if arguments.open else FALSE)
    state = wanted.value if isinstance(wanted, Const) and isinstance(wanted.value, bool) else None
    adapter_somewhere(it, model, state)
    return _wrapped(it, model, node)


def _unknown_model(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    calls.escape(it, arguments.all_values())
    return torch_modules.opaque_model(it, "transformers", node)


# -- the wrapped model -------------------------------------------------------------------------------------------------


def base_of(wrapper: Instance) -> Instance | None:
    """The model inside a ``PeftModel``, or the layer inside an adapter."""
    inner = wrapper.slots.get("base_model")
    if isinstance(inner, Instance):
        inner = inner.slots.get("model")
    for name in ("base_layer", ACTIVE, "model"):
        inner = inner if inner is not None else wrapper.slots.get(name)
    return inner if isinstance(inner, Instance) else None


def is_wrapper(value: Value) -> bool:
    """Whether a value is one of peft's wrappers, which give what they wrap for attributes that they lack."""
    return (
        isinstance(value, Instance)
        and isinstance(value.cls, LibraryClass)
        and value.cls.qualified_name in (PEFT_MODEL, ADAPTER_LAYER, SAVED_MODULE, "torch.nn.PeftTuner")
    )


def get_attribute(it: Interpreter, owner: Instance, name: str, node: cst.CSTNode) -> Value | None:
    """An attribute of the base, where it is no method of the wrapper's own."""
    base = base_of(owner)
    if base is None or name.startswith("__"):
        return None
    if name == "model" and isinstance(owner.cls, LibraryClass) and owner.cls.qualified_name == PEFT_MODEL:
        return base  # the tuner's attribute comes before those of the base
    value = base.slots.get(name)
    if isinstance(value, Value):
        return value
    if attributes.user_method(base, name) is not None and name != "forward":
        return attributes.instance_attribute(it, base, name, node)
    return None


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of ``PeftModel``; None for those of every module."""
    base = base_of(owner)
    if base is None or not isinstance(owner.cls, LibraryClass) or owner.cls.qualified_name != PEFT_MODEL:
        return None
    if name in _HARMLESS:
        return UNKNOWN
    if name in ("get_base_model", "merge_and_unload", "unload"):
        if name != "get_base_model":
            with identity.watched(it, base, how=f"`{name}()` takes the adapters away", losses=True):
                unload(it, base, node)
        return base
    if name == "set_adapter":
        flags = [(leaf, True if leaf.requires_grad else None) for leaf in adapter_leaves(it, base)]
        attributes.set_requires_grad(it, flags, node)
        return NONE
    if name in ("add_adapter", "load_adapter", "delete_adapter"):
        it.heap.set(base.slots, "#open", True)
        return UNKNOWN
    if torch_modules.is_library_model(base):
        return attributes_of_base(it, base, name, arguments, node)
    return None


def attributes_of_base(
    it: Interpreter, base: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of a library's model, called through the wrapper; None for those that every module has."""
    from optlint.semantics.libraries import torch_methods

    if torch_methods.is_module_method(name):
        return None
    return calls.call(it, Method(base, name), arguments, node)
