"""Statements that name a method without calling it, and uses of the None that ``step()`` and its like return.

``interpreter`` and ``expressions`` report here; only what has to do with training is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics.events import MethodNamed, NothingUsed
from optlint.semantics.site import Site
from optlint.semantics.values import Arguments, Const, Method, Value, options

if TYPE_CHECKING:
    import libcst as cst

    from optlint.semantics.interpreter import Interpreter

#: Methods that a training loop calls for their effect.
_EFFECTS = frozenset({"step", "zero_grad", "backward", "update"})


@dataclass(frozen=True, eq=False)
class NoneOf(Const):
    """The None that a method returned which is called for its effect: ``optimizer.step()``."""

    site: Site | None = None
    method: str = ""


def none_of(site: Site, method: str) -> NoneOf:
    """What ``method`` returned at ``site``."""
    return NoneOf(None, site, method)


def named(it: Interpreter, value: Value, node: cst.CSTNode) -> None:
    """A statement is nothing but ``x.method``: a method of the training loop named so does not run."""
    methods = [option for option in options(value) if isinstance(option, Method)]
    if methods and len(methods) == len(options(value)) and methods[0].name in _EFFECTS:
        it.record(MethodNamed(it.site(node), bool(it.conditional), methods[0].receiver, methods[0].name))


def used(it: Interpreter, value: Value, node: cst.CSTNode, how: str) -> None:
    """A value is used in a way that None does not allow: an attribute of it, a round over it, arithmetic."""
    if isinstance(value, NoneOf) and value.site is not None and not it.catching:
        it.record(NothingUsed(it.site(node), bool(it.conditional), value.site, value.method, how))


#: Functions that raise TypeError when they are given None, and how that uses it.
_REFUSE_NONE = {
    "builtins.float": "number",
    "builtins.int": "number",
    "builtins.abs": "number",
    "builtins.round": "number",
    "builtins.len": "iteration",
    "builtins.list": "iteration",
    "builtins.sum": "iteration",
    "builtins.enumerate": "iteration",
    "builtins.iter": "iteration",
    "math.isnan": "number",
    "math.isfinite": "number",
    "math.exp": "number",
}


def given(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> None:
    """A function of Python's own is called: some do not take None."""
    how = _REFUSE_NONE.get(name)
    if how is not None and arguments.positional:
        used(it, arguments.positional[0], node, how)
