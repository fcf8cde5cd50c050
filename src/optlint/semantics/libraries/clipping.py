"""Calls that clip gradients: torch's functions, accelerate's, and what is written by hand.

``torch_calls``, ``torch_optimizers`` and ``accelerators`` report here; what comes of it is asked by
``questions.clipping``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from optlint.deferred import regex
from optlint.semantics import gradients, iteration
from optlint.semantics.libraries.parameter_arguments import optimizer_leaves
from optlint.semantics.loop_events import Clipped, ClippedForNothing
from optlint.semantics.values import ABSENT, Arguments, External, Flow, Gradient, Leaf, Value, options
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: A bound that nothing exceeds: the norm is wanted, not the clipping.
_ENDLESS = regex(r"\binf\b|infinity|\b1e\+?\d\d|\b1e\+?[6-9]|maxsize", re.IGNORECASE)
_FUNCTIONS = frozenset({"clip_grad_norm_", "clip_grad_value_", "clip_grad_norm", "clip_grad_value"})
_CLAMPS = frozenset({"clamp", "clip", "clamp_min", "clamp_max"})
#: Lightning runs these between the backward pass and the step, wherever its module takes them.
_HOOKS = frozenset({"on_after_backward", "on_before_optimizer_step", "configure_gradient_clipping"})
#: Methods of a gradient that clip it where it is.
BY_HAND = frozenset({"clamp_", "clip_"})


def clipped(it: Interpreter, given: Value | None, name: str, arguments: Arguments, node: cst.CSTNode) -> None:
    """``clip_grad_norm_(given, …)``; uses up an iterator."""
    if given is None:
        return
    alone = [option for option in options(given) if isinstance(option, (Leaf, Flow))]
    values = (given,) if alone else iteration.take(it, given).values
    bound = it.frame.context.part.code(node) if isinstance(node, cst.Call) else ""
    if not arguments.open and not _ENDLESS.search(bound):
        more = not alone and iteration_is_open(given)
        _record(it, values, more, name.rsplit(".", 1)[-1], node)


def iteration_is_open(given: Value) -> bool:
    """Whether an iterable may give others than are known."""
    items = getattr(given, "items", None)
    return bool(getattr(items, "open", False))


def _record(it: Interpreter, values: tuple[Value, ...], more: bool, by: str, node: cst.CSTNode) -> None:
    every = [option for value in values for option in options(value) if option is not ABSENT]
    leaves = frozenset(option for option in every if isinstance(option, Leaf))
    data = [option for option in every if isinstance(option, Gradient) or _has_no_gradient(option)]
    unknown = more or len(data) + sum(isinstance(option, Leaf) for option in every) < len(every)
    unknown = unknown or any(frame.name in _HOOKS for frame in it.frames)
    holders = []
    for optimizer in it.book.known:
        held, others = optimizer_leaves(optimizer)
        if held & leaves or others:
            holders.append((optimizer, gradients.state(optimizer)))
    site, doubt = it.site(node), bool(it.conditional)
    # A state dict has buffers besides, which are no parameters either.
    of_state = all(isinstance(value, Flow) and _is_of_state_dict(value) for value in data)
    first = data[0] if data and not leaves and (of_state or not unknown) else None
    it.record(Clipped(site, doubt, leaves, unknown, by, tuple(holders), first, it.rounds()))


def _has_no_gradient(value: Value) -> bool:
    """Whether a tensor certainly has none: a result, or the values of a parameter without it."""
    return isinstance(value, Flow) and (value.in_graph is not None or value.alias is not None)


def _is_of_state_dict(value: Flow) -> bool:
    return value.origin is not None and value.origin.operation == ".state_dict()"


def by_hand(it: Interpreter, gradient: Gradient, name: str, node: cst.CSTNode) -> None:
    """``p.grad.clamp_(…)`` and, of no effect, ``p.grad.clamp(…)`` as a statement."""
    if name in BY_HAND and gradient.leaf is not None:
        _record(it, (gradient.leaf,), False, f".grad.{name}", node)
    elif name in _CLAMPS:
        statement = it.frame.statement
        if isinstance(statement, cst.Expr) and statement.value is node:
            it.record(ClippedForNothing(it.site(node), bool(it.conditional), name, True))


def is_clamp(name: str) -> bool:
    """Whether a function of torch gives a clipped copy."""
    return name.removeprefix("torch.") in _CLAMPS


def named(it: Interpreter, value: Value, node: cst.CSTNode) -> None:
    """A statement is nothing but the name of a function: one that clips does not run."""
    if isinstance(value, External) and value.name.rsplit(".", 1)[-1] in _FUNCTIONS:
        last = value.name.rsplit(".", 1)[-1]
        it.record(ClippedForNothing(it.site(node), bool(it.conditional), last, False))
