"""Modules and Parameters that a module uses and that are hidden from its registration by something else than a list.

In the class body, a cached property, ``__dict__``, a helper object, a partial, a lambda or a bound method (OPT207).
Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import families, handed, modules
from optlint.semantics.attributes import CACHED, PLAIN
from optlint.semantics.events import AttributeSet, OptimizerBuilt
from optlint.semantics.questions import by_hand
from optlint.semantics.questions.owners import effects, registered, used
from optlint.semantics.questions.plain_containers import Kept
from optlint.semantics.site import Site
from optlint.semantics.values import (
    Container,
    Function,
    Instance,
    Items,
    Leaf,
    Method,
    Partial,
    UserClass,
    Value,
    options,
)

if TYPE_CHECKING:
    from optlint.semantics.program import Run

#: Libraries whose classes are no modules.
_PLAIN_LIBRARIES = ("builtins.", "abc.", "typing.", "collections.", "enum.", "types.", "dataclasses.")
#: Helper objects inside helper objects that are looked into.
MAX_DEPTH = 3


@dataclass(frozen=True)
class HiddenModule:
    """Modules or Parameters that ``owner`` (a class) holds under ``name`` and does not register.

    ``how``: class, cached, dict, object, partial, function or method; ``label``: how the program would reach the
    first of them; ``what``: its class. ``optimizers`` were built from the owner's parameters, without these;
    ``nothing_else``: it has no others, so that they got nothing.
    """

    site: Site
    owner: str
    name: str
    how: str
    label: str
    what: str
    leaves: frozenset[Leaf]
    optimizers: tuple[OptimizerBuilt, ...]
    nothing_else: bool


@dataclass(frozen=True)
class _Candidate:
    owner: Instance
    name: str
    how: str
    label: str
    value: Instance | Leaf


def hidden_modules(run: Run) -> Iterator[HiddenModule]:
    """One fact for each place at which something is hidden."""
    if not run.complete:
        return
    found: dict[Site, HiddenModule] = {}
    for candidate in _candidates(run):
        fact = _judged(run, candidate)
        if fact is not None:
            old = found.setdefault(fact.site, fact)
            found[fact.site] = replace(old, leaves=old.leaves | fact.leaves)
    yield from found.values()


# -- what is hidden where ------------------------------------------------------------------------------------------------


def _candidates(run: Run) -> Iterator[_Candidate]:
    for owner in run.models:
        if not isinstance(owner.cls, UserClass) or owner.slots.get("#copied"):
            continue
        for name, value in list(owner.slots.items()):
            if name.startswith(PLAIN):
                yield from _in_value(run, owner, name.removeprefix(PLAIN), "dict", value)
            elif name.startswith(CACHED):
                yield from _in_value(run, owner, name.removeprefix(CACHED), "cached", value)
            elif not name.startswith("#"):
                yield from _in_attribute(run, owner, name, value)
        for name, value in _class_body(owner):
            yield from _in_value(run, owner, name, "class", value)


def _class_body(owner: Instance) -> Iterator[tuple[str, Value]]:
    """What stands in the class's body and is not replaced by an attribute of the object."""
    own = set(owner.slots)
    for base in owner.cls.order() if isinstance(owner.cls, UserClass) else ():
        for name, value in list(base.slots.items()) if isinstance(base, UserClass) else ():
            if not name.startswith("#") and name not in own and isinstance(value, (Instance, Leaf)):
                own.add(name)
                yield name, value


def _in_value(run: Run, owner: Instance, name: str, how: str, value: Value) -> Iterator[_Candidate]:
    for option in options(value):
        if _is_trainable(run, option):
            assert isinstance(option, (Instance, Leaf))
            yield _Candidate(owner, name, how, name, option)


def _in_attribute(run: Run, owner: Instance, name: str, value: Value) -> Iterator[_Candidate]:
    for option in options(value):
        for how, label, hidden in _inside(run, option, name, 0):
            if hidden is not owner:
                yield _Candidate(owner, name, how, label, hidden)


def _inside(run: Run, value: Value, label: str, depth: int) -> Iterator[tuple[str, str, Instance | Leaf]]:
    """Modules and Parameters in a helper object, a partial, a function or a bound method."""
    if isinstance(value, Partial):
        for part in (value.function, *value.arguments.all_values()):
            if _is_trainable(run, part):
                yield "partial", label, part  # type: ignore[misc]
    elif isinstance(value, Method) and isinstance(value.receiver, Instance):
        if _is_trainable(run, value.receiver):
            yield "method", label, value.receiver
    elif isinstance(value, Function):
        for part in _closed_over(value):
            if _is_trainable(run, part):
                yield "function", label, part  # type: ignore[misc]
    elif isinstance(value, Instance) and _is_helper(run, value) and depth < MAX_DEPTH:
        for name, member in list(value.members()):
            for option in options(member):
                inner = f"{label}.{name}"
                if _is_trainable(run, option):
                    yield "object", inner, option  # type: ignore[misc]
                elif isinstance(option, Instance):
                    yield from _inside(run, option, inner, depth + 1)


def _is_trainable(run: Run, value: Value) -> bool:
    if isinstance(value, Leaf):
        return value.is_parameter
    return isinstance(value, Instance) and families.is_module(run.interpreter, value)


def _is_helper(run: Run, value: Instance) -> bool:
    """Whether an object is certainly no module: a class of another library may be one."""
    cls = value.cls
    if not isinstance(cls, UserClass) or cls.has_unknown_base() or families.is_module(run.interpreter, value):
        return False
    return all(base.startswith(_PLAIN_LIBRARIES) for base in cls.library_bases())


def _closed_over(function: Function) -> Iterator[Value]:
    """What a function's code names of the scope around it."""
    code = function.context.part.code(function.node)
    for name in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", code)):
        value = function.closure.lookup(name) if function.closure is not None else None
        if isinstance(value, (Instance, Leaf)) and name != "self":
            yield value


# -- judging -------------------------------------------------------------------------------------------------------------


def _judged(run: Run, one: _Candidate) -> HiddenModule | None:
    # A module that is registered by another way is not hidden; neither is one that somebody takes care of.
    if registered(run).holds(one.value) or _is_registered_parameter(run, one.value):
        return None
    kept = Kept(one.owner, one.name, *_in_a_list(one), one.label, one.value)
    if by_hand.owner_takes_care(run, kept) or _may_be_constant(run, one):
        return None
    leaves = _trainable_leaves(run, one.value)
    if not leaves or not leaves & used(run, one.owner, set(leaves)):
        return None
    built, nothing_else = effects(run, one.owner)
    if not built and by_hand.other_code_may_take_it(run, kept):
        return None
    site = _set_at(run, one) or one.value.site
    if site is None:
        return None
    what = one.value.cls.name if isinstance(one.value, Instance) else "nn.Parameter"
    return HiddenModule(
        site, one.owner.cls.name, one.name, one.how, one.label, what, frozenset(leaves), built, nothing_else
    )


def _in_a_list(one: _Candidate) -> tuple[Container, Container]:
    """What is hidden as if it stood in a list: the shared questions ask about those."""
    around = Container("list", Items((one.value,)))
    return around, around


def _is_registered_parameter(run: Run, value: Instance | Leaf) -> bool:
    if not isinstance(value, Leaf):
        return False
    return any(value is entry.leaf for model in run.models for entry in run.parameters(model).parameters)


def _may_be_constant(run: Run, one: _Candidate) -> bool:
    """Whether a helper object or function came in from outside: who made it may train what is in it."""
    if one.how not in ("object", "function", "partial", "method"):
        return False
    return one.value.serial < one.owner.serial or not _made_by(run, one)


def _made_by(run: Run, one: _Candidate) -> bool:
    """Whether the owner's own constructor put it there."""
    return any(
        event.owner is one.owner and event.name == one.name and event.constructing
        for event in run.of(AttributeSet)
    )


def _trainable_leaves(run: Run, value: Instance | Leaf) -> set[Leaf]:
    """The parameters that are meant to train; none where somebody takes care of one of them."""
    if handed.was_handed(value):
        return set()
    if isinstance(value, Leaf):
        found = {value}
    else:
        inside = [child for _, child in modules.submodules(run.interpreter, value, True)]
        loaded = run.loaded()
        if any(c.slots.get("#eval") or c.slots.get("#pretrained") or id(c) in loaded for c in inside):
            return set()
        found = {entry.leaf for entry in modules.parameters(run.interpreter, value).parameters}
    if any(by_hand.is_touched(run, leaf) or leaf in run.loaded_leaves for leaf in found):
        return set()
    return {leaf for leaf in found if by_hand.wants_gradient(leaf)}


def _set_at(run: Run, one: _Candidate) -> Site | None:
    names = {one.name, f"{PLAIN}{one.name}"}
    return next(
        (e.site for e in run.of(AttributeSet) if e.owner is one.owner and e.name in names),
        None,
    )
