"""Parameters that one optimizer is given twice, or that two optimizers step after the same backward pass (OPT108).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import modules
from optlint.semantics.events import Backward, GroupAdded, OptimizerBuilt, OptimizerStepped, ReadyModelMade
from optlint.semantics.questions import causes
from optlint.semantics.questions.left_out import left_out
from optlint.semantics.site import Site
from optlint.semantics.values import Group, Leaf

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class Duplicate:
    """Parameters that are given twice. ``how``: ``group`` (in one), ``groups``, ``added`` or ``optimizers``.

    ``names``: of the parameters, or of a module all of whose parameters are among them; ``same``: pairs of names for
    one and the same parameter; ``first``: where they were given before, if that is another place.
    """

    site: Site
    optimizer: str
    how: str
    names: tuple[str, ...]
    same: tuple[tuple[str, str], ...]
    first: Site | None


def given_twice(run: Run) -> Iterator[Duplicate]:
    """Parameters that an optimizer certainly holds twice, or that two optimizers certainly step twice."""
    if not run.complete:
        return
    seen: set[Site] = set()
    other = causes.explained(run)
    for fact in (*_in_optimizers(run), *_in_two_optimizers(run)):
        if fact.site not in seen:
            seen.add(fact.site)
            if not any(built.site == fact.site and other.holds(built) for built in run.optimizers):
                yield fact


def _in_optimizers(run: Run) -> Iterator[Duplicate]:
    for event in run.events:
        if not isinstance(event, (OptimizerBuilt, GroupAdded)) or not event.optimizer.raises_on_empty:
            continue  # a class of its own may not check
        if isinstance(event, OptimizerBuilt):
            groups = event.groups.groups
            fact = _across(run, event, groups, ()) or _within(run, event, groups)
        else:
            groups = event.groups.groups
            fact = _across(run, event, groups, event.before.groups) or _within(run, event, groups)
        if fact is not None:
            yield fact


def _within(run: Run, event: OptimizerBuilt | GroupAdded, groups: Sequence[Group]) -> Duplicate | None:
    """The same parameter twice in one group."""
    for group in groups:
        leaves = _certain(group)
        if group.params is not None and group.params.many:
            leaves = [leaf for leaf in leaves if not leaf.fresh]  # others stand for the rounds of a loop
        twice = [leaf for i, leaf in enumerate(leaves) if any(leaf is other for other in leaves[:i])]
        if twice:
            return _fact(run, event, "group", twice, None)
    return None


def _across(
    run: Run, event: OptimizerBuilt | GroupAdded, groups: Sequence[Group], before: Sequence[Group]
) -> Duplicate | None:
    """The same parameter in two groups."""
    if event.guarded:
        return None  # the program expects the error
    earlier = [(group, set(_certain(group))) for group in before]
    for group in groups:
        leaves = _certain(group)
        for other, held in earlier:
            shared = [leaf for leaf in leaves if leaf in held]
            if shared:
                return _fact(run, event, "added" if before else "groups", shared, _place(other))
        earlier.append((group, set(leaves)))
    return None


def _place(group: Group) -> Site | None:
    return group.entry.site if group.entry is not None else group.made


def _certain(group: Group) -> list[Leaf]:
    """The tensors that are certainly in a group."""
    if not group.sure or group.params is None:
        return []
    return [value for value in group.params.values if isinstance(value, Leaf)]


def _fact(
    run: Run, event: OptimizerBuilt | GroupAdded, how: str, leaves: Iterable[Leaf], first: Site | None
) -> Duplicate | None:
    found = list(dict.fromkeys(leaves))
    names, same, numbered = _names(run, found)
    if numbered:
        return None
    return Duplicate(event.site, event.optimizer.cls_name, how, names, same, first)


def _names(run: Run, leaves: list[Leaf]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], bool]:
    """The names of some parameters, those that have two, and whether one stands for numbers that are not known."""
    wanted = {id(leaf) for leaf in leaves}
    names: dict[int, list[str]] = {}
    parts = {
        id(part) for model in run.root_models for _, part in modules.submodules(run.interpreter, model, True)
    }
    ready = [made.model for made in run.of(ReadyModelMade) if id(made.model) not in parts]
    models = (*run.root_models, *ready)
    for model in models:
        every = modules.submodules(run.interpreter, model, True)
        owner = f"{run.name_of(model)}." if len(models) > 1 and run.name_of(model) else ""
        for prefix, module in every:
            for entry in modules.parameters(run.interpreter, module, False).parameters:
                if id(entry.leaf) in wanted:
                    name = f"{prefix}.{entry.name}" if prefix else entry.name
                    told = owner + name.removesuffix(".*") if name != "*" else owner.rstrip(".")
                    names.setdefault(id(entry.leaf), []).append(told)
    known = [names[id(leaf)] for leaf in leaves if any(names.get(id(leaf), ()))]
    same = tuple((each[0], each[1]) for each in known if len(set(each)) > 1)
    numbered = any("<n>" in name for each in known for name in each)
    return tuple(each[0] for each in known), same, numbered


# -- two optimizers ----------------------------------------------------------------------------------------------------


def _in_two_optimizers(run: Run) -> Iterator[Duplicate]:
    """Two optimizers that hold exactly the same and step one after the other, with no backward pass in between."""
    since: list[OptimizerStepped] | None = None
    for event in run.events:
        if isinstance(event, Backward):
            since = []
        elif isinstance(event, OptimizerStepped) and since is not None and not event.conditional:
            for earlier in since:
                fact = _both(run, earlier, event)
                if fact is not None:
                    yield fact
                    break
            since.append(event)


def _both(run: Run, first: OptimizerStepped, second: OptimizerStepped) -> Duplicate | None:
    if first.optimizer is second.optimizer or not _in_one_round(first, second):
        return None
    builders = [_builder(run, event) for event in (first, second)]
    if None in builders:
        return None
    one, two = sorted((b for b in builders if b is not None), key=run.place_of)
    leaves = [leaf for group in one.optimizer.groups.groups for leaf in _certain(group)]
    others = [leaf for group in two.optimizer.groups.groups for leaf in _certain(group)]
    known = set(leaves) == run.held_by(one.optimizer) == run.held_by(two.optimizer) == set(others)
    if not leaves or not known or _is_explained(run, two):
        return None
    return _fact(run, two, "optimizers", leaves, one.site)


def _in_one_round(first: OptimizerStepped, second: OptimizerStepped) -> bool:
    """Whether both step at their own places in one round, or one after the other in a loop over optimizers."""
    if first.site != second.site:
        return first.rounds == second.rounds
    if not first.rounds or len(first.rounds) != len(second.rounds):
        return False  # one of several that are one in truth
    return first.rounds[:-1] == second.rounds[:-1] and first.rounds[-1] != second.rounds[-1]


def _builder(run: Run, event: OptimizerStepped) -> OptimizerBuilt | None:
    """Where an optimizer was built, if that certainly happened."""
    found = next((built for built in run.optimizers if built.optimizer is event.optimizer), None)
    return None if found is None or found.conditional else found


def _is_explained(run: Run, built: OptimizerBuilt) -> bool:
    """Whether a network that no optimizer holds shows that the second one was meant for that."""
    return any(left.site == built.site for left in run.ask(left_out))
