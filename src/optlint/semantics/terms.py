"""What numbers carry when copies of other numbers are terms of them: plain data, made and read by ``copies``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from optlint.deferred import dataclass

if TYPE_CHECKING:
    from optlint.semantics.site import Site
    from optlint.semantics.values import Cut, Leaf


@dataclass(frozen=True)
class Copy:
    """A new tensor made of a number, or a number that was told to want a gradient.

    ``how``: a tensor was made (new, parameter) or a number was told (flag, call); ``asks``: it wants a gradient;
    ``leaf``: the tensor, where it is certainly one of its own; ``cuts``: what the number was computed of;
    ``computed``: it certainly was computed of something; ``in_graph``: the number itself had a gradient.
    """

    site: Site
    how: str
    asks: bool
    leaf: Leaf | None = None
    cuts: frozenset[tuple[Leaf, Cut]] = frozenset()
    computed: bool = False
    in_graph: bool | None = False


@dataclass(frozen=True)
class Terms:
    """The copies that are terms of a sum; ``whole``: it has no others than these and constants."""

    copies: frozenset[Copy]
    whole: bool = True


def joined(found: Sequence[Terms | None]) -> Terms | None:
    """What holds of a number that is one of several."""
    copies = frozenset(
        copy
        for terms in found
        if terms is not None
        for copy in terms.copies
        if copy.leaf is not None or all(other is not None and copy in other.copies for other in found)
    )
    return Terms(copies, all(terms is not None and terms.whole for terms in found)) if copies else None
