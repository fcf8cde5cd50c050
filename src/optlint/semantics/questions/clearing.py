"""Gradients that are never cleared, or cleared before a step could use them (OPT502, OPT503).

The state of each optimizer's gradients before each of its steps is what ``semantics.gradients`` recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics.events import MethodNamed, Stepped
from optlint.semantics.gradients import DIRTY, USED, WIPED, Subject, UnseenOptimizer
from optlint.semantics.site import Site
from optlint.semantics.values import Optimizer

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class NeverCleared:
    """A backward pass adds to gradients that a step has used already.

    ``site``: the backward pass; ``step``: the step that follows; ``optimizer``: as the user names it; ``elsewhere``:
    the gradients are cleared, but not between one step and the next backward pass.
    """

    site: Site
    step: Site
    optimizer: str
    elsewhere: bool


@dataclass(frozen=True)
class ClearedTooEarly:
    """Gradients are cleared (``site``) after the backward pass and before the ``step``."""

    site: Site
    step: Site
    optimizer: str


def never_cleared(run: Run) -> Iterator[NeverCleared]:
    """The backward passes whose gradients pile up, each once."""
    from optlint.semantics.questions.closures import closure_faults
    from optlint.semantics.questions.idle_methods import never_called
    from optlint.semantics.questions.wrong_optimizer import wrong_steps

    if run.interpreter.book.out_of_hand:
        return
    seen: set[Site] = set()
    meant = never_called(run)
    # A step of the wrong one uses what is left of its own last time.
    wrong = {site for fact in run.ask(wrong_steps) for site in (fact.site, *fact.also)}
    wrong |= {fact.step for fact in run.ask(closure_faults) if fact.step is not None}
    named = [_receiver(run, event) for event in run.of(MethodNamed) if event.name == "zero_grad"]
    for event in run.of(Stepped):
        kinds = event.before.kinds
        if (
            DIRTY not in kinds
            or event.site in wrong
            or not is_optimizer(event.subject)
            or event.subject in named
        ):
            continue
        ever = id(event.subject) in run.interpreter.book.cleared
        if ever and not kinds <= _piling_up(event.subject):
            continue  # cleared on some way
        if isinstance(event.subject, Optimizer) and meant & run.held_by(event.subject):
            continue  # that the model's ``zero_grad`` is not called is the mistake
        for site in event.before.sites(DIRTY)[:1]:
            if site not in seen:
                seen.add(site)
                yield NeverCleared(site, event.site, told(event), ever)


def _receiver(run: Run, event: MethodNamed) -> object:
    """What a method is named of: that it is not called is the mistake then."""
    return run.interpreter.book.unseen.get(event.receiver, event.receiver)


def _piling_up(subject: Subject) -> frozenset[str]:
    """States that only come about when nothing was cleared since the last step."""
    # Of what came from outside it is not known which of the backward passes reaches it.
    return frozenset({DIRTY, USED}) if isinstance(subject, UnseenOptimizer) else frozenset({DIRTY})


def cleared_too_early(run: Run) -> Iterator[ClearedTooEarly]:
    """The calls that throw the gradients away before each step."""
    from optlint.semantics.questions.closures import closure_faults
    from optlint.semantics.questions.stepping import early_steps

    if run.interpreter.book.out_of_hand:
        return
    seen: set[Site] = set()
    early = {fact.site for fact in run.ask(early_steps)}
    early |= {fact.step for fact in run.ask(closure_faults) if fact.step is not None}
    for event in run.of(Stepped):
        if event.site in early or event.before.kinds != {WIPED} or not is_optimizer(event.subject):
            continue
        if isinstance(event.subject, Optimizer) and run.held_by(event.subject) & run.touched:
            continue  # the gradients were used in another way
        for site in event.before.sites(WIPED)[:1]:
            if site not in seen:
                seen.add(site)
                yield ClearedTooEarly(site, event.site, told(event))


def is_optimizer(subject: Subject) -> bool:
    """Whether something is an optimizer: by what it is, or because it is both cleared and stepped."""
    if isinstance(subject, Optimizer):
        return True
    return (subject.clears or subject.made) and subject.steps and not subject.engine


def told(event: Stepped) -> str:
    """How the user names the optimizer: what stands before ``.step``, or its class."""
    owner, found, given = event.site.text().partition(".step(")
    if given != ")" and given.rstrip(")").isidentifier():
        owner = given.rstrip(")")  # a scaler steps it
    if found and owner.replace(".", "").replace("_", "").isalnum():
        return owner
    return event.subject.cls_name if isinstance(event.subject, Optimizer) else event.subject.name
