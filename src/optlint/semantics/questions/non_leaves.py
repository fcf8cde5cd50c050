"""Results of operations that optimizers are given (OPT105): torch takes leaf tensors only.

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import events
from optlint.semantics.questions import causes
from optlint.semantics.questions.telling import assigned_name, short
from optlint.semantics.site import Site
from optlint.semantics.values import Flow, Leaf, Optimizer

if TYPE_CHECKING:
    from optlint.semantics.program import Run

_OTHER_DEVICE = regex(r"set_default_device|set_default_tensor_type|set_default_dtype|with torch\.device")


@dataclass(frozen=True)
class NonLeaf:
    """A tensor that is the result of ``operation`` at ``site``; ``name``: the variable that holds it.

    ``moves``: the operation is a move, which makes a new tensor always, on each GPU, or perhaps.
    """

    site: Site
    operation: str
    moves: str
    name: str
    source: str
    of_module: bool
    optimizer: str
    given: Site
    leaves: frozenset[Leaf]
    optimizers: tuple[events.OptimizerBuilt, ...]


def non_leaves(run: Run) -> Iterator[NonLeaf]:
    """Every such tensor, one for each place that makes it."""
    explained = causes.explained(run, before=non_leaves)
    kept = marked(run, "retain_grad")
    seen: set[Site] = set()
    for given, optimizer, fault in _faults(run):
        tensor = fault.value
        if not isinstance(tensor, Flow) or tensor.origin is None:
            continue
        origin = tensor.origin
        if origin.site in kept:
            continue
        if origin.site in seen or (origin.moves and makes_elsewhere(run, origin.site)):
            continue
        if tensor.deps <= explained.leaves:
            continue
        seen.add(origin.site)
        registered = {entry.leaf for model in run.models for entry in run.parameters(model).parameters}
        yield NonLeaf(
            origin.site,
            origin.operation,
            origin.moves,
            assigned_name(origin.site),
            short(origin.site.text()),
            bool(tensor.deps & registered),
            optimizer.cls_name,
            given,
            tensor.deps,
            tuple(built for built in run.optimizers if built.optimizer is optimizer),
        )


def marked(run: Run, *what: str) -> frozenset[Site]:
    """The places that made tensors which the program later made to want, have or keep a gradient."""
    return frozenset(
        event.tensor.origin.site
        for event in run.of(events.TensorMarked)
        if event.tensor.origin is not None and (event.what in what or not what)
    )


def _faults(run: Run) -> Iterator[tuple[Site, Optimizer, events.ArgumentFault]]:
    for event in run.events:
        if isinstance(event, (events.OptimizerBuilt, events.GroupAdded)):
            for fault in event.faults:
                if fault.kind == "non-leaf":
                    yield event.site, event.optimizer, fault


def makes_elsewhere(run: Run, site: Site) -> bool:
    """Whether the program makes its tensors elsewhere or of another type than torch does by default."""
    sources = {run.path, site.path} & set(run.interpreter.sources)
    return any(_OTHER_DEVICE.search(run.interpreter.sources[path].text) for path in sources)
