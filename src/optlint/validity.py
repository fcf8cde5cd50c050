"""Whether a text is Python at all: by the running Python's own parser and, where that is too old, by
libcst's.

The engine asks before it lets a file be analysed. Must not know settings, rules or findings.
"""

from __future__ import annotations

import ast
import enum
import re
import warnings
from dataclasses import field

from optlint.deferred import dataclass, regex

#: A text with more commas, brackets, equals signs, operators and lines outside of strings and comments is not parsed:
#: ``ast`` needs a kilobyte for each. A table of 5 MB has fewer, and source that people wrote by far.
MAX_PARTS = 1_000_000

# libcst's parser recurses on the machine's stack and takes time by the square of a chain's length. It is
# asked about a text that Python rejects only within these bounds, under which it needs neither a second nor a
# tenth of a stack.
MAX_FALLBACK_CHARACTERS = 500_000
MAX_LOGICAL_LINE = 2_500
MAX_BRACKETS = 100
MAX_ELIFS = 1_000

_NO_CODE = regex(
    r'"""(?:\\.|[^\\])*?(?:"""|\Z)|'
    r"'''(?:\\.|[^\\])*?(?:'''|\Z)|"
    r'"(?:\\.|[^"\\\n])*"?|'
    r"'(?:\\.|[^'\\\n])*'?|#[^\n]*",
    re.DOTALL,
)
_PIECE = regex(r"[(\[{]|[)\]}]|\\?\n|[^()\[\]{}\\\n]+|\\")


class Verdict(enum.Enum):
    """What a parser says of a text."""

    VALID = "valid"
    NEWER = "valid for a newer Python than the one that runs"
    TOO_DEEP = "nested too deeply for Python's parser"
    TOO_LARGE = "too large for Python's parser to read in reasonable memory"
    INVALID = "invalid"


@dataclass(frozen=True)
class Validity:
    """The verdict; for an invalid text also why, and where (from 1); for a valid one its tree."""

    verdict: Verdict
    message: str = ""
    line: int = 1
    column: int = 1
    tree: ast.Module | None = field(default=None, compare=False)


def check(text: str) -> Validity:
    """Judge ``text``. Never raises, never warns and never executes any of it."""
    if _too_large(text):
        return Validity(Verdict.TOO_LARGE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        if _newer_syntax(text):
            return Validity(Verdict.NEWER, error.msg or "invalid syntax", error.lineno or 1)
        return _invalid(error)
    except (RecursionError, MemoryError):
        return Validity(Verdict.TOO_DEEP)
    except ValueError as error:  # Half a surrogate pair, for one.
        return Validity(Verdict.INVALID, str(error))
    return Validity(Verdict.VALID, tree=tree)


def _too_large(text: str) -> bool:
    """Whether there is more than ``MAX_PARTS`` to parse; strings are looked for only where it depends on them."""
    return len(text) > MAX_PARTS < _parts(text) and _parts(_NO_CODE.sub("s", text)) > MAX_PARTS


def _parts(text: str) -> int:
    return sum(map(text.count, "\n,([{=:+-*/%"))


def _invalid(error: SyntaxError) -> Validity:
    line = max(error.lineno or 1, 1)
    return Validity(Verdict.INVALID, error.msg or "invalid syntax", line, max(error.offset or 1, 1))


def _newer_syntax(text: str) -> bool:
    """Whether libcst, which knows newer syntax than an old Python, accepts what ``ast`` rejects."""
    if not _safe_for_libcst(text):
        return False
    from optlint.syntax.newer import parsed

    try:
        parsed(text)
    except Exception:  # A rejection in any form, faults of its parser among them.
        return False
    return True


def _safe_for_libcst(text: str) -> bool:
    if len(text) > MAX_FALLBACK_CHARACTERS or text.count("elif") > MAX_ELIFS:
        return False
    brackets = length = 0
    for piece in _PIECE.findall(_NO_CODE.sub("s", text)):
        length += len(piece)
        if piece in "([{":
            brackets += 1
        elif piece in ")]}":
            brackets = max(brackets - 1, 0)
        elif piece == "\n" and not brackets:
            length = 0
        if brackets > MAX_BRACKETS or length > MAX_LOGICAL_LINE:
            return False
    return True
