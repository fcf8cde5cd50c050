"""The report for people: each finding with the code around it, the places it rests on, and what to do.

``reporters.write`` calls it. Must not know where the report goes beyond whether that is a terminal.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from optlint.finding import Finding, Related, Severity
from optlint.reporters import Style, one_line, place_of, statistics, summary, visible
from optlint.reporters.frames import FrameLine, Kind, frame
from optlint.rules.base import page_url
from optlint.source import split_lines

if TYPE_CHECKING:
    from optlint.engine import Report
    from optlint.fingerprints import Texts

CONTEXT = 2
"""Lines shown before and after a finding's own."""

PIPED_WIDTH = 120
"""Where a line of source is cut when there is no terminal to say; prose is never wrapped then."""

_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}
_GUTTER = "blue"


def print_report(report: Report, stream: IO[str], style: Style, texts: Texts) -> None:
    """Write ``report`` to ``stream``; ``texts`` gives the code around the findings."""
    printer = _Printer(report, stream, texts)
    if style.statistics:
        for line in statistics(report):
            printer.line(Text(line))
    else:
        for finding in report.findings:
            printer.finding(finding)
    if style.summary:
        printer.line(
            Text(summary(report), "bold" if report.findings else "bold green" if not report.errors else "")
        )


def colours_wanted(terminal: bool, environment: Mapping[str, str]) -> bool:
    """Whether to use colours: https://no-color.org first, then FORCE_COLOR, then whether it is a terminal."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return terminal and environment.get("TERM") != "dumb"


class _Printer:
    def __init__(self, report: Report, stream: IO[str], texts: Texts) -> None:
        terminal = stream.isatty()
        colours = colours_wanted(terminal, os.environ)
        self._console = Console(
            file=stream,
            force_terminal=colours,
            color_system="standard" if colours else None,
            no_color=not colours,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._wrap = self._console.width if terminal else None
        self._width = self._wrap or PIPED_WIDTH
        self._folder = report.folder
        self._texts = texts

    def line(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)

    def finding(self, finding: Finding) -> None:
        ends = [finding.span.end_line + CONTEXT, *(place.span.end_line for place in finding.related)]
        gutter = len(str(max(ends)))
        self._header(finding)
        colour = _COLOURS[finding.severity]
        self._frame(finding, gutter, CONTEXT, "^", colour)
        for place in finding.related:
            self._related(place, gutter)
        if finding.help:
            self._prose(f"{' ' * gutter} = ", "help: ", finding.help, _GUTTER, "bold")
        self.line(Text())

    def _header(self, finding: Finding) -> None:
        # The code leads to the rule's page, in terminals that know links.
        code = f"{_COLOURS[finding.severity]} link {page_url(finding.name)}"
        header = Text.assemble((f"{place_of(finding)}:", "bold"), " ", (finding.code, code))
        header.append(f"[{finding.name}]")
        for number, line in enumerate(self._wrapped(one_line(finding.message), len(header.plain) + 1, 4)):
            self.line(Text.assemble(header, " ", line) if number == 0 else Text(f"    {line}"))

    def _related(self, place: Related, gutter: int) -> None:
        self._prose(f"{' ' * gutter}::: ", f"{place_of(place)}: ", place.message, _GUTTER, "")
        self._frame(place, gutter, 0, "-", _GUTTER)

    def _prose(self, margin: str, label: str, text: str, margin_style: str, label_style: str) -> None:
        """``margin`` and ``label``, then the text, whose own and wrapped lines hang below its beginning."""
        hang = len(margin) + (len(label) if len(label) < PIPED_WIDTH // 4 else 0)
        first = True
        for paragraph in text.splitlines() or [""]:
            taken = len(margin) + len(label) if first else hang
            for line in self._wrapped(visible(paragraph), taken, hang):
                if first:
                    self.line(Text.assemble((margin, margin_style), (label, label_style), line))
                else:
                    self.line(Text(f"{' ' * hang}{line}".rstrip()))
                first = False

    def _wrapped(self, text: str, taken: int, hang: int) -> list[str]:
        """``text`` in lines that fit the terminal: the first starts at cell ``taken``, the others at ``hang``."""
        if self._wrap is None or taken + len(text) <= self._wrap:
            return [text]
        lines = [""]
        room = self._wrap - taken
        for word in text.split(" "):
            if len(lines[-1]) + 1 + len(word) > room and (lines[-1] or taken > hang):
                lines.append(word)
                room, taken = self._wrap - hang, hang
            else:
                lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
        return lines

    def _frame(self, place: Finding | Related, gutter: int, context: int, mark: str, colour: str) -> None:
        span = place.span
        if (span.line, span.column) == (span.end_line, span.end_column):
            return  # About the file as a whole.
        text = self._texts.shown(os.path.join(self._folder, place.path), place.cell)
        if text is None:
            return
        width = max(self._width - gutter - 3, 40)
        drawn = frame(split_lines(text), span, context=context, mark=mark, width=width)
        if not drawn:
            return
        bar = Text(f"{' ' * gutter} |", _GUTTER)
        self.line(bar)
        for line in drawn:
            self.line(_drawn(line, gutter, colour))
        self.line(bar)


def _drawn(line: FrameLine, gutter: int, colour: str) -> Text:
    number = "" if line.number is None else str(line.number)
    code = (f" {line.text}" if line.text else "", colour if line.kind is Kind.MARK else "")
    return Text.assemble((f"{number:>{gutter}} |", _GUTTER), code)
