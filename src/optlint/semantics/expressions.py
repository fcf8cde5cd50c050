"""Expressions: what each gives, and how gradient flows through operators, calls and containers."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optlint.deferred import dataclass
from optlint.semantics import (
    attributes,
    calls,
    constructors,
    containers,
    copies,
    functions,
    idle,
    iteration,
    modules,
    reading,
    repetition,
    scaling,
    stopping,
    tapes,
    truth,
    walking,
)
from optlint.semantics.frame import Frame
from optlint.semantics.libraries import (
    autograd_functions,
    keras_models,
    keras_trainable,
    misused_values,
    text_calls,
)
from optlint.semantics.site import Site
from optlint.semantics.values import (
    ABSENT,
    NONE,
    UNKNOWN,
    Arguments,
    Choice,
    Const,
    Container,
    Cut,
    DictObj,
    Entries,
    External,
    Flow,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    Method,
    OneShot,
    Optimizer,
    Origin,
    Text,
    Unknown,
    Value,
    Variable,
    join_values,
    options,
    weighty,
)
from optlint.syntax import cst
from optlint.syntax.expressions import literal

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

BUILTINS = frozenset(dir(builtins))


class _Never(Value):
    """The result of a call that does not return (``sys.exit()``, a function that always raises)."""

    __slots__ = ()


NEVER = _Never()


@dataclass(frozen=True)
class GradMode(Value):
    """A context manager or decorator that turns gradients on or off; ``enabled`` None: not known which."""

    name: str
    enabled: bool | None
    site: Site | None = None


def evaluate(it: Interpreter, node: cst.BaseExpression) -> Value:
    """The value of an expression. Runs its calls."""
    it.step()
    handler = _EXPRESSIONS.get(type(node))
    return UNKNOWN if handler is None else handler(it, node)


def peek(it: Interpreter, node: cst.BaseExpression) -> Value:
    """The value of a name or of an attribute as stored, without running anything; Unknown when it would."""
    if isinstance(node, cst.Name):
        value = it.frame.lookup(node.value)
        if value is None:
            value = it.frame.context.namespace.slots.get(node.value)
        return UNKNOWN if value is None or type(value).__name__ in ("Lazy", "LazyImport") else value
    if isinstance(node, cst.Attribute):
        owner = peek(it, node.value)
        if isinstance(owner, Instance):
            return owner.slots.get(node.attr.value, UNKNOWN)  # type: ignore[no-any-return]
    return UNKNOWN


# -- gradient --------------------------------------------------------------------------------------------------------


_NOTHING: frozenset[tuple[Leaf, Cut]] = frozenset()


def sources(it: Interpreter, values: Iterable[Value]) -> tuple[set[Leaf], set[tuple[Leaf, Cut]], bool]:
    """Leaves and cuts behind some values, and whether a value among them is not known."""
    deps: set[Leaf] = set()
    cuts: set[tuple[Leaf, Cut]] = set()
    opaque = False
    waiting = list(values)
    seen: dict[int, Value] = {}
    while waiting:
        value = waiting.pop()
        if isinstance(value, Leaf):
            if value.requires_grad is not False:
                deps.add(value)
            written = value.slots.get("#written")
            if isinstance(written, (Flow, Unknown)):
                deps |= written.taint if isinstance(written, Unknown) else written.deps
                cuts |= written.cuts
                opaque = opaque or (isinstance(written, Unknown) and bool(written.taint))
            cuts |= value.slots.get("#cuts", _NOTHING)
        elif isinstance(value, Flow):
            deps |= value.deps
            cuts |= value.cuts
        elif isinstance(value, Unknown):
            deps |= value.taint
            cuts |= value.cuts
            if isinstance(value, Variable):
                cuts |= tapes.cuts_of(value)
            else:
                opaque = opaque or bool(value.taint)
        elif isinstance(value, Method):
            waiting.append(value.receiver)
            opaque = True
        elif id(value) not in seen:
            seen[id(value)] = value
            waiting += _parts(it, value)
    return deps, cuts, opaque


def _parts(it: Interpreter, value: Value) -> Sequence[Value]:
    if isinstance(value, Container):
        return value.items.values
    if isinstance(value, DictObj):
        return tuple(value.entries.values.values())
    if isinstance(value, Choice):
        return options(value)
    if isinstance(value, OneShot):
        return iteration.peek(it, value).values
    if isinstance(value, Instance):
        # A parameter inside an object that is handed over flows on; so do numbers stored in it.
        return tuple(member for _, member in value.members() if isinstance(member, (Leaf, Flow, Unknown)))
    return ()


#: So many leaf tensors behind a number weigh as much as one part of a container (``pace.MAX_WORK``).
LEAVES_OF_A_PART = 16


def flow(it: Interpreter, values: Sequence[Value]) -> Value:
    """The number computed from ``values``, under the present gradient mode."""
    deps, cuts, opaque = sources(it, values)
    if it.recording.used:
        tapes.operation(it, deps, cuts)
    it.heap.work += (len(deps) + len(cuts)) // LEAVES_OF_A_PART
    plain = stopping.all_want_none(values)
    stop = stopping.stop_of(values)
    if it.unknown_grad_mode:
        return Unknown(frozenset(deps), frozenset(cuts), plain=plain, stop=stop)
    if it.no_grad:
        return stopping.stopped(it, list(values), it.no_grad[-1].cut(it))
    _note_used(it, values)
    if opaque:
        return Unknown(frozenset(deps), frozenset(cuts))
    if not deps and not cuts and _makes_a_weight(it, values):
        weight = Leaf(None, is_parameter=False, requires_grad=False)
        if all(value.slots.get("#on_cpu") for value in values if isinstance(value, Leaf)):
            weight.slots["#on_cpu"] = True
        return weight
    scaled = scaling.of_parts(values)
    raising = autograd_functions.raising(it, values)
    return Flow(frozenset(deps), frozenset(cuts), plain=plain, stop=stop, scaled=scaled, raising=raising)


def _note_used(it: Interpreter, values: Iterable[Value]) -> None:
    """Remember which tensors without a gradient something was computed from while gradients are recorded."""
    for value in walking.within(values):
        if isinstance(value, Leaf) and value.requires_grad is False and "#used" not in value.slots:
            it.heap.set(value.slots, "#used", True)
        elif isinstance(value, Leaf) and it.parameters_used is not None:
            it.parameters_used.add(value)


def result_of(it: Interpreter, values: Sequence[Value], node: cst.CSTNode, operation: str) -> Value:
    """The tensor that an operation makes of ``values``, where it is certainly a new one: with its origin."""
    result = flow(it, values)
    if not isinstance(result, Flow):
        return copies.computed_by(operation, result, values)
    origin = Origin(it.site(node), operation, earlier=_operations(values))
    result = Flow(
        result.deps,
        result.cuts,
        result.alias,
        _joins_graph(it, values),
        origin,
        result.plain,
        result.stop,
        result.terms,
        result.scaled,
        result.raising,
    )
    return copies.computed_by(operation, result, values)


#: Operations in a row that are remembered.
_MAX_OPERATIONS = 6


def _operations(values: Iterable[Value]) -> tuple[str, ...]:
    """By which operations the tensors among ``values`` were made."""
    found: list[str] = []
    for value in values:
        for part in value.items.values if isinstance(value, Container) else options(value):
            if isinstance(part, Flow) and part.origin is not None:
                found += (*part.origin.earlier, part.origin.operation)
            elif isinstance(part, Flow) and part.deps:
                found.append("?")
    return tuple(found[:_MAX_OPERATIONS])


def _joins_graph(it: Interpreter, values: Iterable[Value]) -> bool | None:
    """Whether the result of an operation on ``values`` is in the graph."""
    if it.no_grad:
        return False
    answers = [_in_graph(value) for value in values]
    return True if True in answers else None if None in answers else False


def _in_graph(value: Value, depth: int = 0) -> bool | None:
    """Whether a number wants a gradient: a leaf that does, or a tensor of the graph."""
    if isinstance(value, Leaf):
        return None if "#written" in value.slots else value.requires_grad
    if isinstance(value, Flow):
        return value.in_graph
    if isinstance(value, Choice):
        answers = {_in_graph(option, depth) for option in value.options}
        return answers.pop() if len(answers) == 1 else None
    if isinstance(value, Container) and depth < 3:
        inner = [_in_graph(element, depth + 1) for element in value.items.values]
        return True if True in inner else None if None in inner or value.items.open else False
    return False if isinstance(value, (Const, Text, External)) else None


def _makes_a_weight(it: Interpreter, values: Sequence[Value]) -> bool:
    """Arithmetic on fresh tensors in a constructor gives another fresh tensor."""
    if not any(isinstance(value, Leaf) and value.fresh for value in values):
        return False
    return any(frame.name == "__init__" for frame in it.frames)


def cut(it: Interpreter, value: Value, where: Cut) -> Value:
    """The number without its gradient; what it was cut from is remembered."""
    alias = value if isinstance(value, Leaf) else value.alias if isinstance(value, Flow) else None
    return replace(stopping.stopped(it, [value], where), alias=alias)


def detached(it: Interpreter, value: Value, where: Cut) -> Value:
    """The tensor without its gradient: ``cut`` where the result is certainly a tensor, and so a leaf."""
    result = cut(it, value, where)
    if not isinstance(result, Flow):
        return result
    origin = Origin(where.site, where.text, earlier=_operations([value]))
    return replace(result, in_graph=False, origin=origin)


def put_into_data(it: Interpreter, leaf: Leaf, value: Value, node: cst.CSTNode) -> None:
    """``leaf.data = value``: what that was computed from stays behind; whoever uses the leaf is cut off from it."""
    if not isinstance(value, Flow):
        return
    here = Cut("detach", it.site(node), ".data = …", it.steps)
    cuts = {(source, here) for source in value.deps - {leaf}}
    cuts |= _NOTHING if leaf.is_parameter else value.cuts
    if cuts:
        it.heap.set(leaf.slots, "#cuts", leaf.slots.get("#cuts", _NOTHING) | cuts)


def opaque(it: Interpreter, values: Iterable[Value]) -> Unknown:
    """What code that cannot be seen makes of ``values``: anything that depends on them."""
    leaves: set[Leaf] = set()
    cuts: set[tuple[Leaf, Cut]] = set()
    for value in weighty(values):
        leaves |= {leaf for leaf in modules.reachable_leaves(it, value) if leaf.requires_grad is not False}
        cuts |= sources(it, [value])[1] if not isinstance(value, Instance) else set()
    if it.recording.used:
        leaves |= tapes.unseen(it, leaves)
    if it.no_grad and not it.unknown_grad_mode:
        here = it.no_grad[-1].cut(it)
        without = stopping.hardened(cuts, here) | {(leaf, here) for leaf in leaves}
        return Unknown(frozenset(), without, plain=True, stop=here)
    return Unknown(frozenset(leaves), frozenset(cuts))


def combine(it: Interpreter, values: Sequence[Value], node: cst.CSTNode, operator: type) -> Value:
    """The result of an operator on values that are not lists."""
    of_keras = keras_models.operated(values)
    if of_keras is not None:
        return of_keras
    if any(isinstance(value, Instance) for value in values):
        return _own_operator(it, values, operator)
    if any(isinstance(value, (Leaf, Flow, Unknown, Choice, Method)) for value in values):
        if operator is cst.FloorDivide and it.recording.used:
            return calls.non_differentiable(it, values, node, "//")
        sign = _OPERATOR_SIGNS.get(operator)
        if sign is None or isinstance(node, cst.AugAssign):  # no tensor of the graph, or none that is new
            return copies.computed_by(sign or "", flow(it, values), values)
        return result_of(it, values, node, sign)
    return opaque(it, values)


_OPERATOR_SIGNS: dict[type, str] = {
    cst.Add: "+",
    cst.Subtract: "-",
    cst.Multiply: "*",
    cst.Divide: "/",
    cst.Power: "**",
    cst.MatrixMultiply: "@",
    cst.Minus: "-",
}


_OPERATOR_METHODS: dict[type, str] = {
    cst.Add: "add",
    cst.Subtract: "sub",
    cst.Multiply: "mul",
    cst.Divide: "truediv",
    cst.FloorDivide: "floordiv",
    cst.Modulo: "mod",
    cst.Power: "pow",
    cst.MatrixMultiply: "matmul",
    cst.BitAnd: "and",
    cst.BitOr: "or",
    cst.BitXor: "xor",
    cst.LeftShift: "lshift",
    cst.RightShift: "rshift",
    cst.Minus: "neg",
    cst.Plus: "pos",
    cst.BitInvert: "invert",
}


def _own_operator(it: Interpreter, values: Sequence[Value], operator: type) -> Value:
    """An operator on an object of the user's: its method, the left one's before the right one's."""
    name = _OPERATOR_METHODS.get(operator)
    for prefix, value, others in (("", values[0], values[1:]), ("r", values[-1], values[:-1])):
        if name is not None and isinstance(value, Instance):
            method = attributes.user_method(value, f"__{prefix}{name}__")
            if method is not None:
                return functions.invoke(it, method, Arguments(tuple(others)), value)
    return opaque(it, values)


# -- expressions -----------------------------------------------------------------------------------------------------


def _name(it: Interpreter, node: cst.Name) -> Value:
    if node.value in ("True", "False", "None"):
        return Const({"True": True, "False": False, "None": None}[node.value])
    return it.lookup(node.value)


def callee(it: Interpreter, node: cst.BaseExpression) -> Value:
    """The value of the function part of a call; methods keep their receiver."""
    if isinstance(node, cst.Attribute):
        owner = evaluate(it, node.value)
        misused_values.note_attribute(it, owner, node.attr.value, node)
        idle.used(it, owner, node, "attribute")
        value = attributes.get_attribute(it, owner, node.attr.value, node)
        if isinstance(value, Method) and isinstance(owner, Instance) and value.function is None:
            constructors.note_missing(it, owner, node.attr.value, node)
        elif isinstance(owner, External) and owner.name == "builtins.super":
            constructors.super_itself(it, node)
        return value
    return evaluate(it, node)


def _attribute(it: Interpreter, node: cst.Attribute) -> Value:
    value = callee(it, node)
    if isinstance(value, Method) and value.function is None:
        from optlint.semantics.libraries import torch_methods

        part = torch_methods.part_of_library_model(it, value)
        if part is not None:
            return part
    return plain(value)


#: The class of library objects that only look on; see ``calls``.
BYSTANDER = "optlint.bystander"


def is_bystander(value: Value) -> bool:
    """Whether a value is an object of a library that leaves what its methods are given as it is."""
    return (
        isinstance(value, Instance)
        and isinstance(value.cls, LibraryClass)
        and value.cls.qualified_name == BYSTANDER
    )


def plain(value: Value) -> Value:
    """A method of something unknown, when it is not called at once, is itself unknown."""
    if isinstance(value, Method) and is_bystander(value.receiver):
        return UNKNOWN
    if isinstance(value, Method) and isinstance(value.receiver, (Unknown, Method)):
        receiver = plain(value.receiver)
        return receiver if isinstance(receiver, Unknown) else UNKNOWN
    if isinstance(value, Choice):
        return join_values([plain(option) for option in value.options])
    return value


def _literal(it: Interpreter, node: cst.BaseExpression) -> Value:
    value = it.literals.get(node)
    if value is None:
        try:
            value = Const(literal(node))
        except (ValueError, SyntaxError, MemoryError):
            value = UNKNOWN
        it.literals[node] = value
    return value


def _concatenated(it: Interpreter, node: cst.ConcatenatedString) -> Value:
    return text_calls.join([evaluate(it, node.left), evaluate(it, node.right)])


def _formatted(it: Interpreter, node: cst.FormattedString) -> Value:
    parts: list[Value] = []
    for part in node.parts:
        if isinstance(part, cst.FormattedStringText):
            parts.append(Const(part.value.replace("{{", "{").replace("}}", "}")))
        elif isinstance(part, cst.FormattedStringExpression):
            value = evaluate(it, part.expression)
            if part.format_spec and part.conversion is None:
                idle.used(it, value, part.expression, "format")
            parts.append(value if part.format_spec is None and part.conversion is None else UNKNOWN)
    return text_calls.join(parts)


def _elements(it: Interpreter, elements: Sequence[cst.BaseElement]) -> Items:
    values: list[Value] = []
    more = many = False
    for element in elements:
        it.pace.reach(element, it.steps)
        value = evaluate(it, element.value)
        if isinstance(element, cst.StarredElement):
            reader, it.reader = it.reader, (it.frame, element.value, "*")
            items = iteration.take(it, value)
            it.reader = reader
            values.extend(items.values)
            more, many = more or items.open, many or items.many
        else:
            values.append(value)
    return Items(tuple(values), more, many)


def _list(it: Interpreter, node: cst.List) -> Value:
    return Container("list", _elements(it, node.elements), it.site(node))


def _tuple(it: Interpreter, node: cst.Tuple) -> Value:
    return Container("tuple", _elements(it, node.elements), it.site(node))


def _set(it: Interpreter, node: cst.Set) -> Value:
    return Container("set", _elements(it, node.elements), it.site(node))


def _dict(it: Interpreter, node: cst.Dict) -> Value:
    result = DictObj(Entries(), it.site(node))
    known: dict[object, Value] = {}  # what was written under known keys, to be put in at once
    for element in node.elements:
        it.pace.reach(element, it.steps)
        if isinstance(element, cst.DictElement):
            key, value = evaluate(it, element.key), evaluate(it, element.value)
            name = containers.hashable(key)
            if name is not None and name != "params":
                known[name] = value
                continue
            known = _entered(it, result, known)
            containers.set_item(it, result, key, value)
        else:
            known = _entered(it, result, known)
            containers.extend(it, result, evaluate(it, element.value))
    _entered(it, result, known)
    return result


def _entered(it: Interpreter, table: DictObj, known: dict[object, Value]) -> dict[object, Value]:
    """Put entries into a dict that nobody else has yet; gives back none that are still to be put in."""
    if known:
        it.heap.set(table.slots, "entries", Entries({**table.entries.values, **known}, table.entries.open))
    return {}


def _comprehension(it: Interpreter, node: Any, kind: str) -> Value:
    source = evaluate(it, node.for_in.iter)
    misused_values.note_iterated(it, source, node.for_in.iter)
    if keras_trainable.is_empty(source):
        return source.again()
    items = _comprehended(it, node.for_in, lambda: evaluate(it, node.elt), source)
    if repetition.is_reference(node.elt):
        repetition.note(it, "comprehended", items.values, node)
    return Container(kind, items, it.site(node))


def _dict_comprehension(it: Interpreter, node: cst.DictComp) -> Value:
    result = DictObj(Entries(), it.site(node))

    def entry() -> Value:
        containers.set_item(it, result, evaluate(it, node.key), evaluate(it, node.value))
        return NONE

    items = _comprehended(it, node.for_in, entry)
    if items.open or any(isinstance(value, Choice) for value in items.values):
        it.heap.set(result.slots, "entries", Entries(result.entries.values, True))
    if repetition.is_reference(node.value):
        repetition.note(it, "comprehended", result.entries.values.values(), node)
    return result


def _generator(it: Interpreter, node: cst.GeneratorExp) -> Value:
    frame = it.frame
    first = evaluate(it, node.for_in.iter)
    misused_values.note_iterated(it, first, node.for_in.iter)

    def produce() -> Items:
        it.frames.append(Frame(frame.context, {}, parent=frame, owner=frame.owner, receiver=frame.receiver))
        it.frame.statement = frame.statement
        try:
            items = _comprehended(it, node.for_in, lambda: evaluate(it, node.elt), first, lazy=True)
            if repetition.is_reference(node.elt):
                repetition.note(it, "comprehended", items.values, node)
            return items
        finally:
            it.frames.pop()

    return OneShot("generator", produce, it.site(node), (first,))


def _comprehended(
    it: Interpreter,
    clause: cst.CompFor,
    element: Callable[[], Value],
    source: Value | None = None,
    lazy: bool = False,
) -> Items:
    """Run a comprehension's loops in a scope of their own. ``lazy``: those of a generator."""
    outer = it.frame
    scope = Frame(
        outer.context, {}, parent=outer, name=outer.name, owner=outer.owner, receiver=outer.receiver
    )
    scope.statement = outer.statement
    it.frames.append(scope)
    try:
        return _loop(it, clause, element, source, not lazy)
    finally:
        it.frames.pop()


def _loop(
    it: Interpreter,
    clause: cst.CompFor,
    element: Callable[[], Value],
    source: Value | None,
    read_here: bool = True,
) -> Items:
    """The elements of a comprehension; a generator's first iterable is read by whoever reads the generator."""
    from optlint.semantics import assignment

    taken = evaluate(it, clause.iter) if source is None else source
    reader = it.reader
    if read_here:
        it.reader = (it.frame, clause.iter, "comprehension")
    items = iteration.take(it, taken)
    it.reader = reader
    values: list[Value] = []
    more, many = items.open or len(items.values) > iteration.MAX_ROUNDS, items.many
    for value in items.values[: iteration.MAX_ROUNDS]:
        uncertain = isinstance(value, Choice) and ABSENT in value.options
        assignment.assign(it, clause.target, truth.without_absent(value))
        answers = [truth.truth(evaluate(it, condition.test)) for condition in clause.ifs]
        if False in answers:
            continue
        for condition, answer in zip(clause.ifs, answers, strict=True):
            if answer is None:
                truth.narrow(it, condition.test, True)
        inner = (
            Items((element(),))
            if clause.inner_for_in is None
            else _loop(it, clause.inner_for_in, element, None)
        )
        more, many = more or inner.open, many or inner.many
        doubt = uncertain or None in answers
        values.extend(join_values([v, ABSENT]) if doubt else v for v in inner.values)
    return Items(tuple(values), more, many)


def _lambda(it: Interpreter, node: cst.Lambda) -> Value:
    return functions.make_lambda(it, node)


def _unary(it: Interpreter, node: cst.UnaryOperation) -> Value:
    value = evaluate(it, node.expression)
    if isinstance(node.operator, cst.Not):
        known = truth.truth(value)
        return UNKNOWN if known is None else Const(not known)
    if isinstance(value, Const) and isinstance(value.value, (int, float)):
        if isinstance(node.operator, cst.Minus):
            return Const(-value.value)
        if isinstance(node.operator, cst.Plus):
            return value
    return combine(it, [value], node, type(node.operator))


def _binary(it: Interpreter, node: cst.BinaryOperation) -> Value:
    return operate(it, node.operator, evaluate(it, node.left), evaluate(it, node.right), node)


def operate(
    it: Interpreter, operator: cst.BaseBinaryOp, left: Value, right: Value, node: cst.CSTNode
) -> Value:
    """The result of ``left operator right``."""
    for side in (left, right):
        idle.used(it, side, node, "arithmetic")
    if isinstance(left, Const) and isinstance(right, Const):
        return _constant_operation(operator, left, right)
    if isinstance(operator, (cst.Add, cst.Subtract)):
        misused_values.note_added(it, left, right, node)
    if isinstance(operator, cst.Add):
        joined = _concatenate(it, left, right, node)
        if joined is not None:
            return joined
    if isinstance(operator, cst.Multiply):
        repeated = _repeat(left, right) or _repeat(right, left)
        if repeated is not None:
            source = left if isinstance(left, Container) else right
            repetition.note(it, "multiplied", repeated.items.values, node, source)
            return repeated
    if isinstance(left, Container) and type(operator) in _SET_OPERATIONS:
        return containers.set_operation(it, left, right, _SET_OPERATIONS[type(operator)])
    if isinstance(left, DictObj) and isinstance(operator, cst.BitOr):
        merged = DictObj(left.entries, it.site(node))
        containers.extend(it, merged, right)
        return merged
    if isinstance(operator, cst.Modulo) and isinstance(left, (Const, Text)):
        return text_calls.percent(left, right)
    return combine(it, [left, right], node, type(operator))


_AUGMENTED: dict[type, type[cst.BaseBinaryOp]] = {
    cst.AddAssign: cst.Add,
    cst.SubtractAssign: cst.Subtract,
    cst.MultiplyAssign: cst.Multiply,
    cst.ModuloAssign: cst.Modulo,
    cst.FloorDivideAssign: cst.FloorDivide,
    cst.BitOrAssign: cst.BitOr,
    cst.BitAndAssign: cst.BitAnd,
    cst.BitXorAssign: cst.BitXor,
}


def augmented(it: Interpreter, old: Value, value: Value, node: cst.AugAssign) -> Value:
    """The new value of ``old op= value`` where it is not changed in place."""
    operator = _AUGMENTED.get(type(node.operator))
    if operator is None:
        return combine(it, [old, value], node, type(node.operator))
    return operate(it, operator(), old, value, node)


_SET_OPERATIONS: dict[type, Callable[[bool, bool], bool]] = {
    cst.Subtract: lambda mine, other: mine and not other,
    cst.BitAnd: lambda mine, other: mine and other,
    cst.BitOr: lambda mine, other: True,
    cst.BitXor: lambda mine, other: mine != other,
}


def _concatenate(it: Interpreter, left: Value, right: Value, node: cst.CSTNode) -> Value | None:
    if keras_trainable.is_empty(left) and keras_trainable.is_empty(right):
        return keras_models.operated([left, right])
    if isinstance(left, Container) and isinstance(right, (Container, Choice, Unknown)):
        a, b = left.items, iteration.take(it, right)
        return Container(
            left.kind, Items(a.values + b.values, a.open or b.open, a.many or b.many), it.site(node)
        )
    if isinstance(right, Container) and isinstance(left, (Choice, Unknown)):
        a, b = iteration.take(it, left), right.items
        return Container(
            right.kind, Items(a.values + b.values, a.open or b.open, a.many or b.many), it.site(node)
        )
    if isinstance(left, (Text, Const)) and isinstance(right, (Text, Const)):
        if any(
            isinstance(v, Text) or (isinstance(v, Const) and isinstance(v.value, str)) for v in (left, right)
        ):
            return text_calls.join([left, right])
    text = left if isinstance(left, (Text, Const)) else right
    if (isinstance(text, Const) and isinstance(text.value, str)) or isinstance(text, Text):
        return text_calls.join([left, right])
    if isinstance(left, Choice) and all(isinstance(o, Container) for o in options(left)):
        return join_values([_concatenate(it, o, right, node) or UNKNOWN for o in options(left)])
    if modules.is_container(left) and isinstance(left, Instance):
        return _concatenate_modules(it, left, right)
    return None


def _concatenate_modules(it: Interpreter, left: Instance, right: Value) -> Value:
    joined = Instance(left.cls, left.site, is_open=left.open)
    for part in (left, right):
        modules.fill(it, joined, iteration.take(it, part))
    return joined


def _repeat(value: Value, count: Value) -> Container | None:
    if not isinstance(value, Container):
        return None
    if (
        isinstance(count, Const)
        and isinstance(count.value, int)
        and count.value * len(value.items.values) <= 64
    ):
        return Container(
            value.kind, Items(value.items.values * max(0, count.value), value.items.open), value.site
        )
    return Container(value.kind, Items(value.items.values * 2, value.items.open, True), value.site)


_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    cst.Add: lambda a, b: a + b,
    cst.Subtract: lambda a, b: a - b,
    cst.Multiply: lambda a, b: a * b,
    cst.Divide: lambda a, b: a / b,
    cst.FloorDivide: lambda a, b: a // b,
    cst.Modulo: lambda a, b: a % b,
}


def _constant_operation(operator: cst.BaseBinaryOp, left: Const, right: Const) -> Value:
    compute = _ARITHMETIC.get(type(operator))
    a, b = left.value, right.value
    if compute is None or (isinstance(a, (str, bytes)) and isinstance(operator, cst.Multiply)):
        return UNKNOWN
    try:
        result = compute(a, b)
    except Exception:  # the user's arithmetic: whatever it raises, nothing is known of the result
        return UNKNOWN
    if isinstance(result, (int, float)) and abs(result) < 1e15:
        return Const(result)
    return Const(result) if isinstance(result, str) and len(result) < text_calls.MAX_TEXT else UNKNOWN


def _boolean(it: Interpreter, node: cst.BooleanOperation) -> Value:
    left = evaluate(it, node.left)
    known = truth.truth(left)
    decided_by_left = isinstance(node.operator, cst.Or)
    if known is decided_by_left:
        return left
    if known is None:
        results: list[Value] = [left]

        def right() -> bool:
            truth.narrow(it, node.left, not decided_by_left)
            results.append(evaluate(it, node.right))
            return True

        it.fork([lambda: True, right])
        if truth.truth(results[-1]) is decided_by_left and isinstance(results[-1], Const):
            return results[-1] if isinstance(results[-1].value, bool) else join_values(results)
        return join_values(results)
    return evaluate(it, node.right)


def _comparison(it: Interpreter, node: cst.Comparison) -> Value:
    left = evaluate(it, node.left)
    outcome: bool | None = True
    values = [left]
    for part in node.comparisons:
        right = evaluate(it, part.comparator)
        values.append(right)
        if isinstance(part.operator, (cst.In, cst.NotIn)):
            misused_values.note_compared(it, left, right, node)
        if reading.one_shot(right) is not None and isinstance(part.operator, (cst.In, cst.NotIn)):
            answer = _is_in(it, left, right, part)
        else:
            answer = truth.compare(part.operator, left, right)
        outcome = False if answer is False or outcome is False else None if answer is None else outcome
        left = right
    if outcome is not None:
        return Const(outcome)
    if any(isinstance(value, (Flow, Leaf)) for value in values):
        return calls.non_differentiable(it, values, node, "the comparison")
    return UNKNOWN


def _is_in(it: Interpreter, element: Value, iterator: Value, part: cst.ComparisonTarget) -> bool | None:
    """``element in iterator``, which reads it."""
    reader, it.reader = it.reader, (it.frame, part.comparator, "in")
    found = iteration.finds(it, iterator, lambda value: truth.same_or_equal(value, element))
    it.reader = reader
    return truth.negate(found) if isinstance(part.operator, cst.NotIn) else found


def _conditional(it: Interpreter, node: cst.IfExp) -> Value:
    known = truth.truth(evaluate(it, node.test))
    if known is not None:
        return evaluate(it, node.body if known else node.orelse)
    results: list[Value] = []

    def arm(outcome: bool) -> Callable[[], bool]:
        def run() -> bool:
            truth.narrow(it, node.test, outcome)
            results.append(evaluate(it, node.body if outcome else node.orelse))
            return True

        return run

    it.fork([arm(True), arm(False)])
    return join_values(results)


def _walrus(it: Interpreter, node: cst.NamedExpr) -> Value:
    from optlint.semantics import assignment

    value = evaluate(it, node.value)
    assignment.assign(it, node.target, value)
    return value


def _await(it: Interpreter, node: cst.Await) -> Value:
    return evaluate(it, node.expression)


def _yield(it: Interpreter, node: cst.Yield) -> Value:
    if isinstance(node.value, cst.From):
        given = iteration.take(it, evaluate(it, node.value.item))
    else:
        given = Items((NONE if node.value is None else evaluate(it, node.value),))
    frame = it.frame
    if frame.pending is not None:
        frame.pending.at_yield(given)
    else:
        tapes.left_open(it)
    earlier = frame.yielded or Items()
    conditional, rounds = frame.entered_under
    doubtful = it.conditional > conditional
    values = tuple(join_values([value, ABSENT]) if doubtful else value for value in given.values)
    many = earlier.many or given.many or it.unknown_rounds > rounds
    frame.yielded = Items((*earlier.values, *values), earlier.open or given.open, many)
    return UNKNOWN


def subscript_key(it: Interpreter, node: cst.Subscript) -> Value:
    """What stands in the brackets: a value, a slice, or a tuple of them."""
    if len(node.slice) != 1:
        found = [evaluate(it, e.slice.value) for e in node.slice if isinstance(e.slice, cst.Index)]
        cuts = frozenset(cut for key in found for cut in stopping.of_index(key))
        return Unknown(cuts=cuts, plain=True, stop=stopping.stop_of(found)) if cuts else UNKNOWN
    part = node.slice[0].slice
    if isinstance(part, cst.Index):
        return evaluate(it, part.value)
    if not isinstance(part, cst.Slice):
        return UNKNOWN
    bounds: list[int | None] = []
    for bound in (part.lower, part.upper, part.step):
        value = NONE if bound is None else evaluate(it, bound)
        if not isinstance(value, Const) or not (value.value is None or isinstance(value.value, int)):
            return containers.SliceKey(None)
        bounds.append(value.value)
    return containers.SliceKey(slice(*bounds) if bounds[2] != 0 else None)


def _subscript(it: Interpreter, node: cst.Subscript) -> Value:
    owner = evaluate(it, node.value)
    key = subscript_key(it, node)
    if isinstance(owner, External):
        return _library_table(owner, key)
    if isinstance(owner, Optimizer):
        return UNKNOWN
    if isinstance(owner, Const) and isinstance(owner.value, str):
        return UNKNOWN
    if isinstance(owner, Leaf) and "#written" not in owner.slots:
        return result_of(it, [owner], node, "[…]") if not stopping.of_index(key) else flow(it, [owner, key])
    misused_values.note_subscript(it, owner, node)
    found = containers.get_item(it, owner, key)
    chosen = isinstance(owner, (Leaf, Flow, Unknown)) and stopping.of_index(key)
    return flow(it, [found, key]) if chosen else found


def _library_table(owner: External, key: Value) -> Value:
    """``torch.optim.__dict__["Adam"]`` and ``vars(torch.optim)["Adam"]``: a name of the library's module."""
    module, _, last = owner.name.rpartition(".")
    if owner.name in ("typing.Generic", "typing.Protocol", "typing_extensions.Protocol"):
        return owner
    if last != "__dict__":
        return UNKNOWN
    names = [
        option.value for option in options(key) if isinstance(option, Const) and isinstance(option.value, str)
    ]
    if len(names) != len(options(key)):
        return UNKNOWN
    return join_values([External(f"{module}.{name}") for name in names])


def _call(it: Interpreter, node: cst.Call) -> Value:
    return calls.evaluate_call(it, node)


_EXPRESSIONS: dict[type, Callable[..., Value]] = {
    cst.Name: _name,
    cst.Attribute: _attribute,
    cst.Call: _call,
    cst.Subscript: _subscript,
    cst.Integer: _literal,
    cst.Float: _literal,
    cst.SimpleString: _literal,
    cst.ConcatenatedString: _concatenated,
    cst.FormattedString: _formatted,
    cst.List: _list,
    cst.Tuple: _tuple,
    cst.Set: _set,
    cst.Dict: _dict,
    cst.ListComp: lambda it, node: _comprehension(it, node, "list"),
    cst.SetComp: lambda it, node: _comprehension(it, node, "set"),
    cst.DictComp: _dict_comprehension,
    cst.GeneratorExp: _generator,
    cst.Lambda: _lambda,
    cst.UnaryOperation: _unary,
    cst.BinaryOperation: _binary,
    cst.BooleanOperation: _boolean,
    cst.Comparison: _comparison,
    cst.IfExp: _conditional,
    cst.NamedExpr: _walrus,
    cst.Await: _await,
    cst.Yield: _yield,
}
