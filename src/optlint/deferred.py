"""Dataclasses whose methods are written when they are first used, so that importing hundreds of them is quick.

Every module of ours takes ``dataclass`` from here; ``libcst``, more than half of whose import is dataclasses, is
imported through ``deferring``. Must not know what any of the classes is for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

_Class = TypeVar("_Class", bound=type)

_really = dataclasses.dataclass
_real_fields = dataclasses.fields
_lock = threading.RLock()
_FIELDS = "__dataclass_fields__"
_UNDERSTOOD = frozenset({"frozen", "eq", "order", "unsafe_hash"})
_ORDER = ("__lt__", "__le__", "__gt__", "__ge__")


def _deferred(cls: _Class | None = None, /, **options: bool) -> _Class | Callable[[_Class], _Class]:
    """Like ``dataclasses.dataclass``, which does all the work, but only once a method of ``cls`` is called."""
    if cls is None:
        return lambda given: _put_off(given, options)
    return _put_off(cls, options)


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    dataclass = _deferred


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
    """What is to become of one class; until then placeholders stand for what ``dataclass`` will write."""

    def __init__(self, cls: type, options: dict[str, bool]) -> None:
        self.cls = cls
        self._options = options
        self._written: dict[str, Any] | None = None
        self._placeholders: dict[str, Any] = {}
        for name in self._methods():
            if name not in cls.__dict__:
                self._placeholders[name] = _stand_in(self, name)
        if self._compares() and not self._hashes() and "__hash__" not in cls.__dict__:
            self._placeholders["__hash__"] = None
        self._placeholders[_FIELDS] = _Fields(self)
        for name, value in self._placeholders.items():
            setattr(cls, name, value)

    def _compares(self) -> bool:
        return self._options.get("eq", True)

    def _hashes(self) -> bool:
        """Whether there will be a ``__hash__`` over the fields."""
        return self._options.get("unsafe_hash", False) or self._options.get("frozen", False)

    def _methods(self) -> list[str]:
        compared = ("__eq__", "__hash__") if self._hashes() else ("__eq__",)
        return [
            "__init__",
            "__repr__",
            *(compared if self._compares() else ()),
            *(_ORDER if self._options.get("order", False) else ()),
        ]

    def carry_out(self, owner: type) -> None:
        """Give ``owner``, a subclass perhaps, and the class that holds the placeholders the real methods.

        That class can be a copy of the one that was decorated: libcst makes one with ``__slots__``.
        """
        with _lock:
            written = self._write()
            for holder in owner.__mro__:
                if holder.__dict__.get(_FIELDS) is self._placeholders[_FIELDS]:
                    for name, value in written.items():
                        if holder.__dict__.get(name) is self._placeholders.get(name):
                            setattr(holder, name, value)

    def _write(self) -> dict[str, Any]:
        """What ``dataclass`` adds to the decorated class, by name."""
        if self._written is None:
            cls = self.cls
            for name in self._placeholders:
                delattr(cls, name)
            if cls.__doc__ is None:
                cls.__doc__ = cls.__name__  # spares the signature that would be made of all fields
            before = set(cls.__dict__)
            _decorated(cls, {**self._options, **_unneeded(cls)})
            self._written = {name: value for name, value in cls.__dict__.items() if name not in before}
        return self._written


def _unneeded(cls: type) -> dict[str, bool]:
    """The options that keep ``dataclass`` from writing methods that it would throw away again."""
    own = cls.__dict__
    options = {} if "__repr__" not in own else {"repr": False}
    if "__eq__" in own and own.get("__hash__") is not None:
        options["eq"] = False
    return options


class _Fields:
    """Stands for ``__dataclass_fields__``, by which subclasses, ``replace`` and the like know a dataclass."""

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan

    def __get__(self, instance: object, owner: type) -> object:
        self._plan.carry_out(owner)
        return self._plan.cls.__dict__[_FIELDS]


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
        for name, annotation in getattr(base, "__annotations__", {}).items():
            if "ClassVar" not in str(annotation):
                names[name] = None
    return tuple(map(_Named, names))


def _stand_in(plan: _Plan, name: str) -> Callable[..., Any]:
    def method(self: object, *arguments: Any, **keywords: Any) -> Any:
        plan.carry_out(type(self))
        return getattr(plan.cls, name)(self, *arguments, **keywords)

    return method
