"""Ignite's engines: the supervised trainer, engines around the user's step function, and handlers of their events.

``frameworks`` calls it. ``engine.run`` is many rounds of the step, the handlers around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import calls, expressions
from optlint.semantics.libraries import training_rounds
from optlint.semantics.values import (
    NONE,
    UNKNOWN,
    Arguments,
    Container,
    Function,
    Instance,
    Items,
    LibraryClass,
    Method,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

ENGINE = "ignite.Engine"
#: What ``engine.on(event)`` gives: decorating a function with it makes that a handler.
HANDLER = "ignite.Handler"
_TRAINERS = frozenset({"create_supervised_trainer"})
_HARMLESS = frozenset(
    """
    terminate terminate_epoch has_event_handler remove_event_handler fire_event state_dict load_state_dict
    register_events set_data should_interrupt
    """.split()
)
_ROUNDS = 2


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """A function or class of ignite that gives an engine; None for any other."""
    if not name.startswith("ignite."):
        return None
    last = name.rsplit(".", 1)[-1]
    engine = Instance(LibraryClass(ENGINE), it.site(node))
    if last in _TRAINERS:
        for position, given in enumerate(("model", "optimizer", "loss_fn")):
            it.heap.set(engine.slots, f"#{given}", arguments.get(position, given) or UNKNOWN)
        return engine
    if last == "Engine":
        it.heap.set(engine.slots, "#process", arguments.get(0, "process_function") or UNKNOWN)
        return engine
    return engine if last == "create_supervised_evaluator" else None


def get_attribute(it: Interpreter, owner: Instance, name: str) -> Value | None:
    """What an engine knows of its run; None for its methods."""
    return UNKNOWN if name in ("state", "logger", "last_event_name", "should_terminate") else None


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of an engine; None for one that is not known."""
    if name == "run":
        _run(it, owner, node)
        return UNKNOWN
    if name == "on":
        handler = Instance(LibraryClass(HANDLER), it.site(node))
        it.heap.set(handler.slots, "#engine", owner)
        return handler
    if name == "add_event_handler":
        function = arguments.get(1, "handler") or UNKNOWN
        attach(it, owner, function, arguments.positional[2:])
        return UNKNOWN
    return UNKNOWN if name in _HARMLESS else None


def attach(it: Interpreter, engine: Instance, function: Value, arguments: tuple[Value, ...] = ()) -> None:
    """Note that ``function`` runs at some event; one that cannot be seen gets its arguments."""
    if expressions.is_bystander(function):
        return
    if not isinstance(function, (Function, Method)):
        calls.escape(it, [function, *arguments])
        return
    earlier = engine.slots.get("#handlers")
    known = earlier.items.values if isinstance(earlier, Container) else ()
    entry = Container("tuple", Items((function, *arguments)))
    it.heap.set(engine.slots, "#handlers", Container("list", Items((*known, entry))))


def decorate(it: Interpreter, handler: Instance, function: Value) -> None:
    """``@engine.on(event)`` above a function."""
    engine = handler.slots.get("#engine")
    if isinstance(engine, Instance):
        attach(it, engine, function)


def _run(it: Interpreter, engine: Instance, node: cst.CSTNode) -> None:
    handlers = engine.slots.get("#handlers")
    attached = handlers.items.values if isinstance(handlers, Container) else ()
    for _ in range(_ROUNDS if attached else 1):
        with training_rounds.one_round(it, it.site(node)):
            _step(it, engine, node)
            for entry in attached:
                _handle(it, engine, entry, node)


def _handle(it: Interpreter, engine: Instance, entry: Value, node: cst.CSTNode) -> None:
    """A handler may run in this round, or in another: events are filtered."""
    if not isinstance(entry, Container):
        return
    function, *given = entry.items.values

    def happens() -> bool:
        calls.call(it, function, Arguments((engine, *given)), node)
        return True

    it.fork([happens, lambda: True])


def _step(it: Interpreter, engine: Instance, node: cst.CSTNode) -> None:
    from optlint.semantics.libraries import tensor_calls

    process = engine.slots.get("#process")
    if isinstance(process, (Function, Method)):
        calls.call(it, process, Arguments((engine, UNKNOWN)), node)
        return
    model = engine.slots.get("#model")
    if not isinstance(model, Instance):
        if process is not None or model is not None:
            calls.escape(it, [value for value in (process, model) if isinstance(value, Value)])
        return
    optimizers = options(engine.slots.get("#optimizer", UNKNOWN))
    training_rounds.clear(it, optimizers, node)
    prediction = calls.call(it, model, Arguments((UNKNOWN,)), node)
    loss = calls.call(it, engine.slots.get("#loss_fn", UNKNOWN), Arguments((prediction, UNKNOWN)), node)
    if loss not in (NONE, UNKNOWN):
        tensor_calls.record_backward(it, loss, node)
    training_rounds.step(it, optimizers, node)
