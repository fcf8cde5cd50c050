"""Records: dataclass helpers, named tuples, namespaces and config dictionaries that read like objects.

``calls`` asks for their functions, ``attributes`` for their fields. It knows nothing of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import containers
from optlint.semantics.values import (
    ABSENT,
    UNKNOWN,
    Arguments,
    Const,
    Container,
    DictObj,
    Entries,
    External,
    Instance,
    Items,
    NamedTuple,
    Partial,
    Record,
    UserClass,
    Value,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_NAMESPACES = frozenset({"types.SimpleNamespace", "argparse.Namespace"})
#: Config dictionaries: made of a dict or of keywords, read by attribute or by key, at every depth.
_CONFIGS = frozenset(
    {
        "addict.Dict",
        "box.Box",
        "easydict.EasyDict",
        "ml_collections.ConfigDict",
        "ml_collections.config_dict.ConfigDict",
        "munch.Munch",
        "munch.munchify",
        "omegaconf.OmegaConf.create",
    }
)
#: Stands for a class that ``namedtuple`` made, with the names of its fields as first argument.
_NAMED = External("optlint.namedtuple")
_MAX_DEPTH = 8


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """A function that makes or copies a record; None when it is none."""
    if name in _NAMESPACES:
        return Record(Entries(dict(arguments.keywords), arguments.open), it.site(node))
    if name in _CONFIGS:
        return _config(it, arguments, node)
    if name == "collections.namedtuple":
        return _named_class(arguments)
    if name == _NAMED.name:
        return _named(it, arguments, node)
    if name in ("dataclasses.asdict", "omegaconf.OmegaConf.to_container"):
        given = arguments.get(0, "obj")
        return None if given is None else as_dict(given, 0)
    if name == "dataclasses.replace":
        return _replaced(it, arguments, node)
    return None


def as_dict(value: Value, depth: int) -> Value:
    """A dataclass instance or config as plain dicts, its own parts too."""
    if depth > _MAX_DEPTH:
        return UNKNOWN
    if isinstance(value, Instance) and isinstance(value.cls, UserClass) and value.cls.slots.get("#dataclass"):
        entries = {name: as_dict(member, depth + 1) for name, member in value.members()}
        return DictObj(Entries(entries, value.open), value.site)
    if isinstance(value, DictObj):
        entries = {key: as_dict(member, depth + 1) for key, member in value.entries.values.items()}
        return DictObj(Entries(entries, value.entries.open), value.site)
    return value


def _config(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    merged = DictObj(Entries(dict(arguments.keywords), arguments.open), it.site(node))
    for value in arguments.positional:
        if not isinstance(value, DictObj):
            return UNKNOWN
        containers.extend(it, merged, value)
    return _readable(merged, 0)


def _readable(value: Value, depth: int) -> Value:
    if not isinstance(value, DictObj) or depth > _MAX_DEPTH:
        return value
    entries = {key: _readable(member, depth + 1) for key, member in value.entries.values.items()}
    return Record(Entries(entries, value.entries.open), value.site)


def _replaced(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    given = arguments.get(0, "obj")
    if not isinstance(given, Instance):
        return UNKNOWN
    changed = Instance(given.cls, it.site(node), is_open=given.open or arguments.open)
    changed.slots.update(given.slots)
    changed.slots.update(arguments.keywords)
    return changed


# -- named tuples ----------------------------------------------------------------------------------------------------


def _named_class(arguments: Arguments) -> Value:
    given = arguments.get(1, "field_names")
    if isinstance(given, Const) and isinstance(given.value, str):
        names = tuple(given.value.replace(",", " ").split())
    elif isinstance(given, Container) and not given.items.open:
        names = tuple(
            v.value for v in given.items.values if isinstance(v, Const) and isinstance(v.value, str)
        )
        if len(names) != len(given.items.values):
            return UNKNOWN
    else:
        return UNKNOWN
    defaults = arguments.keywords.get("defaults")
    plain = Container("tuple", Items(tuple(Const(name) for name in names)))
    return Partial(
        _NAMED, Arguments((plain, defaults if defaults is not None else Container("tuple", Items())))
    )


def _named(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value:
    fields, defaults = arguments.positional[:2]
    assert isinstance(fields, Container)
    names = tuple(str(v.value) for v in fields.items.values if isinstance(v, Const))
    given = Arguments(arguments.positional[2:], arguments.keywords, arguments.open)
    last = defaults.items.values if isinstance(defaults, Container) else ()
    values: list[Value] = []
    for position, name in enumerate(names):
        value = given.get(position, name)
        if value is None:
            behind = position - len(names) + len(last)
            value = last[behind] if behind >= 0 and not arguments.open else UNKNOWN
        values.append(value)
    return NamedTuple(names, Items(tuple(values)), it.site(node))


def field(owner: Value, name: str) -> Value | None:
    """A field of a record by its name; None when it has none of that name."""
    if isinstance(owner, Record):
        value = owner.entries.values.get(name)
        return UNKNOWN if value is ABSENT else value
    if isinstance(owner, NamedTuple) and name in owner.names:
        position = owner.names.index(name)
        values = owner.items.values
        return values[position] if position < len(values) else UNKNOWN
    return None


def call_method(it: Interpreter, owner: Value, name: str, arguments: Arguments) -> Value | None:
    """A method that only a named tuple has; None for any other."""
    if not isinstance(owner, NamedTuple):
        return None
    entries = dict(zip(owner.names, owner.items.values, strict=False))
    if name == "_asdict":
        return DictObj(Entries(dict(entries)), owner.site)
    if name == "_replace":
        entries.update(arguments.keywords)
        return NamedTuple(owner.names, Items(tuple(entries[field] for field in owner.names)), owner.site)
    return None
