"""Python's own functions: builtins, itertools, functools, copy, collections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.semantics import (
    attributes,
    containers,
    copies,
    expressions,
    families,
    iteration,
    modules,
    reading,
    stopping,
    truth,
    unseen_parts,
)
from optlint.semantics.libraries import keras_trainable, misused_values, schedulers, tensor_calls, torch_nn
from optlint.semantics.libraries.keras_graph import Symbolic
from optlint.semantics.progress import END
from optlint.semantics.values import (
    ABSENT,
    FALSE,
    NONE,
    TRUE,
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
    Group,
    Groups,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    Namespace,
    Obj,
    OneShot,
    Optimizer,
    Origin,
    Partial,
    Record,
    Scheduler,
    Text,
    Unknown,
    UserClass,
    Value,
    join_values,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

Handler = Callable[["Interpreter", Arguments, cst.CSTNode], Value]


#: What these make of a list that is empty is empty.
_PAIRING = frozenset({"builtins.zip", "builtins.enumerate"})


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """Call a function of Python's; None when it is none that the engine knows."""
    handler = _FUNCTIONS.get(name)
    if name in _PAIRING:
        none = next((value for value in arguments.positional if keras_trainable.is_empty(value)), None)
        if none is not None:
            return none.again()  # pairs of nothing
    if handler is not None:
        return handler(it, arguments, node)
    if name.startswith("builtins."):
        return _other_builtin(it, name, arguments)
    if name.startswith("math."):
        return _of_numbers(it, name, arguments, node)
    return None


def _of_numbers(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``math.exp(x)``: a tensor is turned into a plain number first."""
    deps, cuts, _ = expressions.sources(it, arguments.all_values())
    if not deps and not cuts:
        return stopping.data()
    return stopping.stopped(it, list(arguments.all_values()), Cut("detach", it.site(node), f"{name}(…)"))


_CONSUMING = frozenset({"builtins.min", "builtins.max"})


def _other_builtin(it: Interpreter, name: str, arguments: Arguments) -> Value:
    if name in _CONSUMING and len(arguments.positional) == 1:
        return expressions.opaque(it, iteration.take(it, arguments.positional[0]).values)
    if name.endswith(("Error", "Exception", "Warning")):
        return UNKNOWN
    if name in ("builtins.str", "builtins.repr", "builtins.print", "builtins.input", "builtins.open"):
        return UNKNOWN
    return expressions.opaque(it, arguments.all_values())


def _collect(kind: str) -> Handler:
    def handler(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
        source = arguments.get(0, "iterable")
        if source is not None:
            misused_values.note_iterated(it, source, node)
        items = Items((), arguments.open) if source is None else iteration.take(it, source)
        collected = Container(kind, items, it.site(node))
        if isinstance(source, OneShot) and not items.values:
            collected.slots["#of"] = source.slots.get("#of")
        return collected

    return handler


def _sorted(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    """A list in an order that is only known for constants."""
    result = _collect("list")(it, Arguments(arguments.positional[:1], {}, arguments.open), node)
    assert isinstance(result, Container)
    plain = [value.value for value in result.items.values if isinstance(value, Const)]
    if (
        len(plain) == len(result.items.values)
        and not result.items.many
        and set(arguments.keywords) <= {"reverse"}
    ):
        descending = arguments.keywords.get("reverse", FALSE)
        if isinstance(descending, Const):
            try:
                ordered = sorted(plain, reverse=bool(descending.value))
            except TypeError:
                return result
            return Container("list", Items(tuple(map(Const, ordered)), result.items.open), it.site(node))
    result.slots["#sorted"] = True
    return result


def _dict(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    result = DictObj(Entries(dict(arguments.keywords), arguments.open), it.site(node))
    for value in arguments.positional:
        if isinstance(value, DictObj):
            containers.extend(it, result, value)
            continue
        items = iteration.take(it, value)
        for pair in items.values:
            parts = iteration.unpacked(it, pair, 2, None)
            if len(parts) == 2:
                containers.set_item(it, result, parts[0], parts[1])
        if items.open:
            it.heap.set(result.slots, "entries", Entries(result.entries.values, True))
    return result


def _default_dict(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    factory = arguments.get(0, "default_factory")
    result = _dict(it, Arguments(arguments.positional[1:], arguments.keywords, arguments.open), node)
    if isinstance(result, DictObj) and factory is not None and factory != NONE:
        result.slots["#default"] = factory
    return result


def _range(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    return iteration.make_range(arguments.positional)


def _len(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    value = arguments.get(0, "obj")
    if isinstance(value, Container) and not value.items.open and not value.items.many:
        if not any(isinstance(v, Choice) and ABSENT in v.options for v in value.items.values):
            return Const(len(value.items.values))
    if isinstance(value, DictObj) and not value.entries.open:
        return Const(len(value.entries.values))
    if isinstance(value, Instance):
        items = modules.iterate(it, value)
        if items is not None and not items.open and not items.many:
            return Const(len(items.values))
    return stopping.data()


def _enumerate(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    source = arguments.get(0, "iterable") or UNKNOWN
    start = arguments.get(1, "start") or Const(0)

    def produce() -> Items:
        items = iteration.take(it, source)
        first = start.value if isinstance(start, Const) and isinstance(start.value, int) else None
        known = first is not None and not items.many and not items.open
        values = tuple(
            _pair(Const((first or 0) + i) if known else stopping.data(), value)
            for i, value in enumerate(items.values)
        )
        return Items(values, items.open, items.many)

    kind = "enumerate-many" if iteration.is_repetition(source) else "enumerate"
    return OneShot(kind, produce, it.site(node), (source,))


def _pair(first: Value, second: Value) -> Value:
    if isinstance(second, Choice) and ABSENT in second.options:
        return join_values([Container("tuple", Items((first, truth.without_absent(second)))), ABSENT])
    return Container("tuple", Items((first, second)))


def _zip(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    def produce() -> Items:
        if _some_twice(arguments.positional):
            return _in_turns(it, arguments.positional)
        columns = [iteration.take(it, value) for value in arguments.positional]
        if not columns:
            return Items((), arguments.open)
        many = any(c.many for c in columns)
        more = any(c.open for c in columns)
        exact = [len(c.values) for c in columns if not c.many and not c.open]
        count = min(exact) if exact else max(len(c.values) for c in columns)
        rows = []
        for i in range(count):
            row = tuple(
                truth.without_absent(c.values[min(i, len(c.values) - 1)]) if c.values else UNKNOWN
                for c in columns
            )
            rows.append(Container("tuple", Items(row)))
        return Items(tuple(rows), more and not exact, many and not exact)

    known = all(not iteration.is_repetition(value) for value in arguments.positional)
    kind = "zip" if known else "enumerate-many"
    return OneShot(kind, produce, it.site(node), arguments.positional)


def _some_twice(values: tuple[Value, ...]) -> bool:
    return len({id(value) for value in values if isinstance(value, OneShot)}) < sum(
        isinstance(value, OneShot) for value in values
    )


def _in_turns(it: Interpreter, values: tuple[Value, ...]) -> Items:
    """``zip(*[iterator] * n)``: its elements in tuples of n; anything else that has one iterator twice is not known."""
    items = iteration.take(it, values[0])
    size = len(values)
    if any(value is not values[0] for value in values) or items.open or items.many:
        for value in values:
            if isinstance(value, OneShot):
                reading.in_unseen_hands(it, value)
        return Items((), True)
    whole = len(items.values) - len(items.values) % size
    rows = (Items(items.values[start : start + size]) for start in range(0, whole, size))
    return Items(tuple(Container("tuple", row) for row in rows))


def _filter(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    test = arguments.get(0, "function") or UNKNOWN
    source = arguments.get(1, "iterable") or UNKNOWN
    misused_values.note_iterated(it, source, node)

    def produce() -> Items:
        items = iteration.take(it, source)
        kept: list[Value] = []
        for value in items.values:
            if test == NONE:
                misused_values.note_tested(it, value, node)
            answer = truth.truth(_test(it, test, truth.without_absent(value), node))
            if answer is not False:
                kept.append(value if answer is True else join_values([value, ABSENT]))
        return Items(tuple(kept), items.open, items.many)

    return OneShot("filter", produce, it.site(node), (source,))


def _test(it: Interpreter, test: Value, value: Value, node: cst.CSTNode) -> Value:
    from optlint.semantics import calls

    return value if test == NONE else calls.call(it, test, Arguments((value,)), node)


def _map(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    from optlint.semantics import calls

    function = arguments.get(0, "function") or UNKNOWN
    sources = arguments.positional[1:]

    def produce() -> Items:
        columns = [iteration.take(it, source) for source in sources]
        if not columns:
            return Items((), True)
        count = min(len(c.values) for c in columns)
        values = []
        for i in range(count):
            row = tuple(truth.without_absent(c.values[i]) for c in columns)
            result = calls.call(it, function, Arguments(row), node)
            doubt = any(isinstance(c.values[i], Choice) and ABSENT in c.values[i].options for c in columns)  # type: ignore[attr-defined]
            values.append(join_values([result, ABSENT]) if doubt else result)
        return Items(tuple(values), any(c.open for c in columns), any(c.many for c in columns))

    return OneShot("map", produce, it.site(node), sources)


def _chain(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    for part in arguments.positional:
        misused_values.note_iterated(it, part, node)

    def produce() -> Items:
        return _concatenated(it, arguments.positional, arguments.open)

    return OneShot("chain", produce, it.site(node), arguments.positional)


def _chain_from_iterable(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    source = arguments.get(0, "iterable") or UNKNOWN

    def produce() -> Items:
        items = iteration.take(it, source)
        inner = _concatenated(it, items.values, items.open)
        return Items(inner.values, inner.open, inner.many or items.many)

    return OneShot("chain", produce, it.site(node), (source,))


def _concatenated(it: Interpreter, parts: tuple[Value, ...], more: bool) -> Items:
    values: list[Value] = []
    many = False
    for part in parts:
        doubt = isinstance(part, Choice) and ABSENT in part.options
        items = iteration.take(it, truth.without_absent(part))
        values.extend(join_values([v, ABSENT]) if doubt else v for v in items.values)
        more, many = more or items.open, many or items.many
    return Items(tuple(values), more, many)


def _iter(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    source = arguments.get(0, "object") or UNKNOWN
    if isinstance(source, OneShot):
        return source
    return OneShot("iter", lambda: iteration.take(it, source), it.site(node), (source,))


def _next(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    return next_of(it, arguments.get(0, "iterator") or UNKNOWN, arguments.get(1, "default") or UNKNOWN)


def next_of(it: Interpreter, source: Value, default: Value = UNKNOWN) -> Value:
    """The first element of what is left in an iterator, ``default`` if there may be none; the rest stays."""
    if not isinstance(source, OneShot):
        if reading.one_shot(source) is not None:
            iteration.begun(it, source)
        return stopping.data([source]) if stopping.wants_none(source) else expressions.opaque(it, [source])
    items = reading.first_of(it, source)
    if items is None:
        return default
    first = [truth.without_absent(value) for value in items.values]
    return join_values([*first, default] if items.open else first)


def _reversed(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    source = arguments.get(0, "sequence") or UNKNOWN

    def produce() -> Items:
        items = iteration.take(it, source)
        return Items(items.values[::-1], items.open, items.many)

    kind = "enumerate-many" if iteration.is_repetition(source) else "iter"
    return OneShot(kind, produce, it.site(node), (source,))


def _sum(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    items = iteration.take(it, arguments.get(0, "iterable") or UNKNOWN)
    start = arguments.get(1, "start")
    if isinstance(start, Container):
        values = [*start.items.values]
        more, many = items.open or start.items.open, items.many
        for part in items.values:
            misused_values.note_added(it, start, truth.without_absent(part), node)
            inner = iteration.take(it, truth.without_absent(part))
            values.extend(inner.values)
            more, many = more or inner.open, many or inner.many
        return Container("list", Items(tuple(values), more, many), it.site(node))
    added = (*items.values, UNKNOWN) if items.open and not items.many else items.values
    return copies.summed(expressions.flow(it, added), added)


def _any_all(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    return UNKNOWN


def _any_of(wanted: bool) -> Handler:
    """``any`` (``wanted`` True) and ``all``: they read up to the first element that decides."""

    def handler(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
        source = arguments.get(0, "iterable") or UNKNOWN
        steps, items = iteration.begun(it, source)
        answers = [_sure(value) for value in items.values]
        if steps is not None:
            steps.stand(reading.stops(answers, wanted))
        if wanted in answers:
            return Const(wanted)
        return UNKNOWN if None in answers or items.open else Const(not wanted)

    return handler


def _sure(value: Value) -> bool | None:
    return None if isinstance(value, Choice) and ABSENT in value.options else truth.truth(value)


def _isinstance(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    if len(arguments.positional) != 2:
        return UNKNOWN
    value, wanted = arguments.positional
    answer = is_instance(it, value, wanted)
    return UNKNOWN if answer is None else Const(answer)


def is_instance(it: Interpreter, value: Value, wanted: Value) -> bool | None:
    """``isinstance(value, wanted)``."""
    if isinstance(value, Choice) or isinstance(wanted, Choice):
        answers = {
            is_instance(it, v, w) for v in truth.alternatives(value) for w in truth.alternatives(wanted)
        }
        return answers.pop() if len(answers) == 1 else None
    if isinstance(wanted, Container):
        found = [is_instance(it, value, option) for option in wanted.items.values]
        return True if True in found else None if None in found or wanted.items.open else False
    if isinstance(value, Instance):
        return _instance_of(it, value, wanted)
    if isinstance(value, Scheduler):
        return schedulers.is_instance(value, wanted)
    return _builtin_instance(value, wanted)


def _instance_of(it: Interpreter, value: Instance, wanted: Value) -> bool | None:
    if isinstance(wanted, UserClass):
        if isinstance(value.cls, LibraryClass):
            return None if value.open or value.cls.qualified_name.startswith("optlint.") else False
        if wanted in value.cls.order():
            return True
        return None if value.cls.has_unknown_base() else False
    if not isinstance(wanted, External):
        return None
    last = wanted.name.rsplit(".", 1)[-1]
    if wanted.name in ("torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module"):
        return True if families.is_module(it, value) else None
    if wanted.name.startswith("torch.nn.") and families.is_module(it, value):
        if isinstance(value.cls, LibraryClass):
            if value.cls.name == "Inner" or value.cls.qualified_name.startswith("optlint."):
                return None
            return value.cls.name == last or _torch_parents(value.cls.name, last)
        bases = {base.rsplit(".", 1)[-1] for base in value.cls.library_bases()}
        return last in bases
    if wanted.name.startswith("builtins."):
        return False
    from optlint.semantics.libraries import keras_models

    return keras_models.is_instance(value, wanted.name)


def _torch_parents(name: str, wanted: str) -> bool:
    """torch's private and public base classes of its layers."""
    parents = {
        "_BatchNorm": name.startswith(("BatchNorm", "SyncBatchNorm", "LazyBatchNorm")),
        "_NormBase": name.startswith(("BatchNorm", "InstanceNorm", "SyncBatchNorm")),
        "_ConvNd": name.startswith("Conv"),
        "_ConvTransposeNd": name.startswith("ConvTranspose"),
        "RNNBase": name in ("RNN", "LSTM", "GRU"),
        "_Loss": name.endswith("Loss"),
        "_DropoutNd": "Dropout" in name,
        "_InstanceNorm": name.startswith("InstanceNorm"),
    }
    return parents.get(wanted, False)


def _builtin_instance(value: Value, wanted: Value) -> bool | None:
    if not isinstance(wanted, External):
        return (
            False
            if isinstance(wanted, UserClass) and isinstance(value, (Const, Container, DictObj))
            else None
        )
    last = wanted.name.rsplit(".", 1)[-1]
    if isinstance(value, Const):
        return type(value.value).__name__ == last or (last == "int" and isinstance(value.value, bool))
    if isinstance(value, Container):
        kinds = {"range": "range"}
        return kinds.get(value.kind, value.kind) == last or last in ("Iterable", "Sequence", "Collection")
    if isinstance(value, DictObj):
        return last in ("dict", "Mapping", "MutableMapping", "OrderedDict", "Iterable")
    if isinstance(value, Text):
        return last == "str"
    if isinstance(value, Leaf):
        if last == "Parameter":
            return value.is_parameter
        return (
            True
            if last == "Tensor"
            else False
            if wanted.name.startswith(("torch.nn.", "builtins."))
            else None
        )
    if isinstance(value, Flow):
        return True if wanted.name == "torch.Tensor" else None
    if isinstance(value, Optimizer):
        return True if last == "Optimizer" or last == value.cls_name else None
    return None


def _hasattr(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    if len(arguments.positional) != 2:
        return UNKNOWN
    owner, name = arguments.positional
    if not isinstance(name, Const) or not isinstance(name.value, str):
        return UNKNOWN
    if isinstance(owner, Instance):
        value = owner.slots.get(name.value, ABSENT)
        if isinstance(value, Choice) and ABSENT in value.options:
            return UNKNOWN
        if value is not ABSENT or attributes.class_attribute(owner.cls, name.value) is not None:
            return TRUE
        closed = not owner.open and isinstance(owner.cls, UserClass) and not owner.cls.has_unknown_base()
        if closed and not isinstance(owner.cls, LibraryClass) and not owner.cls.library_bases():
            return FALSE
        if it.root_class is None and families.is_plain_module(it, owner) and torch_nn.is_own_name(name.value):
            return FALSE
        if families.is_module(it, owner) and name.value in ("weight", "bias") and not owner.open:
            return (
                FALSE
                if isinstance(owner.cls, LibraryClass) and "optlint" not in owner.cls.qualified_name
                else UNKNOWN
            )
        if name.value == "module" and families.is_module(it, owner) and not owner.open:
            return FALSE
    return UNKNOWN


def _getattr(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    if len(arguments.positional) < 2:
        return UNKNOWN
    owner, name = arguments.positional[:2]
    if isinstance(name, Choice):
        return join_values(
            [_getattr(it, Arguments((owner, n, *arguments.positional[2:])), node) for n in options(name)]
        )
    key = attribute_key(name)
    if key is not None and isinstance(owner, Instance) and isinstance(name, Text):
        return owner.slots.get(key, Unknown(modules.reachable_leaves(it, owner)))  # type: ignore[no-any-return]
    if isinstance(name, Const) and isinstance(name.value, str):
        value = attributes.get_attribute(it, owner, name.value, node)
        if len(arguments.positional) > 2 and _hasattr(it, Arguments((owner, name)), node) != TRUE:
            if not isinstance(owner, (External, Namespace)):
                return join_values([expressions.plain(value), arguments.positional[2]])
        return value
    if isinstance(owner, Namespace):
        return UNKNOWN
    return Unknown(modules.reachable_leaves(it, owner))


def attribute_key(name: Value) -> str | None:
    """Under what an attribute with a (partly) known name is kept; None when nothing is known of the name."""
    if isinstance(name, Const) and isinstance(name.value, str):
        return name.value
    if isinstance(name, Text) and any(isinstance(piece, str) for piece in name.pieces):
        return "".join(piece if isinstance(piece, str) else "<n>" for piece in name.pieces)
    return None


def _setattr(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    if len(arguments.positional) != 3:
        return NONE
    owner, name, value = arguments.positional
    key = attribute_key(name)
    for option in options(owner):
        if key is None:
            if isinstance(option, Instance):
                it.heap.set(option.slots, "#open", True)
            elif isinstance(option, Unknown):
                unseen_parts.changed(it, option, node)
            continue
        attributes.set_attribute(it, option, key, value, node)
    return NONE


def _delattr(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    if len(arguments.positional) == 2:
        owner, name = arguments.positional
        key = attribute_key(name)
        for option in options(owner):
            if isinstance(option, Instance):
                it.heap.set(option.slots, key or "#open", ABSENT if key else True)
    return NONE


def _vars(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    value = arguments.get(0, "object") or UNKNOWN
    if isinstance(value, Record):
        return value
    if not isinstance(value, (Instance, External)):
        return UNKNOWN
    return attributes.get_attribute(it, value, "__dict__", node)


def _type(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    value = arguments.get(0, "object")
    if isinstance(value, Scheduler) and value.exact and not value.name.startswith("get_"):
        return External(f"torch.optim.lr_scheduler.{value.name}")
    return value.cls if isinstance(value, Instance) else UNKNOWN


def _identity(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``id(x)``: objects are told apart by themselves."""
    value = arguments.get(0, "object")
    return value if isinstance(value, Obj) else UNKNOWN


def _first_argument(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    return arguments.positional[0] if arguments.positional else UNKNOWN


def _partial(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    if not arguments.positional:
        return UNKNOWN
    rest = Arguments(arguments.positional[1:], arguments.keywords, arguments.open)
    return Partial(arguments.positional[0], rest)


def _operation(operator: type[cst.BaseBinaryOp]) -> Handler:
    """``operator.add`` and its relatives."""

    def handler(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
        if len(arguments.positional) != 2:
            return UNKNOWN
        return expressions.operate(it, operator(), *arguments.positional, node)

    return handler


def _getter(kind: str) -> Handler:
    """``operator.itemgetter(…)`` and its relatives: a function that waits for its object."""

    def handler(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
        return Partial(
            External(f"optlint.{kind}"), Arguments((Container("tuple", Items(arguments.positional)),))
        )

    return handler


def _got(kind: str) -> Handler:
    def handler(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
        if len(arguments.positional) != 2 or not isinstance(arguments.positional[0], Container):
            return UNKNOWN
        keys, owner = arguments.positional[0].items.values, arguments.positional[1]
        read = containers.get_item if kind == "itemgetter" else lambda it, o, key: _dotted(it, o, key, node)
        found = [read(it, owner, key) for key in keys]
        return found[0] if len(found) == 1 else Container("tuple", Items(tuple(found)))

    return handler


def _dotted(it: Interpreter, owner: Value, path: Value, node: cst.CSTNode) -> Value:
    """``attrgetter("a.b")(owner)``."""
    if not isinstance(path, Const) or not isinstance(path.value, str):
        return expressions.opaque(it, [owner])
    for part in path.value.split("."):
        owner = expressions.plain(attributes.get_attribute(it, owner, part, node))
    return owner


def _field(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    return Partial(External("dataclasses.field"), arguments)


def _never(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    return expressions.NEVER


def _bounds(values: tuple[Value, ...]) -> slice[int | None, int | None, int | None] | None:
    """The slice that some numbers stand for; None when one is not known."""
    bounds: list[int | None] = []
    for value in values:
        if not isinstance(value, Const) or not (value.value is None or isinstance(value.value, int)):
            return None
        bounds.append(value.value)
    return slice(*bounds) if 0 < len(bounds) < 4 else None


def _islice(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    source = arguments.get(0, "iterable") or UNKNOWN
    part = _bounds(arguments.positional[1:])

    def produce() -> Items:
        steps, items = iteration.begun(it, source)
        if items.open or items.many or part is None:
            if steps is not None:
                steps.stand((*range(len(items.values)), END))
            return Items(tuple(join_values([v, ABSENT]) for v in items.values), items.open, items.many)
        if steps is not None:
            steps.stand((END if part.stop is None else part.stop,))
        return Items(items.values[part])

    return OneShot("islice", produce, it.site(node), (source,))


def _reduce(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    from optlint.semantics import calls

    function = arguments.get(0, "function") or UNKNOWN
    values = list(iteration.take(it, arguments.get(1, "iterable") or UNKNOWN).values)
    start = arguments.get(2, "initial")
    result = start if start is not None else values.pop(0) if values else UNKNOWN
    for value in values:
        result = calls.call(it, function, Arguments((result, truth.without_absent(value))), node)
    return result


#: More copies of an iterator than this are not made.
_MAX_TEES = 8


def _tee(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``tee``: iterators that share what they read."""
    count = arguments.get(1, "n") or Const(2)
    number = count.value if isinstance(count, Const) and isinstance(count.value, int) else _MAX_TEES + 1
    if number > _MAX_TEES:
        return UNKNOWN
    shared = Container("list", iteration.take(it, arguments.get(0, "iterable") or UNKNOWN))
    copies = tuple(OneShot("iter", lambda: shared.items, it.site(node), (shared,)) for _ in range(number))
    return Container("tuple", Items(copies))


def _number(kind: type[int] | type[float]) -> Handler:
    def handler(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
        value = arguments.get(0, "x")
        if (
            isinstance(value, Const)
            and isinstance(value.value, (int, float, str))
            and len(arguments.positional) == 1
        ):
            try:
                return Const(kind(value.value))
            except (ValueError, OverflowError):
                return UNKNOWN
        if isinstance(value, (Flow, Leaf)):
            where = Cut("detach", it.site(node), f"{kind.__name__}(…)")
            number = expressions.cut(it, value, where)
            if it.recording.used and isinstance(number, Flow):
                return replace(number, origin=Origin(where.site, where.text))
            return number
        return stopping.data()

    return handler


def _deepcopy(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    from optlint.semantics.libraries import torch_identity

    copies: list[Value] = []
    for value in truth.alternatives(arguments.get(0, "x") or UNKNOWN):
        memo: dict[int, Value] = {}
        copies.append(copied(value, memo))
        # The copy may be meant to step.
        it.book.handed_out.update(old for old, copy in memo.items() if isinstance(copy, Optimizer))
        torch_identity.note_copies(it, memo, node)
    return join_values(copies)


#: Larger object graphs are not copied: the copy is Unknown.
MAX_COPIED = 3_000


def _copied_optimizer(value: Optimizer, memo: dict[int, Value]) -> Optimizer:
    """Another optimizer with copies of the parameters: those of the model's copy, if that was copied with it."""
    groups = []
    for group in value.groups.groups:
        params = group.params
        if params is not None:
            params = Items(tuple(copied(p, memo) for p in params.values), params.open, params.many)
        groups.append(Group(params, group.settings))
    assert value.site is not None
    copy = Optimizer(value.cls_name, Groups(tuple(groups), value.groups.open), value.site)
    memo[id(value)] = copy
    copy.slots["#original"] = value
    return copy


def copied(value: Value, memo: dict[int, Value]) -> Value:
    """A deep copy: new leaves and containers, states as they are now."""
    if id(value) in memo:
        return memo[id(value)]
    if len(memo) > MAX_COPIED:
        return UNKNOWN
    if isinstance(value, Leaf):
        leaf = Leaf(
            value.site, is_parameter=value.is_parameter, requires_grad=value.requires_grad, ndim=value.ndim
        )
        leaf.fresh = False
        tensor_calls.note_copy(leaf, value)
        memo[id(value)] = leaf
        return leaf
    if isinstance(value, Instance):
        instance = Instance(value.cls, value.site)
        memo[id(value)] = instance
        for key, member in value.slots.items():
            if key == "#variable":
                continue  # the name of the original
            if isinstance(member, Items):
                parts = tuple(copied(part, memo) for part in member.values)
                instance.slots[key] = Items(parts, member.open, member.many)
                continue
            instance.slots[key] = copied(member, memo) if isinstance(member, Value) else member
        instance.slots["#copied"] = True
        return instance
    if isinstance(value, Container):
        items = value.items
        container = Container(value.kind, Items((), items.open, items.many), value.site)
        memo[id(value)] = container
        container.slots["items"] = Items(tuple(copied(v, memo) for v in items.values), items.open, items.many)
        return container
    if isinstance(value, DictObj):
        table = memo[id(value)] = type(value)(Entries({}, True), value.site)
        entries = {key: copied(v, memo) for key, v in value.entries.values.items()}
        table.slots["entries"] = Entries(entries, value.entries.open)
        return table
    if isinstance(value, Choice):
        return join_values([copied(option, memo) for option in value.options])
    if isinstance(value, Optimizer):
        return _copied_optimizer(value, memo)
    if isinstance(value, OneShot):
        return UNKNOWN
    if isinstance(value, Flow):
        return replace(value, alias=None)
    if isinstance(value, Symbolic):
        layers = tuple(
            layer for layer in (copied(v, memo) for v in value.layers) if isinstance(layer, Instance)
        )
        return Symbolic(layers, value.complete, value.many)
    return value


_FUNCTIONS: dict[str, Handler] = {
    "builtins.list": _collect("list"),
    "builtins.tuple": _collect("tuple"),
    "builtins.set": _collect("set"),
    "builtins.frozenset": _collect("frozenset"),
    "builtins.sorted": _sorted,
    "collections.deque": _collect("deque"),
    "builtins.dict": _dict,
    "collections.OrderedDict": _dict,
    "collections.defaultdict": _default_dict,
    "builtins.range": _range,
    "builtins.len": _len,
    "builtins.enumerate": _enumerate,
    "builtins.zip": _zip,
    "itertools.zip_longest": _zip,
    "builtins.filter": _filter,
    "builtins.map": _map,
    "itertools.chain": _chain,
    "itertools.chain.from_iterable": _chain_from_iterable,
    "itertools.islice": _islice,
    "itertools.tee": _tee,
    "builtins.iter": _iter,
    "builtins.next": _next,
    "builtins.reversed": _reversed,
    "builtins.sum": _sum,
    "builtins.any": _any_of(True),
    "builtins.all": _any_of(False),
    "builtins.isinstance": _isinstance,
    "builtins.issubclass": _any_all,
    "builtins.callable": _any_all,
    "builtins.hasattr": _hasattr,
    "builtins.getattr": _getattr,
    "builtins.setattr": _setattr,
    "builtins.delattr": _delattr,
    "builtins.type": _type,
    "builtins.vars": _vars,
    "builtins.id": _identity,
    "builtins.int": _number(int),
    "builtins.float": _number(float),
    "builtins.exit": _never,
    "builtins.quit": _never,
    "sys.exit": _never,
    "os._exit": _never,
    "os.abort": _never,
    "functools.partial": _partial,
    "functools.reduce": _reduce,
    "operator.add": _operation(cst.Add),
    "operator.concat": _operation(cst.Add),
    "operator.iadd": _operation(cst.Add),
    "operator.iconcat": _operation(cst.Add),
    "operator.mul": _operation(cst.Multiply),
    "operator.sub": _operation(cst.Subtract),
    "operator.or_": _operation(cst.BitOr),
    "operator.and_": _operation(cst.BitAnd),
    "operator.attrgetter": _getter("attrgetter"),
    "operator.itemgetter": _getter("itemgetter"),
    "optlint.attrgetter": _got("attrgetter"),
    "optlint.itemgetter": _got("itemgetter"),
    "dataclasses.field": _field,
    "copy.deepcopy": _deepcopy,
    "copy.copy": _deepcopy,
    "typing.cast": lambda it, arguments, node: arguments.get(1, "val") or UNKNOWN,
    "tqdm.tqdm": _first_argument,
    "tqdm.auto.tqdm": _first_argument,
    "tqdm.autonotebook.tqdm": _first_argument,
    "rich.progress.track": _first_argument,
    "tqdm.notebook.tqdm": _first_argument,
    "tqdm.trange": _range,
    "tqdm.auto.trange": _range,
}
