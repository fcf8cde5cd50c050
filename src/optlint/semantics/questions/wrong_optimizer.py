"""Steps of an optimizer that holds nothing of what the loss reaches, while the right one is never stepped (OPT507).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics.events import Backward, Cleared, Event, MethodNamed, OptimizerCopied, Stepped
from optlint.semantics.gradients import CLEAR, DIRTY, FILLED, FRESH, USED, Gradients
from optlint.semantics.libraries.parameter_arguments import optimizer_leaves
from optlint.semantics.questions.causes import explained
from optlint.semantics.site import Site
from optlint.semantics.values import Leaf, Optimizer

if TYPE_CHECKING:
    from optlint.semantics.program import Run

_NOTHING_NEW = frozenset({FRESH, CLEAR, USED})
_WAITING = frozenset({FILLED, DIRTY})


@dataclass(frozen=True)
class WrongStep:
    """A step (``site``) of ``stepped`` after the ``backward`` pass whose gradients ``right`` holds.

    ``subject`` and ``other``: the right optimizer and the one that is stepped; ``model``: the network that the right
    one holds, as the user names it; ``again``: the other has its own step elsewhere, and this one comes in the place
    of the right one's; ``also``: further wrong steps.
    """

    site: Site
    stepped: str
    right: str
    subject: Optimizer
    other: Optimizer
    model: str
    backward: Site
    again: bool
    also: tuple[Site, ...] = ()


def wrong_steps(run: Run) -> Iterator[WrongStep]:
    """The steps of the wrong optimizer, each mistake once."""
    if not run.complete or run.interpreter.book.out_of_hand:
        return
    found: dict[int, WrongStep] = {}
    for fact in _facts(run):
        key = id(fact.subject)
        if id(fact.other) in found:
            key = id(fact.other)  # the two are swapped
        earlier = found.get(key)
        found[key] = fact if earlier is None else replace(earlier, also=(*earlier.also, fact.site))
    yield from found.values()


def _facts(run: Run) -> Iterator[WrongStep]:
    by_site: dict[Site, dict[Site | None, list[Stepped]]] = {}
    for event in run.of(Stepped):
        if isinstance(event.subject, Optimizer):
            by_site.setdefault(event.site, {}).setdefault(event.asked_at, []).append(event)
    for callers in by_site.values():
        facts = {caller: _wrong(run, events) for caller, events in callers.items()}
        wrong = {caller: fact for caller, fact in facts.items() if fact is not None}
        if len(wrong) == len(facts) and len({id(fact.other) for fact in wrong.values()}) == 1:
            yield next(iter(wrong.values()))
            continue
        for caller, fact in wrong.items():  # a function that does it for several: its caller chose
            if caller is not None:
                yield replace(fact, site=caller)


def _wrong(run: Run, group: list[Stepped]) -> WrongStep | None:
    stepped = group[0].subject
    if not isinstance(stepped, Optimizer) or any(event.subject is not stepped for event in group):
        return None
    if not _is_known(run, stepped) or id(stepped) in explained(run).optimizers:
        return None
    vain = [event for event in group if not _used(event)]
    for right in _waiting(vain or group):
        own = run.held_by(right)
        if not _is_known(run, right) or own & run.held_by(stepped) or _is_named(run, right):
            continue
        backward = _backward(run, (vain or group)[0], own)
        if backward is None:
            continue
        if not (_thrown_away(run, group, right, backward) if vain else _takes_its_place(run, group, right)):
            continue
        return WrongStep(
            site=group[0].site,
            stepped=optimizer_name(run, stepped),
            right=optimizer_name(run, right),
            subject=right,
            other=stepped,
            model=owner_name(run, own),
            backward=backward.site,
            again=not vain,
        )
    return None


def _waiting(group: list[Stepped]) -> list[Optimizer]:
    """The optimizers whose gradients a backward pass has filled whenever the step comes."""
    first, *rest = ({id(o): o for o, state in event.others if _filled(state)} for event in group)
    return [optimizer for key, optimizer in first.items() if all(key in each for each in rest)]


def _filled(state: Gradients) -> bool:
    return state.kinds <= _WAITING


def _is_known(run: Run, optimizer: Optimizer) -> bool:
    """Whether nobody else can have had a hand in what the optimizer holds."""
    held, more = optimizer_leaves(optimizer)
    mine = held & (run.touched | run.updated_by_hand)
    escaped = any(leaf.slots.get("#escaped") for leaf in held)
    others = id(optimizer) in run.interpreter.book.handed_out
    copied = any(event.optimizer is optimizer for event in run.of(OptimizerCopied))
    return bool(held) and not (more or mine or escaped or others or copied)


def _is_named(run: Run, optimizer: Optimizer) -> bool:
    """Whether its step is named and not called: that is the mistake then."""
    return any(event.receiver is optimizer and event.name == "step" for event in run.of(MethodNamed))


def _backward(run: Run, step: Stepped, own: set[Leaf]) -> Backward | None:
    """The backward pass that filled the right one's gradients, if all is known of the loss.

    It is the last before the step; an earlier one counts for what is never stepped.
    """
    before = [event for event in run.events[: _position(run, step)] if isinstance(event, Backward)]
    if not any(_used(event) for event in run.of(Stepped) if event.subject in _holding(run, own)):
        before = [event for event in before if own & event.maybe]
    return before[-1] if before and own & before[-1].reached else None


def _holding(run: Run, own: set[Leaf]) -> list[Optimizer]:
    return [built.optimizer for built in run.holders(own)]


def _position(run: Run, event: Stepped) -> int:
    """Where an event stands among the others."""
    return next(number for number, other in enumerate(run.events) if other is event)


def _thrown_away(run: Run, group: list[Stepped], right: Optimizer, backward: Backward) -> bool:
    """Whether the gradients that wait are never used: nothing ever steps them, or they are cleared before."""
    if not any(_used(event) for event in run.of(Stepped) if event.subject is right):
        return True
    stepped = run.held_by(group[0].subject)  # type: ignore[arg-type]
    if any(map(_used, group)) or any(leaf in stepped for leaf, _ in backward.cuts):
        return False  # the loss was meant for what is stepped, and does not get there: that is the mistake
    fates = [_next(run, event, right) for event in group]
    return not any(isinstance(fate, Stepped) for fate in fates) and any(fates)


def _used(event: Stepped) -> bool:
    """Whether a step has new gradients to use."""
    return not event.before.kinds <= _NOTHING_NEW


def _next(run: Run, event: Stepped, optimizer: Optimizer) -> Event | None:
    """What happens next to the gradients of an optimizer after a step of another."""
    for later in run.events[_position(run, event) + 1 :]:
        if isinstance(later, (Stepped, Cleared)) and later.subject is optimizer:
            if isinstance(later, Stepped) or not later.conditional:
                return later
    return None


def _takes_its_place(run: Run, group: list[Stepped], right: Optimizer) -> bool:
    """Whether an optimizer that has a step of its own in the same round steps again where the other should."""
    steps = list(run.of(Stepped))
    if any(event.subject is right for event in steps):
        return False
    site, stepped = group[0].site, group[0].subject
    rounds = group[0].rounds
    before = [
        event
        for event in steps
        if event.subject is stepped and event.site != site and event.rounds == rounds
        if not any(other is right and _filled(state) for other, state in event.others)
    ]
    return any(FILLED in event.before.kinds for event in before)


def optimizer_name(run: Run, optimizer: Optimizer) -> str:
    """How the user calls an optimizer: its variable, or what stands before ``.zero_grad()``; else its class."""
    name = optimizer.slots.get("#variable")
    if isinstance(name, str):
        return name
    calls: list[Stepped | Cleared] = [*run.of(Stepped), *run.of(Cleared)]
    for site in (event.site for event in calls if event.subject is optimizer):
        owner, _, method = site.text().rpartition(".")
        if method.startswith(("step(", "zero_grad(")) and "(" not in owner:
            return owner
    return optimizer.cls_name


def owner_name(run: Run, own: Set[Leaf]) -> str:
    """The variable of the network whose parameters these are."""
    for model in run.root_models:
        if own <= {entry.leaf for entry in run.parameters(model).parameters}:
            return run.name_of(model) or run.class_name(model)
    return ""
