"""Methods of the training loop that are named and not called, and results of theirs that are None (OPT501, OPT505)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optlint.semantics.events import Backward, Cleared, MethodNamed, NothingUsed, Stepped
from optlint.semantics.site import Site
from optlint.semantics.values import Flow, Leaf, Method, Optimizer, Stranger, Unknown

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class NotCalled:
    """``site``: a statement that names ``method`` and does not call it."""

    site: Site
    method: str


@dataclass(frozen=True)
class NoneUsed:
    """The None that a call of ``method`` at ``made`` returned is used at ``site``."""

    site: Site
    made: Site
    method: str
    how: str


def not_called(run: Run) -> Iterator[NotCalled]:
    """Statements that do nothing where a step, a clearing or a backward pass is meant."""
    seen: set[Site] = set()
    for event in run.of(MethodNamed):
        if event.site not in seen and _is_meant(run, event):
            seen.add(event.site)
            yield NotCalled(event.site, event.name)


def _is_meant(run: Run, event: MethodNamed) -> bool:
    """Whether the object is an optimizer or a loss: by what it is, or by what else is done with it."""
    receiver = event.receiver
    if isinstance(receiver, Optimizer):
        return event.name != "backward"
    if isinstance(receiver, (Flow, Leaf)):
        return event.name == "backward"
    if not isinstance(receiver, (Unknown, Method)):
        return False
    if event.name == "backward":
        return any(run.of(Stepped)) or any(run.of(Cleared))
    subject = run.interpreter.book.unseen.get(receiver)
    if isinstance(receiver, (Stranger, Method)) and subject is not None:
        return (subject.clears or subject.steps) and not subject.engine and any(run.of(Backward))
    return False


def none_used(run: Run) -> Iterator[NoneUsed]:
    """Uses of what ``step()``, ``zero_grad()`` or ``backward()`` returned, once for each call."""
    seen: set[Site] = set()
    for event in run.of(NothingUsed):
        if event.made not in seen:
            seen.add(event.made)
            yield NoneUsed(event.site, event.made, event.method, event.how)
