"""What optimizers are given in place of parameters (OPT104): what torch refuses, and what it takes and does not train.

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import events, modules
from optlint.semantics.libraries import argument_faults
from optlint.semantics.questions import causes
from optlint.semantics.questions.telling import argument_text, told, type_name
from optlint.semantics.site import Site
from optlint.semantics.values import Const, Container, DictObj, Flow, Instance, Leaf, Method, Optimizer, Value

if TYPE_CHECKING:
    from optlint.semantics.program import Run

#: What torch takes without an error, so that nothing tells the user.
SILENT = frozenset({"pair", "state-dict", "copies"})


@dataclass(frozen=True)
class WrongArgument:
    """Something that an optimizer is given in place of parameters; ``kind`` says what.

    ``told``: how a message may name it (its source, or a variable), ``type_name`` its Python type; ``element``: it
    stands among the parameters. ``leaves`` get into no optimizer by it.
    """

    site: Site
    kind: str
    optimizer: str
    told: str
    type_name: str
    element: bool = False
    #: It raises before the optimizer is called.
    early: bool = False
    related: tuple[tuple[Site, str], ...] = ()
    leaves: frozenset[Leaf] = frozenset()
    optimizers: tuple[events.OptimizerBuilt, ...] = ()


def wrong_arguments(run: Run) -> Iterator[WrongArgument]:
    """Every such argument, one for each optimizer and place."""
    explained = causes.explained(run, before=wrong_arguments)
    seen: set[Site] = set()
    found = (*_raised(run), *_refused(run), *_refused_groups(run), *_copies(run))
    for wrong in found:
        told_before = any(id(built.optimizer) in explained.optimizers for built in wrong.optimizers)
        if wrong.site not in seen and not told_before:
            seen.add(wrong.site)
            yield wrong


# -- what is wrong with the value itself -------------------------------------------------------------------------------


def _refused(run: Run) -> Iterator[WrongArgument]:
    for built in run.optimizers:
        fault = _first(built.faults)
        if fault is None or _may_be_set_elsewhere(run, fault):
            continue
        site = built.asked_at or built.site
        related = _related(site, fault, built.site)
        text = _told(run, built, fault)
        yield WrongArgument(
            site,
            _kind(fault, text),
            built.optimizer.cls_name,
            text,
            type_name(fault.value),
            fault.element,
            False,
            related,
            _lost(run, built.faults, fault, built.argument),
            (built,),
        )


def _lost(
    run: Run, faults: Iterable[events.ArgumentFault], fault: events.ArgumentFault, given: Value
) -> frozenset[Leaf]:
    """The leaves that are in no optimizer because of a fault: where it raises, all that was meant."""
    if fault.kind in SILENT:
        return argument_faults.leaves_lost(faults)
    return _meant(run, (given, fault.value))


def _meant(run: Run, values: tuple[Value, ...]) -> frozenset[Leaf]:
    """The leaves that somebody who gives these values means."""
    owners = [value.receiver for value in values if isinstance(value, Method)]
    return frozenset().union(
        *(modules.reachable_leaves(run.interpreter, value) for value in (*values, *owners))
    )


def _first(faults: Iterable[events.ArgumentFault]) -> events.ArgumentFault | None:
    """The fault that torch comes upon first; a silent one only where it raises nothing."""
    others = [fault for fault in faults if fault.kind != "non-leaf"]
    return next((fault for fault in others if fault.kind not in SILENT), others[0] if others else None)


def _may_be_set_elsewhere(run: Run, fault: events.ArgumentFault) -> bool:
    """Whether a None or a number may only stand for what other code puts there: its callers are not seen."""
    return run.root != "<module>" and isinstance(fault.value, Const)


def _kind(fault: events.ArgumentFault, text: str) -> str:
    if fault.kind == "modules" and text == told(fault.value) and not modules.is_container(fault.value):
        return "module"
    if fault.kind == "dict" and isinstance(fault.value, DictObj):
        values = fault.value.entries.values.values()
        if any(isinstance(v, Flow) and v.origin and v.origin.operation == ".state_dict()" for v in values):
            return "state-dict-keys"
    return fault.kind


def _is_outer(given: Value, value: Value) -> bool:
    return given is value or given == value


def _told(run: Run, built: events.OptimizerBuilt, fault: events.ArgumentFault) -> str:
    """How to name what is wrong: as the call has it, or by its variable."""
    if fault.kind in ("pair", "state-dict", "no-params", "nested", "array"):
        return fault.made.text() if fault.made is not None else ""
    whole = _is_outer(built.argument, fault.value) or (fault.element and fault.kind in ("modules", "text"))
    if built.asked_at is None and whole and not _holds_groups(built.argument):
        return argument_text(built.site) or told(fault.value)
    return told(fault.value)


def _holds_groups(given: Value) -> bool:
    return isinstance(given, Container) and any(isinstance(value, DictObj) for value in given.items.values)


def _related(site: Site, fault: events.ArgumentFault, built: Site) -> tuple[tuple[Site, str], ...]:
    related: list[tuple[Site, str]] = []
    if fault.made is not None and fault.made.statement is not site.statement:
        if not isinstance(fault.value, (Leaf, Instance)):
            related.append((fault.made, "it is made here"))
    if site is not built:
        related.append((built, "and given to the optimizer here"))
    return tuple(related)


def _refused_groups(run: Run) -> Iterator[WrongArgument]:
    for added in run.of(events.GroupAdded):
        fault = _first(added.faults)
        if fault is None or _may_be_set_elsewhere(run, fault):
            continue
        holders = _built(run, added.optimizer)
        yield WrongArgument(
            added.site,
            _kind(fault, told(fault.value)),
            added.optimizer.cls_name,
            told(fault.value) or argument_text(added.site),
            type_name(fault.value),
            fault.element,
            False,
            _related(added.site, fault, added.site),
            _lost(run, added.faults, fault, fault.value),
            holders,
        )


def _built(run: Run, optimizer: Optimizer) -> tuple[events.OptimizerBuilt, ...]:
    return tuple(built for built in run.optimizers if built.optimizer is optimizer)


# -- what raises before an optimizer sees it ---------------------------------------------------------------------------


def _raised(run: Run) -> Iterator[WrongArgument]:
    """Errors on the way to an optimizer: ``a.parameters() + b.parameters()``, ``list(model.parameters)``."""
    if not run.optimizers:
        return
    for error in run.of(events.ParameterError):
        statement = error.site.part.code(error.site.statement)
        if error.conditional and ("hasattr" in statement or "isinstance" in statement):
            continue  # the program asks first
        optimizers = _of_statement(run, error.site)
        name = optimizers[0].optimizer.cls_name if optimizers else ""
        text = told(error.value) if error.kind in ("module", "uncalled", "class") else error.site.text()
        yield WrongArgument(
            error.site,
            error.kind,
            name,
            text,
            type_name(error.value),
            early=True,
            leaves=_meant(run, (error.value,)),
            optimizers=optimizers,
        )


def _of_statement(run: Run, site: Site) -> tuple[events.OptimizerBuilt, ...]:
    """The optimizers that are built in the same statement."""
    return tuple(built for built in run.optimizers if built.site.statement is site.statement)


# -- copies ------------------------------------------------------------------------------------------------------------


def _copies(run: Run) -> Iterator[WrongArgument]:
    """Optimizers of new tensors that were made from a model's parameters, while the model itself is trained."""
    if not run.complete:
        return
    for built in run.optimizers:
        held = run.held_by(built.optimizer)
        copies = [leaf for leaf in held if leaf.slots.get("#copy_of")]
        if not copies or any(_used(run, copy) for copy in copies):
            continue
        originals = frozenset().union(*(copy.slots["#copy_of"] for copy in copies))
        lost = frozenset(leaf for leaf in originals if _trains_alone(run, leaf))
        if not lost or len(copies) < len(held):
            continue
        model = next(
            (m for m in run.root_models if any(e.leaf in lost for e in run.parameters(m).parameters)), None
        )
        if model is None or model.slots.get("#escaped"):
            continue
        places = [copy.site for copy in copies if copy.site is not None]
        made = min(places, key=lambda site: (site.path, site.span()), default=None)
        related = ((made, "the copies are made here"),) if made is not None and made != built.site else ()
        yield WrongArgument(
            built.site,
            "copies",
            built.optimizer.cls_name,
            told(model),
            "",
            related=related,
            leaves=lost,
            optimizers=(built,),
        )


def _used(run: Run, copy: Leaf) -> bool:
    """Whether anything is done with a copy: a loss reaches it, its gradient is set, it is handed on or written back."""
    return bool(copy in run.reached or copy in run.touched or copy.slots.get("#escaped"))


def _trains_alone(run: Run, leaf: Leaf) -> bool:
    """Whether a parameter takes part in training and nobody but the holder of its copy would train it."""
    return (
        leaf.is_parameter
        and leaf in run.certainly_reached
        and leaf not in run.held
        and leaf not in run.touched
        and not leaf.slots.get("#escaped")
        and leaf.requires_grad is True
    )
