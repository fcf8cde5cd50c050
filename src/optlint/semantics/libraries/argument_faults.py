"""What torch would refuse, or misread, of what an optimizer is given as parameters; checked in torch's own order.

``torch_optimizers`` asks when an optimizer is built or given a group, before the argument is read. Only what certainly
is so is a fault; ``questions.wrong_arguments`` and ``questions.non_leaves`` read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.semantics import families, iteration, modules
from optlint.semantics.events import ArgumentFault
from optlint.semantics.libraries.misused_values import is_iterator, is_uncalled, never_iterable
from optlint.semantics.values import (
    ABSENT,
    Choice,
    Const,
    Container,
    DictObj,
    Flow,
    Instance,
    Items,
    Leaf,
    OneShot,
    Optimizer,
    Record,
    Text,
    Value,
    options,
)

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

Faults = tuple[ArgumentFault, ...]
_LISTS = frozenset({"list", "set", "frozenset", "deque", "dict_values", "dict_keys", "dict_items"})
#: Optimizers whose ``step`` refuses the gradients of ``nn.Embedding(…, sparse=True)``.
_NO_SPARSE = frozenset("Adam AdamW RMSprop Adadelta Adamax NAdam RAdam ASGD Rprop Adafactor Muon".split())
#: Give numbers or arrays.
_ARRAYS = frozenset({".numpy()", ".tolist()", ".item()"})
#: Iterators whose elements are known so far as they can be.
_ITERATORS = frozenset(
    {"parameters", "modules", "filter", "generator", "chain", "map", "zip", "enumerate", "iter"}
)


def of_argument(it: Interpreter, given: Value, optimizer: str, of_torch: bool) -> Faults:
    """What is wrong with the first argument of an optimizer; ``optimizer`` is its class."""
    outer = _agreed(given, lambda option: _outer(it, option, in_group=False))
    if outer:
        return outer
    items = _elements(it, given)
    if items is None or not items.values:
        return ()
    if _are_groups(items.values[0]):
        return _groups(it, items, optimizer, of_torch)
    return _of_container(given, _tensors(it, items, optimizer, of_torch))


def _of_container(given: Value, faults: Faults) -> Faults:
    """Layers are told by the container that holds them."""
    if not isinstance(given, Instance):
        return faults
    return tuple(replace(fault, value=given) if fault.kind == "modules" else fault for fault in faults)


def of_group(it: Interpreter, added: Value, optimizer: str, of_torch: bool) -> Faults:
    """What is wrong with the argument of ``add_param_group``."""
    if _are_groups(added):
        return _groups(it, Items((added,)), optimizer, of_torch)

    def no_group(option: Value) -> Faults:
        known = isinstance(option, (Container, OneShot, Instance, Leaf, Const, Optimizer)) or is_uncalled(
            it, option
        )
        return (ArgumentFault("no-group", option),) if known else ()

    return _agreed(added, no_group)


def _agreed(value: Value, find: Callable[[Value], Faults]) -> Faults:
    """The fault of a value, when it has one whichever of its alternatives it is."""
    if isinstance(value, Choice) and ABSENT in value.options:
        return ()
    found = [find(option) for option in options(value)]
    return found[0] if found and all(found) else ()


def _outer(it: Interpreter, value: Value, in_group: bool) -> Faults:
    """What is wrong with a value in the place of a list of parameters."""
    if isinstance(value, Leaf) or (isinstance(value, Flow) and value.in_graph is not None):
        return () if in_group else (ArgumentFault("tensor", value),)
    if isinstance(value, Optimizer):
        return (ArgumentFault("optimizer", value),)
    if isinstance(value, Const):
        return _outer_constant(value)
    if isinstance(value, Text):
        return (ArgumentFault("text", value),)
    if isinstance(value, DictObj):
        return _keys(value)
    if isinstance(value, Container) and value.kind == "set" and in_group and _certain(value.items):
        return (ArgumentFault("set", value, value.site),)
    wrong = never_iterable(it, value)
    return (ArgumentFault(wrong, value),) if wrong else ()


def _outer_constant(value: Const) -> Faults:
    if value.value is None:
        return (ArgumentFault("none", value),)
    if isinstance(value.value, str):
        return (ArgumentFault("text", value),) if value.value else ()
    return (ArgumentFault("number", value),) if isinstance(value.value, (int, float)) else ()


def _keys(given: DictObj) -> Faults:
    """A dict in the place of a list: what counts are its keys."""
    keys = list(given.entries.values)
    if isinstance(given, Record) or not keys or not all(isinstance(key, str) for key in keys):
        return ()
    kind = "group-alone" if "params" in keys else "dict"
    return (ArgumentFault(kind, given, given.site),)


def _elements(it: Interpreter, given: Value) -> Items | None:
    """The elements of the list that torch makes of a value; None when they are not known."""
    if isinstance(given, Container):
        return given.items
    if isinstance(given, OneShot) and given.kind in _ITERATORS:
        return iteration.peek(it, given)
    if isinstance(given, Instance):
        return modules.iterate(it, given)
    return None


def _certain(items: Items) -> bool:
    """Whether some element is certainly there."""
    return any(not (isinstance(value, Choice) and ABSENT in value.options) for value in items.values)


# -- groups ----------------------------------------------------------------------------------------------------------


def _are_groups(first: Value) -> bool:
    known = options(first)
    return bool(known) and all(isinstance(option, DictObj) for option in known)


def _groups(it: Interpreter, items: Items, optimizer: str, of_torch: bool) -> Faults:
    found: list[ArgumentFault] = []
    names: list[bool | None] = []
    for value in items.values:
        if isinstance(value, Choice) and ABSENT in value.options:
            continue
        found.extend(_agreed(value, lambda option: _group(it, option, optimizer, of_torch)))
        names.append(_named(it, value))
    certain = [value for value in items.values if isinstance(value, DictObj)]
    if of_torch and optimizer == "LBFGS" and len(certain) > 1 and not items.many:
        found.append(ArgumentFault("several-groups", certain[1], certain[1].site))
    if True in names and False in names:
        found.append(ArgumentFault("mixed-names", certain[0] if certain else items.values[0]))
    return tuple(found)


def _group(it: Interpreter, group: Value, optimizer: str, of_torch: bool) -> Faults:
    if not isinstance(group, DictObj):
        known = isinstance(group, (Leaf, Container, OneShot, Const, Instance)) or is_uncalled(it, group)
        return (ArgumentFault("mixed-groups", group),) if known else ()
    given = group.entries.values.get("params")
    if given is None:
        return () if group.entries.open else (ArgumentFault("no-params", group, group.site),)
    outer = _agreed(given, lambda option: _outer(it, option, in_group=True))
    if outer:
        return outer
    alone = all(isinstance(option, (Leaf, Flow)) for option in options(given))
    items = Items((given,)) if alone else _elements(it, given)
    return () if items is None else _of_container(given, _tensors(it, items, optimizer, of_torch))


def _named(it: Interpreter, group: Value) -> bool | None:
    """Whether a group's parameters come with names; None when it holds nothing or that is not known."""
    given = group.entries.values.get("params") if isinstance(group, DictObj) else None
    items = None if given is None else _elements(it, given)
    return None if items is None else _has_names(items)


def _has_names(items: Items) -> bool | None:
    answers = {_is_pair(value) for value in items.values}
    return answers.pop() if len(answers) == 1 else None


def _is_pair(value: Value) -> bool | None:
    if isinstance(value, Container) and value.kind == "tuple" and len(value.items.values) > 1:
        return True
    return False if isinstance(value, Leaf) else None


# -- tensors ---------------------------------------------------------------------------------------------------------


def _tensors(it: Interpreter, items: Items, optimizer: str, of_torch: bool) -> Faults:
    found: list[ArgumentFault] = []
    for value in items.values:
        if isinstance(value, Choice) and ABSENT in value.options:
            continue
        moved = _moved(value)
        found.extend(moved or _agreed(value, lambda option: _element(it, option)))
        if of_torch and isinstance(value, Leaf):
            unfit = _unfit(value, optimizer)
            found.extend([ArgumentFault(unfit, value, value.site, True)] if unfit else ())
    answers = {_is_pair(value) for value in items.values}
    if True in answers and False in answers:
        found.append(ArgumentFault("mixed-names", next(v for v in items.values if _is_pair(v) is False)))
    return tuple(found)


def _unfit(leaf: Leaf, optimizer: str) -> str:
    """Why an optimizer of torch cannot train a parameter; empty when it can."""
    if optimizer == "Muon" and leaf.ndim not in (None, 2):
        return "muon"
    sparse = leaf.slots.get("#sparse") if leaf.requires_grad is True else None
    if optimizer == "SparseAdam":
        return "dense" if sparse is False else ""
    return "sparse" if sparse is True and optimizer in _NO_SPARSE else ""


def _moved(value: Value) -> Faults:
    """``w.to(device)``: the leaf itself or a result of it, as it turns out where the program runs."""
    if not isinstance(value, Choice):
        return ()
    results = [option for option in options(value) if isinstance(option, Flow)]
    leaves = [option for option in options(value) if isinstance(option, Leaf)]
    if len(results) != 1 or not leaves or len(leaves) + 1 != len(options(value)):
        return ()
    only = results[0]
    if only.in_graph is not True or only.origin is None or not only.origin.moves:
        return ()
    return (ArgumentFault("non-leaf", only, only.origin.site),)


def _element(it: Interpreter, value: Value) -> Faults:
    if isinstance(value, Container) and value.kind == "tuple":
        return _pair(it, value)
    if isinstance(value, Flow):
        return _result(value)
    kind = _no_tensor(it, value)
    made = value.site if isinstance(value, (Container, DictObj, OneShot)) else None
    return (ArgumentFault(kind, value, made, True),) if kind else ()


def _result(value: Flow) -> Faults:
    if value.origin is None:
        return ()
    if value.in_graph is True:
        return (ArgumentFault("non-leaf", value, value.origin.site),)
    if value.origin.operation in _ARRAYS:
        return (ArgumentFault("array", value, value.origin.site, True),)
    if value.origin.operation == ".state_dict()":
        return (ArgumentFault("state-dict", value, value.origin.site),)
    return ()


def _no_tensor(it: Interpreter, value: Value) -> str:
    """What a value is that is no tensor; empty when it may be one."""
    if isinstance(value, Const):
        kinds: dict[type, str] = {
            type(None): "none",
            str: "text",
            int: "number",
            float: "number",
            bool: "number",
        }
        return kinds.get(type(value.value), "")
    if isinstance(value, Text):
        return "text"
    if isinstance(value, DictObj):
        return "" if isinstance(value, Record) else "mixed-groups"
    if is_iterator(value) or (isinstance(value, Container) and value.kind in _LISTS):
        return "nested"
    if isinstance(value, Optimizer):
        return "optimizer"
    if families.is_module(it, value):
        return "modules"
    return "uncalled" if is_uncalled(it, value) else ""


def _pair(it: Interpreter, pair: Container) -> Faults:
    """A tuple among the parameters: torch reads it as a name and a parameter."""
    values = pair.items.values
    if pair.items.open or pair.items.many or not values:
        return ()
    if len(values) == 1:
        return (ArgumentFault("short-pair", values[0], pair.site),)
    second = _agreed(values[1], lambda option: _second(it, option))
    if second:
        return second
    first = values[0]
    if isinstance(first, Leaf) and first.requires_grad is True and first is not values[1]:
        return (ArgumentFault("pair", pair, pair.site),)
    return ()


def _second(it: Interpreter, value: Value) -> Faults:
    """What is wrong with the second part of a pair."""
    if isinstance(value, Container) and value.kind == "tuple":
        return (ArgumentFault("nested", value, value.site),)
    return _element(it, value)


def leaves_lost(faults: Iterable[ArgumentFault]) -> frozenset[Leaf]:
    """The leaves that the optimizer does not get because of silent faults."""
    lost: set[Leaf] = set()
    for fault in faults:
        if fault.kind == "pair" and isinstance(fault.value, Container):
            others = (*fault.value.items.values[:1], *fault.value.items.values[2:])
            lost |= {value for value in others if isinstance(value, Leaf)}
        elif fault.kind == "state-dict" and isinstance(fault.value, Flow) and fault.value.alias is not None:
            lost.add(fault.value.alias)
    return frozenset(lost)
