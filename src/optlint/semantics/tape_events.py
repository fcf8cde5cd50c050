"""What happened with gradient tapes while a program was followed. Recorded by the interpreter, read by the questions."""

from __future__ import annotations

from optlint.deferred import dataclass
from optlint.semantics.events import Event
from optlint.semantics.site import Site
from optlint.semantics.tapes import Reach
from optlint.semantics.values import Instance, Leaf, Value


@dataclass(frozen=True)
class GradientsTaken(Event):
    """``tape.gradient(target, variables)``: what was ``wanted``, what it found, and the gradients that came of it.

    ``sure``: all that was asked for is known; ``scope``: the function that it stands in; ``step_of``: the Keras model
    whose ``train_step`` that is; ``entry``: in which of the methods that nobody in the file calls.
    """

    tape: Instance
    target: Value
    wanted: tuple[Leaf, ...]
    sure: bool
    reach: Reach
    gradients: tuple[Leaf, ...]
    scope: object
    step_of: Instance | None
    entry: int
    #: The text of the variables' list.
    listed: str = ""
    #: The model that is fitted with a loss of the program's own, which asks for the gradients in no tape of its own.
    fitted: Instance | None = None


@dataclass(frozen=True)
class GradientsApplied(Event):
    """An optimizer is given gradients for variables: two lists side by side. ``exact``: each element is known.

    ``gradients``: for each element the variables whose gradients it was computed from. ``used_before``: where the
    iterator of pairs was read already, to its end. ``misshapen``: the gradients stand ``bare``, beside their variables
    as two ``arguments``, ``swapped`` with them, or as one part of the ``tuple`` that clipping gives; else nothing.
    """

    how: str
    gradients: tuple[frozenset[Leaf], ...]
    variables: tuple[frozenset[Leaf], ...]
    exact: bool
    taken: frozenset[Leaf]
    scope: object
    entry: int
    used_before: Site | None = None
    #: The texts of the variables' list and of that of gradients.
    listed: str = ""
    first: str = ""
    misshapen: str = ""


@dataclass(frozen=True)
class KerasOptimizerMade(Event):
    """An optimizer of Keras or TensorFlow is made."""
