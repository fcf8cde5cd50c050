"""OPT603: an empty list of variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Related, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.keras_empty import NoVariablesListed


class EmptyVariableList(Rule):
    """Gradients are asked for, or an optimizer is given, an empty list of variables.

    The list is written so, nothing passes its filter, or `trainable_variables` was read when the model had no weights
    yet: a `Sequential` without an `Input`, or a subclassed model that was not called, has none.
    """

    code = "OPT603"
    name = "empty-variable-list"
    severity = Severity.ERROR
    frameworks = ("Keras", "TensorFlow")
    at_run_time = """\
`tape.gradient(loss, [])` gives `[]`. `apply_gradients` of nothing raises `ValueError: not enough values to unpack
(expected 2, got 0)` in Keras 3 and does nothing in Keras 2; `apply` (Keras 3) and `minimize` (Keras 2) do nothing,
without a word. Optimizers of TensorFlow 1 raise `ValueError: No variables to optimize.` or, in eager mode, `No gradients
provided for any variable`. An optimizer that was built for no variables raises `ValueError: Unknown variable` at its
first use (Keras 2: `KeyError`). `trainable_variables` of a model that is not built is `[]`, and that list does not grow
when the model is built; of a `Sequential`, Keras 2 raises `ValueError: Weights for model 'sequential' have not yet been
created`."""
    bad = """\
import keras
import tensorflow as tf

model = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
optimizer = keras.optimizers.Adam(0.01)
weights = model.trainable_variables
x, y = tf.random.normal((8, 4)), tf.random.normal((8, 1))

with tf.GradientTape() as tape:
    loss = tf.reduce_mean(tf.square(model(x) - y))
optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
"""
    good = """\
import keras
import tensorflow as tf

model = keras.Sequential(
    [
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(1),
    ]
)
optimizer = keras.optimizers.Adam(0.01)
weights = model.trainable_variables
x, y = tf.random.normal((8, 4)), tf.random.normal((8, 1))

with tf.GradientTape() as tape:
    loss = tf.reduce_mean(tf.square(model(x) - y))
optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
"""
    silent = (
        "a list of which not all is known: it may have been filled by code that is not seen",
        "everything is frozen, which `all-layers-frozen` tells",
        "the list is only read, printed or counted",
    )
    misses = (
        "collections of a graph of TensorFlow 1, and their scopes",
        "models that are built, or not, in another method or file than the list is read in",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each empty list."""
        from optlint.semantics.questions.keras_empty import empty_lists

        keras = run.interpreter.keras
        for fact in run.ask(empty_lists):
            only_2, only_3 = not keras.may_be_3, keras.is_3
            yield self._finding(fact, only_2, only_3)

    def _finding(self, fact: NoVariablesListed, only_2: bool, only_3: bool) -> Finding:
        what, advice = _cause(fact)
        related: list[Related] = []
        if fact.empty.made is not None:
            related.append(fact.empty.made.related("it is made here"))
        if fact.used != fact.site:
            related.append(fact.used.related("the empty list is used here"))
        return self.finding(
            fact.site,
            message=f"{what}: {_effect(fact, only_2, only_3)}",
            help=advice,
            related=tuple(related),
        )


def _cause(fact: NoVariablesListed) -> tuple[str, str]:
    empty = fact.empty
    if empty.kind == "unbuilt":
        owner = f"`{empty.owner}`" if empty.owner else f"this `{empty.cls}`"
        return (
            f"{owner} has no weights yet, so `{empty.site.text()}` is `[]`",
            "read it after the first forward pass, or build the model before: with its `build(input_shape)`, or a"
            " `keras.Input` as the first layer of a `Sequential`",
        )
    if empty.kind == "collection":
        return (
            f"`{empty.site.text()}` is always empty in eager mode",
            "use the model's own list: `model.trainable_variables`",
        )
    listed = f"`{fact.listed}`" if fact.listed else "the list"
    if empty.kind == "filtered":
        return (
            f"no variable passes the filter, {listed} is empty",
            "in Keras 3 `v.name` is only `kernel`, `bias` and the like; `v.path` has the layer's name in it",
        )
    return f"{listed} has no variables in it", "hand over those to train: `model.trainable_variables`"


def _effect(fact: NoVariablesListed, only_2: bool, only_3: bool) -> str:
    if fact.old:
        return "`minimize` raises `ValueError` (`No variables to optimize`; `No gradients provided` in eager mode)"
    if fact.empty.sequential and only_2:
        return "`ValueError: Weights for model 'sequential' have not yet been created`"
    how = fact.applied or fact.how
    if how == "build":
        error = "KeyError" if only_2 else "ValueError: Unknown variable"
        return f"the optimizer is built for nothing and its first use raises `{error}`"
    if how == "apply_gradients":
        raised = "`apply_gradients` raises `ValueError: not enough values to unpack`"
        if only_2:
            return "`apply_gradients` does nothing, without a word"
        return raised if only_3 else f"{raised} (Keras 2 does nothing, without a word)"
    if how in ("apply", "minimize"):
        return f"`{how}` does nothing, without a word"
    return "there are no gradients, and nothing is trained"
