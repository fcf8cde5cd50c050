"""What happened while a program was followed, in order. The interpreter records, rules read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics.progress import Progress
from optlint.semantics.site import Site
from optlint.semantics.values import (
    UNKNOWN,
    Cut,
    Flow,
    Function,
    Groups,
    Instance,
    Leaf,
    OneShot,
    Optimizer,
    Value,
)

if TYPE_CHECKING:
    from optlint.semantics.frame import Round
    from optlint.semantics.gradients import Gradients, Subject
    from optlint.semantics.modes import Scope


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
    #: The models that it was given the parameters of and that have none, if it got nothing else.
    parameterless: tuple[Instance, ...] = ()
    #: The rounds of loops in which it happens, the innermost last, and whether it certainly does in each such round.
    rounds: tuple[Round, ...] = ()
    each_round: bool = False
    #: Its param groups then, and what it was called with besides.
    groups: Groups = field(default_factory=Groups)
    #: An error here is expected.
    guarded: bool = False
    #: The names of what its class takes, where that is one of torch's own.
    signature: tuple[str, ...] = ()
    settings: Mapping[str, Value] = field(default_factory=dict)
    #: What torch refuses or misreads of the argument; the call that chose it, if not the one that builds it.
    faults: tuple[ArgumentFault, ...] = ()
    asked_at: Site | None = None


@dataclass(frozen=True)
class GroupAdded(Event):
    """``optimizer.add_param_group(…)``: what came to the groups that it had ``before``."""

    optimizer: Optimizer
    groups: Groups
    before: Groups
    guarded: bool = False
    faults: tuple[ArgumentFault, ...] = ()


@dataclass(frozen=True)
class ArgumentFault:
    """Something that torch refuses or misreads of what an optimizer is given.

    ``made``: where it was made; ``element``: it stands among the parameters, not in their place.
    """

    kind: str
    value: Value
    made: Site | None = None
    element: bool = False


@dataclass(frozen=True)
class ParameterError(Event):
    """Something is done to parameters (or to what lists them) that raises: which mistake (``kind``) with what."""

    kind: str
    value: Value


@dataclass(frozen=True)
class EmptyArgument:
    """An argument that certainly holds nothing. ``form``: list, group, filter, or unbuilt.

    ``unbuilt``: the parameters of a Keras model, ``owner``, that has none before its first call.
    """

    form: str
    made: Site | None
    filled: Site | None = None
    owner: str = ""


@dataclass(frozen=True)
class OptimizerStepped(Event):
    """``optimizer.step()``; ``frozen``: nothing that it holds wants a gradient then."""

    optimizer: Optimizer
    frozen: bool = False
    rounds: tuple[Round, ...] = ()


@dataclass(frozen=True)
class Stepped(Event):
    """A step of an optimizer, or of something from outside that may be one; ``before``: its gradients until then.

    ``others``: the other optimizers, with theirs; ``asked_at``: the statement that called the function it stands in.
    """

    subject: Subject
    before: Gradients
    others: tuple[tuple[Optimizer, Gradients], ...] = ()
    asked_at: Site | None = None
    rounds: tuple[Round, ...] = ()
    #: The functions in which it happens, the innermost last, and whether it does in each round of the innermost loop.
    scopes: tuple[Scope, ...] = ()
    each_round: bool = False


@dataclass(frozen=True)
class OptimizerExpected(Event):
    """A ``framework`` (lightning, transformers) looks for its optimizer in ``given``.

    That is what ``method``, the user's ``configure_optimizers``, returns (None: the class has none), or the argument
    ``optimizers=``. ``automatic``: the framework itself runs backward and step; ``beside``: another argument that may
    not be given together with it.
    """

    framework: str
    given: Value
    model: Value
    method: Function | None = None
    automatic: bool | None = True
    beside: str = ""


@dataclass(frozen=True)
class Cleared(Event):
    """``zero_grad`` of an optimizer, or of something from outside that may be one."""

    subject: Subject


@dataclass(frozen=True)
class GradientsDropped(Event):
    """The gradients of ``subject`` were cleared in a ``loop``; ``before``: what they were until then.

    ``each_round``: in each round of it, whatever branch is taken.
    """

    subject: Subject
    before: Gradients
    loop: Site
    each_round: bool


@dataclass(frozen=True)
class UpdateLost(Event):
    """``p = p - …`` ends a loop over parameters: the name is bound anew, and the parameter stays what it is."""

    leaf: Leaf


@dataclass(frozen=True)
class MethodNamed(Event):
    """A statement names ``step``, ``zero_grad`` or ``backward`` of ``receiver`` and does not call it."""

    receiver: Value
    name: str


@dataclass(frozen=True)
class NothingUsed(Event):
    """The None that ``method`` returned (``made``: where) is used; ``how``: attribute, iteration, arithmetic, call…"""

    made: Site
    method: str
    how: str


@dataclass(frozen=True)
class OptimizerRestored(Event):
    """``optimizer.load_state_dict(…)``: an earlier training goes on."""

    optimizer: Optimizer


@dataclass(frozen=True)
class Backward(Event):
    """A backward pass from a number that depends on ``reached`` leaves and was cut from ``cuts``.

    ``known``: all that the number was computed of is known.
    """

    reached: frozenset[Leaf]
    maybe: frozenset[Leaf]
    cuts: frozenset[tuple[Leaf, Cut]]
    known: bool = False
    branches: tuple[object, ...] = ()
    #: The number itself, and whether an error here is expected.
    value: Value = UNKNOWN
    guarded: bool = False
    rounds: tuple[Round, ...] = ()


@dataclass(frozen=True)
class ModelMade(Event):
    """A module (torch or Keras) was instantiated."""

    model: Instance


@dataclass(frozen=True)
class ReadyModelMade(Event):
    """A model of a library was made whose inside is not listed."""

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
class LossComputed(Event):
    """A loss function of torch gave ``result``, with gradients."""

    result: Value


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

    ``entry``: in which of the methods that nobody in the file calls; ``helper`` and ``call``: the function which did
    it, when that was handed what it freezes, and the statement that called it.
    """

    leaves: frozenset[Leaf]
    wanted: bool | None
    entry: int
    helper: Site | None = None
    call: Site | None = None
    branches: tuple[object, ...] = ()


@dataclass(frozen=True)
class FlagMissed(Event):
    """Something was written that looks as if it set the flag of ``target``, and does not.

    ``name``: the attribute; ``wanted``: what it was to be; ``how``: an attribute of a ``module``, a ``tensor``, a
    ``copy`` of a tensor or a layer of ``keras``, a ``method`` that is overwritten, a ``comparison``, or a
    ``reference`` to a method; ``own``: by a method of the target; ``constructing``: by its constructor.
    """

    target: Value
    name: str
    wanted: bool | None
    how: str
    own: bool
    constructing: bool


@dataclass(frozen=True)
class UnknownChanged(Event):
    """Something that is not known may have been unfrozen, or may have got a module; it may be part of any model."""


@dataclass(frozen=True)
class FlagRead(Event):
    """The ``requires_grad`` of a frozen parameter was read."""

    leaf: Leaf


@dataclass(frozen=True)
class TensorMarked(Event):
    """A tensor that is a result was made to want, have or keep a gradient: ``what`` was called or set on it."""

    tensor: Flow
    what: str


@dataclass(frozen=True)
class PartChanged(Event):
    """After an optimizer was built, a module got parameters (``new``) that it did not have (``before``).

    ``name``: the attribute that was set, which had ``old``; ``how``: what made parameters anew, in words, "" for an
    assignment; ``branches``: the conditions that it stands under; ``constructing``: the module's own constructor is
    running.
    """

    owner: Instance
    name: str
    how: str
    before: frozenset[Leaf]
    old: frozenset[Leaf]
    new: frozenset[Leaf]
    branches: tuple[object, ...] = ()
    constructing: bool = False


@dataclass(frozen=True)
class ModelCopied(Event):
    """A module was copied, parameters and all: ``model`` is the copy."""

    model: Instance


@dataclass(frozen=True)
class OptimizerCopied(Event):
    """An optimizer was copied, with what it holds: ``optimizer`` is the copy."""

    optimizer: Optimizer
    original: Optimizer


@dataclass(frozen=True)
class GroupsEdited(Event):
    """What an optimizer holds was replaced or cleared by hand, through ``param_groups``.

    ``given``: what was put there; None where a list was cleared; ``count``: how many groups there were then.
    """

    optimizer: Optimizer
    given: Value | None
    count: int


@dataclass(frozen=True)
class MethodBegan(Event):
    """What follows happens in a method that nobody in the file calls: when it runs is not known."""


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


@dataclass(frozen=True)
class IteratorRead(Event):
    """A one-shot iterator was read that somebody had read ``before``. ``guarded``: an error here is expected.

    ``entry``: in which of the methods that nobody in the file calls.
    """

    iterator: OneShot
    before: Progress
    by: str
    entry: int
    guarded: bool
    #: Where the reader's work was asked for, in the file that made the iterator, when the reader is in another file.
    asked_at: Site | None = None
