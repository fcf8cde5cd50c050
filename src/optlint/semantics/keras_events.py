"""What happened to Keras models and optimizers over time. ``libraries.keras_*`` record, ``questions`` read."""

from __future__ import annotations

from optlint.deferred import dataclass
from optlint.semantics.events import Event
from optlint.semantics.site import Site
from optlint.semantics.values import Instance


@dataclass(frozen=True)
class FlagChanged(Event):
    """``trainable`` of these layers was set to another value than they had."""

    layers: tuple[Instance, ...]
    wanted: bool
    entry: int


@dataclass(frozen=True)
class TrainableIgnored(Event):
    """A model is trained by ``how`` although what trains in it was fixed before it changed.

    ``changed``: where the flag was set or the layer was added (``wanted`` None); ``fixed``: the fit, or in Keras 2
    the compile, that fixed it; ``by``: which of both; ``refused``: it raises; ``inside``: a callback changes it.
    """

    model: Instance
    how: str
    changed: Site
    wanted: bool | None
    fixed: Site
    by: str
    refused: bool = False
    inside: bool = False


@dataclass(frozen=True)
class FlagContradicted(Event):
    """A model is trained by ``how``, and a flag of a container and those of the layers inside contradict each other.

    ``kind``: ``skipped`` (setting a flag that was so already reaches nothing), ``outer`` (the model itself is frozen,
    layers of it are released), ``nested`` (the same with a model inside it), ``leak`` (a composite layer is frozen
    and what it holds is not). ``place``: the statement that has not the effect it looks to have; ``other``: the one
    that it contradicts; ``owner``: whose flag it is; ``idle``: nothing at all trains.
    """

    model: Instance
    how: str
    kind: str
    place: Site
    other: Site | None
    owner: Instance
    idle: bool = False


@dataclass(frozen=True)
class SettingMissed(Event):
    """A setting of an optimizer (its class: ``cls``, "" when not known) that is none, or another than it looks.

    ``kind``: ``attribute`` (set under a name that nobody reads; ``name``: the right one), ``positional`` (``name``:
    what the second argument is), ``argument`` (one that Keras 3 does not take), ``unknown argument`` (none takes it),
    ``variables`` (given in place of the learning rate), ``method`` (gone in Keras 3), ``overwritten`` (by ``compile``).
    """

    kind: str
    cls: str
    name: str
    other: Site | None = None


@dataclass(frozen=True)
class OptimizerReused(Event):
    """A model is compiled (``site``) and fitted (``fitted``) with an optimizer that has its state for other layers.

    ``kind``: those of another ``model``, or of this one before layers were ``unfrozen``. ``made``: where it was made;
    ``built``: the fit that gave it its state.
    """

    kind: str
    model: Instance
    before: Instance
    made: Site
    built: Site
    fitted: Site
