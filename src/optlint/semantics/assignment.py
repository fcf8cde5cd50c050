"""Assignment to names, attributes, elements and tuples of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optlint.semantics import (
    attributes,
    containers,
    copies,
    expressions,
    forwards,
    iteration,
    stopping,
    tapes,
)
from optlint.semantics.libraries import misused_values
from optlint.semantics.values import (
    ABSENT,
    UNKNOWN,
    Const,
    Container,
    DictObj,
    Flow,
    Instance,
    Leaf,
    OneShot,
    Optimizer,
    Unknown,
    UnseenIterator,
    Value,
    join_values,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter


def assign(it: Interpreter, target: cst.BaseExpression, value: Value) -> None:
    """Bind ``target`` to ``value``."""
    if isinstance(value, UnseenIterator) and value.state is not None and "#variable" not in value.state.slots:
        _name(it, target, value.state)
    if isinstance(value, (Instance, OneShot, Optimizer)) and "#variable" not in value.slots:
        _name(it, target, value)
    if isinstance(target, cst.Name):
        it.bind(target.value, value)
    elif isinstance(target, cst.Attribute):
        owner = expressions.evaluate(it, target.value)
        attributes.set_attribute(it, owner, target.attr.value, value, target)
        changed = copies.flag_set(it, owner, value, target)
        if changed is not None and isinstance(target.value, (cst.Name, cst.Attribute)):
            replaced(it, target.value, changed)
    elif isinstance(target, cst.Subscript):
        owner = expressions.evaluate(it, target.value)
        _set_element(it, owner, expressions.subscript_key(it, target), value, target)
    elif isinstance(target, (cst.Tuple, cst.List)):
        _unpack(it, target, value)
    elif isinstance(target, cst.StarredElement):
        assign(it, target.value, value)


def replaced(it: Interpreter, place: cst.Name | cst.Attribute, value: Value) -> None:
    """The tensor at ``place`` was changed in itself: it is ``value`` from here on; nothing is assigned."""
    if isinstance(place, cst.Name):
        it.bind(place.value, value)
    else:
        narrow_to(it, place, value)


def _name(it: Interpreter, target: cst.BaseExpression, value: Instance | OneShot | Optimizer) -> None:
    """Remember the first name that the program gives to an object, for messages."""
    if isinstance(target, cst.Name):
        value.slots["#variable"] = target.value
    elif isinstance(target, cst.Attribute) and isinstance(target.value, cst.Name):
        value.slots["#variable"] = f"{target.value.value}.{target.attr.value}"


def _unpack(it: Interpreter, target: cst.Tuple | cst.List, value: Value) -> None:
    elements = target.elements
    star = next((i for i, e in enumerate(elements) if isinstance(e, cst.StarredElement)), None)
    reader, it.reader = it.reader, (it.frame, target, "unpacking")
    parts = iteration.unpacked(it, value, len(elements), star)
    it.reader = reader
    for element, part in zip(elements, parts, strict=False):
        assign(it, element.value, part)


def _set_element(it: Interpreter, owner: Value, key: Value, value: Value, node: cst.Subscript) -> None:
    tapes.give(it, [value])
    for option in options(owner):
        if isinstance(option, (Leaf, Flow)):
            _written_by_hand(it, option, node)
            if option is owner and isinstance(option, Leaf):
                forwards.note_written(it, option, "[…] = …", node)
            continue
        before = containers.contents(option) if isinstance(option, (Container, DictObj)) else ()
        containers.set_item(it, option, key, value)
        module = option.slots.get("#dict of") if isinstance(option, DictObj) else None
        if isinstance(module, Instance) and isinstance(key, Const) and isinstance(key.value, str):
            attributes.set_plain(it, module, key.value, value, node)  # `self.__dict__[name] = …`
        containers.note_added(it, option, before, node)
    write_into(it, owner, [value, key] if stopping.of_index(key) else [value], node.value)


def write_into(it: Interpreter, tensor: Value, written: Sequence[Value], place: cst.BaseExpression) -> None:
    """Values are written into a tensor (``out[t] = h``, ``out.copy_(h)``) at ``place``: it has their gradient."""
    changed = [_with_written(it, option, written) for option in options(tensor)]
    same = all(new is old for new, old in zip(changed, options(tensor), strict=True))
    lent = isinstance(place, cst.Attribute) and place.attr.value in ("data", "grad")
    if not same and not lent and isinstance(place, (cst.Name, cst.Attribute, cst.Subscript)):
        assign(it, place, join_values(changed))


def _with_written(it: Interpreter, tensor: Value, written: Sequence[Value]) -> Value:
    """What a tensor is after a write; a leaf stays the same object and remembers it."""
    if not isinstance(tensor, (Leaf, Flow)) or (isinstance(tensor, Leaf) and tensor.is_parameter):
        return tensor
    result = expressions.flow(it, [tensor, *written])
    if not isinstance(result, (Flow, Unknown)):
        return tensor
    if isinstance(tensor, Leaf):
        it.heap.set(tensor.slots, "#written", result)
        return tensor
    if isinstance(result, Flow):
        result = replace(result, alias=tensor.alias)
    return tensor if result == tensor else result


def _written_by_hand(it: Interpreter, target: Value, node: cst.CSTNode) -> None:
    leaf = target if isinstance(target, Leaf) else target.alias if isinstance(target, Flow) else None
    if leaf is not None:
        it.record_hand_update(leaf, node)


def augment(it: Interpreter, node: cst.AugAssign) -> None:
    """``target += value`` and its relatives: in place for lists and leaf tensors, else a new value."""
    value = expressions.evaluate(it, node.value)
    old = expressions.evaluate(it, node.target)
    in_place = [option for option in options(old) if isinstance(option, (Container, DictObj, Instance))]
    for option in options(old):
        _written_by_hand(it, option, node)
    if in_place and isinstance(node.operator, (cst.AddAssign, cst.BitOrAssign)):
        if any(isinstance(option, Container) for option in in_place):
            misused_values.note_iterated(it, value, node)
        for option in in_place:
            before = containers.contents(option) if isinstance(option, (Container, DictObj)) else ()
            containers.extend(it, option, value)
            containers.note_added(it, option, before, node)
        if len(in_place) == len(options(old)) and not any(
            isinstance(o, Container) and o.kind == "tuple" for o in in_place
        ):
            return
    if isinstance(old, Leaf) and old.is_parameter:
        forwards.note_written(it, old, f" {_operator(it, node)} …", node)
        return
    if isinstance(old, Leaf) and old.requires_grad is True and it.no_grad:
        return  # changed in itself: it stays the leaf that it is
    new = expressions.augmented(it, old, value, node)
    counter = isinstance(new, Const) and isinstance(new.value, (int, float))
    if counter and (it.unknown_rounds or isinstance(node.target, cst.Attribute)):
        new = UNKNOWN  # an attribute counts over calls, too
    assign(it, node.target, new)


def _operator(it: Interpreter, node: cst.AugAssign) -> str:
    return it.frame.context.part.code(node.operator).strip()


def delete(it: Interpreter, target: cst.BaseExpression) -> None:
    """``del target``."""
    if isinstance(target, cst.Name):
        it.heap.set(it.frame.variables, target.value, ABSENT)
    elif isinstance(target, cst.Attribute):
        for owner in options(expressions.evaluate(it, target.value)):
            if isinstance(owner, Instance):
                it.heap.set(owner.slots, target.attr.value, ABSENT)
    elif isinstance(target, cst.Subscript):
        owner = expressions.evaluate(it, target.value)
        key = expressions.subscript_key(it, target)
        for option in options(owner):
            containers.delete_item(it, option, key)


def narrow_to(it: Interpreter, node: cst.Name | cst.Attribute, value: Value) -> None:
    """Note, for this branch, what a variable or attribute is; no assignment of the program."""
    if isinstance(node, cst.Name):
        if node.value in it.frame.variables:
            it.heap.set(it.frame.variables, node.value, value)
        return
    owner = expressions.peek(it, node.value)
    if isinstance(owner, Instance) and node.attr.value in owner.slots:
        it.heap.set(owner.slots, node.attr.value, value)


def target_names(target: cst.BaseExpression) -> Iterator[str]:
    """The names that an assignment to ``target`` binds."""
    if isinstance(target, cst.Name):
        yield target.value
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from target_names(element.value)


def pattern_names(pattern: Any) -> Iterator[str]:
    """The names that a ``match`` pattern binds."""
    if isinstance(pattern, cst.MatchAs) and pattern.name is not None:
        yield pattern.name.value
    for child in getattr(pattern, "children", ()):
        if isinstance(child, (cst.MatchPattern, cst.MatchSequenceElement, cst.MatchKeywordElement)):
            yield from pattern_names(child)
