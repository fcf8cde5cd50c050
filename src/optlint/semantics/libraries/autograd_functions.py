"""The user's own ``torch.autograd.Function`` classes: what ``backward`` gives to each input, and what ``apply`` yields.

``calls`` hands over what is called. ``backward`` is followed once, aside, and what it did is taken back.
Must not know rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import attributes, expressions, functions, gradients, loading, stopping
from optlint.semantics.function_events import FunctionApplied, FunctionCalled
from optlint.semantics.libraries import gradient_returns
from optlint.semantics.site import Site
from optlint.semantics.values import (
    FALSE,
    NONE,
    TRUE,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    Cut,
    Entries,
    External,
    Flow,
    Function,
    Instance,
    Items,
    Leaf,
    Record,
    Text,
    Unknown,
    UserClass,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_BASES = frozenset(
    {"torch.autograd.Function", "torch.autograd.function.Function", "torch.autograd.function.InplaceFunction"}
)
_PLAIN_BASES = frozenset({"builtins.object", "abc.ABC"})
#: Steps that following one ``backward`` may take.
MAX_BACKWARD_STEPS = 1_500
#: Decorators that leave what a method returns as it is.
_DECORATORS = regex(
    r"(?:.*\.)?(?:staticmethod|classmethod|once_differentiable|custom_[fb]wd|no_grad|override|amp_custom_[fb]wd)(?:\(.*\))?",
    re.DOTALL,
)
#: A ``backward`` that takes gradients itself, or gives them to parameters, says little by what it returns.
_BY_HAND = regex(r"\.backward\(|autograd\.backward|(?<!\bnn)(?<!\bautograd)\.(?:main_)?grad\b")

#: What an input gets: nothing, zeros, a number or list (which torch refuses), perhaps a gradient, or one for sure.
NOTHING, ZEROS, NUMBER, PERHAPS, GRADIENT = "nothing", "zeros", "number", "perhaps", "gradient"


@dataclass(frozen=True)
class Returned:
    """What ``backward`` returns on one way: a kind for each input; ``alone``: no tuple; ``text``: the type's name."""

    kinds: tuple[str, ...]
    text: str = ""


@dataclass(frozen=True)
class _Blocked:
    """Why a call lets no gradient through to the inputs at ``positions``."""

    fault: str
    kind: str
    site: Site
    text: str
    positions: tuple[int, ...]
    expected: int = 0
    got: str = ""


def is_function(cls: Value) -> bool:
    """Whether a class is one of the user's autograd Functions."""
    return isinstance(cls, UserClass) and any(base in _BASES for base in cls.library_bases())


def called(it: Interpreter, owner: Instance, node: cst.CSTNode) -> None:
    """An object of a class of the user's is called: torch refuses that of a Function."""
    if isinstance(owner.cls, UserClass) and is_function(owner.cls):
        guarded = bool(it.catching or it.handling)
        it.record(FunctionCalled(it.site(node), bool(it.conditional), owner.cls, guarded))


def apply(it: Interpreter, cls: UserClass, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``Function.apply(…)``: the inputs that backward gives nothing to are cut off."""
    values = arguments.all_values()
    if arguments.open or arguments.keywords or it.unknown_grad_mode or not _is_plain(cls):
        return expressions.opaque(it, values)
    if it.no_grad:
        return expressions.flow(it, values)
    if not all(_is_simple(value) for value in values):
        return expressions.opaque(it, values)
    if stopping.all_want_none(values):
        return expressions.flow(it, values)
    ways = _ways(it, cls, values)
    blocked = _blocked(cls, ways, values)
    if blocked is None:
        sure = ways is not None and _all_get_gradient(ways, values)
        return expressions.flow(it, values) if sure else expressions.opaque(it, values)
    return _cut_off(it, cls, blocked, values, ways, node)


def raising(it: Interpreter, values: Sequence[Value]) -> frozenset[Cut]:
    """What certainly raises in the backward pass of a number that is computed of ``values``."""
    if not it.raising:
        return frozenset()
    found: frozenset[Cut] = frozenset()
    for value in values:
        if isinstance(value, Flow):
            found |= value.raising
        elif isinstance(value, Container) and not value.items.many:
            found |= raising(it, [part for part in value.items.values if isinstance(part, Flow)])
    return found


def _is_plain(cls: UserClass) -> bool:
    """Whether all that a class inherits is known."""
    if any(not isinstance(base, (UserClass, External)) for base in cls.order()):
        return False
    if any(isinstance(base, UserClass) and base.node.decorators for base in cls.order()):
        return False
    return set(cls.library_bases()) <= _BASES | _PLAIN_BASES


def _is_simple(value: Value) -> bool:
    """Whether a value is a number or text: gradient flows through nothing that is hidden in it."""
    return all(isinstance(option, (Leaf, Flow, Unknown, Const, Text)) for option in options(value))


# -- what backward returns -------------------------------------------------------------------------------------------


def _method(cls: UserClass, name: str) -> Function | None:
    """A method of the user's that does what its text says."""
    found = attributes.class_attribute(cls, name)
    if not isinstance(found, Function) or not isinstance(found.node, cst.FunctionDef):
        return None
    code = found.context.part.code
    if all(_DECORATORS.fullmatch(code(d.decorator).strip()) for d in found.node.decorators):
        return found
    return None


def _backward(cls: UserClass) -> Function | None:
    return _method(cls, "backward") or _method(cls, "vjp")


def _has_backward(cls: UserClass) -> bool:
    return any(attributes.class_attribute(cls, name) is not None for name in ("backward", "vjp"))


def _ways(it: Interpreter, cls: UserClass, values: Sequence[Value]) -> tuple[Returned, ...] | None:
    """What ``backward`` returns on each of its ways; None where that is not known."""
    method = _backward(cls)
    if method is None or any(
        _BY_HAND.search(_code(base)) for base in cls.order() if isinstance(base, UserClass)
    ):
        return None
    wanted = tuple(_wanted(value) for value in values)
    key = f"#backward {wanted!r}"
    if key not in cls.slots:
        it.heap.set(cls.slots, key, _followed(it, cls, method, wanted))
    known: tuple[Returned, ...] | None = cls.slots[key]
    return known


def _code(cls: UserClass) -> str:
    return cls.context.part.code(cls.node)  # type: ignore[no-any-return]


def _wanted(value: Value) -> Const | Unknown:
    """Whether an input wants a gradient, as ``ctx.needs_input_grad`` tells it."""
    if stopping.wants_none(value):
        return FALSE
    leaves = (value,) if isinstance(value, Leaf) else value.deps if isinstance(value, Flow) else ()
    return TRUE if any(leaf.requires_grad is True for leaf in leaves) else UNKNOWN


def _followed(
    it: Interpreter, cls: UserClass, method: Function, wanted: tuple[Value, ...]
) -> tuple[Returned, ...] | None:
    assert isinstance(method.node, cst.FunctionDef)
    if _misfit(cls, method.node) is not None:
        return None
    context = Record(Entries({"needs_input_grad": Container("tuple", Items(wanted))}, True))
    of_class = _of_class(method.node)
    first = (cls, context) if of_class else (context,)
    named = len(method.node.params.posonly_params) + len(method.node.params.params)
    given = Arguments((*first, *(Flow(),) * (named - len(first))), {}, named < len(first))
    result = _aside(it, lambda: functions.invoke(it, method, given))
    if result is None or result is expressions.NEVER:
        return None
    ways: list[Returned] = []
    for option in options(result):
        way = _returned(method.node, option)
        if way is None:
            return None
        ways.append(way)
    return tuple(ways) or None


def _of_class(method: cst.FunctionDef) -> bool:
    names = [d.decorator.value for d in method.decorators if isinstance(d.decorator, cst.Name)]
    return "classmethod" in names


def _misfit(cls: UserClass, backward: cst.FunctionDef) -> tuple[int, str] | None:
    """How many outputs ``forward`` gives, and what Python says, if ``backward`` takes another number of gradients."""
    forward = _method(cls, "forward")
    if forward is None or not isinstance(forward.node, cst.FunctionDef):
        return None
    first = 2 if _of_class(backward) else 1
    count, taken = gradient_returns.outputs(forward.node), gradient_returns.taken(backward, first)
    if count is None or taken is None or taken[0] <= count <= taken[1]:
        return None
    if taken[1] < count:
        return count, f"takes {taken[1] + first} positional arguments but {count + first} were given"
    return count, f"missing {taken[0] - count} required positional argument"


def _aside(it: Interpreter, action: Callable[[], Value]) -> Value | None:
    """What something gives that is followed without anything having happened."""
    mark, saved = it.heap.mark(), (it.events, it.book, it.entered, it.handling)
    restore = stopping.set_mode(it, True, None)
    it.events, it.book, it.entered, it.handling = [], gradients.Book(), set(it.entered), it.handling + 1
    try:
        return loading.within(it, MAX_BACKWARD_STEPS, action)
    finally:
        it.events, it.book, it.entered, it.handling = saved
        restore()
        it.heap.rollback(mark)


def _returned(method: cst.FunctionDef, value: Value) -> Returned | None:
    if isinstance(value, Container) and value.kind == "tuple":
        if value.items.open or value.items.many:
            return None
        parts = value.items.values
        return Returned(tuple(_kind(method, i, part) for i, part in enumerate(parts)), _types(parts))
    if isinstance(value, Container) and value.kind == "list":
        return Returned((NUMBER,), "list")
    if isinstance(value, Unknown):
        return None
    return Returned((_kind(method, 0, value),), _types((value,)))


def _kind(method: cst.FunctionDef, position: int, value: Value) -> str:
    found = options(value)
    if all(option == NONE for option in found):
        return NOTHING
    if any(isinstance(option, (Flow, Leaf)) for option in found) and gradient_returns.only_zeros(
        method, position
    ):
        return ZEROS
    if all(_is_number(option) for option in found):
        return NUMBER
    if all(isinstance(option, (Flow, Leaf)) for option in found):
        return GRADIENT
    return PERHAPS


def _is_number(value: Value) -> bool:
    return isinstance(value, Const) and isinstance(value.value, (int, float))


def _types(values: Sequence[Value]) -> str:
    """The type of the first number among what is returned."""
    return next((type(v.value).__name__ for v in values if isinstance(v, Const) and _is_number(v)), "")


# -- what that means for a call --------------------------------------------------------------------------------------


def _fits(way: Returned, count: int) -> bool:
    """Whether torch takes so many gradients for ``count`` inputs."""
    return len(way.kinds) >= count and set(way.kinds[count:]) <= {NOTHING}


def _blocked(cls: UserClass, ways: tuple[Returned, ...] | None, values: Sequence[Value]) -> _Blocked | None:
    everything = tuple(range(len(values)))
    if not _has_backward(cls):
        where = Site(cls.context.part, cls.node.name, cls.node)
        return _Blocked("missing", "raises", where, cls.name, everything)
    forward = _method(cls, "forward")
    marked = None
    if forward is not None and isinstance(forward.node, cst.FunctionDef):
        marked = gradient_returns.marks_all(forward.context.part, forward.node)
    if marked is not None:
        return _Blocked("marked", "function-marked", marked, marked.text(), everything)
    method = _backward(cls)
    if method is None or not isinstance(method.node, cst.FunctionDef):
        return None
    where = gradient_returns.place(method.context.part, method.node)
    text = f"{method.owner.name if method.owner is not None else cls.name}.backward"
    misfit = _misfit(cls, method.node)
    if misfit is not None:
        where = Site(method.context.part, method.node.name, method.node)
        return _Blocked("arguments", "raises", where, text, everything, *misfit)
    if ways is None:
        return None
    refused = _refused(ways, values)
    if refused is not None:
        fault, positions, got = refused
        return _Blocked(fault, "raises", where, text, positions, len(values), got)
    if not all(_fits(way, len(values)) for way in ways):
        return None
    for fault, kinds in (("nothing", {NOTHING}), ("zeros", {NOTHING, ZEROS})):
        found = tuple(
            i
            for i, value in enumerate(values)
            if not stopping.wants_none(value) and all(way.kinds[i] in kinds for way in ways)
        )
        if found:
            ends = fault == "nothing" and not list(gradient_returns.returns(method.node.body))
            return _Blocked("silent" if ends else fault, "function", where, text, found)
    return None


def _refused(ways: tuple[Returned, ...], values: Sequence[Value]) -> tuple[str, tuple[int, ...], str] | None:
    """What torch refuses of all that ``backward`` returns: the number of gradients, or what one of them is."""
    count = len(values)
    everything = tuple(range(count))
    if not any(_fits(way, count) for way in ways):
        return "count", everything, str(len(ways[0].kinds))
    if not all(_fits(way, count) for way in ways):
        return None
    for i, value in enumerate(values):
        kinds = {way.kinds[i] for way in ways}
        if kinds <= {NUMBER, GRADIENT} and all(isinstance(o, (Const, Text)) for o in options(value)):
            return "not a tensor", everything, str(i + 1)
        if kinds == {NUMBER}:
            return "type", everything, ways[0].text
    return None


def _all_get_gradient(ways: tuple[Returned, ...], values: Sequence[Value]) -> bool:
    return all(
        stopping.wants_none(value) or all(way.kinds[i : i + 1] == (GRADIENT,) for way in ways)
        for i, value in enumerate(values)
    )


def _cut_off(
    it: Interpreter,
    cls: UserClass,
    blocked: _Blocked,
    values: Sequence[Value],
    ways: tuple[Returned, ...] | None,
    node: cst.CSTNode,
) -> Value:
    stopped = [values[i] for i in blocked.positions]
    rest = [value for i, value in enumerate(values) if i not in blocked.positions]
    cut = Cut(blocked.kind, blocked.site, blocked.text, it.steps)
    names = _inputs(cls, blocked)
    it.record(
        FunctionApplied(
            it.site(node), bool(it.conditional), cls, cut, blocked.fault, names, blocked.expected, blocked.got
        )
    )
    if blocked.kind == "raises":
        return _raising(it, values, cut)
    if blocked.fault == "marked":
        return stopping.stopped(it, stopped, cut)
    leaves, cuts, _ = expressions.sources(it, stopped)
    cuts |= {(leaf, cut) for leaf in leaves}
    sure = ways is not None and all(
        i in blocked.positions or stopping.wants_none(value) or all(way.kinds[i] == GRADIENT for way in ways)
        for i, value in enumerate(values)
    )
    result = expressions.flow(it, rest) if sure or not rest else expressions.opaque(it, rest)
    if isinstance(result, Flow):
        return replace(result, cuts=result.cuts | cuts, plain=False, stop=None, in_graph=None)
    if isinstance(result, Unknown):
        return Unknown(result.taint, result.cuts | cuts)
    return Flow(frozenset(expressions.sources(it, [result])[0]), frozenset(cuts))


def _raising(it: Interpreter, values: Sequence[Value], cut: Cut) -> Value:
    """A number whose backward pass raises, where it has one."""
    result = expressions.flow(it, values)
    if not isinstance(result, Flow) or not any(_wanted(value) == TRUE for value in values):
        return expressions.opaque(it, values)
    it.raising = True
    return replace(result, raising=result.raising | {cut})


def _inputs(cls: UserClass, blocked: _Blocked) -> tuple[str, ...]:
    """How ``forward`` calls the inputs that get nothing, or the one that is refused."""
    forward = _method(cls, "forward")
    if forward is None:
        return ()
    parameters = (*forward.node.params.posonly_params, *forward.node.params.params)
    with_context = attributes.class_attribute(cls, "setup_context") is None
    names = [parameter.name.value for parameter in parameters][1 if with_context else 0 :]
    wanted = (int(blocked.got) - 1,) if blocked.fault == "not a tensor" else blocked.positions
    return tuple(names[i] for i in wanted if i < len(names))
