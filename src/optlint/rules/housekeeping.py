"""The codes of the tool itself: a file that does not parse, a needless suppression, a fault of optlint.

The engine and the suppressions make these findings; the classes are here so that they are explained, listed, selected
and ignored like any other rule. Must not know how they come about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Confidence, Finding, Severity, Span
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run


class Housekeeping(Rule):
    """A code that is reported about a file, not about the program in it. (No rule itself: its subclasses are.)"""

    frameworks = ()

    def check(self, run: Run) -> Iterator[Finding]:
        """Find nothing: the engine reports these."""
        yield from ()

    @classmethod
    def finding(cls, path: str, span: Span, message: str, help: str = "") -> Finding:  # noqa: A002
        """A finding of this code at ``span``."""
        return Finding(
            code=cls.code,
            name=cls.name,
            severity=cls.severity,
            confidence=Confidence.CERTAIN,
            message=message,
            path=path,
            span=span,
            help=help,
            statement_line=span.line,
        )
