"""Identity of parameters over time: what gives a module parameters that it did not have, and when.

``attributes``, ``containers`` and the libraries report here what they do to modules. Must not know any rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from optlint.semantics import families, modules, overwriting
from optlint.semantics.events import GroupsEdited, PartChanged
from optlint.semantics.site import Site
from optlint.semantics.values import (
    ABSENT,
    Container,
    DictObj,
    Instance,
    Leaf,
    Optimizer,
    UserClass,
    Value,
    join_values,
    options,
)

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: A module's own constructor has ended: what is set from then on changes it.
MADE = "#made"
#: A module's parameters were asked for while its constructor was running.
LISTED = "#listed"
#: On ``param_groups`` and the dicts and lists in it: whose they are.
OPTIMIZER = "#optimizer"
#: A parameter on the meta device has no memory, and gets it by being made anew.
META = "#meta"
#: Keys of ``Interpreter.switches``: tensors are made on the meta device; conversions make new parameters.
ON_META = "meta"
OVERWRITES = "overwrites"


def leaves(it: Interpreter, module: Instance) -> frozenset[Leaf]:
    """The parameters that a module has now."""
    return frozenset(entry.leaf for entry in modules.parameters(it, module).parameters)


def put(it: Interpreter, owner: Instance, name: str, value: Value) -> None:
    """``owner.name = value``."""
    overwriting.note(it, owner, name, value)
    with watched(it, owner, name):
        it.heap.set(owner.slots, name, value)


@contextmanager
def watched(
    it: Interpreter, owner: Instance, name: str = "", how: str = "", losses: bool = False
) -> Iterator[None]:
    """Whatever parameters a module gets inside (or only loses) is noted, if some optimizer was built before."""
    if not _matters(it, owner):
        yield
        return
    before = leaves(it, owner)
    known = name in owner.slots
    yield
    after = leaves(it, owner)
    if after <= before and not (losses and after < before):
        return
    rest = owner.slots.get("*")
    gone = before - after
    if not gone and not known and isinstance(rest, Leaf):
        gone = frozenset({rest})  # a part of a library's model that nobody had looked at
    note(it, owner, name, how, before, gone, after - before)


def note(
    it: Interpreter,
    owner: Instance,
    name: str,
    how: str,
    before: frozenset[Leaf],
    old: frozenset[Leaf],
    new: frozenset[Leaf],
) -> None:
    """Record that a module got new parameters."""
    frame = it.frame
    if frame.statement is None:
        return
    site = Site(frame.context.part, frame.statement, frame.statement)
    unsure, branches = bool(it.conditional), tuple(it.branches)
    early = _constructing(owner)
    it.record(PartChanged(site, unsure, owner, name, how, before, old, new, branches, early))


def view_groups(it: Interpreter, optimizer: Optimizer, view: Container) -> None:
    """``optimizer.param_groups`` is looked at: what is done to it and to the lists in it is done to the optimizer."""
    it.heap.set(view.slots, OPTIMIZER, optimizer)
    for group in view.items.values:
        if isinstance(group, DictObj):
            group.slots[OPTIMIZER] = optimizer
            params = group.entries.values.get("params")
            if isinstance(params, Container):
                params.slots[OPTIMIZER] = optimizer
    it.heap.set(optimizer.slots, "#param_groups", view)


def edited(it: Interpreter, part: Value, given: Value | None) -> None:
    """``part`` may belong to an optimizer: it is cleared, or what it holds is replaced by ``given``."""
    optimizer = part.slots.get(OPTIMIZER) if isinstance(part, (Container, DictObj)) else part
    frame = it.frame
    if isinstance(optimizer, Optimizer) and frame.statement is not None:
        site = Site(frame.context.part, frame.statement, frame.statement)
        count = len(optimizer.groups.groups)
        it.record(GroupsEdited(site, bool(it.conditional), optimizer, given, count))


def _matters(it: Interpreter, owner: Instance) -> bool:
    if not it.book.known or not families.is_module(it, owner):
        return False
    return not _constructing(owner) or LISTED in owner.slots


def _constructing(module: Instance) -> bool:
    return isinstance(module.cls, UserClass) and MADE not in module.slots


def asked_for(it: Interpreter, module: Instance) -> bool:
    """Somebody asks for the parameters of a module; says whether it is too early, as it certainly has none yet."""
    if not _constructing(module):
        return False
    it.heap.set(module.slots, LISTED, True)
    listing = modules.parameters(it, module)
    return not listing.parameters and not listing.open and not listing.doubtful


def constructed_again(it: Interpreter, module: Instance, construct: Callable[[], Value]) -> Value:
    """``module.__init__()`` on a module that exists."""
    with watched(it, module, how="`__init__()` makes all layers again"):
        it.heap.set(module.slots, MADE, ABSENT)
        result = construct()
        it.heap.set(module.slots, MADE, True)
    return result


def made_on_meta(it: Interpreter) -> Callable[[], None]:
    """What is made from now on has no memory; gives what ends that."""
    before = it.switches.get(ON_META, ABSENT)
    it.heap.set(it.switches, ON_META, True)
    return lambda: it.heap.set(it.switches, ON_META, before)


def born(it: Interpreter, parameter: Leaf) -> None:
    """A parameter was made."""
    if it.switches.get(ON_META) is True:
        parameter.slots[META] = True


def renew(it: Interpreter, module: Instance, how: str) -> None:
    """All parameters of a module become new objects with the same values."""
    with watched(it, module, how=how):
        renewed: dict[int, Leaf] = {}
        for child in unique_submodules(it, module):
            for name, value in list(child.members()):
                if any(_is_parameter(option) for option in options(value)):
                    again = [_again(option, renewed) for option in options(value)]
                    it.heap.set(child.slots, name, join_values(again))


def unique_submodules(it: Interpreter, module: Instance) -> list[Instance]:
    """A module and all inside it, each once."""
    found: dict[int, Instance] = {}
    for _, child in modules.submodules(it, module, True):
        found.setdefault(id(child), child)
    return list(found.values())


def _is_parameter(value: Value) -> bool:
    return isinstance(value, Leaf) and value.is_parameter


def _again(value: Value, renewed: dict[int, Leaf]) -> Value:
    if not isinstance(value, Leaf) or not value.is_parameter:
        return value
    if id(value) not in renewed:
        renewed[id(value)] = like(value)
    return renewed[id(value)]


def like(leaf: Leaf) -> Leaf:
    """Another parameter in the same state."""
    again = Leaf(
        leaf.site, is_parameter=True, requires_grad=leaf.requires_grad, ndim=leaf.ndim, fresh=leaf.fresh
    )
    again.slots.update(leaf.slots)
    return again
