"""What iterating over a value gives: known elements, elements that stand for many, or unknown ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.semantics import enumerations, modules, reading, unseen_parts
from optlint.semantics.libraries.keras_graph import Symbolic
from optlint.semantics.values import (
    ABSENT,
    UNKNOWN,
    Choice,
    Const,
    Container,
    DictObj,
    External,
    Flow,
    Instance,
    Items,
    Leaf,
    OneShot,
    Origin,
    Unknown,
    UserClass,
    Value,
    inside,
    join_values,
    options,
)

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: A loop over more known elements ends the run; a comprehension gives an open container.
MAX_ROUNDS = 2_000
#: ``range(n)`` of a known n up to this is unrolled; training loops reach a fixed point long before.
MAX_RANGE = 24
#: Rounds of a loop over something of unknown length: two show what is carried from one to the next.
UNKNOWN_ROUNDS = 2


class Range(Container):
    """``range(…)``: its numbers when they are known and few, else unknown numbers; ``length``: how many they are."""

    __slots__ = ("length",)

    def __init__(self, items: Items, length: int | None) -> None:
        super().__init__("range", items)
        self.length = length


def make_range(bounds: Sequence[Value]) -> Range:
    """The value of ``range(*bounds)``."""
    length: int | None = None
    numbers = [b.value for b in bounds if isinstance(b, Const) and isinstance(b.value, int)]
    if len(numbers) == len(bounds) and numbers:
        try:
            known = range(*numbers)
            length = len(known)
        except (TypeError, ValueError, OverflowError):
            known, length = range(0), 0
        if length <= MAX_RANGE:
            return Range(Items(tuple(Const(n) for n in known)), length)
    return Range(Items((Unknown(plain=True),) * UNKNOWN_ROUNDS, many=True), length)


def count(value: Value, items: Items) -> int | None:
    """How many elements there are in all; None when that is not known."""
    if isinstance(value, Range):
        return value.length
    return None if items.open or items.many else len(items.values)


def take(it: Interpreter, value: Value) -> Items:
    """All elements of an iterable, using up a one-shot iterator; ``open`` when others may exist."""
    if isinstance(value, Choice):
        it.conditional += 1  # one of them is read, not all
        taken = [take(it, option) for option in options(value)]
        it.conditional -= 1
        return taken[0].joined_with(taken[1:]) if taken else Items((), True)
    if isinstance(value, Container):
        return value.items
    if isinstance(value, DictObj):
        entries = value.entries
        return Items(tuple(_key(key) for key in entries.values), entries.open)
    if isinstance(value, OneShot):
        return reading.rest(it, value)
    if isinstance(value, Instance):
        return _instance_items(it, value)
    if isinstance(value, Symbolic):
        return Items((value,) * UNKNOWN_ROUNDS, many=True)
    if isinstance(value, UserClass) and enumerations.is_enum(value):
        return enumerations.members(value)
    if isinstance(value, Leaf):
        return Items((_row(it, value),) * UNKNOWN_ROUNDS, many=True)
    if isinstance(value, (Flow, Unknown)):
        iterator = reading.one_shot(value)
        if iterator is not None:
            reading.rest(it, iterator)
        return unknown_items(value)
    if isinstance(value, Const) and isinstance(value.value, str):
        return Items(tuple(Const(c) for c in value.value[:MAX_ROUNDS]))
    return Items((), True)


def unknown_items(value: Flow | Unknown) -> Items:
    """The elements of something that is not known."""
    return Items((_element_of(value),) * UNKNOWN_ROUNDS, True, many=True)


def begun(it: Interpreter, value: Value) -> tuple[reading.Steps | None, Items]:
    """All elements of an iterable for somebody who may stop early; of an iterator with the steps to say where."""
    iterator = reading.one_shot(value)
    if iterator is None:
        return None, take(it, value)
    steps = reading.Steps(it, iterator)
    return steps, unknown_items(value) if isinstance(value, Unknown) else steps.items


def finds(it: Interpreter, iterator: Value, same: Callable[[Value], bool | None]) -> bool | None:
    """``element in iterator``: it is read up to the first element for which ``same`` is true."""
    steps, items = begun(it, iterator)
    answers: list[bool | None] = []
    for value in items.values:
        answer = same(value)
        unsure = answer is not False and isinstance(value, Choice) and ABSENT in value.options
        answers.append(None if unsure else answer)
        if answers[-1] is True:
            break
    if steps is not None:
        steps.stand(reading.stops(answers, True))
    if True in answers:
        return True
    return None if None in answers or items.open or items.many else False


def peek(it: Interpreter, iterator: OneShot) -> Items:
    """What an iterator would give, without using it up."""
    return reading.ahead(it, iterator)


def _key(key: object) -> Value:
    return key if isinstance(key, Value) else Const(key)


def _element_of(value: Flow | Unknown) -> Value:
    if isinstance(value, Flow):
        return replace(value, alias=None)
    return Unknown(value.taint, value.cuts, plain=value.plain, stop=value.stop)


def _row(it: Interpreter, leaf: Leaf) -> Flow | Unknown:
    """What iterating over a tensor gives: views of it."""
    row = inside(leaf)
    statement = it.frame.statement
    if not isinstance(row, Flow) or "#written" in leaf.slots or it.unknown_grad_mode or statement is None:
        return row
    in_graph = False if it.no_grad else leaf.requires_grad
    return Flow(row.deps, row.cuts, row.alias, in_graph, Origin(it.site(statement), "iteration"))


def _instance_items(it: Interpreter, instance: Instance) -> Items:
    items = modules.iterate(it, instance)
    if items is not None:
        return items
    from optlint.semantics import attributes, calls
    from optlint.semantics.values import Arguments

    if isinstance(instance.cls, UserClass) and "typing.NamedTuple" in instance.cls.library_bases():
        return Items(tuple(value for _, value in instance.members()))
    method = attributes.user_method(instance, "__iter__") or attributes.user_method(instance, "__getitem__")
    if method is None:
        part = Unknown(modules.reachable_leaves(it, instance), module=unseen_parts.is_part(instance))
        return Items((part,) * UNKNOWN_ROUNDS, True, many=True)
    if method.name == "__iter__":
        result = calls.call(it, method, Arguments(), method.node)
        if isinstance(result, (Container, OneShot, DictObj)):
            return take(it, result)
        return Items((UNKNOWN,) * UNKNOWN_ROUNDS, True, many=True)
    element = calls.call(it, method, Arguments((UNKNOWN,)), method.node)
    return Items((element,) * UNKNOWN_ROUNDS, True, many=True)


def rounds(it: Interpreter, items: Items) -> tuple[Value, ...]:
    """The elements that a ``for`` runs over, one round each."""
    values = tuple(element for element in items.values if element is not ABSENT)
    if items.open and not items.many:
        values += (Choice((UNKNOWN, ABSENT)),)
    if len(values) > MAX_ROUNDS:
        it.give_up("MAX_ROUNDS")
    return values


def is_repetition(value: Value) -> bool:
    """Whether further rounds repeat the same work: the elements are numbers, or not known."""
    if isinstance(value, OneShot):
        return value.kind in ("enumerate-many", "unknown")
    return isinstance(value, (Range, Unknown, External, Flow, Choice))


def unpacked(it: Interpreter, value: Value, count: int, star: int | None) -> list[Value]:
    """``count`` parts of a value that is unpacked; ``star``: the position that takes the rest."""
    if isinstance(value, Choice):
        columns = [unpacked(it, option, count, star) for option in options(value)]
        return [join_values([column[i] for column in columns]) for i in range(count)] if columns else []
    if isinstance(value, (Flow, Unknown)):
        return [_element_of(value)] * count
    if isinstance(value, Leaf):
        return [_row(it, value)] * count
    if isinstance(value, Symbolic):
        return [value] * count
    items = take(it, value)
    values = list(items.values)
    if items.open or items.many or (star is None and len(values) != count):
        return [join_values([*values, UNKNOWN]) if values else UNKNOWN] * count
    if star is None:
        return values
    after = count - star - 1
    if len(values) < count - 1:
        return [UNKNOWN] * count
    middle = Container("list", Items(tuple(values[star : len(values) - after])))
    return [*values[:star], middle, *values[len(values) - after :]]
