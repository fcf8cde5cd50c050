"""Settings of Keras optimizers that are none (OPT611), and optimizers that have another model's variables (OPT609).

Rules ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.semantics import keras_events
from optlint.semantics.site import Site

if TYPE_CHECKING:
    from optlint.semantics.program import Run

#: What holds in Keras 3 only, and shows at once there: told where the program is for that.
_RAISES_IN_3 = frozenset({"argument", "method"})


def missed_settings(run: Run) -> Iterator[keras_events.SettingMissed]:
    """Each setting without effect, or that raises, once."""
    keras = run.interpreter.keras
    seen: set[Site] = set()
    for event in run.of(keras_events.SettingMissed):
        if event.site in seen:
            continue
        if event.kind in _RAISES_IN_3 and not keras.is_likely_3:
            continue
        if event.kind == "attribute" and event.name == "learning_rate" and not keras.may_be_3:
            continue  # Keras 2 knows `lr` as another name
        seen.add(event.site)
        yield event


def reused_optimizers(run: Run) -> Iterator[keras_events.OptimizerReused]:
    """Each compile with an optimizer that belongs to other variables, once."""
    if not run.complete or not run.interpreter.keras.may_be_3:
        return
    seen: set[Site] = set()
    for event in run.of(keras_events.OptimizerReused):
        if event.site not in seen:
            seen.add(event.site)
            yield event
