"""OPT609: a Keras optimizer that was built for other variables than those it is to train."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run


class OptimizerOfAnotherModel(Rule):
    """One Keras optimizer for two models, or for one model before and after layers were released.

    An optimizer makes its state for the variables that it trains first, and takes no others later. A second model,
    the next fold, or the layers that fine-tuning releases need an optimizer of their own.
    """

    code = "OPT609"
    name = "optimizer-of-another-model"
    severity = Severity.ERROR
    frameworks = ("Keras", "TensorFlow")
    at_run_time = """\
The first `fit()` works. The second raises `ValueError: Unknown variable: <Variable path=…>. This optimizer can only be
called for the variables it was originally built with.` in Keras 3 (3.8 to 3.12 show `NotImplementedError: numpy() is
only available when eager execution is enabled.`) and `KeyError` in Keras 2. Optimizers of `optimizers.legacy`, which
TensorFlow up to 2.10 made by default, take any variables: where the program does not show for which it is, the message
says so."""
    bad = """\
import keras
from keras import layers

optimizer = keras.optimizers.Adam(1e-3)
for fold in range(5):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(optimizer=optimizer, loss="mse")
    model.fit(x, y)
"""
    good = """\
import keras
from keras import layers

for fold in range(5):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    model.fit(x, y)
"""
    silent = (
        "the optimizer was built for all of the variables first, with `build()`",
        "nothing of the first model trained, so the optimizer was not built",
        'one name (`"adam"`) for several models: each gets an optimizer of its own',
        "code that is known to be for Keras 2, whose older optimizers take any variables",
    )
    misses = ("models that are loaded from a file", "loops of one's own over several models")

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each compile with an optimizer of other variables."""
        from optlint.semantics.questions.keras_settings import reused_optimizers

        for reused in run.ask(reused_optimizers):
            name = run.name_of(reused.model)
            model = f"`{name}`" if name is not None else "this model"
            error = "raises `ValueError: Unknown variable`"
            if not run.interpreter.keras.is_3:
                error = (
                    "raises (`ValueError: Unknown variable` in Keras 3, `KeyError` in Keras 2; only TensorFlow up to"
                    " 2.10 took it)"
                )
            if reused.kind == "unfrozen":
                message = (
                    f"the optimizer was built before the layers that {model} trains now were released: the next "
                    f"`fit()` {error}"
                )
            else:
                message = f"the optimizer was built for the variables of another model: the `fit()` of {model} {error}"
            yield self.finding(
                reused.site,
                message=message,
                help="make a new optimizer for each `compile()`",
                related=(
                    reused.made.related("the optimizer is made here"),
                    reused.built.related("this fit builds its state"),
                    reused.fitted.related("this fit raises"),
                ),
            )
