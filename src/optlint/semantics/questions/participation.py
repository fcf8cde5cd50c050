"""Which parameters take part in training: shared by the questions about what is left out and what is cut off.

Must not know which question is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import attributes, calls, expressions
from optlint.semantics.events import Event
from optlint.semantics.modules import NamedParameter
from optlint.semantics.pace import BudgetExceeded
from optlint.semantics.values import Arguments, Instance, Leaf, LibraryClass, Value

if TYPE_CHECKING:
    from optlint.semantics.program import Run


def trains(run: Run, entry: NamedParameter) -> bool:
    """Whether a parameter is certainly there, unfrozen, and in nobody else's hands."""
    leaf = entry.leaf
    return (
        entry.certain
        and leaf.requires_grad is True
        and not leaf.slots.get("#escaped")
        and leaf not in run.updated_by_hand
        and not entry.owner.slots.get("#pretrained")
        and not entry.owner.slots.get("#copied")
    )


def participants(run: Run, model: Instance) -> frozenset[Leaf]:
    """Leaves of a model that gradient reaches in training; where no training is seen, those its forward uses."""
    listing = {entry.leaf for entry in run.parameters(model).parameters}
    if any(listing & event.maybe for event in run.backwards):
        return run.reached
    called = [event for event in run.forwards if event.model is model and event.grad]
    if called:
        return frozenset().union(*(deps(run, event.result) for event in called))
    if run.root != "<module>" or run.backwards:
        return frozenset()
    return probe(run, model)


def deps(run: Run, value: Value) -> frozenset[Leaf]:
    return frozenset(expressions.sources(run.interpreter, [value])[0])


def probe(run: Run, model: Instance) -> frozenset[Leaf]:
    """What the forward of a model uses, found by calling it with unknown arguments (and taking that back)."""
    return rehearsed(run, model)[0]


def rehearsed(run: Run, model: Instance, method: str = "forward") -> tuple[frozenset[Leaf], list[Event]]:
    """The leaves behind what a call of a model with unknown arguments would give now, and what would happen in it."""
    it = run.interpreter
    library = isinstance(model.cls, LibraryClass) and model.cls.qualified_name.startswith("torch.nn.")
    own = attributes.user_method(model, method)
    if model.site is None or not (library or own):
        return frozenset(), []
    source = it.sources[run.path]
    if not source.slices:
        return frozenset(), []
    mark, saved = it.heap.mark(), it.events
    happened: list[Event] = []
    it.events = happened
    from optlint.semantics.frame import Context, Frame

    it.frames.append(Frame(Context(it.namespaces[run.path], source.slices[0]), {}))
    try:
        given = Arguments((), {}, True)
        if own is not None and method != "forward":
            result = calls.call_method_value(it, model, own, given)
        else:
            result = calls.call_instance(it, model, given, model.site.node)
        return deps(run, result), happened
    except (BudgetExceeded, RecursionError):
        return frozenset(), []
    finally:
        it.frames.pop()
        it.heap.rollback(mark)
        it.events = saved
