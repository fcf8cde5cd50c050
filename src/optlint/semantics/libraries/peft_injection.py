"""peft: where a configuration puts adapters into a model, how their weights are called, and what stays trainable.

``peft`` calls it. Where the layers that get an adapter, or the names of its weights, cannot be told, they are unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from optlint.semantics import attributes, families, modules
from optlint.semantics.libraries import torch_modules
from optlint.semantics.unseen_parts import is_part
from optlint.semantics.values import (
    FALSE,
    NONE,
    TRUE,
    Const,
    Container,
    External,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    Value,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Methods that put adapters into the layers whose names the configuration gives.
INTO_LAYERS = frozenset(
    """
    LoraConfig AdaLoraConfig LoHaConfig LoKrConfig OFTConfig BOFTConfig IA3Config VeraConfig FourierFTConfig
    HRAConfig RandLoraConfig LNTuningConfig
    """.split()
)
_ADAPTED_LAYERS = frozenset({"Linear", "Embedding", "Conv1d", "Conv2d", "Conv3d"})
#: Settings by which other layers get an adapter than those of the names.
_OTHER_PLACES = (
    "layers_to_transform",
    "layers_pattern",
    "exclude_modules",
    "trainable_token_indices",
    "target_parameters",
    "layer_replication",
    "megatron_config",
)
#: Heads that these tasks train as a whole without being told so.
_HEADS = {
    "SEQ_CLS": ("classifier", "score"),
    "TOKEN_CLS": ("classifier", "score"),
    "QUESTION_ANS": ("qa_outputs",),
}
ADAPTER_LAYER = "torch.nn.AdapterLayer"
SAVED_MODULE = "torch.nn.ModulesToSaveWrapper"
#: The adapters of which it is not known in which layers they are.
SOMEWHERE = "**"
#: The copy that a module which is trained as a whole uses.
ACTIVE = "#active"


def freeze(it: Interpreter, model: Instance, node: cst.CSTNode) -> None:
    """Freeze every parameter of a model."""
    flags = [
        (entry.leaf, False if entry.certain else None) for entry in modules.parameters(it, model).parameters
    ]
    attributes.set_requires_grad(it, flags, node)


def adapter_somewhere(it: Interpreter, model: Instance, state: bool | None, names: bool = False) -> None:
    """Give a model adapters in layers that are not known; ``names``: those of LoRA, else not known either."""
    it.heap.set(model.slots, SOMEWHERE, _adapter(it, model, state, names))


def _adapter(it: Interpreter, layer: Instance, state: bool | None, names: bool) -> Instance:
    """The new weights of one layer: the two matrices of LoRA, or weights with other names."""
    adapter = Instance(LibraryClass(ADAPTER_LAYER), layer.site)
    if not names:
        leaf = Leaf(layer.site, is_parameter=True, requires_grad=state, fresh=False)
        it.heap.set(adapter.slots, "*", leaf)
        return adapter
    for name in ("lora_A", "lora_B"):
        table = Instance(LibraryClass("torch.nn.ModuleDict"), layer.site)
        matrix = Instance(LibraryClass("torch.nn.Linear"), layer.site)
        leaf = Leaf(layer.site, is_parameter=True, requires_grad=state, ndim=2, fresh=False)
        it.heap.set(matrix.slots, "weight", leaf)
        it.heap.set(table.slots, "default", matrix)
        it.heap.set(adapter.slots, name, table)
    return adapter


class Injection:
    """Puts the adapters of one configuration into a model, which is frozen for the rest."""

    def __init__(self, it: Interpreter, model: Instance, configuration: Value, node: cst.CSTNode) -> None:
        self.it = it
        self.model = model
        self.node = node
        self.library = torch_modules.is_library_model(model)
        self.settings: dict[str, Value] = {}
        self.kind = ""
        if isinstance(configuration, Instance) and isinstance(configuration.cls, LibraryClass):
            self.settings, self.kind = configuration.slots, configuration.cls.name
        more = isinstance(configuration, Instance) and configuration.open
        known = bool(self.kind) and not more
        modes: dict[Value, bool] = {FALSE: True, TRUE: False}
        #: Whether the new weights are trained.
        self.state = modes.get(self.settings.get("inference_mode", FALSE)) if known else None
        self.known = known

    def run(self) -> None:
        """Inject. Places are looked up before anything changes."""
        places = [] if self.library else list(self._places())
        saved = list(self._saved())
        self._freeze()
        plain_lora = self.kind == "LoraConfig" and self.settings.get("use_dora", FALSE) == FALSE
        for parent, name, layer in places:
            wrapped = _adapter(self.it, layer, self.state, plain_lora)
            self.it.heap.set(wrapped.slots, "base_layer", layer)
            self.it.heap.set(parent.slots, name, wrapped)
        for model in self._around() if not places else ():
            adapter_somewhere(self.it, model, self.state, plain_lora)
        for parent, name, layer in saved:
            self.it.heap.set(parent.slots, name, self._saved_copy(layer))

    def _around(self) -> list[Instance]:
        """The models of libraries inside, one of whose layers may be meant; else the model itself."""
        inside = [part for _, part in modules.submodules(self.it, self.model, True) if part is not self.model]
        ready = [part for part in inside if torch_modules.is_library_model(part) and not is_part(part)]
        return ready or [self.model]

    def _freeze(self) -> None:
        bias = self.settings.get("bias", Const("none"))
        sure = self.known and _strings(self._wanted()) is not None
        flags: list[tuple[Leaf, bool | None]] = []
        for entry in modules.parameters(self.it, self.model).parameters:
            kept = bias != Const("none") and entry.path[-1] in ("bias", "*")
            flags.append((entry.leaf, False if sure and entry.certain and not kept else None))
        attributes.set_requires_grad(self.it, flags, self.node)

    def _places(self) -> Iterator[tuple[Instance, str, Instance]]:
        """The layers that get an adapter, each with its parent; none where that is not known."""
        elsewhere = any(self.settings.get(name, NONE) != NONE for name in _OTHER_PLACES)
        matches = _matcher(self.settings.get("target_modules", NONE))
        if not self.known or self.kind not in INTO_LAYERS or elsewhere or matches is None:
            return
        for path, parent, name, layer in list(tree(self.it, self.model, ())):
            adaptable = isinstance(layer.cls, LibraryClass) and layer.cls.name in _ADAPTED_LAYERS
            if adaptable and matches(".".join((*path, name)), layer.cls.name):
                yield parent, name, layer

    def _wanted(self) -> Value:
        """The names of the modules that are trained as a whole."""
        given = self.settings.get("modules_to_save", NONE)
        return Container("list", Items()) if given == NONE else given

    def _saved(self) -> Iterator[tuple[Instance, str, Instance]]:
        """The modules that are trained as a whole, each with its parent."""
        names = [*(_strings(self._wanted()) or ()), *self._heads()]
        if self.library:
            for name in names:
                child = self.model.slots.get(name)
                if not isinstance(child, Instance):
                    child = torch_modules.library_child(self.it, self.model, name)
                yield self.model, name, child
            return
        for path, parent, name, layer in list(tree(self.it, self.model, ())):
            if any(_ends_with(".".join((*path, name)), wanted) for wanted in names):
                yield parent, name, layer

    def _heads(self) -> tuple[str, ...]:
        task = self.settings.get("task_type", NONE)
        name = task.value if isinstance(task, Const) else task.name if isinstance(task, External) else ""
        return _HEADS.get(str(name).rsplit(".", 1)[-1], ())

    def _saved_copy(self, layer: Instance) -> Instance:
        from optlint.semantics.libraries import python_calls

        copy = python_calls.copied(layer, {})
        wrapper = Instance(LibraryClass(SAVED_MODULE), layer.site)
        self.it.heap.set(wrapper.slots, "original_module", layer)
        if isinstance(copy, Instance):
            for _, part in modules.submodules(self.it, copy, True):
                part.slots.pop("#copied", None)
            for entry in modules.parameters(self.it, copy).parameters:
                entry.leaf.slots["requires_grad"] = self.state
        table = Instance(LibraryClass("torch.nn.ModuleDict"), layer.site)
        self.it.heap.set(table.slots, "default", copy)
        self.it.heap.set(wrapper.slots, "modules_to_save", table)
        self.it.heap.set(wrapper.slots, ACTIVE, copy)
        return wrapper


def tree(
    it: Interpreter, module: Instance, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Instance, str, Instance]]:
    """Every submodule: the path of its parent, the parent, its name, itself."""
    if len(path) > modules.MAX_MODULE_DEPTH:
        return
    for name, value in list(module.members()):
        if isinstance(value, Instance) and families.is_module(it, value):
            yield path, module, name, value
            yield from tree(it, value, (*path, name))


def adapter_leaves(it: Interpreter, model: Instance) -> Iterator[Leaf]:
    """The weights of the adapters in a model."""
    for _, _, _, layer in tree(it, model, ()):
        if isinstance(layer.cls, LibraryClass) and layer.cls.qualified_name == ADAPTER_LAYER:
            for entry in modules.parameters(it, layer).parameters:
                if entry.path[0] != "base_layer":
                    yield entry.leaf


def unload(it: Interpreter, model: Instance, node: cst.CSTNode) -> None:
    """Take the adapters out; what is left stays frozen."""
    for _, parent, name, layer in list(tree(it, model, ())):
        inner = layer.slots.get("base_layer") or layer.slots.get(ACTIVE)
        if isinstance(inner, Instance):
            it.heap.set(parent.slots, name, inner)
    it.heap.set(model.slots, SOMEWHERE, NONE)
    freeze(it, model, node)


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
