"""Evaluation mode, the functions in which something happens, and the loops that ran: events and what records them.

The interpreter and the tables of methods report here; ``questions`` read. Nothing is decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics.events import Event
from optlint.semantics.site import Site
from optlint.semantics.values import TRUE, Arguments, Const, Value
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.frame import Frame
    from optlint.semantics.interpreter import Interpreter


@dataclass(frozen=True)
class Scope:
    """A function of the program that is being followed; ``owner``: the class it is a method of.

    ``began``: all that is older has a lower serial; ``sure``: since it was entered no branch of unknown outcome was.
    """

    site: Site
    name: str
    owner: str
    began: int
    sure: bool


@dataclass(frozen=True)
class ModeSet(Event):
    """``receiver.eval()`` or ``receiver.train(…)``; ``text``: how the user names the receiver.

    ``began``: that of the function it happens in; ``branches``: the conditions that it stands under.
    """

    receiver: Value
    text: str
    evaluating: bool | None
    began: int
    branches: tuple[object, ...] = ()


@dataclass(frozen=True)
class LoopRan(Event):
    """A ``for`` over ``source`` ended; the events from number ``first`` on happened in it.

    ``count``: how many rounds it has at most, if that is known.
    """

    source: Value
    count: int | None
    first: int


def set_mode(it: Interpreter, receiver: Value, name: str, arguments: Arguments, node: cst.CSTNode) -> None:
    """``eval()`` or ``train(…)`` is called on a module, or on what may be one."""
    mode = (arguments.get(0, "mode") or TRUE) if name == "train" else Const(False)
    evaluating = not mode.value if isinstance(mode, Const) else None
    text = ""
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        text = it.frame.context.part.code(node.func.value).strip()
    began = _function_frames(it)[-1:]
    it.record(
        ModeSet(
            it.site(node),
            bool(it.conditional),
            receiver,
            text,
            evaluating,
            began[0].began if began else 0,
            tuple(it.branches),
        )
    )


def _function_frames(it: Interpreter) -> list[Frame]:
    return [frame for frame in it.frames if "#node" in frame.variables]


def scopes(it: Interpreter) -> tuple[Scope, ...]:
    """The functions that are being followed, the innermost last."""
    return tuple(
        Scope(
            Site(frame.context.part, frame.variables["#node"], frame.variables["#node"]),
            frame.name,
            frame.owner.name if frame.owner is not None else "",
            frame.began,
            len(it.branches) == frame.under,
        )
        for frame in _function_frames(it)
    )


def loop_ran(it: Interpreter, node: cst.For, source: Value, count: int | None, first: int) -> None:
    """All rounds of a loop were followed."""
    it.record(LoopRan(it.site(node), bool(it.conditional), source, count, first))
