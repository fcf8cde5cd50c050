"""``re`` and ``fnmatch``: compiled patterns and matches, decided where the text is known well enough.

``python_calls`` and ``calls`` ask. It knows strings only; which parameter a name belongs to is not its business.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

from optlint.deferred import regex
from optlint.semantics.values import (
    FALSE,
    NONE,
    TRUE,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    Instance,
    Items,
    LibraryClass,
    Text,
    Value,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_PATTERN = "re.Pattern"
_MATCH = "re.Match"
#: Longer texts and patterns are not tried; a name of a parameter is far shorter.
MAX_LENGTH = 300
#: A repeated group that holds a repetition may take exponential time.
_RISKY = regex(r"[*+}][^()]*\)[*+{]")
#: What a number in a partly known name is tried as: an answer must be the same for all of them.
_NUMBERS = ("0", "1", "3", "7", "10", "26")
_SEARCHES = frozenset({"search", "match", "fullmatch"})


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """A function of the module ``re``; None when it is none that the engine knows."""
    if name in ("fnmatch.fnmatch", "fnmatch.fnmatchcase"):
        return _wildcard(it, arguments, node)
    if not name.startswith("re."):
        return None
    function = name.removeprefix("re.")
    compiled = _compiled(arguments)
    if function == "compile":
        return UNKNOWN if compiled is None else _pattern_value(it, compiled, node)
    text = arguments.get(2 if function == "sub" else 1, "string")
    if compiled is None or text is None:
        return UNKNOWN
    rest = (arguments.positional[1], text) if function == "sub" and len(arguments.positional) > 2 else (text,)
    return _apply(it, compiled, function, rest, node)


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of a compiled pattern or of a match; None for any other object."""
    if not isinstance(owner.cls, LibraryClass):
        return None
    if owner.cls.qualified_name == _PATTERN:
        return _apply(it, owner.slots["#pattern"], name, arguments.positional, node)
    if owner.cls.qualified_name == _MATCH:
        return _match_method(owner.slots.get("#match"), name, arguments)
    return None


def _wildcard(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``fnmatch(name, pattern)``."""
    pattern, text = arguments.get(1, "pat"), arguments.get(0, "name")
    if (
        not isinstance(pattern, Const)
        or not isinstance(pattern.value, str)
        or len(pattern.value) > MAX_LENGTH
    ):
        return UNKNOWN
    found = _search(it, re.compile(fnmatch.translate(pattern.value)), "match", text or UNKNOWN, node)
    return FALSE if found == NONE else TRUE if isinstance(found, Instance) else UNKNOWN


def _pattern_value(it: Interpreter, pattern: re.Pattern[str], node: cst.CSTNode) -> Value:
    value = Instance(LibraryClass(_PATTERN), it.site(node))
    value.slots["#pattern"] = pattern
    return value


def _compiled(arguments: Arguments) -> re.Pattern[str] | None:
    given = arguments.get(0, "pattern")
    if isinstance(given, Instance):
        found = given.slots.get("#pattern")
        return found if isinstance(found, re.Pattern) else None
    flags = arguments.keywords.get("flags")
    if not isinstance(given, Const) or not isinstance(given.value, str) or flags is not None:
        return None
    if len(given.value) > MAX_LENGTH or _RISKY.search(given.value):
        return None
    try:
        return re.compile(given.value)
    except re.error:
        return None


def _apply(
    it: Interpreter, pattern: re.Pattern[str], name: str, given: tuple[Value, ...], node: cst.CSTNode
) -> Value:
    text = given[-1] if given else UNKNOWN
    if name in _SEARCHES:
        return _search(it, pattern, name, text, node)
    if not isinstance(text, Const) or not isinstance(text.value, str) or len(text.value) > MAX_LENGTH:
        return UNKNOWN
    if name == "findall":
        found = pattern.findall(text.value)
        return Container("list", Items(tuple(_constant(part) for part in found)), it.site(node))
    if name == "sub" and len(given) == 2 and isinstance(given[0], Const) and isinstance(given[0].value, str):
        return _substituted(pattern, given[0].value, text.value)
    return UNKNOWN


def _substituted(pattern: re.Pattern[str], replacement: str, text: str) -> Value:
    try:
        return Const(pattern.sub(replacement, text))
    except (re.error, IndexError):
        return UNKNOWN


def _constant(part: object) -> Value:
    return Container("tuple", Items(tuple(map(Const, part)))) if isinstance(part, tuple) else Const(part)


def _search(it: Interpreter, pattern: re.Pattern[str], name: str, text: Value, node: cst.CSTNode) -> Value:
    answers = [getattr(pattern, name)(candidate) for candidate in _candidates(text)]
    if not answers or any((answer is None) is not (answers[0] is None) for answer in answers):
        return UNKNOWN
    if answers[0] is None:
        return NONE
    match = Instance(LibraryClass(_MATCH), it.site(node))
    match.slots["#match"] = answers[0] if len(answers) == 1 else None
    return match


def _candidates(text: Value) -> Iterator[str]:
    """The texts that a value stands for; none when some part of it may be anything."""
    if isinstance(text, Const) and isinstance(text.value, str):
        if len(text.value) <= MAX_LENGTH:
            yield text.value
    elif isinstance(text, Text) and all(piece is not None for piece in text.pieces):
        holes = sum(1 for piece in text.pieces if not isinstance(piece, str))
        if holes <= 2:
            for numbers in product(_NUMBERS, repeat=holes):
                left = iter(numbers)
                yield "".join(piece if isinstance(piece, str) else next(left) for piece in text.pieces)


def _match_method(match: re.Match[str] | None, name: str, arguments: Arguments) -> Value:
    if match is None:
        return UNKNOWN
    keys = [value.value for value in arguments.positional if isinstance(value, Const)]
    if name == "groups":
        return Container("tuple", Items(tuple(Const(part) for part in match.groups())))
    if name != "group" or len(keys) != len(arguments.positional):
        return UNKNOWN
    try:
        return _constant(match.group(*keys))
    except (IndexError, TypeError):
        return UNKNOWN
