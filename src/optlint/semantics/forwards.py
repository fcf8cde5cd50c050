"""Notes what is made while a module's forward runs, and how leaf tensors get their values.

The tables of torch's functions and the constructors tell; the questions about forwards and turned parameters ask.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from optlint.deferred import regex
from optlint.semantics import families, modules
from optlint.semantics.registration_events import LeafFilled, LeafWritten, MadeInForward
from optlint.semantics.values import Instance, Leaf
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.frame import Frame
    from optlint.semantics.interpreter import Interpreter

#: The methods that torch and Lightning call once for each batch.
_FORWARDS = frozenset({"forward", "training_step"})
#: A parameter that was made while a forward ran.
_BORN_THERE = "#born_in_forward"
#: Functions that keep what they made: it is not made again at each call.
_KEEPS = regex(r"cache|memo|singleton|once", re.IGNORECASE)


def running(it: Interpreter) -> tuple[Instance, str] | None:
    """The module whose forward runs now, and the method; none while something is constructed in it or kept."""
    for frame in reversed(it.frames):
        if frame.name == "__init__" or is_kept(frame):
            return None
        owner = frame.receiver
        if frame.name in _FORWARDS and isinstance(owner, Instance) and families.is_module(it, owner):
            return owner, frame.name
    return None


def is_kept(frame: Frame) -> bool:
    """Whether what a function makes is kept for its next calls, as its decorator says."""
    node = frame.variables.get("#node")
    decorators = node.decorators if isinstance(node, cst.FunctionDef) else ()
    return any(_KEEPS.search(frame.context.part.code(decorator)) for decorator in decorators)


def note_made(it: Interpreter, made: Instance | Leaf, node: cst.CSTNode) -> None:
    """A module or Parameter was made; outside of a forward, or where no gradient is recorded, it is no matter."""
    if it.no_grad or it.unknown_grad_mode:
        return
    found = running(it)
    if found is None:
        return
    leaves = frozenset({made}) if isinstance(made, Leaf) else _new_leaves(it, made)
    for leaf in leaves:
        leaf.slots[_BORN_THERE] = True
    if leaves:
        it.record(MadeInForward(it.site(node), bool(it.conditional), *found, made, leaves, it.frame.name))


def _new_leaves(it: Interpreter, module: Instance) -> frozenset[Leaf]:
    """The parameters of a module that were made with it, not handed to it."""
    listed = modules.parameters(it, module).parameters
    return frozenset(e.leaf for e in listed if e.leaf.serial > module.serial or _BORN_THERE in e.leaf.slots)


def note_filled(it: Interpreter, leaf: Leaf, how: str, node: cst.CSTNode) -> None:
    """A leaf got values from ``nn.init.constant_`` or ``fill_`` and their like."""
    it.record(LeafFilled(it.site(node), bool(it.conditional), leaf, how))


def note_written(it: Interpreter, leaf: Leaf, how: str, node: cst.CSTNode) -> None:
    """A leaf is written in place: while gradients are recorded torch refuses that for one that wants a gradient."""
    recording = not it.no_grad and not it.unknown_grad_mode
    if leaf.is_parameter and leaf.requires_grad is True and recording:
        constructing = any(frame.name == "__init__" for frame in it.frames)
        it.record(LeafWritten(it.site(node), bool(it.conditional), leaf, how, constructing))
