"""Values in a place where a list of parameters should stand: modules, methods that are not called, classes.

``argument_faults`` asks of what optimizers are given, Python's functions of what they iterate over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.deferred import regex
from optlint.semantics import attributes, events, families, iteration, modules
from optlint.semantics.values import (
    Arguments,
    Const,
    Container,
    Function,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    Method,
    NamedTuple,
    OneShot,
    Text,
    UserClass,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Methods of every module whose results are iterated over.
_LISTING = frozenset(
    {"parameters", "named_parameters", "children", "named_children", "modules", "named_modules", "state_dict",
     "buffers", "named_buffers"}
)  # fmt: skip
_ITERATORS = frozenset({"parameters", "modules", "filter", "chain", "map", "zip", "enumerate", "iter"})
#: Look for an element by comparing: sets and dicts look by identity first.
_COMPARING = frozenset({"list", "tuple", "deque", "dict_values"})
_IDENTITIES = regex(r"\bid\b\s*[(,)]")
_TUPLE_MEMBERS = frozenset(dir(tuple))


def is_uncalled(it: Interpreter, value: Value) -> bool:
    """Whether a value is a method or function that was looked up and not called."""
    if isinstance(value, Method):
        if value.function is not None:
            return not value.function.decorators
        receiver = value.receiver
        of_module = families.is_module(it, receiver) or (
            isinstance(receiver, UserClass) and families.is_module_class(it, receiver)
        )
        return value.name in _LISTING and of_module
    return isinstance(value, Function) and not value.decorators


def never_iterable(it: Interpreter, value: Value) -> str:
    """Why iterating over a value certainly raises: ``uncalled``, ``class``, ``module``; empty when it may not."""
    if is_uncalled(it, value):
        return "uncalled"
    if isinstance(value, UserClass):
        return "class" if families.is_module_class(it, value) else ""
    if isinstance(value, LibraryClass):
        return "class" if value.qualified_name.startswith("torch.nn.") else ""
    if isinstance(value, Instance) and families.is_module(it, value):
        return "" if _iterable(it, value) else "module"
    return ""


def _iterable(it: Interpreter, module: Instance) -> bool:
    """Whether a module may be iterated over: torch's containers, and what the user's class says itself."""
    if modules.container_base(it, module) is not None:
        return True
    if isinstance(module.cls, LibraryClass):
        return module.cls.qualified_name == "optlint.module.part"  # a part may be a container
    if module.cls.has_unknown_base():
        return True
    own = ("__iter__", "__getitem__")
    if any(attributes.class_attribute(module.cls, name) is not None for name in own):
        return True
    return any("Mixin" in base for base in module.cls.library_bases())


def note_iterated(it: Interpreter, value: Value, node: cst.CSTNode) -> None:
    """Something is iterated over: note where that certainly raises."""
    if it.catching:
        return
    found = [never_iterable(it, option) for option in options(value)]
    if found and all(found):
        it.record(events.ParameterError(it.site(node), bool(it.conditional), found[0], options(value)[0]))


def is_iterator(value: Value) -> bool:
    """Whether a value is certainly one of Python's iterators: what a decorator makes of a generator is not known."""
    if not isinstance(value, OneShot):
        return False
    if value.kind == "generator":
        return value.site is not None and isinstance(value.site.node, cst.GeneratorExp)
    return value.kind in _ITERATORS


def note_added(it: Interpreter, left: Value, right: Value, node: cst.CSTNode) -> None:
    """``a.parameters() + b.parameters()``: iterators cannot be added, to one another or to lists."""
    sides = (left, right)
    if it.catching or not any(is_iterator(side) for side in sides):
        return
    if all(is_iterator(side) or isinstance(side, Container) for side in sides):
        kind, iterator = ("sum", left) if is_iterator(left) else ("sum-of-lists", right)
        it.record(events.ParameterError(it.site(node), bool(it.conditional), kind, iterator))


def note_subscript(it: Interpreter, owner: Value, node: cst.CSTNode) -> None:
    """``model.parameters()[-1]``: iterators have no elements by number."""
    if is_iterator(owner) and not it.catching:
        it.record(events.ParameterError(it.site(node), bool(it.conditional), "subscript", owner))


def note_compared(it: Interpreter, element: Value, container: Value, node: cst.CSTNode) -> None:
    """``p in list_of_parameters``: what is not the same object is compared number by number, which is no truth."""
    if it.catching or not isinstance(element, Leaf):
        return
    if isinstance(container, Container) and container.kind in _COMPARING:
        items = container.items
    elif is_iterator(container) and isinstance(container, OneShot):
        items = iteration.peek(it, container)
    else:
        return
    first = items.values[0] if items.values and not items.many else None
    if not isinstance(first, Leaf) or first is element or not (_has_many(element) or _has_many(first)):
        return
    if not _IDENTITIES.search(
        it.frame.context.part.module.text
    ):  # numbers of objects look like the objects here
        compared = Container("list", Items((element, *items.values)))
        it.record(events.ParameterError(it.site(node), bool(it.conditional), "compared", compared))


def _has_many(leaf: Leaf) -> bool:
    """Whether a tensor has more than one element, so far as its dimensions say it."""
    return (
        leaf.ndim is not None and leaf.ndim > 1 and leaf.site is not None and "(1, 1" not in leaf.site.text()
    )


def note_tested(it: Interpreter, value: Value, node: cst.CSTNode) -> None:
    """``filter(None, parameters)``: a tensor of several elements is neither true nor false."""
    if isinstance(value, Leaf) and _has_many(value) and not it.catching:
        it.record(events.ParameterError(it.site(node), bool(it.conditional), "tested", value))


def note_called_on_class(
    it: Interpreter, cls: UserClass, name: str, arguments: Arguments, node: cst.CSTNode
) -> None:
    """``Net.parameters()`` where ``Net`` is a class: there is no object whose parameters they would be."""
    given = arguments.positional or arguments.keywords or arguments.open
    if name in _LISTING and not given and not it.catching and families.is_module_class(it, cls):
        it.record(events.ParameterError(it.site(node), bool(it.conditional), "class", cls))


def note_attribute(it: Interpreter, owner: Value, name: str, node: cst.CSTNode) -> None:
    """``pair.requires_grad`` of the pairs that ``named_parameters()`` gives."""
    if (
        not isinstance(owner, Container)
        or owner.kind != "tuple"
        or isinstance(owner, NamedTuple)
        or it.catching
    ):
        return
    values = owner.items.values
    if len(values) != 2 or name in _TUPLE_MEMBERS or not isinstance(values[1], Leaf):
        return
    named = isinstance(values[0], Text) or (isinstance(values[0], Const) and isinstance(values[0].value, str))
    if named:
        it.record(events.ParameterError(it.site(node), bool(it.conditional), f"pair.{name}", owner))
