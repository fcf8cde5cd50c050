"""Events of the training loop around its steps: clipping, unscaling, modes. ``questions`` read them.

The modules of ``libraries`` record; nothing is decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics.events import Event
from optlint.semantics.values import Leaf, Optimizer, Value

if TYPE_CHECKING:
    from optlint.semantics.frame import Round
    from optlint.semantics.gradients import Gradients


@dataclass(frozen=True)
class Clipped(Event):
    """The gradients of ``leaves`` were clipped ``by`` a function; ``more``: of others, too, that are not known.

    ``holders``: the optimizers of these leaves, with the gradients then; ``data``: something that was given which is
    no parameter and has no gradient: a result, a copy, a gradient itself.
    """

    leaves: frozenset[Leaf]
    more: bool
    by: str
    holders: tuple[tuple[Optimizer, Gradients], ...]
    data: Value | None = None
    rounds: tuple[Round, ...] = ()


@dataclass(frozen=True)
class ClippedForNothing(Event):
    """A statement clips and drops the result (``dropped``), or names the function ``by`` and does not call it."""

    by: str
    dropped: bool


@dataclass(frozen=True)
class LossScaled(Event):
    """``scaler.scale(loss)``."""


@dataclass(frozen=True)
class Unscaled(Event):
    """``scaler.unscale_(optimizer)``."""

    optimizer: Optimizer


@dataclass(frozen=True)
class SteppedByScaler(Event):
    """``scaler.step(optimizer)``; the step itself is another event."""

    optimizer: Optimizer


@dataclass(frozen=True)
class LeavesCleared(Event):
    """``module.zero_grad()``."""

    leaves: frozenset[Leaf]
