"""One-shot iterators of parameters that are read again after somebody has used them up, or taken their head (OPT103).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import reading
from optlint.semantics.events import GroupAdded, IteratorRead, OptimizerBuilt
from optlint.semantics.progress import END, Progress, Use
from optlint.semantics.questions import telling
from optlint.semantics.questions.unregistered_modules import unregistered_modules
from optlint.semantics.site import Site
from optlint.semantics.values import (
    Container,
    Flow,
    Group,
    Instance,
    Leaf,
    OneShot,
    Optimizer,
    Unknown,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.program import Run

#: Calls that only look whether something is left.
_ASKING = frozenset({"builtins.next", "builtins.any", "builtins.all", "builtins.iter"})
#: Readers that are no optimizer.
_ELSEWHERE = frozenset({"for", "comprehension", "unpacking", "*", "in"})
#: Calls that make a number: what they read is not handed on.
_COUNTING = frozenset({"builtins.sum", "builtins.min", "builtins.max"})


@dataclass(frozen=True)
class ReadAgain:
    """A place that reads an iterator which somebody read before.

    ``effect``: what comes of it (``empty-optimizer``, ``empty-group``, ``less``, ``no-clipping``, ``raises``,
    ``nothing``); ``by``: the function that reads; ``uses``: who read before; ``maybe``: one that need not have read;
    ``head``: how many elements are missing, where the rest is there; ``together``: one call reads it twice;
    ``untrained``: the names of the parameters that no optimizer gets therefore; ``known``: whether it is known what
    the iterator gives; ``reader``: the place that reads, if that is in another file; ``also``: other places.
    """

    site: Site
    iterator: str
    made: Site | None
    effect: str
    by: str
    uses: tuple[Use, ...]
    maybe: bool
    head: int
    together: bool
    untrained: tuple[str, ...]
    known: bool
    lazy: bool
    leaves: frozenset[Leaf]
    optimizers: tuple[OptimizerBuilt, ...]
    reader: Site | None = None
    also: tuple[Site, ...] = ()

    @property
    def again_and_again(self) -> bool:
        """Whether it is its own reader before: a loop comes back to it."""
        return any(use.site == (self.reader or self.site) for use in self.uses)


def read_again(run: Run) -> Iterator[ReadAgain]:
    """Iterators of parameters (or of modules that have some) from which a reader gets nothing, or not all.

    One fact for each iterator: the reader that suffers most, with the others in ``also``.
    """
    if not run.complete:
        return
    found: dict[int, list[ReadAgain]] = {}
    seen: set[Site] = set()
    # Kept on a module in the place of a list: that is the mistake.
    kept = {fact.iterator for fact in run.ask(unregistered_modules) if fact.iterator is not None}
    for position, event in enumerate(run.events):
        if not isinstance(event, IteratorRead) or event.site in seen or event.iterator.site in kept:
            continue
        parameters = _parameters(run, event.before)
        fact = _nothing_left(run, position, event, parameters) or _head_lost(run, position, event, parameters)
        if fact is not None:
            seen.add(event.site)
            found.setdefault(id(event.iterator), []).append(fact)
    for facts in found.values():
        yield _worst(facts)


_WORST_FIRST = ("empty-optimizer", "empty-group", "less", "raises", "no-clipping", "nothing")


def _worst(facts: list[ReadAgain]) -> ReadAgain:
    worst = min(facts, key=lambda fact: (not fact.untrained, _WORST_FIRST.index(fact.effect)))
    if len(facts) == 1:
        return worst
    built = dict.fromkeys(id(each) for fact in facts for each in fact.optimizers)
    every = {id(each): each for fact in facts for each in fact.optimizers}
    return replace(
        worst,
        leaves=frozenset().union(*(fact.leaves for fact in facts)),
        optimizers=(*worst.optimizers, *(every[key] for key in built if every[key] not in worst.optimizers)),
        also=tuple(fact.site for fact in facts if fact is not worst),
    )


# -- used up -----------------------------------------------------------------------------------------------------------


def _nothing_left(
    run: Run, position: int, event: IteratorRead, parameters: frozenset[Leaf]
) -> ReadAgain | None:
    if not _is_used_up(event) or event.by in _ASKING or _in_assertion(event.site):
        return None
    receiver = _receiver(run, position, event)
    effect = _effect(event, receiver)
    unseen = event.iterator.kind == "unseen"
    if not parameters and effect == "nothing" and not unseen:
        return None  # what it gives is not known to be parameters
    if unseen and _may_be_a_list(run):
        return None
    together = receiver is not None and _in_one_call(run, position, event)
    if effect == "empty-optimizer" and event.guarded:
        return None  # the program expects the error
    built = _given(run, position, event, parameters) if receiver is None else _builder(run, receiver)
    if unseen and effect == "nothing" and not built and not _is_torchs(event):
        return None  # other frameworks give lists
    leaves = parameters - run.held if built else frozenset[Leaf]()
    return _fact(run, event, effect, leaves, built, together=together)


def _may_be_a_list(run: Run) -> bool:
    """Whether some class of the project has a ``parameters`` of its own, which may give a list."""
    project = run.interpreter.project
    return any(project.defines(name, run.path) for name in ("parameters", "named_parameters"))


def _is_torchs(event: IteratorRead) -> bool:
    """Whether a function or optimizer of torch's read the iterator."""
    return any(use.by.startswith("torch.") for use in event.before.uses)


def _in_one_call(run: Run, position: int, event: IteratorRead) -> bool:
    """Whether the call that reads the iterator has used it up itself, for another group."""
    if not any(use.site == event.site for use in event.before.uses):
        return False
    before = run.events[:position]
    return not any(isinstance(e, (OptimizerBuilt, GroupAdded)) and e.site == event.site for e in before)


def _is_used_up(event: IteratorRead) -> bool:
    """Whether nothing is left when the reader comes, or was used up by a reader that may come before it."""
    before = event.before
    if any(use.entry not in (0, event.entry) for use in before.uses):
        return False  # methods that nobody in the file calls: their order is not known
    if before.used_up:
        return True
    before_it = [use for use in before.uses if use.conditional]
    return END in before.at and not event.conditional and bool(before_it) and _all_full(before)


def _all_full(before: Progress) -> bool:
    return all(use.full for use in before.uses)


def _in_assertion(site: Site) -> bool:
    return isinstance(site.statement, cst.Assert)


def _effect(event: IteratorRead, receiver: OptimizerBuilt | GroupAdded | None) -> str:
    if isinstance(receiver, GroupAdded):
        return "empty-group"
    if receiver is not None:
        return _effect_on_optimizer(event, receiver)
    if event.by.startswith("torch.nn.utils.clip_grad_norm") or event.by == ".clip_grad_norm_":
        return "no-clipping"
    raising = ("torch.nn.utils.clip_grad_value_", "torch.autograd.grad")
    if event.by.startswith(raising) or event.by.endswith(".parameters_to_vector"):
        return "raises"
    return "nothing"


def _effect_on_optimizer(event: IteratorRead, built: OptimizerBuilt) -> str:
    groups = built.groups.groups
    unseen = event.iterator.kind == "unseen"
    if any(group.entry is not None for group in groups):
        sure = event.before.used_up and not unseen
        return "empty-group" if not sure or any(map(_is_empty, groups)) else "less"
    given = built.argument
    alone = reading.one_shot(given) is event.iterator or (
        isinstance(given, OneShot)
        and [reading.one_shot(source) for source in given.sources] == [event.iterator]
    )
    return "empty-optimizer" if alone or (groups and all(map(_is_empty, groups))) else "less"


def _is_empty(group: Group) -> bool:
    return group.params is not None and not group.params.values and not group.params.open


# -- the head taken ----------------------------------------------------------------------------------------------------


def _head_lost(run: Run, position: int, event: IteratorRead, parameters: frozenset[Leaf]) -> ReadAgain | None:
    """An optimizer gets what is left of an iterator of which others took the first elements for something else."""
    taken = min(event.before.at)
    items = event.before.items
    if taken == 0 or taken == END or items is None or any(use.aside for use in event.before.uses):
        return None
    receiver = _receiver(run, position, event)
    if receiver is None:
        return None
    first = [leaf for value in items.values[:taken] for leaf in _leaves_of(run, value)]
    if not first or any(leaf in run.held or not _trains(run, leaf) for leaf in first):
        return None
    lost = frozenset(first)
    return _fact(run, event, "less", lost, _builder(run, receiver), taken)


def _trains(run: Run, leaf: Leaf) -> bool:
    return leaf.requires_grad is True and not leaf.slots.get("#escaped") and leaf not in run.updated_by_hand


def _named(run: Run, leaves: frozenset[Leaf]) -> tuple[str, ...]:
    """The names of parameters, with the variable of their network where there are several."""
    several = len(run.root_models) > 1
    return tuple(
        f"{run.name_of(model)}.{entry.name}" if several and run.name_of(model) else entry.name
        for model in run.root_models
        for entry in run.parameters(model).parameters
        if entry.leaf in leaves
    )


# -- who and what ------------------------------------------------------------------------------------------------------


def _fact(
    run: Run,
    event: IteratorRead,
    effect: str,
    leaves: frozenset[Leaf],
    built: Iterable[OptimizerBuilt],
    head: int = 0,
    together: bool = False,
) -> ReadAgain:
    before, iterator = event.before, event.iterator
    lazy = iterator.kind not in ("parameters", "generator", "modules", "unseen")
    return ReadAgain(
        site=event.asked_at or event.site,
        iterator=_name(iterator),
        made=iterator.site,
        effect=effect,
        by=event.by,
        uses=before.uses,
        maybe=not before.used_up and not head,
        head=head,
        together=together,
        untrained=_named(run, leaves),
        known=event.iterator.kind != "unseen",
        lazy=lazy,
        leaves=leaves,
        optimizers=tuple(built),
        reader=event.site if event.asked_at is not None else None,
    )


def _name(iterator: OneShot) -> str:
    """The first variable that held it, else how it was made, if that is short."""
    name = iterator.slots.get("#variable")
    if isinstance(name, str):
        return name
    return telling.short(iterator.site.text()) if iterator.site is not None else ""


def _parameters(run: Run, before: Progress) -> frozenset[Leaf]:
    """The parameters that an iterator gives, as such, in pairs with names or inside modules; no tensors of data."""
    items = before.items
    if items is None:
        return frozenset()
    leaves = (leaf for value in items.values for leaf in _leaves_of(run, value))
    return frozenset(leaf for leaf in leaves if leaf.is_parameter or leaf.requires_grad)


def _leaves_of(run: Run, value: Value) -> Iterator[Leaf]:
    for option in options(value):
        if isinstance(option, Leaf):
            yield option
        elif isinstance(option, Container) and option.kind == "tuple":
            for part in option.items.values:
                if isinstance(part, (Leaf, Instance)):
                    yield from _leaves_of(run, part)
        elif isinstance(option, Instance):
            yield from (entry.leaf for entry in run.parameters(option).parameters)
        elif isinstance(option, Flow):
            yield from option.deps
        elif isinstance(option, Unknown):
            yield from option.taint


def _receiver(run: Run, position: int, event: IteratorRead) -> OptimizerBuilt | GroupAdded | None:
    """The optimizer or group for which the iterator is read, if it is."""
    if event.by in _ELSEWHERE or event.by.startswith("builtins."):
        return None
    for later in run.events[position + 1 :]:
        if isinstance(later, (OptimizerBuilt, GroupAdded)):
            if later.site == event.site:
                return later
        elif isinstance(later, IteratorRead) and later.site != event.site:
            return None
    return None


def _builder(run: Run, receiver: OptimizerBuilt | GroupAdded) -> list[OptimizerBuilt]:
    optimizer: Optimizer = receiver.optimizer
    return [built for built in run.optimizers if built.optimizer is optimizer]


def _given(run: Run, position: int, event: IteratorRead, parameters: frozenset[Leaf]) -> list[OptimizerBuilt]:
    """The optimizers that are given what was to be made of the iterator: nothing, or only a part of what it gives."""
    if event.by in _COUNTING:
        return []
    later = [built for built in run.events[position + 1 :] if isinstance(built, OptimizerBuilt)]
    if event.by == "in":
        return later[:1]
    return [built for built in later if _lacks(run, built, parameters)]


def _lacks(run: Run, built: OptimizerBuilt, parameters: frozenset[Leaf]) -> bool:
    held = run.held_by(built.optimizer)
    return built.empty is not None or not held or bool(held & parameters and parameters - held)
