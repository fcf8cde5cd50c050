"""Leaf tensors that a module keeps and trains with although they are no parameters (OPT201).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import events
from optlint.semantics.questions.participation import deps, probe
from optlint.semantics.site import Site
from optlint.semantics.values import Container, DictObj, Instance, Leaf, Value, options

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class UnregisteredTensor:
    """A leaf tensor that wants a gradient, kept on a module without being a Parameter; ``inside``: of a list or dict."""

    site: Site
    owner: str
    name: str
    optimizers: tuple[Site, ...]
    inside: bool


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
                    holders = tuple(built.site for built in run.optimizers)
                    inside = not all(isinstance(option, Leaf) for option in options(value))
                    yield UnregisteredTensor(site, owner, name, holders, inside)
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
        if added.element is leaf and any(added.container is value for _, value in model.members()):
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
    used = leaf in run.reached or any(leaf in deps(run, event.result) for event in run.forwards)
    if not used and not any(event.model is model for event in run.forwards):
        used = leaf in probe(run, model)
    if not used:
        return False
    return run.root == "<module>" or not run.used_by_other_files(model, name)
