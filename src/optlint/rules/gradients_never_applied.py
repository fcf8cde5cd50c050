"""OPT610: gradients of a tape that no optimizer ever gets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Related, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.tape_gradients import Unapplied


class GradientsNeverApplied(Rule):
    """The gradients for a model's variables are computed, and nothing is done with them.

    `tape.gradient` changes no variable. Without `optimizer.apply_gradients` (or `optimizer.apply`) the step that looks
    like training leaves the model as it was.
    """

    code = "OPT610"
    name = "gradients-never-applied"
    severity = Severity.ERROR
    frameworks = ("Keras", "TensorFlow")
    at_run_time = """\
Nothing is raised: the loss is computed and printed at each step, and the variables keep their values. The same holds
for a `train_step` of a Keras model that takes gradients and applies none, in Keras 2 and 3 alike."""
    bad = """\
import keras
import tensorflow as tf

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
optimizer = keras.optimizers.Adam(0.01)
x, y = tf.random.normal((8, 4)), tf.random.normal((8, 1))

for _ in range(10):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
    grads = tape.gradient(loss, model.trainable_variables)
"""
    good = """\
import keras
import tensorflow as tf

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
optimizer = keras.optimizers.Adam(0.01)
x, y = tf.random.normal((8, 4)), tf.random.normal((8, 1))

for _ in range(10):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables))
"""
    silent = (
        "the gradients are looked at, kept, returned, or given to code that is not seen",
        "they are gradients for inputs or images (saliency, adversarial examples)",
        "the program makes no optimizer",
    )
    misses = ("gradients that are measured or printed, and then dropped",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each place where gradients are taken for nothing."""
        from optlint.semantics.questions.tape_gradients import never_applied

        for fact in run.ask(never_applied):
            yield self._finding(fact)

    def _finding(self, fact: Unapplied) -> Finding:
        variables = f"`{fact.listed}`" if fact.listed else "the model's variables"
        optimizer = "optimizer"
        related: tuple[Related, ...] = ()
        if fact.form == "train_step":
            why, optimizer = "this `train_step` applies them nowhere", "self.optimizer"
        elif fact.form == "beside":
            why = "other gradients are applied in this function, these are not"
        else:
            why = "no optimizer gets them"
        if fact.other is not None:
            place = "these are applied" if fact.form == "beside" else "this optimizer never gets a gradient"
            related = (fact.other.related(place),)
        return self.finding(
            fact.site,
            message=f"the gradients for {variables} are computed and dropped: {why}, and the variables never change",
            help=f"`{optimizer}.apply_gradients(zip({fact.name}, {fact.listed or 'model.trainable_variables'}))`",
            related=related,
        )
