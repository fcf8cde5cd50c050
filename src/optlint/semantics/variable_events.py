"""What happened with lists of variables, and with variables and layers that Keras does not know of.

Recorded by ``libraries.keras_*``, read by the questions. Must not know rules.
"""

from __future__ import annotations

from optlint.deferred import dataclass
from optlint.semantics.events import Event
from optlint.semantics.site import Site
from optlint.semantics.values import Instance, Value


@dataclass(frozen=True)
class Emptiness:
    """Why a list of variables is empty.

    ``kind``: ``written`` (an empty list), ``filtered`` (nothing passed the condition), ``unbuilt`` (the model or layer
    ``owner``, of class ``cls``, made at ``made``, had no weights yet when the list was read at ``site``), or
    ``collection`` (one of TensorFlow 1, which is always empty in eager mode). ``sequential``: Keras 2 refuses to read it.
    """

    kind: str
    site: Site
    owner: str = ""
    cls: str = ""
    made: Site | None = None
    sequential: bool = False


@dataclass(frozen=True)
class VariablesListed(Event):
    """Gradients are asked for, or given to an optimizer, by ``how``. ``empty``: why for no variable; None: for some.

    ``old``: the optimizer is one of TensorFlow 1; ``listed``: the text of the list.
    """

    how: str
    empty: Emptiness | None
    listed: str = ""
    old: bool = False


@dataclass(frozen=True)
class LayerMadeInCall(Event):
    """While ``method`` of a Keras layer or model ``owner`` ran, ``layer`` was made, by ``function``.

    ``symbolic``: the method was called by itself to build a functional model, which then has the layer.
    """

    owner: Instance
    method: str
    layer: Instance
    function: str
    symbolic: bool


@dataclass(frozen=True)
class UntrackedUsed(Event):
    """A model computes with a variable or layer that Keras does not find there.

    ``kind``: ``lambda`` (a Lambda layer's function has it from outside), ``operation`` (of a symbolic tensor with a
    variable), or ``call`` (of a layer that is no part of those that compute, ``owners``). ``name``: what the program
    calls it.
    """

    kind: str
    value: Value
    name: str
    owners: tuple[Instance, ...] = ()
