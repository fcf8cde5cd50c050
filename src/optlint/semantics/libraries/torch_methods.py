"""The methods that ``nn.Module``, its containers and Lightning give to every module."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from optlint.semantics import (
    constructors,
    events,
    expressions,
    families,
    gradients,
    identity,
    iteration,
    modes,
    modules,
)
from optlint.semantics.libraries import (
    lightning_modules,
    torch_identity,
    torch_modules,
    torch_nn,
)
from optlint.semantics.loop_events import LeavesCleared
from optlint.semantics.registration_events import BufferRegistered
from optlint.semantics.values import (
    ABSENT,
    NONE,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    DictObj,
    Entries,
    Flow,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    Method,
    OneShot,
    Origin,
    Text,
    Unknown,
    Value,
    join_values,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Whether a module is in evaluation mode, where it was ever put into it.
EVALUATING = "#evaluating"

ModuleMethod = Callable[["Interpreter", Instance, Arguments, cst.CSTNode], Value]


def call_module_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method that ``nn.Module`` or a container gives; None when there is none of that name."""
    if not families.is_module(it, owner):
        return None
    handler = _MODULE_METHODS.get(name)
    if handler is not None or name in torch_nn.MODULE_METHODS_RETURNING_SELF:
        constructors.note_method(it, owner, name, arguments.get(0, "name"), node)
    if handler is not None:
        return handler(it, owner, arguments, node)
    if name in torch_nn.MODULE_METHODS_RETURNING_SELF:
        if name in ("eval", "train"):
            it.heap.set(owner.slots, "#eval", name == "eval")
            modes.set_mode(it, owner, name, arguments, node)
            _set_mode(it, owner, name, arguments)
        torch_identity.converted(it, owner, name, arguments)
        return owner
    if modules.container_base(it, owner):
        handler = _CONTAINER_METHODS.get(name)
        if handler is not None:
            return handler(it, owner, arguments, node)
    if families.is_lightning(owner.cls):
        return lightning_modules.call_method(it, owner, name, arguments, node)
    if torch_modules.is_library_model(owner):
        return _library_model_method(it, owner, name, arguments, node)
    if name == "backward" and arguments.positional:
        from optlint.semantics.libraries import tensor_calls

        tensor_calls.record_backward(it, arguments.positional[0], node)
        return NONE
    return None


def _set_mode(it: Interpreter, owner: Instance, name: str, arguments: Arguments) -> None:
    """``eval()`` and ``train(…)`` of a module and all in it: whether ``training`` is certainly False from here on."""
    mode = arguments.get(0, "mode")
    evaluating = name == "eval" or mode == Const(False)
    for _, module in modules.submodules(it, owner, True):
        if evaluating or EVALUATING in module.slots:
            it.heap.set(module.slots, EVALUATING, evaluating)


#: Beginnings of names of methods that leave a library's model as it is.
_LOOKING = (
    "get_", "forward", "encode", "generate", "config", "save", "embed", "tie_weights", "gradient_checkpointing",
    "enable_input_require_grads", "num_parameters",
)  # fmt: skip
#: Methods of transformers that put another layer in the place of one.
_EMBEDDINGS = frozenset({"set_input_embeddings", "set_output_embeddings"})


def _library_model_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value:
    from optlint.semantics import calls

    child = owner.slots.get(name)
    if isinstance(child, Instance):
        return calls.call_instance(it, child, arguments, node)
    if name in _EMBEDDINGS and arguments.positional:
        identity.put(it, owner, f"get{name[3:]}()", arguments.positional[0])
        return NONE
    if name == "resize_token_embeddings" and torch_identity.embeddings_resized(it, owner):
        return UNKNOWN
    if not name.startswith(_LOOKING):
        calls.escape(it, [owner])
    return expressions.opaque(it, [owner, *arguments.all_values()])


def _parameters(named: bool) -> ModuleMethod:
    def method(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
        from optlint.semantics import attributes

        if not named and attributes.user_method(owner, "named_parameters") is not None:
            return _second_of_each(it, owner, node)
        recurse = arguments.get(1 if named else 0, "recurse") != Const(False)
        too_early = identity.asked_for(it, owner)

        def produce() -> Items:
            items = modules.parameter_items(it, owner, named, recurse)
            # A module of the user's in which no parameter was seen: whether it has none is another rule's question.
            certain = not recurse or isinstance(owner.cls, LibraryClass)
            return items if items.values or certain else Items((), True)

        iterator = OneShot("parameters", produce, it.site(node))
        iterator.slots["#of"] = owner
        if too_early:
            iterator.slots["#too_early"] = owner
        return iterator

    return method


def _second_of_each(it: Interpreter, owner: Instance, node: cst.CSTNode) -> Value:
    """``parameters()`` goes through ``named_parameters()``, which the class has written anew."""
    from optlint.semantics import attributes, calls

    pairs = calls.call(it, attributes.get_attribute(it, owner, "named_parameters", node), Arguments(), node)

    def produce() -> Items:
        items = iteration.take(it, pairs)
        values = (iteration.unpacked(it, pair, 2, None) for pair in items.values)
        return Items(tuple(pair[1] for pair in values if len(pair) == 2), items.open, items.many)

    return OneShot("generator", produce, it.site(node), (pairs,))


def _modules(named: bool, recurse: bool) -> ModuleMethod:
    def method(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
        if torch_modules.is_library_model(owner):
            return OneShot("unknown", lambda: Items((_library_part(owner),) * 2, True, True), it.site(node))
        return OneShot("modules", lambda: modules.module_items(it, owner, named, recurse), it.site(node))

    def _library_part(owner: Instance) -> Value:
        part = Unknown(modules_leaves(owner), module=True)
        return Container("tuple", Items((Text((None,)), part))) if named else part

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
    flags = [
        (entry.leaf, bool(known) if entry.certain and isinstance(known, bool) else None)
        for entry in modules.parameters(it, owner).parameters
    ]
    attributes.set_requires_grad(it, flags, node)
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
        # Another round of a loop: beside what the last one added, under a name of its own.
        if key in owner.slots:
            key = f"{key}<{len(owner.slots)}>"
    identity.put(it, owner, key, value)
    _note_added(it, owner, value, node)
    return NONE


def _register_buffer(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    name = arguments.get(0, "name")
    value = arguments.get(1, "tensor") or UNKNOWN
    if isinstance(name, Const) and isinstance(name.value, str):
        it.record(BufferRegistered(it.site(node), bool(it.conditional), owner, name.value, value))
        # A buffer is no parameter, whatever tensor it is made of.
        buffer = Leaf(it.site(node), is_parameter=False, requires_grad=False, fresh=False)
        it.heap.set(owner.slots, name.value, NONE if value == NONE else buffer)
    return NONE


def _state_dict(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    """A dict of tensors that share the memory of the parameters and want no gradient; with ``keep_vars`` themselves."""
    from optlint.semantics import containers

    kept = arguments.keywords.get("keep_vars")
    if kept is not None and not isinstance(kept, Const):
        return UNKNOWN
    origin = Origin(it.site(node), ".state_dict()")
    known: dict[str, Value] = {}
    others: list[tuple[Value, Value]] = []
    for entry in modules.parameters(it, owner).parameters:
        value: Value = Flow(alias=entry.leaf, in_graph=False, origin=origin)
        if kept is not None and kept.value:
            value = entry.leaf
        if not entry.certain:
            value = join_values([value, ABSENT])
        name = modules.name_of(entry)
        if isinstance(name, Const):
            known[name.value] = value
        else:
            others.append((name, value))
    result = DictObj(Entries(known, True), it.site(node))  # open: there are buffers, too
    for name, value in others:
        containers.set_item(it, result, name, value)
    return result


def _load_state_dict(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    leaves = frozenset(entry.leaf for entry in modules.parameters(it, owner).parameters)
    it.record(events.WeightsLoaded(it.site(node), bool(it.conditional), owner, leaves))
    torch_identity.loaded(it, owner, arguments)
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


def _zero_grad(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    items = modules.parameter_items(it, owner, named=False)
    leaves = {option for value in items.values for option in options(value) if isinstance(option, Leaf)}
    if not items.open:
        it.record(LeavesCleared(it.site(node), bool(it.conditional), frozenset(leaves)))
    gradients.cleared_leaves(it, frozenset(leaves), items.open, it.site(node))
    return NONE


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
    "state_dict": _state_dict,
    "zero_grad": _zero_grad,
    "compile": _nothing,
    "post_init": _nothing,
    "init_weights": _nothing,
    "tie_weights": _nothing,
    "get_submodule": _get_by_path,
    "get_parameter": _get_by_path,
    "forward": _call_forward,
    "register_forward_hook": _register_hook,
    "register_forward_pre_hook": _register_hook,
    "register_full_backward_hook": _unknown,
    "extra_repr": _unknown,
    "gradient_checkpointing_enable": _nothing,
    "mark_forward_method": _nothing,
    "reset_parameters": _nothing,
}


def _append(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    value = arguments.get(0, "module") or arguments.get(0, "value")
    if value is not None:
        with identity.watched(it, owner):
            modules.add_element(it, owner, value)
        _note_added(it, owner, value, node)
    return owner


def _note_added(it: Interpreter, owner: Instance, value: Value, node: cst.CSTNode) -> None:
    for option in options(value):
        if isinstance(option, (Instance, Leaf)):
            it.record(events.ElementAdded(it.site(node), bool(it.conditional), owner, option))


def _extend(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    for value in arguments.positional:
        items = iteration.take(it, value)
        with identity.watched(it, owner):
            modules.fill(it, owner, items)
    return owner


def _insert(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    value = arguments.get(1, "module")
    old = [element for _, element in modules.elements(owner)]
    where = arguments.get(0, "index")
    position = where.value if isinstance(where, Const) and isinstance(where.value, int) else len(old)
    old.insert(position, value or UNKNOWN)
    with identity.watched(it, owner):
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
        with identity.watched(it, owner):
            torch_modules.fill_by_name(it, owner, value)
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


def is_module_method(name: str) -> bool:
    """Whether every module has a method of that name."""
    return name in _MODULE_METHODS or name in torch_nn.MODULE_METHODS_RETURNING_SELF or name.startswith("__")


def part_of_library_model(it: Interpreter, method: Method) -> Value | None:
    """``model.layer4`` of a library's model, where it is no method of every module."""
    owner, name = method.receiver, method.name
    if not isinstance(owner, Instance) or not torch_modules.is_library_model(owner):
        return None
    if is_module_method(name):
        return None
    return torch_modules.library_child(it, owner, name)
