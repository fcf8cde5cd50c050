"""Attributes: looking them up on any value, and setting them (which is where modules register what they own)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from optlint.semantics import (
    constructors,
    containers,
    copies,
    events,
    families,
    functions,
    gradients,
    identity,
    imports,
    missed_flags,
    modules,
    unseen_parts,
)
from optlint.semantics.libraries import keras_optimizers, schedulers, tensor_ops
from optlint.semantics.libraries.keras_optimizers import KerasOptimizer
from optlint.semantics.registration_events import MadeInForward
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
    Entries,
    External,
    Flow,
    Function,
    Gradient,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    Method,
    NamedTuple,
    Namespace,
    OneShot,
    Optimizer,
    Partial,
    Record,
    Scheduler,
    Super,
    Text,
    Unknown,
    UserClass,
    Value,
    Variable,
    join_values,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter


#: Slots of what is set past ``nn.Module.__setattr__`` (``self.__dict__[name] = …``), and of cached properties.
PLAIN = "#plain "
CACHED = "#cached "


def set_plain(it: Interpreter, owner: Instance, name: str, value: Value, node: cst.CSTNode) -> None:
    """Set an attribute without telling ``nn.Module``: nothing is registered."""
    it.heap.set(owner.slots, f"{PLAIN}{name}", value)
    constructing = any(f.name == "__init__" and f.receiver is owner for f in it.frames)
    it.record(
        events.AttributeSet(it.site(node), bool(it.conditional), owner, f"{PLAIN}{name}", value, constructing)
    )


def class_attribute(cls: Value, name: str, after: Value | None = None) -> Value | None:
    """What a class or its bases define under a name; ``External`` method names for library bases are not looked up."""
    if not isinstance(cls, UserClass):
        return None
    order = cls.order()
    if after is not None and after in order:
        order = order[order.index(after) + 1 :]
    for base in order:
        if isinstance(base, UserClass):
            value = base.slots.get(name)
            if value is not None and value is not ABSENT:
                return value  # type: ignore[no-any-return]
    return None


def user_method(instance: Instance, name: str) -> Function | None:
    """The user's method of that name, if the instance's class has one."""
    value = class_attribute(instance.cls, name)
    return value if isinstance(value, Function) else None


def get_attribute(it: Interpreter, owner: Value, name: str, node: cst.CSTNode) -> Value:
    """``owner.name``."""
    if isinstance(owner, Choice):
        return join_values([get_attribute(it, option, name, node) for option in options(owner)])
    if isinstance(owner, KerasOptimizer):
        return keras_optimizers.get_attribute(owner, name)
    if isinstance(owner, External):
        return _external(owner, name)
    if isinstance(owner, Instance):
        return instance_attribute(it, owner, name, node)
    if isinstance(owner, (Leaf, Flow)):
        return _tensor_attribute(it, owner, name, node)
    if isinstance(owner, Namespace):
        return imports.member(it, owner, name) or UNKNOWN
    if isinstance(owner, UserClass):
        return _class_member(owner, name)
    if isinstance(owner, Super):
        return _super_attribute(it, owner, name)
    if isinstance(owner, Optimizer):
        return _optimizer_attribute(it, owner, name)
    if isinstance(owner, Gradient) and name == "data":
        return owner
    if isinstance(owner, Variable) and name == "name":
        from optlint.semantics.libraries import keras_weights

        return keras_weights.name_of(it, owner) or Method(owner, name)
    if isinstance(owner, Scheduler):
        return schedulers.get_attribute(owner, name)
    if isinstance(owner, Unknown):
        return Method(owner, name)
    if isinstance(owner, LibraryClass) and name == "__name__" and owner.qualified_name.startswith("keras."):
        from optlint.semantics.libraries import keras_models

        return keras_models.class_name(owner)
    if isinstance(owner, (Container, DictObj, OneShot, Const, Text, Method, Function, Partial, LibraryClass)):
        if isinstance(owner, (LibraryClass, Function)) and name in ("__name__", "__qualname__"):
            return Const(owner.name)
        if isinstance(owner, (Record, NamedTuple)):
            return _record_attribute(owner, name)
        return Method(owner, name)
    from optlint.semantics import expressions

    return Method(owner, name) if isinstance(owner, expressions.GradMode) else UNKNOWN


def _record_attribute(owner: Record | NamedTuple, name: str) -> Value:
    from optlint.semantics.libraries import records

    value = records.field(owner, name)
    if value is not None:
        return value
    known = isinstance(owner, NamedTuple) or name in containers.DICT_METHODS
    return Method(owner, name) if known else UNKNOWN


def _external(owner: External, name: str) -> Value:
    return External(f"{owner.name}.{name}")


def _class_member(cls: UserClass, name: str) -> Value:
    value = class_attribute(cls, name)
    if isinstance(value, Function) and "classmethod" in functions.decorator_names(value):
        return Method(cls, name, value)
    if value is not None:
        return value
    if name == "__name__":
        return Const(cls.name)
    return Method(cls, name) if cls.library_bases() else UNKNOWN


def _super_attribute(it: Interpreter, owner: Super, name: str) -> Value:
    receiver = owner.receiver
    cls = receiver.cls if isinstance(receiver, Instance) else receiver
    value = class_attribute(cls, name, after=owner.after)
    if name == "__init__" and isinstance(cls, UserClass):
        following = constructors.following(it, cls, owner.after)
        value = following if isinstance(following, Function) else None
    if isinstance(value, Function):
        names = functions.decorator_names(value)
        if "property" in names:
            return functions.invoke(it, value, Arguments(), receiver)
        return value if "staticmethod" in names else Method(receiver, name, value)
    if value is not None:
        return value
    return Method(owner, name)


def instance_attribute(it: Interpreter, owner: Instance, name: str, node: cst.CSTNode) -> Value:
    """An attribute of an instance: its own, its class's, one that the library gives, else Unknown."""
    value = owner.slots.get(name)
    if value is None:
        value = owner.slots.get(f"{PLAIN}{name}")
    if value is not None and value is not ABSENT:
        if isinstance(value, Choice) and ABSENT in value.options:
            fallback = class_attribute(owner.cls, name)
            value = join_values([*options(value), *([fallback] if fallback is not None else [])])
        return value
    member = class_attribute(owner.cls, name)
    if isinstance(member, Function):
        return _bound(it, owner, name, member)
    if member is not None:
        return member
    if name == "__class__":
        return owner.cls
    if name == "training" and owner.slots.get("#evaluating") is True:
        return Const(False)
    given = _library_attribute(it, owner, name, node)
    if given is not None:
        return given
    if name == "__dict__":
        # A module's tables (`_modules`, …) are in it, too.
        table = DictObj(Entries(dict(owner.members()), owner.open or families.is_module(it, owner)))
        table.slots["#dict of"] = owner
        return table
    if name in _MODULE_TABLES and families.is_module(it, owner):
        return _module_table(it, owner, name)
    if name == "training" and families.is_module(it, owner):
        return Const(True)  # what it is until ``eval()``
    if isinstance(owner.cls, LibraryClass) or owner.cls.library_bases() or name in _OBJECT_METHODS:
        return Method(owner, name)
    given = class_attribute(owner.cls, "__getattr__")
    if isinstance(given, Function) and not name.startswith("__"):
        return functions.invoke(it, given, Arguments((Const(name),)), owner)
    if given is not None or owner.cls.has_unknown_base():
        return Unknown(modules.reachable_leaves(it, owner))
    return UNKNOWN


def _library_attribute(it: Interpreter, owner: Instance, name: str, node: cst.CSTNode) -> Value | None:
    """What a library gives to its instances under a name, where that is no method."""
    from optlint.semantics.libraries import frameworks, keras_models

    if families.keras_kind(owner.cls) is not None:
        return keras_models.get_attribute(it, owner, name, node)
    return frameworks.get_attribute(it, owner, name, node)


_OBJECT_METHODS = frozenset({"__init__", "__setattr__", "__getattribute__", "__class__"})
_MODULE_TABLES = frozenset({"_modules", "_parameters", "_buffers"})


def _module_table(it: Interpreter, owner: Instance, name: str) -> Value:
    if name == "_buffers":
        return UNKNOWN
    wanted = (
        dict(modules.submodules(it, owner, False))
        if name == "_modules"
        else {e.name: e.leaf for e in modules.parameters(it, owner, False).parameters}
    )
    table = DictObj(Entries(dict(wanted), owner.open))
    table.slots["#owner"] = owner
    if name == "_parameters":
        it.heap.set(owner.slots, "#tabled", True)  # taken out of it, a name is free again
    return table


def _cached(it: Interpreter, owner: Instance, name: str, member: Function) -> Value:
    """A ``cached_property``: an iterator or module is the same one each time; anything else may be made anew."""
    kept = owner.slots.get(f"{CACHED}{name}")
    if isinstance(kept, (OneShot, Instance)):
        return kept
    recorded = len(it.events)
    made = functions.invoke(it, member, Arguments(), owner)
    if isinstance(made, (OneShot, Instance)):
        it.heap.set(owner.slots, f"{CACHED}{name}", made)
        # Made once, whatever asks for it first.
        it.events[recorded:] = [e for e in it.events[recorded:] if not isinstance(e, MadeInForward)]
    return made


def _bound(it: Interpreter, owner: Instance, name: str, member: Function) -> Value:
    names = functions.decorator_names(member)
    if "cached_property" in names:
        return _cached(it, owner, name, member)
    if "property" in names:
        return functions.invoke(it, member, Arguments(), owner)
    if "staticmethod" in names:
        return member
    return Method(owner.cls if "classmethod" in names else owner, name, member)


def _tensor_attribute(it: Interpreter, owner: Leaf | Flow, name: str, node: cst.CSTNode) -> Value:
    from optlint.semantics import expressions

    if name == "grad":
        for leaf in (owner,) if isinstance(owner, Leaf) else owner.deps:
            it.record(events.GradientRead(it.site(node), bool(it.conditional), leaf))
        return Gradient(leaf=owner) if isinstance(owner, Leaf) else UNKNOWN
    if name == "requires_grad":
        known = owner.requires_grad if isinstance(owner, Leaf) else True if owner.deps else None
        if isinstance(owner, Leaf) and owner.is_parameter and known is False:
            it.record(events.FlagRead(it.site(node), bool(it.conditional), owner))
        return UNKNOWN if known is None else Const(known)
    if name in tensor_ops.DETACHING_ATTRIBUTES:
        return expressions.detached(it, owner, Cut("detach", it.site(node), f".{name}"))
    if name == "ndim" and isinstance(owner, Leaf):
        return UNKNOWN if owner.ndim is None else Const(owner.ndim)
    if name == "shape" and isinstance(owner, Leaf) and owner.ndim is not None:
        return Container("tuple", Items((UNKNOWN,) * owner.ndim))
    if name in tensor_ops.SHAPE_ATTRIBUTES:
        return UNKNOWN
    if name in ("T", "mT"):
        return expressions.result_of(it, [owner], node, f".{name}")
    if name in ("H", "mH", "real", "imag"):
        return expressions.flow(it, [owner])
    return Method(owner, name)


def _optimizer_attribute(it: Interpreter, owner: Optimizer, name: str) -> Value:
    if name == "param_groups":
        # Looked at in a branch first, it is there on the other ways as well.
        view = next(iter(options(owner.slots.get("#param_groups", ABSENT))), None)
        if not isinstance(view, Container):
            groups = tuple(
                DictObj(
                    Entries({"params": Container("list", g.params or Items((), True)), **g.settings}, True)
                )
                for g in owner.groups.groups
            )
            view = Container("list", Items(groups, owner.groups.open))
            identity.view_groups(it, owner, view)
        return view
    if name == "state":
        return UNKNOWN
    if name in ("optimizer", "_optimizer"):
        return owner  # what a trainer's wrapper gives to hooks wraps the optimizer itself
    return Method(owner, name)


# -- setting ---------------------------------------------------------------------------------------------------------


def set_attribute(it: Interpreter, owner: Value, name: str, value: Value, node: cst.CSTNode) -> None:
    """``owner.name = value``."""
    if isinstance(owner, Choice):
        it.each_option(owner, lambda option: _set_and_none(it, option, name, value, node))
        return
    _set_one(it, owner, name, value, node)


def _set_and_none(it: Interpreter, owner: Value, name: str, value: Value, node: cst.CSTNode) -> Value:
    _set_one(it, owner, name, value, node)
    return NONE


def _set_one(it: Interpreter, owner: Value, name: str, value: Value, node: cst.CSTNode) -> None:
    if isinstance(owner, Instance):
        set_instance_attribute(it, owner, name, value, node)
    elif isinstance(owner, Leaf):
        _set_leaf_attribute(it, owner, name, value, node)
    elif isinstance(owner, Flow):
        missed_flags.attribute_set(it, owner, name, value, node)
        it.record(events.TensorMarked(it.site(node), bool(it.conditional), owner, name))
    elif isinstance(owner, (UserClass, Namespace)):
        it.heap.set(owner.slots, name, value)
    elif isinstance(owner, Record):
        containers.set_item(it, owner, Const(name), value)
    elif isinstance(owner, Optimizer) and name == "param_groups":
        from optlint.semantics.values import Groups

        identity.edited(it, owner, value)
        if isinstance(value, Container) and value.items == Items():
            identity.view_groups(it, owner, value)
        else:
            it.heap.set(owner.slots, "groups", Groups((), True))
        gradients.doubt(it, owner)
    elif isinstance(owner, Scheduler):
        schedulers.set_attribute(it, owner, name)
    elif isinstance(owner, KerasOptimizer):
        keras_optimizers.set_attribute(it, owner, name, node)
    elif isinstance(owner, (Unknown, Method, External)):
        schedulers.handed(it, (value,))
        keras_optimizers.set_on_unknown(it, owner, name, node)
        if name == "grad":
            gradients.doubt_all(it)
        from optlint.semantics.libraries import keras_trainable

        if name == "trainable":
            keras_trainable.release_unknown(it, value)
        unseen_parts.attribute_set(it, owner, name, value, node)
        missed_flags.attribute_set(it, owner, name, value, node)
        keras_trainable.kept_by_unknown(it, value)
        for option in options(value):
            gradients.escaped(it, option)


def set_instance_attribute(
    it: Interpreter, owner: Instance, name: str, value: Value, node: cst.CSTNode
) -> None:
    """Set an attribute of an instance: a property's setter runs, a Keras ``trainable`` reaches its layers."""
    member = class_attribute(owner.cls, name)
    if isinstance(member, Function):
        decorators = member.decorators
        if any(isinstance(d, Method) and d.name == "setter" for d in decorators):
            functions.invoke(it, member, Arguments((value,)), owner)
            return
    if name == "trainable" and families.keras_kind(owner.cls) is not None:
        from optlint.semantics.libraries import keras_trainable

        keras_trainable.set_trainable(it, owner, value, it.site(node))
        return
    if name == "data" and families.is_module(it, owner):
        return
    if name == "requires_grad" and unseen_parts.is_part(owner):
        flags: list[tuple[Leaf, bool | None]] = [
            (entry.leaf, None) for entry in modules.parameters(it, owner).parameters
        ]
        set_requires_grad(it, flags, node)  # it may be a parameter
    if class_attribute(owner.cls, "__setattr__") is None:
        missed_flags.attribute_set(it, owner, name, value, node)
    constructors.note_set(it, owner, name, value, it.site(node))
    constructors.note_replaced(it, owner, name, value, node)
    identity.put(it, owner, name, value)
    constructing = any(f.name == "__init__" and f.receiver is owner for f in it.frames)
    it.record(events.AttributeSet(it.site(node), bool(it.conditional), owner, name, value, constructing))


def set_requires_grad(it: Interpreter, flags: Sequence[tuple[Leaf, bool | None]], node: cst.CSTNode) -> None:
    """Set the flags of leaves; that one was frozen and then unfrozen says that it is meant to train."""
    for leaf, wanted in flags:
        if wanted is True and leaf.requires_grad is False:
            it.heap.set(leaf.slots, "#unfrozen", True)
            copies.told(it, leaf, node)
        it.heap.set(leaf.slots, "requires_grad", wanted)
    for outcome in dict.fromkeys(wanted for _, wanted in flags):
        leaves = frozenset(leaf for leaf, wanted in flags if wanted is outcome)
        helper, call = functions.handed_modules(it) or (None, None)
        unsure, branches = bool(it.conditional), tuple(it.branches)
        site = it.site(node)
        it.record(events.FlagSet(site, unsure, leaves, outcome, it.entry, helper, call, branches))


def _set_leaf_attribute(it: Interpreter, owner: Leaf, name: str, value: Value, node: cst.CSTNode) -> None:
    from optlint.semantics import expressions

    if name == "requires_grad":
        known = value.value if isinstance(value, Const) and isinstance(value.value, bool) else None
        set_requires_grad(it, [(owner, known)], node)
    elif name == "data":
        it.record_hand_update(owner, node)
        expressions.put_into_data(it, owner, value, node)
    elif name == "grad":
        gradients.doubt_leaf(it, owner)
    else:
        missed_flags.attribute_set(it, owner, name, value, node)
    if name == "grad" and value != NONE:
        it.record(events.GradientRead(it.site(node), bool(it.conditional), owner))
