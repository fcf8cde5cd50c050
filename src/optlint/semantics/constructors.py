"""Which constructor is the next in the order of a class's bases, and whether ``Module.__init__`` ran on an object.

``functions``, ``calls`` and ``attributes`` tell it what happens; the question ``missing_init`` asks what came of it.
What is said of an object holds on the path that is being followed; where paths disagree nothing is said.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from optlint.deferred import regex
from optlint.semantics import families
from optlint.semantics.registration_events import (
    AttributeMissing,
    ConstructorMissed,
    ConstructorSkipped,
    ModuleInitialised,
    ParameterReplaced,
    RegisteredTooEarly,
    UsedUninitialised,
)
from optlint.semantics.site import Site
from optlint.semantics.values import (
    ABSENT,
    Const,
    Container,
    External,
    Flow,
    Function,
    Instance,
    Leaf,
    Method,
    Super,
    Unknown,
    UserClass,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Under this an object keeps whether ``Module.__init__`` ran: ``NOT_YET``, ``DONE``; anything else is not known.
_STATE = "#initialised"
NOT_YET, DONE = "not yet", "done"
#: Under this it keeps which constructors of the user's ran, in order.
_RAN = "#constructors"
#: Library classes that have no constructor of their own.
_WITHOUT_CONSTRUCTOR = frozenset(
    {"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol", "typing_extensions.Protocol"}
)
#: Decorators of classes that leave their construction alone, or that the engine follows.
_HARMLESS_DECORATOR = regex(r"@[\w.]*(?:dataclass|final|total_ordering|regist\w*)\b", re.IGNORECASE)
#: What a class may define to take its construction or its attributes into its own hands.
_OWN_WAYS = ("__new__", "__setattr__", "__init_subclass__", "__class_getitem__", "__attrs_pre_init__")


def following(it: Interpreter, cls: UserClass, after: Value | None = None) -> Function | External | None:
    """The next constructor in the order of ``cls`` behind ``after``: the user's, that of a torch class, or None.

    Constructors of other libraries are passed over: what they call is not known.
    """
    order = cls.order()
    if after is not None:
        order = order[order.index(after) + 1 :] if after in order else ()
    for base in order:
        if isinstance(base, External) and families.is_torch_module_name(base.name, it.extra_modules):
            return base
        if isinstance(base, UserClass):
            own = base.slots.get("__init__")
            if isinstance(own, Function):
                return own
    return None


def begin(it: Interpreter, instance: Instance, cls: UserClass) -> None:
    """An object is about to be constructed."""
    if families.is_module_class(it, cls) and _is_followed(it, cls):
        instance.slots[_STATE] = NOT_YET
    instance.slots[_RAN] = ()


def _is_followed(it: Interpreter, cls: UserClass) -> bool:
    """Whether everything that happens when an object of a class is made can be seen."""
    known = cls.slots.get("#constructed_openly")
    if known is None:
        known = all(_is_open(it, base) for base in cls.order())
        cls.slots["#constructed_openly"] = known
    return bool(known)


def _is_open(it: Interpreter, base: Value) -> bool:
    if isinstance(base, External):
        return base.name in _WITHOUT_CONSTRUCTOR or families.is_torch_module_name(base.name, it.extra_modules)
    if not isinstance(base, UserClass) or any(name in base.slots for name in _OWN_WAYS):
        return False
    constructor = base.slots.get("__init__")
    if constructor is not None and (not isinstance(constructor, Function) or constructor.decorators):
        return False
    code = base.context.part.code
    if not all(_HARMLESS_DECORATOR.match(code(decorator).strip()) for decorator in base.node.decorators):
        return False
    return all(code(keyword.value).endswith("ABCMeta") for keyword in base.node.keywords)


def entered(it: Interpreter, function: Function, target: Value | None) -> None:
    """A constructor of the user's runs on ``target``."""
    if isinstance(target, Instance) and isinstance(target.slots.get(_RAN), tuple):
        it.heap.set(target.slots, _RAN, (*target.slots[_RAN], function))


def ran(instance: Instance) -> tuple[Function, ...] | None:
    """The constructors of the user's that ran on an object, in order; None where that is not known."""
    found = instance.slots.get(_RAN)
    return found if isinstance(found, tuple) else None


def reached(it: Interpreter, owner: Instance, node: cst.CSTNode) -> None:
    """``Module.__init__`` runs: whatever was registered before is gone."""
    state = owner.slots.get(_STATE)
    lost: tuple[str, ...] = ()
    if state == DONE and owner.slots.get("#escaped") is not True:
        lost = tuple(name for name, value in owner.members() if _is_registered(it, value))
        for name in lost:
            it.heap.set(owner.slots, name, ABSENT)
    elif state == NOT_YET:
        it.heap.set(owner.slots, _STATE, DONE)
    site = _in_own_class(it, owner, node) if lost else it.site(node)
    it.record(ModuleInitialised(site, bool(it.conditional), owner, lost))


def _in_own_class(it: Interpreter, owner: Instance, node: cst.CSTNode) -> Site:
    """The place in the code of the object's own class from which ``node`` was reached."""
    frame = next((frame for frame in reversed(it.frames) if frame.owner is owner.cls), it.frame)
    if frame is it.frame or frame.statement is None:
        return it.site(node)
    return Site(frame.context.part, frame.statement, frame.statement)


def _is_registered(it: Interpreter, value: Value) -> bool:
    return any(
        (isinstance(option, Leaf) and option.is_parameter) or families.is_module(it, option)
        for option in options(value)
    )


def doubt(it: Interpreter, owner: Value | None) -> None:
    """Something that cannot be seen happens to an object: from here on it is not known."""
    if isinstance(owner, Instance) and _STATE in owner.slots:
        it.heap.set(owner.slots, _STATE, None)


def missed(it: Interpreter, owner: Instance, form: str, node: cst.CSTNode, other: str = "") -> None:
    """What stands at ``node`` calls no constructor of a base."""
    it.record(ConstructorMissed(it.site(node), bool(it.conditional), owner, form, other))


def super_of(
    it: Interpreter, receiver: Value | None, after: Value | None, own: UserClass | None, node: cst.CSTNode
) -> bool:
    """Judge ``super(after, receiver)`` in a method of ``own``; False where nothing follows from it."""
    if not isinstance(receiver, Instance) or not isinstance(receiver.cls, UserClass):
        return isinstance(receiver, UserClass)
    order = receiver.cls.order()
    if after in order:
        if after is not own and own in order and order.index(after) > order.index(own):
            name = after.name.rsplit(".", 1)[-1] if isinstance(after, (UserClass, External)) else ""
            it.record(ConstructorSkipped(it.site(node), bool(it.conditional), receiver, name))
        return True
    if isinstance(after, UserClass) and is_waiting(receiver):
        missed(it, receiver, "foreign", node, after.name)
    doubt(it, receiver)
    return False


def named(it: Interpreter, value: Value, node: cst.CSTNode) -> None:
    """A statement that is ``value`` alone: ``super().__init__`` without a call."""
    owner: Value | None = None
    if isinstance(value, External) and value.name.endswith(".__init__"):
        owner = it.frame.receiver
    elif isinstance(value, Method) and value.name == "__init__":
        owner = value.receiver.receiver if isinstance(value.receiver, Super) else value.receiver
    if isinstance(owner, Instance) and is_waiting(owner):
        missed(it, owner, "named", node)


def super_itself(it: Interpreter, node: cst.CSTNode) -> None:
    """``super.__init__()``: an attribute of ``super`` that is not called."""
    owner = it.frame.receiver
    if isinstance(owner, Instance) and is_waiting(owner):
        missed(it, owner, "bare", node)
        doubt(it, owner)


def is_waiting(owner: Instance) -> bool:
    """Whether ``Module.__init__`` has certainly not run on an object yet."""
    return owner.slots.get(_STATE) == NOT_YET and owner.slots.get("#escaped") is not True


def is_initialised(owner: Instance) -> bool:
    """Whether ``Module.__init__`` has certainly run on an object that is followed from its start."""
    return owner.slots.get(_STATE) == DONE and owner.slots.get("#escaped") is not True


def note_set(it: Interpreter, owner: Instance, name: str, value: Value, site: Site) -> None:
    """An attribute is set: torch refuses modules and parameters until ``Module.__init__`` has run."""
    found = options(value)
    if not found or not is_waiting(owner):
        return
    if all(families.is_module(it, option) for option in found):
        _too_early(it, owner, name, "module", site)
    elif all(isinstance(option, Leaf) and option.is_parameter for option in found):
        _too_early(it, owner, name, "parameters", site)


def note_replaced(it: Interpreter, owner: Instance, name: str, value: Value, node: cst.CSTNode) -> None:
    """An attribute is set: in the place of a registered parameter torch takes only a Parameter, or None."""
    old = owner.slots.get(name)
    if not isinstance(old, Leaf) or not old.is_parameter or not families.is_module(it, owner):
        return
    if "#parametrized" in owner.slots or "#tabled" in owner.slots or owner.open or _has_own_setter(owner.cls):
        return
    if all(_is_no_parameter(option) for option in options(value)) and not isinstance(value, Unknown):
        it.record(ParameterReplaced(it.site(node), bool(it.conditional), owner, name, value))


def _has_own_setter(cls: Value) -> bool:
    bases = cls.order() if isinstance(cls, UserClass) else ()
    return any(
        not isinstance(base, External) and "__setattr__" in getattr(base, "slots", ()) for base in bases
    )


def _is_no_parameter(value: Value) -> bool:
    if isinstance(value, Leaf):
        return not value.is_parameter
    return isinstance(value, (Flow, Container)) or (isinstance(value, Const) and value.value is not None)


#: What torch calls the thing that these methods register.
_REGISTERING = {"register_parameter": "parameter", "register_buffer": "buffer", "add_module": "table",
                "register_module": "table"}  # fmt: skip


def note_method(it: Interpreter, owner: Instance, method: str, name: Value | None, node: cst.CSTNode) -> None:
    """A method that ``nn.Module`` gives is called (``__call__``: the module itself)."""
    if not is_waiting(owner):
        return
    kind = _REGISTERING.get(method)
    if kind is None:
        it.record(UsedUninitialised(it.site(node), bool(it.conditional), owner, method))
        return
    written = getattr(name, "value", None)
    _too_early(it, owner, written if isinstance(written, str) else "", kind, it.site(node))


def _too_early(it: Interpreter, owner: Instance, name: str, kind: str, site: Site) -> None:
    by = next((frame.owner for frame in reversed(it.frames) if frame.owner is not None), None)
    it.record(RegisteredTooEarly(site, bool(it.conditional), owner, name, kind, by))


def note_missing(it: Interpreter, owner: Instance, name: str, node: cst.CSTNode) -> None:
    """An attribute is read that nothing set: it matters where something was wiped or a constructor passed over."""
    if is_initialised(owner) and not owner.open and not name.startswith("__"):
        it.record(AttributeMissing(it.site(node), bool(it.conditional), owner, name))


def passed_over(instance: Instance) -> tuple[Function, ...]:
    """Constructors of the user's among the bases that would run before torch's own, and did not."""
    done = ran(instance)
    if done is None or not isinstance(instance.cls, UserClass):
        return ()
    found: list[Function] = []
    for base in instance.cls.order():
        if isinstance(base, External) and base.name not in _WITHOUT_CONSTRUCTOR:
            break
        own = base.slots.get("__init__") if isinstance(base, UserClass) else None
        if isinstance(own, Function) and own not in done:
            found.append(own)
    return tuple(found)
