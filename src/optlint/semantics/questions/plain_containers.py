"""What the user's modules keep in plain lists, dicts and sets, where torch does not register it.

Shared by the questions about unregistered modules and parameters; must not know which of them asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from optlint.deferred import dataclass
from optlint.semantics import containers, events, families, modules
from optlint.semantics.site import Site
from optlint.semantics.values import (
    NONE,
    Const,
    Container,
    DictObj,
    Instance,
    Leaf,
    NamedTuple,
    OneShot,
    Record,
    UserClass,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter
    from optlint.semantics.program import Run

#: Lists inside lists that are looked into.
MAX_DEPTH = 4
#: Elements of one attribute that are looked at.
MAX_ELEMENTS = 400
#: Longer expressions are not repeated in messages.
_MAX_SHOWN = 56
#: One-shot iterators of modules that a program makes itself.
_ITERATORS = frozenset({"generator", "map", "filter", "zip", "chain", "iter"})

Plain: TypeAlias = Container | DictObj | OneShot


@dataclass(frozen=True)
class Kept:
    """A module or Parameter in a plain container that is an attribute of a module.

    ``inner``: the container that it stands in itself; ``label``: how the program would name it; ``holder``: the
    ParameterList or ParameterDict around them all, which registers only what stands directly in it.
    """

    owner: Instance
    name: str
    outer: Plain
    inner: Plain
    label: str
    value: Instance | Leaf
    in_class: bool = False
    holder: Instance | None = None


def kept(run: Run) -> Iterator[Kept]:
    """Everything of that kind on the modules that the program made."""
    for owner in run.models:
        if isinstance(owner.cls, UserClass) and not owner.slots.get("#copied"):
            yield from _kept_by(run.interpreter, owner)


def _kept_by(it: Interpreter, owner: Instance) -> Iterator[Kept]:
    for name, value in list(owner.members()):
        yield from _in_attribute(it, owner, name, value, False)
    for name, value in _class_members(owner):
        yield from _in_attribute(it, owner, name, value, True)


def _class_members(owner: Instance) -> Iterator[tuple[str, Value]]:
    """Containers that stand in the class's body: all its objects share them."""
    if not isinstance(owner.cls, UserClass):
        return
    seen = {name for name, _ in owner.members()}
    for base in owner.cls.order():
        for name, value in list(base.slots.items()) if isinstance(base, UserClass) else ():
            if not name.startswith("#") and name not in seen and isinstance(value, Value):
                seen.add(name)
                yield name, value


def _in_attribute(
    it: Interpreter, owner: Instance, name: str, value: Value, in_class: bool
) -> Iterator[Kept]:
    if name.startswith("<"):
        return
    for holder in options(value):
        if isinstance(holder, Instance) and modules.is_parameter_container(it, holder):
            yield from _in_holder(it, owner, name, holder)
    plain = [option for option in options(value) if option != NONE]
    if not all(_is_plain(option) for option in plain):
        return  # in some branch it is registered, or nothing is known of it
    for option in plain:
        if isinstance(option, (Container, DictObj, OneShot)):
            budget = [MAX_ELEMENTS]
            for label, inner, element in _elements(it, option, name, budget, 0):
                yield Kept(owner, name, option, inner, label, element, in_class)


def _is_plain(value: Value) -> bool:
    return isinstance(value, (Container, DictObj)) or (
        isinstance(value, OneShot) and value.kind in _ITERATORS
    )


def _contents(container: Plain) -> tuple[Value, ...]:
    """Its elements; of an iterator those that it has given to somebody."""
    if isinstance(container, OneShot):
        items = container.progress.items
        return () if items is None else items.values
    return containers.contents(container)


def _in_holder(it: Interpreter, owner: Instance, name: str, holder: Instance) -> Iterator[Kept]:
    for key, value in modules.elements(holder):
        for option in options(value):
            if isinstance(option, (Container, DictObj)):
                label = f"{name}[{key}]"
                for inner_label, inner, element in _elements(it, option, label, [MAX_ELEMENTS], 0):
                    yield Kept(owner, name, option, inner, inner_label, element, holder=holder)


def _elements(
    it: Interpreter, container: Plain, label: str, budget: list[int], depth: int
) -> Iterator[tuple[str, Plain, Instance | Leaf]]:
    keys = list(container.entries.values) if isinstance(container, DictObj) else range(10**6)
    for key, value in zip(keys, _contents(container), strict=False):
        budget[0] -= 1
        if budget[0] < 0:
            return
        inner_label = f"{label}[{_shown(key)}]"
        for option in options(value):
            if (isinstance(option, Leaf) and option.is_parameter) or (
                isinstance(option, Instance) and families.is_module(it, option)
            ):
                yield inner_label, container, option
            elif isinstance(option, (Container, DictObj)) and depth < MAX_DEPTH:
                yield from _elements(it, option, inner_label, budget, depth + 1)


def _shown(key: object) -> str:
    if isinstance(key, Const):
        key = key.value
    return repr(key).replace("'", '"') if isinstance(key, (str, int)) else "…"


# -- where ---------------------------------------------------------------------------------------------------------------


def put_on(run: Run, one: Kept) -> Site | None:
    """Where the container came to be an attribute of its owner; None where a module had the name: torch refuses that."""
    if one.in_class:
        return one.outer.site
    if one.holder is not None:
        return one.holder.site
    for event in run.of(events.AttributeSet):
        if event.owner is one.owner and event.name == one.name:
            held = options(event.value)
            if any(option is one.outer for option in held):
                return event.site
            if any(isinstance(v, Instance) and families.is_module(run.interpreter, v) for v in held):
                return None
    return None


def put_into(run: Run, one: Kept) -> Site | None:
    """Where the element was put into its container after that had been made."""
    for event in run.of(events.ElementAdded):
        if event.container is one.inner and event.element is one.value:
            return event.site
    return None


def written(one: Kept, site: Site) -> str:
    """What the assignment at ``site`` gives, as it is written, nothing for an empty list; "…" if that is not short."""
    made = one.outer.site
    if made is None or getattr(site.statement, "value", None) is not made.node:
        return "…"
    if isinstance(one.outer, (NamedTuple, Record)):
        return "…"
    text = made.text()
    if text in ("[]", "()", "{}", "list()", "dict()", "set()"):
        return ""
    if isinstance(made.node, cst.GeneratorExp):
        text = text.removeprefix("(").removesuffix(")")
    return text if len(text) <= _MAX_SHOWN else "…"


def kind_of(container: Plain) -> str:
    """What a container is called in a message."""
    if isinstance(container, OneShot):
        return "generator" if container.kind == "generator" else "iterator"
    if isinstance(container, DictObj):
        return "namespace" if isinstance(container, Record) else "dict"
    kind = container.kind.removeprefix("dict_")
    return {"values": "dict view", "items": "dict view", "keys": "dict view", "range": "list"}.get(kind, kind)
