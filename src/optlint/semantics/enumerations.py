"""Enumerations: their members as objects, found by name and by value.

``functions`` makes them when an enum class is defined; ``containers``, ``iteration`` and ``truth`` look them up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics.values import (
    UNKNOWN,
    Choice,
    Const,
    Container,
    Function,
    Instance,
    Items,
    UserClass,
    Value,
    join_values,
)

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_BASES = frozenset({"enum.Enum", "enum.IntEnum", "enum.StrEnum", "enum.Flag", "enum.IntFlag"})
#: Bases that let a member equal its plain value.
_PLAIN = frozenset({"enum.IntEnum", "enum.StrEnum", "enum.IntFlag", "builtins.str", "builtins.int"})


def is_enum(cls: UserClass) -> bool:
    """Whether a class is an enumeration."""
    return any(base in _BASES for base in cls.library_bases())


def make_members(it: Interpreter, cls: UserClass) -> None:
    """Turn the plain attributes of an enum class into its members."""
    plain = any(base in _PLAIN for base in cls.library_bases())
    for name, value in list(cls.slots.items()):
        if name.startswith(("#", "_")) or not isinstance(value, Value) or isinstance(value, Function):
            continue
        member = Instance(cls, cls.site)
        given = Const(name.lower()) if _automatic(value) else value
        member.slots.update({"name": Const(name), "value": given, "_value_": given, "#plain": plain})
        it.heap.set(cls.slots, name, member)


def _automatic(value: Value) -> bool:
    """``enum.auto()``: some value of its own that nobody writes down."""
    return not isinstance(value, (Const, Container, Choice, Instance)) and value == UNKNOWN


def members(cls: UserClass) -> Items:
    """The members in order."""
    found = [value for value in cls.slots.values() if isinstance(value, Instance) and value.cls is cls]
    return Items(tuple(found))


def by_name(cls: UserClass, key: Value) -> Value:
    """``Kind["ADAM"]``."""
    return _only([m for m in members(cls).values if isinstance(m, Instance) and m.slots["name"] == key], cls)


def by_value(cls: UserClass, value: Value) -> Value:
    """``Kind("adam")``."""
    if isinstance(value, Instance) and value.cls is cls:
        return value
    return _only(
        [m for m in members(cls).values if isinstance(m, Instance) and m.slots["value"] == value], cls
    )


def _only(found: list[Instance], cls: UserClass) -> Value:
    if len(found) == 1:
        return found[0]
    everyone = members(cls).values
    return join_values(everyone) if everyone else UNKNOWN


def plain_value(member: Instance) -> Value | None:
    """What a member of a ``str`` or ``int`` enumeration equals; None for any other object."""
    value = member.slots.get("value")
    return value if member.slots.get("#plain") is True and isinstance(value, Value) else None
