"""Watches a Keras 3 program from inside its process: layers, values at the start, gradients that are applied.

Made by ``runner`` before the program starts; knows Keras (on TensorFlow or torch) and nothing of claims.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from tests.oracle.observation import Instance, Observation, TensorFate
from tests.oracle.walking import UserCode, paths_below


class KerasObserver:
    """Keeps strong references on purpose: what is collected could not be compared at the end."""

    def __init__(self, user_code: UserCode) -> None:
        self._user_code = user_code
        self._objects: dict[int, Any] = {}
        self._start: dict[int, tuple[Any, Any]] = {}
        self._called: set[int] = set()
        self._trained: dict[int, Any] = {}
        self._graded: set[int] = set()
        self._due: set[int] = set()
        self._depth = 0
        self._steps = 0
        self._backwards = 0
        self._eager = _eager_scope()

    def install(self) -> None:
        """Hook into Keras for the rest of the process."""
        _wrap(keras.layers.Layer, "__call__", self._around_call)
        _wrap(keras.Model, "train_step", self._around_train_step)
        for name in ("fit", "train_on_batch"):
            _wrap(keras.Model, name, self._around_fit)
        _wrap(keras.optimizers.Optimizer, "apply", self._around_apply)
        if keras.backend.backend() == "tensorflow":
            import tensorflow

            # Variables made while a tf.function is traced get their values here, just before the first step.
            _wrap(tensorflow.GradientTape, "gradient", self._around_gradient)
            functions = type(tensorflow.function(lambda: None))
            _wrap(functions, "_initialize_uninitialized_variables", self._around_first_values)

    def observation(self) -> Observation:
        """What was seen, once the program has ended."""
        for thing in self._user_code.instances():
            self._objects.setdefault(id(thing), thing)
        variables = [variable for variable, _ in self._start.values()]
        index = {id(variable): number for number, variable in enumerate(variables)}
        objects = list(self._objects.values())
        return Observation(
            steps=self._steps,
            backwards=self._backwards,
            instances=[self._instance(thing, index) for thing in objects],
            tensors=self._fates(variables),
        )

    def _around_call(self, original: Callable[..., Any], layer: Any, *args: Any, **kwargs: Any) -> Any:
        # Layers are known from their calls: Keras reads the signature of __init__, which must stay as it is.
        self._objects[id(layer)] = layer
        self._depth += 1
        try:
            return original(layer, *args, **kwargs)
        finally:
            self._depth -= 1
            if not _is_symbolic(args) and not _is_symbolic(tuple(kwargs.values())):
                self._called.add(id(layer))
                if self._depth == 0:
                    self._remember_below(layer)
                    if kwargs.get("training") is not False:
                        self._trained[id(layer)] = layer

    def _around_train_step(self, original: Callable[..., Any], model: Any, *args: Any, **kwargs: Any) -> Any:
        self._remember_below(model)
        return original(model, *args, **kwargs)

    def _around_fit(self, original: Callable[..., Any], model: Any, *args: Any, **kwargs: Any) -> Any:
        self._objects[id(model)] = model
        self._remember_below(model)
        result = original(model, *args, **kwargs)
        self._steps += 1
        self._trained[id(model)] = model
        self._due.update(id(variable) for variable in model.trainable_variables)
        return result

    def _around_gradient(self, original: Callable[..., Any], tape: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(tape, *args, **kwargs)
        self._backwards += 1
        return result

    def _around_first_values(self, original: Callable[..., Any], function: Any, initializers: Any) -> Any:
        result = original(function, initializers)
        for thing in list(self._objects.values()):
            self._remember_below(thing)
        return result

    def _around_apply(
        self, original: Callable[..., Any], optimizer: Any, grads: Any, trainable_variables: Any = None
    ) -> Any:
        grads = list(grads)
        own = optimizer._trainable_variables
        variables = list(own if trainable_variables is None else trainable_variables)
        for thing in list(self._objects.values()):
            self._remember_below(thing)
        self._remember(variables)
        self._graded.update(
            id(variable) for grad, variable in zip(grads, variables, strict=False) if grad is not None
        )
        self._steps += 1
        for layer in self._trained.values():
            self._due.update(id(variable) for variable in layer.trainable_variables)
        given = () if trainable_variables is None else (variables,)
        return original(optimizer, grads, *given)

    def _remember_below(self, thing: Any) -> None:
        self._remember(value for _, value in paths_below(thing, self._children) if _is_variable(value))

    def _remember(self, variables: Iterable[Any]) -> None:
        for variable in variables:
            if id(variable) not in self._start:
                value = self._value(variable)
                if value is not None:
                    self._start[id(variable)] = (variable, value)

    def _value(self, variable: Any) -> Any:
        with self._eager():
            return np.array(keras.ops.convert_to_numpy(variable)) if _has_value(variable) else None

    def _children(self, value: Any) -> list[tuple[str, Any]] | None:
        if isinstance(value, keras.layers.Layer):
            return list({**_variables(value), **_public(value), **_sublayers(value)}.items())
        if isinstance(value, type) or _is_variable(value) or not self._user_code.owns_class(type(value)):
            return None
        return list(_public(value).items())

    def _instance(self, thing: Any, index: dict[int, int]) -> Instance:
        below = list(paths_below(thing, self._children))
        tensors = {path: index[id(value)] for path, value in below if id(value) in index}
        took_part = any(id(value) in self._called for value in (thing, *(value for _, value in below)))
        own = self._user_code.owns_class(type(thing))
        return Instance(type(thing).__name__, own, took_part or id(thing) in self._trained, tensors)

    def _fates(self, variables: list[Any]) -> list[TensorFate]:
        parameters = {id(v) for key in self._called for v in self._objects[key]._trainable_variables}
        return [
            TensorFate(
                moved=not np.array_equal(self._start[id(variable)][1], self._value(variable)),
                graded=id(variable) in self._graded,
                parameter=id(variable) in parameters,
                due=id(variable) in self._due,
            )
            for variable in variables
        ]


def _wrap(cls: type, name: str, around: Callable[..., Any]) -> None:
    original = getattr(cls, name)

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        return around(original, self, *args, **kwargs)

    setattr(cls, name, wrapper)


def _eager_scope() -> Callable[[], Any]:
    """A scope in which values can be read although a graph is being traced."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return tensorflow.init_scope  # type: ignore[no-any-return]
    import contextlib

    return contextlib.nullcontext


def _is_symbolic(values: tuple[Any, ...]) -> bool:
    return any(isinstance(value, keras.KerasTensor) for value in keras.tree.flatten(values))


def _is_variable(value: Any) -> bool:
    return isinstance(value, keras.Variable) or type(value).__name__ == "ResourceVariable"


def _has_value(variable: Any) -> bool:
    """Whether reading is sound: where no value is set yet, Keras draws one and TensorFlow gives zeros."""
    inner = variable._value if isinstance(variable, keras.Variable) else variable
    return inner is not None and (not hasattr(inner, "is_initialized") or bool(inner.is_initialized()))


def _variables(layer: Any) -> dict[str, Any]:
    own = [*layer._trainable_variables, *layer._non_trainable_variables]
    return {variable.name: variable for variable in own}


def _public(value: Any) -> dict[str, Any]:
    return {name: child for name, child in getattr(value, "__dict__", {}).items() if not name.startswith("_")}


def _sublayers(layer: Any) -> dict[str, Any]:
    layers = list(layer.layers) if isinstance(layer, keras.Model) else list(layer._layers)
    return {"layers": layers, **{child.name: child for child in layers}}
