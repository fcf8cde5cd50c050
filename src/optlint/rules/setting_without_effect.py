"""OPT611: settings of Keras optimizers that set nothing, set something else, or raise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.keras_events import SettingMissed
    from optlint.semantics.program import Run


class SettingWithoutEffect(Rule):
    """A setting of a Keras optimizer is none: it sets nothing, sets something else, or raises.

    `optimizer.lr = …` makes a new attribute in Keras 3; the second positional argument of `Adam` is `beta_1`, of
    `SGD` the momentum; `lr=`, `decay=` and `minimize` are gone in Keras 3; `compile()` without an optimizer replaces
    the one that the model's constructor has made.
    """

    code = "OPT611"
    name = "setting-without-effect"
    severity = Severity.WARNING
    frameworks = ("Keras", "TensorFlow")
    at_run_time = """\
`optimizer.lr = 0.01` is silent in Keras 3 and the learning rate stays (Keras 2: an alias that works). `Adam(1e-3,
1e-4)` is silent: `beta_1` is 0.0001. `Adam(lr=…)` raises `ValueError: Argument(s) not recognized: {'lr': …}` in
Keras 3 and `decay=` is ignored with a warning. `optimizer.minimize` raises `AttributeError` in Keras 3. A list of
variables as the first argument raises `ValueError` in both. `compile(loss=…)` trains with RMSprop."""
    bad = """\
import keras
from keras import layers

model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="mse")
model.fit(x, y)

model.optimizer.lr = 1e-4
model.fit(x, y)
"""
    good = """\
import keras
from keras import layers

model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="mse")
model.fit(x, y)

model.optimizer.learning_rate = 1e-4
model.fit(x, y)
"""
    silent = (
        "`lr` where the program is for Keras 2",
        "`lr=`, `decay=` and `minimize` where nothing says that the program is for Keras 3",
        "a second positional argument that is a decay rate (0.5, 0.9) or zero; that of `AdamW`, its weight decay",
    )
    misses = ("optimizers that a function which cannot be seen has made",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each setting."""
        from optlint.semantics.questions.keras_settings import missed_settings

        for missed in run.ask(missed_settings):
            message, advice = _words(missed, run.interpreter.keras.prefix)
            yield self.finding(
                missed.site,
                message=message[:1].upper() + message[1:] if message.startswith("in ") else message,
                help=advice,
                related=() if missed.other is None else (missed.other.related("it is made here"),),
            )


def _words(missed: SettingMissed, only_3: str) -> tuple[str, str]:
    cls = missed.cls or "the optimizer"
    text = missed.site.text()
    if missed.kind == "attribute":
        # Keras 2 knows `lr`; the other names are none there either.
        where = only_3 if missed.name == "learning_rate" else ""
        known = text.rsplit(".", 1)[0]
        return (
            f"{where}`{text}` is a new attribute that nobody reads: the {_plain(missed.name)} stays as it was",
            f"write `{known}.{missed.name} = …`",
        )
    if missed.kind == "positional":
        return (
            f"the second argument of `{cls}` is `{missed.name}`: `{text}` is taken for it",
            f"name it: `{missed.name}=…`, or `weight_decay={text}` if that is meant",
        )
    if missed.kind == "variables":
        return (
            f"`{cls}` raises `ValueError`: its first argument is the learning rate, not the variables",
            f"`{cls}(learning_rate=…)`; the variables come with `apply_gradients`, or from the model",
        )
    if missed.kind == "unknown argument":
        return (
            f"`{cls}` does not take `{missed.name}`: `ValueError: Argument(s) not recognized`",
            "use the names of Keras: `beta_1`, `beta_2`, `epsilon`, `weight_decay`"
            if missed.name != "params"
            else "leave it out: the variables come with `apply_gradients`, or from the model",
        )
    if missed.kind == "method":
        return (
            f"in Keras 3 `{cls}` has no `minimize`: `AttributeError`",
            "take the gradients with `tf.GradientTape()` and hand them to `apply_gradients`",
        )
    if missed.kind == "overwritten":
        return (
            f"`compile()` without an optimizer replaces the `{cls}` that the model has made by RMSprop",
            "pass it on: `compile(optimizer=…)`",
        )
    if missed.name == "decay":
        return (
            "in Keras 3 `decay` is ignored: the learning rate stays as it is",
            "use a schedule: `keras.optimizers.schedules.InverseTimeDecay`",
        )
    return (
        f"in Keras 3 `{cls}` does not take `{missed.name}`: `ValueError: Argument(s) not recognized`",
        "write `learning_rate=…`",
    )


def _plain(name: str) -> str:
    return {"learning_rate": "learning rate"}.get(name, f"`{name}`")
