"""The user's functions and classes: how they are defined, how arguments are bound, what a call gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optlint.deferred import regex
from optlint.semantics import (
    constructors,
    contexts,
    enumerations,
    expressions,
    families,
    forwards,
    identity,
    loading,
    stopping,
)
from optlint.semantics.events import ModelMade
from optlint.semantics.frame import Exits, Frame
from optlint.semantics.libraries import made_in_call, tensor_ops
from optlint.semantics.site import Site
from optlint.semantics.values import (
    ABSENT,
    NONE,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    DictObj,
    Entries,
    External,
    Function,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    Method,
    OneShot,
    Partial,
    Stranger,
    Text,
    Unknown,
    UserClass,
    Value,
    join_values,
)
from optlint.syntax import cst
from optlint.syntax.nodes import name_of

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Calls of the user's functions inside one another that are followed.
MAX_CALL_DEPTH = 50
#: How often one function may stand on the call stack where what it is given is known; deeper, the run ends.
MAX_RECURSION = 16
#: How often where some of it is not known; its call is Unknown then.
MAX_OPEN_RECURSION = 6
#: How often it is called again then before the first of these calls is over; else each level multiplies.
MAX_OPEN_CALLS = 10
#: How often where nothing but text is known of it: further calls would do the same once more.
MAX_BLIND_RECURSION = 2

_CACHES = regex(r"(?:functools\.)?(?:lru_cache|cache)\b")
#: Steps that a decorator may take; a longer one writes documentation or the like and is taken to change nothing.
MAX_DECORATOR_STEPS = 1_000

_PLACEHOLDER = regex(
    r"pass|\.\.\.|return|return (?:\[\]|\{\}|\(\)|None|list\(\))|raise NotImplementedError.*", re.DOTALL
)


def define_function(it: Interpreter, node: cst.FunctionDef) -> None:
    """``def``: bind the function, decorated."""
    frame = it.frame
    frame.capture()
    function = Function(
        node.name.value, node, frame.context, frame, _defaults(it, node.params), it.site(node)
    )
    decorators = [expressions.evaluate(it, d.decorator) for d in node.decorators]
    function.decorators = tuple(decorators)
    for decorator, written in zip(decorators, node.decorators, strict=True):
        if (
            isinstance(decorator, expressions.GradMode)
            or getattr(decorator, "name", "") in tensor_ops.NO_GRAD_CONTEXTS
        ):
            function.slots["#no_grad"] = it.site(written)
        elif _CACHES.match(frame.context.part.code(written.decorator)):
            function.slots["#cached"] = True
    value: Value = function
    for decorator in reversed(decorators):
        value = _decorated(it, decorator, value, node)
    it.bind(node.name.value, value)


def _decorated(
    it: Interpreter, decorator: Value, value: Value, node: cst.FunctionDef | cst.ClassDef
) -> Value:
    """What a decorator of the user's own returns; library decorators are taken to keep the function's meaning."""
    if isinstance(decorator, Function):
        from optlint.semantics import calls

        result = loading.within(
            it, MAX_DECORATOR_STEPS, lambda: calls.call(it, decorator, Arguments((value,)), node)
        )
        return result if isinstance(result, (Function, UserClass, Method, Partial)) else value
    if isinstance(decorator, Instance):
        from optlint.semantics.libraries import frameworks

        frameworks.decorated(it, decorator, value)
    return value


def in_mode(it: Interpreter, value: Value, mode: Value, node: cst.CSTNode) -> Value:
    """``torch.no_grad()(f)``: the function or method with gradients turned on or off; anything else as it is."""
    if isinstance(value, Method) and value.function is not None:
        inner = in_mode(it, value.function, mode, node)
        return replace(value, function=inner) if isinstance(inner, Function) else value
    if not isinstance(value, Function):
        return value
    result = Function(value.name, value.node, value.context, value.closure, value.defaults, value.site)
    result.owner, result.generator = value.owner, value.generator
    result.decorators = (mode, *value.decorators)
    result.slots.update({**value.slots, "#no_grad": it.site(node)})
    return result


def make_lambda(it: Interpreter, node: cst.Lambda) -> Function:
    """A lambda as a function value."""
    frame = it.frame
    frame.capture()
    return Function("<lambda>", node, frame.context, frame, _defaults(it, node.params), it.site(node))


def _defaults(it: Interpreter, parameters: cst.Parameters) -> dict[str, Value]:
    defaults: dict[str, Value] = {}
    for parameter in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params):
        if parameter.default is not None:
            defaults[parameter.name.value] = expressions.evaluate(it, parameter.default)
    return defaults


def decorator_names(function: Function) -> set[str]:
    """The last parts of its decorators' names."""
    names: set[str] = set()
    for decorator in function.decorators:
        if isinstance(decorator, External):
            names.add(decorator.name.rsplit(".", 1)[-1])
    return names


def define_class(it: Interpreter, node: cst.ClassDef) -> None:
    """``class``: execute the body in a namespace of its own."""
    bases: list[Value] = []
    for base in node.bases:
        value = expressions.evaluate(it, base.value)
        bases.append(_library_base(value) if isinstance(value, LibraryClass) else value)
    cls = UserClass(node.name.value, node, it.frame.context, tuple(bases), it.site(node))
    frame = Frame(it.frame.context, cls.slots, parent=it.frame, name=node.name.value, is_class=True)
    it.frames.append(frame)
    try:
        it.suite(node.body)
    finally:
        it.frames.pop()
    for member in list(cls.slots.values()):
        if isinstance(member, Function):
            member.owner = cls
    if enumerations.is_enum(cls):
        enumerations.make_members(it, cls)
    value_: Value = cls
    for decorator in reversed(node.decorators):
        evaluated = expressions.evaluate(it, decorator.decorator)
        if _generates_constructor(it, decorator.decorator, evaluated):
            cls.slots["#dataclass"] = True
        constructor = cls.slots.get("__init__")
        if isinstance(evaluated, expressions.GradMode) and isinstance(constructor, Function):
            constructor.decorators = (evaluated, *constructor.decorators)  # that is all it wraps
        value_ = _decorated(it, evaluated, value_, node)
    it.bind(node.name.value, value_)


def _generates_constructor(it: Interpreter, node: cst.BaseExpression, evaluated: Value) -> bool:
    """Whether a decorator is ``@dataclass`` or ``@dataclass(…)`` and writes an ``__init__``."""
    if isinstance(node, cst.Call):
        evaluated = expressions.evaluate(it, node.func)
        if any(a.keyword is not None and a.keyword.value == "init" for a in node.args):
            return False
    return isinstance(evaluated, External) and evaluated.name.endswith("dataclass")


def _library_base(value: LibraryClass) -> External:
    """A library class as a base: known by its qualified name."""
    return External(value.qualified_name)


def invoke(it: Interpreter, function: Function, arguments: Arguments, receiver: Value | None = None) -> Value:
    """Run a function of the user's and give what it returns; Unknown when it is too deep or recursive."""
    from optlint.semantics import calls

    active = [frame for frame in it.frames if frame.variables.get("#node") is function.node]
    known = _cached_under(function, arguments, receiver)
    if known in function.slots:
        return function.slots[known]  # type: ignore[no-any-return]
    stack = len(active)
    if active and _recurs_blindly(active, arguments):
        constructors.doubt(it, receiver)
        return calls.unknown_call(it, arguments, receiver or UNKNOWN)
    if len(it.frames) > MAX_CALL_DEPTH or stack >= MAX_RECURSION:
        it.give_up("MAX_RECURSION" if stack >= MAX_RECURSION else "MAX_CALL_DEPTH")
    it.step()
    it.entered.add(function.node)
    if it.root_class is not None and function.owner is it.root_class and _is_placeholder(function):
        return UNKNOWN
    variables: dict[str, object] = {"#node": function.node}
    mark = it.heap.mark()
    frame = Frame(
        function.context,
        variables,
        parent=function.closure,
        name=function.name,
        owner=function.owner,
        receiver=receiver,
        under=len(it.branches),
    )
    bind_arguments(it, function, arguments, variables, receiver)
    if function.name == "__init__":
        constructors.entered(it, function, receiver or next(iter(arguments.positional), None))
    leave_mode = _enter_grad_mode(it, function)
    it.frames.append(frame)
    loops_condition, reader = it.conditional, it.reader
    if it.pending is not None and reader is not None:
        frame.pending = contexts.taken(it, function, reader[1])
    it.reader = None
    try:
        result = _body(it, function, frame)
        if known and result is not expressions.NEVER:
            it.heap.set(function.slots, known, result)
        if not frame.captured:
            it.heap.forget(mark, variables)
        return result
    finally:
        it.conditional, it.reader = loops_condition, reader
        it.frames.pop()
        if leave_mode is not None:
            leave_mode()


def handed_modules(it: Interpreter) -> tuple[Site, Site] | None:
    """The present function and the statement that called it, when it was handed modules or tensors to work on."""
    frames = list(it.frames)
    while frames and "#node" not in frames[-1].variables:
        frames.pop()  # the scope of a comprehension
    if len(frames) < 2:
        return None
    inner = frames.pop()
    node = inner.variables["#node"]
    while frames and frames[-1].variables.get("#node") is node:
        frames.pop()  # it calls itself on the parts
    names = [parameter.name.value for parameter in node.params.params]
    given = [inner.variables.get(name) for name in (names[1:] if inner.receiver is not None else names)]
    if not frames or not any(_is_handed(it, value) for value in given):
        return None
    caller = frames[-1]
    if caller.statement is None:
        return None
    function = Site(inner.context.part, node, node)
    return function, Site(caller.context.part, caller.statement, caller.statement)


def _is_handed(it: Interpreter, value: Any) -> bool:
    return isinstance(value, (Leaf, OneShot)) or families.is_module(it, value)


def _cached_under(function: Function, arguments: Arguments, receiver: Value | None) -> str:
    """The slot for what a call of a function with ``@lru_cache`` has given, when its arguments are constants."""
    values = arguments.all_values()
    if "#cached" not in function.slots or receiver is not None or arguments.open:
        return ""
    if not all(isinstance(value, Const) for value in values):
        return ""
    return f"#called with {arguments.positional!r} {sorted(arguments.keywords.items())!r}"


def _recurs_blindly(active: list[Frame], arguments: Arguments) -> bool:
    """Whether a function that runs already is called again with what is not known, and that often enough."""
    values = arguments.all_values()
    unknown = [value for value in values if isinstance(value, Unknown) and not value.taint]
    if values and not unknown:
        return False
    text = [value for value in values if isinstance(value, Text) or _is_string(value)]
    blind = values and len(unknown) + len(text) == len(values)
    calls_so_far = active[0].variables["#calls"] = active[0].variables.get("#calls", 0) + 1
    most = MAX_BLIND_RECURSION if blind else MAX_OPEN_RECURSION
    return len(active) >= most or calls_so_far > MAX_OPEN_CALLS


def _is_string(value: Value) -> bool:
    return isinstance(value, Const) and isinstance(value.value, str)


def _is_placeholder(function: Function) -> bool:
    """Whether a method only stands there to be overridden: ``pass``, ``return []``, ``raise NotImplementedError``."""
    if isinstance(function.node, cst.Lambda) or function.name == "__init__":
        return False
    code = [line.strip() for line in function.context.part.code(function.node.body).strip().splitlines()]
    last = code[-1] if code else ""
    return len(code) <= 2 and _PLACEHOLDER.fullmatch(last) is not None


def _body(it: Interpreter, function: Function, frame: Frame) -> Value:
    node = function.node
    if isinstance(node, cst.Lambda):
        return expressions.evaluate(it, node.body)
    frame.exits = Exits(it.heap)
    frame.entered_under = (it.conditional, it.unknown_rounds)
    generator = is_generator(function)
    live = it.suite(node.body)
    if not live and not frame.exits.used and not generator:
        frame.exits.close(False)
        return expressions.NEVER
    value = frame.exits.close(live, NONE)
    if generator:
        return OneShot("generator", _constant(frame.yielded or Items()), function.site)
    if isinstance(value, Function) and value is function:
        return value
    return value


def is_generator(function: Function) -> bool:
    """Whether there is a ``yield`` in a function itself, whatever branch it stands in."""
    if function.generator is None:
        part = function.context.part
        written = "yield" in part.module.lines_text(part.first_line, part.last_line)
        function.generator = written and _yields(function.node.body)
    return function.generator


def _yields(node: cst.CSTNode) -> bool:
    if isinstance(node, (cst.FunctionDef, cst.Lambda, cst.ClassDef)):
        return False
    return isinstance(node, cst.Yield) or any(_yields(child) for child in node.children)


def _constant(items: Items) -> Callable[[], Items]:
    return lambda: items


def _enter_grad_mode(it: Interpreter, function: Function) -> Callable[[], None] | None:
    """Turn gradients on or off as its decorators say (the innermost counts); None when they say nothing."""
    leave: Callable[[], None] | None = None
    for decorator in function.decorators:
        if isinstance(decorator, expressions.GradMode):
            name, enabled = decorator.name, decorator.enabled
        elif isinstance(decorator, External) and decorator.name in tensor_ops.NO_GRAD_CONTEXTS:
            name, enabled = decorator.name, False
        else:
            continue
        site = function.slots.get("#no_grad") or it.site_of(function)
        undo = stopping.set_mode(it, enabled, stopping.turned_off(it, site, name))
        leave = leave or undo
    return leave


def bind_arguments(
    it: Interpreter,
    function: Function,
    arguments: Arguments,
    variables: dict[str, object],
    receiver: Value | None,
) -> None:
    """Bind arguments to parameters as Python does; what is missing or not known is Unknown."""
    parameters = function.node.params
    positional = list(arguments.positional)
    if receiver is not None:
        positional.insert(0, receiver)
    keywords = dict(arguments.keywords)
    nothing_given = arguments.open and not arguments.positional and not arguments.keywords
    for parameter in (*parameters.posonly_params, *parameters.params):
        name = parameter.name.value
        if positional:
            variables[name] = positional.pop(0)
        elif name in keywords:
            variables[name] = keywords.pop(name)
        else:
            variables[name] = _default(function, name, arguments.open, nothing_given)
    if isinstance(parameters.star_arg, cst.Param):
        variables[parameters.star_arg.name.value] = Container(
            "tuple", Items(tuple(positional), arguments.open)
        )
    for parameter in parameters.kwonly_params:
        name = parameter.name.value
        variables[name] = (
            keywords.pop(name)
            if name in keywords
            else _default(function, name, arguments.open, nothing_given)
        )
    if parameters.star_kwarg is not None:
        variables[parameters.star_kwarg.name.value] = DictObj(Entries(keywords, arguments.open))


def _default(function: Function, name: str, more: bool, stranger: bool) -> Value:
    """What a parameter is that was given nothing; ``stranger``: its caller is not seen."""
    default = function.defaults.get(name)
    if default is None or (stranger and default == NONE):
        return Stranger(name=name) if stranger else UNKNOWN
    return join_values([default, UNKNOWN]) if more else default


# -- instances -------------------------------------------------------------------------------------------------------


def instantiate(it: Interpreter, cls: UserClass, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``cls(…)``: a new instance with its constructor run."""
    from optlint.semantics import calls
    from optlint.semantics.libraries import torch_optimizers

    if families.is_optimizer_class(it, cls):
        return torch_optimizers.build_optimizer(
            it, cls.name, arguments, node, checks_empty=_calls_super(cls), cls=cls
        )
    if enumerations.is_enum(cls):
        return enumerations.by_value(cls, arguments.get(0, "value") or UNKNOWN)
    instance = Instance(cls, it.site(node))
    if cls.has_unknown_base():
        instance.slots["#open"] = True
    constructors.begin(it, instance, cls)
    constructor: Value | None = constructors.following(it, cls)
    if cls.slots.get("#dataclass") and "__init__" not in cls.slots:
        _fill_dataclass(it, instance, cls, arguments)
    elif isinstance(constructor, Function):
        result = invoke(it, constructor, arguments, instance)
        if result is expressions.NEVER:
            return expressions.NEVER
    else:
        if isinstance(constructor, External):
            constructors.reached(it, instance, node)
        library = next(
            (b for b in cls.library_bases() if calls.initialise_library_base(it, instance, b, arguments)), ""
        )
        if not library and (arguments.positional or arguments.keywords):
            _name_tuple(instance, cls, arguments)
            if not cls.slots.get("#fields"):
                it.heap.set(instance.slots, "<items>", expressions.opaque(it, arguments.all_values()))
    if families.is_module_class(it, cls) or families.keras_kind(cls):
        it.record(ModelMade(it.site(node), bool(it.conditional), instance))
        forwards.note_made(it, instance, node)
        if families.keras_kind(cls):
            made_in_call.note_made(it, instance, node)
    instance.slots[identity.MADE] = True
    return instance


def _calls_super(cls: UserClass) -> bool:
    """Whether the base class's check for an empty list is reached: it is unless the class has no ``super`` call."""
    own = cls.slots.get("__init__")
    if not isinstance(own, Function):
        return True
    code = own.context.part.code(own.node)
    return "super(" in code or ".__init__(" in code


def _fill_dataclass(it: Interpreter, instance: Instance, cls: UserClass, arguments: Arguments) -> None:
    fields: dict[str, Value] = {}
    for base in reversed([c for c in cls.order() if isinstance(c, UserClass)]):
        fields.update(base.slots.get("#fields", {}))
    for position, (name, default) in enumerate(fields.items()):
        value = arguments.get(position, name)
        if value is None:
            value = UNKNOWN if default is ABSENT or arguments.open else _field_default(it, default)
        if cls.site is not None:
            constructors.note_set(it, instance, name, value, cls.site)
        it.heap.set(instance.slots, name, value)
    post = cls.slots.get("__post_init__")
    if isinstance(post, Function):
        invoke(it, post, Arguments(), instance)


def _field_default(it: Interpreter, default: Value) -> Value:
    if isinstance(default, Partial) and default.function == External("dataclasses.field"):
        plain = default.arguments.keywords.get("default")
        if plain is not None:
            return plain
        factory = default.arguments.keywords.get("default_factory")
        if factory is not None:
            from optlint.semantics import calls

            return calls.call(it, factory, Arguments(), name_of("factory"))
        return UNKNOWN
    return default


def _name_tuple(instance: Instance, cls: UserClass, arguments: Arguments) -> None:
    for name, default in cls.slots.get("#fields", {}).items():
        position = list(cls.slots["#fields"]).index(name)
        value = arguments.get(position, name)
        instance.slots[name] = value if value is not None else (UNKNOWN if default is ABSENT else default)
