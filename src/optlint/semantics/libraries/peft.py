"""peft: what adapters do to a model: the base is frozen in place, adapter weights are put beside its layers.

``frameworks`` calls it. Where the layers that get an adapter cannot be told, the model holds more than is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import libcst as cst

from optlint.semantics import attributes, calls, events, expressions, families, identity, modules
from optlint.semantics.libraries import torch_modules
from optlint.semantics.values import (
    FALSE,
    NONE,
    TRUE,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    Instance,
    Leaf,
    LibraryClass,
    Method,
    Value,
    options,
)

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Methods that put adapters into the layers whose names the configuration gives.
_INTO_LAYERS = frozenset(
    """
    LoraConfig AdaLoraConfig LoHaConfig LoKrConfig OFTConfig BOFTConfig IA3Config VeraConfig FourierFTConfig
    HRAConfig XLoraConfig RandLoraConfig LNTuningConfig
    """.split()
)
#: Methods that learn vectors before the input and leave the layers alone.
_BEFORE_INPUT = frozenset(
    """
    PromptTuningConfig PrefixTuningConfig PromptEncoderConfig MultitaskPromptTuningConfig AdaptionPromptConfig
    """.split()
)
_ADAPTED_LAYERS = frozenset({"Linear", "Embedding", "Conv1d", "Conv2d", "Conv3d"})
_HARMLESS = frozenset(
    """
    print_trainable_parameters get_nb_trainable_parameters save_pretrained push_to_hub disable_adapter
    create_or_update_model_card enable_input_require_grads gradient_checkpointing_disable
    """.split()
)
PEFT_MODEL = "torch.nn.PeftModel"
_ADAPTER_LAYER = "torch.nn.AdapterLayer"
_SAVED_MODULE = "torch.nn.ModulesToSaveWrapper"


def is_configuration_name(name: str) -> bool:
    """Whether a class of peft describes adapters."""
    return name.startswith("peft.") and name.rsplit(".", 1)[-1] in _INTO_LAYERS | _BEFORE_INPUT


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
                _freeze(it, option, node)
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
            _Injection(it, option, configuration, node).run()
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


def _freeze(it: Interpreter, model: Instance, node: cst.CSTNode) -> None:
    flags = [
        (entry.leaf, False if entry.certain else None) for entry in modules.parameters(it, model).parameters
    ]
    attributes.set_requires_grad(it, flags, node)


def _restored(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``PeftModel.from_pretrained(model, path)``: everything is frozen unless ``is_trainable=True``."""
    model = arguments.get(0, "model")
    if not isinstance(model, Instance) or not families.is_module(it, model):
        return _unknown_model(it, arguments, node)
    _freeze(it, model, node)
    wanted = arguments.keywords.get("is_trainable", UNKNOWN if arguments.open else FALSE)
    state = wanted.value if isinstance(wanted, Const) and isinstance(wanted.value, bool) else None
    _put(it, model, "lora", _adapter(it, model, state, "AdapterLayer"))
    return _wrapped(it, model, node)


def _unknown_model(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    calls.escape(it, arguments.all_values())
    return torch_modules.opaque_model(it, "transformers", node)


def _adapter(it: Interpreter, layer: Instance, state: bool | None, kind: str) -> Instance:
    """The new weights, as two matrices."""
    adapter = Instance(LibraryClass(f"torch.nn.{kind}"), layer.site)
    for name in ("lora_A", "lora_B"):
        leaf = Leaf(layer.site, is_parameter=True, requires_grad=state, ndim=2, fresh=False)
        it.heap.set(adapter.slots, name, leaf)
    return adapter


def _put(it: Interpreter, owner: Instance, name: str, part: Value) -> None:
    it.heap.set(owner.slots, name, part)


class _Injection:
    """Puts the adapters of one configuration into a model."""

    def __init__(self, it: Interpreter, model: Instance, configuration: Value, node: cst.CSTNode) -> None:
        self.it = it
        self.model = model
        self.node = node
        known = isinstance(configuration, Instance) and isinstance(configuration.cls, LibraryClass)
        self.settings = configuration.slots if known and isinstance(configuration, Instance) else {}
        self.kind = configuration.cls.name if known and isinstance(configuration, Instance) else ""

    def run(self) -> None:
        library = torch_modules.is_library_model(self.model)
        if not library and not self.kind:
            self.it.heap.set(self.model.slots, "#open", True)
        places = list(self._places()) if self.kind in _INTO_LAYERS and not library else []
        saved = list(self._saved())
        self._freeze()
        state = {FALSE: True, TRUE: False}.get(self.settings.get("inference_mode", FALSE))
        for parent, name, layer in places:
            wrapped = _adapter(self.it, layer, state, "AdapterLayer")
            _put(self.it, wrapped, "base_layer", layer)
            _put(self.it, parent, name, wrapped)
        if library or (self.kind in _BEFORE_INPUT):
            _put(self.it, self.model, "lora", _adapter(self.it, self.model, state, "AdapterLayer"))
        elif not places:
            self.it.heap.set(self.model.slots, "#open", True)
        for parent, name, layer in saved:
            _put(self.it, parent, name, self._saved_copy(layer, state))

    def _freeze(self) -> None:
        bias = self.settings.get("bias", Const("none"))
        flags: list[tuple[Leaf, bool | None]] = []
        for entry in modules.parameters(self.it, self.model).parameters:
            kept = bias != Const("none") and entry.path[-1] in ("bias", "*")
            flags.append((entry.leaf, False if entry.certain and not kept else None))
        attributes.set_requires_grad(self.it, flags, self.node)

    def _places(self) -> Iterator[tuple[Instance, str, Instance]]:
        """The layers that get an adapter, each with its parent."""
        matches = _matcher(self.settings.get("target_modules", NONE))
        if matches is None:
            return
        for path, parent, name, layer in list(_tree(self.it, self.model, ())):
            if isinstance(layer.cls, LibraryClass) and layer.cls.name in _ADAPTED_LAYERS:
                if matches(".".join((*path, name)), layer.cls.name):
                    yield parent, name, layer

    def _saved(self) -> Iterator[tuple[Instance, str, Instance]]:
        """The modules that are trained as a whole, each with its parent."""
        wanted = self.settings.get("modules_to_save", NONE)
        names = _strings(wanted)
        if names is None:
            if wanted != NONE:
                self.it.heap.set(self.model.slots, "#open", True)
            return
        if torch_modules.is_library_model(self.model):
            for name in names:
                child = self.model.slots.get(name)
                if not isinstance(child, Instance):
                    child = torch_modules.library_child(self.it, self.model, name)
                yield self.model, name, child
            return
        for path, parent, name, layer in list(_tree(self.it, self.model, ())):
            if any(_ends_with(".".join((*path, name)), wanted_name) for wanted_name in names):
                yield parent, name, layer

    def _saved_copy(self, layer: Instance, state: bool | None) -> Instance:
        from optlint.semantics.libraries import python_calls

        copy = python_calls.copied(layer, {})
        wrapper = Instance(LibraryClass(_SAVED_MODULE), layer.site)
        _put(self.it, wrapper, "original_module", layer)
        if isinstance(copy, Instance):
            for _, part in modules.submodules(self.it, copy, True):
                part.slots.pop("#copied", None)
            for entry in modules.parameters(self.it, copy).parameters:
                entry.leaf.slots["requires_grad"] = state
        _put(self.it, wrapper, "modules_to_save", copy)
        return wrapper


def _tree(
    it: Interpreter, module: Instance, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Instance, str, Instance]]:
    """Every submodule: the path of its parent, the parent, its name, itself."""
    if len(path) > modules.MAX_MODULE_DEPTH:
        return
    for name, value in list(module.members()):
        if isinstance(value, Instance) and families.is_module(it, value):
            yield path, module, name, value
            yield from _tree(it, value, (*path, name))


def _matcher(wanted: Value) -> Callable[[str, str], bool] | None:
    """Whether a layer of that name and class is a target; None when the configuration does not say."""
    if isinstance(wanted, Const) and isinstance(wanted.value, str):
        pattern = wanted.value
        if pattern == "all-linear":
            return lambda path, cls: cls == "Linear"
        try:
            compiled = re.compile(pattern)
        except re.error:
            return None
        return lambda path, cls: compiled.fullmatch(path) is not None
    names = _strings(wanted)
    if names is None:
        return None
    return lambda path, cls: any(_ends_with(path, name) for name in names)


def _ends_with(path: str, name: str) -> bool:
    return path == name or path.endswith(f".{name}")


def _strings(value: Value) -> list[str] | None:
    """The strings of a list; None when it is none, or not all of them are known."""
    if not isinstance(value, Container) or value.items.open or value.items.many:
        return None
    strings = [v.value for v in value.items.values if isinstance(v, Const) and isinstance(v.value, str)]
    return strings if len(strings) == len(value.items.values) else None


# -- the wrapped model -------------------------------------------------------------------------------------------------


def base_of(wrapper: Instance) -> Instance | None:
    """The model inside a ``PeftModel``, or the layer inside an adapter."""
    inner = wrapper.slots.get("base_model")
    if isinstance(inner, Instance):
        inner = inner.slots.get("model")
    for name in ("base_layer", "modules_to_save", "model"):
        inner = inner if inner is not None else wrapper.slots.get(name)
    return inner if isinstance(inner, Instance) else None


def is_wrapper(value: Value) -> bool:
    """Whether a value is one of peft's wrappers, which give what they wrap for attributes that they lack."""
    return (
        isinstance(value, Instance)
        and isinstance(value.cls, LibraryClass)
        and value.cls.qualified_name in (PEFT_MODEL, _ADAPTER_LAYER, _SAVED_MODULE, "torch.nn.PeftTuner")
    )


def get_attribute(it: Interpreter, owner: Instance, name: str, node: cst.CSTNode) -> Value | None:
    """An attribute of the base, where it is no method of the wrapper's own."""
    base = base_of(owner)
    if base is None or name.startswith("__"):
        return None
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
            _unload(it, base, node)
        return base
    if name == "set_adapter":
        flags = [(leaf, True if leaf.requires_grad else None) for leaf in _adapter_leaves(it, base)]
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


def _adapter_leaves(it: Interpreter, base: Instance) -> Iterator[Leaf]:
    for _, _, _, layer in _tree(it, base, ()):
        if isinstance(layer.cls, LibraryClass) and layer.cls.qualified_name == _ADAPTER_LAYER:
            for name in ("lora_A", "lora_B"):
                leaf = layer.slots.get(name)
                if isinstance(leaf, Leaf):
                    yield leaf


def _unload(it: Interpreter, base: Instance, node: cst.CSTNode) -> None:
    """The adapters go; what is left stays frozen."""
    for _, parent, name, layer in list(_tree(it, base, ())):
        inner = layer.slots.get("base_layer") or layer.slots.get("modules_to_save")
        if is_wrapper(layer) and isinstance(inner, Instance):
            _put(it, parent, name, inner)
            _freeze(it, inner, node)
    if isinstance(base.slots.get("lora"), Instance):
        it.heap.set(base.slots, "lora", NONE)
