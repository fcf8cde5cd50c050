"""Gradient scalers whose calls do not fit together: losses, gradients and steps with and without the scale (OPT510).

Where a scaler is, and what gradients are, is what ``semantics.scaling`` followed; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import families
from optlint.semantics.events import Backward, MethodNamed
from optlint.semantics.questions.telling import argument_text, assigned_name
from optlint.semantics.questions.wrong_optimizer import wrong_steps
from optlint.semantics.scaling import PLAIN, SCALED, STEPPED, TAKEN, UNSCALED
from optlint.semantics.schedule_events import PlainStep, ScalerMade, ScalerUsed
from optlint.semantics.values import Instance, Optimizer

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.site import Site


@dataclass(frozen=True)
class ScalerFault:
    """A call that does not fit: ``kind`` of mistake, how the user names the ``scaler`` and the ``optimizer``."""

    site: Site
    kind: str
    scaler: str
    optimizer: str = ""
    places: tuple[tuple[Site, str], ...] = ()


#: The strongest first: of each scaler one mistake is told, the others follow from it.
_ORDER = (
    "dropped",
    "no-method",
    "no-optimizer",
    "plain",
    "both",
    "not-scaled",
    "divided",
    "no-update",
    "step-twice",
    "unscale-twice",
    "unscale-late",
    "update-unused",
    "update-alone",
    "anew",
)


def scaler_faults(run: Run) -> Iterator[ScalerFault]:
    """One mistake for each scaler."""
    made = {id(event.scaler): event for event in run.of(ScalerMade)}
    disabled = {id(s) for s in run.interpreter.book.scalers if s.slots.get("#enabled") is False}
    disabled |= {
        id(event.receiver) for event in run.of(MethodNamed)
    }  # named and not called: that is the mistake
    found: dict[int, list[ScalerFault]] = {}
    wrong = {fact.site for fact in run.ask(wrong_steps)}  # another optimizer is meant
    for event in run.of(ScalerUsed):
        scaler = event.scaler
        if event.site in wrong or id(scaler) in disabled or scaler.slots.get("#escaped") or event.guarded:
            continue
        fault = _used(run, event)
        if fault is not None:
            found.setdefault(id(scaler), []).append(fault)
    last: ScalerUsed | None = None
    for other in run.events:
        if isinstance(other, ScalerUsed) and other.method == "scale":
            last = other
        elif isinstance(other, PlainStep) and last is not None:
            fault = _plain(run, other, last)
            if fault is not None:
                found.setdefault(id(last.scaler), []).append(fault)
    for key, making in made.items():
        fault = _anew(run, making) if key not in disabled and key not in found else None
        if fault is not None:
            found[key] = [fault]
    seen: set[Site] = set()
    for faults in found.values():
        first = min(faults, key=lambda fault: _ORDER.index(fault.kind))
        if first.site not in seen:
            seen.add(first.site)
            yield first


def _name(scaler: Instance) -> str:
    variable = scaler.site and assigned_name(scaler.site)
    return variable or "scaler"


def _told(event: ScalerUsed) -> str:
    """How the user names the optimizer of a call."""
    text = argument_text(event.site)
    if text.replace(".", "").replace("_", "").isalnum():
        return text
    return event.subject.cls_name if isinstance(event.subject, Optimizer) else "optimizer"


def _used(run: Run, event: ScalerUsed) -> ScalerFault | None:
    if event.method == "scale":
        kept = not event.dropped or not any(run.of(Backward))
        return None if kept else ScalerFault(event.site, "dropped", _name(event.scaler))
    if event.method in ("backward", "zero_grad"):
        return ScalerFault(event.site, "no-method", _name(event.scaler), event.method)
    if event.method == "step":
        return _step(run, event)
    if event.method == "unscale_":
        return _unscale(run, event)
    return _update(run, event) if event.method == "update" else None


def _never_scaled(run: Run, event: ScalerUsed) -> bool:
    """Whether ``scale`` was certainly not called before, although there are gradients."""
    phases = event.before.phases
    return any(run.of(Backward)) and all(phase.scaled is False for phase in phases)


def _step(run: Run, event: ScalerUsed) -> ScalerFault | None:
    name, optimizer = _name(event.scaler), _told(event)
    arguments, phases = event.arguments, event.before.phases
    if arguments.open or len(arguments.all_values()) > 1:
        return None  # with a closure: another question
    if not arguments.all_values():
        return ScalerFault(event.site, "no-optimizer", name)
    given = arguments.all_values()[0]
    if isinstance(given, Instance) and families.is_module(run.interpreter, given):
        return ScalerFault(event.site, "no-optimizer", name, given.cls.name)
    if event.subject is None:
        return None
    if _never_scaled(run, event):
        if any(named.name == "step" for named in run.of(MethodNamed)):
            return None
        last = _last_backward(run, event)
        places = ((last.site, "this loss is not scaled"),) if last is not None else ()
        return ScalerFault(event.site, "not-scaled", name, optimizer, places)
    if phases and all(phase.stage(event.subject) == STEPPED for phase in phases):
        updates = any(e.method == "update" and e.scaler is event.scaler for e in run.of(ScalerUsed))
        return ScalerFault(event.site, "step-twice" if updates else "no-update", name, optimizer)
    if event.marks.kinds == {PLAIN} and all(phase.scaled is True for phase in phases):
        last = _last_backward(run, event)
        if last is not None and last.known and event.scaler.slots.get("#enabled") is not None:
            places = ((event.site, f"`{name}.step` divides the gradients by the scale"),)
            return ScalerFault(last.site, "divided", name, optimizer, places)
    return None


def _last_backward(run: Run, event: ScalerUsed) -> Backward | None:
    last: Backward | None = None
    for other in run.events:
        if other is event:
            break
        if isinstance(other, Backward):
            last = other
    return last


def _unscale(run: Run, event: ScalerUsed) -> ScalerFault | None:
    subject, phases = event.subject, event.before.phases
    if subject is None or event.arguments.open:
        return None
    name, optimizer = _name(event.scaler), _told(event)
    if _never_scaled(run, event):
        last = _last_backward(run, event)
        places = ((last.site, "this loss is not scaled"),) if last is not None else ()
        return ScalerFault(event.site, "not-scaled", name, optimizer, places)
    stages = {phase.stage(subject) for phase in phases}
    if stages == {UNSCALED}:
        return ScalerFault(event.site, "unscale-twice", name, optimizer)
    return ScalerFault(event.site, "unscale-late", name, optimizer) if stages == {STEPPED} else None


def _update(run: Run, event: ScalerUsed) -> ScalerFault | None:
    phases, name = event.before.phases, _name(event.scaler)
    if event.arguments.all_values() or event.arguments.open or any(phase.open for phase in phases):
        return None
    if any(phase.stages for phase in phases) or not any(run.of(Backward)):
        return None
    if all(phase.scaled is False for phase in phases):
        return ScalerFault(event.site, "update-unused", name)
    return ScalerFault(event.site, "update-alone", name) if all(p.scaled for p in phases) else None


def _plain(run: Run, step: PlainStep, scale: ScalerUsed) -> ScalerFault | None:
    """``optimizer.step()`` with gradients of a scaled loss, or after the scaler's own step."""
    kinds = step.marks.kinds
    if kinds not in ({SCALED}, {TAKEN}):
        return None
    certain = all(scaler.slots.get("#enabled") for scaler in run.interpreter.book.scalers)
    if step.conditional and not certain:
        return None
    if any(scaler.slots.get("#escaped") for scaler in run.interpreter.book.scalers):
        return None
    if isinstance(step.subject, Optimizer) and run.held_by(step.subject) & run.touched:
        return None  # the gradients are scaled back by hand
    owner, found, _ = step.site.text().partition(".step(")
    optimizer = owner if found and owner.replace(".", "").replace("_", "").isalnum() else "optimizer"
    places: tuple[tuple[Site, str], ...] = ((scale.site, "the loss is scaled here"),)
    if kinds == {TAKEN}:
        own = [e.site for e in run.of(ScalerUsed) if e.method == "step" and e.subject is step.subject]
        places = tuple((site, "the scaler steps it here") for site in own[:1])
    kind = "plain" if kinds == {SCALED} else "both"
    return ScalerFault(step.site, kind, _name(scale.scaler), optimizer, places)


def _anew(run: Run, made: ScalerMade) -> ScalerFault | None:
    """A scaler that each round of a loop makes and uses for one step."""
    if not made.each_round or made.scaler.slots.get("#escaped"):
        return None
    steps = [e for e in run.of(ScalerUsed) if e.scaler is made.scaler and e.method == "step"]
    if not steps or any(step.rounds != made.rounds for step in steps):
        return None
    subjects = {id(step.subject) for step in steps}
    again = any(
        other is not made
        and other.site == made.site
        and other.rounds[-1].loop is made.rounds[-1].loop
        and any(e.scaler is other.scaler and id(e.subject) in subjects for e in run.of(ScalerUsed))
        for other in run.of(ScalerMade)
        if other.rounds
    )
    if not again and not made.rounds[-1].repeats:
        return None
    place = (made.rounds[-1].site, "each round of this loop makes one")
    return ScalerFault(made.site, "anew", _name(made.scaler), places=(place,))
