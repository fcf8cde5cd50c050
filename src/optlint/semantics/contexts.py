"""``with`` statements: what is entered, the body between the two halves of a ``@contextmanager``, what is left.

The interpreter calls it; of what libraries' contexts do it knows the gradient modes, tapes and the meta device only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import (
    assignment,
    attributes,
    expressions,
    functions,
    gradients,
    identity,
    iteration,
    stopping,
    truth,
)
from optlint.semantics.libraries import tensorflow_tapes
from optlint.semantics.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Choice,
    Device,
    Function,
    Instance,
    Items,
    OneShot,
    Value,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

Body = Callable[[], bool]

#: A body that leaves before its end, and a context that may have a hand in the gradients.
_LEAVES = regex(r"\b(?:return|break|continue)\b")
#: What leaves at its end whatever was entered with it.
_STACK = regex(r"\b(?:Async)?ExitStack\(")
_TRAINS = regex(r"zero_grad|\.grad\b|\.step\(|optim|backward")


@dataclass(eq=False)
class Pending:
    """The body of a ``with`` statement whose context is the call at ``node``; ``went_on``: how it ended, when it ran."""

    node: cst.BaseExpression
    run: Callable[[Items], bool]
    body_leaves: bool
    went_on: bool | None = None

    def at_yield(self, given: Items) -> None:
        """The generator gives its value: the body runs."""
        earlier = bool(self.went_on)
        self.went_on = self.run(given) or earlier


def follow(it: Interpreter, items: Sequence[cst.WithItem], body: Body, code: str) -> bool:
    """Enter ``items``, run the body (its text: ``code``) and leave them; False when what follows is not reached."""
    if not items:
        return body()
    item, rest = items[0], items[1:]
    frames = it.frames

    def inner(entered: Value) -> bool:
        if item.asname is not None and isinstance(item.asname.name, cst.BaseExpression):
            assignment.assign(it, item.asname.name, entered)
        return follow(it, rest, body, code)

    here = list(frames)

    def run(given: Items) -> bool:
        there, it.frames = it.frames, list(here)
        reader, it.reader = it.reader, None
        try:
            return inner(truth.without_absent(given.values[0]) if given.values else UNKNOWN)
        finally:
            it.frames, it.reader = there, reader

    leaves = _LEAVES.search(code) is not None
    pending = Pending(item.item, run, leaves)
    outer, it.pending = it.pending, pending
    try:
        value = expressions.evaluate(it, item.item)
    finally:
        it.pending = outer
    if pending.went_on is not None:
        return pending.went_on
    _doubt(it, attributes.user_method(value, "__exit__") if isinstance(value, Instance) else None, leaves)
    restore_mode = stopping.keep_mode(it)
    entered, leave = _enter(it, value, item.item)
    try:
        live = inner(entered)
    finally:
        leave()
    if live and isinstance(value, Instance):
        _exit(it, value)
    if isinstance(value, Instance) or _STACK.search(it.frame.context.part.code(item.item)):
        restore_mode()  # one that turns gradients off turns them on again
    return live


def taken(it: Interpreter, function: Function, caller: object) -> Pending | None:
    """The body that runs at the ``yield`` of a function, when that is the context which is being entered."""
    pending = it.pending
    if pending is None or caller is not pending.node or not functions.is_generator(function):
        return None
    if not functions.decorator_names(function) & {"contextmanager", "asynccontextmanager"}:
        return None
    it.pending = None
    _doubt(it, function, pending.body_leaves)
    return pending


def _doubt(it: Interpreter, method: Function | None, leaves: bool) -> None:
    """What a context does at its end is not followed where the body may leave before."""
    if method is not None and leaves and _TRAINS.search(method.context.part.code(method.node)):
        gradients.doubt_all(it)


def _enter(it: Interpreter, value: Value, node: cst.CSTNode) -> tuple[Value, Callable[[], None]]:
    """Enter one item: what ``as`` binds, and what to do on leaving, however that comes about."""
    of_tape = tensorflow_tapes.context(it, value)
    if of_tape is not None:
        return of_tape
    if isinstance(value, expressions.GradMode):
        return NONE, stopping.set_mode(it, value.enabled, stopping.turned_off(it, it.site(node), value.name))
    if isinstance(value, Choice) and any(
        isinstance(option, expressions.GradMode) for option in value.options
    ):
        return NONE, stopping.set_mode(it, None, None)
    if isinstance(value, Device) and value.names == ("meta",):
        return value, identity.made_on_meta(it)
    if isinstance(value, Instance):
        method = attributes.user_method(value, "__enter__")
        return (value if method is None else functions.invoke(it, method, Arguments(), value)), _nothing
    if isinstance(value, OneShot) and value.kind == "generator":
        items = iteration.peek(it, value)
        return (truth.without_absent(items.values[0]) if items.values else UNKNOWN), _nothing
    return value, _nothing


def _nothing() -> None:
    return None


def switch_grad_mode(it: Interpreter, mode: expressions.GradMode, node: cst.CSTNode) -> None:
    """``torch.set_grad_enabled(…)`` as a statement: it holds for all that follows."""
    if mode.name.endswith("set_grad_enabled"):
        enabled = None if it.conditional else mode.enabled
        stopping.set_mode(it, enabled, stopping.turned_off(it, it.site(node), mode.name))


def call_grad_mode(it: Interpreter, mode: expressions.GradMode, method: str, node: cst.CSTNode) -> Value:
    """``torch.no_grad().__enter__()``: it holds until somebody leaves it."""
    entered = method == "__enter__"
    if entered or method == "__exit__":
        enabled = None if it.conditional else mode.enabled if entered else True
        stopping.set_mode(it, enabled, stopping.turned_off(it, it.site(node), mode.name))
    return UNKNOWN


def _exit(it: Interpreter, value: Instance) -> None:
    method = attributes.user_method(value, "__exit__")
    if method is not None:
        functions.invoke(it, method, Arguments((NONE, NONE, NONE)), value)
