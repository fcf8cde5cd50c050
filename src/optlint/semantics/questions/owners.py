"""What is registered where, what a module's forward uses, and which optimizers were built from its parameters.

Shared by the questions about what is not registered; must not know which of them asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import modules
from optlint.semantics.events import OptimizerBuilt
from optlint.semantics.questions.participation import deps, probe
from optlint.semantics.questions.plain_containers import kept
from optlint.semantics.site import Site
from optlint.semantics.values import Container, DictObj, Instance, Leaf, LibraryClass

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class Registered:
    """Modules that are registered with another. ``sites``: of those under names that are not known one by one."""

    modules: frozenset[int]
    sites: frozenset[Site]

    def holds(self, value: Instance | Leaf) -> bool:
        """Whether a module is registered somewhere."""
        return id(value) in self.modules or value.site in self.sites


def registered(run: Run) -> Registered:
    """The modules that are registered with a module which is itself more than a passing list."""
    (answer,) = run.ask(_registered)
    return answer


def _registered(run: Run) -> Iterator[Registered]:
    parents: dict[int, list[Instance]] = {}
    sites: set[Site] = set()
    everyone = run.ask(all_modules)
    for parent in everyone:
        for name, child in modules.submodules(run.interpreter, parent, False):
            parents.setdefault(id(child), []).append(parent)
            if "<" in name and child.site is not None:
                sites.add(child.site)
    in_lists = {id(one.value) for one in run.ask(kept)}
    lasting = {id(m) for m in everyone if not _passing(m, id(m) in parents or id(m) in in_lists)}
    found = {child for child, owners in parents.items() if any(id(owner) in lasting for owner in owners)}
    yield Registered(frozenset(found), frozenset(sites))


def all_modules(run: Run) -> Iterator[Instance]:
    """Every module of the run, parts of others included; ask it of the run."""
    found: dict[int, Instance] = {}
    for model in run.models:
        for _, child in modules.submodules(run.interpreter, model, True):
            found.setdefault(id(child), child)
    yield from found.values()


def _passing(module: Instance, has_place: bool) -> bool:
    """Whether a container module was made only to be read: ``list(nn.ModuleList(…))``."""
    if has_place or not isinstance(module.cls, LibraryClass) or not modules.is_container(module):
        return False
    return "#variable" not in module.slots and not module.slots.get("#escaped")


def used(run: Run, owner: Instance, leaves: set[Leaf]) -> frozenset[Leaf]:
    """Leaves that gradient reaches in training; where no training of the owner is seen, those that forward uses.

    Where nobody calls the owner either, those behind what its methods give to code that is not seen.
    """
    own = {entry.leaf for entry in run.parameters(owner).parameters} | leaves
    if any(own & event.maybe for event in run.backwards):
        return run.reached
    around = {id(model) for model in _around(run, owner)}
    called = [event for event in run.forwards if event.grad]
    results = [deps(run, event.result) for event in called if id(event.model) in around]
    if any(results):
        return frozenset().union(*results)
    found = run.returned.union(*(deps(run, event.result) for event in called))
    return found if found & leaves else probe(run, owner)


def _around(run: Run, owner: Instance) -> list[Instance]:
    """A module and those that it is a part of."""
    return [model for model in run.models if _within(run, owner, model)]


def effects(run: Run, owner: Instance) -> tuple[tuple[OptimizerBuilt, ...], bool]:
    """The optimizers that were built from the parameters of a module or of one around it, and whether all got none."""
    around = [model for model in run.root_models if _within(run, owner, model)]
    leaves = {entry.leaf for model in around for entry in run.parameters(model).parameters}
    partial = tuple(run.holders(leaves))
    if partial:
        return partial, False
    empty = tuple(
        built for built in run.optimizers if any(m is model for m in built.parameterless for model in around)
    )
    return empty, bool(empty)


def raises(built: OptimizerBuilt) -> bool:
    """Whether an optimizer that gets nothing raises an error: param groups may be empty."""
    given = built.argument
    groups = isinstance(given, Container) and any(isinstance(v, DictObj) for v in given.items.values)
    return built.optimizer.raises_on_empty and not groups


def _within(run: Run, owner: Instance, model: Instance) -> bool:
    return any(child is owner for _, child in modules.submodules(run.interpreter, model, True))
