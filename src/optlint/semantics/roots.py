"""Where following a program begins: the module body first, then every function and class that it did not reach.

``analysis`` calls ``follow`` and hands each run to the rules while its state still stands.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from optlint.deferred import regex
from optlint.semantics import attributes, calls, expressions, families, functions, gradients, loading, tapes
from optlint.semantics.events import MethodBegan, Returned
from optlint.semantics.frame import Context, Frame
from optlint.semantics.interpreter import Interpreter
from optlint.semantics.libraries import keras_generation, lightning
from optlint.semantics.pace import MAX_STEPS, BudgetExceeded, Pace
from optlint.semantics.program import Run
from optlint.semantics.values import (
    Arguments,
    Container,
    DictObj,
    Function,
    Instance,
    Method,
    Namespace,
    Optimizer,
    UserClass,
    Value,
    next_serial,
    options,
)

if TYPE_CHECKING:
    from optlint.syntax.source_module import Slice, SourceModule

#: Runs begun in one file; a generated file with thousands of functions is cut here.
MAX_RUNS = 300
#: Steps of all runs of one file together.
MAX_FILE_STEPS = 120_000
#: Steps of a run that begins in a function or class of which the module body made no use.
MAX_SIDE_STEPS = 14_000

#: A function or class without any of these words holds no parameters and trains nothing: whatever it does to tensors
#: (``detach``, ``item``, ``no_grad``) it does for others, from where it is followed.
_RELEVANT = regex(
    r"optim|Adam|SGD|RMSprop|LBFGS|trainable|requires_grad|Variable\(|backward\(|\bnn\.|Module\b|Parameter\b|Layer\b"
    r"|Lightning|kbit_training|\bdef (?:call|forward)\("
)

_TEST = regex(r"(?:test_|Test)\w*|\w+Tests?")
_TEST_FILE = regex(r"(?:^|/)(?:tests?/|test_[^/]*\.py$|[^/]*_test\.py$)")

Checker = Callable[[Run], None]


def follow(it: Interpreter, source: SourceModule, path: str, check: Checker) -> list[str]:
    """Run the file from each of its roots and call ``check`` with what happened in each run.

    Says what was left out, and the bound that is why.
    """
    left_out: list[str] = []
    it.keras_of = lambda: keras_generation.of_file(source.text, it.project.requirements(path))
    namespace = Namespace(path)
    it.namespaces[path] = namespace
    it.sources[path] = source
    mark = it.heap.mark()
    body = _run(
        it,
        path,
        "<module>",
        lambda: loading.run_body(it, namespace, source, "__main__"),
        check,
        MAX_STEPS,
        keep=True,
    )
    if not body.complete:
        left_out.append(f"what it does when it runs is followed in part only ({body.bound})")
        loading.keep_definitions(it, namespace, source, mark)
    spent = body.steps
    roots = [part for part in source.slices if _is_root(part)]
    if len(roots) > MAX_RUNS:
        left_out.append(
            f"from line {roots[MAX_RUNS].first_line} on, what it defines is not followed (MAX_RUNS)"
        )
    for part in roots[:MAX_RUNS]:
        left = MAX_FILE_STEPS - spent - it.loading_steps
        if left <= 0:
            left_out.append(
                f"from line {part.first_line} on, what it defines is not followed (MAX_FILE_STEPS)"
            )
            break
        name = part.definition or ""
        follow_part = functools.partial(_follow_definition, it, namespace, part)
        spent += _run(it, path, name, follow_part, check, min(MAX_SIDE_STEPS, left)).steps + 1
    return left_out


def _is_root(part: Slice) -> bool:
    if part.definition is None:
        return False
    if _TEST.fullmatch(part.definition) and _TEST_FILE.search(part.module.path.replace("\\", "/")):
        return False  # tests do on purpose what a training script must not
    return _RELEVANT.search(part.module.lines_text(part.first_line, part.last_line)) is not None


def _run(
    it: Interpreter,
    path: str,
    root: str,
    action: Callable[[], object],
    check: Checker,
    max_steps: int,
    keep: bool = False,
) -> Run:
    """One run from a clean list of events; its effects are taken back unless ``keep``."""
    it.events = []
    it.steps = 0
    it.max_steps = max_steps
    it.pace = Pace()
    it.heap.work = 0
    it.catching = it.handling = 0
    it.unknown_rounds = it.later_rounds = 0
    it.root_class = None
    it.no_grad.clear()
    it.unknown_grad_mode = 0
    it.conditional = 0
    it.entry = 0
    it.since = next_serial()
    it.reader = None
    it.parameters_used = None
    it.book = gradients.Book(list(it.book.known), scalers=list(it.book.scalers))
    it.recording = tapes.Recording(it.recording.used)
    gradients.entered(it)
    frames = len(it.frames)
    mark = it.heap.mark()
    run = Run(path, root, it)
    try:
        action()
    except BudgetExceeded as stopped:
        run.bound = stopped.bound
    except RecursionError:
        run.bound = "the depth of Python's stack"
    finally:
        del it.frames[frames:]
    run.events = it.events
    run.steps = it.steps
    it.heap.work = 0
    it.steps = 0
    it.pace.until = it.max_steps = MAX_SIDE_STEPS  # the rules' own questions are not charged to the run
    check(run)
    run.steps += it.steps
    if not keep:
        it.heap.rollback(mark)
    return run


def _follow_definition(it: Interpreter, namespace: Namespace, part: Slice) -> None:
    frame = Frame(Context(namespace, part), namespace.slots)
    it.frames.append(frame)
    value = it.global_name(namespace, part.definition or "")
    if isinstance(value, Function) and value.node not in it.entered:
        result = _call_unknown(it, value, None)
        tapes.give(it, [result])
        for given in _parts(result):
            for option in options(given):
                gradients.escaped(it, option)
    elif isinstance(value, UserClass) and value.context.part is part:
        _follow_class(it, value)


def _call_unknown(it: Interpreter, function: Function, receiver: Value | None) -> Value:
    """Call a function with arguments of which nothing is known (its defaults may or may not hold)."""
    return functions.invoke(it, function, Arguments((), {}, True), receiver)


def _follow_class(it: Interpreter, cls: UserClass) -> None:
    """Make an instance with unknown arguments and call what the module body did not call."""
    methods = _methods(cls)
    if methods and all(method.node in it.entered for method in methods):
        return
    if families.is_optimizer_class(it, cls) or cls.slots.get("#fitted"):
        return  # a trainer was seen to fit it, with the arguments that it really gets
    entered_before = it.entered
    it.root_class = cls
    it.entered = set()
    instance = functions.instantiate(it, cls, Arguments((), {}, True), cls.node)
    constructing = it.entered
    it.entered = entered_before | constructing
    if not isinstance(instance, Instance):
        return
    fitted = families.is_lightning(cls)
    if fitted:
        lightning.fit(it, instance, cls.node)
    elif families.is_module(it, instance) and attributes.user_method(instance, "forward") is not None:
        calls.call_instance(it, instance, Arguments((), {}, True), cls.node)
    for method in methods:
        if method.name.startswith("__") or method.name == "forward":
            continue
        if method.node in constructing:
            continue  # a part of the constructor: what it makes is made once
        if fitted and method.name in lightning.HOOKS:
            continue
        if method.node in entered_before and not families.is_module(it, instance):
            continue  # what it does was seen; of a module it matters what it gives out
        if fitted and method.node in it.entered:
            continue  # a hook that has run already
        names = functions.decorator_names(method)
        receiver = None if "staticmethod" in names else cls if "classmethod" in names else instance
        if "property" not in names and not any(isinstance(d, Method) for d in method.decorators):
            it.entry += 1
            it.since = next_serial()
            it.record(MethodBegan(it.site_of(method), False))
            gradients.entered(it)
            it.no_grad.clear()  # another method may have turned gradients off for all that follows there
            it.unknown_grad_mode = 0
            result = _call_unknown(it, method, receiver)
            if isinstance(receiver, Instance):
                _given_out(it, result, method)


def _methods(cls: UserClass) -> list[Function]:
    """Its methods and those it inherits from classes of the program, each name once."""
    found: dict[str, Function] = {}
    for base in cls.order():
        if isinstance(base, UserClass):
            for name, member in base.slots.items():
                if isinstance(member, Function):
                    found.setdefault(name, member)
    return list(found.values())


def _given_out(it: Interpreter, result: Value, method: Function) -> None:
    """What a method returns is in the hands of code that is not seen here."""
    used = frozenset(expressions.sources(it, [result])[0])
    tapes.give(it, [result])
    it.record(Returned(it.site_of(method), False, used))
    calls.escape(it, [part for part in _parts(result) if not isinstance(part, (Instance, Optimizer))])


def _parts(result: Value) -> tuple[Value, ...]:
    """What a method gives back, one by one: an optimizer that is handed out keeps what it was given."""
    if isinstance(result, Container):
        return result.items.values
    return tuple(result.entries.values.values()) if isinstance(result, DictObj) else (result,)
