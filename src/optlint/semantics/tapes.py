"""Gradient tapes: which variables a number depends on as each tape has recorded it.

``libraries.tensorflow_tapes`` opens tapes and takes gradients; ``expressions`` tells of each operation. What a tape
does not record is cut off for it. Must not know by which names a framework does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics.site import Site
from optlint.semantics.values import (
    Container,
    Cut,
    DictObj,
    Instance,
    Leaf,
    Unknown,
    Value,
    Variable,
    options,
)

if TYPE_CHECKING:
    from optlint.semantics.frame import Frame
    from optlint.semantics.interpreter import Interpreter

#: The kind of a cut that is there because no tape recorded the operation.
UNRECORDED = "unrecorded"
#: Slot of a tape of which not all is known: what it watches was chosen, it was cleared, or somebody else closes it.
DOUBT = "#doubt"
_ROLE = "#role"
#: Lists inside lists of variables that are looked into.
_MAX_DEPTH = 4


@dataclass(frozen=True, eq=False)
class Role:
    """What a leaf stands for: a ``variable``, one as a tape ``watched`` it, the ``gradient`` for one, or ``unseen``.

    ``unseen``: whatever code that cannot be seen may have computed from while ``tape`` was recording. ``owner``: the
    layer, or another object, that the variable belongs to.
    """

    kind: str
    variable: Leaf | None = None
    tape: Instance | None = None
    owner: Instance | None = None


@dataclass(frozen=True)
class Unrecorded(Cut):
    """A cut that is there because no tape recorded. ``stack``: the functions then running, and where each stood."""

    stack: tuple[tuple[object, Site], ...] = field(default=(), compare=False)


@dataclass
class Recording:
    """The tapes that record now, the innermost last. ``used``: there are variables or tapes at all."""

    used: bool = False
    active: list[Instance] = field(default_factory=list)
    #: Of how many files it was last asked whether one opens a tape, and the answer.
    matter: tuple[int, bool] = (-1, False)


@dataclass(frozen=True)
class Reach:
    """What the gradient of a number finds on a tape: which variables, and where others were cut off.

    The leaves of ``cuts`` are variables, or those as a tape has watched them.
    ``maybe``: it may find any, for some of what the number was computed from is not known.
    """

    reached: frozenset[Leaf]
    maybe: bool
    cuts: tuple[tuple[Leaf, Cut], ...]


def role_of(leaf: Leaf) -> Role | None:
    """What a leaf stands for; None for tensors that are no matter of tapes."""
    role = leaf.slots.get(_ROLE)
    return role if isinstance(role, Role) else None


def new_variable(it: Interpreter, site: Site | None, owner: Instance | None = None) -> Variable:
    """A variable, or what stands for all those of a layer (``owner``)."""
    it.recording.used = True
    return Variable(frozenset({_leaf(site, Role("variable", owner=owner))}))


def _leaf(site: Site | None, role: Role) -> Leaf:
    leaf = Leaf(site, is_parameter=False, requires_grad=True)
    leaf.slots[_ROLE] = role
    return leaf


def leaf_of(value: Value) -> Leaf | None:
    """The leaf that stands for a variable; None for any other value."""
    return next(iter(value.taint)) if isinstance(value, Variable) else None


@dataclass(frozen=True)
class Gradient(Unknown):
    """What ``tape.gradient`` gives for one variable, clipped or not."""


_CUTS, _COPIED = "#cuts", "#copied"


def cuts_of(variable: Variable) -> frozenset[tuple[Leaf, Cut]]:
    """The variables that the value of another one was computed from: no gradient goes through what is assigned."""
    return frozenset().union(*(leaf.slots.get(_CUTS, frozenset()) for leaf in variable.taint))


def assigned(it: Interpreter, variable: Variable, value: Value, where: Cut) -> None:
    """A variable takes a value that was computed, or starts with it."""
    from optlint.semantics import expressions

    deps, cuts, _ = expressions.sources(it, [value])
    operation(it, deps, cuts)
    found = frozenset(cuts | {(leaf, where) for leaf in deps})
    take_over(it, variable.taint)
    for leaf in variable.taint if found else ():
        it.heap.set(leaf.slots, _CUTS, leaf.slots.get(_CUTS, frozenset()) | found)


def take_over(it: Interpreter, leaves: Iterable[Leaf]) -> None:
    """Variables get values from elsewhere, perhaps those of another model that they stand for."""
    for leaf in leaves:
        if _COPIED not in leaf.slots:
            it.heap.set(leaf.slots, _COPIED, True)


def is_taken_over(leaf: Leaf) -> bool:
    """Whether a variable ever got its value from elsewhere."""
    return _COPIED in leaf.slots


def variables_in(value: Value, depth: int = 0) -> list[Leaf]:
    """The variables in a list, tuple or dict, or the one that a value is."""
    own = leaf_of(value)
    if own is not None:
        return [own]
    inner: tuple[Value, ...] = ()
    if isinstance(value, Container):
        inner = value.items.values
    elif isinstance(value, DictObj):
        inner = tuple(value.entries.values.values())
    elif not isinstance(value, Unknown):
        inner = tuple(option for option in options(value) if option is not value)
    return [leaf for part in inner if depth < _MAX_DEPTH for leaf in variables_in(part, depth + 1)]


# -- recording -------------------------------------------------------------------------------------------------------


def enter(it: Interpreter, tape: Instance) -> Callable[[], None]:
    """A tape begins to record; the result ends it."""
    it.recording.used = True
    before = list(it.recording.active)
    it.recording.active.append(tape)
    it.heap.set(tape.slots, "#entered", True)
    return lambda: _restore(it, before)


def left_open(it: Interpreter) -> None:
    """A generator gives something out while tapes record: how much of the program they see is not known."""
    for tape in it.recording.active:
        it.heap.set(tape.slots, DOUBT, True)


def pause(it: Interpreter, tape: Instance) -> Callable[[], None]:
    """A tape stops recording for a while; the result lets it go on."""
    before = list(it.recording.active)
    it.recording.active[:] = [active for active in before if active is not tape]
    return lambda: _restore(it, before)


def _restore(it: Interpreter, active: list[Instance]) -> None:
    it.recording.active[:] = active


def watched(leaf: Leaf, tape: Instance) -> Leaf:
    """A variable as a tape has seen it."""
    known: dict[int, Leaf] = tape.slots.setdefault("#watched", {})
    found = known.get(id(leaf))
    if found is None:
        found = known[id(leaf)] = _leaf(leaf.site, Role("watched", leaf, tape))
    return found


def _unseen_of(tape: Instance) -> Leaf:
    found = tape.slots.get("#unseen")
    if not isinstance(found, Leaf):
        found = tape.slots["#unseen"] = _leaf(tape.site, Role("unseen", tape=tape))
    return found


def operation(it: Interpreter, deps: set[Leaf], cuts: set[tuple[Leaf, Cut]]) -> None:
    """An operation on numbers: what the tapes that record now do not see of it is cut off."""
    active = it.recording.active
    here: Cut | None = None
    for leaf in list(deps):
        role = role_of(leaf)
        if role is None:
            continue
        if role.kind == "gradient":
            _use(it, leaf)
            continue
        if role.kind == "variable":
            deps.discard(leaf)
            deps.update(watched(leaf, tape) for tape in active)
            lost = not active
        else:
            lost = role.tape not in active
            if lost:
                deps.discard(leaf)
        if lost and role.kind != "unseen":
            here = here or _unrecorded(it)
            if here is not None:
                cuts.add((leaf, here))


def _unrecorded(it: Interpreter) -> Cut | None:
    stack = tuple(
        (scope_of(frame), Site(frame.context.part, frame.statement, frame.statement))
        for frame in it.frames
        if frame.statement is not None
    )
    return Unrecorded(UNRECORDED, stack[-1][1], "", it.steps, stack=stack) if stack else None


def scope_of(frame: Frame) -> object:
    """What tells the function that a scope belongs to from others: None for a module."""
    while frame.parent is not None and "#node" not in frame.variables:
        frame = frame.parent
    return frame.variables.get("#node")


def unseen(it: Interpreter, leaves: Iterable[Leaf] = ()) -> frozenset[Leaf]:
    """What code that cannot be seen may compute from while tapes record; it may look at gradients (``leaves``)."""
    for leaf in leaves:
        role = role_of(leaf)
        if role is not None and role.kind == "gradient":
            _use(it, leaf)
    return frozenset(_unseen_of(tape) for tape in it.recording.active)


def reach(it: Interpreter, tape: Instance, target: Value) -> Reach:
    """What the gradient of ``target`` finds on ``tape``."""
    from optlint.semantics import expressions

    deps, cuts, opaque = expressions.sources(it, [target])
    reached: set[Leaf] = set()
    elsewhere: set[tuple[Leaf, Cut]] = set()
    maybe = opaque
    for leaf in deps:
        role = role_of(leaf)
        if role is None or (role.kind == "unseen" and role.tape is tape):
            maybe = True
        elif role.kind == "variable":  # as it is: what it was computed from is cut off
            reached.add(leaf)
        elif role.variable is not None and role.kind == "watched" and role.tape is tape:
            reached.add(role.variable)
    for leaf, cut in cuts:
        role = role_of(leaf)
        if role is not None and role.kind in ("variable", "watched"):
            elsewhere.add((leaf, cut))
    ordered = sorted(elsewhere, key=lambda pair: (pair[1].order, pair[0].serial))
    return Reach(frozenset(reached), maybe, tuple(ordered))


# -- gradients -------------------------------------------------------------------------------------------------------

_USED, _GIVEN, _CLIPPED = "#used gradient", "#given gradient", "#clipped gradient"


def gradient_for(variable: Leaf, site: Site) -> Leaf:
    """What stands for the gradient of a variable."""
    return _leaf(site, Role("gradient", variable))


def gradients_behind(it: Interpreter, value: Value) -> frozenset[Leaf]:
    """The gradients that a value was computed from."""
    from optlint.semantics import expressions

    if not it.recording.used:
        return frozenset()
    return frozenset(leaf for leaf in expressions.sources(it, [value])[0] if _is_gradient(leaf))


def _is_gradient(leaf: Leaf) -> bool:
    role = role_of(leaf)
    return role is not None and role.kind == "gradient"


def _use(it: Interpreter, leaf: Leaf) -> None:
    if _USED not in leaf.slots:
        it.heap.set(leaf.slots, _USED, True)


def give(it: Interpreter, values: Iterable[Value]) -> None:
    """Something that is not followed further keeps or reads ``values``: their gradients are not lost."""
    for value in values if it.recording.used else ():
        for leaf in gradients_behind(it, value):
            it.heap.set(leaf.slots, _GIVEN, True)


def clip(it: Interpreter, leaves: Iterable[Leaf]) -> None:
    """Gradients are clipped one by one, which None cannot be."""
    for leaf in leaves:
        it.heap.set(leaf.slots, _CLIPPED, True)


def is_clipped(leaf: Leaf) -> bool:
    """Whether a gradient was clipped by itself."""
    return _CLIPPED in leaf.slots


def is_idle(leaf: Leaf) -> bool:
    """Whether nobody ever used a gradient, nor could have."""
    return _USED not in leaf.slots and _GIVEN not in leaf.slots
