"""Packed sequences of torch: named tuples whose ``data`` is the tensor itself, with its gradient.

``torch_calls`` asks when sequences are packed and when a recurrent layer is called on them. It must not know rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from optlint.semantics import expressions
from optlint.semantics.values import UNKNOWN, Arguments, Container, Items, NamedTuple, Value

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_FIELDS = ("data", "batch_sizes", "sorted_indices", "unsorted_indices")
_MAKERS = ("rnn.pack_padded_sequence", "rnn.pack_sequence", "rnn.PackedSequence")


def makes(name: str) -> bool:
    """Whether a function of torch, by its qualified name, gives a packed sequence."""
    return name.startswith("torch.nn.utils.") and name.endswith(_MAKERS)


def pack(it: Interpreter, values: Sequence[Value]) -> NamedTuple:
    """A packed sequence of what is computed from ``values``."""
    return NamedTuple(_FIELDS, Items((expressions.flow(it, values), UNKNOWN, UNKNOWN, UNKNOWN)))


def recurrent(it: Interpreter, leaves: Sequence[Value], arguments: Arguments) -> Value | None:
    """What a recurrent layer with these parameters gives for a packed sequence; None when it is called on none."""
    given = arguments.positional[0] if arguments.positional else None
    if not isinstance(given, NamedTuple) or given.names != _FIELDS:
        return None
    values = [*leaves, *arguments.all_values()]
    return Container("tuple", Items((pack(it, values), expressions.flow(it, values))))
