"""How a report is shown: one module a format, each a function from the report to text.

The command line calls ``write``. Must not know how findings came about, nor options beyond ``Style``.
"""

from __future__ import annotations

import importlib
import os
from collections import Counter
from typing import IO, TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.finding import Severity

if TYPE_CHECKING:
    from optlint.engine import Report
    from optlint.finding import Finding, Related
    from optlint.fingerprints import Texts


@dataclass(frozen=True)
class Style:
    """What of a report is wanted: its last line, and counts in place of the findings."""

    summary: bool = True
    statistics: bool = False


def write(report: Report, output_format: str, stream: IO[str], style: Style, texts: Texts) -> None:
    """Write ``report`` to ``stream`` as ``output_format`` (one of ``settings.OUTPUT_FORMATS``)."""
    # Each format is imported when it is asked for: rich alone takes longer to load than a small file to check.
    if output_format in _FOR_PROGRAMS:
        module = importlib.import_module(f"optlint.reporters.{_FOR_PROGRAMS[output_format]}")
        stream.write(module.to_text(report, texts))
    elif output_format == "json":
        from optlint.reporters.json_report import to_json

        stream.write(to_json(report))
    elif output_format == "concise":
        from optlint.reporters.concise import to_lines

        stream.writelines(
            f"{line}\n" for line in (statistics(report) if style.statistics else to_lines(report))
        )
    elif not report.findings and not stream.isatty() and not os.environ.get("FORCE_COLOR"):
        if style.summary:
            stream.write(f"{summary(report)}\n")
    else:
        from optlint.reporters.full import print_report

        print_report(report, stream, style, texts)


_FOR_PROGRAMS = {"sarif": "sarif", "github": "github", "gitlab": "gitlab", "junit": "junit"}
"""Formats that another program reads, and the modules that write them."""


def summary(report: Report) -> str:
    """The last line: what was found, in how many files."""
    if report.findings:
        by_severity = Counter(finding.severity for finding in report.findings)
        parts = [counted(by_severity[level], _SINGULAR[level]) for level in Severity if by_severity[level]]
        found = f"Found {counted(len(report.findings), 'finding')} ({', '.join(parts)})"
        return f"{found} in {counted(report.files, 'file')}."
    unchecked = len({error.path for error in report.errors})
    if unchecked:
        return f"Found nothing, but {counted(unchecked, 'file')} could not be fully checked."
    return "All checks passed." if report.files else "No Python files or notebooks found."


_SINGULAR = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def counted(number: int, noun: str) -> str:
    """``number`` and ``noun``, in the plural unless there is one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def statistics(report: Report) -> list[str]:
    """How often each rule was broken, the most frequent first."""
    counts = Counter((finding.code, finding.name) for finding in report.findings)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    width = len(str(ordered[0][1])) if ordered else 0
    return [f"{count:>{width}}  {code}  {name}" for (code, name), count in ordered]


def place_of(found: Finding | Related) -> str:
    """Where something is: path, cell in a notebook, line and column."""
    cell = "" if found.cell is None else f"cell {found.cell}:"
    return f"{visible(found.path)}:{cell}{found.span.line}:{found.span.column}"


def one_line(text: str) -> str:
    """``text`` without line ends, and without what would move the cursor or colour the terminal."""
    return visible(" ".join(text.split()))


def visible(text: str) -> str:
    """``text`` with control characters shown as pictures; a file must not be able to write to the terminal."""
    return text.translate(_PICTURES)


_DIRECTION_MARKS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)
_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
_PICTURES |= dict.fromkeys((*range(0x80, 0xA0), 0x2028, 0x2029, *_DIRECTION_MARKS), 0xFFFD)
