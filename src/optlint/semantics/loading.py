"""Modules and top-level definitions of the project: executed when they are first used, once for all branches.

The interpreter and ``imports`` ask for them. What they take is not charged to the run that asks, and one that takes
too long is known by its definitions only. Must not know what a statement means.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from optlint.deferred import regex
from optlint.semantics.frame import Context, Frame
from optlint.semantics.values import ABSENT, UNKNOWN, Const, Function, Namespace, Obj, UserClass, Value

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter
    from optlint.syntax.source_module import Slice, SourceModule

#: Steps that the body of one imported module may take.
MAX_MODULE_STEPS = 4_000
#: Steps of all imported modules of one analysis together; of later ones only the definitions are known.
MAX_LOADING_STEPS = 20_000

#: Decorators that put what they decorate into a table: they run when the module does.
_REGISTERS = regex(r"@[\w.]*regist|@\w+\.on\(", re.IGNORECASE)


class Lazy(Obj):
    """A top-level function or class whose slice is parsed when its name is first used."""

    __slots__ = ("context", "part")

    def __init__(self, context: Context, part: Slice) -> None:
        super().__init__(None)
        self.context = context
        self.part = part


def load(it: Interpreter, path: str) -> Namespace | None:
    """The globals of a project file, its body executed on first use; None when it cannot be parsed."""
    from optlint.semantics.pace import BudgetExceeded

    source = it.project.load(path)
    if source is None or path in it.namespaces:
        return it.namespaces.get(path)
    namespace = it.namespaces[path] = Namespace(path)
    it.sources[path] = source
    mark = it.heap.mark()
    asking, limit = it.steps, it.max_steps
    it.steps, it.max_steps = 0, min(MAX_MODULE_STEPS, MAX_LOADING_STEPS - it.loading_steps)
    it.pace.allow(it.steps)
    try:
        with _apart(it):
            run_body(it, namespace, source, "")
    except BudgetExceeded:
        keep_definitions(it, namespace, source, mark)
    except RecursionError:
        keep_definitions(it, namespace, source, mark)
        raise
    finally:
        it.loading_steps += it.steps
        it.steps, it.max_steps = asking, limit
        it.pace.allow(it.steps)
    it.heap.commit(mark)
    return namespace


@contextlib.contextmanager
def _apart(it: Interpreter) -> Iterator[None]:
    """What a module or definition does is done outside the branches, loops and contexts in which it is first used."""
    saved = {name: getattr(it, name) for name in _CONTEXT}
    it.conditional, it.no_grad, it.unknown_grad_mode = 0, [], 0
    it.unknown_rounds = it.later_rounds = it.catching = it.handling = 0
    it.branches, it.for_type_checkers = [], False
    try:
        yield
    finally:
        for name, value in saved.items():
            setattr(it, name, value)


_CONTEXT = (
    "conditional",
    "no_grad",
    "unknown_grad_mode",
    "unknown_rounds",
    "later_rounds",
    "catching",
    "handling",
    "branches",
    "for_type_checkers",
)


def run_body(it: Interpreter, namespace: Namespace, source: SourceModule, name: str) -> None:
    """Execute a module's top level; functions and classes wait until they are used."""
    namespace.slots["__name__"] = Const(name)
    namespace.slots["__file__"] = UNKNOWN
    for part in source.slices:
        context = Context(namespace, part)
        if part.definition is not None:
            lazy = Lazy(context, part)
            it.heap.set(namespace.slots, part.definition, lazy)
            if _REGISTERS.match(part.module.lines_text(part.first_line, part.first_line)):
                force(it, namespace.slots, part.definition, lazy)
            continue
        it.frames.append(Frame(context, namespace.slots))
        try:
            live = it.block(part.statements())
        finally:
            it.frames.pop()
        if not live:
            return


def keep_definitions(it: Interpreter, namespace: Namespace, source: SourceModule, mark: int) -> None:
    """Forget what a module that did not come to its end has done since ``mark``, but for what it defines.

    A list that it would have filled further must not look as if it were complete.
    """
    defined: dict[str, Value] = {}
    for part in source.slices:
        if part.definition is None:
            continue
        value = namespace.slots.get(part.definition, ABSENT)
        made_in = _slice_of(value)
        if made_in is part:
            defined[part.definition] = value
        elif value is ABSENT or (made_in is not None and made_in.definition == part.definition):
            defined[part.definition] = Lazy(Context(namespace, part), part)
    it.heap.rollback(mark)
    for name, value in defined.items():
        it.heap.set(namespace.slots, name, value)


def within(it: Interpreter, steps: int, action: Callable[[], Value]) -> Value | None:
    """What ``action`` gives; None, and nothing has happened, when it takes more than ``steps``."""
    from optlint.semantics.pace import MAX_WORK, BudgetExceeded, Repetitive

    mark, recorded, limit = it.heap.mark(), len(it.events), it.max_steps
    it.max_steps = min(limit, it.steps + steps)
    try:
        return action()
    except BudgetExceeded as stopped:
        if it.steps > limit or it.heap.work > MAX_WORK or isinstance(stopped, Repetitive):
            raise
        it.heap.rollback(mark)
        del it.events[recorded:]
        return None
    finally:
        it.max_steps = limit


def _slice_of(value: Value) -> Slice | None:
    if isinstance(value, Lazy):
        return value.part
    if isinstance(value, (Function, UserClass)):
        return value.context.part  # type: ignore[no-any-return]
    return None


def force(it: Interpreter, store: dict[str, object], name: str, lazy: Lazy) -> Value:
    """Parse and execute the slice of a definition; it stays defined whatever branch asked for it."""
    mark = it.heap.mark()
    frame = Frame(lazy.context, {})
    it.frames.append(frame)
    try:
        with _apart(it):
            it.block(lazy.part.statements())
    finally:
        it.frames.pop()
    it.heap.commit(mark)
    value = frame.variables.get(name, UNKNOWN)
    if store.get(name) is lazy:
        store[name] = value
    return value  # type: ignore[no-any-return]
