"""Plain data that every layer shares: where something is, what was found, how to mend it.

Rules build these, suppressions and reporters read them. Nothing in here knows about parsing, rules or output.
"""

from __future__ import annotations

import enum
from dataclasses import field

from optlint.deferred import dataclass


class Severity(enum.Enum):
    """How bad it is if the finding is true."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Confidence(enum.Enum):
    """How sure the analysis is that it happens."""

    CERTAIN = "certain"
    LIKELY = "likely"


class Safety(enum.Enum):
    """Whether a fix may be applied without asking."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    DISPLAY = "display"


@dataclass(frozen=True, order=True)
class Span:
    """A range of characters in a file; lines and columns start at 1, ``end_column`` is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True)
class Related:
    """Another place that a finding's message rests on."""

    path: str
    span: Span
    message: str
    cell: int | None = None


@dataclass(frozen=True)
class Edit:
    """Replace what stands at ``span`` (in a notebook: of ``cell``) by ``content``; its lines end in a line feed."""

    span: Span
    content: str
    cell: int | None = None


@dataclass(frozen=True)
class Fix:
    """Edits that together mend a finding, and whether they may be applied unasked."""

    safety: Safety
    message: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Finding:
    """One mistake in the user's program.

    ``statement_line`` is the first line of the statement around the finding: a suppression comment counts there too.
    ``cell``: in a notebook, the number of the cell that ``span`` counts in; while a notebook is analysed, ``None``, and
    ``span`` counts in the program that its cells are together. ``fingerprint``: what it is known by when lines move, in
    a report.
    """

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    message: str
    path: str
    span: Span
    help: str = ""
    related: tuple[Related, ...] = ()
    fix: Fix | None = None
    statement_line: int = 0
    cell: int | None = None
    fingerprint: str = ""

    @property
    def sort_key(self) -> tuple[str, int, int, int, str, str]:
        """Order in every report: path, (cell,) line, column, code, message."""
        return (self.path, self.cell or 0, self.span.line, self.span.column, self.code, self.message)


@dataclass(frozen=True)
class Note:
    """Something about a file that is no mistake of the user's but was not analysed, and why."""

    path: str
    line: int
    message: str
    cell: int | None = None


@dataclass
class FileReport:
    """What the analysis of one file gave: findings (in any project file), notes, faults, and what was left out."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
