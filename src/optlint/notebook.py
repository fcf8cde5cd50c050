"""Jupyter notebooks: the cells of a file, the program that they are together, and where its lines stand.

``source`` reads notebooks through here; the engine and the reporters ask where a line stands. Must not know rules.
"""

from __future__ import annotations

import functools
import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from optlint.deferred import dataclass
from optlint.finding import Span
from optlint.magics import Line, to_python
from optlint.source import SourceError

#: A larger file is all pictures and tables; reading it takes longer than anybody waits.
MAX_NOTEBOOK_BYTES = 100_000_000

_LINE_END = re.compile(r"\r\n|\r|\n")
_PYTHON = re.compile(r"i?python", re.IGNORECASE)


class NotebookError(SourceError):
    """A notebook that gives no program: broken, of an old format, in another language."""


@dataclass(frozen=True)
class Cell:
    """A code cell: its number, counted over all cells from 1, its lines as they are and as Python."""

    number: int
    source: tuple[str, ...]
    python: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The Python of this cell."""
        return "\n".join(line.text for line in self.python) + "\n"


@dataclass(frozen=True)
class Place:
    """A range within one cell, in lines and columns of that cell."""

    cell: int
    span: Span


class Notebook:
    """The code cells of a notebook as one program, in their order."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = tuple(cells)
        starts: list[int] = []
        line = 1
        for cell in self.cells:
            starts.append(line)
            line += len(cell.python)
        self._starts = starts

    @property
    def program(self) -> str:
        """The text of all code cells as Python."""
        return "".join(cell.text for cell in self.cells)

    def first_line(self, cell: Cell) -> int:
        """The line of the program on which a cell begins."""
        return self._starts[self.cells.index(cell)]

    def place(self, span: Span) -> Place | None:
        """Where a range of the program stands; ``None`` in a notebook without code."""
        at = bisect_right(self._starts, span.line) - 1
        if at < 0:
            return None
        cell, offset = self.cells[at], self._starts[at] - 1
        last = len(cell.python)
        line, end_line = span.line - offset, min(span.end_line - offset, last)
        column = _column(cell, line, span.column)
        end_column = _column(cell, end_line, span.end_column)
        return Place(cell.number, Span(line, column, end_line, end_column))

    def source_of(self, number: int) -> str | None:
        """The text of the code cell with this number, as it is in the notebook."""
        return self._sources.get(number)

    @functools.cached_property
    def _sources(self) -> dict[int, str]:
        return {cell.number: "\n".join(cell.source) for cell in self.cells}


def _column(cell: Cell, line: int, column: int) -> int:
    return cell.python[line - 1].column(column) if 1 <= line <= len(cell.python) else column


def read(data: bytes) -> Notebook:
    """The notebook in the bytes of a file. Raises ``NotebookError``."""
    document = _document(data)
    cells = document.get("cells")
    if "worksheets" in document or _version(document) < 4:
        raise NotebookError(
            "a notebook of format 3, not analysed: `jupyter nbconvert --to notebook --inplace` brings it up to date"
        )
    if not isinstance(cells, list):
        raise NotebookError("no notebook: it has no list of cells")
    language = _language(document)
    if language is not None and not _PYTHON.fullmatch(language):
        raise NotebookError(f"a notebook in {language}, not analysed")
    if _python_2(document):
        raise NotebookError("a notebook in Python 2, not analysed")
    return Notebook([_cell(number, cell) for number, cell in enumerate(cells, start=1) if _is_code(cell)])


def _document(data: bytes) -> dict[str, Any]:
    if not data.strip():
        raise NotebookError("an empty file, no notebook")
    if len(data) > MAX_NOTEBOOK_BYTES:
        raise NotebookError(f"larger than {MAX_NOTEBOOK_BYTES // 1_000_000} MB, not analysed")
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise NotebookError("no notebook: it is not UTF-8", data[: error.start].count(b"\n") + 1) from error
    except json.JSONDecodeError as error:
        raise NotebookError(f"no notebook: broken JSON ({error.msg})", error.lineno) from error
    except (RecursionError, ValueError) as error:
        raise NotebookError("no notebook: its JSON cannot be read") from error
    if not isinstance(document, dict):
        raise NotebookError("no notebook: it has no list of cells")
    return document


def _version(document: dict[str, Any]) -> int:
    version = document.get("nbformat", 4)
    return version if isinstance(version, int) else 4


def _language(document: dict[str, Any]) -> str | None:
    """The language that the notebook says it is in, if it says so."""
    return _metadata(document, "language_info", "name") or _metadata(document, "kernelspec", "language")


def _python_2(document: dict[str, Any]) -> bool:
    version = _metadata(document, "language_info", "version") or ""
    return version.startswith("2.") or _metadata(document, "kernelspec", "name") == "python2"


def _metadata(document: dict[str, Any], part: str, key: str) -> str | None:
    metadata = document.get("metadata")
    section = metadata.get(part) if isinstance(metadata, dict) else None
    value = section.get(key) if isinstance(section, dict) else None
    return value if isinstance(value, str) and value else None


def _is_code(cell: Any) -> bool:
    return isinstance(cell, dict) and cell.get("cell_type") == "code" and _source(cell) is not None


def _source(cell: dict[str, Any]) -> str | None:
    source = cell.get("source")
    if isinstance(source, str):
        return source
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    return None


def _cell(number: int, cell: dict[str, Any]) -> Cell:
    lines = _LINE_END.split(_source(cell) or "")
    return Cell(number, tuple(lines), tuple(to_python(lines)))
