"""One line a finding, for editors, ``grep`` and people in a hurry.

``reporters.write`` calls it. Must not know where the lines go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.reporters import one_line, place_of

if TYPE_CHECKING:
    from optlint.engine import Report


def to_lines(report: Report) -> Iterator[str]:
    """``path:line:column: CODE message`` (in a notebook ``path:cell N:line:column``), in the report's order."""
    for finding in report.findings:
        yield f"{place_of(finding)}: {finding.code} {one_line(finding.message)}"
