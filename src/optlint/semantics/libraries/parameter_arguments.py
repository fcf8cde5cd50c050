"""How an optimizer reads its first argument: one list or several groups, names, tuples, and certainly nothing.

``torch_calls`` asks when an optimizer is built or given a group. Order of checks as in ``torch.optim.Optimizer``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from optlint.semantics import families, iteration, modules, truth
from optlint.semantics.events import EmptyArgument
from optlint.semantics.libraries import empty_variables
from optlint.semantics.values import (
    ABSENT,
    UNKNOWN,
    Choice,
    Container,
    DictObj,
    Entries,
    Flow,
    Group,
    Groups,
    Instance,
    Items,
    Leaf,
    OneShot,
    Optimizer,
    Unknown,
    UnseenIterator,
    Value,
    join_values,
    options,
)

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter


def groups_of(it: Interpreter, given: Value) -> Groups:
    """The param groups that an optimizer makes of its first argument."""
    if isinstance(given, Choice):
        each = [groups_of(it, option) for option in options(given)]
        return each[0].joined_with(each[1:]) if each else Groups((), True)
    if isinstance(given, Leaf):
        return Groups((Group(Items((given,))),))
    if isinstance(given, UnseenIterator):
        iteration.take(it, given)
    if not isinstance(given, (Container, OneShot, Instance)):
        return Groups((), True)
    if isinstance(given, Instance) and not modules.is_container(given, "ParameterList"):
        return Groups((), True)
    items = iteration.take(it, given)
    dicts = [option for value in items.values for option in options(value) if isinstance(option, DictObj)]
    if not dicts:
        return Groups((Group(_tensors(items)),), False)
    groups = [_group(it, entry) for entry in dicts]
    known = all(isinstance(option, DictObj) for value in items.values for option in options(value))
    return Groups(tuple(groups), items.open or not known)


def _group(it: Interpreter, entry: DictObj) -> Group:
    entries = entry.entries
    given = entries.values.get("params")
    settings = {str(key): value for key, value in entries.values.items() if key != "params"}
    if given is None:
        return Group(None, settings, entry)
    made = given.site if isinstance(given, (Container, OneShot)) else None
    former = entry.slots.get("#optimizer")
    owner = former if isinstance(former, Optimizer) else None
    return Group(_group_tensors(it, given), settings, entry, made, owner)


def adopt(it: Interpreter, optimizer: Optimizer, groups: Groups, defaults: Mapping[str, Value]) -> None:
    """The dicts of groups that an optimizer was given are its own now: with lists, and with its settings."""
    for group in groups.groups:
        entry = group.entry
        if entry is None or group.params is None:
            continue
        values = {key: value for key, value in defaults.items() if key not in entry.entries.values}
        if "#own" not in entry.slots:
            it.heap.set(entry.slots, "#own", frozenset(entry.entries.values))
        values.update(entry.entries.values)
        values["params"] = Container("list", group.params, group.made)
        it.heap.set(entry.slots, "entries", Entries(values, True))
        if "#optimizer" not in entry.slots:
            it.heap.set(entry.slots, "#optimizer", optimizer)


def _group_tensors(it: Interpreter, given: Value) -> Items | None:
    if isinstance(given, Choice):
        each = [_group_tensors(it, option) or Items((), True) for option in options(given)]
        return each[0].joined_with(each[1:]) if each else None
    if isinstance(given, Leaf):
        return Items((given,))
    if isinstance(given, UnseenIterator):
        iteration.take(it, given)
    if isinstance(given, (Container, OneShot)):
        return _tensors(iteration.take(it, given))
    if isinstance(given, Instance) and modules.is_container(given, "ParameterList"):
        return _tensors(iteration.take(it, given))
    return None


def _tensors(items: Items) -> Items:
    """The tensors themselves: of (name, parameter) pairs the second part."""
    values = (join_values([_tensor(option) for option in _alternatives(value)]) for value in items.values)
    return Items(tuple(values), items.open, items.many)


def _alternatives(value: Value) -> tuple[Value, ...]:
    return value.options if isinstance(value, Choice) else (value,)


def _tensor(value: Value) -> Value:
    if isinstance(value, Container) and value.kind == "tuple" and len(value.items.values) == 2:
        return value.items.values[1]
    return value


def optimizer_leaves(optimizer: Optimizer) -> tuple[set[Leaf], bool]:
    """What ``held_leaves`` says of an optimizer's groups, with what the program wrote into ``param_groups``."""
    held, more = held_leaves(optimizer.groups)
    for view in options(optimizer.slots.get("#param_groups", ABSENT)):
        if not isinstance(view, Container):
            return held, True
        more = more or view.items.open
        for group in (option for element in view.items.values for option in options(element)):
            given = group.entries.values.get("params", UNKNOWN) if isinstance(group, DictObj) else UNKNOWN
            for params in options(given):
                items = _tensors(params.items) if isinstance(params, Container) else Items((), True)
                added, unknown = held_leaves(Groups((Group(items),)))
                held, more = held | added, more or unknown
    return held, more


def all_frozen(optimizer: Optimizer) -> bool:
    """Whether an optimizer certainly holds tensors, and only such as want no gradient now."""
    held, more = optimizer_leaves(optimizer)
    return bool(held) and not more and all(leaf.requires_grad is False for leaf in held)


def held_leaves(groups: Groups) -> tuple[set[Leaf], bool]:
    """Every leaf that the groups may hold, and whether they may hold others that are not known."""
    held: set[Leaf] = set()
    more = groups.open
    for group in groups.groups:
        if group.params is None:
            more = True
            continue
        more = more or group.params.open
        for value in group.params.values:
            for option in options(value):
                if isinstance(option, Leaf):
                    held.add(option)
                elif isinstance(option, Unknown):
                    held |= option.taint
                    more = True
                elif not isinstance(option, Flow):
                    more = True
    return held, more


# -- certainly empty -------------------------------------------------------------------------------------------------


def empty_argument(it: Interpreter, given: Value) -> EmptyArgument | None:
    """Why the argument certainly holds nothing; None when it holds something or that cannot be told."""
    if isinstance(given, Choice):
        each = [empty_argument(it, option) for option in given.options if option is not ABSENT]
        return each[0] if each and all(each) else None
    if empty_variables.is_empty(given):
        return EmptyArgument("unbuilt", given.cause.made, owner=given.cause.owner or given.cause.cls)
    if isinstance(given, Container):
        return _empty_container(it, given)
    if isinstance(given, DictObj):
        nothing = not given.entries.values and not given.entries.open
        return EmptyArgument("list", given.site) if nothing else None
    if isinstance(given, OneShot):
        return _empty_iterator(it, given)
    if isinstance(given, Instance) and modules.is_container(given, "ParameterList"):
        items = modules.iterate(it, given)
        nothing = items is not None and not items.values and not items.open
        return EmptyArgument("list", given.site) if nothing else None
    return None


def parameterless(it: Interpreter, given: Value) -> tuple[Instance, ...]:
    """The models whose parameters an optimizer is given, when they certainly have none and nothing else is given."""
    if isinstance(given, Container) and given.items.values and not given.items.open:
        groups = [truth.without_absent(value) for value in given.items.values]
        inner = [
            parameterless(it, group.entries.values["params"])
            for group in groups
            if isinstance(group, DictObj) and "params" in group.entries.values
        ]
        whole = len(inner) == len(groups) and all(inner)
        return tuple(dict.fromkeys(model for models in inner for model in models)) if whole else ()
    owner = given.slots.get("#of") if isinstance(given, (OneShot, Container)) else None
    if not isinstance(owner, Instance) or owner.slots.get("#escaped") or owner.cls is it.root_class:
        return ()
    if isinstance(given, OneShot) and (given.kind != "parameters" or given.progress.used_up):
        return ()
    listing = modules.parameters(it, owner)
    nothing = not listing.parameters and not listing.open and not listing.doubtful
    return (owner,) if nothing and not _holds_foreign_layers(it, owner) else ()


def _holds_foreign_layers(it: Interpreter, owner: Instance) -> bool:
    """Whether layers of another library are in it: those of Keras on torch are modules and have parameters."""
    everyone = [child for _, child in modules.submodules(it, owner, True)]
    members = [option for child in everyone for _, value in child.members() for option in options(value)]
    return any(
        isinstance(member, (Instance, Unknown)) and not families.is_module(it, member) for member in members
    )


def _empty_container(it: Interpreter, given: Container) -> EmptyArgument | None:
    items = given.items
    if items.open:
        return None
    if not items.values:
        return None if given.slots.get("#of") else EmptyArgument("list", given.site)
    groups = [truth.without_absent(value) for value in items.values]
    if not all(isinstance(group, DictObj) for group in groups):
        return None
    inner: list[EmptyArgument | None] = []
    for group in groups:
        params = group.entries.values.get("params") if isinstance(group, DictObj) else None
        inner.append(None if params is None else empty_argument(it, params))
    if not all(inner):
        return None
    first = inner[0]
    return EmptyArgument("group", first.made if first else None)


def _empty_iterator(it: Interpreter, given: OneShot) -> EmptyArgument | None:
    if given.progress.used_up or given.kind not in (
        "filter",
        "generator",
        "chain",
        "iter",
        "map",
    ):
        return None
    items = iteration.peek(it, given)
    return EmptyArgument("filter", given.site) if not items.values and not items.open else None
