"""Abstract values: what the interpreter knows of the objects of a program, with an explicit ``Unknown``.

The interpreter makes them, rules read them. Immutable values compare by content; objects with identity keep their
mutable state in ``slots``, which only ``Heap.set`` writes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from optlint.deferred import dataclass
from optlint.semantics.progress import END, START, Progress
from optlint.semantics.terms import Terms, joined

if TYPE_CHECKING:
    import libcst as cst

    from optlint.semantics.site import Site

#: More alternatives than this are no longer kept apart: the value is Unknown.
MAX_OPTIONS = 8

_MADE = itertools.count()


def next_serial() -> int:
    """A number above those of all objects that exist."""
    return next(_MADE)


class Value:
    """Any abstract value."""

    __slots__ = ()


class _Absent(Value):
    """No binding: a name that is not set, an attribute or an element that may be missing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


@dataclass(frozen=True)
class Cut:
    """A place where gradient stops. ``text``: the operation, as a message names it.

    ``kind``: ``detach``; ``no_grad``; ``non-differentiable`` (an operation without gradient: its result is no part of
    the graph); ``cast`` (to integers or booleans: the same); ``zero-gradient`` (part of the graph, but all zeros); or a
    ``Function`` of the user's: it gives none back (``function``) or its output is no part of the
    graph (``function-marked``); ``raises`` is a place at which the backward pass fails.
    """

    kind: str
    site: Site
    text: str
    #: When it was made: later cuts lie nearer to the loss.
    order: int = field(default=0, compare=False)
    #: The conditions of unknown outcome under which gradients were turned off.
    branches: tuple[object, ...] = field(default=(), compare=False)

    @property
    def rank(self) -> tuple[Any, ...]:
        """By what cuts are put in order, the same in every process: when they were made, and where."""
        return self.order, self.site.path, self.site.span()


@dataclass(frozen=True)
class Origin:
    """The operation that gave a tensor, and its place.

    ``moves``: it gives the tensor itself where there is nothing to change; on a GPU it certainly does not ("gpu"),
    or it depends on where the program runs ("perhaps").
    """

    site: Site
    operation: str
    moves: str = ""
    #: The operations before it, first to last, as far as they are known.
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flow(Value):
    """A number that was computed: from which leaf tensors gradient can flow (``deps``), from which it was cut."""

    deps: frozenset[Leaf] = frozenset()
    cuts: frozenset[tuple[Leaf, Cut]] = frozenset()
    #: The leaf whose memory this shares (``p.data``, ``p.detach()``): writing here writes there.
    alias: Leaf | None = None
    #: It is a tensor of the graph, so no leaf (True); a tensor that wants no gradient (False); or not known (None).
    in_graph: bool | None = None
    origin: Origin | None = field(default=None, compare=False)
    #: It certainly wants no gradient, and what stopped it, if anything did.
    plain: bool = False
    stop: Cut | None = field(default=None, compare=False)
    #: The copies of numbers that are terms of it (see ``copies``).
    terms: Terms | None = None
    #: A gradient scaler multiplied it; None: in part, or not known.
    scaled: bool | None = False
    #: What certainly raises in a backward pass that begins here.
    raising: frozenset[Cut] = frozenset()


@dataclass(frozen=True)
class Unknown(Value):
    """Nothing is known, except which leaf tensors it may depend on (``taint``) and which were cut on the way."""

    taint: frozenset[Leaf] = frozenset()
    cuts: frozenset[tuple[Leaf, Cut]] = frozenset()
    #: It is certainly a module: a part of a library's model.
    module: bool = field(default=False, compare=False)
    #: It certainly wants no gradient (data), and what stopped it, if anything did.
    plain: bool = False
    stop: Cut | None = field(default=None, compare=False)
    terms: Terms | None = field(default=None, kw_only=True)
    #: A gradient scaler multiplied it.
    scaled: bool = False


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Variable(Unknown):
    """A variable of TensorFlow or Keras, or all those of one layer: ``taint`` holds the one leaf that stands for it."""


@dataclass(frozen=True, eq=False)
class Stranger(Unknown):
    """An object of which nothing is known but that it is always the same one: what a function was given from outside.

    ``name``: the parameter that it came in by.
    """

    name: str = ""

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


@dataclass(frozen=True)
class Gradient(Unknown):
    """``p.grad``. Nothing is known of it but whose it is."""

    leaf: Leaf | None = None


@dataclass(frozen=True)
class Device(Unknown):
    """A ``torch.device``: the kinds that it may be (``cpu``, ``cuda``; None: not known). Nothing else is asked of it."""

    names: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class Untied(Unknown):
    """A configuration of transformers that says that the output layer has weights of its own."""


@dataclass(frozen=True)
class Const(Value):
    """A Python constant: string, bytes, number, boolean, None, Ellipsis."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Const) and type(self.value) is type(other.value) and self.value == other.value
        )

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


NONE = Const(None)
TRUE = Const(True)
FALSE = Const(False)


@dataclass(frozen=True)
class Text(Value):
    """A string of which only pieces are known; ``None`` stands for any text in between, ``0`` for a number."""

    pieces: tuple[str | int | None, ...]


@dataclass(frozen=True)
class Choice(Value):
    """One of several values. ``ABSENT`` among them: perhaps none at all."""

    options: tuple[Value, ...]


@dataclass(frozen=True)
class External(Value):
    """Something of a library, by its qualified name."""

    name: str


#: What nobody can change, and through which no gradient flows.
_WEIGHTLESS = frozenset({Const, External})


class Slots(dict[str, Any]):
    """The mutable state of an object; ``made`` is the serial of the object."""

    __slots__ = ("made",)

    def __init__(self, made: int) -> None:
        self.made = made


class Obj(Value):
    """An object with identity. ``slots`` is its mutable state; ``serial`` grows: what was made later has more."""

    __slots__ = ("serial", "site", "slots")

    def __init__(self, site: Site | None = None) -> None:
        self.serial = next(_MADE)
        self.slots = Slots(self.serial)
        self.site = site


@dataclass(frozen=True)
class Items:
    """The elements of a container; ``open``: there may be others that are not known.

    ``many``: the elements stand for any number of their kind (a loop over an unknown range made them).
    """

    values: tuple[Value, ...] = ()
    open: bool = False
    many: bool = False

    def unique(self) -> Items:
        """Each element once, as in a set."""
        found: dict[object, Value] = {}
        for value in self.values:
            found.setdefault(value if isinstance(value, Const) else id(value), value)
        return self if len(found) == len(self.values) else Items(tuple(found.values()), self.open, self.many)

    def joined_with(self, others: Iterable[Items]) -> Items:
        """What holds when the container is this or one of ``others``."""
        everyone = (self, *others)
        longest = max(len(items.values) for items in everyone)
        same = _common_prefix([items.values for items in everyone])
        values = self.values[:same] + tuple(
            join_values([items.values[i] if i < len(items.values) else ABSENT for items in everyone])
            for i in range(same, longest)
        )
        return Items(values, any(i.open for i in everyone), any(i.many for i in everyone))


def _common_prefix(lists: list[tuple[Value, ...]]) -> int:
    """How many first elements are the same objects in all lists."""
    count = 0
    first = lists[0]
    for elements in zip(*lists, strict=False):
        if any(element is not first[count] for element in elements):
            break
        count += 1
    return count


#: Kinds of containers that hold each element once.
SETS = frozenset({"set", "frozenset"})


class Container(Obj):
    """A list, tuple, set, frozenset, deque or dict view; ``kind`` names which."""

    __slots__ = ("kind",)

    def __init__(self, kind: str, items: Items, site: Site | None = None) -> None:
        super().__init__(site)
        self.kind = kind
        self.slots["items"] = items.unique() if kind in SETS else items

    @property
    def items(self) -> Items:
        """Its elements now."""
        items = self.slots.get("items")
        return items if isinstance(items, Items) else Items((), True)


@dataclass(frozen=True)
class Entries:
    """The entries of a dict by constant key; ``open``: there may be others."""

    values: Mapping[Any, Value] = field(default_factory=dict)
    open: bool = False

    def joined_with(self, others: Iterable[Entries]) -> Entries:
        """What holds when the dict is this or one of ``others``."""
        everyone = (self, *others)
        keys: dict[Any, None] = {key: None for entries in everyone for key in entries.values}
        values = {key: _join_same([entries.values.get(key, ABSENT) for entries in everyone]) for key in keys}
        return Entries(values, any(entries.open for entries in everyone))


class DictObj(Obj):
    """A dict. Keys are Python constants, or Values for keys that are objects."""

    __slots__ = ()

    def __init__(self, entries: Entries, site: Site | None = None) -> None:
        super().__init__(site)
        self.slots["entries"] = entries

    @property
    def entries(self) -> Entries:
        """Its entries now."""
        entries = self.slots.get("entries")
        return entries if isinstance(entries, Entries) else Entries({}, True)


class Record(DictObj):
    """A dict whose entries are attributes too: a namespace, or one of the config dictionaries."""

    __slots__ = ()


class NamedTuple(Container):
    """A ``namedtuple``: its elements have names."""

    __slots__ = ("names",)

    def __init__(self, names: tuple[str, ...], items: Items, site: Site | None = None) -> None:
        super().__init__("tuple", items, site)
        self.names = names


@dataclass(frozen=True, eq=False)
class UnseenIterator(Unknown):
    """What ``parameters()`` of something that is not known gives: an iterator whatever it is.

    ``state`` notes how far it was read.
    """

    state: OneShot | None = None

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


class OneShot(Obj):
    """A one-shot iterator. ``produce`` gives its elements at the moment when they are taken (filters are lazy).

    ``sources`` are the values that it reads in turn. Only ``reading`` calls ``produce`` and writes the progress.
    """

    __slots__ = ("kind", "produce", "sources")

    def __init__(
        self,
        kind: str,
        produce: Callable[[], Items],
        site: Site | None = None,
        sources: tuple[Value, ...] = (),
    ) -> None:
        super().__init__(site)
        self.kind = kind
        self.produce = produce
        self.sources = sources
        self.slots["progress"] = START

    @property
    def progress(self) -> Progress:
        """How far it was read."""
        progress = self.slots.get("progress")
        return progress if isinstance(progress, Progress) else Progress(frozenset({0, END}))


class Leaf(Obj):
    """A leaf tensor: a parameter, or a tensor made by hand. ``requires_grad`` is True, False or None (either)."""

    __slots__ = ("fresh", "is_parameter", "ndim", "shape_text")

    def __init__(
        self,
        site: Site | None,
        *,
        is_parameter: bool,
        requires_grad: bool | None,
        ndim: int | None = None,
        fresh: bool = True,
    ) -> None:
        super().__init__(site)
        self.is_parameter = is_parameter
        self.ndim = ndim
        self.fresh = fresh
        self.slots["requires_grad"] = requires_grad

    @property
    def requires_grad(self) -> bool | None:
        """Whether it wants a gradient now."""
        value: bool | None = self.slots.get("requires_grad")
        return value


class Function(Obj):
    """A function or lambda of the user's program with its defaults and closure."""

    __slots__ = ("closure", "context", "decorators", "defaults", "generator", "name", "node", "owner")

    def __init__(
        self,
        name: str,
        node: cst.FunctionDef | cst.Lambda,
        context: Any,
        closure: Any,
        defaults: Mapping[str, Value],
        site: Site | None,
    ) -> None:
        super().__init__(site)
        self.name = name
        self.node = node
        self.context = context
        self.closure = closure
        self.defaults = defaults
        self.decorators: tuple[Value, ...] = ()
        self.owner: UserClass | None = None
        self.generator: bool | None = None


@dataclass(frozen=True)
class Method(Value):
    """A method looked up on a value: of the user's (``function`` set) or one that the engine knows by name."""

    receiver: Value
    name: str
    function: Function | None = None


@dataclass(frozen=True)
class Partial(Value):
    """``functools.partial``: a callable and the arguments it already has."""

    function: Value
    arguments: Arguments


@dataclass(frozen=True)
class Super(Value):
    """``super()``: looks attributes up after ``after`` in the receiver's class."""

    receiver: Value
    after: Value


@dataclass(frozen=True)
class Arguments:
    """The arguments of a call; ``open``: there are others that are not known."""

    positional: tuple[Value, ...] = ()
    keywords: Mapping[str, Value] = field(default_factory=dict)
    open: bool = False

    __hash__ = None  # type: ignore[assignment]

    def get(self, position: int, keyword: str) -> Value | None:
        """The argument at ``position`` or named ``keyword``; None when it is not given."""
        if keyword in self.keywords:
            return self.keywords[keyword]
        return self.positional[position] if 0 <= position < len(self.positional) else None

    def all_values(self) -> tuple[Value, ...]:
        """Every argument."""
        return (*self.positional, *self.keywords.values())


class UserClass(Obj):
    """A class of the user's program. ``slots`` holds its namespace."""

    __slots__ = ("_order", "bases", "context", "name", "node")

    def __init__(
        self, name: str, node: cst.ClassDef, context: Any, bases: tuple[Value, ...], site: Site
    ) -> None:
        super().__init__(site)
        self.name = name
        self.node = node
        self.context = context
        self.bases = bases
        self._order: tuple[Value, ...] | None = None

    def order(self) -> tuple[Value, ...]:
        """The classes in which attributes are looked up, this one first; library bases as ``External``."""
        if self._order is None:
            self._order = (self,)  # a class that names itself as its base must not hang the analysis
            found: list[Value] = [self]
            for base in self.bases:
                found.extend(base.order() if isinstance(base, UserClass) else (base,))
            if len(self.bases) > 1:
                # The last mention of a class counts, as in Python's order for diamonds.
                found = [c for i, c in enumerate(found) if c not in found[i + 1 :]]
            elif self in found[1:]:
                del found[0]
            self._order = tuple(found)
        return self._order

    def library_bases(self) -> tuple[str, ...]:
        """Qualified names of the library classes it inherits from."""
        return tuple(base.name for base in self.order() if isinstance(base, External))

    def has_unknown_base(self) -> bool:
        """Whether some base could not be followed."""
        return any(not isinstance(base, (UserClass, External)) for base in self.order())


@dataclass(frozen=True)
class LibraryClass(Value):
    """A library class whose instances the engine knows, e.g. ``torch.nn.Linear``."""

    qualified_name: str

    @property
    def name(self) -> str:
        """The class's own name."""
        return self.qualified_name.rsplit(".", 1)[-1]


class Instance(Obj):
    """An object of a user's or a library's class. Attributes are ``slots``; names with ``#`` are the engine's.

    ``#open``: it may have attributes that are not known; ``#escaped``: code that cannot be seen has it.
    """

    __slots__ = ("cls",)

    def __init__(
        self, cls: UserClass | LibraryClass, site: Site | None = None, *, is_open: bool = False
    ) -> None:
        super().__init__(site)
        self.cls = cls
        if is_open:
            self.slots["#open"] = True

    @property
    def open(self) -> bool:
        """Whether it may have members that are not known."""
        return self.slots.get("#open", False) is not False

    def members(self) -> Iterable[tuple[str, Value]]:
        """Its attributes in the order in which they were set."""
        return [(key, value) for key, value in self.slots.items() if not key.startswith("#")]


@dataclass(frozen=True)
class Group:
    """A param group: what it holds (None: unknown) and the settings written with it.

    ``entry``: the dict that it was given as; ``made``: where that dict's list was made; ``owner``: the optimizer
    that was given the same dict before; ``sure``: it is one of the groups whatever branch was taken.
    """

    params: Items | None
    settings: Mapping[str, Value] = field(default_factory=dict)
    entry: DictObj | None = field(default=None, compare=False)
    made: Site | None = field(default=None, compare=False)
    owner: Optimizer | None = field(default=None, compare=False)
    sure: bool = field(default=True, compare=False)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Groups:
    """The param groups of an optimizer; ``open``: others may have been added."""

    groups: tuple[Group, ...] = ()
    open: bool = False

    __hash__ = None  # type: ignore[assignment]

    def joined_with(self, others: Iterable[Groups]) -> Groups:
        """Everything that any of them holds: absence is claimed only of what no branch holds."""
        everyone = (self, *others)
        found: list[Group] = []
        for group in (group for one in everyone for group in one.groups):
            if group not in found:
                sure = group.sure and all(group in one.groups for one in everyone)
                found.append(group if sure else replace(group, sure=False))
        return Groups(tuple(found), any(one.open for one in everyone))


class Optimizer(Obj):
    """A torch optimizer with its param groups."""

    __slots__ = ("cls_name", "raises_on_empty")

    def __init__(self, cls_name: str, groups: Groups, site: Site, *, raises_on_empty: bool = True) -> None:
        super().__init__(site)
        self.cls_name = cls_name
        self.raises_on_empty = raises_on_empty
        self.slots["groups"] = groups

    @property
    def groups(self) -> Groups:
        """Its param groups now."""
        groups = self.slots.get("groups")
        return groups if isinstance(groups, Groups) else Groups((), True)


class Scheduler(Obj):
    """A learning-rate scheduler; ``optimizer``: the one that it holds, if that is known and certain.

    ``exact``: it is a class or function of torch or transformers whose arguments are known.
    """

    __slots__ = ("exact", "name", "optimizer")

    def __init__(
        self, name: str, optimizer: Optimizer | None, site: Site | None, *, exact: bool = True
    ) -> None:
        super().__init__(site)
        self.name = name
        self.optimizer = optimizer
        self.exact = exact


class Namespace(Obj):
    """A module of the user's project; ``slots`` are its globals."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__(None)
        self.name = name


def inside(tensor: Leaf) -> Flow | Unknown:
    """The number that a leaf tensor holds: its own gradient, and that of what was written into it."""
    own = Flow(frozenset({tensor}))
    written = tensor.slots.get("#written")
    if not isinstance(written, (Flow, Unknown)):
        return own
    joined = _join_numbers([own, written])
    return joined if isinstance(joined, (Flow, Unknown)) else own


def weighty(values: Iterable[Value]) -> list[Value]:
    """Those of some values that something is known of, but for constants and names of libraries."""
    return [value for value in values if value is not UNKNOWN and type(value) not in _WEIGHTLESS]


def options(value: Value) -> tuple[Value, ...]:
    """The alternatives of a value, without ``ABSENT``."""
    if isinstance(value, Choice):
        return tuple(option for option in value.options if option is not ABSENT)
    return () if value is ABSENT else (value,)


def join_values(values: Iterable[Value]) -> Value:
    """One value that stands for any of ``values``; Unknown when they are too many or one is Unknown."""
    found: list[Value] = []
    for value in values:
        if isinstance(value, Choice):
            for option in value.options:
                _add(found, option)
        else:
            _add(found, value)
    if len(found) == 1:
        return found[0]
    blurred = _join_numbers(found)
    if blurred is not None:
        return blurred
    if len(found) > MAX_OPTIONS:
        leaves = frozenset(option for option in found if isinstance(option, Leaf))
        return Unknown(leaves.union(*map(reaching_leaves, found)))
    return Choice(tuple(found))


def _add(found: list[Value], option: Value) -> None:
    if isinstance(option, Obj):  # equal to nothing but itself
        if not any(option is other for other in found):
            found.append(option)
        return
    for other in found:
        if option is other or option == other:
            return
    found.append(option)


def _join_same(values: list[Value]) -> Value:
    first = values[0]
    return first if all(value is first for value in values) else join_values(values)


_NO_CUTS: frozenset[tuple[Leaf, Cut]] = frozenset()
_NO_LEAVES: frozenset[Leaf] = frozenset()


def _join_numbers(found: list[Value]) -> Value | None:
    """Flows and Unknowns join to one value, not to alternatives, where nothing else is among them."""
    present: list[Value] = []
    numbers: list[Flow | Unknown] = []
    for value in found:
        if isinstance(value, (Flow, Unknown)):
            numbers.append(value)
        elif value is ABSENT:
            continue
        elif not isinstance(value, Const):
            return None
        present.append(value)
    if not numbers:
        return None
    if all(isinstance(value, Gradient) for value in present):
        return present[0] if len(present) == 1 else Gradient()
    cuts = _NO_CUTS.union(*(value.cuts for value in numbers))
    deps = _NO_LEAVES.union(*map(reaching_leaves, numbers))
    plain = all(value.plain for value in numbers)
    stop = max((v.stop for v in numbers if v.stop is not None), key=lambda stop: stop.order, default=None)
    terms = joined([terms_of(value) for value in present])
    if any(isinstance(value, Unknown) for value in present):
        return Unknown(deps, cuts, plain=plain, stop=stop, terms=terms)
    if any(isinstance(value, Const) for value in present):
        return None
    in_graph = {value.in_graph if isinstance(value, Flow) else None for value in found}
    scales = {value.scaled for value in found if isinstance(value, Flow)}
    scaled = scales.pop() if len(scales) == 1 else None
    raising = frozenset.intersection(*(value.raising for value in found if isinstance(value, Flow)))
    if len(in_graph) == 1:
        first = next(value for value in found if isinstance(value, Flow))
        return Flow(deps, cuts, None, first.in_graph, first.origin, plain, stop, terms, scaled, raising)
    return Flow(deps, cuts, plain=plain, stop=stop, terms=terms, scaled=scaled, raising=raising)


def terms_of(value: Value) -> Terms | None:
    """The copies that are terms of a number."""
    return value.terms if isinstance(value, (Flow, Unknown)) else None


def reaching_leaves(value: Value) -> frozenset[Leaf]:
    """The leaf tensors that gradient may reach through a number."""
    if isinstance(value, Flow):
        return value.deps
    if isinstance(value, Unknown):
        return value.taint
    return frozenset()
