"""The report for people: each finding with the code around it, the places it rests on, and what to do.

``reporters.write`` calls it. Must not know where the report goes beyond whether that is a terminal. rich, which takes as
long to load as a script to check, is loaded for terminals and colours only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING

from optlint.finding import Finding, Related, Severity
from optlint.reporters import Style, one_line, place_of, statistics, summary, visible
from optlint.reporters.frames import FrameLine, Kind, frame
from optlint.rules.base import page_url
from optlint.source import lines_of

if TYPE_CHECKING:
    from rich.console import Console

    from optlint.engine import Report
    from optlint.fingerprints import Texts

CONTEXT = 2
"""Lines shown before and after a finding's own."""

PIPED_WIDTH = 120
"""Where a line of source is cut when there is no terminal to say; prose is never wrapped then."""

_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}
_GUTTER = "blue"

Piece = tuple[str, str]
"""A part of a line, and how it is to look."""


def print_report(report: Report, stream: IO[str], style: Style, texts: Texts) -> None:
    """Write ``report`` to ``stream``; ``texts`` gives the code around the findings."""
    printer = _Printer(report, stream, texts)
    if style.statistics:
        for line in statistics(report):
            printer.line((line, ""))
    else:
        for finding in report.findings:
            printer.finding(finding)
    if style.summary:
        look = "bold" if report.findings else "bold green" if not report.errors else ""
        printer.line((summary(report), look))


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
        self._stream = stream
        self._console = _console(stream, colours) if terminal or colours else None
        self._wrap = self._console.width if terminal and self._console is not None else None
        self._width = self._wrap or PIPED_WIDTH
        self._folder = report.folder
        self._texts = texts

    def line(self, *pieces: Piece) -> None:
        if self._console is None:
            self._stream.write("".join(text for text, _ in pieces) + "\n")
            return
        from rich.text import Text

        self._console.print(Text.assemble(*pieces), soft_wrap=True)

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
        self.line()

    def _header(self, finding: Finding) -> None:
        # The code leads to the rule's page, in terminals that know links.
        code = f"{_COLOURS[finding.severity]} link {page_url(finding.name)}"
        place, name = f"{place_of(finding)}:", f"[{finding.name}]"
        taken = len(place) + 1 + len(finding.code) + len(name) + 1
        for number, line in enumerate(self._wrapped(one_line(finding.message), taken, 4)):
            if number == 0:
                self.line((place, "bold"), (" ", ""), (finding.code, code), (f"{name} {line}", ""))
            else:
                self.line((f"    {line}", ""))

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
                    self.line((margin, margin_style), (label, label_style), (line, ""))
                else:
                    self.line((f"{' ' * hang}{line}".rstrip(), ""))
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
        drawn = frame(lines_of(text), span, context=context, mark=mark, width=width)
        if not drawn:
            return
        bar = (f"{' ' * gutter} |", _GUTTER)
        self.line(bar)
        for line in drawn:
            self.line(*_drawn(line, gutter, colour))
        self.line(bar)


def _console(stream: IO[str], colours: bool) -> Console:
    from rich.console import Console

    return Console(
        file=stream,
        force_terminal=colours,
        color_system="standard" if colours else None,
        no_color=not colours,
        highlight=False,
        markup=False,
        emoji=False,
    )


def _drawn(line: FrameLine, gutter: int, colour: str) -> tuple[Piece, Piece]:
    number = "" if line.number is None else str(line.number)
    code = (f" {line.text}" if line.text else "", colour if line.kind is Kind.MARK else "")
    return (f"{number:>{gutter}} |", _GUTTER), code
