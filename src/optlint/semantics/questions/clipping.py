"""Clipping that no step profits from: too late, too early, of scaled, foreign or missing gradients (OPT508).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics.events import Backward, Cleared, Event, FlagSet, Stepped
from optlint.semantics.gradients import CLEAR, DIRTY, FILLED, FRESH, USED
from optlint.semantics.libraries.parameter_arguments import optimizer_leaves
from optlint.semantics.loop_events import (
    Clipped,
    ClippedForNothing,
    LeavesCleared,
    LossScaled,
    SteppedByScaler,
    Unscaled,
)
from optlint.semantics.questions.exhausted import read_again
from optlint.semantics.questions.wrong_optimizer import optimizer_name, owner_name, wrong_steps
from optlint.semantics.site import Site
from optlint.semantics.values import Leaf, Optimizer

if TYPE_CHECKING:
    from optlint.semantics.program import Run

_NOTHING_NEW = frozenset({FRESH, CLEAR, USED})
_NEW = frozenset({FILLED, DIRTY})


@dataclass(frozen=True)
class VainClip:
    """A call (``site``) of the function ``by`` after which no step uses what was clipped.

    ``kind``: ``after`` the step, ``before`` the backward pass, ``scaled``, ``foreign`` (another network's),
    ``gradless`` (a network that the loss does not reach), ``data`` (no parameters), ``dropped``, ``uncalled``;
    ``optimizer``: the one whose step it is meant for; ``model``: what is clipped; ``place``: the step or the backward
    pass; ``raises``: torch refuses it.
    """

    site: Site
    kind: str
    by: str
    optimizer: str = ""
    model: str = ""
    place: Site | None = None
    raises: bool = False


def vain_clips(run: Run) -> Iterator[VainClip]:
    """The calls that clip in vain, each once."""
    seen: set[Site] = set()
    for named in run.of(ClippedForNothing):
        if named.site not in seen:
            seen.add(named.site)
            yield VainClip(named.site, "dropped" if named.dropped else "uncalled", named.by)
    if not run.complete or run.interpreter.book.out_of_hand:
        return
    for fact in run.ask(read_again):  # an iterator that is used up: that is the mistake
        seen |= {fact.site, *fact.also} | ({fact.reader} if fact.reader is not None else set())
    groups: dict[Site, list[Clipped]] = {}
    for event in run.of(Clipped):
        if event.site not in seen:
            groups.setdefault(event.site, []).append(event)
    for events in groups.values():
        found = _judged(run, events)
        if found is not None:
            yield found


def _judged(run: Run, events: list[Clipped]) -> VainClip | None:
    first = events[0]
    if all(event.data is not None for event in events):
        raises = first.by.startswith("clip_grad_value")
        return VainClip(first.site, "data", first.by, raises=raises) if run.backwards else None
    if any(event.more or not event.leaves for event in events):
        return None
    if not any(event.holders for event in events):
        return _of_nobody(run, events)
    if not all(event.holders for event in events) or any(
        not _is_known(run, optimizer) for event in events for optimizer, _ in event.holders
    ):
        return None
    return _at_the_wrong_time(run, events) or _scaled(run, events) or _foreign(run, events)


def _is_known(run: Run, optimizer: Optimizer) -> bool:
    return id(optimizer) not in run.interpreter.book.handed_out and not optimizer_leaves(optimizer)[1]


# -- when --------------------------------------------------------------------------------------------------------------


def _at_the_wrong_time(run: Run, events: list[Clipped]) -> VainClip | None:
    """Clipped when nothing is there that a step will use: after it, or before the backward pass."""
    first = events[0]
    if not all(state.kinds <= _NOTHING_NEW for event in events for _, state in event.holders):
        return None
    optimizers = [optimizer for optimizer, _ in first.holders]
    steps = [e for e in run.of(Stepped) if e.subject in optimizers and e.before.kinds & _NEW]
    if not steps or any(fact.other in optimizers for fact in run.ask(wrong_steps)):
        return None  # never trained here, or stepped in the place of another
    name = optimizer_name(run, optimizers[0])
    earlier = [step for step in steps if _place(run, step) < _place(run, first) and _same_round(step, first)]
    if earlier:
        return VainClip(first.site, "after", first.by, name, place=earlier[-1].site)
    later = [
        e for e in run.events[_place(run, first) :] if isinstance(e, Backward) and e.maybe & first.leaves
    ]
    if not later:
        return None
    none_yet = all(state.kinds <= {FRESH, CLEAR} for _, state in first.holders)
    raises = first.by.startswith("clip_grad_value") and none_yet
    return VainClip(first.site, "before", first.by, name, place=later[0].site, raises=raises)


def _same_round(step: Stepped, clip: Clipped) -> bool:
    """Whether a loop that both stand in comes to the clipping after that step."""
    if not clip.rounds:
        return True
    return clip.rounds[-1] in step.rounds or (bool(step.rounds) and step.rounds[-1] in clip.rounds)


def _place(run: Run, event: Event) -> int:
    return next(number for number, other in enumerate(run.events) if other is event)


# -- what --------------------------------------------------------------------------------------------------------------


def _scaled(run: Run, events: list[Clipped]) -> VainClip | None:
    """Gradients that a scaler has not divided by its factor yet, and steps afterwards."""
    if not any(run.of(LossScaled)):
        return None
    found = [_scaled_holder(run, event) for event in events]
    if not all(found) or found[0] is None:
        return None
    optimizer, step = found[0]
    first = events[0]
    return VainClip(first.site, "scaled", first.by, optimizer_name(run, optimizer), place=step.site)


def _scaled_holder(run: Run, event: Clipped) -> tuple[Optimizer, SteppedByScaler] | None:
    place = _place(run, event)
    for optimizer, state in event.holders:
        if not state.kinds <= _NEW or _unscaled_before(run, place, optimizer):
            continue
        for later in run.events[place + 1 :]:
            if isinstance(later, SteppedByScaler) and later.optimizer is optimizer:
                return optimizer, later
            if isinstance(later, (Stepped, Cleared)) and later.subject is optimizer:
                break
    return None


def _unscaled_before(run: Run, place: int, optimizer: Optimizer) -> bool:
    """Whether the gradients were unscaled since they were computed."""
    held = run.held_by(optimizer)
    for earlier in reversed(run.events[:place]):
        if isinstance(earlier, Unscaled) and earlier.optimizer is optimizer:
            return True
        if isinstance(earlier, Backward) and earlier.maybe & held:
            return False
    return False


def _foreign(run: Run, events: list[Clipped]) -> VainClip | None:
    """Gradients that are cleared before their own step, clipped where another network's optimizer steps."""
    stepped: Stepped | None = None
    cleared = False
    for event in events:
        place = _place(run, event)
        optimizers = [optimizer for optimizer, _ in event.holders]
        for optimizer in optimizers:
            fate = _next(run, place, optimizer)
            if isinstance(fate, Stepped):
                return None
            cleared = cleared or fate is not None
        after = run.events[place + 1 :]
        step = next((e for e in after if isinstance(e, Stepped)), None)
        if step is None or step.subject in optimizers or not step.before.kinds <= _NEW:
            return None
        stepped = stepped or step
    if not cleared or stepped is None or not isinstance(stepped.subject, Optimizer):
        return None
    first = events[0]
    name = optimizer_name(run, stepped.subject)
    leaves = frozenset().union(*(event.leaves for event in events))
    return VainClip(first.site, "foreign", first.by, name, owner_name(run, leaves), stepped.site)


def _next(run: Run, place: int, optimizer: Optimizer) -> Event | None:
    """What happens next to the gradients of an optimizer: its step, or that they are cleared for certain."""
    held = run.held_by(optimizer)
    for later in run.events[place + 1 :]:
        if isinstance(later, Stepped) and later.subject is optimizer:
            return later
        clears = (isinstance(later, Cleared) and later.subject is optimizer) or (
            isinstance(later, LeavesCleared) and held <= later.leaves
        )
        if clears and not later.conditional:
            return later
    return None


def _is_frozen(run: Run, leaves: frozenset[Leaf]) -> bool:
    """Whether parameters want no gradient, and were never told to."""
    told = any(event.wanted is not False and event.leaves & leaves for event in run.of(FlagSet))
    return not told and all(leaf.requires_grad is False for leaf in leaves)


def _of_nobody(run: Run, events: list[Clipped]) -> VainClip | None:
    """Parameters that no optimizer holds and no loss reaches."""
    leaves: frozenset[Leaf] = frozenset().union(*(event.leaves for event in events))
    if run.optimizers_may_hold_more or leaves & (run.held | run.reached):
        return None
    if not _is_frozen(run, leaves) and leaves & (run.touched | run.updated_by_hand):
        return None
    if any(leaf.slots.get("#escaped") or leaf.requires_grad is None for leaf in leaves):
        return None
    if not run.backwards or not all(event.known and event.reached for event in run.backwards):
        return None
    first = events[0]
    after = run.events[_place(run, first) + 1 :]
    step = next((e for e in after if isinstance(e, Stepped)), None)
    if step is None or not isinstance(step.subject, Optimizer) or not step.before.kinds <= _NEW:
        return None
    if _is_frozen(run, leaves) and any(clip.leaves & run.held_by(step.subject) for clip in run.of(Clipped)):
        return None  # what trains is clipped, too
    raises = first.by.startswith("clip_grad_value")
    name, model = optimizer_name(run, step.subject), owner_name(run, leaves)
    return VainClip(first.site, "gradless", first.by, name, model, step.site, raises)
