"""OPT606: a layer that is made while a Keras layer or model is called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.made_in_call import MadeAtEachCall


class LayerMadeInCall(Rule):
    """A layer with weights is made in `call`, or in the function of a `Lambda`.

    Each call then makes new weights, at random. The model does not know of them, so `trainable_variables` does not list
    them and no optimizer trains them.
    """

    code = "OPT606"
    name = "layer-made-in-call"
    severity = Severity.ERROR
    frameworks = ("Keras", "TensorFlow")
    at_run_time = """\
Called eagerly, also in a training loop of one's own, nothing is raised: two calls on the same batch give two results, and
the other layers train around it. In `fit()` and in a `tf.function` it raises `ValueError: tf.function only supports
singleton tf.Variables created on the first call`. A layer that is set on `self` in `call` raises `ValueError: You cannot
add new elements of state (variables or sub-layers) to a layer that is already built` in Keras 3; Keras 2 replaces it at
each call."""
    bad = """\
import keras


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.body = keras.layers.Dense(8, activation="relu")

    def call(self, x):
        return keras.layers.Dense(2)(self.body(x))
"""
    good = """\
import keras


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.body = keras.layers.Dense(8, activation="relu")
        self.head = keras.layers.Dense(2)

    def call(self, x):
        return self.head(self.body(x))
"""
    silent = (
        "the layer has no weights (`Dropout`, `Flatten`, `Activation`, pooling), or it is frozen",
        "it is made once, behind `if self.head is None:` or the like, or in `build`",
        "`call` is used by itself to build a functional model, which then has the layers",
        "programs of TensorFlow 1, whose graph is made by one call",
        "its weights are set or loaded there, or the names say that it is meant to be random",
    )
    misses = ("layers that are made in a training loop, outside of any `call`",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each place where a call makes a layer."""
        from optlint.semantics.questions.made_in_call import made_in_call

        for fact in run.ask(made_in_call):
            yield self._finding(fact, run.interpreter.keras.may_be_3)

    def _finding(self, fact: MadeAtEachCall, may_be_3: bool) -> Finding:
        where = (
            f"`{fact.owner}.{fact.method}`" if fact.owner != fact.method else "the function of this `Lambda`"
        )
        if fact.attribute and may_be_3:
            message = (
                f"`self.{fact.attribute}` is made anew at each call of {where}: its weights are never trained, and "
                "Keras 3 raises `ValueError: You cannot add new elements of state`"
            )
        else:
            message = (
                f"`{fact.what}` is made at each call of {where}: its weights are always new and never trained, and in "
                "`fit()` it raises `ValueError: tf.function only supports singleton tf.Variables`"
            )
        name = fact.attribute or "layer"
        if fact.owner == fact.method:
            return self.finding(
                fact.site,
                message=message,
                help=f"call the layer itself: `x = {fact.what}(…)(x)`; a `Lambda` is for what has no weights",
            )
        return self.finding(
            fact.site,
            message=message,
            help=f"make it once, in `__init__`: `self.{name} = {fact.what}(…)`; `{fact.method}` only uses it",
        )
