"""Numbers that certainly want no gradient, and what stopped it: ``detach``, ``no_grad``, an operation without one.

Expressions, calls and the tables of tensor operations ask; ``values.Flow`` and ``values.Unknown`` keep the answers.
It must not know which rule asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import expressions
from optlint.semantics.site import Site
from optlint.semantics.values import (
    Choice,
    Const,
    Container,
    Cut,
    Device,
    External,
    Flow,
    Instance,
    Leaf,
    Scheduler,
    Text,
    Unknown,
    Value,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Lists inside one another that are looked through.
_MAX_DEPTH = 3
#: Longer arguments are left out where an operation is named.
_MAX_ARGUMENTS = 24


@dataclass(frozen=True)
class Off:
    """Gradients are turned off from here; ``branches``: under which conditions whose outcome is not known."""

    site: Site
    text: str
    branches: tuple[object, ...] = ()

    def cut(self, it: Interpreter) -> Cut:
        """The cut that it makes now."""
        return Cut("no_grad", self.site, self.text, it.steps, self.branches)


def turned_off(it: Interpreter, site: Site, name: str) -> Off:
    """Gradients are turned off by a context, decorator or switch of torch."""
    last = name.rsplit(".", 1)[-1]
    text = f"torch.{last}({'False' if last == 'set_grad_enabled' else ''})"
    return Off(site, text, tuple(it.branches))


def set_mode(it: Interpreter, enabled: bool | None, off: Off | None) -> Callable[[], None]:
    """Turn gradients on (True), off (False) or into "not known" (None); the result restores the former mode."""
    restore = keep_mode(it)
    if enabled is None or (off is None and not enabled):
        it.unknown_grad_mode += 1
    else:
        it.unknown_grad_mode = 0
        if enabled:
            it.no_grad.clear()
        elif off is not None:
            it.no_grad.append(off)
    return restore


def keep_mode(it: Interpreter) -> Callable[[], None]:
    """What brings back the present mode, whatever is done to it in between."""
    saved, saved_unknown = list(it.no_grad), it.unknown_grad_mode

    def restore() -> None:
        it.no_grad[:] = saved
        it.unknown_grad_mode = saved_unknown

    return restore


# -- values ----------------------------------------------------------------------------------------------------------


def wants_none(value: Value, depth: int = 0) -> bool:
    """Whether a value certainly wants no gradient, and nothing in it does."""
    if isinstance(value, Flow):
        return value.plain or (value.in_graph is False and not value.deps)
    if isinstance(value, Unknown):
        return value.plain or isinstance(value, (Device, Scheduler))
    if isinstance(value, Leaf):
        return value.requires_grad is False and "#written" not in value.slots
    if isinstance(value, Choice):
        return all(wants_none(option, depth) for option in value.options)
    if isinstance(value, Container):
        items = value.items
        return (
            depth < _MAX_DEPTH
            and not items.open
            and all(wants_none(part, depth + 1) for part in items.values)
        )
    return isinstance(value, (Const, Text, External))


def all_want_none(values: Iterable[Value]) -> bool:
    """Whether none of several values wants a gradient."""
    return all(wants_none(value) for value in values)


def stop_of(values: Iterable[Value], depth: int = 0) -> Cut | None:
    """What stopped the gradient of some numbers: the stop that was made last."""
    found: list[Cut] = []
    for value in values:
        inner: Cut | None = None
        if isinstance(value, (Flow, Unknown)):
            inner = value.stop
        elif isinstance(value, Choice):
            inner = stop_of(value.options, depth)
        elif isinstance(value, Container) and depth < _MAX_DEPTH:
            inner = stop_of(value.items.values, depth + 1)
        if inner is not None:
            found.append(inner)
    return max(found, key=lambda stop: stop.order, default=None)


def wanting(value: Value) -> Value:
    """A number from when it was told to want a gradient."""
    if isinstance(value, Flow):
        return replace(value, plain=False, in_graph=None)
    return replace(value, plain=False) if isinstance(value, Unknown) else value


def data(values: Iterable[Value] = ()) -> Unknown:
    """What is not known but wants no gradient: a batch, an array, a size."""
    return Unknown(plain=True, stop=stop_of(values))


def computed(it: Interpreter, values: Iterable[Value]) -> Unknown:
    """What a library that knows no gradient makes of ``values``."""
    given = [value for value in values if not isinstance(value, Instance)]
    return replace(data(given), cuts=frozenset(expressions.sources(it, given)[1]))


def stopped(it: Interpreter, values: list[Value], cut: Cut) -> Flow:
    """A result of ``values`` that is no part of the graph."""
    leaves, cuts, _ = expressions.sources(it, values)
    cut = replace(cut, order=it.steps)
    live = [value for value in values if not wants_none(value)]
    stop = cut if any(expressions.sources(it, [value])[0] for value in live) else stop_of(values)
    if stop is None and live:
        stop = cut
    return Flow(frozenset(), hardened(cuts, cut) | {(leaf, cut) for leaf in leaves}, plain=True, stop=stop)


def of_index(key: Value) -> frozenset[tuple[Leaf, Cut]]:
    """The cuts behind an index or a mask: what is chosen with it brings no gradient to what computed it."""
    return key.cuts if isinstance(key, (Flow, Unknown)) else frozenset()


def hardened(cuts: Iterable[tuple[Leaf, Cut]], cut: Cut) -> frozenset[tuple[Leaf, Cut]]:
    """The cuts behind a number that is cut once more: what gradient of zeros there was is none now."""
    given = frozenset(cuts)
    zeros = [pair for pair in given if pair[1].kind == "zero-gradient"]
    return given.difference(zeros) | {(leaf, cut) for leaf, _ in zeros} if zeros else given


def zeroed(it: Interpreter, values: list[Value], node: cst.CSTNode, text: str) -> Value:
    """A result of ``values`` whose gradient is zero."""
    if it.no_grad or it.unknown_grad_mode or all_want_none(values):
        return expressions.flow(it, values)
    leaves, cuts, _ = expressions.sources(it, values)
    cut = Cut("zero-gradient", it.site(node), text, it.steps)
    return Flow(frozenset(), frozenset(cuts | {(leaf, cut) for leaf in leaves}))


# -- words -----------------------------------------------------------------------------------------------------------


def told(it: Interpreter, node: cst.CSTNode, name: str) -> str:
    """How a message names a call: ``.argmax(1)``, ``one_hot(…)``, or a comparison as it is written."""
    code = it.frame.context.part.code
    if isinstance(node, cst.Call):
        given = ", ".join(" ".join(code(argument).rstrip(", ").split()) for argument in node.args)
        method = name.startswith(".")
        kept = given if method and len(given) <= _MAX_ARGUMENTS else "…"
        return f"{name}({kept})"
    if isinstance(node, cst.Comparison) and len(node.comparisons) == 1:
        return " ".join(code(node.comparisons[0].operator).split())
    return name
