"""Tensors that want no gradient and are given to an optimizer all the same (OPT109).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import events
from optlint.semantics.questions import causes
from optlint.semantics.questions.non_leaves import marked
from optlint.semantics.questions.telling import assigned_name
from optlint.semantics.site import Site
from optlint.semantics.values import ABSENT, Choice, Flow, Leaf, Value, options

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class Gradless:
    """A tensor that never wants a gradient; ``made``: how (``plain``, ``parameter``, or the operation that cut it off).

    ``raises``: no loss of the program depends on anything, so that the backward pass raises.
    """

    site: Site
    made: str
    name: str
    optimizer: str
    given: Site
    raises: bool
    leaves: frozenset[Leaf]
    optimizers: tuple[events.OptimizerBuilt, ...]


def gradless(run: Run) -> Iterator[Gradless]:
    """Every such tensor that a stepped optimizer holds, one for each place that makes it."""
    if not run.complete or not run.backwards:
        return
    explained = causes.explained(run, before=gradless)
    stepped = {id(event.optimizer) for event in run.of(events.OptimizerStepped)}
    seen: set[Site] = set()
    for built in run.optimizers:
        if id(built.optimizer) not in stepped or explained.holds(built) or built.faults:
            continue
        if "#of_torch" not in built.optimizer.slots:
            continue  # another's or the user's own may do without gradients
        for value in _elements(built):
            found = _made(run, value)
            if found is None or found[0] in seen:
                continue
            site, made, original = found
            seen.add(site)
            leaves = frozenset() if original is None else frozenset({original})
            name = assigned_name(site)
            yield Gradless(
                site, made, name, built.optimizer.cls_name, built.site, _raises(run), leaves, (built,)
            )


def _elements(built: events.OptimizerBuilt) -> Iterator[Value]:
    """What an optimizer certainly holds."""
    for group in built.optimizer.groups.groups:
        for value in group.params.values if group.params is not None else ():
            if not (isinstance(value, Choice) and ABSENT in value.options):
                yield value


def _made(run: Run, value: Value) -> tuple[Site, str, Leaf | None] | None:
    """Where and how a tensor without a gradient was made, and of which leaf; None for any other."""
    found = [_of_leaf(run, o) if isinstance(o, Leaf) else _of_result(run, o) for o in options(value)]
    return found[0] if found and all(found) else None


def _of_leaf(run: Run, leaf: Leaf) -> tuple[Site, str, Leaf | None] | None:
    if leaf.requires_grad is not False or leaf.site is None or "#written" in leaf.slots:
        return None
    if (
        leaf.slots.get("#escaped")
        or leaf in run.touched
        or leaf in _flagged(run)
        or not leaf.slots.get("#used")
    ):
        return None
    if leaf.is_parameter:
        frozen_later = any(leaf in event.leaves for event in run.of(events.FlagSet))
        elsewhere = not leaf.fresh or leaf in _registered(
            run
        )  # inside a library's model, or a model of the user's
        return None if frozen_later or elsewhere else (leaf.site, "parameter", None)
    return leaf.site, "plain", None


def _of_result(run: Run, value: Value) -> tuple[Site, str, Leaf | None] | None:
    if not isinstance(value, Flow) or value.in_graph is not False or value.origin is None:
        return None
    if value.origin.site in marked(run):
        return None
    if value.alias is not None and not _meant(run, value.alias):
        return None
    return value.origin.site, _how(value), value.alias


def _how(tensor: Flow) -> str:
    """What took the gradient away from a tensor: an operation, ``no_grad``; or ``plain``, if it never had one."""
    operation = tensor.origin.operation if tensor.origin is not None else ""
    if operation == "iteration" or operation.startswith((".d", "detach", "tensor(", "Variable(")):
        return operation
    cut = max((cut for _, cut in tensor.cuts), key=lambda cut: cut.rank, default=None)
    if cut is None:
        return "plain"
    return "no_grad" if cut.kind == "no_grad" else cut.text


def _meant(run: Run, original: Leaf) -> bool:
    """Whether the leaf that a tensor shares its memory with is trained: a loss reaches it, or it is of no other use."""
    return original not in run.touched and (original in run.reached or original not in _registered(run))


def _flagged(run: Run) -> frozenset[Leaf]:
    """Leaves whose flag was set to anything but False at some time."""
    return frozenset().union(*(event.leaves for event in run.of(events.FlagSet) if event.wanted is not False))


def _registered(run: Run) -> frozenset[Leaf]:
    return frozenset(entry.leaf for model in run.models for entry in run.parameters(model).parameters)


def _raises(run: Run) -> bool:
    """Whether no loss of the program depends on any leaf, as far as all of it is known."""
    return all(event.known and not event.maybe for event in run.backwards)
