"""The user's autograd Functions that let no gradient through to what should train, or make torch raise (OPT405).

What gets no gradient is worked out with all other cuts (``cuts``, ``fruitless``); here is said which Function did it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics.function_events import FunctionApplied, FunctionCalled
from optlint.semantics.questions.cuts import cut_off
from optlint.semantics.questions.fruitless import fruitless
from optlint.semantics.questions.telling import assigned_name
from optlint.semantics.site import Site
from optlint.semantics.values import Cut, Flow

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class FaultyFunction:
    """A Function (``name``) of which ``site`` must be changed.

    ``fault``: ``missing`` (no backward), ``count`` (``expected`` gradients, ``got`` others), ``arguments`` (``expected``
    outputs, and ``got`` is what Python says), ``type`` (a number or a list: ``got``), ``not a tensor`` (a gradient for
    the input at the place ``got``), ``nothing`` (None for ``inputs``), ``silent`` (no ``return``), ``zeros``,
    ``marked`` (all outputs are non-differentiable), or ``called`` (in place of ``apply``).
    ``parameters`` and ``models``: what gets no gradient; ``whole``: the loss depends on nothing else.
    """

    site: Site
    name: str
    fault: str
    inputs: tuple[str, ...] = ()
    expected: int = 0
    got: str = ""
    parameters: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    whole: bool = False
    applied: Site | None = None
    backward: Site | None = None


def faulty_functions(run: Run) -> Iterator[FaultyFunction]:
    """The Functions that keep parameters from training, each once."""
    applied = {event.cut: event for event in run.of(FunctionApplied)}
    for fact in run.ask(fruitless):
        event = applied.get(fact.cut) if fact.cut is not None else None
        if event is not None:
            yield _made(event, whole=True, backward=fact.site)
    for cut in run.ask(cut_off):
        event = next((e for e in applied.values() if e.cut.site == cut.site and e.cut.kind == cut.kind), None)
        if event is not None:
            yield _made(event, cut.names, cut.models, cut.whole, cut.backward)
    yield from _outside_modules(run, applied)
    yield from _raising(run, applied)
    yield from _called(run)


def _made(
    event: FunctionApplied,
    parameters: tuple[str, ...] = (),
    models: tuple[str, ...] = (),
    whole: bool = False,
    backward: Site | None = None,
) -> FaultyFunction:
    return FaultyFunction(
        event.cut.site,
        event.cls.name,
        event.fault,
        event.inputs,
        event.expected,
        event.got,
        parameters,
        models,
        whole,
        event.site,
        backward,
    )


def _outside_modules(run: Run, applied: dict[Cut, FunctionApplied]) -> Iterator[FaultyFunction]:
    """The same for tensors that an optimizer was given by themselves."""
    if not run.complete or not applied:
        return
    registered = {entry.leaf for model in run.models for entry in run.parameters(model).parameters}
    found: dict[Cut, dict[str, None]] = {}
    for leaf in sorted(run.held - registered, key=lambda leaf: leaf.serial):
        name = assigned_name(leaf.site) if leaf.site is not None else ""
        if not name or leaf.requires_grad is not True or leaf.slots.get("#escaped"):
            continue
        if leaf in run.reached or leaf in run.touched or leaf in run.returned:
            continue
        cut = max(run.cuts_before_step(leaf), key=lambda cut: cut.rank, default=None)
        if cut is not None and cut.kind == "function" and cut in applied:
            found.setdefault(cut, {})[name] = None
    for cut, names in found.items():
        yield _made(applied[cut], tuple(names))


def _raising(run: Run, applied: dict[Cut, FunctionApplied]) -> Iterator[FaultyFunction]:
    """What raises in a backward pass that runs, where nobody expects an error of it."""
    found: dict[Site, FaultyFunction] = {}
    for event in run.backwards:
        cuts = event.value.raising if isinstance(event.value, Flow) and not event.guarded else frozenset()
        for cut in cuts:
            if cut in applied:
                found.setdefault(cut.site, _made(applied[cut], backward=event.site))
    yield from found.values()


def _called(run: Run) -> Iterator[FaultyFunction]:
    found: dict[Site, FunctionCalled] = {}
    for event in run.of(FunctionCalled):
        if not event.guarded:
            found.setdefault(event.site, event)
    for site, event in found.items():
        if "__version__" not in site.part.module.text:  # the program asks how old torch is
            yield FaultyFunction(site, event.cls.name, "called")
