"""Keras models that are trained after what trains in them changed, with no new ``compile`` (OPT602).

Rules ask. What counts as a change is decided where it is recorded, in ``libraries.keras_training``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import keras_events
from optlint.semantics.site import Site

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class TooLate:
    """A change without effect. ``model``, ``target``: the user's words for what is trained and for what was changed.

    ``generation``: 2 where it is so in Keras 2 only.
    """

    changed: Site
    trained: Site
    fixed: Site
    by: str
    how: str
    wanted: bool | None
    model: str
    target: str
    refused: bool
    inside: bool
    generation: int | None


def changed_too_late(run: Run) -> Iterator[TooLate]:
    """Each place that changes what trains after it was fixed, once."""
    if not run.complete:
        return
    generation = 2 if run.interpreter.keras.is_2 else None
    seen: set[Site] = set()
    for event in run.of(keras_events.TrainableIgnored):
        if event.changed in seen:
            continue
        seen.add(event.changed)
        yield TooLate(
            event.changed,
            event.site,
            event.fixed,
            event.by,
            event.how,
            event.wanted,
            run.name_of(event.model) or "the model",
            _target(event.changed),
            event.refused,
            event.inside,
            generation if event.by == "compile" else None,
        )


def _target(site: Site) -> str:
    """``base.layers[0]`` of ``base.layers[0].trainable``."""
    found = re.match(r"([\w.\[\]:()-]+)\.trainable\b", site.text())
    return found.group(1) if found else ""
