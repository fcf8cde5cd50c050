"""Gradients that are asked for, or applied, for no variables at all (OPT603).

The rule asks. Variables of frozen models are the matter of OPT601, those that Keras does not track of OPT608.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics.site import Site
from optlint.semantics.variable_events import Emptiness, VariablesListed

if TYPE_CHECKING:
    from optlint.semantics.program import Run

_WRITTEN_OUT = ("[]", "()")
#: What raises when it is first given nothing, so that it does not matter what comes later.
_RAISES_AT_ONCE = frozenset({"apply_gradients", "build"})


@dataclass(frozen=True)
class NoVariablesListed:
    """An empty list where variables should be. ``site``: what to change; ``used``: where it matters first.

    ``how``: what is done with it first; ``applied``: by what an optimizer gets the nothing that comes of it ("": by
    nothing); ``old``: that is an optimizer of TensorFlow 1; ``condition``: the text of the filter.
    """

    site: Site
    used: Site
    empty: Emptiness
    how: str
    listed: str
    applied: str
    old: bool


def empty_lists(run: Run) -> Iterator[NoVariablesListed]:
    """Each cause once."""
    full = {event.site for event in run.of(VariablesListed) if event.empty is None}
    groups: dict[Site, list[VariablesListed]] = {}
    for event in run.of(VariablesListed):
        if event.empty is not None:
            groups.setdefault(event.empty.site, []).append(event)
    for site, group in groups.items():
        first, empty = group[0], group[0].empty
        applied = next((event.how for event in group if event.how not in ("gradient", "build")), "")
        if empty is None or _is_only_first(run, empty, applied or first.how, full & {e.site for e in group}):
            continue
        if first.how == "minimize" and run.interpreter.keras.is_likely_3 and not first.old:
            continue  # an optimizer of Keras 3 has no such method, which is told
        if first.how == "build" and first.listed in _WRITTEN_OUT:
            continue  # nobody writes that by mistake: a test looks at what the optimizer makes then
        yield NoVariablesListed(site, first.site, empty, first.how, first.listed, applied, first.old)


def _is_only_first(run: Run, empty: Emptiness, how: str, full: set[Site]) -> bool:
    """Whether the same place gets variables in later rounds, and nothing is raised in the first one."""
    if not full:
        return False
    return empty.kind != "unbuilt" or not run.interpreter.keras.may_be_3 or how not in _RAISES_AT_ONCE
