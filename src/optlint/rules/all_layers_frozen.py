"""OPT601: a Keras model that is trained although nothing of it can train."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.events import KerasTrained
    from optlint.semantics.program import Run


class AllLayersFrozen(Rule):
    """Every layer of a Keras model is frozen, and the model is trained.

    `trainable=False` on each layer with weights, on the model, or in a loop over its layers leaves the optimizer
    without variables. A model of which one layer can still train is fine.
    """

    code = "OPT601"
    name = "all-layers-frozen"
    severity = Severity.ERROR
    frameworks = ("Keras", "TensorFlow")
    at_run_time = """\
`fit()` runs to its end, the loss stays where it is and no weight changes. Keras 3 warns once that "The model does not
have any trainable weights."; Keras 2 says nothing. In a loop of your own, `apply_gradients(zip([], []))` raises
`ValueError: not enough values to unpack (expected 2, got 0)` in Keras 3 and does nothing in Keras 2."""
    bad = """\
import keras
from keras import layers

model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(1)])
for layer in model.layers:
    layer.trainable = False
model.compile(optimizer="adam", loss="mse")
model.fit(x, y)
"""
    good = """\
import keras
from keras import layers

model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(1)])
for layer in model.layers[:-1]:
    layer.trainable = False
model.compile(optimizer="adam", loss="mse")
model.fit(x, y)
"""
    silent = (
        "some layer with weights can still train",
        "the frozen model is only used to predict, to evaluate or inside another model",
        "a layer of which it is not known whether it has weights is among them",
        "it was compiled while something could train (Keras 2 then trains on)",
    )
    misses = ("models that are loaded from a file",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each model that is trained while frozen."""
        from optlint.semantics.questions.keras_frozen import trained_frozen

        for trained in run.ask(trained_frozen):
            yield self._finding(trained)

    def _finding(self, trained: KerasTrained) -> Finding:
        frozen = trained.frozen
        assert frozen is not None
        what = {
            "model": "the whole model is frozen",
            "constructor": "every layer with weights is made with `trainable=False`",
        }.get(frozen.by, "every layer with weights is frozen")
        effect = "nothing trains, and the loss stays where it is"
        return self.finding(
            frozen.frozen_at,
            message=f"{what} when `{trained.how}()` runs: {effect}",
            help="leave trainable what has to learn, for example the head: `model.layers[-1].trainable = True`",
            related=(trained.site.related("it is trained here"),),
        )
