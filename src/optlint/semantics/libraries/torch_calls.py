"""torch: tensors, parameters, layers, modules, optimizers, and the libraries that wrap them (accelerate, fabric)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import libcst as cst

from optlint.semantics import containers, events, expressions, families, iteration, modules, truth
from optlint.semantics.libraries import model_zoo, optimizers, packed_sequences, tensor_ops, torch_nn
from optlint.semantics.libraries.parameter_arguments import empty_argument, groups_of
from optlint.semantics.values import (
    ABSENT,
    NONE,
    UNKNOWN,
    Arguments,
    Choice,
    Const,
    Container,
    Cut,
    DictObj,
    Flow,
    Function,
    Groups,
    Instance,
    Items,
    Iterator_,
    Leaf,
    LibraryClass,
    Method,
    Optimizer,
    Text,
    Unknown,
    UserClass,
    Value,
    join_values,
    options,
)

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_PARAMETER = frozenset(
    {"torch.nn.Parameter", "torch.nn.parameter.Parameter", "torch.nn.UninitializedParameter",
     "torch.nn.parameter.UninitializedParameter"}
)  # fmt: skip
_WRAPPER_NAMES = frozenset({"DataParallel", "DistributedDataParallel"})
#: Functions that give back the module they are given, ready for use.
_SAME_MODULE = frozenset(
    ["torch.compile", "torch.jit.script", "torch.jit.trace", "torch.nn.SyncBatchNorm.convert_sync_batchnorm", "torch.nn.utils.weight_norm", "torch.nn.utils.spectral_norm", "torch.nn.utils.parametrizations.spectral_norm", "torch.nn.utils.parametrizations.weight_norm", "torch.nn.utils.parametrizations.orthogonal", "torch.jit.ignore", "torch.jit.export", "torch.jit.unused"]
)
_CONSUMES_PARAMETERS = (
    "torch.nn.utils.clip_grad_norm",
    "torch.nn.utils.clip_grad_value",
    "torch.nn.utils.clip_grads",
)
_LIBRARY_OBJECTS = {
    "accelerate.Accelerator": "accelerate.Accelerator",
    "accelerate.accelerator.Accelerator": "accelerate.Accelerator",
    "lightning.Fabric": "lightning.Fabric",
    "lightning.fabric.Fabric": "lightning.Fabric",
    "lightning_fabric.Fabric": "lightning.Fabric",
    "torch.cuda.amp.GradScaler": "torch.GradScaler",
    "torch.amp.GradScaler": "torch.GradScaler",
    "torch.cuda.amp.grad_scaler.GradScaler": "torch.GradScaler",
    "torch.amp.grad_scaler.GradScaler": "torch.GradScaler",
    "torch.GradScaler": "torch.GradScaler",
}


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """Call a function or class of torch (or of a library around it); None when the engine does not know it."""
    known = optimizers.optimizer_class(name, it.extra_optimizers)
    if known is not None and known.framework == "torch":
        return build_optimizer(it, known.name, arguments, node, known.checks_empty, known.signature)
    if optimizers.is_scheduler(name):
        return UNKNOWN
    if name in _LIBRARY_OBJECTS:
        return Instance(LibraryClass(_LIBRARY_OBJECTS[name]), it.site(node))
    model = _library_model(it, name, arguments, node)
    if model is not None:
        return model
    if not name.startswith("torch."):
        return None
    return _call_torch(it, name, arguments, node)


def _call_torch(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    if name in _PARAMETER:
        return _parameter(it, arguments, node)
    if name in _SAME_MODULE:
        return arguments.positional[0] if arguments.positional else UNKNOWN
    module = make_module(it, name, arguments, node)
    if module is not None:
        return module
    mode = _grad_mode(name, arguments)
    if mode is not None:
        return mode
    if name.startswith("torch.nn.init."):
        return arguments.positional[0] if arguments.positional else UNKNOWN
    if name.startswith(_CONSUMES_PARAMETERS):
        for value in arguments.positional[:1]:
            iteration.take(it, value)
        return UNKNOWN
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


def _tensor_function(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    from optlint.semantics import calls

    values = arguments.all_values()
    if packed_sequences.makes(name):
        return packed_sequences.pack(it, values)
    if name in tensor_ops.DETACHING_FUNCTIONS or name.endswith(("from_numpy", "Tensor")):
        return _rewrapped(it, name, arguments, node)
    if name in tensor_ops.FRESH_TENSOR_FUNCTIONS:
        return _fresh(it, name, arguments, node)
    if name == "torch.autograd.grad":
        return _autograd_grad(it, arguments, node)
    if name.endswith("checkpoint.checkpoint") or name.endswith("checkpoint.checkpoint_sequential"):
        function = arguments.get(0, "function") or UNKNOWN
        return calls.call(it, function, Arguments(arguments.positional[1:], {}, arguments.open), node)
    if name == "torch.nn.utils.vector_to_parameters":
        for value in iteration.take(it, arguments.get(1, "parameters") or UNKNOWN).values:
            if isinstance(value, Leaf):
                it.record_hand_update(value, node)
        return NONE
    if name in tensor_ops.NON_DIFFERENTIABLE_FUNCTIONS or name in tensor_ops.ZERO_GRADIENT_FUNCTIONS:
        return calls.non_differentiable(it, values, node)
    if calls.is_harmless(name) or name.startswith(("torch.load", "torch.device", "torch.utils.data")):
        return None
    if name.startswith(("torch.func.", "torch.utils.", "torch.jit.", "torch.quantization", "torch.ao.", "torch.hub",
                        "torch.distributed", "torch.autograd.functional", "torch.vmap", "torch.nn.utils.prune",
                        "torch.nn.utils.stateless", "torch.fx", "torch.nn.utils.parametrize")):  # fmt: skip
        return None
    if any(isinstance(value, (Function, Instance, UserClass)) for value in values):
        if not name.startswith("torch.distributions"):
            return None
    return expressions.flow(it, values)


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


def _rewrapped(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``torch.tensor(x)``, ``Variable(x)``: new tensors that no gradient leaves."""
    data = arguments.get(0, "data") or UNKNOWN
    deps, cuts, _ = expressions.sources(it, [data])
    where = Cut("detach", it.site(node), name.rsplit(".", 1)[-1] + "(…)")
    cuts |= {(leaf, where) for leaf in deps}
    if cuts:
        return Flow(frozenset(), frozenset(cuts))
    return _fresh(it, name, arguments, node)


def _fresh(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Leaf:
    wanted = arguments.keywords.get("requires_grad")
    if wanted is None and name.endswith("Variable"):
        wanted = arguments.get(1, "requires_grad")
    known: bool | None = False
    if wanted is not None:
        known = bool(wanted.value) if isinstance(wanted, Const) else None
    elif arguments.open:
        known = None
    leaf = Leaf(it.site(node), is_parameter=False, requires_grad=known, ndim=_ndim(name, arguments))
    given = arguments.positional[0] if arguments.positional else None
    if isinstance(given, Unknown):
        leaf.slots["#given"] = True
    # A tensor made of an array that the program got from elsewhere is an input, no weight.
    leaf.fresh = not name.endswith(("from_numpy", "as_tensor")) and not (
        isinstance(given, Leaf) and not given.fresh
    )
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
    data = arguments.get(0, "data")
    wanted = arguments.get(1, "requires_grad")
    known: bool | None = True
    if wanted is not None:
        known = bool(wanted.value) if isinstance(wanted, Const) else None
    ndim = data.ndim if isinstance(data, Leaf) else None
    return Leaf(it.site(node), is_parameter=True, requires_grad=known, ndim=ndim)


# -- modules ---------------------------------------------------------------------------------------------------------


def _plain_argument(value: Value) -> object:
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Container) and all(isinstance(v, Const) for v in value.items.values):
        return tuple(v.value for v in value.items.values if isinstance(v, Const))
    return torch_nn.UNKNOWN


def _bound(signature: tuple[str, ...], arguments: Arguments) -> dict[str, object]:
    bound: dict[str, object] = {}
    for name, value in zip(signature, arguments.positional):
        bound[name] = _plain_argument(value)
    bound.update({key: _plain_argument(value) for key, value in arguments.keywords.items()})
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
        found = torch_nn.parameters(known.name, _bound(known.signature, arguments))
        if found is None:
            it.heap.set(module.slots, "#open", True)
        for parameter in found or ():
            _add_parameter(it, module, parameter)


def _add_parameter(it: Interpreter, module: Instance, parameter: torch_nn.LibraryParameter) -> None:
    owner = module
    *parents, last = parameter.path.split(".")
    for part in parents:
        child = owner.slots.get(part)
        if not isinstance(child, Instance):
            child = Instance(LibraryClass("torch.nn.Inner"), module.site)
            it.heap.set(owner.slots, part, child)
        owner = child
    known = True if parameter.requires_grad else False if parameter.certain else None
    leaf: Value = Leaf(module.site, is_parameter=True, requires_grad=known, ndim=parameter.ndim)
    it.heap.set(owner.slots, last, leaf if parameter.certain else join_values([leaf, NONE]))


def _fill_container(it: Interpreter, module: Instance, name: str, arguments: Arguments) -> None:
    if name == "Sequential":
        only = arguments.positional[0] if len(arguments.positional) == 1 else None
        if isinstance(only, DictObj):
            _fill_by_name(it, module, only)
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
            _fill_by_name(it, module, option)
        return
    modules.fill(it, module, iteration.take(it, source))


def _fill_by_name(it: Interpreter, module: Instance, source: Value) -> None:
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


def _library_model(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    known = model_zoo.library_model(name, {k: _plain_argument(v) for k, v in arguments.keywords.items()})
    if known is None:
        return None
    model = Instance(LibraryClass(f"optlint.module.{known.family}"), it.site(node))
    model.slots["*"] = Leaf(model.site, is_parameter=True, requires_grad=True, fresh=False)
    model.slots["#pretrained"] = True
    return model


def library_child(it: Interpreter, model: Instance, name: str) -> Instance:
    """A submodule of a library's model: its own parameters, in the state of the model's others."""
    child = Instance(LibraryClass("optlint.module.part"), model.site)
    rest = model.slots.get("*")
    state = rest.requires_grad if isinstance(rest, Leaf) else None
    child.slots["*"] = Leaf(model.site, is_parameter=True, requires_grad=state, fresh=False)
    child.slots["#pretrained"] = True
    model.slots[name] = child
    return child


def part_of_library_model(it: Interpreter, method: Method) -> Value | None:
    """``model.layer4`` of a library's model, where it is no method of every module."""
    owner, name = method.receiver, method.name
    if not isinstance(owner, Instance) or not is_library_model(owner):
        return None
    if name in _MODULE_METHODS or name in torch_nn.MODULE_METHODS_RETURNING_SELF or name.startswith("__"):
        return None
    return library_child(it, owner, name)


def is_library_model(value: Value) -> bool:
    """Whether a value is a model of a library whose inside is not listed."""
    return (
        isinstance(value, Instance)
        and isinstance(value.cls, LibraryClass)
        and value.cls.qualified_name.startswith("optlint.module.")
    )


# -- forward ---------------------------------------------------------------------------------------------------------


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
    if isinstance(owner.cls, LibraryClass) and owner.cls.name in _WRAPPER_NAMES:
        return calls.call(it, owner.slots.get("module", UNKNOWN), arguments, node)
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


# -- module methods --------------------------------------------------------------------------------------------------

ModuleMethod = Callable[["Interpreter", Instance, Arguments, cst.CSTNode], Value]


def call_module_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method that ``nn.Module`` or a container gives; None when there is none of that name."""
    if not families.is_module(it, owner):
        return None
    handler = _MODULE_METHODS.get(name)
    if handler is not None:
        return handler(it, owner, arguments, node)
    if name in torch_nn.MODULE_METHODS_RETURNING_SELF:
        if name in ("eval", "train"):
            it.heap.set(owner.slots, "#eval", name == "eval")
        return owner
    if modules.container_base(it, owner):
        handler = _CONTAINER_METHODS.get(name)
        if handler is not None:
            return handler(it, owner, arguments, node)
    if families.is_lightning(owner.cls):
        return _lightning_method(it, owner, name, arguments, node)
    if is_library_model(owner):
        return _library_model_method(it, owner, name, arguments, node)
    if name == "backward" and arguments.positional:
        from optlint.semantics.libraries import tensor_calls

        tensor_calls.record_backward(it, arguments.positional[0], node)
        return NONE
    return None


def _library_model_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value:
    from optlint.semantics import calls

    child = owner.slots.get(name)
    if isinstance(child, Instance):
        return calls.call_instance(it, child, arguments, node)
    if not name.startswith(("get_", "forward", "encode", "generate", "config", "save", "embed")):
        calls.escape(it, [owner])
    return expressions.opaque(it, [owner, *arguments.all_values()])


_LIGHTNING_SILENT = frozenset(
    ["log", "log_dict", "save_hyperparameters", "print", "lr_schedulers", "all_gather", "toggle_optimizer", "untoggle_optimizer", "clip_gradients"]
)


def _lightning_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    from optlint.semantics.libraries import tensor_calls

    if name in _LIGHTNING_SILENT:
        return UNKNOWN
    if name == "manual_backward" and arguments.positional:
        tensor_calls.record_backward(it, arguments.positional[0], node)
        return NONE
    return UNKNOWN if name in ("optimizers", "configure_optimizers") else None


def _parameters(named: bool) -> ModuleMethod:
    def method(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
        recurse = arguments.get(1 if named else 0, "recurse") != Const(False)

        def produce() -> Items:
            items = modules.parameter_items(it, owner, named, recurse)
            # A module in which no parameter was seen: whether it has none is another rule's question.
            return items if items.values else Items((), True)

        return Iterator_("parameters", produce, it.site(node))

    return method


def _modules(named: bool, recurse: bool) -> ModuleMethod:
    def method(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
        if is_library_model(owner):
            return Iterator_("unknown", lambda: Items((_library_part(owner),) * 2, True, True), it.site(node))
        return Iterator_("modules", lambda: modules.module_items(it, owner, named, recurse), it.site(node))

    def _library_part(owner: Instance) -> Value:
        return Unknown(modules_leaves(owner))

    def modules_leaves(owner: Instance) -> frozenset[Leaf]:
        rest = owner.slots.get("*")
        return frozenset({rest}) if isinstance(rest, Leaf) else frozenset()

    return method


def _apply(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    from optlint.semantics import calls

    function = arguments.get(0, "fn") or UNKNOWN
    for _, child in list(modules.submodules(it, owner, True)):
        calls.call(it, function, Arguments((child,)), node)
    return owner


def _requires_grad_(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    from optlint.semantics import attributes

    wanted = arguments.get(0, "requires_grad")
    known = True if wanted is None else wanted.value if isinstance(wanted, Const) else None
    for entry in modules.parameters(it, owner).parameters:
        sure = entry.certain and isinstance(known, bool)
        attributes.set_requires_grad(it, entry.leaf, bool(known) if sure else None)
    return owner


def _add_module(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    from optlint.semantics.libraries import python_calls

    name = arguments.get(0, "name") or UNKNOWN
    value = arguments.get(1, "module") or arguments.get(1, "param") or UNKNOWN
    key = python_calls.attribute_key(name)
    if key is None:
        key = f"<{len(owner.slots)}>"
    if "<n>" in key:
        it.heap.set(owner.slots, "#many", True)
    it.heap.set(owner.slots, key, value)
    return NONE


def _register_buffer(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    name = arguments.get(0, "name")
    value = arguments.get(1, "tensor") or UNKNOWN
    if isinstance(name, Const) and isinstance(name.value, str):
        # A buffer is no parameter, whatever tensor it is made of.
        buffer = Leaf(it.site(node), is_parameter=False, requires_grad=False, fresh=False)
        it.heap.set(owner.slots, name.value, NONE if value == NONE else buffer)
    return NONE


def _load_state_dict(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    leaves = frozenset(entry.leaf for entry in modules.parameters(it, owner).parameters)
    it.record(events.WeightsLoaded(it.site(node), bool(it.conditional), owner, leaves))
    return UNKNOWN


def _get_by_path(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    from optlint.semantics import attributes

    path = arguments.get(0, "target")
    value: Value = owner
    if not isinstance(path, Const) or not isinstance(path.value, str):
        return Unknown(modules.reachable_leaves(it, owner))
    for part in path.value.split(".") if path.value else ():
        value = attributes.get_attribute(it, value, part, node)
    return value


def _call_forward(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    from optlint.semantics import calls

    return calls.call_instance(it, owner, arguments, node)


def _nothing(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    return NONE


def _unknown(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    return UNKNOWN


def _register_hook(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    """The hook runs at each later call of the module; whether it sees the inputs only is no matter here."""
    hook = arguments.get(0, "hook")
    if hook is not None:
        hooks = owner.slots.get("#hooks")
        old = hooks.items if isinstance(hooks, Container) else Items()
        it.heap.set(owner.slots, "#hooks", Container("list", Items((*old.values, hook))))
    return UNKNOWN


_MODULE_METHODS: dict[str, ModuleMethod] = {
    "parameters": _parameters(False),
    "named_parameters": _parameters(True),
    "modules": _modules(False, True),
    "named_modules": _modules(True, True),
    "children": _modules(False, False),
    "named_children": _modules(True, False),
    "buffers": _unknown,
    "named_buffers": _unknown,
    "apply": _apply,
    "requires_grad_": _requires_grad_,
    "add_module": _add_module,
    "register_module": _add_module,
    "register_parameter": _add_module,
    "register_buffer": _register_buffer,
    "load_state_dict": _load_state_dict,
    "state_dict": _unknown,
    "zero_grad": _nothing,
    "compile": _nothing,
    "get_submodule": _get_by_path,
    "get_parameter": _get_by_path,
    "forward": _call_forward,
    "register_forward_hook": _register_hook,
    "register_forward_pre_hook": _register_hook,
    "register_full_backward_hook": _unknown,
    "extra_repr": _unknown,
    "gradient_checkpointing_enable": _nothing,
}


def _append(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    value = arguments.get(0, "module") or arguments.get(0, "value")
    if value is not None:
        modules.add_element(it, owner, value)
    return owner


def _extend(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    for value in arguments.positional:
        modules.fill(it, owner, iteration.take(it, value))
    return owner


def _insert(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    value = arguments.get(1, "module")
    old = [element for _, element in modules.elements(owner)]
    where = arguments.get(0, "index")
    position = where.value if isinstance(where, Const) and isinstance(where.value, int) else len(old)
    old.insert(position, value or UNKNOWN)
    for index, element in enumerate(old):
        it.heap.set(owner.slots, str(index), element)
    return NONE


def _view(kind: str) -> ModuleMethod:
    def method(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
        many = owner.slots.get("#many", False) is not False
        pairs = modules.elements(owner)
        if kind == "keys":
            values: tuple[Value, ...] = tuple(Const(name) for name, _ in pairs)
        elif kind == "values":
            values = tuple(value for _, value in pairs)
        else:
            values = tuple(Container("tuple", Items((_key(name), value))) for name, value in pairs)
        return Container(f"dict_{kind}", Items(values, owner.open, many), it.site(node))

    return method


def _key(name: str) -> Value:
    return Text((None,)) if name.startswith("<") else Const(name)


def _update(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    for value in arguments.positional:
        _fill_by_name(it, owner, value)
    return NONE


def _pop(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    it.heap.set(owner.slots, "#open", True)
    return UNKNOWN


_CONTAINER_METHODS: dict[str, ModuleMethod] = {
    "append": _append,
    "extend": _extend,
    "insert": _insert,
    "keys": _view("keys"),
    "values": _view("values"),
    "items": _view("items"),
    "update": _update,
    "pop": _pop,
    "clear": _pop,
}


# -- optimizers ------------------------------------------------------------------------------------------------------


def build_optimizer(
    it: Interpreter,
    name: str,
    arguments: Arguments,
    node: cst.CSTNode,
    checks_empty: bool = True,
    signature: tuple[str, ...] = ("params",),
) -> Value:
    """Construct an optimizer: its groups, and whether it certainly got nothing."""
    position = signature.index("params") if "params" in signature else 0
    given = arguments.get(position, signature[position] if signature else "params")
    site = it.site(node)
    if given is None:
        given = Unknown()
    empty = None if arguments.open and not arguments.positional else empty_argument(it, given)
    if it.catching and empty is not None and empty.form != "group":
        empty = None  # the program expects the error
    optimizer = Optimizer(name, groups_of(it, given), site, raises_on_empty=checks_empty)
    it.record(events.OptimizerBuilt(site, bool(it.conditional), optimizer, given, empty))
    return optimizer


def call_optimizer_method(
    it: Interpreter, owner: Optimizer, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value:
    """A method of an optimizer."""
    from optlint.semantics import calls

    if name == "step":
        it.record(events.OptimizerStepped(it.site(node), bool(it.conditional), owner))
        closure = arguments.get(0, "closure")
        if closure is not None and truth.truth(closure) is True:
            return calls.call(it, closure, Arguments(), node)
        return NONE
    if name == "add_param_group":
        added = arguments.get(0, "param_group") or UNKNOWN
        more = groups_of(it, Container("list", Items((added,))))
        groups = owner.groups
        it.heap.set(owner.slots, "groups", Groups(groups.groups + more.groups, groups.open or more.open))
        return NONE
    if name == "load_state_dict":
        it.record(events.OptimizerRestored(it.site(node), bool(it.conditional), owner))
        return NONE
    if name in ("zero_grad", "state_dict"):
        return UNKNOWN if name == "state_dict" else NONE
    if name in ("register_step_pre_hook", "register_step_post_hook", "train", "eval"):
        return UNKNOWN
    calls.escape(it, [owner, *arguments.all_values()])
    return UNKNOWN


# -- library objects -------------------------------------------------------------------------------------------------


def call_object_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of an accelerator, fabric or gradient scaler."""
    if not isinstance(owner.cls, LibraryClass):
        return None
    kind = owner.cls.qualified_name
    if kind == "torch.GradScaler":
        return _scaler_method(it, name, arguments, node)
    if kind not in ("accelerate.Accelerator", "lightning.Fabric"):
        return None
    from optlint.semantics.libraries import tensor_calls

    if name == "backward" and arguments.positional:
        tensor_calls.record_backward(it, arguments.positional[0], node)
        return NONE
    if name in ("prepare", "setup", "setup_module", "setup_optimizers", "setup_dataloaders", "prepare_model",
                "prepare_optimizer", "unwrap_model", "gather"):  # fmt: skip
        if len(arguments.positional) == 1 and not arguments.open:
            return arguments.positional[0]
        return Container("tuple", Items(arguments.positional, arguments.open))
    if name == "clip_grad_norm_" and arguments.positional:
        iteration.take(it, arguments.positional[0])
    return UNKNOWN


def _scaler_method(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value:
    first = arguments.positional[0] if arguments.positional else UNKNOWN
    if name == "scale":
        return first
    if name == "step":
        for option in options(first):
            if isinstance(option, Optimizer):
                it.record(events.OptimizerStepped(it.site(node), bool(it.conditional), option))
    return UNKNOWN


__all__ = [
    "ABSENT",
    "Choice",
    "build_optimizer",
    "call",
    "call_module_method",
    "containers",
    "forward",
    "make_module",
]
