"""Whether ``.cuda()``, ``.to(…)``, ``.half()`` and their like give back the tensor itself or a new one.

``tensor_calls`` asks for leaves; where a leaf was made, ``torch_calls`` notes its device and type here.
Must not know rules.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from optlint.deferred import regex
from optlint.semantics import walking
from optlint.semantics.values import (
    Arguments,
    Choice,
    Const,
    Device,
    External,
    Leaf,
    Unknown,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: The result is certainly another tensor; it is one on every GPU; it depends on where the program runs.
ALWAYS, GPU, PERHAPS = "always", "gpu", "perhaps"

#: Make a tensor of the default type on the default device where nothing else is said.
_FACTORIES = frozenset({"randn", "rand", "zeros", "ones", "empty", "full", "linspace", "eye", "normal"})
#: Make a tensor of the processor's memory, whatever they are given.
_ON_CPU = frozenset({"torch.Tensor", "torch.FloatTensor", "torch.from_numpy"})
_OTHER_TYPES = frozenset({"float64", "double", "float16", "half", "bfloat16", "DoubleTensor", "HalfTensor"})
_DEVICE_NAME = regex(r"device|cuda|gpu", re.IGNORECASE)


def note_made(leaf: Leaf, name: str, arguments: Arguments) -> None:
    """Note where a new tensor lies and of what type it is, as far as the call that makes it says so."""
    last = name.rsplit(".", 1)[-1]
    if name in _ON_CPU and not arguments.open:
        leaf.slots["#on_cpu"] = True
    known = last in _FACTORIES or (
        last in ("tensor", "FloatTensor") and not arguments.open and _plain(arguments.get(0, "data"))
    )
    if not known or arguments.open:
        return
    if "device" not in arguments.keywords or arguments.keywords["device"] == Const("cpu"):
        leaf.slots["#on_cpu"] = True
    if "dtype" not in arguments.keywords and last != "full":
        leaf.slots["#float32"] = True


def note_wrapped(leaf: Leaf, data: Value | None) -> None:
    """``nn.Parameter(data)`` lies where its data does."""
    if isinstance(data, Leaf):
        for key in ("#on_cpu", "#float32"):
            if data.slots.get(key) is True:
                leaf.slots[key] = True


def note_moved(it: Interpreter, leaf: Leaf, name: str) -> None:
    """A tensor was moved: where it lies from then on, and of what type it is, is not known."""
    if name not in ("contiguous", "pin_memory"):
        for key in ("#on_cpu", "#float32"):
            if key in leaf.slots:
                it.heap.set(leaf.slots, key, False)


def _plain(data: Value | None) -> bool:
    """Whether data are written out as numbers with a point."""
    numbers = walking.within([data] if data is not None else [])
    return any(isinstance(value, Const) and isinstance(value.value, float) for value in numbers)


def moves(name: str, leaf: Leaf, arguments: Arguments, node: cst.CSTNode) -> str:
    """``ALWAYS``, ``GPU``, ``PERHAPS``, or nothing where the result is the leaf itself."""
    fresh = not leaf.is_parameter or _made_here(node)
    on_cpu = fresh and leaf.slots.get("#on_cpu") is True
    float32 = fresh and leaf.slots.get("#float32") is True
    if name == "cuda":
        return GPU if on_cpu else ""
    if name in ("half", "double", "bfloat16"):
        return ALWAYS if float32 else ""
    if name not in ("to", "type"):
        return ""
    answers = {_to(value, on_cpu, float32, node) for value in arguments.all_values()}
    if arguments.keywords.get("copy") == Const(True):
        return ALWAYS
    return next((answer for answer in (ALWAYS, GPU, PERHAPS) if answer in answers), "")


def _made_here(node: cst.CSTNode) -> bool:
    """Whether the tensor is moved where it is made: later a module may have moved its parameters itself."""
    return (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Attribute)
        and isinstance(node.func.value, cst.Call)
    )


def _to(target: Value, on_cpu: bool, float32: bool, node: cst.CSTNode) -> str:
    if isinstance(target, External) and target.name.startswith("torch."):
        last = target.name.removeprefix("torch.")
        if last.startswith("cuda."):
            return GPU if on_cpu else ""
        return ALWAYS if float32 and last in _OTHER_TYPES else ""
    names = target.names if isinstance(target, Device) else device_names(target)
    if names == ("meta",):
        return ALWAYS
    if not on_cpu:
        return ""  # it was made or moved there before, for all that is known
    if names and all(name is not None and name != "cpu" for name in names):
        return GPU
    if any(name is not None and name != "cpu" for name in names):
        return PERHAPS
    if isinstance(target, Unknown) and not target.taint and _names_a_device(node):
        return PERHAPS
    return ""


def _names_a_device(node: cst.CSTNode) -> bool:
    """Whether what a tensor is moved to is called a device."""
    if not isinstance(node, cst.Call):
        return False
    return any(_DEVICE_NAME.search(_last_name(argument.value)) for argument in node.args)


def _last_name(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""


def device_names(value: Value) -> tuple[str | None, ...]:
    """The kinds of device that a value may stand for: ``cpu``, ``cuda``; None for one that is not known."""
    if isinstance(value, Choice):
        return tuple(name for option in options(value) for name in device_names(option))
    if isinstance(value, Device):
        return value.names
    if isinstance(value, Const) and isinstance(value.value, str):
        return (value.value.split(":", 1)[0],)
    return (None,) if isinstance(value, Unknown) else ()


def told(name: str, arguments: Arguments) -> str:
    """How a message names such a call."""
    given = arguments.positional or arguments.keywords
    return f".{name}(…)" if given else f".{name}()"
