"""The state of the gradients of each optimizer's parameters as the program goes on: filled, used by a step, cleared.

Calls of ``backward``, ``step`` and ``zero_grad`` report here; the states live in the heap, so that branches join.
Where code that cannot be seen may have had a hand in it, the state is a doubt, from which nothing follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import events, scaling
from optlint.semantics.libraries.parameter_arguments import optimizer_leaves
from optlint.semantics.site import Site
from optlint.semantics.values import (
    Arguments,
    Container,
    DictObj,
    Function,
    Instance,
    Leaf,
    Method,
    Obj,
    OneShot,
    Optimizer,
    Stranger,
    Unknown,
    UnseenIterator,
    Value,
    options,
    reaching_leaves,
)

if TYPE_CHECKING:
    import libcst as cst

    from optlint.semantics.interpreter import Interpreter

#: What is known of the gradients: nothing was computed since the optimizer was built; they were cleared; a backward
#: pass filled them; a step used them; filled once more without being cleared after a step; cleared before any step
#: could use them; or code that cannot be seen may have done anything.
FRESH, CLEAR, FILLED, USED, DIRTY, WIPED, DOUBT = (
    "fresh",
    "clear",
    "filled",
    "used",
    "dirty",
    "wiped",
    "doubt",
)
_SLOT = "#gradients"


@dataclass(frozen=True)
class Moment:
    """One possible state; ``site``: the call that led to it."""

    kind: str
    site: Site | None = None


@dataclass(frozen=True)
class Gradients:
    """The states that the gradients may be in, one for each way through the program."""

    moments: frozenset[Moment]

    def joined_with(self, others: Iterable[Gradients]) -> Gradients:
        """What holds after any of several branches."""
        return Gradients(self.moments.union(*(other.moments for other in others)))

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of its moments."""
        return frozenset(moment.kind for moment in self.moments)

    def sites(self, kind: str) -> list[Site]:
        """The calls that led to moments of a kind, in the order of the text."""
        found = [moment.site for moment in self.moments if moment.kind == kind and moment.site is not None]
        return sorted(found, key=lambda site: (site.path, site.span()))


UNSURE = Gradients(frozenset({Moment(DOUBT)}))
UNTOUCHED = Gradients(frozenset({Moment(FRESH)}))


class UnseenOptimizer(Obj):
    """Something that came in from outside and on which ``step`` or ``zero_grad`` is called.

    Whether it is an optimizer shows in what is done with it: ``clears`` (``zero_grad`` was called), ``steps``, and
    not ``engine`` (``backward`` was called on it: such objects clear in their own ``step``). ``made``: somebody made it
    of the parameters of a model, so that stepping it is enough.
    """

    __slots__ = ("clears", "engine", "made", "name", "steps")

    def __init__(self, name: str, site: Site | None) -> None:
        super().__init__(site)
        self.name = name
        self.clears = False
        self.steps = False
        self.engine = False
        self.made = False


Subject = Optimizer | UnseenOptimizer


@dataclass
class Book:
    """The optimizers of a run, and what happened to their gradients at some time on some way."""

    known: list[Optimizer] = field(default_factory=list)
    unseen: dict[Value, UnseenOptimizer] = field(default_factory=dict)
    #: Identities of those whose gradients were, or may have been, cleared at any time.
    cleared: set[int] = field(default_factory=set)
    #: Identities of those whose gradients a backward pass that is seen filled, or may have filled.
    filled: set[int] = field(default_factory=set)
    #: Identities of those that code out of sight may have stepped or filled.
    handed_out: set[int] = field(default_factory=set)
    #: Code that cannot be seen has a function of the program's that steps or clears: nobody knows when it is called.
    out_of_hand: bool = False
    #: Identities of schedulers that code out of sight may step, and of those that were changed by hand or restored.
    scheduled: set[int] = field(default_factory=set)
    rewired: set[int] = field(default_factory=set)
    #: The gradient scalers.
    scalers: list[Instance] = field(default_factory=list)

    @property
    def subjects_exist(self) -> bool:
        """Whether there is any."""
        return bool(self.known or self.unseen)

    def subjects(self) -> Iterator[Subject]:
        """All of them."""
        yield from self.known
        yield from self.unseen.values()


def state(subject: Subject) -> Gradients:
    """What is known of an optimizer's gradients now."""
    found = subject.slots.get(_SLOT)
    return found if isinstance(found, Gradients) else UNSURE


def _set(it: Interpreter, subject: Subject, moments: Iterable[Moment], certain: bool = True) -> None:
    new = Gradients(frozenset(moments))
    if not certain:
        new = new.joined_with([state(subject)])
    if new != state(subject):
        it.heap.set(subject.slots, _SLOT, new)


def built(it: Interpreter, optimizer: Optimizer, own_step: bool) -> None:
    """An optimizer was built; one with a ``step`` of the user's own may clear its gradients there."""
    optimizer.slots[_SLOT] = UNSURE if own_step else UNTOUCHED
    if own_step:
        it.book.cleared.add(id(optimizer))
    it.book.known.append(optimizer)


def subject_of(it: Interpreter, value: Value, site: Site | None) -> Subject | None:
    """The optimizer that a value is, or may be for all that is known; None where it has no identity."""
    if isinstance(value, Optimizer):
        return value
    name = _name(value)
    if name is None:
        return None
    found = it.book.unseen.get(value)
    if found is None:
        found = it.book.unseen[value] = UnseenOptimizer(name, site)
    return found


def _name(value: Value) -> str | None:
    if isinstance(value, Stranger):
        return value.name
    if isinstance(value, Method) and value.function is None:
        if isinstance(value.receiver, Instance):
            return f"self.{value.name}"
        inner = _name(value.receiver)
        return None if inner is None else f"{inner}.{value.name}"
    return None


def made_of_parameters(
    it: Interpreter, name: str, given: Unknown, arguments: Arguments, node: cst.CSTNode
) -> Value:
    """What a call gives that is not seen (``given``): one that gets the parameters of a model may make an optimizer."""
    values = [*arguments.positional[:2], *arguments.keywords.values()]
    if not any(_lists_parameters(value) for value in values):
        return given
    result = Stranger(given.taint, given.cuts, name=name)
    subject = subject_of(it, result, it.site(node))
    if isinstance(subject, UnseenOptimizer):
        subject.made = True
        subject.slots[_SLOT] = UNTOUCHED
    return result


def _lists_parameters(value: Value) -> bool:
    return isinstance(value, UnseenIterator) or (isinstance(value, OneShot) and value.kind == "parameters")


# -- what happens ----------------------------------------------------------------------------------------------------


def _known(it: Interpreter) -> list[Optimizer]:
    """All optimizers, which what happens to one is asked of: where they are hundreds, the run's work ends it."""
    it.heap.work += len(it.book.known) // 4
    return it.book.known


def filled(it: Interpreter, leaves: frozenset[Leaf], hidden: bool, site: Site) -> None:
    """A backward pass reached ``leaves``; ``hidden``: from a number of which nothing is known."""
    held_somewhere = False
    for optimizer in _known(it):
        held, more = optimizer_leaves(optimizer)
        if held & leaves:
            held_somewhere = True
            _fill(it, optimizer, True, site)
        elif hidden or more:
            _fill(it, optimizer, False, site)
        elif any(moment.kind == WIPED for moment in state(optimizer).moments):
            # What was cleared is not what this step is for.
            kept = (m if m.kind != WIPED else Moment(CLEAR, m.site) for m in state(optimizer).moments)
            _set(it, optimizer, kept)
    unseen = [subject for subject in it.book.unseen.values() if subject.clears or subject.made]
    for subject in unseen:
        _fill(it, subject, len(unseen) == 1 and not held_somewhere, site)


def _fill(it: Interpreter, subject: Subject, certain: bool, site: Site) -> None:
    it.book.filled.add(id(subject))
    moments = {
        Moment(DIRTY if moment.kind in (USED, DIRTY) else FILLED, site) for moment in state(subject).moments
    }
    _set(it, subject, moments, certain)


def cleared(it: Interpreter, subject: Subject, site: Site) -> None:
    """``zero_grad`` was called: the gradients of its parameters are gone, whoever else holds them."""
    _clear(it, subject, site)
    if isinstance(subject, UnseenOptimizer):
        subject.clears = True
        if not subject.steps:  # it may be the model, and so clear what others step
            for other in it.book.subjects():
                if other is not subject:
                    doubt(it, other)
        return
    held, more = optimizer_leaves(subject)
    for made in it.book.unseen.values():
        if made.made:
            doubt(it, made)
    for other in _known(it):
        if other is subject:
            continue
        shared, unknown = optimizer_leaves(other)
        if more or unknown or shared & held:
            if shared and shared <= held and not unknown:
                _clear(it, other, site)
            else:
                doubt(it, other)


def _clear(it: Interpreter, subject: Subject, site: Site) -> None:
    it.book.cleared.add(id(subject))
    scaling.cleared(it, subject)
    rounds = it.rounds()
    if rounds:
        each = rounds[-1].conditional == it.conditional
        before = state(subject)
        it.record(events.GradientsDropped(site, bool(it.conditional), subject, before, rounds[-1].site, each))
    moments = {
        Moment(WIPED, site)
        if moment.kind in (FILLED, DIRTY)
        else moment
        if moment.kind == WIPED
        else Moment(CLEAR, site)
        for moment in state(subject).moments
    }
    _set(it, subject, moments)


def cleared_leaves(it: Interpreter, leaves: frozenset[Leaf], others: bool, site: Site) -> None:
    """A module's gradients were cleared: those of every optimizer that holds nothing else. ``others``: it has more."""
    for optimizer in _known(it):
        held, more = optimizer_leaves(optimizer)
        if held and held <= leaves and not more:
            _clear(it, optimizer, site)
        elif held & leaves or more or others:
            doubt(it, optimizer)
    for subject in it.book.unseen.values():
        doubt(it, subject)


def stepped(it: Interpreter, subject: Subject, site: Site) -> Gradients:
    """``step`` was called; returns what the gradients were before."""
    before = state(subject)
    if isinstance(subject, UnseenOptimizer):
        subject.steps = True
    _set(
        it,
        subject,
        {moment if moment.kind in (FRESH, CLEAR, USED) else Moment(USED, site) for moment in before.moments},
    )
    return before


def used_before(it: Interpreter, subject: Subject, site: Site) -> None:
    """A closure runs that ``step`` calls again and again: what it fills was used already."""
    if DOUBT not in state(subject).kinds:
        _set(it, subject, {Moment(USED, site)})


def used_at_last(it: Interpreter, subject: Subject, before: Gradients) -> None:
    """That closure is over: its gradients are those of the last call, or, where it did nothing, as ``before``."""
    after = state(subject)
    if after.kinds == {USED}:
        _set(it, subject, before.moments)
    elif DIRTY in after.kinds:
        _set(it, subject, {Moment(FILLED, m.site) if m.kind == DIRTY else m for m in after.moments})


def doubt(it: Interpreter, subject: Subject) -> None:
    """Code that cannot be seen has the optimizer or its parameters: it may have cleared or filled them."""
    scaling.doubt(it, subject)
    it.book.cleared.add(id(subject))
    it.book.handed_out.add(id(subject))
    _set(it, subject, {Moment(DOUBT)})


def doubt_leaf(it: Interpreter, leaf: Leaf) -> None:
    """The program itself wrote a parameter's gradient."""
    for optimizer in it.book.known:
        if leaf in optimizer_leaves(optimizer)[0]:
            doubt(it, optimizer)


def doubt_all(it: Interpreter) -> None:
    """Nobody can tell whose gradients were cleared or filled here."""
    for subject in list(it.book.subjects()):
        doubt(it, subject)


def handed(it: Interpreter, values: Iterable[Value]) -> None:
    """Code that cannot be seen gets numbers: it may take the backward pass of the one that is a loss."""
    for value in values:
        leaves = reaching_leaves(value)
        for optimizer in it.book.known if leaves else ():
            if leaves & optimizer_leaves(optimizer)[0]:
                it.book.handed_out.add(id(optimizer))


def entered(it: Interpreter) -> None:
    """A method that nobody in the file calls begins: whatever came before is not known."""
    scaling.entered(it)
    for subject in list(it.book.subjects()):
        scaling.doubt(it, subject)
        _set(it, subject, {Moment(DOUBT)})


def escaped(it: Interpreter, value: Value) -> None:
    """Code that cannot be seen was given a value."""
    if isinstance(value, Optimizer):
        doubt(it, value)
    elif isinstance(value, (Stranger, Method)) and not isinstance(value, Function):
        known = it.book.unseen.get(value)
        if known is not None:
            doubt(it, known)


#: Names of functions and methods out of sight that may clear gradients, fill them or step.
_HINT = regex(r"zero|grad|optim|closure|train_|fit_|_step|backward", re.IGNORECASE)
_NO_HINT = regex(
    r"^backward$|clip_grad|enable_grad|no_grad|requires_grad|grad_enabled|gradcheck|upgrade|checkpoint"
)


def heard_of(it: Interpreter, name: str) -> None:
    """Code that cannot be seen is called by ``name``: one that sounds of gradients may do anything to them."""
    last = name.rsplit(".", 1)[-1]
    if it.book.subjects_exist and _HINT.search(last) and not _NO_HINT.search(last):
        if not name.startswith(("torch.", "numpy.")):
            doubt_all(it)


_TRAINS = regex(r"\.step\(|zero_grad|\.backward\(|\.grad\s*=[^=]")


def function_given(it: Interpreter, value: Value) -> None:
    """Code that cannot be seen gets a function or method, which it may call at any time from now on."""
    function = value.function if isinstance(value, Method) else value
    if isinstance(function, Function):
        code = function.context.part.code(function.node)
        own = isinstance(value, Method) or _uses_objects(function, code)
        trains = own and _TRAINS.search(code) is not None
    else:
        trains = isinstance(value, Method) and isinstance(value.receiver, Optimizer)
    if trains:
        doubt_all(it)
        it.book.out_of_hand = True


_NAMES = regex(r"[A-Za-z_]\w*")


def _uses_objects(function: Function, code: str) -> bool:
    """Whether a function mentions models, optimizers or lists that stand in the scopes around it."""
    for name in set(_NAMES.findall(code)):
        value = function.closure.lookup(name) if function.closure is not None else None
        if value is None:
            value = function.context.namespace.slots.get(name)
        found = options(value) if isinstance(value, Value) else ()
        if any(isinstance(option, (Optimizer, Instance, Container, DictObj, Stranger)) for option in found):
            return True
    return False


def note_engine(it: Interpreter, value: Value, node: cst.CSTNode) -> None:
    """``value.backward(loss)``: such an object steps and clears in ways of its own."""
    subject = subject_of(it, value, it.site(node))
    if isinstance(subject, UnseenOptimizer):
        subject.engine = True
