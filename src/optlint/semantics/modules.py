"""What an ``nn.Module`` object holds: its registered parameters, submodules and their names.

Registration follows torch: what ``setattr`` puts on a module is registered if it is a Parameter or a Module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import families
from optlint.semantics.values import (
    ABSENT,
    Choice,
    Const,
    Container,
    DictObj,
    Flow,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    OneShot,
    Text,
    Unknown,
    Value,
    inside,
    join_values,
    options,
    reaching_leaves,
)

if TYPE_CHECKING:
    from optlint.semantics.heap import Heap
    from optlint.semantics.interpreter import Interpreter

#: Deeper nesting of modules is a cycle or a generated model; what lies deeper is unknown.
MAX_MODULE_DEPTH = 60
#: More parameters than this are not listed; the rest is unknown.
MAX_PARAMETERS = 2_000

#: Through how many objects in one another leaf tensors are looked for that unseen code may get at.
MAX_REACH = 8

CONTAINERS = frozenset({"ModuleList", "ModuleDict", "Sequential", "ParameterList", "ParameterDict"})


@dataclass(frozen=True)
class NamedParameter:
    """A registered parameter. ``certain``: it is there whatever branch was taken."""

    path: tuple[str, ...]
    pieces: tuple[str | int | None, ...]
    leaf: Leaf
    owner: Instance
    certain: bool

    @property
    def name(self) -> str:
        """Its dotted name."""
        return ".".join(self.path)


@dataclass(frozen=True)
class Listing:
    """The parameters of a module; ``open``: there may be others.

    ``doubtful``: it has attributes of which nothing is known; one of them may be a module.
    ``many``: some stand for any number of their kind (the layers of an unknown count, the inside of a library's model).
    """

    parameters: tuple[NamedParameter, ...]
    open: bool
    doubtful: bool = False
    many: bool = False


def is_container(value: Value, *names: str) -> bool:
    """Whether a value is one of torch's containers (of the given names)."""
    return (
        isinstance(value, Instance)
        and isinstance(value.cls, LibraryClass)
        and value.cls.name in (names or CONTAINERS)
        and value.cls.qualified_name.startswith("torch.nn.")
    )


def container_base(it: Interpreter, instance: Instance) -> str | None:
    """The torch container that an instance is or derives from."""
    if isinstance(instance.cls, LibraryClass):
        return instance.cls.name if is_container(instance) else None
    for base in instance.cls.library_bases():
        last = base.rsplit(".", 1)[-1]
        if base.startswith("torch.nn.") and last in CONTAINERS:
            return last
    return None


def parameters(it: Interpreter, module: Instance, recurse: bool = True) -> Listing:
    """The registered parameters of a module in order, each once."""
    known = it.listings.get(id(module), recurse)
    if known is None:
        found: dict[int, NamedParameter] = {}
        state = _Walk(it, found, recurse)
        state.visit(module, (), (), True)
        known = Listing(tuple(found.values()), state.open, state.doubtful, state.many)
        it.listings.put(module, recurse, known)
    return known


class Listings:
    """The listings of the present state; the next write makes them void."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self._version = heap.version
        #: With the module, so that its identity is not given to another.
        self._known: dict[tuple[int, bool], tuple[Instance, Listing]] = {}

    def get(self, module: int, recurse: bool) -> Listing | None:
        """The listing of a module by its identity, if nothing has changed since it was made."""
        if self._version != self._heap.version:
            self._known.clear()
            return None
        known = self._known.get((module, recurse))
        return None if known is None else known[1]

    def put(self, module: Instance, recurse: bool, listing: Listing) -> None:
        """Keep a listing."""
        self._version = self._heap.version
        self._known[id(module), recurse] = (module, listing)


class _Walk:
    def __init__(self, it: Interpreter, found: dict[int, NamedParameter], recurse: bool) -> None:
        self.it = it
        self.found = found
        self.recurse = recurse
        self.open = False
        self.doubtful = False
        self.many = False
        #: Modules visited already, and whether on a way that is certain.
        self.seen: dict[int, bool] = {}

    def visit(
        self, module: Instance, path: tuple[str, ...], pieces: tuple[str | int | None, ...], certain: bool
    ) -> None:
        if module.open or module.slots.get("#escaped"):
            self.open = True
        before = self.seen.get(id(module))
        if before or before is certain:
            return
        if len(path) > MAX_MODULE_DEPTH or len(self.found) > MAX_PARAMETERS:
            self.open = True
            return
        self.seen[id(module)] = certain
        self.it.heap.work += 1
        many = module.slots.get("#many", False) is not False
        inside_library = "*" in module.slots
        self.many = self.many or many or inside_library
        for name, value in _own_first(self.it, module):
            piece = _piece(name, many, inside_library)
            extended = (*pieces, ".", piece) if pieces else (piece,)
            sure = certain and not isinstance(value, Choice)
            for option in options(value):
                if isinstance(option, Leaf) and option.is_parameter:
                    entry = NamedParameter((*path, name), extended, option, module, sure)
                    old = self.found.setdefault(id(option), entry)
                    if sure and not old.certain:
                        self.found[id(option)] = entry
                elif self.recurse and families.is_module(self.it, option) and isinstance(option, Instance):
                    self.visit(option, (*path, name), extended, sure)
                elif isinstance(option, Unknown):
                    self.doubtful = True
                    self.open = self.open or isinstance(value, Choice)


def _piece(name: str, many: bool, inside_library: bool) -> str | int | None:
    """What is known of one part of a parameter's name: ``0`` for any number, None for any text."""
    if name in ("*", "**"):  # a parameter, or a part, of which the name is not known
        return None
    if name.startswith("<"):  # an element of a container
        index = name[1:-1]
        return (index if index.isdigit() else 0) if inside_library else None
    return 0 if many and name.isdigit() else name


def _own_first(it: Interpreter, module: Instance) -> list[tuple[str, Value]]:
    """The members in the order of ``parameters()``: a module's own parameters, then those of its submodules."""
    own: list[tuple[str, Value]] = []
    inner: list[tuple[str, Value]] = []
    for member in module.members():
        is_inner = any(families.is_module(it, option) for option in options(member[1]))
        (inner if is_inner else own).append(member)
    return own + inner


def collapsed(everything: Sequence[NamedParameter], some: Sequence[NamedParameter]) -> tuple[str, ...]:
    """The shortest names for some of a model's parameters: a submodule's where all of it is among them."""
    chosen = {entry.path for entry in some}
    names: dict[str, None] = {}
    for entry in some:
        # With nothing else to compare with, a whole network is told by its top-level parts.
        for depth in range(1, len(entry.path) + 1):
            prefix = entry.path[:depth]
            if all(other.path in chosen for other in everything if other.path[:depth] == prefix):
                names[".".join(prefix)] = None
                break
    return tuple(names)


def submodules(it: Interpreter, module: Instance, recurse: bool) -> Iterator[tuple[str, Instance]]:
    """Named submodules (with ``recurse`` the module itself first as "", and all below it, each once)."""
    if not recurse:
        yield from _children(it, module, "")
        return
    yield "", module
    seen = {id(module)}
    below = [_children(it, module, "")]
    while below:
        name, child = next(below[-1], ("", None))
        if child is None:
            below.pop()
        elif id(child) not in seen:
            it.heap.work += 1
            seen.add(id(child))
            yield name, child
            below.append(_children(it, child, f"{name}."))


def _children(it: Interpreter, module: Instance, prefix: str) -> Iterator[tuple[str, Instance]]:
    for name, value in module.members():
        for option in options(value):
            if isinstance(option, Instance) and families.is_module(it, option):
                yield prefix + name, option


def has_open(it: Interpreter, module: Instance) -> bool:
    """Whether the module or one inside it may hold members that are not known."""
    return any(child.open for _, child in submodules(it, module, True))


def _text(pieces: tuple[str | int | None, ...]) -> Value:
    if all(isinstance(piece, str) for piece in pieces):
        return Const("".join(piece for piece in pieces if isinstance(piece, str)))
    merged: list[str | int | None] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    return Text(tuple(merged))


def name_of(entry: NamedParameter) -> Value:
    """The name that ``named_parameters()`` gives, so far as it is known."""
    return _text(entry.pieces)


def parameter_items(it: Interpreter, module: Instance, named: bool, recurse: bool = True) -> Items:
    """The elements of ``parameters()`` or ``named_parameters()``."""
    listing = parameters(it, module, recurse)
    values: list[Value] = []
    for entry in listing.parameters:
        value: Value = entry.leaf
        if named:
            value = Container("tuple", Items((name_of(entry), entry.leaf)))
        values.append(value if entry.certain else join_values([value, ABSENT]))
    if listing.doubtful:
        hidden: Value = _hidden_leaf(module)
        if named:
            hidden = Container("tuple", Items((Text((None,)), hidden)))
        values.append(Choice((hidden, ABSENT)))
    return Items(tuple(values), listing.open, listing.many)


def _hidden_leaf(module: Instance) -> Leaf:
    """What stands for the parameters that a module may have and nobody can see: always the same one."""
    leaf = module.slots.get("#hidden")
    if not isinstance(leaf, Leaf):
        leaf = Leaf(module.site, is_parameter=True, requires_grad=None, fresh=False)
        module.slots["#hidden"] = leaf
    return leaf


def module_items(it: Interpreter, module: Instance, named: bool, recurse: bool) -> Items:
    """The elements of ``modules()``, ``children()`` and their named forms."""
    values: list[Value] = []
    seen: set[int] = set()
    for name, child in submodules(it, module, recurse):
        if id(child) in seen:
            continue
        seen.add(id(child))
        values.append(Container("tuple", Items((Const(name), child))) if named else child)
    many = module.slots.get("#many", False) is not False
    return Items(tuple(values), has_open(it, module) if recurse else module.open, many)


def elements(module: Instance) -> list[tuple[str, Value]]:
    """The numbered or named elements of a container module."""
    return [(name, value) for name, value in module.members() if not name.startswith("_")]


def iterate(it: Interpreter, module: Instance) -> Items | None:
    """What iterating over a container module gives; None when it is no container."""
    base = container_base(it, module)
    if base is None:
        return None
    many = module.slots.get("#many", False) is not False
    if base in ("ModuleDict", "ParameterDict"):
        return Items(tuple(Const(name) for name, _ in elements(module)), module.open, many)
    values = tuple(value for name, value in elements(module) if base == "Sequential" or name.isdigit())
    return Items(values, module.open, many)


def add_element(it: Interpreter, module: Instance, value: Value) -> None:
    """``append`` to a container module."""
    count = sum(1 for name, _ in module.members() if name.isdigit())
    it.heap.set(
        module.slots, str(count), as_parameter(value) if is_parameter_container(it, module) else value
    )


def is_parameter_container(it: Interpreter, module: Instance) -> bool:
    """ParameterList and ParameterDict turn tensors into Parameters."""
    return container_base(it, module) in ("ParameterList", "ParameterDict")


def as_parameter(value: Value) -> Value:
    """The Parameter that ``nn.ParameterList`` makes of a tensor (facts: they are re-wrapped as leaves)."""
    if isinstance(value, Leaf) and value.is_parameter:
        return value
    if isinstance(value, (Leaf, Flow)):
        return Leaf(value.site if isinstance(value, Leaf) else None, is_parameter=True, requires_grad=True)
    return value


def fill(it: Interpreter, module: Instance, items: Items) -> None:
    """Put the elements of an iterable into a container module."""
    for value in items.values:
        add_element(it, module, value)
    mark_extent(it, module, items.open and not items.many, items.many)


def mark_extent(it: Interpreter, module: Instance, more: bool, many: bool) -> None:
    """Note that a container may hold others (``more``), or any number of the same kind (``many``)."""
    if more:
        it.heap.set(module.slots, "#open", True)
    if many:
        it.heap.set(module.slots, "#many", True)


def reachable_leaves(it: Interpreter, value: Value) -> frozenset[Leaf]:
    """Every leaf tensor that somebody who has ``value`` can get at in a few steps."""
    leaves: set[Leaf] = set()
    seen: dict[int, Value] = {}
    level: list[Value] = [value]
    for _ in range(MAX_REACH):
        inner: list[Value] = []
        for part in level:
            if isinstance(part, Leaf):
                leaves |= reaching_leaves(inside(part))
            elif isinstance(part, (Flow, Unknown)):
                leaves |= reaching_leaves(part)
            elif id(part) not in seen:
                seen[id(part)] = part
                it.heap.work += 1
                inner += _held(it, part)
        level = inner
    return frozenset(leaves)


def _held(it: Interpreter, value: Value) -> Sequence[Value]:
    """What can be got out of a value directly."""
    if isinstance(value, Instance):
        return [member for _, member in value.members()]
    if isinstance(value, Container):
        return value.items.values
    if isinstance(value, DictObj):
        return list(value.entries.values.values())
    if isinstance(value, Choice):
        return options(value)
    if isinstance(value, OneShot) and value.kind == "parameters":
        from optlint.semantics import iteration

        return iteration.peek(it, value).values
    return ()
