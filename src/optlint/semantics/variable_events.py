"""What happened with lists of variables, and with variables and layers that Keras does not know of.

Recorded by ``libraries.keras_*``, read by the questions. Must not know rules.
"""

from __future__ import annotations

from dataclasses import dataclass

from optlint.semantics.events import Event
from optlint.semantics.site import Site


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
