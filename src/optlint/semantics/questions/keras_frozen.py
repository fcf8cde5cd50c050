"""Keras models that were trained while nothing of them could train (OPT601)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.semantics import events
from optlint.semantics.questions.keras_contradictory import contradictory_flags
from optlint.semantics.questions.missed_freezing import missed_freezing
from optlint.semantics.site import Site

if TYPE_CHECKING:
    from optlint.semantics.program import Run


def trained_frozen(run: Run) -> Iterator[events.KerasTrained]:
    """Keras models that were trained while nothing of them could train, once for each place that froze them."""
    if not run.complete:
        return
    if any(
        missed.how in ("keras", "comparison") and missed.wanted is True for missed in run.ask(missed_freezing)
    ):
        return  # what was to release them does not, and is told
    # Where a flag has not the effect that it looks to have, that is the cause.
    explained = {fact.trained for fact in run.ask(contradictory_flags) if fact.idle}
    seen: set[Site] = set()
    releases = {event.entry for event in run.of(events.KerasReleased)}
    for event in run.of(events.KerasTrained):
        if event.frozen is None or event.site in explained or releases - {0, event.frozen.entry}:
            continue  # a method that others call may release it first
        if event.frozen.frozen_at not in seen:
            seen.add(event.frozen.frozen_at)
            yield event
