"""Operations that give values and their indices (``max`` along a dimension, ``topk``, ``sort``), and casts to integers.

The tables of torch's functions and methods ask; the values have a gradient, the rest has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from optlint.semantics import expressions, stopping
from optlint.semantics.values import (
    Arguments,
    Const,
    Cut,
    External,
    Flow,
    Items,
    NamedTuple,
    Unknown,
    Value,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Always give both.
_PAIRS = frozenset({"cummax", "cummin", "kthvalue", "mode", "sort", "topk"})
#: Give both along a dimension, else a number or the larger of two.
_REDUCTIONS = frozenset({"max", "median", "min", "nanmedian"})

_INTEGERS = "bool int int8 int16 int32 int64 long short uint8 uint16 uint32 uint64".split()
_INTEGER_TYPES = frozenset(
    {f"torch.{name}" for name in _INTEGERS}
    | {f"torch.{name}Tensor" for name in ("Bool", "Byte", "Char", "Int", "Long", "Short")}
)


def values_and_indices(
    it: Interpreter, name: str, values: Sequence[Value], arguments: Arguments, node: cst.CSTNode, method: bool
) -> Value | None:
    """What such an operation gives; None for any other, and where it is not known which form it is."""
    if name not in _PAIRS and not (name in _REDUCTIONS and _along(arguments, 0 if method else 1)):
        return None
    picked = expressions.flow(it, values)
    if it.no_grad:
        return NamedTuple(("values", "indices"), Items((picked, picked)), it.site(node))
    text = stopping.told(it, node, f".{name}" if method else name)
    cut = Cut("non-differentiable", it.site(node), f"{text}.indices")
    indices = stopping.stopped(it, list(values), cut)
    return NamedTuple(("values", "indices"), Items((picked, indices)), it.site(node))


def _along(arguments: Arguments, position: int) -> bool:
    dimension = arguments.get(position, "dim")
    if dimension is None:
        return False
    return isinstance(dimension, Const) and isinstance(dimension.value, int)


def cast(it: Interpreter, owner: Value, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """``x.to(torch.long)``: a tensor of integers or booleans; None where it is not certainly one."""
    if name not in ("to", "type") or not any(_is_integer(value) for value in arguments.all_values()):
        return None
    if it.no_grad:
        return expressions.flow(it, [owner])
    cut = Cut("cast", it.site(node), stopping.told(it, node, f".{name}"))
    if isinstance(owner, Unknown) and not owner.taint:
        return Flow(plain=True, stop=owner.stop or (None if owner.plain else cut))
    return stopping.stopped(it, [owner], cut)


def _is_integer(value: Value) -> bool:
    if isinstance(value, Const):
        return value.value in _INTEGER_TYPES
    return isinstance(value, External) and value.name in _INTEGER_TYPES
