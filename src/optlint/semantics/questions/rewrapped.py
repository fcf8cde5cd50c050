"""Losses, or terms of them, that are copies of numbers: a backward pass ends there (OPT404).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import copies
from optlint.semantics.events import Backward, Stepped
from optlint.semantics.site import Site
from optlint.semantics.terms import Copy
from optlint.semantics.values import Cut, Leaf

if TYPE_CHECKING:
    from optlint.semantics.program import Run

#: What follows: nothing is raised and nothing learnt; ``backward()`` finds no gradient; the flag cannot be set; or one
#: of the two, depending on whether the number has a gradient.
SILENT, NO_GRAD, REFUSED, EITHER = "silent", "no-grad", "refused", "either"


@dataclass(frozen=True)
class Rewrapped:
    """A copy (``site``) at which the pass that begins at ``backward`` ends.

    ``form``: a new tensor (new, parameter) or a number told to want a gradient (flag, call); ``number``: what was
    copied, as the program writes it; ``whole``: the loss is nothing else; ``names``: parameters that get no gradient at
    all; ``lost``: the gradient was cut off here before.
    """

    site: Site
    form: str
    effect: str
    whole: bool
    number: str
    backward: Site
    names: tuple[str, ...]
    models: tuple[str, ...]
    lost: Cut | None
    leaves: frozenset[Leaf]


def rewrapped(run: Run) -> Iterator[Rewrapped]:
    """The copies that backward passes end at, each once."""
    found: dict[Site, list[tuple[Copy, str, bool, Backward]]] = {}
    for event in run.backwards:
        terms = copies.of(event.value)
        if terms is None or event.guarded:
            continue
        for copy in terms.copies:
            effect = _effect(run, copy, terms.whole)
            if effect is not None:
                found.setdefault(copy.site, []).append((copy, effect, terms.whole, event))
    for site, same in found.items():
        copy, effect, whole, event = same[0]
        cuts = frozenset(pair for one, *_ in same for pair in one.cuts)
        leaves = frozenset(leaf for leaf, _ in cuts)
        names, models = _untrained(run, set().union(*(_stuck(run, one) for one, *_ in same)))
        lost = _lost(site, cuts)
        yield Rewrapped(site, copy.how, effect, whole, _number(copy), event.site, names, models, lost, leaves)


def _effect(run: Run, copy: Copy, whole: bool) -> str | None:
    """What follows for certain; None where that is not known."""
    leaf = copy.leaf
    if leaf is not None and (leaf in run.touched or leaf in run.held):
        return None  # its own gradient is what the pass is for
    trained = _trained(run, copy)
    steps = any(run.of(Stepped))
    if not trained and (copy.cuts or not steps):
        return None
    if leaf is None:
        return REFUSED if copy.in_graph else EITHER if whole else None
    if not copy.asks:
        return NO_GRAD if whole else SILENT if run.complete and _cuts_off(run, copy) else None
    if not run.complete or (copy.in_graph is None and not whole):
        return None
    if whole:
        return SILENT if copy.in_graph is False else EITHER
    sure = trained or (copy.computed and not leaf.slots.get("#escaped"))
    return SILENT if sure and copy.how != "parameter" else None


def _cuts_off(run: Run, copy: Copy) -> bool:
    """Whether it is the copying that leaves parameters without any gradient, and nothing before it."""
    stuck = _stuck(run, copy)
    return any(leaf in stuck and cut.site.statement is copy.site.statement for leaf, cut in copy.cuts)


def _trained(run: Run, copy: Copy) -> set[Leaf]:
    """The parameters behind what was copied that are meant to train."""
    return {
        leaf
        for leaf, _ in copy.cuts
        if leaf.requires_grad is not False and (leaf.is_parameter or leaf in run.held)
    }


def _stuck(run: Run, copy: Copy) -> set[Leaf]:
    """Those that get no gradient by any way."""
    elsewhere = run.reached | run.touched | run.returned
    return {
        leaf
        for leaf in _trained(run, copy)
        if leaf.requires_grad is True
        and leaf in run.held
        and leaf not in elsewhere
        and leaf not in run.loaded_leaves
        and not leaf.slots.get("#escaped")
    }


def _untrained(run: Run, stuck: set[Leaf]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of what gets no gradient, and of the models that it belongs to."""
    names: dict[str, None] = {}
    models: dict[str, None] = {}
    for model in run.root_models if stuck else ():
        for entry in run.parameters(model).parameters:
            if entry.leaf in stuck:
                names[entry.name] = None
                own = run.is_users(model)
                models[run.class_name(model) if own else run.name_of(model) or run.class_name(model)] = None
    return tuple(names), tuple(models)


def _lost(site: Site, cuts: frozenset[tuple[Leaf, Cut]]) -> Cut | None:
    """Where all of the gradient was cut off before the number was copied, in another statement."""
    earlier = [cut for _, cut in cuts if cut.site.statement is not site.statement]
    if len(earlier) < len(cuts):
        return None
    return max(earlier, key=lambda cut: cut.rank, default=None)


_FIRST = regex(
    r"\(\[?\s*([A-Za-z_][\w.]*?)(?:\.item\(\)|\.data|\.detach\(\)|\.cpu\(\)|\.numpy\(\))*\s*[\],)]"
)
_MARKED = regex(r"^(.*?)(?:\.detach\(\)|\.data|\.clone\(\))*\.requires_grad")


def _number(copy: Copy) -> str:
    """What was copied, as the program names it; "" where it has no name."""
    pattern = _MARKED if copy.how in ("flag", "call") else _FIRST
    found = pattern.search(copy.site.text())
    name = found[1].strip() if found is not None else ""
    return name if re.fullmatch(r"[A-Za-z_][\w.]*", name) else ""
