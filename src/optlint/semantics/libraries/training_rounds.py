"""A round of the loop that a framework runs by itself: what happens in it happens many times in one call.

The modules of the frameworks call it; it knows none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from optlint.semantics import functions, gradients, stopping
from optlint.semantics.frame import Exits, Loop
from optlint.semantics.libraries import torch_optimizers
from optlint.semantics.values import Arguments, Function, Optimizer, Value
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter
    from optlint.semantics.site import Site


@contextmanager
def one_round(it: Interpreter, site: Site) -> Iterator[None]:
    """What is done inside is done in a loop that stands at ``site``: one round of many."""
    frame = it.frame
    loop = Loop(Exits(it.heap), Exits(it.heap))
    loop.begin_round(it.heap, site, it.conditional, repeats=True)
    frame.loops.append(loop)
    try:
        yield
    finally:
        frame.loops.remove(loop)


def hook(it: Interpreter, method: Function, arguments: Arguments, receiver: Value | None = None) -> Value:
    """The framework calls a function of the user's: no statement of the program does."""
    frame = it.frame
    saved, frame.statement = frame.statement, None
    restore_mode = stopping.keep_mode(it)  # the framework has its own idea of when gradients are on
    try:
        return functions.invoke(it, method, arguments, receiver)
    finally:
        restore_mode()
        frame.statement = saved


def clear(it: Interpreter, optimizers: Iterable[Value], node: cst.CSTNode) -> None:
    """The framework clears the gradients."""
    for optimizer in optimizers:
        if isinstance(optimizer, Optimizer):
            gradients.cleared(it, optimizer, it.site(node))


def step(it: Interpreter, optimizers: Iterable[Value], node: cst.CSTNode) -> None:
    """The framework steps the optimizers."""
    for optimizer in optimizers:
        if isinstance(optimizer, Optimizer):
            torch_optimizers.step(it, optimizer, node)
