"""Modules of torch and of model libraries: what their constructors make, and what calling them gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import events, expressions, forwards, identity, iteration, modules
from optlint.semantics.libraries import model_zoo, packed_sequences, torch_nn
from optlint.semantics.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    DictObj,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    Untied,
    UserClass,
    Value,
    join_values,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Layers whose ``weight`` and ``bias`` are None where they have none.
_WITHOUT_IS_NONE = frozenset(
    {"Linear", "LazyLinear", "Bilinear", "SyncBatchNorm", "LayerNorm", "GroupNorm"}
    | {f"{name}{n}d" for name in ("Conv", "ConvTranspose", "LazyConv", "BatchNorm", "InstanceNorm") for n in (1, 2, 3)}
)  # fmt: skip
#: What the parts of torch's own composite layers are, by their names.
_INNER = {
    "self_attn": "MultiheadAttention",
    "multihead_attn": "MultiheadAttention",
    "out_proj": "Linear",
    "linear1": "Linear",
    "linear2": "Linear",
    "norm": "LayerNorm",
    "norm1": "LayerNorm",
    "norm2": "LayerNorm",
    "norm3": "LayerNorm",
}
#: Modules that call the one inside them, and under which name they keep it.
_WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "DeepSpeedEngine": "module",
    "PeftModel": "base_model",
    "PeftTuner": "model",
    "ModulesToSaveWrapper": "#active",
}


def plain_argument(value: Value) -> object:
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Container) and all(isinstance(v, Const) for v in value.items.values):
        return tuple(v.value for v in value.items.values if isinstance(v, Const))
    return torch_nn.UNKNOWN


def _bound(signature: tuple[str, ...], arguments: Arguments) -> dict[str, object]:
    bound: dict[str, object] = {}
    for name, value in zip(signature, arguments.positional, strict=False):
        bound[name] = plain_argument(value)
    bound.update({key: plain_argument(value) for key, value in arguments.keywords.items()})
    if arguments.open:
        for name in signature:
            bound.setdefault(name, torch_nn.UNKNOWN)
        bound.setdefault("bias", torch_nn.UNKNOWN)
    return bound


def make_module(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """Instantiate a class of ``torch.nn``; None for anything else."""
    known = torch_nn.lookup(name)
    if known is None:
        return None
    module = Instance(LibraryClass(f"torch.nn.{known.name}"), it.site(node))
    initialise_module(it, module, f"torch.nn.{known.name}", arguments)
    it.record(events.ModelMade(it.site(node), bool(it.conditional), module))
    forwards.note_made(it, module, node)
    return module


def initialise_module(it: Interpreter, module: Instance, name: str, arguments: Arguments) -> None:
    """Give an instance the parameters and submodules that the constructor of a ``torch.nn`` class makes."""
    known = torch_nn.lookup(name)
    if known is None:
        it.heap.set(module.slots, "#open", True)
        return
    if known.name in torch_nn.CONTAINERS:
        _fill_container(it, module, known.name, arguments)
    elif known.name in torch_nn.WRAPPERS:
        it.heap.set(module.slots, "module", arguments.get(0, "module") or UNKNOWN)
    elif known.name in ("TransformerEncoder", "TransformerDecoder"):
        _stack(it, module, arguments)
    else:
        bound = _bound(known.signature, arguments)
        found = torch_nn.parameters(known.name, bound)
        sparse = bound.get("sparse", False) if known.name in ("Embedding", "EmbeddingBag") else False
        if found is None:
            it.heap.set(module.slots, "#open", True)
        for parameter in found or ():
            _add_parameter(it, module, parameter, sparse)
        if found is not None and known.name in _WITHOUT_IS_NONE:
            for absent in ("weight", "bias"):
                if absent not in module.slots:
                    it.heap.set(module.slots, absent, NONE)


def _add_parameter(
    it: Interpreter, module: Instance, parameter: torch_nn.LibraryParameter, sparse: object = False
) -> None:
    """Register a parameter of a layer; ``sparse``: its gradient is."""
    owner = module
    *parents, last = parameter.path.split(".")
    for part in parents:
        child = owner.slots.get(part)
        if not isinstance(child, Instance):
            child = Instance(LibraryClass(f"torch.nn.{_INNER.get(part, 'Inner')}"), module.site)
            it.heap.set(owner.slots, part, child)
        owner = child
    known = True if parameter.requires_grad else False if parameter.certain else None
    leaf = Leaf(module.site, is_parameter=True, requires_grad=known, ndim=parameter.ndim)
    identity.born(it, leaf)
    if isinstance(sparse, bool):
        leaf.slots["#sparse"] = sparse
    it.heap.set(owner.slots, last, leaf if parameter.certain else join_values([leaf, NONE]))


def _fill_container(it: Interpreter, module: Instance, name: str, arguments: Arguments) -> None:
    if name == "Sequential":
        only = arguments.positional[0] if len(arguments.positional) == 1 else None
        if isinstance(only, DictObj):
            fill_by_name(it, module, only)
            return
        modules.fill(it, module, Items(arguments.positional, arguments.open))
        return
    source = arguments.get(0, "modules") or arguments.get(0, "parameters") or arguments.get(0, "values")
    if source is None:
        if arguments.open:
            modules.mark_extent(it, module, True, False)
        return
    if name in ("ModuleDict", "ParameterDict"):
        for option in options(source):
            fill_by_name(it, module, option)
        return
    modules.fill(it, module, iteration.take(it, source))


def fill_by_name(it: Interpreter, module: Instance, source: Value) -> None:
    if isinstance(source, DictObj):
        for key, value in source.entries.values.items():
            if modules.is_parameter_container(it, module):
                value = modules.as_parameter(value)
            it.heap.set(
                module.slots, str(key) if isinstance(key, (str, int)) else f"<{len(module.slots)}>", value
            )
        if source.entries.open:
            known = any(not isinstance(key, (str, int)) for key in source.entries.values)
            modules.mark_extent(it, module, not known, known)
        return
    items = iteration.take(it, source)
    for pair in items.values:
        parts = iteration.unpacked(it, pair, 2, None)
        if len(parts) == 2 and isinstance(parts[0], Const):
            it.heap.set(module.slots, str(parts[0].value), parts[1])
        elif len(parts) == 2:
            it.heap.set(module.slots, f"<{len(module.slots)}>", parts[1])
    modules.mark_extent(it, module, items.open and not items.many, items.many)


def _stack(it: Interpreter, module: Instance, arguments: Arguments) -> None:
    """``nn.TransformerEncoder(layer, n)``: n deep copies of the layer."""
    from optlint.semantics.libraries import python_calls

    layer = arguments.get(0, "encoder_layer") or arguments.get(0, "decoder_layer") or UNKNOWN
    count = arguments.get(1, "num_layers")
    known = count.value if isinstance(count, Const) and isinstance(count.value, int) else None
    layers = Instance(LibraryClass("torch.nn.ModuleList"), module.site)
    for _ in range(min(known, 12) if known is not None else 2):
        modules.add_element(it, layers, python_calls.copied(layer, {}))
    modules.mark_extent(it, layers, False, known is None or known > 12)
    it.heap.set(module.slots, "layers", layers)
    norm = arguments.get(2, "norm")
    if norm is not None:
        it.heap.set(module.slots, "norm", norm)


def library_model(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    known = model_zoo.library_model(name, {k: plain_argument(v) for k, v in arguments.keywords.items()})
    if known is None:
        return None
    model = opaque_model(it, known.family, node)
    layer = name.startswith(("torch_geometric.", "dgl."))
    if known.pretrained is False and not arguments.open and (layer or not arguments.positional):
        model.slots["#untrained"] = True
    if any(isinstance(value, Untied) for value in arguments.all_values()):
        model.slots["#untied"] = True
    return model


def opaque_model(it: Interpreter, family: str, node: cst.CSTNode) -> Instance:
    """A model of a library whose inside is not listed."""
    model = Instance(LibraryClass(f"optlint.module.{family}"), it.site(node))
    model.slots["*"] = Leaf(model.site, is_parameter=True, requires_grad=True, fresh=False)
    model.slots["#pretrained"] = True
    it.ready_models.append(model)
    it.record(events.ReadyModelMade(it.site(node), bool(it.conditional), model))
    return model


def library_child(it: Interpreter, model: Instance, name: str) -> Instance:
    """A submodule of a library's model: its own parameters, in the state of the model's others."""
    child = Instance(LibraryClass("optlint.module.part"), model.site)
    rest = model.slots.get("*")
    state = rest.requires_grad if isinstance(rest, Leaf) else None
    own = Leaf(model.site, is_parameter=True, requires_grad=state, fresh=False)
    own.slots["#part_of"] = rest
    child.slots["*"] = own
    child.slots["#pretrained"] = True
    model.slots[name] = child
    it.heap.version += 1  # written past the undo log, since it has been there all the time
    return child


def is_library_model(value: Value) -> bool:
    """Whether a value is a model of a library whose inside is not listed."""
    return (
        isinstance(value, Instance)
        and isinstance(value.cls, LibraryClass)
        and value.cls.qualified_name.startswith("optlint.module.")
    )


# -- calling -----------------------------------------------------------------------------------------------------------


def forward(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    """What calling a module without a ``forward`` of the user's gives."""
    from optlint.semantics import calls

    base = modules.container_base(it, owner)
    if base == "Sequential":
        value: Value = arguments.positional[0] if arguments.positional else UNKNOWN
        for _, layer in modules.elements(owner):
            value = calls.call(it, layer, Arguments((value,)), node)
        if owner.open:
            return expressions.opaque(it, [value, owner])
        return value
    if isinstance(owner.cls, LibraryClass) and owner.cls.name in _WRAPPERS:
        return calls.call(it, owner.slots.get(_WRAPPERS[owner.cls.name], UNKNOWN), arguments, node)
    leaves = [entry.leaf for entry in modules.parameters(it, owner).parameters]
    if isinstance(owner.cls, LibraryClass) and not owner.open and not is_library_model(owner):
        packed = packed_sequences.recurrent(it, leaves, arguments)
        if packed is not None:
            return packed
        return expressions.flow(it, [*leaves, *arguments.all_values()])
    if isinstance(owner.cls, UserClass) and not owner.cls.has_unknown_base() and not owner.open:
        bases = [torch_nn.lookup(name) for name in owner.cls.library_bases()]
        if any(bases):
            return expressions.flow(it, [*leaves, *arguments.all_values()])
    return expressions.opaque(it, [owner, *arguments.all_values()])
