"""``tf.GradientTape`` and the optimizers of TensorFlow and Keras: gradients that are taken and applied.

``calls`` and ``keras_models`` ask by name. What a tape records is kept by ``tapes``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from optlint.semantics import expressions, families, iteration, tapes
from optlint.semantics.libraries import empty_variables, keras_names, keras_weights, untracked
from optlint.semantics.site import Site
from optlint.semantics.tape_events import GradientsApplied, GradientsTaken, KerasOptimizerMade
from optlint.semantics.values import (
    NONE,
    TRUE,
    UNKNOWN,
    Arguments,
    Choice,
    Container,
    Cut,
    DictObj,
    Entries,
    External,
    Function,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    Method,
    OneShot,
    Partial,
    Unknown,
    Value,
    Variable,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

TAPE = "tensorflow.GradientTape"
_PAUSE = "tensorflow.GradientTape.stop_recording"
_TAPES = frozenset({TAPE, "tensorflow.compat.v2.GradientTape", "tensorflow.compat.v1.GradientTape"})
_VARIABLES = frozenset({"tensorflow.Variable", "tensorflow.compat.v2.Variable"})
#: What these are given they do not call, or that is followed.
_FOLLOWED = ("tensorflow.keras.", "tensorflow.function", "tensorflow.train.", "tensorflow.GradientTape")
#: Methods that run a function on each replica: where its arguments stand.
_REPLICAS = frozenset({"run", "experimental_run_v2", "experimental_run"})
_ASSIGN = frozenset({"assign", "assign_add", "assign_sub"})
#: Methods of an optimizer that scale a loss, or scale its gradients back.
_SCALING = frozenset({"get_scaled_loss", "scale_loss", "get_unscaled_gradients"})


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """A tape, a variable or an optimizer of TensorFlow 1 is made, or a collection is read; None for all else."""
    if name.startswith("tensorflow.") and not name.startswith(_FOLLOWED):
        empty_variables.perhaps_built(it, arguments.all_values())
    if empty_variables.is_old_optimizer(name):
        return External(f"{name}()")
    collected = empty_variables.collection(it, name, node)
    if collected is not None:
        return collected
    if name in _TAPES:
        tape = Instance(LibraryClass(TAPE), it.site(node))
        it.recording.used = True
        tape.slots["#scope"] = tapes.scope_of(it.frame)
        watches = arguments.get(1, "watch_accessed_variables")
        if arguments.open or (watches is not None and watches != TRUE):
            tape.slots[tapes.DOUBT] = True
        return tape
    if name in _VARIABLES or keras_names.canonical(name) == "keras.Variable":
        return _variable(it, name, arguments, node)
    generic = keras_names.canonical(name) or name
    last = generic.rsplit(".", 1)[-1]
    if generic.startswith("keras.optimizers.") and "schedules" not in generic and last[:1].isupper():
        if not name.endswith(")") and "." not in generic.removeprefix("keras.optimizers."):
            it.record(KerasOptimizerMade(it.site(node), bool(it.conditional)))
    return None


def _said(name: str) -> str:
    """A name as programs write it."""
    return "tf." + name.removeprefix("tensorflow.") if name.startswith("tensorflow.") else name


def _variable(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """``tf.Variable(…)``: a variable, unless it says that it is not trained."""
    matters, package = keras_weights.matter(it), "tensorflow" if name in _VARIABLES else "keras"
    if matters:
        tapes.give(it, arguments.all_values())
    trainable = arguments.keywords.get(
        "trainable", arguments.get(1, "trainable") if name in _VARIABLES else None
    )
    if trainable is not None and trainable != TRUE:
        return None
    if not matters:
        return untracked.BareVariable(package=package, site=it.site(node))
    made = untracked.mark(tapes.new_variable(it, it.site(node)), package)
    for value in arguments.positional[:1]:
        tapes.assigned(it, made, value, Cut("detach", it.site(node), f"{_said(name)}(…)", it.steps))
    return made


def assigned(it: Interpreter, variable: Variable, name: str, arguments: Arguments, node: cst.CSTNode) -> None:
    """``variable.assign(…)``, ``assign_add`` or ``assign_sub``."""
    if name in _ASSIGN and arguments.positional:
        where = Cut("detach", it.site(node), f".{name}(…)", it.steps)
        tapes.assigned(it, variable, arguments.positional[0], where)


def context(it: Interpreter, value: Value) -> tuple[Value, Callable[[], None]] | None:
    """Enter a tape, or a place where it does not record; None for any other context."""
    if not isinstance(value, Instance) or not isinstance(value.cls, LibraryClass):
        return None
    if value.cls.qualified_name == TAPE:
        return value, tapes.enter(it, value)
    if value.cls.qualified_name == _PAUSE:
        tape = value.slots["tape"]
        return NONE, tapes.pause(it, tape)
    return None


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method of a tape; None when the object is none."""
    if not isinstance(owner.cls, LibraryClass) or owner.cls.qualified_name != TAPE:
        return None
    if name in ("gradient", "jacobian", "batch_jacobian"):
        return _gradient(it, owner, arguments, node)
    if name == "stop_recording":
        pause = Instance(LibraryClass(_PAUSE), it.site(node))
        pause.slots["tape"] = owner
        return pause
    if name in ("watch", "reset", "__enter__", "__exit__"):
        if name != "watch":
            it.heap.set(owner.slots, tapes.DOUBT, True)
        return owner if name == "__enter__" else NONE
    return UNKNOWN


# -- gradients -------------------------------------------------------------------------------------------------------


def _gradient(it: Interpreter, tape: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    from optlint.semantics.libraries import keras_models

    frozen = keras_models.of_gradients(it, arguments, "gradient", node, TAPE)
    if frozen is not None:
        return frozen
    target, sources = arguments.get(0, "target") or UNKNOWN, arguments.get(1, "sources") or UNKNOWN
    wanted = tuple(dict.fromkeys(tapes.variables_in(sources)))
    reach = tapes.reach(it, tape, target)
    outer = expressions.opaque(it, [target]).taint if it.recording.active else frozenset()
    gradients = {leaf: tapes.gradient_for(leaf, it.site(node)) for leaf in wanted}
    sure = not arguments.open and tapes.DOUBT not in tape.slots and tape.slots.get("#entered") is True
    scope, model = _scope(it)
    listed = _text(it.site(node), 1)
    it.record(
        GradientsTaken(
            it.site(node), bool(it.conditional), tape, target, wanted, sure, reach, tuple(gradients.values()),
            scope, model, it.entry, listed,
        )
    )  # fmt: skip
    return _shaped(sources, gradients, outer)


def _text(site: Site, position: int) -> str:
    """The text of a positional argument of a call."""
    node = site.node
    if not isinstance(node, cst.Call) or len(node.args) <= position:
        return ""
    return " ".join(site.part.code(node.args[position].value).split())


def _shaped(value: Value, gradients: dict[Leaf, Leaf], outer: frozenset[Leaf], depth: int = 0) -> Value:
    """Gradients in the same lists and dicts as the variables."""
    own = tapes.leaf_of(value)
    if own is not None:
        return tapes.Gradient(outer | {gradients[own]})
    if isinstance(value, Container) and depth < 4:
        items = value.items
        inner = tuple(_shaped(part, gradients, outer, depth + 1) for part in items.values)
        return Container(
            "list" if value.kind not in ("tuple",) else "tuple", Items(inner, items.open, items.many)
        )
    if isinstance(value, DictObj) and depth < 4:
        entries = value.entries
        shaped = {key: _shaped(part, gradients, outer, depth + 1) for key, part in entries.values.items()}
        return DictObj(Entries(shaped, entries.open))
    return Unknown(outer | {gradients[leaf] for leaf in tapes.variables_in(value)})


def _scope(it: Interpreter) -> tuple[object, Instance | None]:
    """The function that is being executed, and the Keras model whose ``train_step`` it is or serves."""
    scope: object = None
    for frame in reversed(it.frames):
        node = frame.variables.get("#node")
        if node is not None and scope is None:
            scope = node
        receiver = frame.receiver
        if node is not None and frame.name == "train_step" and isinstance(receiver, Instance):
            if families.keras_kind(receiver.cls) == "model":
                return scope, receiver
    return scope, None


# -- what is done with them ------------------------------------------------------------------------------------------


def by_name(it: Interpreter, how: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """A method of an optimizer or a strategy, whatever object that is; None when it is none of those."""
    if how in _REPLICAS:
        return _on_replicas(it, arguments, node)
    if how == "apply_gradients":
        given = arguments.get(0, "grads_and_vars")
        more = arguments.positional[1] if len(arguments.positional) > 1 else None
        return _applied(it, how, given, None, node, more)
    if how == "apply":
        given = arguments.get(0, "grads")
        if given is None or not tapes.gradients_behind(it, given):
            return None
        return _applied(it, how, given, arguments.get(1, "trainable_variables"), node)
    if how == "minimize":
        return _minimized(it, arguments, node)
    if how in _SCALING and keras_weights.matter(it):
        scaled = arguments.all_values()
        alone = scaled[0] if len(scaled) == 1 else None
        return alone if isinstance(alone, Container) else expressions.flow(it, scaled)
    return None


def _on_replicas(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """``strategy.run(step, args=(x, y))``: the function runs with these arguments."""
    from optlint.semantics import calls

    function = arguments.get(0, "fn")
    if not isinstance(function, (Function, Method, Partial)) or not keras_weights.matter(it):
        return None
    if isinstance(function, Method) and function.function is None:
        return None
    given = arguments.get(1, "args")
    named = arguments.get(2, "kwargs")
    items = iteration.take(it, given) if isinstance(given, Container) else Items((), given is not None)
    keywords = {}
    if isinstance(named, DictObj):
        keywords = {key: value for key, value in named.entries.values.items() if isinstance(key, str)}
    return calls.call(it, function, Arguments(items.values, keywords, items.open), node)


def _applied(
    it: Interpreter,
    how: str,
    given: Value | None,
    variables: Value | None,
    node: cst.CSTNode,
    more: Value | None = None,
) -> Value | None:
    """Gradients are given to an optimizer, with one argument ``more``. What else becomes of it is asked elsewhere."""
    if given is None or not it.recording.used:
        return None
    before = None
    if isinstance(given, OneShot):
        if given.progress.used_up and given.progress.uses:
            before = given.progress.uses[0].site
    columns = _columns(it, given, variables)
    first, second = columns or (Container("list", Items()), Container("list", Items()))
    taken = tapes.gradients_behind(it, given) | tapes.gradients_behind(it, first)
    pairs = given.site if isinstance(given, OneShot) and given.site is not None else it.site(node)
    exact = bool(columns) and not any(
        c.items.open or any(isinstance(v, Choice) for v in c.items.values) for c in (first, second)
    )
    it.record(
        GradientsApplied(
            it.site(node), bool(it.conditional), how,
            tuple(_gradients_of(it, value) for value in first.items.values),
            tuple(frozenset(tapes.variables_in(value)) for value in second.items.values),
            exact, taken, _scope(it)[0], it.entry, before, _text(pairs, 1), _text(pairs, 0),
            _misshapen(how, given, columns, more),
        )
    )  # fmt: skip
    if isinstance(given, OneShot):
        iteration.take(it, given)
    return None


def _misshapen(
    how: str, given: Value, columns: tuple[Container, Container] | None, more: Value | None
) -> str:
    """What is wrong with the form of what an optimizer is given (see ``GradientsApplied``); nothing where it is fine."""
    if how == "apply_gradients" and _are_gradients(given):
        return "arguments" if more is not None and tapes.variables_in(more) else "bare"
    if columns is None:
        return ""
    first, second = columns
    if _are_gradients(second) and all(tapes.leaf_of(value) is not None for value in first.items.values):
        return "swapped"
    parts = first.items.values
    clipped = first.kind == "tuple" and len(parts) == 2 and _are_gradients(parts[0])
    return "tuple" if clipped and not isinstance(parts[1], (Container, tapes.Gradient)) else ""


def _are_gradients(value: Value) -> bool:
    """Whether a value is a list of gradients as they are, with nothing beside them."""
    if not isinstance(value, Container) or value.items.open or not value.items.values:
        return False
    return all(isinstance(part, tapes.Gradient) for part in value.items.values)


def _gradients_of(it: Interpreter, value: Value) -> frozenset[Leaf]:
    """The variables whose gradients a value was computed from."""
    roles = (tapes.role_of(leaf) for leaf in tapes.gradients_behind(it, value))
    return frozenset(role.variable for role in roles if role is not None and role.variable is not None)


def _columns(it: Interpreter, given: Value, variables: Value | None) -> tuple[Container, Container] | None:
    """The gradients and the variables that an optimizer is given, as two lists; None when they are not known."""
    if variables is not None:
        pair = (given, variables)
    elif isinstance(given, OneShot) and given.kind in ("zip", "enumerate-many") and len(given.sources) == 2:
        pair = (given.sources[0], given.sources[1])
    else:
        pair = _parted(it, given) or (UNKNOWN, UNKNOWN)
    first, second = pair
    return (first, second) if isinstance(first, Container) and isinstance(second, Container) else None


def _parted(it: Interpreter, given: Value) -> tuple[Container, Container] | None:
    """The two columns of a list of pairs."""
    if isinstance(given, OneShot):
        items = iteration.peek(it, given)
    elif isinstance(given, Container):
        items = given.items
    else:
        return None
    rows = [value.items.values for value in items.values if isinstance(value, Container)]
    if len(rows) != len(items.values) or any(len(row) != 2 for row in rows):
        return None
    first, second = (Items(tuple(row[i] for row in rows), items.open, items.many) for i in (0, 1))
    return Container("list", first), Container("list", second)


def _minimized(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """``optimizer.minimize(loss, variables)`` of a function, or of a tensor and its tape."""
    from optlint.semantics import calls

    loss, variables = arguments.get(0, "loss"), arguments.get(1, "var_list")
    tape = arguments.keywords.get("tape")
    if loss is None or variables is None or not keras_weights.matter(it):
        return None
    if isinstance(loss, (Function, Partial)) or (isinstance(loss, Method) and loss.function is not None):
        tape = Instance(LibraryClass(TAPE), it.site(node))
        leave = tapes.enter(it, tape)
        try:
            loss = calls.call(it, loss, Arguments(), node)
        finally:
            leave()
        if isinstance(variables, Function):
            variables = calls.call(it, variables, Arguments(), node)
    if (
        not isinstance(tape, Instance)
        or not isinstance(tape.cls, LibraryClass)
        or tape.cls.qualified_name != TAPE
    ):
        return None
    gradients = _gradient(it, tape, Arguments((loss, variables)), node)
    return _applied(it, "minimize", gradients, variables, node)
