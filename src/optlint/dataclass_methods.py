"""The methods of an ordinary dataclass, written with one compilation where ``dataclasses`` takes five or six.

``optlint.deferred`` asks for them when a class is first used. Must not know the classes, nor when it is asked.
"""

from __future__ import annotations

import dataclasses
import operator
import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

_MISSING = dataclasses.MISSING
_set = object.__setattr__


class PlainField(NamedTuple):
    """What ``__init__`` and comparison need to know of a field."""

    default: Any
    factory: Any
    compared: bool


def plain_fields(cls: type) -> dict[str, PlainField] | None:
    """The fields that ``cls`` itself declares; ``None`` when one of them is out of the ordinary.

    ``cls`` must be as it was before ``dataclasses`` took the defaults of its fields away.
    """
    found: dict[str, PlainField] = {}
    for name, annotation in getattr(cls, "__annotations__", {}).items():
        said = str(annotation)
        if "ClassVar" in said:
            continue
        if "InitVar" in said or "KW_ONLY" in said or name == "self":
            return None
        default = cls.__dict__.get(name, _MISSING)
        if isinstance(default, types.MemberDescriptorType):
            return None
        if not isinstance(default, dataclasses.Field):
            found[name] = PlainField(default, _MISSING, True)
        elif default.init and default.hash is None and default.kw_only is not True:
            found[name] = PlainField(default.default, default.default_factory, default.compare)
        else:
            return None
    return found


def methods_of(
    cls: type, fields: Mapping[str, PlainField], *, frozen: bool, compared: bool
) -> dict[str, Any]:
    """What a dataclass of these fields has, by name; the caller leaves out what ``cls`` defines itself."""
    methods: dict[str, Any] = {"__init__": _init(cls, fields, frozen), "__match_args__": tuple(fields)}
    if frozen:
        methods.update(_protection(cls, frozenset(fields)))
    if compared:
        methods.update(_comparison([name for name, field in fields.items() if field.compared], hashed=frozen))
    return methods


def _init(cls: type, fields: Mapping[str, PlainField], frozen: bool) -> Callable[..., None]:
    known: dict[str, Any] = {"_set": _set, "_missing": _MISSING}
    parameters, body = ["self"], []
    for name, (default, factory, _) in fields.items():
        value = name
        if factory is not _MISSING:
            known[f"_make_{name}"] = factory
            parameters.append(f"{name}=_missing")
            value = f"_make_{name}() if {name} is _missing else {name}"
        elif default is not _MISSING:
            known[f"_default_{name}"] = default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        body.append(f" _set(self, {name!r}, {value})" if frozen else f" self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append(" self.__post_init__()")
    lines = [f"def __init__({', '.join(parameters)}):", *(body or [" pass"])]
    exec("\n".join(lines), known)  # as dataclasses does; the names are those of annotations in the class
    written: Callable[..., None] = known.pop("__init__")
    written.__qualname__ = f"{cls.__qualname__}.__init__"
    return written


def _protection(cls: type, names: frozenset[str]) -> dict[str, Any]:
    """Objects of a frozen class refuse changes to their fields."""

    def refuse_change(self: Any, name: str, value: object) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)  # type: ignore[arg-type]

    def refuse_deletion(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)  # type: ignore[arg-type]

    return {"__setattr__": refuse_change, "__delattr__": refuse_deletion}


def _comparison(names: list[str], *, hashed: bool) -> dict[str, Any]:
    """Objects of one class are equal when their fields are."""
    values: Callable[[Any], tuple[Any, ...]]
    if len(names) > 1:
        values = operator.attrgetter(*names)
    elif names:
        only = operator.attrgetter(names[0])
        values = lambda self: (only(self),)  # noqa: E731
    else:
        values = lambda self: ()  # noqa: E731

    def equal(self: object, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed_value(self: object) -> int:
        return hash(values(self))

    return {"__eq__": equal, "__hash__": hashed_value if hashed else None}
