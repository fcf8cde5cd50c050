"""OPT605: a forward pass or a loss that no tape records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.tape_flow import NothingRecorded


class ForwardOutsideTape(Rule):
    """The forward pass or the loss is computed outside of `with tf.GradientTape()`.

    A tape records what runs inside of its `with` block. What is computed before or after it is a constant to the tape,
    and so `tape.gradient` gives None for every variable.
    """

    code = "OPT605"
    name = "forward-outside-tape"
    severity = Severity.ERROR
    frameworks = ("Keras", "TensorFlow")
    at_run_time = """\
`tape.gradient` gives a list of None, whether the model was called before the block or the loss was computed after it.
`apply_gradients` and `apply` then raise `ValueError: No gradients provided for any variable.`, in Keras 2 and 3 alike."""
    bad = """\
import keras
import tensorflow as tf

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
optimizer = keras.optimizers.Adam(0.01)
x, y = tf.random.normal((8, 4)), tf.random.normal((8, 1))

with tf.GradientTape() as tape:
    prediction = model(x, training=True)
loss = tf.reduce_mean(tf.square(prediction - y))
grads = tape.gradient(loss, model.trainable_variables)
optimizer.apply_gradients(zip(grads, model.trainable_variables))
"""
    good = """\
import keras
import tensorflow as tf

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
optimizer = keras.optimizers.Adam(0.01)
x, y = tf.random.normal((8, 4)), tf.random.normal((8, 1))

with tf.GradientTape() as tape:
    prediction = model(x, training=True)
    loss = tf.reduce_mean(tf.square(prediction - y))
grads = tape.gradient(loss, model.trainable_variables)
optimizer.apply_gradients(zip(grads, model.trainable_variables))
"""
    silent = (
        "another way from the variables to the loss is recorded (a target network's or teacher's outputs are constants)",
        "some of what the loss is computed from is not known",
    )
    misses = ("a tape, or a model, that a function is given from code that is not seen",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each statement that should stand inside of a tape's block."""
        from optlint.semantics.questions.tape_flow import not_recorded

        for fact in run.ask(not_recorded):
            yield self._finding(fact)

    def _finding(self, fact: NothingRecorded) -> Finding:
        variables = f"`{fact.listed}`" if fact.listed else "its variables"
        then = f", which raises `{fact.error}`" if fact.error else ""
        if fact.part == "loss":
            what = "this is computed after the tape has stopped recording"
            advice = "indent it into the tape's `with` block"
        else:
            what = "this is computed where no tape records it"
            advice = (
                "move it into the tape's `with` block, with all that leads from the variables to the loss"
            )
        return self.finding(
            fact.site,
            message=f"{what}: the gradient for {variables} is None{then}",
            help=advice,
            related=(
                fact.opened.related("what this tape records"),
                fact.taken.related("the gradient is asked for here"),
            ),
        )
