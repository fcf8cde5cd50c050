"""Notes the layers that are made while a Keras layer or model computes. ``keras_models`` and ``functions`` tell.

Must not know whether they have weights, nor what becomes of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import families, forwards, walking
from optlint.semantics.libraries.keras_graph import Symbolic
from optlint.semantics.values import Instance, Value
from optlint.semantics.variable_events import LayerMadeInCall
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.frame import Frame
    from optlint.semantics.interpreter import Interpreter

#: The methods that Keras calls once for each batch.
_METHODS = frozenset({"call", "train_step"})
#: Those that it calls once.
_ONCE = frozenset({"__init__", "build"})


def note_made(it: Interpreter, layer: Instance, node: cst.CSTNode) -> None:
    """A layer or model was made."""
    frame = _computing(it)
    if frame is None or not isinstance(frame.receiver, Instance):
        return
    values = [value for name, value in frame.variables.items() if not name.startswith("#")]
    symbolic = any(isinstance(part, Symbolic) for part in walking.within(v for v in values if _is_value(v)))
    it.record(
        LayerMadeInCall(
            it.site(node), bool(it.conditional), frame.receiver, frame.name, layer, it.frame.name, symbolic
        )
    )


def _is_value(value: object) -> bool:
    return isinstance(value, Value)


def _computing(it: Interpreter) -> Frame | None:
    """The method of a layer that computes now; none while something is built or made in it, or kept."""
    found: Frame | None = None
    for frame in reversed(it.frames):
        owner = frame.receiver
        if found is not None:
            if frame.name in _ONCE and owner is found.receiver:
                return None  # it runs to make the layers of its owner
            continue
        if frame.name in _ONCE or forwards.is_kept(frame):
            return None
        if frame.name in _METHODS and isinstance(owner, Instance) and families.keras_kind(owner.cls):
            found = frame
    return found
