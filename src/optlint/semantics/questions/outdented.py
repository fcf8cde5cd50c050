"""Updates that stand behind the loop over the batches, where only the last batch trains (OPT509).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import families
from optlint.semantics.events import AttributeSet, Backward, GradientsDropped, Stepped
from optlint.semantics.gradients import DIRTY, FILLED, Subject
from optlint.semantics.iteration import Range
from optlint.semantics.libraries.data_sources import Source
from optlint.semantics.modes import LoopRan
from optlint.semantics.questions import left_behind
from optlint.semantics.questions.clearing import is_optimizer, told
from optlint.semantics.site import Site
from optlint.semantics.values import Container, Leaf, OneShot, Optimizer, Unknown, Value, reaching_leaves
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.program import Run


Inside = Callable[[cst.For], frozenset[cst.CSTNode]]


@dataclass(frozen=True)
class OutdentedUpdate:
    """An update (``site``) behind the ``loop`` over the batches.

    ``backward``: it is the backward pass of what each round overwrites (``name``); else it is the step of the
    optimizer ``name``, and each round clears the gradients (``cleared``).
    """

    site: Site
    loop: Site
    name: str
    backward: bool
    cleared: Site | None = None


def outdented_updates(run: Run) -> Iterator[OutdentedUpdate]:
    """The updates that come too late for all batches but the last, each once."""
    if run.interpreter.book.out_of_hand:
        return
    seen: set[Site] = set()
    inside: Inside = functools.cache(left_behind.in_each_round)
    loops = [(position, event) for position, event in enumerate(run.events) if isinstance(event, LoopRan)]
    for position, event in enumerate(run.events):
        if not isinstance(event, Stepped) or not is_optimizer(event.subject):
            continue
        if not event.before.kinds <= {FILLED, DIRTY}:
            continue
        if isinstance(event.subject, Optimizer) and run.held_by(event.subject) & run.touched:
            continue  # the gradients were used in another way
        fact = _late_step(run, event, loops, inside) or _late_backward(run, position, event, loops)
        if fact is not None and fact.site not in seen:
            seen.add(fact.site)
            yield fact


def _filled_at(event: Stepped) -> list[Site]:
    return [site for kind in (FILLED, DIRTY) for site in event.before.sites(kind)]


# -- the step behind the loop ----------------------------------------------------------------------------------------


def _late_step(
    run: Run, step: Stepped, loops: Sequence[tuple[int, LoopRan]], inside: Inside
) -> OutdentedUpdate | None:
    """A step behind a loop in each round of which the gradients are cleared and computed."""
    filled = _filled_at(step)
    for loop in dict.fromkeys(ran.site for _, ran in loops):
        node = loop.node
        if not isinstance(node, cst.For) or not filled or step.site.part is not loop.part:
            continue
        if not inside(node).issuperset(site.node for site in filled):
            continue
        if not left_behind.follows(loop, step.site) or left_behind.leaves(node) or _steps_in(run, step, loop):
            continue
        cleared = [
            event
            for event in run.of(GradientsDropped)
            if event.loop == loop and event.subject is step.subject and event.each_round
        ]
        if any(
            set(event.before.sites(FILLED) + event.before.sites(DIRTY)) & set(filled) for event in cleared
        ):
            return OutdentedUpdate(step.site, loop, told(step), False, cleared[-1].site)
    return None


def _steps_in(run: Run, step: Stepped, loop: Site) -> bool:
    """Whether the same gradients are stepped in a loop."""
    return any(
        any(round_.site == loop for round_ in other.rounds) and _shares(run, step.subject, other.subject)
        for other in run.of(Stepped)
    )


def _shares(run: Run, one: Subject, other: Subject) -> bool:
    if isinstance(one, Optimizer) and isinstance(other, Optimizer):
        return one is other or bool(run.held_by(one) & run.held_by(other))
    return True


# -- the backward pass behind the loop -------------------------------------------------------------------------------


def _late_backward(
    run: Run, position: int, step: Stepped, loops: Sequence[tuple[int, LoopRan]]
) -> OutdentedUpdate | None:
    """A backward pass of a number that every round of the loop before it has computed anew."""
    filled = set(_filled_at(step))
    before_step = bisect.bisect_left(run.backwards, position, key=run.place_of)
    earlier = (run.backwards[number] for number in range(before_step - 1, -1, -1))
    backward = next((event for event in earlier if event.site in filled), None)
    if backward is None:
        return None
    place = run.place_of(backward)
    overwritten = left_behind.overwritten(backward.site)
    if overwritten is None or (
        isinstance(step.subject, Optimizer) and not backward.reached & run.held_by(step.subject)
    ):
        return None
    before = [(end, ran) for end, ran in loops if ran.site.node is overwritten.loop and end < place]
    if not before:
        return None
    end, ran = before[-1]
    inside = run.events[ran.first : end]
    if not _goes_on(run, step, ran) or _is_carried(run, inside, backward):
        return None
    return OutdentedUpdate(backward.site, ran.site, overwritten.name, True)


def _is_carried(run: Run, inside: Sequence[object], backward: Backward) -> bool:
    """Whether the rounds may hand something on: a module keeps state, or the parameters are trained in between."""
    for event in inside:
        if isinstance(event, AttributeSet) and families.is_module(run.interpreter, event.owner):
            if not event.constructing:
                return True
        if isinstance(event, Backward) and (event.maybe & backward.maybe or not backward.maybe):
            return True
    return False


_BATCHES = regex(r"loader|batches|dataset\b|train_data|minibatch|iterator", re.IGNORECASE)


def _goes_on(run: Run, step: Stepped, ran: LoopRan) -> bool:
    """Whether a loop certainly has several rounds, each with a batch of its own."""
    if ran.count is not None and ran.count < 2:
        return False
    if _steps_in(run, step, ran.site):
        return False
    node = ran.site.node
    cleared = any(
        event.loop == ran.site and event.subject is step.subject and event.each_round
        for event in run.of(GradientsDropped)
    )
    return cleared or _is_of_batches(
        ran.source, ran.site.part.code(node.iter) if isinstance(node, cst.For) else ""
    )


def _is_of_batches(source: Value, text: str) -> bool:
    if isinstance(source, Source):
        return source.batches
    if isinstance(source, OneShot) and source.kind == "generator" and not source.sources:
        return _BATCHES.search(text) is not None
    if isinstance(source, OneShot):
        return bool(source.sources) and any(_is_of_batches(value, text) for value in source.sources)
    if isinstance(source, Range):
        return text.count(",") >= 2 and (source.length is None or source.length > 1)
    if isinstance(source, Container):
        return len(source.items.values) > 1 and _BATCHES.search(text) is not None
    if isinstance(source, Leaf):
        return not reaching_leaves(source)
    return isinstance(source, Unknown) and not source.taint and _BATCHES.search(text) is not None
