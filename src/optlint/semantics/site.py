"""Where something stands in the user's program; the position is worked out only when a finding needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.finding import Related, Span

if TYPE_CHECKING:
    import libcst as cst

    from optlint.syntax.source_module import Slice


@dataclass(frozen=True)
class Site:
    """A node of a slice, and the statement that it is part of."""

    part: Slice
    node: cst.CSTNode
    statement: cst.CSTNode

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Site) and self.node is other.node

    def __hash__(self) -> int:
        return id(self.node)

    @property
    def path(self) -> str:
        """The file it stands in."""
        return self.part.module.path

    def span(self) -> Span:
        """Its lines and columns."""
        return self.part.span(self.node)

    def statement_line(self) -> int:
        """The first line of its statement."""
        return self.part.span(self.statement).line

    def text(self) -> str:
        """The source of the node on one line."""
        return " ".join(self.part.code(self.node).split())

    def related(self, message: str) -> Related:
        """This place as a related place of a finding."""
        return Related(self.path, self.span(), message)
