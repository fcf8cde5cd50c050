"""Dataclasses and regular expressions that are made when they are first used, so that importing hundreds is quick.

Every module of ours takes ``dataclass`` from here, and ``regex`` for its constants; ``libcst``, more than half of whose
import is dataclasses, is imported through ``deferring``. Must not know what any of them is for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from optlint.dataclass_methods import PlainField, methods_of, plain_fields

__all__ = ["dataclass", "deferring", "regex"]

_Class = TypeVar("_Class", bound=type)

_really = dataclasses.dataclass
_real_fields = dataclasses.fields
_lock = threading.RLock()
_FIELDS = "__dataclass_fields__"
_UNDERSTOOD = frozenset({"frozen", "eq", "order"})
_ORDER = ("__lt__", "__le__", "__gt__", "__ge__")
#: What is left to ``dataclasses``, since few programs ask for it.
_LATE = frozenset({_FIELDS, "__repr__", *_ORDER})


def _deferred(cls: _Class | None = None, /, **options: bool) -> _Class | Callable[[_Class], _Class]:
    """Like ``dataclasses.dataclass``, but nothing is written before a method of ``cls`` is called.

    Then ``__init__`` and comparisons are, and all that ``dataclasses`` writes once more than that is asked for.
    """
    if cls is None:
        return lambda given: _put_off(given, options)
    return _put_off(cls, options)


class _Regex:
    """A regular expression that is compiled when it is first asked for anything."""

    def __init__(self, pattern: Any, flags: int = 0) -> None:
        self._source = (pattern, flags)

    def __getattr__(self, name: str) -> Any:
        pattern, flags = self._source
        asked = getattr(re.compile(pattern, flags), name)
        setattr(self, name, asked)  # from now on found without asking here
        return asked


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from re import compile as regex
else:
    dataclass, regex = _deferred, _Regex


@contextlib.contextmanager
def deferring() -> Iterator[None]:
    """Let modules that are imported meanwhile get the ``dataclass`` of this module from ``dataclasses``."""
    dataclasses.dataclass, dataclasses.fields = _deferred, _fields  # type: ignore[assignment]
    try:
        yield
    finally:
        dataclasses.dataclass, dataclasses.fields = _really, _real_fields


def _put_off(cls: _Class, options: dict[str, bool]) -> _Class:
    if not _UNDERSTOOD.issuperset(options) or "__init__" in cls.__dict__:
        return _decorated(cls, options)
    _Plan(cls, options)
    return cls


def _decorated(cls: _Class, options: Mapping[str, bool]) -> _Class:
    really: Callable[..., Callable[[_Class], _Class]] = _really
    return really(**options)(cls)


class _Plan:
    """What is to become of one class: placeholders at first, then the quick methods, or all that there are.

    The class that holds it can be a copy of the one that was decorated: libcst makes one with ``__slots__``.
    """

    def __init__(self, cls: type, options: dict[str, bool]) -> None:
        self.cls = cls
        self.options = options
        self._quick: dict[str, Any] = {}
        self._all: dict[str, Any] | None = None
        self._placeholders: dict[str, Any] = {_FIELDS: _Fields(self)}
        for name in ("__init__", "__repr__", "__eq__", *(_ORDER if options.get("order", False) else ())):
            if name not in cls.__dict__ and (name != "__eq__" or self.compares):
                self._placeholders[name] = _stand_in(self, name)
        if self.compares and cls.__dict__.get("__hash__") is None:
            self._placeholders["__hash__"] = _stand_in(self, "__hash__") if self.frozen else None
        self._before = {name: cls.__dict__[name] for name in self._placeholders if name in cls.__dict__}
        _give(cls, self._placeholders)

    @functools.cached_property
    def fields(self) -> dict[str, PlainField] | None:
        """The fields that the class itself declares, when they are ordinary."""
        return plain_fields(self.cls)

    @property
    def frozen(self) -> bool:
        return self.options.get("frozen", False)

    @property
    def compares(self) -> bool:
        """Whether objects are equal when their fields are."""
        return self.options.get("eq", True)

    def write(self, name: str, owner: type) -> Any:
        """The method called ``name``; ``owner``, a subclass perhaps, has it from now on as well."""
        with _lock:
            if self._all is None and name not in _LATE:
                self._quick = self._quick or self._write_quick()
                if self._quick:
                    self._hand_on(owner, self._quick)
                    return self._quick[name]
            if self._all is None:
                self._all = self._write_all()
            self._hand_on(owner, self._all)
            return self._all[name]

    def _hand_on(self, owner: type, methods: Mapping[str, Any]) -> None:
        for holder in owner.__mro__:
            if holder.__dict__.get(_FIELDS) is self._placeholders[_FIELDS]:
                ours = (self._placeholders, self._quick)
                for name, value in methods.items():
                    now = holder.__dict__.get(name)
                    if now is None or any(now is given.get(name) for given in ours):
                        setattr(holder, name, value)

    def _write_quick(self) -> dict[str, Any]:
        """``__init__``, comparison and protection; nothing when only ``dataclasses`` can write them."""
        fields: dict[str, PlainField] = {}
        for base in reversed(self.cls.__mro__):
            known = base.__dict__.get(_FIELDS)
            if known is None:
                continue
            plan = known.plan if isinstance(known, _Fields) else None
            if plan is None or plan.fields is None or plan.frozen != self.frozen:
                return {}
            fields.update(plan.fields)
        own = self.cls.__dict__.keys() - self._placeholders.keys()
        written = methods_of(self.cls, fields, frozen=self.frozen, compared=self.compares)
        methods = {name: method for name, method in written.items() if name not in own}
        _give(self.cls, methods)
        return methods

    def _write_all(self) -> dict[str, Any]:
        """What ``dataclasses`` adds to the decorated class, by name."""
        cls, _ = self.cls, self.fields  # what the fields were like is soon forgotten
        for name in {**self._placeholders, **self._quick}:
            delattr(cls, name)
        _give(cls, self._before)
        if cls.__doc__ is None:
            cls.__doc__ = cls.__name__  # spares the signature that would be made of all fields
        known = set(cls.__dict__) - self._placeholders.keys()
        _decorated(cls, self.options)
        return {name: value for name, value in cls.__dict__.items() if name not in known}


def _give(cls: type, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        setattr(cls, name, value)


def _stand_in(plan: _Plan, name: str) -> Callable[..., Any]:
    def method(self: object, *arguments: Any, **keywords: Any) -> Any:
        return plan.write(name, type(self))(self, *arguments, **keywords)

    return method


class _Fields:
    """Stands for ``__dataclass_fields__``, by which subclasses, ``replace`` and the like know a dataclass."""

    def __init__(self, plan: _Plan) -> None:
        self.plan = plan

    def __get__(self, instance: object, owner: type) -> object:
        return self.plan.write(_FIELDS, owner)


class _Named:
    """As much of a field as those who only ask for names need."""

    def __init__(self, name: str) -> None:
        self.name = name


def _fields(cls: Any) -> tuple[Any, ...]:
    """``dataclasses.fields``, but only the names for a class whose methods are not written yet."""
    if not isinstance(cls, type) or not isinstance(cls.__dict__.get(_FIELDS), _Fields):
        return _real_fields(cls)
    names: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        if _FIELDS not in base.__dict__:
            continue  # what a class says that is none of dataclasses' is no field, and may be a property here
        for name, annotation in getattr(base, "__annotations__", {}).items():
            if "ClassVar" not in str(annotation):
                names[name] = None
    return tuple(map(_Named, names))
