"""OPT604: gradients that are applied to other variables than they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Related, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.tape_gradients import Misapplied


class GradientsForOtherVariables(Rule):
    """Gradients taken for one list of variables are applied to another list.

    `apply_gradients` trusts the pairs: whatever stands beside a gradient is changed by it. The gradients of the
    generator beside the variables of the discriminator, two lists put together in another order, a list that is
    shorter than the other, or a `zip` that was read before: none of them trains what it should. Gradients without
    their variables, or after them in the pairs, and the tuple that `tf.clip_by_global_norm` gives are refused.
    """

    code = "OPT604"
    name = "gradients-for-other-variables"
    severity = Severity.ERROR
    frameworks = ("Keras", "TensorFlow")
    at_run_time = """\
Where the shapes agree (two networks of one make), nothing is raised and the wrong variables are trained. Where they do
not, the optimizer raises `InvalidArgumentError: … shapes must be equal.` If the lists have different lengths, `zip` stops
at the end of the shorter one: the rest never changes. `Optimizer.apply` compares no lengths either. A `zip` that was read
before is empty: Keras 3 raises `ValueError: not enough values to unpack (expected 2, got 0)`, Keras 2 does nothing.
`apply_gradients(grads)` raises `ValueError: too many values to unpack (expected 2)`, pairs in the wrong order raise
`AttributeError: … has no attribute '_unique_id'`."""
    bad = """\
import keras
import tensorflow as tf

generator = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
critic = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
optimizer = keras.optimizers.Adam(0.01)

with tf.GradientTape() as tape:
    loss = -tf.reduce_mean(critic(generator(tf.random.normal((8, 4)))))
grads = tape.gradient(loss, generator.trainable_variables)
optimizer.apply_gradients(zip(grads, critic.trainable_variables))
"""
    good = """\
import keras
import tensorflow as tf

generator = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
critic = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
optimizer = keras.optimizers.Adam(0.01)

with tf.GradientTape() as tape:
    loss = -tf.reduce_mean(critic(generator(tf.random.normal((8, 4)))))
grads = tape.gradient(loss, generator.trainable_variables)
optimizer.apply_gradients(zip(grads, generator.trainable_variables))
"""
    silent = (
        "some of the gradients or variables are not known, or were filtered by a condition",
        "one of the models takes over weights from elsewhere (a worker's copy, a fast learner of meta-learning)",
        "the gradients were summed or averaged with others that do belong to these variables",
    )
    misses = ("gradients that went through containers of the program's own",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each call that is given the wrong pairs."""
        from optlint.semantics.questions.tape_gradients import misapplied

        for fact in run.ask(misapplied):
            yield self._finding(fact)

    def _finding(self, fact: Misapplied) -> Finding:
        asked = f"`{fact.asked}`" if fact.asked else "some variables"
        given = f"`{fact.given}`" if fact.given else "others"
        related: tuple[Related, ...] = ()
        if fact.other is not None:
            read = "the pairs are read here" if fact.form == "used-up" else "the gradients are taken here"
            related = (fact.other.related(read),)
        advice = f"ask for the gradients of {given}, or apply them to {asked}: the same list in both places"
        if fact.form == "others":
            message = (
                f"the gradients for {asked} are applied to {given}: the wrong variables are trained, or shapes differ"
                " and the optimizer raises"
            )
        elif fact.form == "order":
            message = (
                f"the gradients for {asked} stand in another order than {given}: each variable gets the gradient of "
                "another"
            )
        elif fact.form in ("fewer", "more"):
            few, many = ("gradients", "variables") if fact.form == "fewer" else ("variables", "gradients")
            message = (
                f"there are fewer {few} than {many} ({asked} beside {given}): the rest is left out and not"
                " trained here"
            )
        else:
            message = _MESSAGES[fact.form]
            advice = _advice(fact)
        return self.finding(fact.site, message=message, help=advice, related=related)


#: What is said of a form that is wrong whatever the variables are.
_MESSAGES = {
    "used-up": (
        "the pairs of gradients and variables were read before, and a `zip` can be read once: the optimizer gets "
        "nothing (Keras 3 raises `not enough values to unpack`, Keras 2 does nothing)"
    ),
    "bare": "`apply_gradients` wants pairs of a gradient and its variable and gets gradients alone: it raises",
    "arguments": (
        "`apply_gradients` wants one list of pairs and gets gradients and variables as two arguments: it raises"
        " (`TypeError` in Keras 3, `too many values to unpack` in Keras 2)"
    ),
    "swapped": "each pair has the variable before its gradient: the optimizer raises `… has no attribute '_unique_id'`",
    "tuple": (
        "`tf.clip_by_global_norm` gives the clipped gradients and their norm: this pairs the whole list with the first"
        " variable, and the optimizer raises"
    ),
}


def _advice(fact: Misapplied) -> str:
    """The line to write instead."""
    gradients, variables = fact.first or "grads", fact.asked or "variables"
    if fact.form == "used-up":
        return f"keep the pairs in a list: `list(zip({gradients}, {variables}))`"
    if fact.form == "swapped":
        return f"`zip({fact.given or 'grads'}, {fact.first or variables})`"
    if fact.form == "tuple":
        return "unpack it: `grads, _ = tf.clip_by_global_norm(grads, …)`"
    return f"`apply_gradients(zip({gradients}, {variables}))`"
