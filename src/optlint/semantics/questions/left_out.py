"""Parameters that take part in training and that no optimizer holds (OPT102).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import attributes, events, modules
from optlint.semantics.modules import NamedParameter
from optlint.semantics.questions import causes
from optlint.semantics.questions.chronicle import chronicle
from optlint.semantics.questions.participation import participants, trains
from optlint.semantics.registration_events import MadeInForward
from optlint.semantics.site import Site
from optlint.semantics.values import Instance, Leaf, LibraryClass

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class LeftOut:
    """Parameters of one model that no optimizer holds; ``whole``: all of its parameters.

    ``instead``: the model whose parameters the optimizer has that is stepped for it.
    """

    site: Site
    optimizer_name: str
    model_name: str
    variable: str | None
    names: tuple[str, ...]
    made: tuple[tuple[str, Site], ...]
    whole: bool = False
    instead: str = ""


#: In the hands of other code, a copy, or trained before: what is left out of such a model may be meant.
_ELSEWHERE = ("#escaped", "#copied", "#pretrained")


def left_out(run: Run) -> Iterator[LeftOut]:
    """Parameters that take part in training and that no optimizer holds."""
    if not run.complete or not run.optimizers or run.optimizers_may_hold_more:
        return
    loaded = run.loaded()
    other = causes.explained(run)
    # What a forward makes for its own use is the matter of another question.
    temporary = {id(event.made) for event in run.of(MadeInForward)}
    for model in run.root_models:
        if id(model) in temporary or any(model.slots.get(mark) for mark in _ELSEWHERE):
            continue
        if attributes.user_method(model, "parameters") or attributes.user_method(model, "named_parameters"):
            continue  # the class says itself which parameters count
        listing = run.parameters(model)
        held = [entry for entry in listing.parameters if entry.leaf in run.held]
        missing = [
            entry
            for entry in listing.parameters
            if entry.leaf not in run.held and entry.leaf not in other.leaves
        ]
        if not missing:
            continue
        if held:
            found = _part_left_out(run, model, listing.parameters, missing, held)
        else:
            found = _whole_left_out(run, model, missing, loaded)
        if found is not None:
            yield found


def _part_left_out(
    run: Run,
    model: Instance,
    everything: tuple[NamedParameter, ...],
    missing: list[NamedParameter],
    held: list[NamedParameter],
) -> LeftOut | None:
    reached = participants(run, model)
    guilty = [
        entry
        for entry in missing
        if trains(run, entry)
        and entry.leaf in reached
        and (entry.leaf.slots.get("#unfrozen") is True or entry.leaf not in run.loaded_leaves)
        and not _released_for_a_look(run, entry.leaf)
    ]
    if not guilty or _feature_extraction(run, model, held, missing):
        return None
    twice = _twice_given(run)
    if twice is None or not {entry.leaf for entry in held} & run.held_by(twice.optimizer):
        twice = None
    built = twice or _stepped_after(run, {entry.leaf for entry in guilty}, held) or _holder(run, held)
    if built is None:
        return None
    names = modules.collapsed(everything, guilty)
    made = tuple((name, site) for name, site in _made(guilty, names) if site is not None)
    return LeftOut(
        built.site, built.optimizer.cls_name, run.class_name(model), run.name_of(model), names, made
    )


def _released_for_a_look(run: Run, leaf: Leaf) -> bool:
    """Whether a parameter was unfrozen when the last step had been taken: its gradient is wanted, no training."""
    if leaf.slots.get("#unfrozen") is not True or not any(run.of(events.OptimizerStepped)):
        return False
    history = run.ask(chronicle)[0]
    released = [e for e in run.of(events.FlagSet) if e.wanted is True and leaf in e.leaves]
    return not any(
        history.trained_after(history.place(event), frozenset({leaf}), built.optimizer)
        for event in released
        for built in run.optimizers
    )


def _feature_extraction(
    run: Run, model: Instance, held: list[NamedParameter], missing: list[NamedParameter]
) -> bool:
    """Whether the model's own parts are such that training only the held ones is a common intention."""
    return any(entry.owner.slots.get("#pretrained") for entry in missing) and all(
        entry.path[0] not in {other.path[0] for other in held} for entry in missing
    )


def _below(entry: NamedParameter, prefix: tuple[str, ...]) -> bool:
    return entry.path[: len(prefix)] == prefix


def _stepped_after(run: Run, guilty: set[Leaf], held: list[NamedParameter]) -> events.OptimizerBuilt | None:
    """The optimizer of this model that is stepped after a backward pass that reaches the guilty parameters."""
    own = {entry.leaf for entry in held}
    reaches = False
    for event in run.events:
        if isinstance(event, events.Backward):
            reaches = bool(guilty & event.maybe)
        elif isinstance(event, events.OptimizerStepped) and reaches and own & run.held_by(event.optimizer):
            return next(built for built in run.optimizers if built.optimizer is event.optimizer)
    return None


def _holder(run: Run, held: list[NamedParameter]) -> events.OptimizerBuilt | None:
    """The optimizer that holds most of what is held of a model; the last one built where several hold the same."""
    leaves = {entry.leaf for entry in held}
    best: tuple[int, events.OptimizerBuilt] | None = None
    for built in run.optimizers:
        count = len(leaves & run.held_by(built.optimizer))
        if count and (best is None or count > best[0]):
            best = (count, built)
    return None if best is None else best[1]


def _made(guilty: list[NamedParameter], names: tuple[str, ...]) -> Iterator[tuple[str, Site | None]]:
    for name in names:
        path = tuple(name.split("."))
        first = next(entry for entry in guilty if _below(entry, path))
        yield name, first.leaf.site


def _whole_left_out(
    run: Run, model: Instance, missing: list[NamedParameter], loaded: set[int]
) -> LeftOut | None:
    """A network of which no optimizer holds anything, though one is stepped for it or for what it stands behind."""
    if (
        model.slots.get("#eval")
        or id(model) in loaded
        or (not run.is_users(model) and not _has_parameters(missing))
    ):
        return None
    inside = [child for _, child in modules.submodules(run.interpreter, model, True)]
    if any(id(child) in loaded or child.slots.get("#eval") for child in inside):
        return None
    guilty = [entry for entry in missing if trains(run, entry) and entry.leaf in run.certainly_reached]
    if len(guilty) < len(missing) or (isinstance(model.cls, LibraryClass) and not _sole_variable(run, model)):
        return None
    instead = ""
    if _downstream(run, model):
        built = _twice_given(run) or _trained_with(run, model)
    else:
        built = _stepped_in_vain(run, {entry.leaf for entry in guilty})
        instead = _owner(run, built) if built is not None else ""
    if built is None:
        return None
    name = run.name_of(model) or run.class_name(model)
    made = ((name, model.site),) if model.site is not None else ()
    names = modules.collapsed((), guilty)
    return LeftOut(built.site, built.optimizer.cls_name, name, name, names, made, True, instead)


def _owner(run: Run, built: events.OptimizerBuilt) -> str:
    """The variable of the model that has what an optimizer holds."""
    held = run.held_by(built.optimizer)
    for model in run.root_models:
        if held <= {entry.leaf for entry in run.parameters(model).parameters}:
            return run.name_of(model) or ""
    return ""


def _has_parameters(entries: list[NamedParameter]) -> bool:
    return bool(entries)


def _sole_variable(run: Run, model: Instance) -> bool:
    return run.name_of(model) is not None


def _downstream(run: Run, model: Instance) -> bool:
    """Whether what the model is called on comes from Parameters that an optimizer holds.

    A tensor that is optimized for itself (a perturbation, an image) is pushed through a model that is meant to stay.
    """
    held = {leaf for leaf in run.held if leaf.is_parameter}
    return any(event.inputs & held for event in run.forwards if event.model is model and event.grad)


def _stepped_in_vain(run: Run, guilty: set[Leaf]) -> events.OptimizerBuilt | None:
    """An optimizer that is stepped after a backward pass which reaches only others: it holds another model's parameters.

    Where the program reads gradients it may hand them on itself, as workers do that share a model.
    """
    reaches = False
    for event in run.events:
        if isinstance(event, events.MethodBegan):
            reaches = False
        elif isinstance(event, events.Backward):
            reaches = guilty <= event.reached
        elif isinstance(event, events.OptimizerStepped) and reaches:
            held = run.held_by(event.optimizer)
            useless = held and not held & run.reached and all(leaf.is_parameter for leaf in held)
            if useless and not run.touched & (guilty | held):
                return next((b for b in run.optimizers if b.optimizer is event.optimizer), None)
    return None


def _twice_given(run: Run) -> events.OptimizerBuilt | None:
    """The second of two optimizers that hold the same parameters."""
    seen: list[frozenset[Leaf]] = []
    for built in run.optimizers:
        held = frozenset(run.held_by(built.optimizer))
        if held and held in seen:
            return built
        seen.append(held)
    return None


def _trained_with(run: Run, model: Instance) -> events.OptimizerBuilt | None:
    """The optimizer whose parameters a loss behind the model reaches too."""
    own = {entry.leaf for entry in run.parameters(model).parameters}
    for backward in run.backwards:
        if backward.reached & own:
            for built in run.optimizers:
                if run.held_by(built.optimizer) & backward.reached:
                    return built
    return None
