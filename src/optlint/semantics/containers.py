"""Lists, tuples, sets and dicts: their methods, elements and slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from optlint.semantics import enumerations, events, families, identity, modules, unseen_parts
from optlint.semantics.libraries import keras_trainable
from optlint.semantics.libraries.keras_graph import Symbolic
from optlint.semantics.values import (
    ABSENT,
    NONE,
    SETS,
    UNKNOWN,
    Arguments,
    Choice,
    Const,
    Container,
    DictObj,
    Entries,
    External,
    Flow,
    Instance,
    Items,
    Leaf,
    Method,
    Obj,
    Unknown,
    UserClass,
    Value,
    inside,
    join_values,
    options,
)
from optlint.syntax import cst
from optlint.syntax.nodes import name_of

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter


#: Entries of a dict that are kept apart although their keys are not known.
MAX_UNKNOWN_KEYS = 4
#: Elements of a list that are kept; what is added to a longer one is not known.
MAX_ELEMENTS = 1_000


def hashable(key: Value) -> Any:
    """What a key is stored under; None when it is not known."""
    if isinstance(key, Const):
        return key.value
    if isinstance(key, Obj):
        if isinstance(key, Container) and all(isinstance(v, Const) for v in key.items.values):
            return tuple(v.value for v in key.items.values if isinstance(v, Const))
        return key
    return None


def put(it: Interpreter, container: Container, items: Items) -> None:
    """Replace the elements of a container."""
    if len(items.values) > MAX_ELEMENTS:
        items = Items(items.values[:MAX_ELEMENTS], True, items.many)
    it.heap.set(container.slots, "items", items.unique() if container.kind in SETS else items)


def extend(it: Interpreter, container: Value, value: Value) -> None:
    """``container += value``."""
    from optlint.semantics import iteration

    if isinstance(container, Container) and container.kind != "tuple":
        more = iteration.take(it, value)
        old = container.items
        if keras_trainable.is_empty(value):
            it.heap.set(container.slots, keras_trainable.EMPTIED, value)
        put(it, container, Items(old.values + more.values, old.open or more.open, old.many or more.many))
    elif isinstance(container, DictObj):
        _update(it, container, value)
    elif isinstance(container, Instance) and modules.container_base(it, container):
        with identity.watched(it, container):
            modules.fill(it, container, iteration.take(it, value))


def contents(container: Container | DictObj) -> tuple[Value, ...]:
    """The elements of a list, the values of a dict."""
    if isinstance(container, Container):
        return container.items.values
    return tuple(container.entries.values.values())


def note_added(it: Interpreter, container: Value, before: Sequence[Value], node: cst.CSTNode) -> None:
    """Record what a list or dict got that can train, since it held ``before``."""
    if not isinstance(container, (Container, DictObj)):
        return
    after = contents(container)
    count = len(before)
    at_the_end = not count or (
        len(after) > count and after[0] is before[0] and after[count - 1] is before[-1]
    )
    old = set() if at_the_end else {id(value) for value in before}
    for value in after[count:] if at_the_end else after:
        for option in () if id(value) in old else options(value):
            if isinstance(option, Leaf) or (isinstance(option, Instance) and families.is_module(it, option)):
                it.record(events.ElementAdded(it.site(node), bool(it.conditional), container, option))


def get_item(it: Interpreter, container: Value, key: Value) -> Value:
    """``container[key]``."""
    if isinstance(container, Choice):
        return join_values([get_item(it, option, key) for option in options(container)])
    if isinstance(container, Container):
        return _element(container, key)
    if isinstance(container, DictObj):
        if "#default" in container.slots:
            _fill_default(it, container, key)
        return _entry(container.entries, key)
    if isinstance(container, Instance):
        return _module_element(it, container, key)
    if isinstance(container, UserClass):
        if enumerations.is_enum(container):
            return enumerations.by_name(container, key)
        return container if "typing.Generic" in container.library_bases() else UNKNOWN
    if isinstance(container, Leaf):
        return inside(container)
    if isinstance(container, Flow):
        return container
    if isinstance(container, Unknown):
        named = isinstance(key, Const) and isinstance(key.value, str)  # others may have put something there
        plain = container.plain and not named
        return Unknown(container.taint, container.cuts, plain=plain, stop=container.stop)
    if isinstance(container, Symbolic):
        return container
    return UNKNOWN


class SliceKey(Value):
    """A slice ``start:stop:step`` as a key; ``bounds`` are None where they are not known."""

    __slots__ = ("bounds", "known")

    def __init__(self, bounds: slice | None) -> None:
        self.bounds = bounds
        self.known = bounds is not None


def _element(container: Container, key: Value) -> Value:
    items = container.items
    if isinstance(key, SliceKey):
        known = key if "#sorted" not in container.slots or key.bounds == slice(None) else SliceKey(None)
        return Container(container.kind, _slice(items, known), container.site)
    if isinstance(key, Const) and isinstance(key.value, int) and not items.many:
        if _places_unsure(items) or "#sorted" in container.slots:
            return join_values([option for value in items.values for option in options(value)])
        try:
            if not items.open or key.value >= 0:
                return items.values[key.value]
        except IndexError:
            pass
        return UNKNOWN
    if not items.values:
        return UNKNOWN
    if isinstance(key, Const) and items.many and not items.open:
        return join_values(items.values)
    return join_values([*items.values, UNKNOWN]) if items.open else join_values(items.values)


def _places_unsure(items: Items) -> bool:
    """Whether an element may be missing, so that those after it may stand one place earlier."""
    return any(isinstance(value, Choice) and ABSENT in value.options for value in items.values)


def _slice(items: Items, key: SliceKey) -> Items:
    if key.bounds is not None and not items.many and not items.open and not _places_unsure(items):
        return Items(items.values[key.bounds])
    if key.bounds == slice(None):
        return items
    return Items(tuple(join_values([value, ABSENT]) for value in items.values), items.open, items.many)


def _entry(entries: Entries, key: Value) -> Value:
    if isinstance(key, Choice):
        return join_values([_entry(entries, option) for option in options(key)])
    name = hashable(key)
    if name is not None or key == NONE:
        try:
            if name in entries.values:
                return entries.values[name]
        except TypeError:
            return UNKNOWN
        return UNKNOWN
    values = list(entries.values.values())
    if entries.open or not values:
        return join_values([*values, UNKNOWN]) if values else UNKNOWN
    return join_values(values)


def _fill_default(it: Interpreter, container: DictObj, key: Value) -> None:
    """``defaultdict``: what is not there yet is made when it is asked for."""
    from optlint.semantics import calls

    for option in options(key):
        name = hashable(option)
        entries = container.entries
        if (name is None and option != NONE) or (name not in entries.values and not entries.open):
            factory: Value = container.slots["#default"]
            made = calls.call(it, factory, Arguments(), name_of("default"))
            set_item(
                it, container, option, made if not isinstance(key, Choice) else join_values([made, ABSENT])
            )


def _module_element(it: Interpreter, instance: Instance, key: Value) -> Value:
    from optlint.semantics import attributes, calls

    base = modules.container_base(it, instance)
    if base is None:
        method = attributes.user_method(instance, "__getitem__")
        if method is not None:
            return calls.call_method_value(it, instance, method, Arguments((key,)))
        return Unknown(modules.reachable_leaves(it, instance), module=unseen_parts.is_part(instance))
    named = modules.elements(instance)
    many = instance.slots.get("#many", False) is not False
    values = tuple(value for _, value in named)
    if isinstance(key, SliceKey):
        copy = Instance(instance.cls, instance.site, is_open=instance.open)
        modules.fill(it, copy, _slice(Items(values, instance.open, many), key))
        return copy
    if isinstance(key, Const) and isinstance(key.value, str):
        return instance.slots.get(key.value, UNKNOWN)  # type: ignore[no-any-return]
    return _element(Container("list", Items(values, instance.open, many)), key)


def set_item(it: Interpreter, container: Value, key: Value, value: Value) -> None:
    """``container[key] = value``."""
    if isinstance(container, DictObj):
        name = hashable(key)
        _set_in_owner(it, container, name, value)
        if name == "params":
            identity.edited(it, container, value)
        if name is None and key != NONE:
            it.heap.set(container.slots, "entries", _blurred(container.entries, key, value))
            return
        it.heap.set(
            container.slots,
            "entries",
            Entries({**container.entries.values, name: value}, container.entries.open),
        )
    elif isinstance(container, Container):
        _set_element(it, container, key, value)
    elif isinstance(container, Instance):
        _set_module_element(it, container, key, value)
    elif isinstance(container, (Unknown, Method, External)):
        keras_trainable.kept_by_unknown(it, value)
        unseen_parts.element_set(it, container, value)


def _set_in_owner(it: Interpreter, table: DictObj, name: Any, value: Value) -> None:
    """``module._parameters[name] = …`` and ``del module._modules[name]`` change the module itself."""
    owner = table.slots.get("#owner")
    if not isinstance(owner, Instance):
        return
    if isinstance(name, str):
        identity.put(it, owner, name, value)
    else:
        it.heap.set(owner.slots, "#open", True)


def _blurred(entries: Entries, key: Value, value: Value) -> Entries:
    """An entry under a key that is not known: kept under the key value itself, others may be overwritten."""
    slots = [slot for slot in entries.values if isinstance(slot, _Slot)]
    if len(slots) >= MAX_UNKNOWN_KEYS:
        last = slots[-1]
        return Entries({**entries.values, last: join_values([entries.values[last], value])}, True)
    return Entries({**entries.values, _Slot(key): value}, True)


class _Slot(Value):
    """Stands in a dict for a key that is not known."""

    __slots__ = ("key",)

    def __init__(self, key: Value) -> None:
        self.key = key


def _set_element(it: Interpreter, container: Container, key: Value, value: Value) -> None:
    items = container.items
    if isinstance(key, Const) and isinstance(key.value, int) and not items.many:
        index = key.value
        if -len(items.values) <= index < len(items.values):
            values = list(items.values)
            values[index] = value
            put(it, container, Items(tuple(values), items.open))
            return
    put(it, container, Items((*items.values, join_values([value, ABSENT])), True, items.many))


def _set_module_element(it: Interpreter, instance: Instance, key: Value, value: Value) -> None:
    if modules.container_base(it, instance) is None:
        if (
            "*" in instance.slots
        ):  # a part of a library's model: what is put there counts among its parameters
            name = str(key.value) if isinstance(key, Const) else "<n>"
            identity.put(it, instance, f"<{name}>", value)
        else:
            _set_own_element(it, instance, key, value)
        return
    if modules.is_parameter_container(it, instance):
        value = modules.as_parameter(value)
    if isinstance(key, Const) and isinstance(key.value, (int, str)) and not isinstance(key.value, bool):
        name = str(key.value)
        if isinstance(key.value, int) and key.value < 0:
            named = modules.elements(instance)
            name = named[key.value][0] if -key.value <= len(named) else name
        identity.put(it, instance, name, value)
        return
    count = len(modules.elements(instance))
    identity.put(it, instance, f"<{count}>", value)
    modules.mark_extent(it, instance, False, True)


def _set_own_element(it: Interpreter, instance: Instance, key: Value, value: Value) -> None:
    """``object[key] = value``: its class says what happens, or what it holds now depends on the value too."""
    from optlint.semantics import attributes, calls, expressions

    method = attributes.user_method(instance, "__setitem__")
    if method is not None:
        calls.call_method_value(it, instance, method, Arguments((key, value)))
        return
    held = instance.slots.get("<items>", UNKNOWN)
    it.heap.set(instance.slots, "<items>", expressions.opaque(it, [held, value]))


def delete_item(it: Interpreter, container: Value, key: Value) -> None:
    """``del container[key]``."""
    if isinstance(container, DictObj):
        values = dict(container.entries.values)
        name = hashable(key)
        _set_in_owner(it, container, name, ABSENT)
        if name is None:
            it.heap.set(container.slots, "entries", Entries({}, True))
            return
        values.pop(name, None)
        it.heap.set(container.slots, "entries", Entries(values, container.entries.open))
    elif isinstance(container, Container):
        values_ = list(container.items.values)
        if isinstance(key, Const) and isinstance(key.value, int) and not container.items.many:
            if -len(values_) <= key.value < len(values_):
                del values_[key.value]
            put(it, container, Items(tuple(values_), container.items.open))
        else:
            put(it, container, Items((), True))
    elif isinstance(container, Instance):
        it.heap.set(container.slots, "#open", True)


# -- methods ---------------------------------------------------------------------------------------------------------


def call_list_method(it: Interpreter, owner: Container, name: str, arguments: Arguments) -> Value | None:
    """A method of a list, tuple, set or deque; None when there is no such method."""
    handler = _LIST_METHODS.get(name)
    return None if handler is None else handler(it, owner, arguments)


def _append(it: Interpreter, owner: Container, arguments: Arguments) -> Value:
    value = arguments.get(0, "object")
    items = owner.items
    if value is None or arguments.open:
        put(it, owner, Items(items.values, True, items.many))
        return NONE
    put(it, owner, Items((*items.values, value), items.open, items.many))
    return NONE


def _insert(it: Interpreter, owner: Container, arguments: Arguments) -> Value:
    value = arguments.get(1, "object")
    items = owner.items
    where = arguments.get(0, "index")
    values = list(items.values)
    position = where.value if isinstance(where, Const) and isinstance(where.value, int) else len(values)
    values.insert(position, value if value is not None else UNKNOWN)
    put(it, owner, Items(tuple(values), items.open, items.many))
    return NONE


def _extend(it: Interpreter, owner: Container, arguments: Arguments) -> Value:
    for value in arguments.positional:
        extend(it, owner, value)
    if arguments.open:
        put(it, owner, Items(owner.items.values, True, owner.items.many))
    return NONE


def _pop(it: Interpreter, owner: Container, arguments: Arguments) -> Value:
    items = owner.items
    where = arguments.get(0, "index") or Const(-1)
    unsure = items.many or items.open or _places_unsure(items)
    if unsure or not items.values or not isinstance(where, Const):
        put(it, owner, Items(tuple(join_values([v, ABSENT]) for v in items.values), items.open, items.many))
        return join_values([*(o for v in items.values for o in options(v)), UNKNOWN])
    values = list(items.values)
    if not isinstance(where.value, int) or not -len(values) <= where.value < len(values):
        return UNKNOWN
    popped = values.pop(where.value)
    put(it, owner, Items(tuple(values)))
    return popped


def _clear(it: Interpreter, owner: Container, arguments: Arguments) -> Value:
    identity.edited(it, owner, None)
    put(it, owner, Items())
    return NONE


def _remove(it: Interpreter, owner: Container, arguments: Arguments) -> Value:
    value = arguments.get(0, "value")
    items = owner.items
    if isinstance(value, Obj) and any(v is value for v in items.values):
        put(it, owner, Items(tuple(v for v in items.values if v is not value), items.open, items.many))
    else:
        put(it, owner, Items(tuple(join_values([v, ABSENT]) for v in items.values), items.open, items.many))
    return NONE


def _copy(it: Interpreter, owner: Container, arguments: Arguments) -> Value:
    return Container(owner.kind, owner.items, owner.site)


def _unordered(it: Interpreter, owner: Container, arguments: Arguments) -> Value:
    return NONE


def _reverse(it: Interpreter, owner: Container, arguments: Arguments) -> Value:
    items = owner.items
    put(it, owner, Items(items.values[::-1], items.open, items.many))
    return NONE


def _combined(keep: Callable[[bool, bool], bool]) -> Callable[[Any, Container, Arguments], Value]:
    def method(it: Interpreter, owner: Container, arguments: Arguments) -> Value:
        return set_operation(it, owner, arguments.get(0, "other") or UNKNOWN, keep)

    return method


def set_operation(
    it: Interpreter, left: Container, right: Value, keep: Callable[[bool, bool], bool]
) -> Value:
    """A set made of the elements for which ``keep(in left, in right)`` holds."""
    from optlint.semantics import iteration, truth

    mine, other = left.items, iteration.take(it, right)
    probe = Container("set", other)
    values: list[Value] = []
    for value in mine.values:
        inside = truth.contains(probe, value)
        if inside is None:
            values.append(join_values([value, ABSENT]))
        elif keep(True, inside):
            values.append(value)
    if keep(False, True):
        own = Container("set", mine)
        values.extend(value for value in other.values if truth.contains(own, value) is not True)
    return Container("set", Items(tuple(values), mine.open or (other.open and keep(False, True))))


_LIST_METHODS: dict[str, Callable[[Any, Container, Arguments], Value]] = {
    "append": _append,
    "appendleft": _append,
    "add": _append,
    "insert": _insert,
    "extend": _extend,
    "pop": _pop,
    "popleft": lambda it, owner, _: _pop(it, owner, Arguments((Const(0),))),
    "clear": _clear,
    "remove": _remove,
    "discard": _remove,
    "copy": _copy,
    "sort": _unordered,
    "reverse": _reverse,
    "difference": _combined(lambda mine, other: mine and not other),
    "intersection": _combined(lambda mine, other: mine and other),
    "union": _combined(lambda mine, other: True),
    "symmetric_difference": _combined(lambda mine, other: mine != other),
    "update": _extend,
    "index": lambda it, owner, _: UNKNOWN,
    "count": lambda it, owner, _: UNKNOWN,
}


DICT_METHODS = frozenset({"values", "keys", "items", "get", "setdefault", "pop", "update", "copy", "clear"})


def call_dict_method(it: Interpreter, owner: DictObj, name: str, arguments: Arguments) -> Value | None:
    """A method of a dict; None when there is no such method."""
    entries = owner.entries
    if name in ("values", "keys", "items"):
        return _view(owner, name)
    if name in ("get", "setdefault", "pop"):
        return _get(it, owner, name, arguments)
    if name == "update":
        for value in arguments.positional:
            _update(it, owner, value)
        if arguments.keywords or arguments.open:
            merged = {**owner.entries.values, **arguments.keywords}
            it.heap.set(owner.slots, "entries", Entries(merged, owner.entries.open or arguments.open))
        return NONE
    if name == "copy":
        return type(owner)(entries, owner.site)
    if name == "clear":
        it.heap.set(owner.slots, "entries", Entries())
        return NONE
    return None


def _view(owner: DictObj, name: str) -> Value:
    from optlint.semantics.iteration import _key

    entries = owner.entries
    if name == "values":
        values = tuple(entries.values.values())
    elif name == "keys":
        values = tuple(_key(key) for key in entries.values)
    else:
        values = tuple(Container("tuple", Items((_key(k), v))) for k, v in entries.values.items())
    return Container(f"dict_{name}", Items(values, entries.open), owner.site)


def _get(it: Interpreter, owner: DictObj, name: str, arguments: Arguments) -> Value:
    key = arguments.get(0, "key") or UNKNOWN
    default = arguments.get(1, "default") or (NONE if name != "pop" else UNKNOWN)
    known = hashable(key)
    entries = owner.entries
    found = entries.values.get(known) if known is not None else None
    if found is None:
        if known is not None and not entries.open:
            if name == "setdefault":
                set_item(it, owner, key, default)
            return default
        return join_values([_entry(entries, key), default])
    if name == "pop":
        delete_item(it, owner, key)
    return found


def _update(it: Interpreter, owner: DictObj, value: Value) -> None:
    entries = owner.entries
    merged, more = dict(entries.values), entries.open
    for option in options(value):
        if isinstance(option, DictObj):
            merged.update(option.entries.values)
            more = more or option.entries.open
            for key, entry in option.entries.values.items():
                _set_in_owner(it, owner, key, entry)
        else:
            more = True
            _set_in_owner(it, owner, None, option)
    it.heap.set(owner.slots, "entries", Entries(merged, more))
