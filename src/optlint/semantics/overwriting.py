"""Notes parts of modules that a loop puts under one name round after round, so that only the last stays.

``identity`` reports what is put where; ``questions.overwritten`` judges it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import families
from optlint.semantics.frame import Round
from optlint.semantics.registration_events import PartOverwritten
from optlint.semantics.values import Instance, Leaf, Value

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_MARK = "#put in "


def note(it: Interpreter, owner: Instance, name: str, value: Value) -> None:
    """``value`` is about to be put under ``name`` on ``owner``."""
    rounds = it.rounds()
    statement = it.frame.statement
    if not rounds or statement is None or "<" in name or not families.is_module(it, owner):
        return  # or the name is not known, and another in each round
    site = it.site(statement)
    old, before = owner.slots.get(name), owner.slots.get(_MARK + name)
    it.heap.set(owner.slots, _MARK + name, (site, rounds))
    if not isinstance(before, tuple) or before[0] != site or old is value:
        return
    again = _repeated(before[1], rounds)
    if again is None or it.conditional != again.conditional or old is None or not _is_part(it, old):
        return
    constructing = any(frame.name == "__init__" and frame.receiver is owner for frame in it.frames)
    it.record(PartOverwritten(site, bool(it.conditional), owner, name, old, again.site, constructing))


def _repeated(before: tuple[Round, ...], now: tuple[Round, ...]) -> Round | None:
    """The loop that has gone on to another round in between."""
    for earlier, later in zip(before, now, strict=False):
        if earlier is not later:
            return later if earlier.loop is later.loop else None
    return None


def _is_part(it: Interpreter, value: Value) -> bool:
    return value.is_parameter if isinstance(value, Leaf) else families.is_module(it, value)
