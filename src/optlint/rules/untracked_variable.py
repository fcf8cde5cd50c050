"""OPT608: a variable or layer that a Keras model computes with and does not track."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.untracked import Untracked


class UntrackedVariable(Rule):
    """A Keras model computes with a variable or a layer that it does not know of.

    Keras trains what stands in `trainable_variables`. Keras 3 does not find a `tf.Variable` that a layer keeps; a
    `Lambda` layer, an operation of a functional model or a `call` that uses a layer from outside bring nothing in.
    """

    code = "OPT608"
    name = "untracked-variable"
    severity = Severity.WARNING
    frameworks = ("Keras", "TensorFlow")
    at_run_time = """\
Nothing is raised: the variable takes part in the loss, is not in `weights`, `trainable_variables` or `summary()`, and
keeps its first value; saving leaves it out. Where it is all that a model has, `fit()` warns `The model does not have any
trainable weights.` and a loop of one's own raises `ValueError: not enough values to unpack`. Keras 2 tracks a
`tf.Variable` that a layer keeps, and logs a warning about variables in a `Lambda`; about layers in one it raises."""
    bad = """\
import keras
import tensorflow as tf


class Scale(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.gain = tf.Variable(1.0)

    def call(self, x):
        return self.gain * x


model = keras.Sequential([keras.Input((4,)), Scale(), keras.layers.Dense(1)])
"""
    good = """\
import keras


class Scale(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.gain = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        return self.gain * x


model = keras.Sequential([keras.Input((4,)), Scale(), keras.layers.Dense(1)])
"""
    silent = (
        "a `tf.Variable` in a layer where nothing says that the program is for Keras 3",
        "`trainable=False`, whole numbers, and variables that the program assigns to: counters, states, averages",
        "gradients are taken for the variable by itself",
        "the layer is part of another model, frozen, or named as a teacher or target is",
    )
    misses = ("variables that a function is given from code that is not seen",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each variable or layer."""
        from optlint.semantics.questions.untracked import untracked_variables

        for fact in run.ask(untracked_variables):
            yield self._finding(fact)

    def _finding(self, fact: Untracked) -> Finding:
        what, advice = _words(fact)
        shown = fact.made is not None and fact.made != fact.site and fact.kind != "attribute"
        return self.finding(
            fact.site,
            message=what,
            help=advice,
            related=(fact.made.related("it is made here"),) if shown and fact.made is not None else (),
        )


def _words(fact: Untracked) -> tuple[str, str]:
    never = "is not in `trainable_variables` and never trained"
    if fact.kind == "attribute":
        return (
            f"Keras 3 does not track a `tf.Variable`: `{fact.owner}.{fact.name}` {never}",
            f"`self.{fact.name} = self.add_weight(shape=…, initializer=…)`, or `keras.Variable(…)`",
        )
    if fact.kind == "module":
        return (
            f"Keras 3 does not track the variables of a `tf.Module`: `{fact.owner}.{fact.name}` {never}",
            "make it a `keras.layers.Layer` that uses `self.add_weight(…)`",
        )
    if fact.kind == "lambda":
        return (
            f"a `Lambda` layer does not track what its function uses: `{fact.name}` {never}",
            f"write a `keras.layers.Layer` that has `{fact.name}` as an attribute",
        )
    if fact.kind == "operation":
        return (
            f"the model does not track a variable that an operation uses: `{fact.name}` {never}",
            "write a `keras.layers.Layer` with `self.add_weight(…)` and call that",
        )
    return (
        f"`{fact.name}` is no part of `{fact.owner}`, whose `call` uses it: it {never}",
        f"set it on the layer in `__init__`: `self.{fact.name} = …`",
    )
