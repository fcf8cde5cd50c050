"""Optimizers of torch, and what came from outside and is treated like one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from optlint.deferred import regex
from optlint.semantics import events, gradients, idle, modes, scaling
from optlint.semantics.libraries import argument_faults, clipping, closures
from optlint.semantics.libraries.parameter_arguments import (
    adopt,
    all_frozen,
    empty_argument,
    groups_of,
    parameterless,
)
from optlint.semantics.schedule_events import PlainStep
from optlint.semantics.site import Site
from optlint.semantics.values import (
    FALSE,
    NONE,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    DictObj,
    Gradient,
    Groups,
    Items,
    Leaf,
    Optimizer,
    Unknown,
    UserClass,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.frame import Frame
    from optlint.semantics.interpreter import Interpreter


def build_optimizer(
    it: Interpreter,
    name: str,
    arguments: Arguments,
    node: cst.CSTNode,
    checks_empty: bool = True,
    signature: tuple[str, ...] = ("params",),
    cls: UserClass | None = None,
    of_torch: bool = False,
) -> Value:
    """Construct an optimizer: its groups, and whether it certainly got nothing.

    ``cls``: the class, if the user wrote it; ``of_torch``: it is one of ``torch.optim``.
    """
    position = signature.index("params") if "params" in signature else 0
    given = arguments.get(position, signature[position] if signature else "params")
    site = it.site(node)
    if given is None:
        given = Unknown()
    empty = None if arguments.open and not arguments.positional else empty_argument(it, given)
    if it.catching and empty is not None and empty.form != "group":
        empty = None  # the program expects the error
    checked = checks_empty and cls is None and not it.catching
    faults = _faults(it, name, arguments, given, signature, of_torch) if checked else ()
    without = () if it.catching else parameterless(it, given)
    groups = groups_of(it, given)
    optimizer = Optimizer(name, groups, site, raises_on_empty=checks_empty)
    if of_torch:
        optimizer.slots["#of_torch"] = True
    settings = settings_of(arguments, signature)
    it.heap.set(optimizer.slots, "#settings", settings)
    rounds = it.rounds()
    always = bool(rounds) and rounds[-1].conditional == it.conditional
    it.record(
        events.OptimizerBuilt(
            site,
            bool(it.conditional),
            optimizer,
            given,
            empty,
            without,
            rounds,
            always,
            groups=groups,
            guarded=it.catching > 0,
            signature=signature if of_torch else (),
            settings=settings,
            faults=faults,
            asked_at=_asked_at(it, given) if faults else None,
        )
    )
    adopt(it, optimizer, groups, settings)
    if cls is not None and _clears(cls):
        optimizer.slots["#clears"] = True
    if cls is not None and any(isinstance(base, UserClass) and "step" in base.slots for base in cls.order()):
        optimizer.slots["#own_step"] = True
    for own in ("#before", "#after"):
        optimizer.slots[own] = ()
    gradients.built(it, optimizer, "#clears" in optimizer.slots)
    return optimizer


#: What an optimizer of the user's does to gradients that it has used.
_CLEARS = regex(r"zero_grad|\.grad\s*=[^=]|grad(?:\.data)?\.(?:zero|mul|copy|fill|detach)_|del\b.*\.grad\b")


def _clears(cls: UserClass) -> bool:
    """Whether the methods of an optimizer class may clear gradients."""
    if cls.has_unknown_base():
        return True
    return any(
        _CLEARS.search(base.context.part.code(base.node))
        for base in cls.order()
        if isinstance(base, UserClass)
    )


def _faults(
    it: Interpreter,
    name: str,
    arguments: Arguments,
    given: Value,
    signature: tuple[str, ...],
    of_torch: bool,
) -> tuple[events.ArgumentFault, ...]:
    """What is wrong with the parameters that an optimizer is called with."""
    if arguments.open:
        return ()
    position = signature.index("params") if "params" in signature else 0
    if of_torch and arguments.get(position, "params") is None:
        return (events.ArgumentFault("missing", given),)
    swapped = isinstance(given, Const) and isinstance(given.value, float) and arguments.positional[1:2]
    if swapped and not isinstance(arguments.positional[1], (Const, Unknown)):
        return (events.ArgumentFault("order", arguments.positional[1]),)
    if isinstance(given, Leaf) and any(isinstance(value, Leaf) for value in arguments.positional[1:2]):
        return (events.ArgumentFault("starred", Container("tuple", Items(arguments.positional))),)
    faults = argument_faults.of_argument(it, given, name, of_torch)
    if arguments.keywords.get("differentiable", FALSE) != FALSE:
        return tuple(fault for fault in faults if fault.kind != "non-leaf")
    return faults


#: A function with such a parameter is handed what its optimizer gets: its caller chose it.
_HANDED_ON = regex(r"param|group|weight|variable|tensor", re.IGNORECASE)


def _is_handed(frame: Frame, node: cst.FunctionDef, given: Value) -> bool:
    """Whether a function got a value by a parameter that is meant for it."""
    names = (parameter.name.value for parameter in (*node.params.params, *node.params.kwonly_params))
    return any(_HANDED_ON.search(name) and frame.variables.get(name) is given for name in names)


def _asked_at(it: Interpreter, given: Value) -> Site | None:
    """The call, outside the function that builds the optimizer, which chose what it is given."""
    frames = list(it.frames)
    found: Site | None = None
    while len(frames) > 1:
        inner = frames.pop()
        node = inner.variables.get("#node")
        if not isinstance(node, cst.FunctionDef) or not _is_handed(inner, node, given):
            break
        statement = frames[-1].statement
        if not isinstance(statement, cst.BaseSmallStatement):
            break
        found = Site(frames[-1].context.part, statement, statement)
    return found


def _untouched(owner: Optimizer) -> bool:
    """Whether the program left the list ``param_groups`` and the lists in it as they were made."""
    view = owner.slots.get("#param_groups")
    if not isinstance(view, Container):
        return True
    groups = owner.groups.groups
    if view.items.open or len(view.items.values) != len(groups):
        return False
    lists = [entry.entries.values.get("params") for entry in view.items.values if isinstance(entry, DictObj)]
    return len(lists) == len(groups) and all(
        isinstance(given, Container) and given.items is group.params
        for given, group in zip(lists, groups, strict=True)
    )


def settings_of(arguments: Arguments, signature: tuple[str, ...]) -> dict[str, Value]:
    """What an optimizer is called with besides its parameters, by name."""
    named = dict(zip(signature[1:], arguments.positional[1:], strict=False))
    return {**named, **{key: value for key, value in arguments.keywords.items() if key != signature[0]}}


def call_optimizer_method(
    it: Interpreter, owner: Optimizer, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value:
    """A method of an optimizer."""
    from optlint.semantics import calls

    if name == "step":
        result = closures.call(it, owner, arguments, node)
        _plain_step(it, owner, it.site(node))
        step(it, owner, node)
        if "#own_step" in owner.slots:
            return UNKNOWN
        return idle.none_of(it.site(node), "step") if arguments.get(0, "closure") is None else result
    if name == "add_param_group":
        added = arguments.get(0, "param_group") or UNKNOWN
        known = owner.raises_on_empty and not it.catching and not arguments.open
        faults = (
            argument_faults.of_group(it, added, owner.cls_name, "#of_torch" in owner.slots) if known else ()
        )
        more = groups_of(it, Container("list", Items((added,))))
        groups = owner.groups
        before = groups if _untouched(owner) else Groups((), True)
        guarded = it.catching > 0
        it.record(
            events.GroupAdded(it.site(node), bool(it.conditional), owner, more, before, guarded, faults)
        )
        settings = owner.slots.get("#settings")
        adopt(it, owner, more, settings if isinstance(settings, Mapping) else {})
        it.heap.set(owner.slots, "groups", Groups(groups.groups + more.groups, groups.open or more.open))
        return NONE
    if name == "load_state_dict":
        it.record(events.OptimizerRestored(it.site(node), bool(it.conditional), owner))
        it.heap.set(owner.slots, "#restored", True)
        return NONE
    if name == "zero_grad":
        _clear(it, owner, it.site(node))
        return idle.none_of(it.site(node), "zero_grad")
    if name == "state_dict":
        return UNKNOWN
    if name in _HOOKS and arguments.positional:
        it.heap.set(owner.slots, _HOOKS[name], (*owner.slots.get(_HOOKS[name], ()), arguments.positional[0]))
        return UNKNOWN
    if name in ("train", "eval", "toggle_model"):
        return UNKNOWN
    calls.escape(it, [owner, *arguments.all_values()])
    return UNKNOWN


#: Where the functions are kept that run with each step.
_HOOKS = {"register_step_pre_hook": "#before", "register_step_post_hook": "#after"}


def _run_hooks(it: Interpreter, owner: Optimizer, which: str, node: cst.CSTNode) -> None:
    from optlint.semantics import calls

    for hook in owner.slots.get(which, ()):
        calls.call(it, hook, Arguments((owner, UNKNOWN, UNKNOWN)), node)


def _clear(it: Interpreter, subject: gradients.Subject, site: Site) -> None:
    it.record(events.Cleared(site, bool(it.conditional), subject))
    gradients.cleared(it, subject, site)


def step(it: Interpreter, owner: Optimizer, node: cst.CSTNode) -> None:
    """An optimizer steps."""
    _run_hooks(it, owner, "#before", node)
    site = it.site(node)
    stepped = events.OptimizerStepped(site, bool(it.conditional), owner, all_frozen(owner), it.rounds())
    it.record(stepped)
    _record_step(it, owner, site)
    if "#clears" in owner.slots:
        gradients.doubt(it, owner)
    _run_hooks(it, owner, "#after", node)


def _record_step(it: Interpreter, subject: gradients.Subject, site: Site) -> None:
    others = tuple((other, gradients.state(other)) for other in it.book.known if other is not subject)
    before = gradients.stepped(it, subject, site)
    doubt, rounds = bool(it.conditional), it.rounds()
    each = bool(rounds) and rounds[-1].conditional == it.conditional
    scopes = modes.scopes(it)
    it.record(events.Stepped(site, doubt, subject, before, others, _caller(it), rounds, scopes, each))


def _caller(it: Interpreter) -> Site | None:
    """The statement that called the function which is followed now."""
    if len(it.frames) < 2 or it.frames[-2].statement is None:
        return None
    outer = it.frames[-2]
    statement = outer.statement
    return None if statement is None else Site(outer.context.part, statement, statement)


#: What writes into a tensor, and so perhaps into a gradient.
_WRITES_GRADIENT = frozenset({"zero_", "fill_", "copy_", "detach_"})


def call_unseen(
    it: Interpreter, receiver: Value, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """``x.step()``, ``x.zero_grad()``, ``scaler.step(x)`` on what came from outside; None for other methods."""
    site = it.site(node)
    values = arguments.all_values()
    if isinstance(receiver, Gradient):
        clipping.by_hand(it, receiver, name, node)
    if name in _WRITES_GRADIENT:
        gradients.doubt_all(it)
        return None
    if name == "backward" and values:
        gradients.note_engine(it, receiver, node)
        return None
    if name == "zero_grad":
        subject = gradients.subject_of(it, receiver, site)
        if subject is None:
            gradients.doubt_all(it)
        else:
            _clear(it, subject, site)
        return NONE
    if name != "step":
        gradients.heard_of(it, name)
        return None
    known = [option for value in values[:1] for option in options(value) if isinstance(option, Optimizer)]
    if known:
        for optimizer in known:
            scaling.doubt(it, optimizer)
            step(it, optimizer, node)
        return UNKNOWN
    stepped = receiver
    if values and gradients.subject_of(it, values[0], site) is not None and _takes_optimizers(it, values[0]):
        stepped = values[0]
    subject = gradients.subject_of(it, stepped, site)
    if subject is not None and (stepped is not receiver or not values):
        if stepped is receiver:
            _plain_step(it, subject, site)
        else:
            scaling.doubt(it, subject)
        step_unseen(it, subject, node)
    return None


def step_unseen(it: Interpreter, subject: gradients.Subject, node: cst.CSTNode) -> None:
    """Something steps that may be an optimizer."""
    _record_step(it, subject, it.site(node))


def _plain_step(it: Interpreter, subject: gradients.Subject, site: Site) -> None:
    """An optimizer is stepped by the program itself, not by a scaler."""
    if it.book.scalers:
        it.record(PlainStep(site, bool(it.conditional), subject, scaling.marks(subject)))


def _takes_optimizers(it: Interpreter, value: Value) -> bool:
    """Whether what a scaler steps is known to be cleared like an optimizer."""
    known = it.book.unseen.get(value)
    return known is not None and known.clears
