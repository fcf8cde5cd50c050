"""What happened while a program was followed, in order. The interpreter records, rules read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optlint.semantics.site import Site
from optlint.semantics.values import Cut, Instance, Leaf, Optimizer, Value

if TYPE_CHECKING:
    from optlint.semantics.gradients import Gradients, Subject


@dataclass(frozen=True)
class Event:
    """``site``: where; ``conditional``: inside a branch that need not be taken."""

    site: Site
    conditional: bool


@dataclass(frozen=True)
class OptimizerBuilt(Event):
    """``argument`` is what was given as parameters; ``emptied``: a definitely empty list, why, and where it is from."""

    optimizer: Optimizer
    argument: Value
    empty: EmptyArgument | None = None


@dataclass(frozen=True)
class EmptyArgument:
    """An argument that certainly holds nothing. ``form``: list, group or filter."""

    form: str
    made: Site | None
    filled: Site | None = None


@dataclass(frozen=True)
class OptimizerStepped(Event):
    """``optimizer.step()``."""

    optimizer: Optimizer


@dataclass(frozen=True)
class Stepped(Event):
    """A step of an optimizer, or of something from outside that may be one; ``before``: its gradients until then."""

    subject: Subject
    before: Gradients


@dataclass(frozen=True)
class OptimizerRestored(Event):
    """``optimizer.load_state_dict(…)``: an earlier training goes on."""

    optimizer: Optimizer


@dataclass(frozen=True)
class Backward(Event):
    """A backward pass from a number that depends on ``reached`` leaves and was cut from ``cuts``."""

    reached: frozenset[Leaf]
    maybe: frozenset[Leaf]
    cuts: frozenset[tuple[Leaf, Cut]]


@dataclass(frozen=True)
class ModelMade(Event):
    """A module (torch or Keras) was instantiated."""

    model: Instance


@dataclass(frozen=True)
class ModelCalled(Event):
    """A module's forward ran and gave ``result``; ``grad``: gradients were recorded; ``inputs``: leaves behind them."""

    model: Instance
    result: Value
    grad: bool
    inputs: frozenset[Leaf]
    #: The tensors that it was called on, where it was called on nothing else.
    tensors: frozenset[Leaf] = frozenset()


@dataclass(frozen=True)
class Returned(Event):
    """A method other than ``forward`` that nobody in the file calls gave back numbers that depend on ``leaves``."""

    leaves: frozenset[Leaf]


@dataclass(frozen=True)
class HandUpdated(Event):
    """A leaf was written without an optimizer: ``p.data = …``, ``p.copy_(…)``, ``p -= lr * p.grad``."""

    leaf: Leaf


@dataclass(frozen=True)
class GradientRead(Event):
    """A leaf's ``.grad`` was read, or its gradient was asked for with ``autograd.grad``."""

    leaf: Leaf


@dataclass(frozen=True)
class FlagSet(Event):
    """``requires_grad`` of ``leaves`` was set to ``wanted`` (None: not known to what).

    ``entry``: in which of the methods that nobody in the file calls; ``call``: the statement that called the function
    which did it, when that function was handed what it freezes.
    """

    leaves: frozenset[Leaf]
    wanted: bool | None
    entry: int
    call: Site | None = None


@dataclass(frozen=True)
class AttributeSet(Event):
    """``owner.name = value`` on an instance; ``constructing``: while its constructor runs."""

    owner: Instance
    name: str
    value: Value
    constructing: bool


@dataclass(frozen=True)
class ElementAdded(Event):
    """A leaf tensor or a module was put into a list or dict that was there before."""

    container: Value
    element: Leaf | Instance


@dataclass(frozen=True)
class Repeated(Event):
    """One object stands several times in what an expression gives. ``form``: multiplied, comprehended, keys, repeat.

    ``named``: those of the ``elements`` that the program has a name for; the others were made on the spot.
    """

    form: str
    elements: tuple[Instance, ...]
    named: tuple[Instance, ...]


@dataclass(frozen=True)
class WeightsLoaded(Event):
    """``load_state_dict`` or the like was called on a module that had these ``leaves`` then."""

    model: Instance
    leaves: frozenset[Leaf] = frozenset()


@dataclass(frozen=True)
class KerasTrained(Event):
    """A Keras model was fitted or its gradients applied. ``frozen``: where it was frozen, when nothing can train."""

    model: Instance
    how: str
    frozen: FrozenModel | None


@dataclass(frozen=True)
class KerasReleased(Event):
    """A flag was set to something else than False; ``entry``: in which of the methods that nobody in the file calls."""

    entry: int


@dataclass(frozen=True)
class FrozenModel:
    """Why nothing of a Keras model trains. ``order``: when it was frozen; ``entry``: in which it is trained."""

    frozen_at: Site
    by: str
    layers: tuple[str, ...]
    order: int
    entry: int
