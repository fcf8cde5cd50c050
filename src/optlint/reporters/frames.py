"""A piece of source with line numbers and a span marked in it, as plain lines.

The ``full`` reporter draws them. Must not know colours, findings or files.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence

from optlint.deferred import dataclass
from optlint.finding import Span
from optlint.reporters import visible

TAB = 4
MAX_MARKED_LINES = 6
"""A longer span is shown by its first and last lines."""

LEAD = 20
"""What is kept before a span when a long line is cut."""


class Kind(enum.Enum):
    """What a line of a frame is."""

    CODE = "code"
    MARK = "mark"
    GAP = "gap"


@dataclass(frozen=True)
class FrameLine:
    """One line: ``number`` is the source line it shows, if it shows one."""

    kind: Kind
    text: str
    number: int | None = None


class _Laid:
    """A source line as it is shown: tabs expanded, control characters visible, columns mapped to cells."""

    def __init__(self, line: str) -> None:
        self.pieces: Sequence[str] = line
        self.cells: Sequence[int] = range(len(line) + 1)
        if not (line.isascii() and line.isprintable()):
            self._lay(line)

    def _lay(self, line: str) -> None:
        width_of: Callable[[str], int] = len
        if not line.isascii():
            from rich.cells import cell_len as width_of

        shown: list[str] = []
        cells = [0]
        for character in line:
            piece = " " * (TAB - cells[-1] % TAB) if character == "\t" else visible(character)
            shown.append(piece)
            cells.append(cells[-1] + (len(piece) if character == "\t" else width_of(piece)))
        self.pieces, self.cells = shown, cells

    def cell_of(self, column: int) -> int:
        """Where the character at ``column`` (from 1) starts; past the end, where the line ends."""
        return self.cells[min(max(column - 1, 0), len(self.cells) - 1)]

    def cut(self, start: int, width: int) -> tuple[str, int]:
        """At most ``width`` cells from cell ``start`` on, and by how much everything has moved to the left."""
        if self.cells[-1] <= width:
            return "".join(self.pieces).rstrip(), 0
        start = 0 if start < width - LEAD else start - LEAD
        room = width - 1 - (1 if start else 0)
        kept = [
            piece
            for piece, cell in zip(self.pieces, self.cells, strict=False)
            if start <= cell < start + room
        ]
        more = self.cells[-1] > start + room
        moved = next((cell for cell in self.cells if cell >= start), 0) - (1 if start else 0)
        return ("…" if start else "") + "".join(kept).rstrip() + ("…" if more else ""), max(moved, 0)


def frame(lines: Sequence[str], span: Span, *, context: int, mark: str, width: int) -> list[FrameLine]:
    """The lines of ``span`` with ``context`` lines around it, the span underlined with ``mark``.

    Lines wider than ``width`` cells are cut. Empty when the span does not lie within ``lines``.
    """
    if not 1 <= span.line <= len(lines):
        return []
    last = min(max(span.end_line, span.line), len(lines))
    first_shown = _past_blank(lines, max(span.line - context, 1), span.line, 1)
    last_shown = _past_blank(lines, min(last + context, len(lines)), last, -1)
    if last == span.line:
        marked = list(_one_line(lines[last - 1], span, mark, width))
        margin = ""
    else:
        marked = list(_several_lines(lines, span, last, mark, width))
        margin = "  "
    before = [_plain(lines, number, margin, width) for number in range(first_shown, span.line)]
    after = [_plain(lines, number, margin, width) for number in range(last + 1, last_shown + 1)]
    return [*before, *marked, *after]


def _past_blank(lines: Sequence[str], number: int, stop: int, step: int) -> int:
    """The first line from ``number`` towards ``stop`` that is not blank."""
    while number != stop and not lines[number - 1].strip():
        number += step
    return number


def _plain(lines: Sequence[str], number: int, margin: str, width: int) -> FrameLine:
    text, _ = _Laid(lines[number - 1]).cut(0, width - len(margin))
    return FrameLine(Kind.CODE, (margin + text).rstrip(), number)


def _one_line(line: str, span: Span, mark: str, width: int) -> Iterator[FrameLine]:
    laid = _Laid(line)
    start = laid.cell_of(span.column)
    end = laid.cell_of(span.end_column) if span.end_line == span.line else laid.cells[-1]
    text, moved = laid.cut(start, width)
    yield FrameLine(Kind.CODE, text, span.line)
    length = min(max(end - start, 1), max(width - (start - moved), 1))
    yield FrameLine(Kind.MARK, " " * (start - moved) + mark * length)


def _several_lines(lines: Sequence[str], span: Span, last: int, mark: str, width: int) -> Iterator[FrameLine]:
    """The span's lines behind a bar that leads from its first line to its end."""
    numbers: list[int | None] = list(range(span.line, last + 1))
    if len(numbers) > MAX_MARKED_LINES:
        numbers = [*numbers[: MAX_MARKED_LINES // 2], None, *numbers[-2:]]
    for number in numbers:
        if number is None:
            yield FrameLine(Kind.GAP, "| ...")
            continue
        text, _ = _Laid(lines[number - 1]).cut(0, width - 2)
        yield FrameLine(Kind.CODE, f"{'/' if number == span.line else '|'} {text}".rstrip(), number)
    laid = _Laid(lines[last - 1])
    end = laid.cell_of(span.end_column) if last == span.end_line else laid.cells[-1]
    yield FrameLine(Kind.MARK, "|" + "_" * min(max(end, 1), width - 2) + mark)
