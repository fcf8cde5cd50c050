"""OPT602: what trains in a Keras model is changed after it was fitted, and it is fitted again without a compile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.keras_too_late import TooLate


class TrainableSetAfterCompile(Rule):
    """`trainable` is changed after the model was compiled and fitted, and it is fitted again with no new compile.

    What `fit()` trains is fixed when it first runs after `compile()` (Keras 3), or at `compile()` itself (Keras 2).
    Layers that are frozen, released or added later train, or do not train, as before, although `summary()` and
    `trainable_variables` show the change.
    """

    code = "OPT602"
    name = "trainable-set-after-compile"
    severity = Severity.WARNING
    frameworks = ("Keras", "TensorFlow")
    at_run_time = """\
Nothing is printed. After the first `fit()` the change is ignored in Keras 2 and 3, in both directions, also in a
callback. Between `compile()` and the first `fit()` Keras 3 obeys and Keras 2 does not. With `run_eagerly=True`, and on
the torch backend, Keras 3 raises `ValueError: Unknown variable` for a layer that is released so."""
    bad = """\
import keras
from keras import layers

base = keras.applications.MobileNetV2(include_top=False, pooling="avg")
base.trainable = False
model = keras.Sequential([base, layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
model.fit(x, y)

base.trainable = True
model.fit(x, y)
"""
    good = """\
import keras
from keras import layers

base = keras.applications.MobileNetV2(include_top=False, pooling="avg")
base.trainable = False
model = keras.Sequential([base, layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
model.fit(x, y)

base.trainable = True
model.compile(optimizer=keras.optimizers.Adam(1e-5), loss="mse")
model.fit(x, y)
"""
    silent = (
        "`compile()` may run in between",
        "the flag is changed for another model that has the layer too, as in a GAN",
        "it is changed between `compile()` and the first `fit()`, and nothing says that the code is for Keras 2",
        "the flag is back to what it was when the model is fitted again",
    )
    misses = ("models that are loaded from a file", "flags that depend on a condition")

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each place that changes what trains too late."""
        from optlint.semantics.questions.keras_too_late import changed_too_late

        for late in run.ask(changed_too_late):
            yield self._finding(late)

    def _finding(self, late: TooLate) -> Finding:
        what = f"`{late.target}`" if late.target else "what changes here"
        related = [late.fixed.related(f"this `{late.by}()` fixes what trains")]
        if late.trained != late.fixed:
            related.append(late.trained.related("it is trained here as before"))
        return self.finding(
            late.changed,
            message=_message(late, what),
            help=f"call `{late.model}.compile(…)` with a new optimizer after this, before `{late.how}()`"
            if late.model != "the model"
            else f"compile the model with a new optimizer after this, before `{late.how}()`",
            related=tuple(related),
        )


def _message(late: TooLate, what: str) -> str:
    name = late.model if late.model == "the model" else f"`{late.model}`"
    if late.refused:
        return (
            f"{what} is released after {name} was fitted, with no new `compile()`: the next `{late.how}()` raises "
            "`ValueError: Unknown variable`"
        )
    when = {2: "in Keras 2 "}.get(late.generation or 0, "")
    effect = {True: f"{what} stays frozen", False: f"{what} trains on", None: "the new layer never trains"}
    if late.inside:
        return f"`trainable` is changed while `{late.how}()` runs, which has fixed what trains: {effect[late.wanted]}"
    after = "was compiled" if late.by == "compile" else "was fitted"
    change = "a layer is added" if late.wanted is None else "`trainable` is changed"
    return f"{when}{change} after {name} {after}, with no new `compile()`: {effect[late.wanted]}"
