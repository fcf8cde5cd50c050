"""Strings: their methods, and the ways to format them, on strings that are known in whole or in part.

``calls`` asks for methods, ``expressions`` for the ``%`` operator and for joining pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optlint.deferred import regex
from optlint.semantics.values import (
    FALSE,
    TRUE,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    Items,
    Text,
    Value,
)

#: A string built from pieces longer than this is not known.
MAX_TEXT = 2_000

_METHODS = frozenset(
    """capitalize casefold count endswith find format index isalnum isalpha isdecimal isdigit islower isnumeric
    isupper join lower lstrip partition removeprefix removesuffix replace rfind rindex rpartition rsplit rstrip split
    splitlines startswith strip swapcase title upper zfill""".split()
)
_CONVERSION = regex(r"%(?:\((?P<key>\w+)\))?[-+ #0]*\d*(?:\.\d+)?(?P<kind>[sdirfgeux%])")
_FIELD = regex(r"\{\{|\}\}|\{(?P<name>\w*)(?P<rest>[^{}]*)\}")


def join(parts: Sequence[Value]) -> Value:
    """The string made of some values one after the other."""
    pieces: list[str | int | None] = []
    for part in parts:
        if isinstance(part, Const) and isinstance(part.value, (str, int, float)):
            new: tuple[str | int | None, ...] = (str(part.value),)
        elif isinstance(part, Text):
            new = part.pieces
        else:
            new = (None,)
        for piece in new:
            if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
                pieces[-1] += piece
            else:
                pieces.append(piece)
    if sum(len(piece) for piece in pieces if isinstance(piece, str)) > MAX_TEXT:
        return UNKNOWN
    if all(isinstance(piece, str) for piece in pieces):
        return Const("".join(str(piece) for piece in pieces))
    return Text(tuple(pieces))


def percent(text: Value, given: Value) -> Value:
    """``text % given``."""
    if not isinstance(text, Const) or not isinstance(text.value, str):
        return UNKNOWN
    whole = _plain(given)
    if whole is not NotImplemented:
        try:
            return Const(text.value % whole)
        except (TypeError, ValueError, KeyError):
            return UNKNOWN
    values = list(given.items.values) if isinstance(given, Container) and given.kind == "tuple" else [given]
    parts: list[Value] = []
    end = 0
    for match in _CONVERSION.finditer(text.value):
        parts.append(Const(text.value[end : match.start()]))
        end = match.end()
        if match["kind"] == "%":
            parts.append(Const("%"))
        elif match["key"] or not values:
            return UNKNOWN
        else:
            value = values.pop(0)
            parts.append(value if match.group() in ("%s", "%d", "%i") else UNKNOWN)
    return join([*parts, Const(text.value[end:])])


def call_method(owner: Const | Text, name: str, arguments: Arguments) -> Value:
    """A method of a string (or another constant)."""
    if isinstance(owner, Text):
        return _partly_known(owner, name, arguments)
    text = owner.value
    if not isinstance(text, str) or name not in _METHODS or arguments.open:
        return UNKNOWN
    values = [_plain(value) for value in arguments.positional]
    keywords = {key: _plain(value) for key, value in arguments.keywords.items()}
    if NotImplemented in values or NotImplemented in keywords.values():
        if name == "join" and arguments.positional:
            return _joined(owner, arguments.positional[0])
        return _formatted(text, arguments) if name == "format" else UNKNOWN
    try:
        result = getattr(text, name)(*values, **keywords)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError):
        return UNKNOWN
    if isinstance(result, (list, tuple)):
        return Container(type(result).__name__, Items(tuple(Const(part) for part in result)))
    return UNKNOWN if isinstance(result, str) and len(result) > MAX_TEXT else Const(result)


def _joined(separator: Const, given: Value) -> Value:
    if not isinstance(given, Container) or given.items.open or given.items.many:
        return UNKNOWN
    parts: list[Value] = []
    for value in given.items.values:
        parts += [separator, value] if parts else [value]
    return join(parts)


def _formatted(text: str, arguments: Arguments) -> Value:
    """``"layer{}.{name}".format(i, name=n)`` with values that are not all known."""
    parts: list[Value] = []
    end = position = 0
    for match in _FIELD.finditer(text):
        parts.append(Const(text[end : match.start()]))
        end = match.end()
        if match["name"] is None:
            parts.append(Const(match.group()[0]))
            continue
        key = match["name"] or str(position)
        position += not match["name"]
        value = arguments.get(int(key) if key.isdigit() else -1, key)
        parts.append(value if value is not None and not match["rest"] else UNKNOWN)
    return join([*parts, Const(text[end:])])


def _plain(value: Value) -> Any:
    """A constant, or a tuple of them; ``NotImplemented`` for anything else."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Container) and not value.items.open and not value.items.many:
        parts = tuple(_plain(part) for part in value.items.values)
        return NotImplemented if NotImplemented in parts else parts
    return NotImplemented


def _partly_known(owner: Text, name: str, arguments: Arguments) -> Value:
    wanted = _plain(arguments.get(0, "prefix") or UNKNOWN)
    choices = wanted if isinstance(wanted, tuple) else (wanted,)
    if name not in ("startswith", "endswith") or not all(isinstance(choice, str) for choice in choices):
        return UNKNOWN
    piece = owner.pieces[0 if name == "startswith" else -1]
    if not isinstance(piece, str):
        return UNKNOWN
    if any(getattr(piece, name)(choice) for choice in choices):
        return TRUE
    return FALSE if not any(getattr(choice, name)(piece) for choice in choices) else UNKNOWN
