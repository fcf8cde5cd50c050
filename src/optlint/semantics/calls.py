"""Calls: arguments, dispatch by what is called, and what happens to values that code nobody can see is given."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from optlint.semantics import (
    assignment,
    attributes,
    constructors,
    containers,
    contexts,
    copies,
    events,
    expressions,
    families,
    functions,
    gradients,
    handed,
    identity,
    idle,
    iteration,
    modes,
    reading,
    stopping,
    tapes,
    unseen_parts,
)
from optlint.semantics.libraries import (
    autograd_functions,
    data_sources,
    empty_variables,
    frameworks,
    grad_scalers,
    keras_graph,
    keras_models,
    keras_optimizers,
    keras_trainable,
    misused_values,
    python_calls,
    records,
    regular_expressions,
    repeated_values,
    schedulers,
    tensor_calls,
    tensor_ops,
    tensorflow_ops,
    tensorflow_tapes,
    text_calls,
    torch_calls,
    torch_identity,
    torch_methods,
    torch_modules,
    torch_optimizers,
)
from optlint.semantics.libraries.keras_optimizers import KerasOptimizer
from optlint.semantics.site import Site
from optlint.semantics.values import (
    FALSE,
    NONE,
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
    Function,
    Groups,
    Instance,
    Items,
    Leaf,
    LibraryClass,
    Method,
    OneShot,
    Optimizer,
    Partial,
    Scheduler,
    Super,
    Text,
    Unknown,
    UnseenIterator,
    UserClass,
    Value,
    Variable,
    join_values,
    options,
    weighty,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Functions and methods that only look at what they are given.
_HARMLESS_PREFIXES = (
    "logging.", "warnings.", "torch.save", "torch.onnx", "torchsummary.", "torchinfo.", "torchviz.", "thop.", "fvcore.",
    "wandb.", "mlflow.", "numpy.", "matplotlib.", "os.", "sys.", "json.", "time.", "random.", "re.", "math.",
    "pathlib.", "pickle.", "pprint.", "tabulate.", "torch.utils.tensorboard", "tensorboardX.", "argparse.",
    "torch.cuda.", "torch.backends.", "torch.manual_seed", "torch.utils.data.", "sklearn.", "scipy.", "pandas.",
    "shutil.", "glob.", "gc.", "psutil.", "ptflops.", "torch.random.", "torch.set_", "torch.get_", "gym.",
    "gymnasium.", "collections.", "string.", "datetime.", "traceback.", "threading.", "torch.distributed.",
    "torchmetrics.", "torchvision.transforms", "torchvision.utils", "torchvision.datasets", "PIL.", "cv2.", "copy.",
    "torch.optim.lr_scheduler.", "tensorflow.summary", "dataclasses.",
    "tensorflow.saved_model.", "tensorflow.train.Checkpoint", "tensorflow.lite.", "tensorflow.config.",
    "torch.optim.swa_utils.", "torch.profiler.", "torch.autograd.profiler", "torch.autograd.set_detect", "torch_ema.",
    "ema_pytorch.", "timm.utils.", "pytorch_warmup.", "warmup_scheduler.", "torch_lr_finder.", "torchprofile.",
    "transformers.set_seed", "accelerate.utils.set_seed", "accelerate.logging.", "loguru.", "neptune.", "comet_ml.",
    "tensorflow.print", "tensorflowjs.", "visualkeras.", "tf2onnx.", "types.", "contextlib.", "weakref.", "einops.",
)  # fmt: skip
#: Those whose results want no gradient: arrays, numbers, datasets and their loaders.
_DATA_PREFIXES = (
    "numpy.", "random.", "math.", "time.", "os.", "json.", "PIL.", "cv2.", "pandas.", "torch.utils.data.", "sklearn.",
    "torchvision.datasets.", "scipy.", "torch.backends.", "torch.cuda.",
)  # fmt: skip
#: Classes whose objects look at a model or keep averages of it beside the training: so do all of their methods.
_BYSTANDERS = (
    "torch.optim.swa_utils.AveragedModel", "torch_ema.Exp", "ema_pytorch.EMA", "timm.utils.ModelEma",
    "timm.utils.model_ema.ModelEma", "torch_lr_finder.LRFinder", "torch.utils.tensorboard.SummaryWriter",
    "torch.utils.tensorboard.writer.SummaryWriter", "tensorboardX.SummaryWriter", "ignite.handlers.",
    "ignite.contrib.", "ignite.metrics.",
)  # fmt: skip
_HARMLESS_METHODS = frozenset(
    [
        "add_graph",
        "add_scalar",
        "add_scalars",
        "add_histogram",
        "add_image",
        "watch",
        "log",
        "log_dict",
        "info",
        "debug",
        "warning",
        "warn",
        "error",
        "print",
        "write",
        "save",
        "update",
        "append",
        "add",
        "set_description",
        "set_postfix",
        "format",
        "join",
        "split",
        "step",
        "zero_grad",
        "close",
        "flush",
        "display",
        "register",
        "start",
        "stop",
        "reset",
        "state_dict",
        "get",
        "items",
        "keys",
        "values",
        "is_available",
        "device_count",
        "push",
        "sample",
        "store",
        "remember",
    ]
)


#: Methods that may make trainable what they are called on, or a part of it.
_UNFREEZES = ("requires_grad_", "unfreeze", "apply", "set_trainable", "train_")


def evaluate_call(it: Interpreter, node: cst.Call) -> Value:
    """The value of a call expression."""
    if isinstance(node.func, cst.Name) and node.func.value == "super" and it.frame.lookup("super") is None:
        return _super(it, node)
    function = expressions.callee(it, node.func)
    arguments = _arguments(it, node)
    statement, reader = it.frame.statement, it.reader
    it.reader = (it.frame, node, function)
    result = call(it, function, arguments, node)
    it.frame.statement, it.reader = statement, reader
    if isinstance(function, Method) and isinstance(node.func, cst.Attribute):
        _changed_in_place(it, function, arguments, node.func.value, result)
    return result


def _changed_in_place(
    it: Interpreter, method: Method, arguments: Arguments, place: cst.BaseExpression, result: Value
) -> None:
    """``x.detach_()``, ``x.index_add_(0, i, y)``: from here on the name means the result."""
    if (
        isinstance(method.receiver, Unknown)
        and method.name == "requires_grad_"
        and FALSE not in arguments.positional
    ):
        changed = copies.asked(it, method.receiver, "call", place)
        if changed is not None and isinstance(place, (cst.Name, cst.Attribute)):
            assignment.replaced(it, place, changed)
    if not isinstance(method.receiver, (Leaf, Flow)) or not method.name.endswith("_"):
        return
    if method.name == "detach_" or _made_leaf(method, result):
        if isinstance(place, (cst.Name, cst.Attribute)):
            assignment.replaced(it, place, result)
    elif method.name == "requires_grad_" and isinstance(place, cst.Name):
        it.bind(place.value, stopping.wanting(method.receiver))
    elif method.name not in tensor_calls.INITIALISERS and not method.name.endswith("__"):
        assignment.write_into(it, method.receiver, arguments.all_values(), place)


def _made_leaf(method: Method, result: Value) -> bool:
    """Whether ``x.requires_grad_()`` made a leaf of a result; one that was cut off shares memory stays what it was."""
    receiver = method.receiver
    made = method.name == "requires_grad_" and isinstance(receiver, Flow) and isinstance(result, Leaf)
    return made and isinstance(receiver, Flow) and (receiver.alias is None or not receiver.cuts)


def _super(it: Interpreter, node: cst.Call) -> Value:
    frame = it.frame
    scope = frame
    while scope.owner is None and scope.parent is not None and not scope.is_class:
        scope = scope.parent
    after: Value | None = scope.owner
    receiver = scope.receiver
    if node.args:
        first = expressions.evaluate(it, node.args[0].value)
        after = first if isinstance(first, (UserClass, External)) else _library_class(first)
        if len(node.args) > 1:
            receiver = expressions.evaluate(it, node.args[1].value)
        elif isinstance(receiver, Instance) and after is not None:
            constructors.missed(it, receiver, "unbound", node)
            return UNKNOWN
    if receiver is None and scope.variables:
        receiver = next((v for k, v in scope.variables.items() if not k.startswith("#")), None)
    judged = constructors.super_of(it, receiver, after, scope.owner, node)
    if after is None or not judged or not isinstance(receiver, (Instance, UserClass)):
        return UNKNOWN
    return Super(receiver, after)


def _library_class(value: Value) -> External | None:
    """A library class as it stands among the bases of the user's."""
    return External(value.qualified_name) if isinstance(value, LibraryClass) else None


def _arguments(it: Interpreter, node: cst.Call) -> Arguments:
    positional: list[Value] = []
    keywords: dict[str, Value] = {}
    more = False
    for argument in node.args:
        it.pace.reach(argument, it.steps)
        value = expressions.evaluate(it, argument.value)
        if argument.star == "*":
            items = iteration.take(it, value)
            more = more or items.open or items.many
            positional.extend(items.values if not items.many else ())
            if items.many:
                positional.extend(items.values)
        elif argument.star == "**":
            more = _spread(value, keywords) or more
        elif argument.keyword is not None:
            keywords[argument.keyword.value] = value
        else:
            positional.append(value)
    return Arguments(tuple(positional), keywords, more)


def _spread(value: Value, keywords: dict[str, Value]) -> bool:
    """Add the entries of ``**value``; True when there may be others."""
    if not isinstance(value, DictObj):
        return True
    keywords.update({key: entry for key, entry in value.entries.values.items() if isinstance(key, str)})
    return value.entries.open


def call(it: Interpreter, function: Value, arguments: Arguments, node: cst.CSTNode) -> Value:
    """Call a value."""
    it.step()
    given = weighty(arguments.all_values())
    if given:
        schedulers.note_given(it, function, given)
    if isinstance(function, Choice):
        if _one_of_several_optimizers(function):
            with it.one_of_several():
                return [call(it, option, arguments, node) for option in options(function)][-1]
        if any(isinstance(o, Method) and isinstance(o.receiver, Optimizer) for o in function.options):
            with it.one_of_several():
                return it.each_option(function, lambda option: call(it, option, arguments, node))
        return it.each_option(function, lambda option: call(it, option, arguments, node))
    idle.used(it, function, node, "call")
    if isinstance(function, Function):
        return functions.invoke(it, function, arguments)
    if isinstance(function, Method):
        return _call_method(it, function, arguments, node)
    if isinstance(function, UserClass):
        return functions.instantiate(it, function, arguments, node)
    if isinstance(function, External):
        return call_external(it, function.name, arguments, node)
    if isinstance(function, LibraryClass):
        return torch_modules.make_module(it, function.qualified_name, arguments, node) or unknown_call(
            it, arguments
        )
    if isinstance(function, Partial):
        return call(it, function.function, merged(function.arguments, arguments), node)
    if isinstance(function, Instance):
        return call_instance(it, function, arguments, node)
    if isinstance(function, expressions.GradMode):
        return functions.in_mode(it, arguments.get(0, "orig_func") or UNKNOWN, function, node)
    if isinstance(function, (Flow, Leaf)):
        return expressions.flow(it, [function, *arguments.all_values()])
    if isinstance(function, Unknown):
        return _made(it, unknown_call(it, arguments, function), arguments, node)
    return unknown_call(it, arguments)


def _made(it: Interpreter, given: Value, arguments: Arguments, node: cst.CSTNode) -> Value:
    """The result of a call that is not seen: an optimizer, perhaps, when parameters were given."""
    if type(given) is not Unknown:
        return given
    return gradients.made_of_parameters(it, "optimizer", given, arguments, node)


#: Makes what a configuration names.
_FACTORIES = ("hydra.utils.instantiate", "hydra.utils.call")


def _one_of_several_optimizers(function: Choice) -> bool:
    """``optimizer.step`` of one of two that were built in two branches: whichever it is, it is the same one always."""
    return all(
        isinstance(option, Method)
        and isinstance(option.receiver, Optimizer)
        and option.name in ("step", "zero_grad")
        for option in function.options
    )


def merged(first: Arguments, second: Arguments) -> Arguments:
    """The arguments of a partial call with those given later."""
    return Arguments(
        first.positional + second.positional,
        {**first.keywords, **second.keywords},
        first.open or second.open,
    )


def unknown_call(it: Interpreter, arguments: Arguments, function: Value = UNKNOWN) -> Value:
    """A call into code that cannot be seen: what it was given may be changed there, its result is unknown."""
    values = weighty(arguments.all_values())
    if values:
        escape(it, values)
        gradients.handed(it, values)
        symbolic = keras_graph.through_unseen(values)
        if symbolic is not None:
            return symbolic
    return expressions.opaque(it, [*values, function])


def escape(it: Interpreter, values: Iterable[Value], depth: int = 0) -> None:
    """Code that cannot be seen gets these values: it may freeze, extend or train them."""
    values = tuple(values)
    if not depth:
        handed.note(it, values)
    for value in values:
        it.heap.work += 1
        if isinstance(value, Choice):
            escape(it, options(value), depth)
        elif isinstance(value, Leaf):
            it.heap.set(value.slots, "#escaped", True)
        elif isinstance(value, Unknown):
            tapes.give(it, [value])
            for leaf in value.taint:
                if leaf.requires_grad is False:  # a part of a model, looked up by a name that is not known
                    it.heap.set(leaf.slots, "#escaped", True)
            gradients.escaped(it, value)
            if isinstance(value, UnseenIterator) and value.state is not None:
                reading.in_unseen_hands(it, value.state)
        elif isinstance(value, Optimizer):
            groups = value.groups
            it.heap.set(value.slots, "groups", Groups(groups.groups, True))
            gradients.escaped(it, value)
        elif isinstance(value, Container) and depth < 4:
            escape(it, value.items.values, depth + 1)
            if value.kind == "list":
                items = value.items
                containers.put(it, value, Items(items.values, True, items.many))
        elif isinstance(value, DictObj) and depth < 4:
            escape(it, value.entries.values.values(), depth + 1)
            it.heap.set(value.slots, "entries", Entries(value.entries.values, True))
        elif isinstance(value, OneShot):
            if value.kind == "parameters":
                escape(it, iteration.peek(it, value).values, depth + 1)
            reading.in_unseen_hands(it, value)
        elif isinstance(value, Instance) and value.slots.get("#escaped") is not True:
            _escape_instance(it, value, depth)
        elif isinstance(value, Method) and isinstance(value.receiver, (Instance, Optimizer)) and depth < 4:
            gradients.escaped(it, value)
            escape(it, [value.receiver], depth + 1)
            gradients.function_given(it, value)
        elif isinstance(value, Function):
            keras_trainable.may_be_called(it, value)
            empty_variables.perhaps_built(it, [value])
        elif isinstance(value, KerasOptimizer):
            it.heap.set(value.slots, "#escaped", True)
            gradients.function_given(it, value)
        else:
            schedulers.handed(it, (value,))


def _escape_instance(it: Interpreter, value: Instance, depth: int) -> None:
    it.heap.set(value.slots, "#escaped", True)
    if depth < 12 and families.keras_kind(value.cls) is not None:
        escape(it, keras_trainable.layers_of(value).values, depth + 1)
    for _, member in list(value.members()):
        for option in options(member):
            if isinstance(option, Leaf):
                it.heap.set(option.slots, "#escaped", True)
                if option.is_parameter:
                    if option.requires_grad is True:
                        it.heap.set(option.slots, "#trained_before", True)
                    it.heap.set(option.slots, "requires_grad", None)
            elif depth < 12 and isinstance(option, (Instance, Optimizer, Scheduler, Container, DictObj)):
                escape(it, [option], depth + 1)


@functools.lru_cache(maxsize=4096)
def is_harmless(name: str) -> bool:
    """Whether a library function leaves its arguments as they are."""
    return name.startswith(_HARMLESS_PREFIXES) or name in ("builtins.print", "builtins.str", "builtins.repr")


def _set_past_the_module(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> bool:
    """``object.__setattr__(self, "layer", …)``; False where it is not known what is set."""
    if len(arguments.positional) != 3:
        return False
    owner, key, value = arguments.positional
    if not isinstance(owner, Instance) or not isinstance(key, Const) or not isinstance(key.value, str):
        return False
    attributes.set_plain(it, owner, key.value, value, node)
    return True


def call_external(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value:
    """Call something of a library by its qualified name."""
    if name == "builtins.object.__setattr__" and _set_past_the_module(it, arguments, node):
        return NONE
    idle.given(it, name, arguments, node)
    if name.endswith(".__init__") and arguments.positional and isinstance(arguments.positional[0], Instance):
        rest = Arguments(arguments.positional[1:], arguments.keywords, arguments.open)
        base = name.removesuffix(".__init__")
        if families.is_torch_module_name(base, it.extra_modules):
            constructors.reached(it, arguments.positional[0], node)
        initialise_library_base(it, arguments.positional[0], base, rest)
        return NONE
    for library in (
        repeated_values.call,
        python_calls.call,
        records.call,
        regular_expressions.call,
        frameworks.call,
        torch_calls.call,
        tensorflow_tapes.call,
        tensorflow_ops.call,
        keras_models.call,
    ):
        result = library(it, name, arguments, node)
        if result is not None:
            return result
    if name.startswith(_BYSTANDERS):
        return torch_identity.averaged(it, arguments, node, expressions.BYSTANDER)
    gradients.heard_of(it, name)
    if is_harmless(name):
        for value in arguments.all_values():
            gradients.function_given(it, value)
        if name.startswith(_DATA_PREFIXES):
            return data_sources.of_call(
                name, arguments, stopping.computed(it, arguments.all_values()), it.site(node)
            )
        return expressions.opaque(
            it, [v for v in arguments.all_values() if not isinstance(v, (Instance, Optimizer))]
        )
    result = unknown_call(it, arguments)
    return _made(it, result, arguments, node) if name in _FACTORIES else result


def non_differentiable(
    it: Interpreter,
    values: Iterable[Value],
    node: cst.CSTNode,
    name: str = "",
    kind: str = "non-differentiable",
) -> Value:
    """A result that carries no gradient because the operation, called ``name``, has none."""
    given = list(values)
    if it.no_grad:
        return expressions.flow(it, given)
    return stopping.stopped(it, given, Cut(kind, it.site(node), stopping.told(it, node, name)))


# -- methods ---------------------------------------------------------------------------------------------------------


def call_method_value(it: Interpreter, owner: Instance, function: Function, arguments: Arguments) -> Value:
    """Call a method of the user's on an instance."""
    return functions.invoke(it, function, arguments, owner)


def _call_method(it: Interpreter, method: Method, arguments: Arguments, node: cst.CSTNode) -> Value:
    receiver = method.receiver
    if method.function is not None:
        if method.name == "build":
            keras_trainable.note_build(it, receiver)
        function = method.function
        if method.name == "__init__" and isinstance(receiver, Instance) and identity.MADE in receiver.slots:
            return identity.constructed_again(
                it, receiver, lambda: functions.invoke(it, function, arguments, receiver)
            )
        return functions.invoke(it, function, arguments, receiver)
    if isinstance(receiver, (Leaf, Flow)):
        return tensor_calls.call_method(it, receiver, method.name, arguments, node)
    if isinstance(receiver, expressions.GradMode):
        return contexts.call_grad_mode(it, receiver, method.name, node)
    if isinstance(receiver, Instance):
        return _call_instance_method(it, receiver, method.name, arguments, node)
    if isinstance(receiver, KerasOptimizer):
        return keras_optimizers.call_method(it, receiver, method.name, arguments, node)
    if isinstance(receiver, Optimizer):
        return torch_optimizers.call_optimizer_method(it, receiver, method.name, arguments, node)
    if isinstance(receiver, Scheduler):
        known = schedulers.call_method(it, receiver, method.name, arguments, node)
        return expressions.opaque(it, arguments.all_values()) if known is None else known
    if method.name == "backward" and isinstance(receiver, (Container, DictObj, Const)):
        gradients.doubt_all(it)  # that raises: whose gradients were meant is not known
    if isinstance(receiver, (Container, DictObj)):
        tapes.give(it, arguments.all_values())
    if isinstance(receiver, Container):
        own = records.call_method(it, receiver, method.name, arguments)
        if own is not None:
            return own
        if method.name == "extend" and arguments.positional:
            misused_values.note_iterated(it, arguments.positional[0], node)
        if method.name in ("remove", "index", "count") and arguments.positional:
            misused_values.note_compared(it, arguments.positional[0], receiver, node)
        before = receiver.items.values
        result = containers.call_list_method(it, receiver, method.name, arguments)
        containers.note_added(it, receiver, before, node)
        return expressions.opaque(it, [receiver, *arguments.all_values()]) if result is None else result
    if isinstance(receiver, DictObj):
        before = containers.contents(receiver)
        result = containers.call_dict_method(it, receiver, method.name, arguments)
        containers.note_added(it, receiver, before, node)
        return expressions.opaque(it, [receiver, *arguments.all_values()]) if result is None else result
    if isinstance(receiver, (Const, Text)):
        if method.name == "join" and arguments.positional and isinstance(arguments.positional[0], OneShot):
            arguments = Arguments((Container("list", iteration.take(it, arguments.positional[0])),))
        return text_calls.call_method(receiver, method.name, arguments)
    if isinstance(receiver, Super):
        return _call_super(it, receiver, method.name, arguments, node)
    if isinstance(receiver, OneShot):
        if method.name == "__next__":
            return python_calls.next_of(it, receiver)
        return unknown_call(it, arguments)
    if isinstance(receiver, UserClass):
        return _call_on_class(it, receiver, method.name, arguments, node)
    return _call_on_unknown(it, receiver, method.name, arguments, node)


def _call_on_class(
    it: Interpreter, cls: UserClass, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value:
    """``Base.method(self, …)`` of a library base, or a class method of one (``from_pretrained``)."""
    first = arguments.positional[0] if arguments.positional else None
    misused_values.note_called_on_class(it, cls, name, arguments, node)
    if isinstance(first, Instance) and name == "__init__":
        if isinstance(constructors.following(it, cls), External):
            constructors.reached(it, first, node)
        for base in cls.library_bases():
            initialise_library_base(it, first, base, Arguments(arguments.positional[1:], arguments.keywords))
        return NONE
    if name == "apply" and autograd_functions.is_function(cls):
        return autograd_functions.apply(it, cls, arguments, node)
    if name.startswith(("from_", "load_")):
        instance = functions.instantiate(it, cls, Arguments((), {}, True), node)
        escape(it, [instance])
        return instance
    return unknown_call(it, arguments)


def _call_on_unknown(
    it: Interpreter, receiver: Value, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value:
    values = arguments.all_values()
    entered = arguments.get(0, "cm") if name == "enter_context" else None
    if isinstance(entered, expressions.GradMode):
        return contexts.call_grad_mode(it, entered, "__enter__", node)
    own = torch_optimizers.call_unseen(it, receiver, name, arguments, node)
    if own is not None:
        return own
    if name in ("backward", "manual_backward") and values:
        # Of a tensor it takes the gradient to begin with, of an engine the loss.
        of_tensor = name == "backward" and stopping.wants_none(values[0])
        loss = expressions.opaque(it, [receiver, values[0]]) if of_tensor else values[0]
        tensor_calls.record_backward(it, loss, node)
        return NONE
    if name == "backward":
        tensor_calls.record_backward(it, receiver, node)
        return idle.none_of(it.site(node), "backward")
    if name in ("eval", "train"):
        modes.set_mode(it, receiver, name, arguments, node)
    if name in tensor_ops.SHAPE_METHODS:
        return stopping.data()
    if name in tensor_ops.UNMISTAKABLE_METHODS and isinstance(receiver, Unknown):
        return non_differentiable(it, [receiver, *values], node, f".{name}")
    if name in tensor_ops.DETACHING_METHODS and isinstance(receiver, Unknown) and not it.unknown_grad_mode:
        return expressions.cut(it, receiver, Cut("detach", it.site(node), f".{name}()"))
    taken = keras_models.of_gradients(it, arguments, name, node) or tensorflow_tapes.by_name(
        it, name, arguments, node
    )
    if taken is not None:
        return taken
    if isinstance(receiver, Variable):
        tensorflow_tapes.assigned(it, receiver, name, arguments, node)
    if it.recording.used and isinstance(receiver, Unknown) and receiver.plain:
        if stopping.all_want_none(values):
            return stopping.computed(it, [receiver, *values])  # an array stays one
    tapes.give(it, [receiver])
    if name.startswith(_UNFREEZES) and FALSE not in values:
        unseen_parts.changed(it, receiver, node)
    if name in _ITERATORS and not values and isinstance(receiver, Unknown):
        return _unseen_iterator(it, receiver, node)
    if name in _HARMLESS_METHODS:
        handed.note(it, values)
        return expressions.opaque(
            it, [receiver, *(v for v in values if not isinstance(v, (Instance, Optimizer)))]
        )
    escape(it, values)
    if name != "requires_grad_" and stopping.all_want_none([receiver, *values]):
        return stopping.data([receiver, *values])
    return expressions.opaque(it, [receiver, *values])


#: Methods that give an iterator, as those of every module do.
_ITERATORS = frozenset({"parameters", "named_parameters"})


def _unseen_iterator(it: Interpreter, receiver: Unknown, node: cst.CSTNode) -> Value:
    """``model.parameters()`` of a model that came from outside."""
    given = expressions.opaque(it, [receiver])
    element = Unknown(given.taint, given.cuts)
    state = OneShot("unseen", lambda: Items((element,) * 2, True, True), it.site(node))
    return UnseenIterator(given.taint, given.cuts, state=state)


def _call_instance_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value:
    if name == "zero_grad" and not families.is_module(it, owner):
        gradients.doubt_all(it)  # a model of another library, or a wrapper
    if grad_scalers.is_scaler(owner):
        return grad_scalers.call_method(it, owner, name, arguments, node)
    if name == "apply" and autograd_functions.is_function(owner.cls) and isinstance(owner.cls, UserClass):
        return autograd_functions.apply(it, owner.cls, arguments, node)
    for library in (
        frameworks.call_method,
        torch_methods.call_module_method,
        regular_expressions.call_method,
        tensorflow_tapes.call_method,
        keras_models.call_method,
    ):
        result = library(it, owner, name, arguments, node)
        if result is not None:
            return result
    scheduler = schedulers.of_instance(owner)
    if scheduler is not None:
        schedulers.call_method(it, scheduler, name, arguments, node)
    if name in ("__getattr__", "__getattribute__", "__getitem__") and arguments.positional:
        return _looked_up(it, owner, name, arguments.positional[0], node)
    if name in ("__init__", "__setattr__"):
        if name == "__setattr__" and len(arguments.positional) == 2:
            key, value = arguments.positional
            if isinstance(key, Const) and isinstance(key.value, str):
                attributes.set_instance_attribute(it, owner, key.value, value, node)
        return NONE
    if expressions.is_bystander(owner):
        return expressions.opaque(
            it, [v for v in arguments.all_values() if not isinstance(v, (Instance, Optimizer))]
        )
    escape(it, arguments.all_values())
    if name not in _HARMLESS_METHODS:
        escape(it, [owner])
    if name == "backward":
        gradients.doubt_all(it)  # a loss class that was called with the data, or an object of another library
    return expressions.opaque(it, [owner, *arguments.all_values()])


def _looked_up(it: Interpreter, owner: Instance, name: str, key: Value, node: cst.CSTNode) -> Value:
    """``module.__getattr__("fc")``, ``container.__getitem__(0)``."""
    if name == "__getitem__":
        return containers.get_item(it, owner, key)
    if isinstance(key, Const) and isinstance(key.value, str):
        return attributes.instance_attribute(it, owner, key.value, node)
    return expressions.opaque(it, [owner])


def _call_super(
    it: Interpreter, receiver: Super, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value:
    owner = receiver.receiver
    if name == "__init__" and isinstance(owner, Instance):
        return _construct_base(it, owner, receiver.after, arguments, node)
    if name == "__setattr__" and isinstance(owner, Instance) and len(arguments.positional) == 2:
        key, value = arguments.positional
        if isinstance(key, Const) and isinstance(key.value, str):
            identity.put(it, owner, key.value, value)
        return NONE
    if name == "forward" and isinstance(owner, Instance) and families.is_module(it, owner):
        return torch_modules.forward(it, owner, arguments, node)
    if isinstance(owner, Instance):
        return _call_instance_method(it, owner, name, arguments, node)
    if name == "__new__" and isinstance(owner, UserClass):
        return Instance(owner, it.site(node))
    if name == "apply" and isinstance(owner, UserClass) and autograd_functions.is_function(owner):
        return autograd_functions.apply(it, owner, arguments, node)
    return unknown_call(it, arguments)


def _construct_base(
    it: Interpreter, owner: Instance, after: Value, arguments: Arguments, node: cst.CSTNode
) -> Value:
    """``super().__init__(…)`` where no constructor of the user's follows."""
    if not isinstance(owner.cls, UserClass):
        return NONE
    if isinstance(constructors.following(it, owner.cls, after), External):
        constructors.reached(it, owner, node)
    elif families.is_module_class(it, owner.cls):
        constructors.missed(it, owner, "past", node)
        return NONE
    for base in owner.cls.library_bases():
        initialise_library_base(it, owner, base, arguments)
    return NONE


def initialise_library_base(it: Interpreter, owner: Instance, base: str, arguments: Arguments) -> bool:
    """What a library base's constructor does to an instance; True when the base is one that the engine knows."""
    if families.keras_library_kind(base) is not None:
        keras_models.initialise(it, owner, base, arguments)
        return True
    if frameworks.initialise(it, owner, base, arguments) or schedulers.initialise(it, owner, base, arguments):
        return True
    if not families.is_torch_module_name(base, it.extra_modules):
        return False
    last = base.rsplit(".", 1)[-1]
    if last == "Module" or families.is_lightning_module_name(base) or families.is_plain_module_base(base):
        return True
    torch_modules.initialise_module(it, owner, base, arguments)
    return True


# -- calling instances -----------------------------------------------------------------------------------------------


def call_instance(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    """``instance(…)``: a module's forward, a Keras layer on its inputs, or ``__call__``."""
    own = attributes.user_method(owner, "__call__")
    if own is not None:
        return functions.invoke(it, own, arguments, owner)
    if families.keras_kind(owner.cls) is not None:
        return keras_models.call_layer(it, owner, arguments, node)
    if families.is_module(it, owner):
        constructors.note_method(it, owner, "__call__", None, node)
        result = _hooked(it, owner, arguments, _forward(it, owner, arguments, node), node)
        it.record(_called(it, owner, arguments, result, it.site(node)))
        return result
    autograd_functions.called(it, owner, node)
    return unknown_call(it, arguments, owner)


def _hooked(
    it: Interpreter, owner: Instance, arguments: Arguments, result: Value, node: cst.CSTNode
) -> Value:
    """The output of a module after its forward hooks: they may keep it, and give another in its place."""
    hooks = owner.slots.get("#hooks")
    for hook in hooks.items.values if isinstance(hooks, Container) else ():
        given = (owner, Container("tuple", Items(arguments.positional)), result)
        returned = call(it, hook, Arguments(given), node)
        others = [option for option in options(returned) if option != NONE]
        sure = len(others) == len(options(returned)) and returned != UNKNOWN
        result = join_values(others if sure else [result, *others])
    return result


def _called(
    it: Interpreter, owner: Instance, arguments: Arguments, result: Value, site: Site
) -> events.ModelCalled:
    values = arguments.all_values()
    only = values[0] if len(values) == 1 else None
    inputs = only.deps if isinstance(only, Flow) else frozenset(expressions.sources(it, values)[0])
    leaves = [[option for option in options(value) if isinstance(option, Leaf)] for value in values]
    tensors = frozenset(leaf for found in leaves for leaf in found) if all(leaves) else frozenset()
    grad = not it.no_grad and not it.unknown_grad_mode
    return events.ModelCalled(site, bool(it.conditional), owner, result, grad, inputs, tensors)


def _forward(it: Interpreter, owner: Instance, arguments: Arguments, node: cst.CSTNode) -> Value:
    replaced = owner.slots.get("forward")
    if isinstance(replaced, (Function, Method)):
        return call(it, replaced, arguments, node)
    method = attributes.user_method(owner, "forward")
    if method is not None:
        return functions.invoke(it, method, arguments, owner)
    return torch_modules.forward(it, owner, arguments, node)
