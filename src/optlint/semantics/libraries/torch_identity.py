"""Functions and methods of torch that give a module new parameter objects, or a copy in its place.

``torch_calls`` and ``torch_methods`` ask. What keeps the objects (``.half()``, ``DataParallel``) is not here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from optlint.semantics import events, expressions, families, identity
from optlint.semantics.libraries import python_calls, tensor_moves
from optlint.semantics.values import (
    ABSENT,
    FALSE,
    NONE,
    TRUE,
    UNKNOWN,
    Arguments,
    Const,
    Device,
    DictObj,
    External,
    Flow,
    Instance,
    Leaf,
    LibraryClass,
    Optimizer,
    Untied,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

Change = Callable[["Interpreter", Instance, Arguments, cst.CSTNode], "Value | None"]

_CONVERSIONS = frozenset("to cpu cuda xpu ipu mtia half float double bfloat16 type".split())


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """A function of torch that changes which objects a module's parameters are; None for any other."""
    if name == "torch.__future__.set_overwrite_module_params_on_conversion":
        it.heap.set(it.switches, identity.OVERWRITES, arguments.get(0, "value") == TRUE)
        return NONE
    last = name.rsplit(".", 1)[-1]
    change: Change | None
    if last == "weight_norm":
        change = _parametrized_weight_norm if ".parametrizations." in name else _weight_norm
    else:
        change = _CHANGES.get(last)
    if change is None or not name.startswith(_HOMES):
        return None
    module = arguments.get(0, "module") or arguments.get(0, "model")
    found = [option for option in options(module) if families.is_module(it, option)] if module else []
    if len(found) != 1 or not isinstance(found[0], Instance) or found[0] is not module:
        return None
    return change(it, found[0], arguments, node)


_ON_META = frozenset({"accelerate.init_empty_weights", "accelerate.big_modeling.init_empty_weights"})
_HOMES = ("torch.nn.utils.", "torch.distributed.", "torch.ao.quantization.", "torch.quantization.")


def context(name: str) -> Value | None:
    """A context of another library in which tensors are made without memory."""
    return Device(names=("meta",)) if name in _ON_META else None


def configuration(name: str, arguments: Arguments) -> Value | None:
    """A configuration of transformers that unties the output layer; None for any other."""
    named = name.startswith("transformers.") and name.endswith("Config")
    return Untied() if named and arguments.keywords.get("tie_word_embeddings") == FALSE else None


def embeddings_resized(it: Interpreter, model: Instance) -> bool:
    """``resize_token_embeddings``: where the output layer is not tied, it is made anew; False when not known."""
    from optlint.semantics.libraries import torch_modules

    if not model.slots.get("#untied"):
        return False
    with identity.watched(it, model, "lm_head"):
        own = torch_modules.library_child(it, model, "lm_head").slots["*"]
        own.slots["#part_of"] = None
    return True


def _anew(call: str) -> str:
    return f"{call} makes new parameters"


def converted(it: Interpreter, module: Instance, name: str, arguments: Arguments) -> None:
    """``module.to(…)``, ``.half()``, ``.to_empty(…)``: in place, but not onto the meta device or from it."""
    to_meta = any(tensor_moves.device_names(value) == ("meta",) for value in arguments.all_values())
    from_meta = name == "to_empty" and any(
        leaf.slots.get(identity.META) for leaf in identity.leaves(it, module)
    )
    overwrites = it.switches.get(identity.OVERWRITES) is True and name in _CONVERSIONS
    if not to_meta and not from_meta and not overwrites:
        return
    shown = f"`.{name}({'…' if arguments.all_values() else ''})`"
    identity.renew(it, module, _anew(shown))
    if to_meta or from_meta:
        for leaf in identity.leaves(it, module):
            it.heap.set(leaf.slots, identity.META, to_meta)


def loaded(it: Interpreter, module: Instance, arguments: Arguments) -> None:
    """``load_state_dict(…, assign=True)`` puts the loaded tensors in the place of the parameters."""
    strict = arguments.get(1, "strict")
    if arguments.get(2, "assign") == TRUE and strict in (None, TRUE):
        identity.renew(it, module, _anew("`load_state_dict(…, assign=True)`"))


def loaded_in_place(it: Interpreter, node: cst.Assign, value: Value) -> Value:
    """``model = torch.load(path)`` where ``model`` was a module: another one, of which no more is known."""
    call, target = node.value, node.targets[0].target
    if not isinstance(call, cst.Call) or not isinstance(call.func, (cst.Name, cst.Attribute)):
        return value
    name = call.func.value if isinstance(call.func, cst.Name) else call.func.attr.value
    if name != "load" or expressions.callee(it, call.func) != External("torch.load"):
        return value
    if not families.is_module(it, expressions.peek(it, target)):
        return value
    from optlint.semantics.libraries import torch_modules

    return torch_modules.opaque_model(it, "loaded", call)


# -- weight norm -------------------------------------------------------------------------------------------------------


def _tensor_name(arguments: Arguments, keyword: str) -> str | None:
    name = arguments.get(1, keyword) or Const("weight")
    return name.value if isinstance(name, Const) and isinstance(name.value, str) else None


def _weight_norm(it: Interpreter, module: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``nn.utils.weight_norm``: the weight becomes what is computed of two new parameters beside it."""
    name = _tensor_name(arguments, "name")
    weight = module.slots.get(name or "")
    if name is None or not isinstance(weight, Leaf):
        return module
    with identity.watched(it, module, name, _anew("`weight_norm(…)`")):
        parts = {f"{name}_g": identity.like(weight), f"{name}_v": identity.like(weight)}
        for part, leaf in parts.items():
            it.heap.set(module.slots, part, leaf)
        it.heap.set(module.slots, name, Flow(frozenset(parts.values())))
    return module


def _remove_weight_norm(it: Interpreter, module: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    name = _tensor_name(arguments, "name")
    direction = module.slots.get(f"{name}_v")
    if name is None or not isinstance(direction, Leaf):
        return module
    with identity.watched(it, module, name, _anew("`remove_weight_norm(…)`")):
        it.heap.set(module.slots, f"{name}_g", ABSENT)
        it.heap.set(module.slots, f"{name}_v", ABSENT)
        it.heap.set(module.slots, name, identity.like(direction))
    return module


def _parametrized_weight_norm(
    it: Interpreter, module: Instance, arguments: Arguments, node: cst.CSTNode
) -> Value:
    """``parametrizations.weight_norm``: the same, kept in ``module.parametrizations``."""
    name = _tensor_name(arguments, "name")
    weight = module.slots.get(name or "")
    if name is None or not isinstance(weight, Leaf):
        return module
    with identity.watched(it, module, name, _anew("`weight_norm(…)`")):
        table = module.slots.get("parametrizations")
        if not isinstance(table, Instance):
            table = Instance(LibraryClass("torch.nn.ModuleDict"), it.site(node))
        own = Instance(LibraryClass("torch.nn.ParametrizationList"), it.site(node))
        parts = (identity.like(weight), identity.like(weight))
        for number, leaf in enumerate(parts):
            it.heap.set(own.slots, f"original{number}", leaf)
        it.heap.set(table.slots, name, own)
        it.heap.set(module.slots, "parametrizations", table)
        it.heap.set(module.slots, name, Flow(frozenset(parts)))
    return module


def _remove_parametrizations(
    it: Interpreter, module: Instance, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    name = _tensor_name(arguments, "tensor_name")
    table = module.slots.get("parametrizations")
    own = table.slots.get(name or "") if isinstance(table, Instance) else None
    if name is None or not isinstance(table, Instance) or not isinstance(own, Instance):
        return module
    direction = own.slots.get("original1")
    with identity.watched(it, module, name, _anew("`remove_parametrizations(…)`")):
        it.heap.set(table.slots, name, ABSENT)
        it.heap.set(module.slots, name, identity.like(direction) if isinstance(direction, Leaf) else UNKNOWN)
    return module


def _remove_spectral_norm(
    it: Interpreter, module: Instance, arguments: Arguments, node: cst.CSTNode
) -> Value:
    name = _tensor_name(arguments, "name")
    weight = module.slots.get(name or "")
    if name is not None and isinstance(weight, Leaf):
        with identity.watched(it, module, name, _anew("`remove_spectral_norm(…)`")):
            it.heap.set(module.slots, name, identity.like(weight))
    return module


# -- sharding ----------------------------------------------------------------------------------------------------------


def _fully_shard(it: Interpreter, module: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    identity.renew(it, module, _anew("`fully_shard(…)`"))
    return module


def _sharded(it: Interpreter, module: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    """The wrapper of FSDP1: one flat parameter in the place of all, unless the originals are kept."""
    kept = arguments.keywords.get("use_orig_params", NONE if arguments.open else FALSE)
    if kept == FALSE:
        identity.renew(it, module, _anew("`FullyShardedDataParallel(…)`"))
    wrapper = Instance(LibraryClass("torch.nn.parallel.FullyShardedDataParallel"), it.site(node))
    it.heap.set(wrapper.slots, "module", module)
    it.record(events.ModelMade(it.site(node), bool(it.conditional), wrapper))
    return wrapper


def _parallelized(it: Interpreter, module: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    """Tensor parallelism renews the parameters of the layers that the plan names."""
    plan = arguments.get(2, "parallelize_plan")
    if isinstance(plan, DictObj) and not plan.entries.open:
        for path in plan.entries.values:
            part: object = module
            for name in path.split(".") if isinstance(path, str) and path else ():
                part = part.slots.get(name) if isinstance(part, Instance) else None
            if isinstance(part, Instance) and families.is_module(it, part):
                identity.renew(it, part, _anew("`parallelize_module(…)`"))
    return module


# -- copies ------------------------------------------------------------------------------------------------------------


def _quantization_aware(
    it: Interpreter, module: Instance, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """``prepare_qat`` gives a copy; in place, it is not known which layers are changed."""
    if arguments.get(2, "inplace") not in (None, FALSE) or arguments.open:
        return None
    return copy(it, module, node)


def copy(it: Interpreter, module: Instance, node: cst.CSTNode) -> Value:
    """A deep copy of a module."""
    memo: dict[int, Value] = {}
    result = python_calls.copied(module, memo)
    note_copies(it, memo, node)
    return result


def note_copies(it: Interpreter, memo: dict[int, Value], node: cst.CSTNode) -> None:
    """Record which modules and optimizers were copied, and that the copies of frozen parameters are frozen."""
    from optlint.semantics import attributes

    frozen = [
        (made, False)
        for made in memo.values()
        if isinstance(made, Leaf) and made.is_parameter and made.requires_grad is False
    ]
    attributes.set_requires_grad(it, frozen, node)
    for made in list(memo.values()):
        original = made.slots.get("#original") if isinstance(made, Optimizer) else None
        if isinstance(made, Optimizer) and isinstance(original, Optimizer):
            it.record(events.OptimizerCopied(it.site(node), bool(it.conditional), made, original))
        if isinstance(made, Instance) and families.is_module(it, made):
            it.record(events.ModelCopied(it.site(node), bool(it.conditional), made))


def averaged(it: Interpreter, arguments: Arguments, node: cst.CSTNode, kind: str) -> Instance:
    """``AveragedModel(model)`` keeps a copy of the model as ``module``."""
    instance = Instance(LibraryClass(kind), it.site(node))
    model = arguments.get(0, "model")
    if isinstance(model, Instance) and families.is_module(it, model):
        it.heap.set(instance.slots, "module", copy(it, model, node))
    return instance


_CHANGES: dict[str, Change] = {
    "remove_weight_norm": _remove_weight_norm,
    "remove_spectral_norm": _remove_spectral_norm,
    "remove_parametrizations": _remove_parametrizations,
    "fully_shard": _fully_shard,
    "FullyShardedDataParallel": _sharded,
    "parallelize_module": _parallelized,
    "prepare_qat": _quantization_aware,
}
