"""Questions about what lies around a file, as plain data, and what stands for a text or for bytes in an answer.

The checker writes down which were asked for a file, and the cache stores them. Nothing in here looks at anything.
"""

from __future__ import annotations

from typing import NamedTuple

from optlint.digests import blake2b

BYTES = "bytes"
"""The question what exactly the file ``path`` holds, which every outcome rests on."""

CONTENT, PRESENT, FIND, BESIDE, REGISTERS, REQUIREMENTS = (
    "content",
    "present",
    "find",
    "beside",
    "registers",
    "requirements",
)
"""Kinds of questions that are not about neighbours.

``content``: what the file ``path`` holds, as a digest. ``registers``: whether importing it matters although nothing of
it is named. ``present``: whether anything called ``subject`` lies where the imports of the folder ``path`` start from;
``find``: which file a module ``subject`` is for the files of the folder ``path``; ``beside``: which file it
is in that folder itself. ``requirements``: the files that say what the project of the folder ``path`` needs.
"""

NEIGHBOURLY = frozenset({"mentions", "takes", "extends", "defines"})
"""Kinds of questions about neighbours: see ``neighbours.says``."""


class Question(NamedTuple):
    """What is asked about what lies around the file, or the folder, ``path``."""

    kind: str
    path: str
    subject: str = ""
    names: tuple[str, ...] = ()


def digest(text: str | None) -> str:
    """What stands for a text; nothing for none."""
    if text is None:
        return ""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def bytes_digest(data: bytes) -> str:
    """What stands for the bytes of a file."""
    return blake2b(data, digest_size=16).hexdigest()
