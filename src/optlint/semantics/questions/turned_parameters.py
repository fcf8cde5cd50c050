"""Parameters that a module does not keep as such: results of operations, buffers, stale copies (OPT204).

Also what torch refuses: a tensor under a parameter's name, and a write into a parameter. Everything here needs
evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import registration_events
from optlint.semantics.containers import contents
from optlint.semantics.events import AttributeSet, OptimizerBuilt
from optlint.semantics.libraries import tensor_moves, tensor_ops
from optlint.semantics.questions import causes
from optlint.semantics.questions.holdings import leaves_in
from optlint.semantics.questions.non_leaves import makes_elsewhere
from optlint.semantics.questions.participation import rehearsed
from optlint.semantics.site import Site
from optlint.semantics.values import (
    ABSENT,
    NONE,
    Choice,
    Container,
    DictObj,
    Flow,
    Instance,
    Leaf,
    OneShot,
    Origin,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.program import Run


#: What gives a tensor that is cut off, and no other kind of object.
_DETACHING = frozenset({".data", ".detach()"})
#: Attributes of a run for which a forward is rehearsed; nothing is said of more.
MAX_CANDIDATES = 60


@dataclass(frozen=True)
class TurnedParameter:
    """Something that was meant to be a parameter of a module and is none.

    ``form``: result, detached, moved (on some machines: ``moves`` says on which), buffer, stale, written, replaced.
    ``operation``: what was done to it; ``raises``: the second backward pass does, as the first freed what it needs.
    ``source``: where it was a Parameter still, or the name of the one that it was computed of.
    """

    site: Site
    owner: str
    name: str
    form: str
    operation: str = ""
    moves: str = ""
    raises: bool = False
    source: str = ""
    leaves: frozenset[Leaf] = frozenset()
    optimizers: tuple[OptimizerBuilt, ...] = ()


def turned_parameters(run: Run) -> Iterator[TurnedParameter]:
    """Every such attribute, each place once."""
    seen: set[Site] = set()
    for fact in (*_kept(run), *_buffers(run), *_refused(run)):
        if fact.site not in seen:
            seen.add(fact.site)
            yield fact


# -- what a module keeps in a parameter's place ------------------------------------------------------------------------


def _kept(run: Run) -> Iterator[TurnedParameter]:
    """Attributes that a constructor set to what it computed of a Parameter."""
    if not run.complete:
        return
    explained = causes.explained(run, before=turned_parameters).leaves
    changed = {(id(e.owner), e.name) for e in run.of(AttributeSet) if not e.constructing}
    modules = {id(model) for model in run.models}
    candidates = 0
    for event in run.of(AttributeSet):
        model = event.owner
        if candidates > MAX_CANDIDATES:
            return
        if not event.constructing or id(model) not in modules or (id(model), event.name) in changed:
            continue
        tensors = _tensors(event.value)
        if not tensors or not _still_there(model, event) or model.slots.get("#escaped"):
            continue
        sources = frozenset(leaf for tensor in tensors for leaf in _sources(tensor))
        if sources and not sources & explained:
            candidates += 1
            fact = _hidden(run, event, tensors, sources) or _copied(run, event, tensors, sources)
            if fact is not None:
                yield fact


def _tensors(value: Value) -> list[Flow]:
    """What the attribute is, where that is the result of an operation (or a list or dict of them); else nothing."""
    parts = contents(value) if isinstance(value, (Container, DictObj)) else (value,)
    found: list[Flow] = []
    for part in parts:
        inner = options(part)
        flows = [option for option in inner if isinstance(option, Flow)]
        # `.to(device)` gives the parameter itself where there is nothing to move.
        kept = [
            option for option in inner if isinstance(option, Leaf) and flows and flows[0].deps == {option}
        ]
        if len(flows) != 1 or len(flows) + len(kept) != len(inner) or (kept and not _moves(flows[0])):
            return []
        found.append(flows[0])
    return found


def _moves(tensor: Flow) -> str:
    return tensor.origin.moves if tensor.origin is not None else ""


def _sources(tensor: Flow) -> frozenset[Leaf]:
    return tensor.deps | {leaf for leaf, _ in tensor.cuts}


def _still_there(model: Instance, event: AttributeSet) -> bool:
    """Whether the attribute has the value still: nothing re-wrapped it as a Parameter."""
    now = model.slots.get(event.name, ABSENT)
    return now is event.value or now == event.value


def _hidden(
    run: Run, event: AttributeSet, tensors: list[Flow], sources: frozenset[Leaf]
) -> TurnedParameter | None:
    """A result of Parameters that nothing else keeps: nobody can train them."""
    if not all(leaf.is_parameter and leaf.requires_grad is True for leaf in sources):
        return None
    tensor = tensors[0]
    # Where it is not moved, the module itself hands the Parameter to its optimizer.
    elsewhere = run.touched if _moves(tensor) and _is_nameless(tensor) else run.held | run.touched
    if sources & elsewhere or any(leaf.slots.get("#escaped") for leaf in sources):
        return None
    if sources & _kept_otherwise(run, event) or not _is_used(run, event.owner, event.name, sources):
        return None
    form, origin = "result", tensor.origin
    if not tensor.deps:
        form = "detached"
        if tensor.alias not in sources or any(cut.text not in _DETACHING for _, cut in tensor.cuts):
            return None  # perhaps another's, a number, an array, or made where no gradients are recorded
        if run.root != "<module>" and run.used_by_other_files(event.owner, event.name):
            return None
    elif _moves(tensor):
        form = "moved"
        if _moves(tensor) != tensor_moves.ALWAYS and not _certainly_moved(run, tensor, sources):
            return None
    return TurnedParameter(
        event.site,
        event.owner.cls.name,
        event.name,
        form,
        _told(tensor),
        _moves(tensor),
        form != "detached" and _keeps_tensors(origin),
        "",
        sources,
        _left_with_nothing(run),
    )


def _is_nameless(tensor: Flow) -> bool:
    """Whether the Parameter was made where the operation stands, so that nothing else can have it."""
    node = tensor.origin.site.node if tensor.origin is not None else None
    return (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Attribute)
        and isinstance(node.func.value, cst.Call)
    )


def _told(tensor: Flow) -> str:
    """The operation, as a message names it."""
    if tensor.deps:
        return tensor.origin.operation if tensor.origin is not None else ""
    cut = min((cut for _, cut in tensor.cuts), key=lambda cut: cut.rank, default=None)
    return cut.text if cut is not None else ""


def _certainly_moved(run: Run, tensor: Flow, sources: frozenset[Leaf]) -> bool:
    """Whether the tensor was made in the processor's memory, so that it moves wherever there is a GPU."""
    if not all(leaf.slots.get("#on_cpu") for leaf in sources):
        return False
    return tensor.origin is not None and not makes_elsewhere(run, tensor.origin.site)


def _kept_otherwise(run: Run, event: AttributeSet) -> frozenset[Leaf]:
    """Leaves that a module keeps under another name than this one."""
    heap = run.interpreter.heap
    mark = heap.mark()
    heap.set(event.owner.slots, event.name, NONE)
    try:
        return frozenset().union(*(leaves_in(model) for model in run.models))
    finally:
        heap.rollback(mark)


def _is_used(run: Run, model: Instance, name: str, sources: frozenset[Leaf]) -> bool:
    """Whether a forward works with the attribute."""
    if sources & run.reached or any(sources & leaves_in_flow(call.result) for call in run.forwards):
        return True
    return _used_and_own(run, model, name)[0]


def leaves_in_flow(value: Value) -> frozenset[Leaf]:
    """The leaves behind a number, cut off or not."""
    return _sources(value) if isinstance(value, Flow) else frozenset()


def _used_and_own(run: Run, model: Instance, name: str) -> tuple[bool, frozenset[Leaf]]:
    """Whether the module's forward uses an attribute, and which leaves it uses apart from that."""
    it = run.interpreter
    mark = it.heap.mark()
    stand_in = Leaf(None, is_parameter=False, requires_grad=True)
    it.heap.set(model.slots, name, stand_in)
    try:
        used, _ = rehearsed(run, model)
    finally:
        it.heap.rollback(mark)
    return stand_in in used, used


#: The names of operators in the table of what keeps tensors.
_OPERATORS = {"*": "mul", "/": "div", "**": "pow", "@": "matmul"}


def _operations(origin: Origin | None) -> list[str]:
    """The names of the operations that made a tensor, first to last; "?" for one that is not known."""
    if origin is None:
        return ["?"]
    names = []
    for told in (*origin.earlier, origin.operation):
        word = re.search(r"(\w+)(?:\(.*)?$", told)
        names.append(_OPERATORS.get(told, word.group(1) if word else told))
    return names


def _keeps_tensors(origin: Origin | None) -> bool:
    return any(name in tensor_ops.SAVING for name in _operations(origin))


def _left_with_nothing(run: Run) -> tuple[OptimizerBuilt, ...]:
    """Optimizers that were given the parameters of a module and hold none."""
    return tuple(
        built
        for built in run.optimizers
        if isinstance(built.argument, OneShot)
        and built.argument.kind == "parameters"
        and not run.held_by(built.optimizer)
    )


def _copied(
    run: Run, event: AttributeSet, tensors: list[Flow], sources: frozenset[Leaf]
) -> TurnedParameter | None:
    """A copy of the module's own parameter, taken once: the forward works with the copy, training changes the other."""
    tensor, model = tensors[0], event.owner
    if isinstance(event.value, (Container, DictObj, Choice)) or not tensor.deps or tensor.cuts:
        return None
    own = {entry.leaf: entry.name for entry in run.parameters(model).parameters if entry.certain}
    if not all(leaf in own and leaf.requires_grad is True for leaf in sources):
        return None
    names = _operations(tensor.origin)
    shared = all(name in tensor_ops.SHARING or name == "[…]" for name in names)
    if shared or "?" in names or "[…]" in names:
        return None
    used, leaves = _used_and_own(run, model, event.name)
    if not used or leaves & sources:
        return None
    return TurnedParameter(
        event.site,
        model.cls.name,
        event.name,
        "stale",
        _told(tensor),
        raises=_keeps_tensors(tensor.origin),
        source=own[min(sources, key=lambda leaf: leaf.serial)],
        leaves=sources,
    )


# -- buffers -----------------------------------------------------------------------------------------------------------


def _buffers(run: Run) -> Iterator[TurnedParameter]:
    """Tensors that want a gradient and are registered as buffers, which no optimizer gets."""
    if not run.complete:
        return
    listed = {entry.leaf for model in run.models for entry in run.parameters(model).parameters}
    for event in run.of(registration_events.BufferRegistered):
        leaf, model = event.value, event.owner
        if not isinstance(leaf, Leaf) or leaf.requires_grad is not True or not leaf.fresh:
            continue
        if leaf in listed or leaf in run.held or leaf in run.touched or leaf.slots.get("#escaped"):
            continue
        if model.slots.get("#escaped") or not _used_and_own(run, model, event.name)[0]:
            continue
        kind = "Parameter" if leaf.is_parameter else "tensor"
        yield TurnedParameter(
            event.site,
            model.cls.name,
            event.name,
            "buffer",
            source=kind,
            leaves=frozenset({leaf}),
            optimizers=_left_with_nothing(run),
        )


# -- what torch refuses ------------------------------------------------------------------------------------------------


def _refused(run: Run) -> Iterator[TurnedParameter]:
    """Tensors under a parameter's name, and writes into a parameter while it is being constructed."""
    for event in run.events:
        if isinstance(event, registration_events.ParameterReplaced):
            yield TurnedParameter(event.site, event.owner.cls.name, event.name, "replaced")
        elif isinstance(event, registration_events.LeafWritten) and event.constructing:
            source = run.interpreter.sources.get(event.site.path)
            if source is not None and "set_grad_enabled(" not in source.text:
                yield TurnedParameter(event.site, "", "", "written", event.how)
