"""``torch.func.functional_call``: a module's forward on other parameters than its own.

The table of torch's functions asks. Must not know which rule asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from optlint.semantics import expressions, modules, stopping
from optlint.semantics.values import (
    Arguments,
    Choice,
    Container,
    Cut,
    DictObj,
    Flow,
    Instance,
    Items,
    Leaf,
    NamedTuple,
    Unknown,
    Value,
    join_values,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

NAMES = frozenset(
    {"torch.func.functional_call", "torch.nn.utils.stateless.functional_call", "functorch.functional_call"}
)
#: Containers inside one another that are looked through.
_MAX_DEPTH = 3


def call(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """What the module gives; None where it is not known which module or parameters are meant."""
    from optlint.semantics import calls

    model = arguments.get(0, "module")
    given = _by_name(arguments.get(1, "parameters_and_buffer_dicts"))
    inputs = arguments.get(2, "args")
    named = arguments.get(3, "kwargs")
    if not isinstance(model, Instance) or given is None or arguments.open:
        return None
    listing = modules.parameters(it, model)
    if listing.open or not all(entry.certain for entry in listing.parameters):
        return None
    values = inputs.items.values if isinstance(inputs, Container) and inputs.kind == "tuple" else (inputs,)
    keywords = dict(named.entries.values) if isinstance(named, DictObj) else {}
    result = calls.call_instance(
        it, model, Arguments(tuple(value for value in values if value is not None), keywords), node
    )
    replaced = {entry.leaf: given[entry.name] for entry in listing.parameters if entry.name in given}
    changed = {leaf: value for leaf, value in replaced.items() if value is not leaf}
    return _on_others(it, result, changed) if changed else result


def _by_name(value: Value | None) -> dict[str, Value] | None:
    """The parameters by name; of several dicts, all of them."""
    if isinstance(value, Container) and not value.items.open:
        found: dict[str, Value] = {}
        for part in value.items.values:
            inner = _by_name(part)
            if inner is None:
                return None
            found.update(inner)
        return found
    if not isinstance(value, DictObj) or value.entries.open:
        return None
    names = {key: entry for key, entry in value.entries.values.items() if isinstance(key, str)}
    return names if len(names) == len(value.entries.values) else None


def _on_others(it: Interpreter, result: Value, given: Mapping[Leaf, Value], depth: int = 0) -> Value:
    """``result`` as it is when it was computed with ``given`` in the place of the module's own parameters."""
    if isinstance(result, (Flow, Unknown)):
        return _number(it, result, given)
    if isinstance(result, Choice) and depth < _MAX_DEPTH:
        return join_values([_on_others(it, option, given, depth + 1) for option in result.options])
    if isinstance(result, Container) and depth < _MAX_DEPTH:
        items = result.items
        values = tuple(_on_others(it, value, given, depth + 1) for value in items.values)
        new = Items(values, items.open, items.many)
        if isinstance(result, NamedTuple):
            return NamedTuple(result.names, new, result.site)
        return Container(result.kind, new, result.site)
    return result


def _number(it: Interpreter, number: Flow | Unknown, given: Mapping[Leaf, Value]) -> Value:
    before = number.deps if isinstance(number, Flow) else number.taint
    used = [given[leaf] for leaf in before if leaf in given]
    leaves, cuts, opaque = expressions.sources(it, used)
    deps = frozenset(leaves) | {leaf for leaf in before if leaf not in given}
    earlier: set[tuple[Leaf, Cut]] = set(cuts)
    for leaf, cut in number.cuts:
        behind = expressions.sources(it, [given[leaf]])[:2] if leaf in given else ({leaf}, set())
        earlier |= {(source, cut) for source in behind[0]} | behind[1]
    if isinstance(number, Unknown):
        return Unknown(deps, frozenset(earlier), plain=number.plain, stop=number.stop)
    if opaque:
        return Unknown(deps, frozenset(earlier))
    plain, stop = number.plain, number.stop
    if used and not deps and not any(cut.kind == "zero-gradient" for _, cut in earlier):
        plain, stop = stopping.all_want_none(used), stopping.stop_of(used)
    return replace(number, deps=deps, cuts=frozenset(earlier), plain=plain, stop=stop, alias=None)
