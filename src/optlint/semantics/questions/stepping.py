"""Steps that no backward pass comes before, and backward passes that no step follows (OPT504, OPT506).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optlint.semantics.events import Backward, Cleared, MethodNamed, ModelCalled, OptimizerBuilt, Stepped
from optlint.semantics.gradients import CLEAR, FRESH, WIPED
from optlint.semantics.questions.clearing import is_optimizer, told
from optlint.semantics.questions.participation import deps
from optlint.semantics.site import Site
from optlint.semantics.values import Optimizer

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class EarlyStep:
    """A step (``site``) in a loop whose ``backward`` comes after it, or that has none (None)."""

    site: Site
    optimizer: str
    backward: Site | None


@dataclass(frozen=True)
class NeverStepped:
    """An optimizer (``site``: where it is built) whose gradients are computed (``backward``) and that never steps."""

    site: Site
    optimizer: str
    backward: Site


def early_steps(run: Run) -> Iterator[EarlyStep]:
    """Steps of optimizers whose gradients were never computed until then, in a loop that trains."""
    seen: set[Site] = set()
    book = run.interpreter.book
    steps = list(run.of(Stepped))
    for event in steps:
        empty = event.before.kinds <= {FRESH, CLEAR}
        if not empty or event.site in seen or not is_optimizer(event.subject):
            continue
        again = [other for other in steps if other.site == event.site and other.subject is event.subject]
        if len(again) < 2 or event is not again[0]:
            continue  # once, before a loop: a way to make its state
        seen.add(event.site)
        if id(event.subject) in book.filled:
            backward = _after(run, event, again[1])
            if backward is not None and all(o.before.kinds == {WIPED} for o in again[1:]):
                yield EarlyStep(event.site, told(event), backward)
        elif isinstance(event.subject, Optimizer) and _trains_without(run, event, again):
            yield EarlyStep(event.site, told(event), None)


def _position(run: Run, event: Stepped) -> int:
    """Where an event stands; the same step of two rounds is equal, not identical."""
    return next(number for number, other in enumerate(run.events) if other is event)


def _after(run: Run, first: Stepped, second: Stepped) -> Site | None:
    """The backward pass between two rounds' steps."""
    start, end = _position(run, first), _position(run, second)
    return next((e.site for e in run.events[start:end] if isinstance(e, Backward)), None)


def _trains_without(run: Run, event: Stepped, again: list[Stepped]) -> bool:
    """Whether a model of the optimizer is called in the loop, and nothing may have filled its gradients."""
    subject = event.subject
    if not run.complete or not isinstance(subject, Optimizer):
        return False
    if any(event.name == "backward" for event in run.of(MethodNamed)):
        return False  # named and not called: that is the mistake
    cut = {leaf for event in run.backwards for leaf, _ in event.cuts}
    if run.held_by(subject) & cut.union(*(event.maybe for event in run.backwards)):
        return False  # reached by a backward pass, or cut off from one
    if id(subject) in run.interpreter.book.handed_out or subject.groups.open:
        return False
    held = run.held_by(subject)
    if not held or held & run.touched:
        return False
    start, end = _position(run, again[0]), _position(run, again[1])
    return any(
        isinstance(e, ModelCalled) and e.grad and held & deps(run, e.result) for e in run.events[start:end]
    )


def never_stepped(run: Run) -> Iterator[NeverStepped]:
    """Optimizers that are cleared and whose gradients are computed, and that no step ever follows."""
    if not run.complete or run.root != "<module>":
        return
    book = run.interpreter.book
    stepped = {id(event.subject) for event in run.of(Stepped)}
    stepped |= {
        id(event.receiver) for event in run.of(MethodNamed)
    }  # named and not called: that is the mistake
    cleared = {id(event.subject) for event in run.of(Cleared)}
    for built in run.of(OptimizerBuilt):
        optimizer = built.optimizer
        held = run.held_by(optimizer)
        if id(optimizer) in stepped | book.handed_out or optimizer.groups.open or not held:
            continue
        if id(optimizer) not in cleared or held & run.updated_by_hand or held & run.touched:
            continue
        backward = next((event for event in run.backwards if event.reached & held), None)
        if backward is not None:
            yield NeverStepped(built.site, optimizer.cls_name, backward.site)
