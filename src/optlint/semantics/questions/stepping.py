"""Steps that no backward pass comes before, and backward passes that no step follows (OPT504, OPT506).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import modules
from optlint.semantics.events import (
    Backward,
    Cleared,
    HandUpdated,
    LossComputed,
    MethodNamed,
    ModelCalled,
    OptimizerBuilt,
    Stepped,
    UpdateLost,
)
from optlint.semantics.gradients import CLEAR, FRESH, WIPED
from optlint.semantics.questions.clearing import is_optimizer, told
from optlint.semantics.questions.closures import closure_faults
from optlint.semantics.questions.idle_methods import none_used
from optlint.semantics.questions.participation import deps
from optlint.semantics.questions.rewrapped import rewrapped
from optlint.semantics.questions.scalers import scaler_faults
from optlint.semantics.questions.wrong_optimizer import wrong_steps
from optlint.semantics.schedule_events import ScalerUsed
from optlint.semantics.site import Site
from optlint.semantics.values import Leaf, Optimizer

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


@dataclass(frozen=True)
class UpdateThrownAway:
    """An update by hand (``site``) that binds a name and leaves the parameters as they are; ``name``: that name."""

    site: Site
    name: str


def updates_thrown_away(run: Run) -> Iterator[UpdateThrownAway]:
    """Updates by hand of parameters that nothing else changes, and of which a backward pass computes gradients."""
    if not run.complete:
        return
    reached = frozenset().union(*(event.reached for event in run.backwards))
    by_hand = {event.leaf for event in run.of(HandUpdated)}
    seen: set[Site] = set()
    for event in run.of(UpdateLost):
        elsewhere = event.leaf in by_hand or event.leaf in run.held or event.leaf.slots.get("#escaped")
        if event.leaf not in reached or elsewhere or event.site in seen:
            continue
        seen.add(event.site)
        yield UpdateThrownAway(event.site, event.site.text().partition("=")[0].strip())


def early_steps(run: Run) -> Iterator[EarlyStep]:
    """Steps of optimizers whose gradients were never computed until then, in a loop that trains."""
    seen: set[Site] = set()
    book = run.interpreter.book
    if book.out_of_hand:
        return
    steps = list(run.of(Stepped))
    misused = {fact.step for fact in run.ask(closure_faults)}  # that is the mistake
    for event in steps:
        if event.site in misused:
            continue
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
    if any(fact.other is subject for fact in run.ask(wrong_steps)):
        return False  # there is one, for the parameters of another optimizer
    held = run.held_by(subject)
    if held & frozenset().union(*(event.maybe for event in run.backwards)):
        return False  # reached by a backward pass
    if held & frozenset().union(*(fact.leaves for fact in run.ask(rewrapped))):
        return False  # that pass ends at a copy of the loss: that is the mistake
    if _passes_end_before(run, held):
        return False
    if id(subject) in run.interpreter.book.handed_out or subject.groups.open:
        return False
    if not held or held & run.touched:
        return False
    start, end = _position(run, again[0]), _position(run, again[1])
    losses = [e.result for e in run.events[start:end] if isinstance(e, LossComputed)]
    if any(held & deps(run, loss) for loss in losses):
        return True
    called = [e for e in run.events[start:end] if isinstance(e, ModelCalled) and e.grad]
    if any(
        leaf in held and (cut.kind != "no_grad" or not event.maybe)
        for event in run.backwards
        for leaf, cut in event.cuts
    ):
        # Cut off from a backward pass: that is the mistake, unless another number goes on from there.
        inside = _parts_of_holders(run, held)
        called = [e for e in called if held & e.inputs and id(e.model) not in inside]
    return any(held & deps(run, e.result) for e in called)


def _passes_end_before(run: Run, held: set[Leaf]) -> bool:
    """Whether a backward pass is cut off from these parameters, and reaches no other: the cut is the mistake."""
    vain = [event for event in run.backwards if event.known and not event.maybe & run.held]
    return any(leaf in held for event in vain for leaf, _ in event.cuts)


def _parts_of_holders(run: Run, held: set[Leaf]) -> set[int]:
    """Identities of the models with some of these parameters and of all that is in them."""
    return {
        id(part)
        for model in run.root_models
        if any(entry.leaf in held for entry in run.parameters(model).parameters)
        for _, part in modules.submodules(run.interpreter, model, True)
    }


_BOUND = regex(r"\s*([\w.]+)\s*(?::[^=]+)?=[^=]")


def _step_not_reached(run: Run, built: OptimizerBuilt) -> bool:
    """Whether the program has a step of the optimizer, as it is named here, that was not passed."""
    site = built.site
    bound = _BOUND.match(site.part.code(site.statement))
    names = {bound[1]} if bound is not None else set()
    cleared = [event.site for event in run.of(Cleared) if event.subject is built.optimizer]
    names |= {one.text().partition(".zero_grad")[0] for one in cleared}
    passed = {event.site for event in run.of(Stepped)}
    for name in names:
        step = re.compile(rf"^[^#\n]*(?<![\w.]){re.escape(name)}\.step\(", re.MULTILINE)
        for module in {one.part.module for one in (site, *cleared)}:
            found = len(step.findall(module.text))
            if found > sum(
                one.part.module is module and one.text().startswith(f"{name}.step(") for one in passed
            ):
                return True
    return False


def never_stepped(run: Run) -> Iterator[NeverStepped]:
    """Optimizers whose gradients are computed, for each round of a loop or cleared, and that no step ever follows."""
    from optlint.semantics.questions.schedules import stepped_in_place

    if any(event.method == "step" and event.subject is None for event in run.of(ScalerUsed)):
        return  # a scaler steps something that is not known, or no optimizer: that is the mistake
    if any(fact.kind in ("update-alone", "unscale-twice") for fact in run.ask(scaler_faults)):
        return  # it raises before
    book = run.interpreter.book
    if not run.complete or run.interpreter.root_class is not None or book.out_of_hand:
        return
    if any(fact.method != "backward" for fact in run.ask(none_used)):
        return  # the optimizer was lost: ``optimizer = optimizer.zero_grad()``
    in_place = {id(fact.optimizer) for fact in run.ask(stepped_in_place)}  # that is OPT512's to say
    others = [event.subject for event in run.of(Stepped) if isinstance(event.subject, Optimizer)]
    moved = frozenset().union(*(run.held_by(other) for other in others))
    stepped = {id(event.subject) for event in run.of(Stepped)}
    stepped |= {
        id(event.receiver) for event in run.of(MethodNamed)
    }  # named and not called: that is the mistake
    stepped |= {id(fact.subject) for fact in run.ask(wrong_steps)}
    cleared = {id(event.subject) for event in run.of(Cleared)}
    for built in run.of(OptimizerBuilt):
        optimizer = built.optimizer
        held = run.held_by(optimizer)
        if id(optimizer) in stepped | in_place | book.handed_out or optimizer.groups.open or not held:
            continue
        if held & (moved | run.updated_by_hand | run.touched):
            continue
        if _step_not_reached(run, built):
            continue
        passes = [event for event in run.backwards if event.reached & held]
        backward = next(iter(passes), None)
        if id(optimizer) not in cleared:
            # Once is a look at gradients; again and again is training.
            backward = next((e for e in passes if sum(o.site == e.site for o in passes) > 1), None)
        if backward is not None:
            yield NeverStepped(built.site, optimizer.cls_name, backward.site)
