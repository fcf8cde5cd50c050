"""Keras models that were trained while their ``trainable`` flags contradict each other (OPT612).

Rules and ``keras_frozen`` ask. What contradicts what is decided in ``libraries.keras_contradictions``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import families, keras_events
from optlint.semantics.libraries import keras_contradictions
from optlint.semantics.site import Site
from optlint.semantics.values import Instance, UserClass

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class Contradiction:
    """``kind`` as in ``events.FlagContradicted``; ``owner``: the user's words for whose flag it is, or its class.

    ``generation``: what a sentence begins with that holds for one generation only; ``inner``: how to freeze what a
    composite layer holds (``wrapper``, ``built``, ``model``, ``class``).
    """

    place: Site
    trained: Site
    other: Site | None
    how: str
    kind: str
    model: str
    owner: str
    idle: bool
    generation: str
    inner: str
    owner_object: Instance


def contradictory_flags(run: Run) -> Iterator[Contradiction]:
    """Each statement that has not the effect it looks to have, once."""
    if not run.complete:
        return
    seen: set[Site] = set()
    for event in run.of(keras_events.FlagContradicted):
        if event.place in seen:
            continue
        seen.add(event.place)
        yield _fact(run, event)


def _fact(run: Run, event: keras_events.FlagContradicted) -> Contradiction:
    keras = run.interpreter.keras
    generation = {"skipped": keras.prefix, "leak": keras.prefix, "nested": "in Keras 2 "}.get(event.kind, "")
    return Contradiction(
        event.place,
        event.site,
        event.other,
        event.how,
        event.kind,
        run.name_of(event.model) or "the model",
        _target(event) or run.name_of(event.owner) or event.owner.cls.name,
        event.idle,
        generation,
        _inner(event.owner),
        event.owner,
    )


def _target(event: keras_events.FlagContradicted) -> str:
    """``base`` of ``base.trainable``; of what is released, its owner is meant."""
    if event.kind == "leak":
        return ""
    site = event.place if event.kind == "skipped" else event.other
    found = re.match(r"([\w.\[\]:()\"'-]+)\.trainable\b", site.text()) if site is not None else None
    return found.group(1) if found else ""


def _inner(owner: Instance) -> str:
    if isinstance(owner.cls, UserClass):
        return "class"
    if keras_contradictions.wraps(owner):
        return "wrapper"
    return "model" if families.keras_kind(owner.cls) == "model" else "built"
