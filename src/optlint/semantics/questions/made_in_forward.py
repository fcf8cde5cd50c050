"""Layers and Parameters that are made while a forward runs, so that no optimizer can ever train them (OPT205).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import families, modules
from optlint.semantics import registration_events as events
from optlint.semantics.events import AttributeSet, Backward, OptimizerBuilt, OptimizerStepped, WeightsLoaded
from optlint.semantics.questions import causes
from optlint.semantics.questions.holdings import leaves_in
from optlint.semantics.questions.participation import deps, rehearsed
from optlint.semantics.site import Site
from optlint.semantics.values import Container, DictObj, Instance, Leaf, LibraryClass, UserClass, Value

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class MadeAtEachCall:
    """A layer or Parameter that a forward makes.

    ``form``: local (used and dropped), replaced (put on the module, anew at each call), or once (put on the module
    at the first call, after ``built``). ``what`` is its class, ``owner`` the class whose forward runs.
    """

    site: Site
    what: str
    owner: str
    method: str
    form: str
    attribute: str
    leaves: frozenset[Leaf]
    built: OptimizerBuilt | None = None
    optimizers: tuple[OptimizerBuilt, ...] = ()


#: What makes a fixed filter of a layer: values that were chosen, not drawn.
_CHOSEN = regex(r"constant|ones|zero|eye|dirac|fill")
#: Layers that are meant to be new each time.
_MEANT_RANDOM = regex(r"rand|noise|augment|perturb|reservoir|hyper|meta", re.IGNORECASE)
#: A class of the user's that gives its own weights their values, or is none of its own.
_SETS_ITSELF = regex(r"\.data\b|copy_\(|load_|pretrained|no_grad|requires_grad|fill_\(|constant_\(")
#: Parameters that stand for a state, which starts with the same numbers at each call.
_STATE = regex(r"\b(?:h|c|h0|c0|h_0|c_0|hx|cx|hidden\w*|state\w*|init\w*)\b\s*[,=]")


def made_in_forward(run: Run) -> Iterator[MadeAtEachCall]:
    """What forwards make and train with, each place once."""
    made: dict[Site, list[events.MadeInForward]] = {}
    for event in run.of(events.MadeInForward):
        made.setdefault(event.site, []).append(event)
    if not made:
        return
    explained = causes.explained(run, made_in_forward).leaves
    inner = _parts(run, made)
    for site, group in made.items():
        first = group[0]
        leaves = frozenset(leaf for event in group for leaf in event.leaves)
        if id(first.made) in inner or leaves & explained or not _is_weight(run, group, leaves):
            continue
        fact = _judged(run, site, group, leaves)
        if fact is not None:
            yield fact


def _parts(run: Run, made: dict[Site, list[events.MadeInForward]]) -> set[int]:
    """Identities of what was made as a part of something else that was made there."""
    return {
        id(child)
        for group in made.values()
        for event in group
        if isinstance(event.made, Instance)
        for _, child in modules.submodules(run.interpreter, event.made, True)
        if child is not event.made
    }


# -- is it meant to be trained? ----------------------------------------------------------------------------------------


def _is_weight(run: Run, group: list[events.MadeInForward], leaves: frozenset[Leaf]) -> bool:
    """Whether something is a layer of the network: it wants gradients, takes part, and nobody sets its values."""
    if any(leaf.requires_grad is not True or leaf.slots.get("#escaped") for leaf in leaves):
        return False
    if leaves & (run.held | run.touched | run.updated_by_hand):
        return False
    if any(_is_cared_for(run, event) for event in group) or _is_meant(group[0]):
        return False
    if any(
        isinstance(f, events.LeafFilled) and f.leaf in leaves and _CHOSEN.search(f.how) for f in run.events
    ):
        return False
    return _takes_part(run, group, leaves)


def _is_cared_for(run: Run, event: events.MadeInForward) -> bool:
    made = event.made
    if isinstance(made, Leaf):
        return _STATE.search(_line(event.site)) is not None
    if any(made.slots.get(mark) for mark in ("#escaped", "#copied", "#eval", "#pretrained", "#open")):
        return True
    own = {id(child) for _, child in modules.submodules(run.interpreter, made, True)}
    if any(id(e.owner) in own and not e.constructing for e in run.of(AttributeSet)):
        return True
    if any(id(e.model) in own for e in run.of(WeightsLoaded)):
        return True
    cls = made.cls
    return isinstance(cls, UserClass) and _SETS_ITSELF.search(cls.context.part.code(cls.node)) is not None


def _is_meant(event: events.MadeInForward) -> bool:
    target, equals, _ = _line(event.site).partition("=")
    return any(
        _MEANT_RANDOM.search(name)
        for name in (event.model.cls.name, event.function, target if equals else "")
    )


def _line(site: Site) -> str:
    """The statement, or its first line where it has several."""
    return site.part.code(site.statement).strip().split("\n", 1)[0]


def _takes_part(run: Run, group: list[events.MadeInForward], leaves: frozenset[Leaf]) -> bool:
    """Whether the model's result, or a loss, comes of it; a forward that gives the layer itself is a builder."""
    owners = {id(event.model) for event in group}
    part = any(event.maybe & leaves for event in run.backwards)
    for call in run.forwards:
        if id(call.model) in owners:
            if leaves_in(call.result) & leaves:
                return False
            part = part or (call.grad and bool(deps(run, call.result) & leaves))
    return part


# -- what becomes of it? -----------------------------------------------------------------------------------------------


def _judged(
    run: Run, site: Site, group: list[events.MadeInForward], leaves: frozenset[Leaf]
) -> MadeAtEachCall | None:
    event = group[0]
    what = _class_of(event.made)
    fact = MadeAtEachCall(site, what, event.model.cls.name, event.method, "local", "", leaves)
    name = _kept_as(run, event.model, leaves)
    if name is None:
        return None if _kept_elsewhere(run, leaves) else fact
    if event.model.slots.get("#escaped"):
        return None
    again = [
        e for e in rehearsed(run, event.model)[1] if isinstance(e, events.MadeInForward) and e.site == site
    ]
    if again:
        sure = not any(e.conditional for e in again)
        return replace(fact, form="replaced", attribute=name) if sure else None
    built = _built_before(run, group[0], leaves)
    return None if built is None else replace(fact, form="once", attribute=name, built=built)


def _class_of(made: Instance | Leaf) -> str:
    if isinstance(made, Leaf):
        return "nn.Parameter"
    return f"nn.{made.cls.name}" if isinstance(made.cls, LibraryClass) else made.cls.name


def _kept_as(run: Run, model: Instance, leaves: frozenset[Leaf]) -> str | None:
    """The attribute of the model that keeps it, or an older one like it; None: none does."""
    for event in run.of(AttributeSet):
        if event.owner is model and leaves_in(event.value) & leaves:
            return event.name
    return next((name for name, value in model.members() if leaves_in(value) & leaves), None)


def _kept_elsewhere(run: Run, leaves: frozenset[Leaf]) -> bool:
    """Whether another object or a list of the program keeps it: what becomes of it there is not asked."""
    if any(
        leaves_in(event.value) & leaves for event in run.of(AttributeSet) if not _is_made(event.owner, leaves)
    ):
        return True
    kinds = (Container, DictObj, Instance, Leaf)
    return any(
        leaves_in(value) & leaves
        for namespace in run.interpreter.namespaces.values()
        for value in list(namespace.slots.values())
        if isinstance(value, kinds)
    )


def _is_made(owner: Value, leaves: frozenset[Leaf]) -> bool:
    """Whether an object is what was made itself, or a part of it."""
    inside = leaves_in(owner)
    return bool(inside) and inside <= leaves


def _built_before(run: Run, made: events.MadeInForward, leaves: frozenset[Leaf]) -> OptimizerBuilt | None:
    """The optimizer that was built of the model before the layer was made, and that steps past it."""
    lightning = run.interpreter.root_class is not None and families.is_lightning(run.interpreter.root_class)
    ordered = run.root == "<module>" or lightning
    if not ordered or made.conditional or not run.complete or run.optimizers_may_hold_more:
        return None
    index = run.place_of(made)
    others = {entry.leaf for entry in run.parameters(made.model).parameters} - leaves
    before = [
        e for e in run.events[:index] if isinstance(e, OptimizerBuilt) and others & run.held_by(e.optimizer)
    ]
    reached = any(isinstance(e, Backward) and e.maybe & leaves for e in run.events[index:])
    if not before or not reached:
        return None
    built = before[-1]
    stepped = any(
        isinstance(e, OptimizerStepped) and e.optimizer is built.optimizer for e in run.events[index:]
    )
    return built if stepped or lightning else None
