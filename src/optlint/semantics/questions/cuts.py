"""Places that cut parameters off from every loss (OPT401, OPT402, OPT403).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import expressions, modules
from optlint.semantics.events import MethodNamed, Stepped
from optlint.semantics.questions.fruitless import fruitless
from optlint.semantics.questions.participation import deps, trains
from optlint.semantics.questions.rewrapped import rewrapped
from optlint.semantics.site import Site
from optlint.semantics.values import (
    Container,
    Cut,
    DictObj,
    Flow,
    Instance,
    Leaf,
    Optimizer,
    Unknown,
    options,
)

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class CutOff:
    """A place that cuts parameters off from every loss.

    ``kind``: that of the cut; ``whole``: the number that the backward pass (``backward``) begins with is cut off from
    everything that any optimizer holds.
    """

    site: Site
    text: str
    names: tuple[str, ...]
    models: tuple[str, ...]
    optimizers: tuple[Site, ...]
    kind: str = "detach"
    whole: bool = False
    backward: Site | None = None


def cut_off(run: Run) -> Iterator[CutOff]:
    """Places that leave parameters without any gradient."""
    if not run.complete:
        return
    left_to_others = _without_backward(run).union(
        *(fact.leaves for fact in run.ask(fruitless)), *(fact.leaves for fact in run.ask(rewrapped))
    )
    grouped: dict[Site, tuple[Cut, dict[str, None], dict[str, None], set[Leaf]]] = {}
    for model in run.root_models:
        if model.slots.get("#escaped") or model.slots.get("#pretrained") or model.slots.get("#copied"):
            continue
        for entry in run.parameters(model).parameters:
            if not trains(run, entry) or entry.leaf in run.loaded_leaves:
                continue
            if entry.leaf in left_to_others:
                continue
            cut = _only_cuts(run, model, entry.leaf, entry.name)
            if cut is not None:
                _, names, owners, leaves = grouped.setdefault(cut.site, (cut, {}, {}, set()))
                names[entry.name] = None
                owners[_told(run, model)] = None
                leaves.add(entry.leaf)
    for site, (cut, names, owners, leaves) in grouped.items():
        optimizers = tuple(built.site for built in run.holders(leaves))
        passes = [event for event in run.backwards if any(other == cut for _, other in event.cuts)]
        whole = bool(passes) and all(event.known and not event.maybe & run.held for event in passes)
        backward = passes[0].site if passes else None
        text = f"`{cut.text}`"
        yield CutOff(site, text, tuple(names), tuple(owners), optimizers, cut.kind, whole, backward)


def _without_backward(run: Run) -> frozenset[Leaf]:
    """Leaves of whose loss no backward pass is taken: that is the mistake, not a cut on another way."""
    from optlint.semantics.questions.stepping import early_steps

    named = [deps(run, event.receiver) for event in run.of(MethodNamed) if event.name == "backward"]
    early = {fact.site for fact in run.ask(early_steps) if fact.backward is None}
    held = [
        run.held_by(event.subject)
        for event in run.of(Stepped)
        if event.site in early and isinstance(event.subject, Optimizer)
    ]
    return frozenset().union(*named, *held)


def _told(run: Run, model: Instance) -> str:
    """How a message names a model: its class, or for a library's the user's variable."""
    return run.class_name(model) if run.is_users(model) else run.name_of(model) or run.class_name(model)


def _only_cuts(run: Run, model: Instance, leaf: Leaf, name: str) -> Cut | None:
    """The cut between a leaf and the loss, when there is no way round it."""
    if leaf in run.reached or leaf in run.touched or leaf in run.returned:
        return None
    if run.backwards:
        if leaf not in run.held:
            return None
        return _chosen(run, leaf, run.cuts_before_step(leaf))
    if run.root == "<module>" and not run.optimizers:
        return None
    return _cut_in_forward(run, model, leaf, name)


def _cut_in_forward(run: Run, model: Instance, leaf: Leaf, name: str) -> Cut | None:
    """No training is seen: what a module's own outputs say, unless the code that makes such modules is seen."""
    if run.made_elsewhere(model):
        return None
    if leaf in run.ask(kept):
        return None
    cuts: dict[Cut, None] = {}
    results = [event for event in run.forwards if event.model is model]
    for event in results:
        deps, found, _ = expressions.sources(run.interpreter, [event.result])
        if leaf in deps:
            return None
        cuts.update({cut: None for cut_leaf, cut in found if cut_leaf is leaf and cut.kind == "detach"})
    chosen = _chosen(run, leaf, list(cuts))
    if chosen is not None and run.root != "<module>" and run.used_by_other_files(model, name.split(".")[-1]):
        return None  # another file may compute something of it
    return chosen


def kept(run: Run) -> frozenset[Leaf]:
    """Leaves behind numbers that modules keep (``self.loss = …``): whoever has the module may train on them."""
    numbers = [
        value
        for model in run.models
        for _, member in model.members()
        for value in options(member)
        if isinstance(value, (Flow, Unknown, Container, DictObj))
    ]
    return frozenset().union(*(modules.reachable_leaves(run.interpreter, value) for value in numbers))


def _chosen(run: Run, leaf: Leaf, cuts: list[Cut]) -> Cut | None:
    """The cut to name: the one made last among those on the way."""
    return max(cuts, key=lambda cut: cut.rank, default=None)
