"""OPT607: an operation inside of a tape through which no gradient goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.tape_flow import CutInTape


class GradientCutInTape(Rule):
    """Between the variables and the loss of a tape stands an operation that has no gradient.

    `.numpy()`, `model.predict`, functions of numpy, `tf.Variable(…)` and `tf.stop_gradient` make a constant of a tensor;
    `tf.argmax`, `tf.round`, `//`, comparisons, casts to whole numbers and metrics such as the accuracy have no gradient.
    If nothing else leads from the variables to the loss, all gradients are None.
    """

    code = "OPT607"
    name = "gradient-cut-in-tape"
    severity = Severity.ERROR
    frameworks = ("Keras", "TensorFlow")
    at_run_time = """\
`tape.gradient` gives None for each variable, and `apply_gradients` raises `ValueError: No gradients provided for any
variable.` A loss that is a number of numpy raises `AttributeError: 'numpy.float32' object has no attribute '_id'` in
`tape.gradient`, a Python float ``TypeError: Cannot convert the argument `type_value`: 2.1 to a TensorFlow DType.``
`tf.sign` gives zeros in place of None: nothing is raised, and no variable changes."""
    bad = """\
import keras
import tensorflow as tf

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
optimizer = keras.optimizers.Adam(0.01)
x, y = tf.random.normal((8, 4)), tf.ones((8,))

with tf.GradientTape() as tape:
    labels = tf.argmax(model(x, training=True), axis=1)
    loss = tf.reduce_mean(tf.square(tf.cast(labels, tf.float32) - y))
grads = tape.gradient(loss, model.trainable_variables)
optimizer.apply_gradients(zip(grads, model.trainable_variables))
"""
    good = """\
import keras
import tensorflow as tf

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
optimizer = keras.optimizers.Adam(0.01)
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
x, y = tf.random.normal((8, 4)), tf.ones((8,))

with tf.GradientTape() as tape:
    loss = cross_entropy(y, model(x, training=True))
grads = tape.gradient(loss, model.trainable_variables)
optimizer.apply_gradients(zip(grads, model.trainable_variables))
"""
    silent = (
        "another way from the variables to the loss has a gradient (straight-through estimators, detached targets)",
        "some of what the loss is computed from is not known",
    )
    misses = (
        "operations inside of a functional model",
        "a cut that leaves some of the variables with a gradient",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each operation that cuts off all that was asked for."""
        from optlint.semantics.questions.tape_flow import cut_in_tape

        for fact in run.ask(cut_in_tape):
            yield self._finding(fact) if fact.fitted is None else self._in_fit(run, fact)

    def _in_fit(self, run: Run, fact: CutInTape) -> Finding:
        """The same in a loss function that is given to `compile`."""
        name = run.name_of(fact.fitted) if fact.fitted is not None else None
        model = f"`{name}`" if name else "the model"
        what = f"`{fact.text}`" if fact.text and fact.text != "the comparison" else "this comparison"
        message = f"{what} lets no gradient from the loss back to {model}: `fit()` raises `{fact.error}`"
        if fact.kind == "zero-gradient":
            message = (
                f"the gradient of {what} is zero everywhere: `fit()` changes nothing, and nothing is raised"
            )
        elif fact.text.startswith(("np.", ".numpy()", "float(")):
            message = (
                f"{what} takes no symbolic tensor: `fit()` raises; run eagerly, it lets no gradient through"
            )
        advice = "compute the loss from `y_pred` itself, with functions that have a gradient; keep this for `metrics=`"
        related = (fact.taken.related("the model is fitted with this loss here"),)
        return self.finding(fact.site, message=message, help=advice, related=related)

    def _finding(self, fact: CutInTape) -> Finding:
        variables = f"`{fact.listed}`" if fact.listed else "its variables"
        what = f"`{fact.text}`" if fact.text and fact.text != "the comparison" else "this comparison"
        none = f"the gradient for {variables} is None"
        if fact.error:
            none += f", which raises `{fact.error}`"
        advice = _ADVICE.get(
            fact.kind, "compute the loss from the model's raw outputs; keep this for metrics"
        )
        if fact.numbers:
            message = f"{what} gives a plain number: `tape.gradient` raises `{fact.error}`"
        elif fact.kind == "zero-gradient":
            message = (
                f"the gradient of {what} is zero everywhere: {variables} never change, and nothing is raised"
            )
        elif fact.kind == "detach":
            message = f"{what} makes a constant of what the model gives: {none}"
            if ".predict" in fact.text:
                advice = "call the model: `model(x, training=True)` in place of `model.predict(x)`"
        elif fact.kind == "metric":
            message = f"the value of a metric, `{fact.text}`, has no gradient: {none}"
        else:
            message = f"{what} has no gradient: {none}"
        return self.finding(
            fact.site,
            message=message,
            help=advice,
            related=(fact.taken.related("the gradient is asked for here"),),
        )


#: What to write instead, for some kinds of cuts.
_ADVICE = {
    "detach": "compute the loss from the tensor itself, with functions of TensorFlow only",
    "metric": "take the gradient of the loss itself, and give that to the metric for the log only",
}
