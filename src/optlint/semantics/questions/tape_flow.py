"""Gradients of a tape that are all None: the forward pass or the loss was not recorded, or something cut it off.

The rules OPT605 and OPT607 ask. Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import tapes
from optlint.semantics.site import Site
from optlint.semantics.tape_events import GradientsApplied, GradientsTaken
from optlint.semantics.values import Cut, Flow, Instance, Leaf, Value

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class NothingRecorded:
    """A tape that is asked for gradients and has not seen how the loss was computed from the variables.

    ``site``: the statement that ran outside of it; ``taken``: where gradients are asked for; ``opened``: where the
    tape was; ``listed``: the text of the variables; ``part``: whether it was the ``loss`` alone, or the ``forward``
    pass; ``error``: what is raised when an optimizer, or what clips gradients, gets nothing but None.
    """

    site: Site
    taken: Site
    opened: Site
    listed: str
    part: str
    error: str
    leaves: frozenset[Leaf]


@dataclass(frozen=True)
class CutInTape:
    """An operation between the variables and the loss through which no gradient goes. ``kind``: as in ``Cut``.

    ``error``: the exception that follows, by its text; ``numbers``: the loss itself is a number or an array of numpy;
    ``fitted``: it is in the loss of a model that is fitted at ``taken``.
    """

    site: Site
    taken: Site
    kind: str
    text: str
    listed: str
    error: str
    leaves: frozenset[Leaf]
    numbers: bool = False
    fitted: Instance | None = None


def not_recorded(run: Run) -> Iterator[NothingRecorded]:
    """Tapes that recorded nothing of the way from the variables to the loss, each place once."""
    seen: set[Site] = set()
    for event, cuts in _empty_handed(run):
        if event.fitted is not None or any(cut.kind != tapes.UNRECORDED for _, cut in cuts):
            continue
        leaf, cut = cuts[-1]
        site = _outside(cut, event)
        if site in seen or event.tape.site is None:
            continue
        seen.add(site)
        role = tapes.role_of(leaf)
        part = "loss" if role is not None and role.tape is event.tape else "forward"
        leaves = frozenset(event.wanted)
        yield NothingRecorded(
            site, event.site, event.tape.site, event.listed, part, _error(run, event), leaves
        )


def cut_in_tape(run: Run) -> Iterator[CutInTape]:
    """Operations that leave no gradient for any of the variables that were asked for, each place once."""
    seen: set[Site] = set()
    for event, cuts in _empty_handed(run):
        others = [cut for _, cut in cuts if cut.kind != tapes.UNRECORDED]
        if not others or others[-1].site in seen:
            continue
        cut = others[-1]
        seen.add(cut.site)
        leaves = frozenset(event.wanted)
        refused = _of_numbers(event.target)
        error = refused or ("" if cut.kind == "zero-gradient" else _error(run, event))
        yield CutInTape(
            cut.site, event.site, cut.kind, cut.text, event.listed, error, leaves, bool(refused), event.fitted
        )


def _empty_handed(run: Run) -> Iterator[tuple[GradientsTaken, list[tuple[Leaf, Cut]]]]:
    """Gradients of which certainly none exists, although the target was computed from the variables."""
    for event in run.of(GradientsTaken):
        wanted = frozenset(event.wanted)
        if not wanted or not event.sure or event.reach.maybe or event.reach.reached & wanted:
            continue
        cuts = [pair for pair in event.reach.cuts if _variable(pair[0]) in wanted]
        if cuts:
            yield event, cuts


def _outside(cut: Cut, event: GradientsTaken) -> Site:
    """The statement beside the tape's block that did it, itself or by what it calls."""
    stack = cut.stack if isinstance(cut, tapes.Unrecorded) else ()
    scope = event.tape.slots.get("#scope")
    return next((site for function, site in stack if function is scope), cut.site)


def _variable(leaf: Leaf) -> Leaf:
    role = tapes.role_of(leaf)
    return role.variable if role is not None and role.variable is not None else leaf


#: Operations that give what a tape cannot take a gradient of, and what it raises then.
_ARRAY = "has no attribute '_id'"
_NUMBER = "Cannot convert the argument `type_value`"
_SIGNS = frozenset("+-*/") | {"**"}


def _of_numbers(target: Value) -> str:
    """What a tape raises for a target that is no tensor: a number of Python's, or something of numpy's."""
    if not isinstance(target, Flow) or target.origin is None:
        return ""
    operations = [*target.origin.earlier, target.origin.operation]
    last = next((operation for operation in reversed(operations) if operation not in _SIGNS), "")
    if last.startswith(("np.", ".numpy()")):
        return _ARRAY
    return _NUMBER if last == "float(…)" else ""


def _error(run: Run, taken: GradientsTaken) -> str:
    """What is raised where gradients that are all None are used; nothing if no optimizer gets them."""
    if taken.fitted is not None:
        return "No gradients provided for any variable"
    mine = set(taken.gradients)
    if any(map(tapes.is_clipped, mine)):
        return "Attempt to convert a value (None)"
    given = any(event.taken & mine for event in run.of(GradientsApplied))
    return "No gradients provided for any variable" if given else ""
