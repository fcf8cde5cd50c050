"""What happened around the registration of parameters and modules, besides the events in ``events``.

The interpreter records; the questions about constructors, forwards and turned parameters ask.
"""

from __future__ import annotations

from optlint.deferred import dataclass
from optlint.semantics.events import Event
from optlint.semantics.site import Site
from optlint.semantics.values import Instance, Leaf, UserClass, Value


@dataclass(frozen=True)
class ModuleInitialised(Event):
    """``Module.__init__`` ran on a module; ``lost``: what had been registered before and is gone by that."""

    owner: Instance
    lost: tuple[str, ...]


@dataclass(frozen=True)
class ConstructorMissed(Event):
    """Something that looks like a call of the base's constructor and is none.

    ``form``: named (not called), past (``super(nn.Module, self)``), unbound (``super(Net)``), bare
    (``super.__init__()``), or foreign (``super(Other, self)``, where ``other`` is no base).
    """

    owner: Instance
    form: str
    other: str = ""


@dataclass(frozen=True)
class ConstructorSkipped(Event):
    """``super(Parent, self)`` in a class that is not ``Parent``: what follows is looked up behind ``Parent``."""

    owner: Instance
    parent: str


@dataclass(frozen=True)
class RegisteredTooEarly(Event):
    """A module, parameter or buffer was put on a module on which ``Module.__init__`` has certainly not run.

    ``kind``: module, parameters, parameter, buffer or table, as torch's error says.
    """

    owner: Instance
    name: str
    kind: str
    #: The class in whose method it happens.
    by: UserClass | None = None


@dataclass(frozen=True)
class UsedUninitialised(Event):
    """A method that ``nn.Module`` gives was called on a module on which its ``__init__`` has certainly not run."""

    owner: Instance
    method: str


@dataclass(frozen=True)
class AttributeMissing(Event):
    """An attribute was read that a module does not have."""

    owner: Instance
    name: str


@dataclass(frozen=True)
class MadeInForward(Event):
    """While ``method`` of ``model`` ran, a module or a Parameter was made: ``leaves`` are what is new in it."""

    model: Instance
    method: str
    made: Instance | Leaf
    leaves: frozenset[Leaf]
    #: The function that makes it.
    function: str = ""


@dataclass(frozen=True)
class ParameterReplaced(Event):
    """Something that is no Parameter was assigned to the name of a registered one: torch refuses it."""

    owner: Instance
    name: str
    value: Value


@dataclass(frozen=True)
class LeafWritten(Event):
    """A Parameter that wants a gradient was changed in place while gradients are recorded: torch refuses it."""

    leaf: Leaf
    how: str
    constructing: bool


@dataclass(frozen=True)
class LeafFilled(Event):
    """A leaf got its values from one of the functions or methods that initialise tensors."""

    leaf: Leaf
    how: str


@dataclass(frozen=True)
class PartOverwritten(Event):
    """A loop put a module or Parameter under a name where its round before had put ``old``.

    ``loop``: the loop; ``constructing``: the owner's constructor was running.
    """

    owner: Instance
    name: str
    old: Value
    loop: Site
    constructing: bool


@dataclass(frozen=True)
class BufferRegistered(Event):
    """``module.register_buffer(name, value)``."""

    owner: Instance
    name: str
    value: Value
