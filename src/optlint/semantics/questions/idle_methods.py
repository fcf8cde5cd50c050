"""Methods of the training loop that are named and not called, and results of theirs that are None (OPT501, OPT505)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import families
from optlint.semantics.events import Backward, Cleared, MethodNamed, NothingUsed, Stepped
from optlint.semantics.site import Site
from optlint.semantics.values import (
    Flow,
    Instance,
    Leaf,
    LibraryClass,
    Method,
    Optimizer,
    Scheduler,
    Stranger,
    Unknown,
)

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class NotCalled:
    """``site``: a statement that names ``method`` of an object (``what``: optimizer, loss, …) and does not call it."""

    site: Site
    method: str
    what: str


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
        if event.site in seen:
            continue
        what = _meant(run, event)
        if what is not None:
            seen.add(event.site)
            yield NotCalled(event.site, event.name, what)


def _meant(run: Run, event: MethodNamed) -> str | None:
    """What the object is, by its class or by what else is done with it; None where its method need not be meant."""
    receiver, name = event.receiver, event.name
    if isinstance(receiver, Optimizer):
        return "optimizer" if name in ("step", "zero_grad") else None
    if isinstance(receiver, (Flow, Leaf)):
        return "loss" if name == "backward" else None
    if isinstance(receiver, Scheduler):
        return "scheduler" if name == "step" else None
    if isinstance(receiver, Instance):
        return _of_an_object(run, receiver, name)
    if not isinstance(receiver, (Unknown, Method)) or name == "update":
        return None
    if name == "backward":
        return "loss" if any(run.of(Stepped)) or any(run.of(Cleared)) else None
    subject = run.interpreter.book.unseen.get(receiver)
    if isinstance(receiver, (Stranger, Method)) and subject is not None and not subject.engine:
        if (subject.clears or subject.steps) and any(run.of(Backward)):
            return "optimizer"
    return None


def _of_an_object(run: Run, receiver: Instance, name: str) -> str | None:
    """A gradient scaler, or a model whose gradients a backward pass fills."""
    cls = receiver.cls
    if isinstance(cls, LibraryClass) and cls.qualified_name == "torch.GradScaler":
        return "scaler" if name == "update" else None
    if name != "zero_grad" or not families.is_module(run.interpreter, receiver):
        return None
    own = {entry.leaf for entry in run.parameters(receiver).parameters}
    return "model" if any(own & event.maybe for event in run.backwards) else None


def never_called(run: Run) -> frozenset[Leaf]:
    """The parameters of models whose ``zero_grad`` is named and not called."""
    owners = [event.receiver for event in run.of(MethodNamed) if event.name == "zero_grad"]
    return frozenset(
        entry.leaf
        for owner in owners
        if isinstance(owner, Instance) and families.is_module(run.interpreter, owner)
        for entry in run.parameters(owner).parameters
    )


def none_used(run: Run) -> Iterator[NoneUsed]:
    """Uses of what ``step()``, ``zero_grad()`` or ``backward()`` returned, once for each call."""
    seen: set[Site] = set()
    for event in run.of(NothingUsed):
        if event.made not in seen:
            seen.add(event.made)
            yield NoneUsed(event.site, event.made, event.method, event.how)
