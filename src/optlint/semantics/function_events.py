"""What happened to the user's own autograd Functions: applied, or called in place of that.

``libraries.autograd_functions`` records, ``questions.faulty_functions`` asks. Must not know rules.
"""

from __future__ import annotations

from optlint.deferred import dataclass
from optlint.semantics.events import Event
from optlint.semantics.values import Cut, UserClass


@dataclass(frozen=True)
class FunctionApplied(Event):
    """``cls.apply(…)``, which lets no gradient through: ``cut`` says where and how, ``inputs`` to what it gives none.

    ``fault``: what is wrong, ``expected`` and ``got`` what torch says of it.
    """

    cls: UserClass
    cut: Cut
    fault: str
    inputs: tuple[str, ...] = ()
    expected: int = 0
    got: str = ""


@dataclass(frozen=True)
class FunctionCalled(Event):
    """An object of such a class was called, in place of ``apply``. ``guarded``: an error is expected."""

    cls: UserClass
    guarded: bool
