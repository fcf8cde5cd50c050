"""Which parameters train and which do not: what optimizers leave out, what is not registered, what is cut off.

``program.Run`` offers these to the rules as questions. Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optlint.semantics import attributes, calls, events, expressions, modules
from optlint.semantics.interpreter import BudgetExceeded
from optlint.semantics.modules import NamedParameter
from optlint.semantics.site import Site
from optlint.semantics.values import (
    Arguments,
    Container,
    Cut,
    DictObj,
    Flow,
    Instance,
    Leaf,
    LibraryClass,
    Unknown,
    Value,
    options,
)

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class LeftOut:
    """Parameters of one model that no optimizer holds; ``whole``: all of its parameters."""

    site: Site
    optimizer_name: str
    model_name: str
    variable: str | None
    names: tuple[str, ...]
    made: tuple[tuple[str, Site], ...]
    whole: bool = False


@dataclass(frozen=True)
class UnregisteredTensor:
    """A leaf tensor that wants a gradient, kept on a module without being a Parameter."""

    site: Site
    owner: str
    name: str
    optimizers: tuple[Site, ...]


@dataclass(frozen=True)
class CutOff:
    """A place that cuts parameters off from every loss."""

    site: Site
    text: str
    names: tuple[str, ...]
    models: tuple[str, ...]
    optimizers: tuple[Site, ...]


# -- left out of every optimizer -------------------------------------------------------------------------------------


def left_out(run: Run) -> Iterator[LeftOut]:
    """Parameters that take part in training and that no optimizer holds."""
    if not run.complete or not run.optimizers or run.optimizers_may_hold_more:
        return
    loaded = run.loaded()
    for model in run.root_models:
        if model.slots.get("#escaped") or model.slots.get("#copied") or model.slots.get("#pretrained"):
            continue
        if attributes.user_method(model, "parameters") or attributes.user_method(model, "named_parameters"):
            continue  # the class says itself which parameters count
        listing = run.parameters(model)
        held = [entry for entry in listing.parameters if entry.leaf in run.held]
        missing = [entry for entry in listing.parameters if entry.leaf not in run.held]
        if not missing:
            continue
        if held:
            found = _part_left_out(run, model, listing.parameters, missing, held)
        else:
            found = _whole_left_out(run, model, missing, loaded)
        if found is not None:
            yield found


def _trains(run: Run, entry: NamedParameter) -> bool:
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
        if _trains(run, entry)
        and entry.leaf in reached
        and (entry.leaf.slots.get("#unfrozen") is True or entry.leaf not in run.loaded_leaves)
    ]
    if not guilty or _feature_extraction(run, model, held, missing):
        return None
    built = _stepped_after(run, {entry.leaf for entry in guilty}, held) or _holder(run, held)
    if built is None:
        return None
    names = _collapsed(everything, guilty)
    made = tuple((name, site) for name, site in _made(guilty, names) if site is not None)
    return LeftOut(
        built.site, built.optimizer.cls_name, run.class_name(model), run.name_of(model), names, made
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


def participants(run: Run, model: Instance) -> frozenset[Leaf]:
    """Leaves of a model that gradient reaches in training; where no training is seen, those its forward uses."""
    listing = {entry.leaf for entry in run.parameters(model).parameters}
    if any(listing & event.maybe for event in run.backwards):
        return run.reached
    called = [event for event in run.forwards if event.model is model and event.grad]
    if called:
        return frozenset().union(*(_deps(run, event.result) for event in called))
    if run.root != "<module>" or run.backwards:
        return frozenset()
    return _probe(run, model)


def _deps(run: Run, value: Value) -> frozenset[Leaf]:
    return frozenset(expressions.sources(run.interpreter, [value])[0])


def _probe(run: Run, model: Instance) -> frozenset[Leaf]:
    """What the forward of a model uses, found by calling it with unknown arguments (and taking that back)."""
    it = run.interpreter
    library = isinstance(model.cls, LibraryClass) and model.cls.qualified_name.startswith("torch.nn.")
    if model.site is None or not (library or attributes.user_method(model, "forward")):
        return frozenset()
    mark, saved = it.heap.mark(), it.events
    it.events = []
    source = it.sources[run.path]
    if not source.slices:
        return frozenset()
    from optlint.semantics.frame import Context, Frame

    it.frames.append(Frame(Context(it.namespaces[run.path], source.slices[0]), {}))
    try:
        result = calls.call_instance(it, model, Arguments((), {}, True), model.site.node)
        return _deps(run, result)
    except (BudgetExceeded, RecursionError):
        return frozenset()
    finally:
        it.frames.pop()
        it.heap.rollback(mark)
        it.events = saved


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


def _collapsed(everything: tuple[NamedParameter, ...], guilty: list[NamedParameter]) -> tuple[str, ...]:
    """The shortest names for the guilty parameters: a submodule's where all of it is left out."""
    chosen = {entry.path for entry in guilty}
    names: dict[str, None] = {}
    for entry in guilty:
        # With nothing else to compare with, a whole network is told by its top-level parts.
        for depth in range(1, len(entry.path) + 1):
            prefix = entry.path[:depth]
            if all(other.path in chosen for other in everything if other.path[:depth] == prefix):
                names[".".join(prefix)] = None
                break
    return tuple(names)


def _made(guilty: list[NamedParameter], names: tuple[str, ...]) -> Iterator[tuple[str, Site | None]]:
    for name in names:
        path = tuple(name.split("."))
        first = next(entry for entry in guilty if _below(entry, path))
        yield name, first.leaf.site


def _whole_left_out(
    run: Run, model: Instance, missing: list[NamedParameter], loaded: set[int]
) -> LeftOut | None:
    """A network of which no optimizer holds anything, though it stands behind one that is trained."""
    if (
        model.slots.get("#eval")
        or id(model) in loaded
        or (not run.is_users(model) and not _has_parameters(missing))
    ):
        return None
    inside = [child for _, child in modules.submodules(run.interpreter, model, True)]
    if any(id(child) in loaded or child.slots.get("#eval") for child in inside):
        return None
    guilty = [entry for entry in missing if _trains(run, entry) and entry.leaf in run.certainly_reached]
    if len(guilty) < len(missing) or (isinstance(model.cls, LibraryClass) and not _sole_variable(run, model)):
        return None
    if not _downstream(run, model):
        return None
    built = _twice_given(run) or _trained_with(run, model)
    if built is None:
        return None
    name = run.name_of(model) or run.class_name(model)
    made = ((name, model.site),) if model.site is not None else ()
    names = _collapsed((), guilty)
    return LeftOut(built.site, built.optimizer.cls_name, name, name, names, made, whole=True)


def _has_parameters(entries: list[NamedParameter]) -> bool:
    return bool(entries)


def _sole_variable(run: Run, model: Instance) -> bool:
    return run.name_of(model) is not None


def _downstream(run: Run, model: Instance) -> bool:
    """Whether what the model is called on comes from parameters that an optimizer holds."""
    return any(event.inputs & run.held for event in run.forwards if event.model is model and event.grad)


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


# -- tensors that are no parameters ----------------------------------------------------------------------------------


def unregistered_tensors(run: Run) -> Iterator[UnregisteredTensor]:
    """Fresh leaf tensors on modules that want a gradient, are used in forward and are in no optimizer's hands."""
    if not run.complete:
        return
    seen: set[Site] = set()
    for model in run.models:
        if model.slots.get("#escaped") or not run.is_users(model):
            continue
        for name, value in list(model.members()):
            for leaf in _raw_leaves(value):
                site = _assigned_at(run, model, leaf)
                if site is not None and site not in seen and _is_weight(run, model, name, leaf):
                    seen.add(site)
                    owner = run.class_name(model)
                    yield UnregisteredTensor(site, owner, name, tuple(b.site for b in run.optimizers))
                    break


def _raw_leaves(value: Value, depth: int = 0) -> Iterator[Leaf]:
    for option in options(value):
        if isinstance(option, Leaf) and not option.is_parameter:
            yield option
        elif isinstance(option, Container) and depth < 3:
            for member in option.items.values:
                yield from _raw_leaves(member, depth + 1)
        elif isinstance(option, DictObj) and depth < 3:
            for member in option.entries.values.values():
                yield from _raw_leaves(member, depth + 1)


def _assigned_at(run: Run, model: Instance, leaf: Leaf) -> Site | None:
    """Where the constructor (or a method that it calls) put the tensor on the module."""
    for added in run.of(events.ElementAdded):
        if added.leaf is leaf and any(added.container is value for _, value in model.members()):
            return added.site
    for event in run.of(events.AttributeSet):
        if event.owner is model and event.constructing and leaf in set(_raw_leaves(event.value)):
            return event.site
    in_list = any(
        event.owner is model and event.constructing and isinstance(event.value, (Container, DictObj))
        for event in run.of(events.AttributeSet)
    )
    return leaf.site if in_list else None


def _is_input(run: Run, model: Instance, leaf: Leaf) -> bool:
    """Whether the module that keeps the tensor, or with given data any module, is called on such tensors alone."""
    given = leaf.slots.get("#given") is True
    return any(leaf in event.tensors for event in run.forwards if given or event.model is model)


def _is_weight(run: Run, model: Instance, name: str, leaf: Leaf) -> bool:
    if leaf.requires_grad is not True or not leaf.fresh or leaf.slots.get("#escaped"):
        return False
    if leaf in run.held or leaf in run.touched or _is_input(run, model, leaf):
        return False
    used = leaf in run.reached or any(leaf in _deps(run, event.result) for event in run.forwards)
    if not used and not any(event.model is model for event in run.forwards):
        used = leaf in _probe(run, model)
    if not used:
        return False
    return run.root == "<module>" or not run.used_by_other_files(model, name)


# -- cut off from the loss -------------------------------------------------------------------------------------------


def cut_off(run: Run) -> Iterator[CutOff]:
    """Places that leave parameters without any gradient."""
    if not run.complete:
        return
    grouped: dict[Site, tuple[Cut, dict[str, None], dict[str, None], set[Leaf]]] = {}
    for model in run.root_models:
        if model.slots.get("#escaped") or model.slots.get("#pretrained") or model.slots.get("#copied"):
            continue
        for entry in run.parameters(model).parameters:
            if not _trains(run, entry) or entry.leaf in run.loaded_leaves:
                continue
            cut = _only_cuts(run, model, entry.leaf, entry.name)
            if cut is not None:
                _, names, owners, leaves = grouped.setdefault(cut.site, (cut, {}, {}, set()))
                names[entry.name] = None
                owners[_told(run, model)] = None
                leaves.add(entry.leaf)
    for site, (cut, names, owners, leaves) in grouped.items():
        optimizers = tuple(built.site for built in run.holders(leaves))
        yield CutOff(site, _cut_text(cut), tuple(names), tuple(owners), optimizers)


def _told(run: Run, model: Instance) -> str:
    """How a message names a model: its class, or for a library's the user's variable."""
    return run.class_name(model) if run.is_users(model) else run.name_of(model) or run.class_name(model)


def _cut_text(cut: Cut) -> str:
    return "`torch.no_grad()`" if cut.kind == "no_grad" else f"`{cut.text}`"


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
    if leaf in run.kept:
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
    usable = [cut for cut in cuts if cut.kind in ("detach", "no_grad")]
    return max(usable, key=lambda cut: (cut.order, cut.site.path, cut.site.span())) if usable else None


def trained_frozen(run: Run) -> Iterator[events.KerasTrained]:
    """Keras models that were trained while nothing of them could train, once for each place that froze them."""
    if not run.complete:
        return
    seen: set[Site] = set()
    releases = {event.entry for event in run.of(events.KerasReleased)}
    for event in run.of(events.KerasTrained):
        if event.frozen is None or releases - {0, event.frozen.entry}:
            continue  # a method that others call may release it first
        if event.frozen.frozen_at not in seen:
            seen.add(event.frozen.frozen_at)
            yield event
