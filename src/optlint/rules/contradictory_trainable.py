"""OPT612: flags of a Keras model that contradict those of the layers inside, so that one of them does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.keras_contradictory import Contradiction


class ContradictoryTrainable(Rule):
    """The `trainable` flag of a model contradicts the flags of its layers, and one of them has no effect.

    Three shapes: layers are frozen one by one and "released" by `model.trainable = True`, which was True all along;
    a model is frozen, one of its layers released, and the model trained; `trainable=False` is given to a composite
    layer or model whose parts do not know of it.
    """

    code = "OPT612"
    name = "contradictory-trainable"
    severity = Severity.WARNING
    frameworks = ("Keras", "TensorFlow")
    at_run_time = """\
Keras 3 on TensorFlow skips an assignment of the value that the flag has already: the layers that were frozen one by
one stay frozen (Keras 2, and Keras 3 on torch, release them). A model whose own flag is False has no trainable
variables whatever its layers say. In Keras 3 `trainable=False` given to the constructor of `MultiHeadAttention`,
`Bidirectional`, `TimeDistributed`, `RNN`, `Sequential`, `Model` or a layer of your own reaches none of its parts: all
of them train in the model around it. Nothing is printed, unless nothing at all trains (one warning, Keras 3)."""
    bad = """\
import keras
from keras import layers

base = keras.applications.MobileNetV2(include_top=False, pooling="avg")
for layer in base.layers:
    layer.trainable = False
model = keras.Sequential([base, layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
model.fit(x, y)

base.trainable = True
model.compile(optimizer=keras.optimizers.Adam(1e-5), loss="mse")
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
        "the flag of the model was False before it is set to True",
        "a frozen base whose released layer is part of another model (Keras 3 trains it)",
        "the flag is set after a composite layer was built",
        "code that is known to be for Keras 2, where it works; Keras on torch",
    )
    misses = ("layers of ready-made models that are chosen by a name that is not known",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each statement without the effect that it looks to have."""
        from optlint.semantics.questions.keras_contradictory import contradictory_flags

        for fact in run.ask(contradictory_flags):
            message, advice, label = _WORDS[fact.kind](fact)
            related = [] if fact.other is None else [fact.other.related(label)]
            related.append(fact.trained.related("it is trained here"))
            message = message[:1].upper() + message[1:] if message.startswith("in Keras") else message
            yield self.finding(fact.place, message=message, help=advice, related=tuple(related))


def _skipped(fact: Contradiction) -> tuple[str, str, str]:
    then = "nothing trains" if fact.idle else "they stay frozen"
    where = fact.generation or ""
    return (
        f"{where}this releases nothing: `{fact.owner}.trainable` was True all along, the layers inside were frozen "
        f"one by one, and {then} when `{fact.how}()` runs",
        f"release the layers: `for layer in {fact.owner}.layers: layer.trainable = True`",
        "they are frozen here",
    )


def _outer(fact: Contradiction) -> tuple[str, str, str]:
    return (
        f"this releases nothing: `{fact.owner}.trainable` is False, so nothing of it trains when `{fact.how}()` runs",
        f"set `{fact.owner}.trainable = True` first, then freeze the layers that are to stay as they are",
        "the whole model is frozen here",
    )


def _nested(fact: Contradiction) -> tuple[str, str, str]:
    return (
        f"{fact.generation}this releases nothing: `{fact.owner}.trainable` is False, so nothing of it trains when "
        f"`{fact.how}()` runs",
        f"set `{fact.owner}.trainable = True` first, then freeze the layers that are to stay as they are",
        "it is frozen here",
    )


def _leak(fact: Contradiction) -> tuple[str, str, str]:
    helps = {
        "wrapper": "freeze the layer inside: `{0}(…(…, trainable=False))`",
        "built": "set `trainable = False` on the layer after it was called on its inputs",
        "model": "leave the argument out, and set `trainable = False` when it is made",
        "class": "set `trainable = False` on the layer after it was called, or on each layer that it holds",
    }
    return (
        f"{fact.generation}`trainable=False` does not reach what `{fact.owner}` holds: it trains when "
        f"`{fact.how}()` runs",
        helps[fact.inner].format(fact.owner),
        "",
    )


_WORDS = {"skipped": _skipped, "outer": _outer, "nested": _nested, "leak": _leak}
