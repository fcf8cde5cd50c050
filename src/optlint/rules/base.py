"""What a rule is: its documentation and metadata as typed data, and one function that turns facts into findings.

The registry (``optlint.rules``) finds every ``Rule`` subclass in this package; adding a file adds a rule.
A rule asks the semantic layer (``optlint.semantics``) and never resolves names or follows flow itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from optlint.finding import Confidence, Finding, Fix, Related, Severity

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.site import Site

DOCS_URL = "https://optlint.dev/rules/"


def page_url(name: str) -> str:
    """Where the page of the rule called ``name`` is."""
    return f"{DOCS_URL}{name}/"


class Rule:
    """One kind of mistake. Subclasses fill in the class attributes and ``check``.

    The class docstring is the first paragraph of the rule's page ("what it catches"); its first line is the summary.
    ``at_run_time`` says what really happens, as observed under the framework; ``bad`` and ``good`` are complete
    snippets; ``silent`` and ``misses`` list when the rule says nothing on purpose and what it is known not to see.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity] = Severity.ERROR
    confidence: ClassVar[Confidence] = Confidence.CERTAIN
    default: ClassVar[bool] = True
    frameworks: ClassVar[tuple[str, ...]] = ("PyTorch",)
    at_run_time: ClassVar[str] = ""
    bad: ClassVar[str] = ""
    good: ClassVar[str] = ""
    silent: ClassVar[tuple[str, ...]] = ()
    misses: ClassVar[tuple[str, ...]] = ()

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield the findings of one run (a module body, a function or a class followed from its start)."""
        raise NotImplementedError

    @classmethod
    def summary(cls) -> str:
        """The first line of the rule's documentation."""
        return (cls.__doc__ or "").strip().split("\n", 1)[0]

    @classmethod
    def description(cls) -> str:
        """The rule's documentation without its summary line."""
        import textwrap  # for documentation only

        first, _, rest = (cls.__doc__ or "").strip().partition("\n")
        return textwrap.dedent(rest).strip() or first

    @classmethod
    def url(cls) -> str:
        """Where the rule's page is."""
        return page_url(cls.name)

    def finding(
        self,
        site: Site,
        *,
        message: str,
        help: str,
        related: tuple[Related, ...] = (),
        fix: Fix | None = None,
    ) -> Finding:
        """A finding of this rule at a place of the program."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=self.severity,
            confidence=self.confidence,
            message=message,
            path=site.path,
            span=site.span(),
            help=help,
            related=related,
            fix=fix,
            statement_line=site.statement_line(),
        )
