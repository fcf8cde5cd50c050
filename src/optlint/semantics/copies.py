"""Copies of numbers: what was put into a new tensor, and in which sums it is a term when a backward pass begins.

``torch.tensor(loss)`` and its like report here, then the operations on the result. Must not know rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.semantics import stopping
from optlint.semantics.terms import Copy, Terms, joined
from optlint.semantics.values import (
    TRUE,
    Choice,
    Container,
    Cut,
    Flow,
    Instance,
    Leaf,
    Unknown,
    Value,
    options,
    terms_of,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_SLOT = "#terms"
#: Lists inside one another that are looked through.
_MAX_DEPTH = 3
#: Operations that give the sum of what they are given (and views of one tensor), those that scale it, and those that
#: leave the terms of a sum what they are.
_SUMS = frozenset(
    {"+", "-", "add", "sub", "subtract", "stack", "cat", "concat", "concatenate", "hstack", "vstack"}
)
_SCALES = frozenset({"*", "/", "mul", "multiply", "div", "divide", "true_divide"})
_KEEPS = frozenset(
    "mean sum neg negative squeeze unsqueeze view reshape flatten to cuda cpu float double half type type_as clone"
    " contiguous".split()
)


# -- making ----------------------------------------------------------------------------------------------------------


def wrapped(it: Interpreter, leaf: Leaf, data: Value, node: cst.CSTNode) -> None:
    """``leaf`` is a new tensor made of ``data``: note it where that was computed."""
    cuts: frozenset[tuple[Leaf, Cut]] = leaf.slots.get("#cuts", frozenset())
    if cuts or _computed(data):
        asks = leaf.requires_grad
        if asks is not None:
            copy = Copy(it.site(node), "new", asks, leaf, cuts, bool(cuts) or _severed(data))
            leaf.slots[_SLOT] = Terms(frozenset({copy}))


def _computed(data: Value) -> bool:
    found = data.items.values if isinstance(data, Container) and data.kind in ("list", "tuple") else (data,)
    parts = [option for value in found for option in options(value)]
    return any(
        isinstance(part, Unknown)
        or (isinstance(part, Flow) and (part.stop is not None or not stopping.wants_none(part)))
        for part in parts
    )


def _severed(data: Value) -> bool:
    """Whether a number was cut off from something that may have had a gradient."""
    return stopping.stop_of([data]) is not None


def wrapped_parameter(it: Interpreter, leaf: Leaf, data: Flow, node: cst.CSTNode) -> None:
    """``nn.Parameter(data)``: the same, of a number that was computed of other leaves."""
    here = Cut("detach", it.site(node), "Parameter(…)", it.steps)
    cuts = data.cuts | {(source, here) for source in data.deps}
    if cuts and leaf.requires_grad is True:
        copy = Copy(it.site(node), "parameter", True, leaf, cuts, True)
        leaf.slots[_SLOT] = Terms(frozenset({copy}))


def told_to_want(it: Interpreter, leaf: Leaf, number: Flow | Unknown, how: str, node: cst.CSTNode) -> None:
    """``number`` was told to want a gradient, which made it ``leaf``; it may have had one before (a flag only)."""
    severed = bool(number.cuts) or (number.stop is not None and stopping.wants_none(number))
    if severed or (how == "flag" and not stopping.wants_none(number)):
        copy = Copy(it.site(node), how, True, leaf, number.cuts, severed, False if severed else None)
        leaf.slots[_SLOT] = Terms(frozenset({copy}))


def told(it: Interpreter, leaf: Leaf, node: cst.CSTNode) -> None:
    """A tensor that is a copy was told to want a gradient: that is what silences the error."""
    terms = of(leaf)
    if terms is not None:
        how = "call" if isinstance(node, cst.Call) else "flag"
        marked = frozenset(replace(copy, site=it.site(node), how=how, asks=True) for copy in terms.copies)
        it.heap.set(leaf.slots, _SLOT, replace(terms, copies=marked))


def asked(it: Interpreter, number: Unknown, how: str, node: cst.CSTNode) -> Value | None:
    """What something unknown is after it was told to want a gradient; None where it may be what it was."""
    if number.plain and number.stop is not None:
        leaf = Leaf(it.site(node), is_parameter=False, requires_grad=True, fresh=False)
        told_to_want(it, leaf, number, how, node)
        leaf.slots["#cuts"] = number.cuts
        return leaf
    if number.plain:
        return stopping.wanting(number)
    return flagged(it, number, node) if how == "flag" and type(number) is Unknown else None


def flagged(it: Interpreter, number: Flow | Unknown, node: cst.CSTNode) -> Value:
    """``number.requires_grad = True`` where it may have a gradient: torch refuses that, or there is none."""
    sure = isinstance(number, Flow) and bool(number.deps) and not number.cuts
    copy = Copy(it.site(node), "flag", True, None, number.cuts, False, True if sure else None)
    return replace(number, terms=Terms(frozenset({copy})))


# -- passing on ------------------------------------------------------------------------------------------------------


def of(value: Value, depth: int = 0) -> Terms | None:
    """The copies among the terms of a number, or of all numbers in a list; ``depth``: lists around it."""
    if isinstance(value, Leaf):
        terms = value.slots.get(_SLOT)
        return terms if isinstance(terms, Terms) and "#written" not in value.slots else None
    if isinstance(value, (Flow, Unknown)):
        return value.terms
    if isinstance(value, Choice):
        return joined([of(option, depth) for option in value.options])
    if isinstance(value, Container) and depth < _MAX_DEPTH:
        return _sum(value.items.values, value.items.open, depth + 1)
    return None


def summed(result: Value, values: Sequence[Value], more: bool = False) -> Value:
    """``result`` is the sum of ``values``."""
    return _with(result, _sum(values, more))


def computed_by(operation: str, result: Value, values: Sequence[Value]) -> Value:
    """``result`` was computed of ``values`` by an operation (``+``, ``.mean()``, ``stack(…)``)."""
    if not any(_may_have(value) for value in values):
        return result
    word = re.match(r"(?:\w*\.)*(\w+)", operation)
    name = word[1] if word is not None else operation
    if name in _SUMS:
        return _with(result, _sum(values[:2]))
    if name in _SCALES:
        return _with(result, _scaled(name, values[:2]))
    return _with(result, of(values[0])) if name in _KEEPS and values else result


def _may_have(value: Value) -> bool:
    if isinstance(value, Leaf):
        return _SLOT in value.slots
    return isinstance(value, (Choice, Container)) or terms_of(value) is not None


def _with(result: Value, terms: Terms | None) -> Value:
    if terms is None or not terms.copies:
        return result
    plain = isinstance(result, Flow) or type(result) is Unknown
    return replace(result, terms=terms) if plain else result  # type: ignore[type-var]


def _sum(values: Iterable[Value], more: bool = False, depth: int = 0) -> Terms | None:
    copies: frozenset[Copy] = frozenset()
    whole = not more
    for value in values:
        terms = of(value, depth)
        if terms is not None:
            copies |= terms.copies
        whole = whole and (_is_constant(value) if terms is None else terms.whole)
    return Terms(copies, whole) if copies else None


def _scaled(name: str, values: Sequence[Value]) -> Terms | None:
    found = [of(value) for value in values]
    if len(values) != 2 or (found[0] is None) == (found[1] is None):
        return None
    if found[0] is None and "di" in name + "di" * (name == "/"):
        return None
    scale = values[1] if found[0] is not None else values[0]
    return (found[0] or found[1]) if _is_constant(scale) else None


def _is_constant(value: Value) -> bool:
    """Whether a number certainly brings no gradient to a parameter."""
    if isinstance(value, Leaf):
        return not value.is_parameter and "#written" not in value.slots
    return stopping.wants_none(value)


# -- flags -----------------------------------------------------------------------------------------------------------


def flag_set(it: Interpreter, owner: Value, value: Value, target: cst.Attribute) -> Value | None:
    """What ``owner`` is after ``owner.requires_grad = value``; None where it stays what it was."""
    from optlint.semantics.libraries import tensor_calls

    if target.attr.value != "requires_grad" or value != TRUE or isinstance(owner, Instance):
        return None
    if isinstance(owner, Unknown):
        return asked(it, owner, "flag", target)
    if not isinstance(owner, Flow) or (owner.alias is not None and owner.cuts):
        return None
    made = tensor_calls.made_leaf(it, owner, target, "flag")
    return made if isinstance(made, Leaf) else flagged(it, owner, target)
