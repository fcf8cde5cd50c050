"""Functions of TensorFlow and Keras on numbers: where gradient goes on, and where it is cut off.

``calls`` asks, when tapes matter to the program. Symbolic tensors are the matter of ``keras_models``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import expressions, stopping, tapes
from optlint.semantics.libraries import keras_graph, keras_names, keras_weights
from optlint.semantics.values import (
    UNKNOWN,
    Arguments,
    Const,
    Container,
    Cut,
    External,
    Flow,
    Function,
    Instance,
    Items,
    Method,
    Partial,
    Unknown,
    UserClass,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Their results have no gradient.
NON_DIFFERENTIABLE = frozenset(
    "argmax argmin argsort round rint floor ceil trunc floordiv floor_divide equal not_equal greater greater_equal less"
    " less_equal logical_and logical_or logical_not logical_xor one_hot shape size rank unique bincount"
    " histogram_fixed_width in_top_k searchsorted is_nan is_inf is_finite isnan isinf isfinite to_int32 to_int64"
    " count_nonzero categorical bitcast binary_accuracy categorical_accuracy sparse_categorical_accuracy"
    " top_k_categorical_accuracy sparse_top_k_categorical_accuracy accuracy".split()
)
#: Their results have a gradient, which is zero.
_ZERO = frozenset({"sign", "sgn"})
_STOPPING = frozenset({"stop_gradient"})
#: Run a function of numpy's world in a graph: their first argument.
_NUMPY_FUNCTIONS = frozenset({"numpy_function"})
_CASTS = frozenset({"cast", "saturate_cast"})
_WHOLE = ("int", "uint", "bool")
_FLOATS = ("float", "double", "half", "bfloat", "complex")
#: Parts of TensorFlow whose functions are no operations on numbers.
_OTHERS = (
    "tensorflow.data.", "tensorflow.io.", "tensorflow.train.", "tensorflow.compat.v1.train.", "tensorflow.keras.",
    "tensorflow.summary.", "tensorflow.distribute.", "tensorflow.config.", "tensorflow.saved_model.",
    "tensorflow.contrib.", "tensorflow.python.", "tensorflow.estimator.", "tensorflow.lookup.", "tensorflow.autograph.",
    "tensorflow.compat.v1.layers.", "tensorflow.layers.", "tensorflow.profiler.", "tensorflow.debugging.",
    "tensorflow.print", "tensorflow.function", "tensorflow.Variable", "tensorflow.GradientTape", "tensorflow.Module",
    "tensorflow.py_function", "tensorflow.custom_gradient", "tensorflow.recompute_grad", "tensorflow.TensorArray",
    "tensorflow.Graph", "tensorflow.Session", "tensorflow.gradients", "tensorflow.experimental.",
    "tensorflow.raw_ops.", "tensorflow.global_variables", "tensorflow.trainable_variables", "tensorflow.get_",
)  # fmt: skip
_OF_KERAS = ("keras.ops.", "keras.losses.", "keras.activations.", "keras.backend.", "keras.metrics.")
_CLIPPING = frozenset(
    {"clip_by_norm", "clip_by_value", "clip_by_average_norm", "convert_to_tensor", "identity"}
)


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """A function on numbers; None when it is none of those, or is given functions or objects of the user's."""
    if not (keras_weights.matter(it) and _on_numbers(name)):
        return None
    values = arguments.all_values()
    if keras_graph.has_symbolic(values):
        return None
    last = name.rstrip("()").rsplit(".", 1)[-1]
    if name.startswith("numpy."):
        return _of_numpy(it, name, arguments, node)
    if name.endswith("()") and ".metrics." in name:
        return _measured(it, values, node, name)
    if last in _NUMPY_FUNCTIONS:
        return _without_gradient(it, values[1:], node, f"{_said(name)}(…)")
    if last == "map_structure":
        return _mapped(it, arguments, node)
    if any(_is_code(option) for value in values for option in options(value)):
        return None
    if last == "clip_by_global_norm":
        clipped = _like(it, arguments.get(0, "t_list") or UNKNOWN)
        return Container("tuple", Items((clipped, expressions.flow(it, values))))
    if last in _CLIPPING and any(isinstance(v, Unknown) and tapes.gradients_behind(it, v) for v in values):
        return _clipped(it, values)
    if last in _STOPPING:
        return _detached(it, values, node, f"{_said(name)}(…)")
    if last in NON_DIFFERENTIABLE:
        return _without_gradient(it, values, node, f"{_said(name)}(…)")
    if last in _ZERO:
        return stopping.zeroed(it, list(values), node, f"{_said(name)}(…)")
    if last in _CASTS:
        return _cast(it, arguments, node, _said(name))
    return expressions.flow(it, values)


def _on_numbers(name: str) -> bool:
    if name.startswith("numpy."):
        return True
    generic = keras_names.canonical(name)
    if generic is not None:
        last = generic.rsplit(".", 1)[-1]
        return generic.startswith(_OF_KERAS) and (last[:1].islower() or name.endswith("()")) and last != "get"
    named = name.rsplit(".", 1)[-1][:1].islower()
    return named and name.startswith("tensorflow.") and not name.startswith(_OTHERS)


def _said(name: str) -> str:
    """A function's name as programs write it."""
    if name.startswith("tensorflow."):
        return "tf." + name.removeprefix("tensorflow.")
    return name.replace("numpy.", "np.") if name.startswith("numpy.") else name


def _is_code(value: Value) -> bool:
    return isinstance(value, (Function, Method, Partial, UserClass)) or (
        isinstance(value, Instance) and isinstance(value.cls, UserClass)
    )


def _without_gradient(it: Interpreter, values: tuple[Value, ...], node: cst.CSTNode, text: str) -> Value:
    deps, cuts, opaque = expressions.sources(it, values)
    here = Cut("non-differentiable", it.site(node), text, it.steps)
    found = stopping.hardened(cuts, here) | {(leaf, here) for leaf in deps}
    return Unknown(frozenset(), found) if opaque else Flow(frozenset(), found)


def _cast(it: Interpreter, arguments: Arguments, node: cst.CSTNode, said: str) -> Value:
    dtype = arguments.get(1, "dtype") or UNKNOWN
    value = arguments.get(0, "x") or UNKNOWN
    names = [_type_name(option) for option in options(dtype)]
    if names and all(name.startswith(_WHOLE) for name in names):
        return _without_gradient(it, (value,), node, f"{said}(…, {names[0]})")
    if names and all(name.startswith(_FLOATS) for name in names):
        return expressions.flow(it, [value])
    result = expressions.flow(it, [value])
    return Unknown(result.deps, result.cuts) if isinstance(result, Flow) else result


def _type_name(value: Value) -> str:
    if isinstance(value, Const) and isinstance(value.value, str):
        return value.value
    return value.name.rsplit(".", 1)[-1] if isinstance(value, External) else ""


def _of_numpy(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """A function of numpy gives numbers that no tape knows."""
    values = arguments.all_values()
    deps, _, opaque = expressions.sources(it, values)
    if opaque or not any(tapes.role_of(leaf) for leaf in deps):
        return None
    tapes.give(it, values)
    return _detached(it, values, node, f"{_said(name)}(…)")


def _detached(it: Interpreter, values: tuple[Value, ...], node: cst.CSTNode, text: str) -> Value:
    where = Cut("detach", it.site(node), text)
    return expressions.detached(it, Container("list", Items(values)), where)


def _measured(it: Interpreter, values: tuple[Value, ...], node: cst.CSTNode, name: str) -> Value:
    """``metric(y, prediction)`` of an object that keeps its sum in variables: the result is read from those."""
    text = f"{name.removesuffix('()').rsplit('.', 1)[-1]}()(…)"
    return expressions.cut(it, Container("list", Items(values)), Cut("metric", it.site(node), text, it.steps))


# -- gradients as they are clipped -----------------------------------------------------------------------------------


def _clipped(it: Interpreter, values: tuple[Value, ...]) -> Value:
    """A gradient that is clipped is still the gradient of its variable, and not used by that."""
    tapes.clip(it, (leaf for value in values for leaf in tapes.gradients_behind(it, value)))
    taints = [value.taint for value in values if isinstance(value, Unknown)]
    return tapes.Gradient(frozenset().union(*taints))


def _like(it: Interpreter, value: Value) -> Value:
    """A list of gradients after something was done to each of them."""
    if isinstance(value, Container):
        return Container("list", value.items)
    return value if isinstance(value, Unknown) else expressions.opaque(it, [value])


def _mapped(it: Interpreter, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """``tf.nest.map_structure(function, list, …)``: of lists side by side."""
    from optlint.semantics import calls, truth

    function, *lists = arguments.positional or (UNKNOWN,)
    columns = [part.items for part in lists if isinstance(part, Container)]
    if not columns or len(columns) != len(lists) or len({len(items.values) for items in columns}) != 1:
        return None
    rows = zip(*(items.values for items in columns), strict=True)
    values = tuple(
        calls.call(it, function, Arguments(tuple(truth.without_absent(value) for value in row)), node)
        for row in rows
    )
    return Container("list", Items(values, any(i.open for i in columns), any(i.many for i in columns)))
