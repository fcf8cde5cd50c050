"""The codes of the tool itself: a file that does not parse, a needless suppression, a fault of optlint.

The engine and the suppressions make these findings; the classes are here so that they are explained, listed,
selected and ignored like any other rule. Must not know how they come about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Confidence, Finding, Severity, Span
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run


class InvalidSyntax(Rule):
    """A file that Python cannot parse or decode.

    Nothing in such a file is checked. Only `--ignore OPT901` (or `ignore`, `per-file-ignores`) silences it:
    `--select` with other rules does not, because a file that was not checked should never look like a clean
    one.
    """

    code = "OPT901"
    name = "syntax-error"
    frameworks = ()
    at_run_time = "Python raises `SyntaxError` before the first line of the file runs."
    bad = "optimizer = torch.optim.Adam(model.parameters()\nloss.backward()\n"
    good = "optimizer = torch.optim.Adam(model.parameters())\nloss.backward()\n"
    silent = (
        "A file that only a newer Python than the one that runs optlint can read: a note names it instead.",
        "A file with `# optlint: skip-file` at its top is not read any further.",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Find nothing: the engine reports it."""
        yield from ()


class UnusedSuppression(Rule):
    """A suppression comment that suppresses nothing.

    It may hide the next mistake on its line, and it tells the reader of a problem that is no longer there.
    Only our own codes are judged, and only those of rules that ran.
    """

    code = "OPT902"
    name = "unused-suppression"
    severity = Severity.WARNING
    frameworks = ()
    at_run_time = "Nothing: it is a comment."
    bad = "optimizer = torch.optim.Adam(model.parameters())  # noqa: OPT101\n"
    good = "optimizer = torch.optim.Adam(model.parameters())\n"
    silent = (
        "A plain `# noqa`, and codes of other tools (`# noqa: E501`).",
        "A code whose rule is switched off for the file.",
        "A file that could not be analysed.",
    )
    misses = (
        "A suppression in a module is reported although it is needed when its finding only comes up through a "
        "script that is not part of this run; lint the script too.",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Find nothing: the suppressions report it."""
        yield from ()


class RuleFailed(Rule):
    """A fault of optlint itself on this file.

    The other rules' findings, and those of the other files, are reported all the same. The exit status is 2.
    """

    code = "OPT999"
    name = "rule-failed"
    frameworks = ()
    at_run_time = (
        "Nothing: your program may well be right. Please report the fault with the file, if you can share it."
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Find nothing: the engine reports it."""
        yield from ()


HOUSEKEEPING: tuple[type[Rule], ...] = (InvalidSyntax, UnusedSuppression, RuleFailed)


def housekeeping_finding(
    rule: type[Rule], path: str, span: Span, message: str, *, advice: str = ""
) -> Finding:
    """A finding of one of these codes: no analysis is behind it, so it is certain."""
    return Finding(
        code=rule.code,
        name=rule.name,
        severity=rule.severity,
        confidence=Confidence.CERTAIN,
        message=message,
        path=path,
        span=span,
        help=advice,
        statement_line=span.line,
    )
