"""What IPython adds to Python: magics, shell lines, questions; made into Python of the same number of lines.

``notebook`` calls it for each code cell. Must not know about files, JSON or other cells.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from optlint.deferred import dataclass

#: Magics whose cell, or the rest of whose line, is Python that runs in the notebook.
PYTHON_MAGICS = frozenset(
    {"time", "timeit", "prun", "memit", "lprun", "mprun", "capture", "wandb", "snakeviz"}
)
#: Cell magics whose cell is another language, or goes into a file.
OTHER_LANGUAGES = frozenset(
    {"bash", "sh", "script", "cmd", "powershell", "perl", "ruby", "R", "julia", "cython", "python2", "pypy"}
    | {"html", "HTML", "css", "javascript", "js", "latex", "markdown", "svg", "SVG", "mermaid", "dot"}
    | {"sql", "bigquery", "writefile", "file", "writetemplate"}
)
#: What stands for code that cannot be seen and may define or change any name.
UNSEEN = "from ipython_unseen_code import *"

_MAGIC = re.compile(r"(?P<indent>\s*)%(?P<name>\w+)(?P<options>(?:\s+-{1,2}\w+(?:\s*\d+)?)*)\s*(?P<rest>.*)")
_CELL_MAGIC = re.compile(r"%%(?P<name>\w+)")
_ASSIGNED = re.compile(r"(?P<target>\s*[\w.,\s\[\]'\"]+?=\s*)(?:!|%\w)")
_QUESTION = re.compile(r"\s*(?:\?{1,2}[\w.*%]+|[%\w.*]+\?{1,2})\s*$")
_STRING = re.compile(r"(?P<quote>'''|\"\"\"|'|\")")
_PIECE = re.compile(r"#.*|'''|\"\"\"|'|\"|[(\[{]|[)\]}]")


@dataclass(frozen=True)
class Line:
    """A line of Python; from ``start`` on (from 0) its characters stand ``shift`` further right in the cell."""

    text: str
    shift: int = 0
    start: int = 0

    def column(self, column: int) -> int:
        """Where the character at ``column`` (from 1) stands in the cell."""
        return column + self.shift if column > self.start else column


def to_python(cell: Sequence[str]) -> list[Line]:
    """The lines of a cell as Python, one for each. Never raises; what is no IPython either stays as it is."""
    first = next((number for number, line in enumerate(cell) if line.strip()), None)
    if first is None:
        return [Line("")] * len(cell)
    head = _CELL_MAGIC.match(cell[first])
    if head is None:
        return _lines(_dedented(cell, first))
    blank = [Line("")] * (first + 1)
    if head["name"] in PYTHON_MAGICS:
        return blank + to_python(cell[first + 1 :])
    blank[first] = Line("pass" if head["name"] in OTHER_LANGUAGES else UNSEEN)
    return blank + [Line("")] * (len(cell) - first - 1)


def _dedented(cell: Sequence[str], first: int) -> list[Line]:
    """Without the indentation of the first line, as IPython runs it."""
    indent = len(cell[first]) - len(cell[first].lstrip())
    margin = cell[first][:indent]
    return [
        Line(line[indent:], indent) if indent and line.startswith(margin) else Line(line) for line in cell
    ]


def _lines(cell: Sequence[Line]) -> list[Line]:
    result: list[Line] = []
    scanner = _Scanner()
    swallowed = False
    for line in cell:
        if swallowed:
            swallowed = line.text.rstrip().endswith("\\")
            result.append(Line(""))
            continue
        new = _line(line) if scanner.at_statement else None
        if new is None:
            scanner.read(line.text)
            result.append(line)
        else:
            swallowed = line.text.rstrip().endswith("\\")
            result.append(new)
    return result


def _line(line: Line) -> Line | None:
    """What a line that begins a statement is in Python; ``None`` when it is Python already."""
    text = line.text
    bare = text.lstrip()
    indent = text[: len(text) - len(bare)]
    if bare.startswith("!") or _QUESTION.match(text):
        return Line(f"{indent}pass", line.shift)
    if bare.startswith("%"):
        return _magic(line)
    assigned = _ASSIGNED.match(text)
    if assigned is not None:
        return Line(f"{assigned['target']}get_ipython()", line.shift)
    return None


def _magic(line: Line) -> Line:
    found = _MAGIC.match(line.text)
    if found is None:
        return Line("pass", line.shift)
    indent, name, rest = found["indent"], found["name"], found["rest"]
    if name in PYTHON_MAGICS and name != "capture" and rest:
        return Line(indent + rest, line.shift + found.start("rest") - len(indent), len(indent))
    if name in ("run", "load", "loadpy", "store", "pylab", "reset", "macro"):
        return Line(indent + (UNSEEN if not indent else "get_ipython()"), line.shift)
    return Line(f"{indent}pass", line.shift)


class _Scanner:
    """Follows brackets, strings and continued lines, to tell where a statement begins."""

    def __init__(self) -> None:
        self._depth = 0
        self._quote = ""
        self._continued = False

    @property
    def at_statement(self) -> bool:
        """Whether the next line begins a statement."""
        return not (self._depth or self._quote or self._continued)

    def read(self, line: str) -> None:
        """Take note of a line of Python."""
        at, comment = 0, False
        while at < len(line) and not comment:
            if self._quote:
                at = self._end_of_string(line, at)
                continue
            found = _PIECE.search(line, at)
            if found is None:
                break
            piece, at = found[0], found.end()
            comment = piece.startswith("#")
            if _STRING.fullmatch(piece):
                self._quote = piece
            elif piece in "([{":
                self._depth += 1
            elif piece in ")]}":
                self._depth = max(0, self._depth - 1)
        self._continued = not comment and line.endswith("\\")
        if len(self._quote) == 1 and not self._continued:
            self._quote = ""  # not closed: a mistake that the parser will report

    def _end_of_string(self, line: str, at: int) -> int:
        while at < len(line):
            if line[at] == "\\":
                at += 2
            elif line.startswith(self._quote, at):
                at += len(self._quote)
                self._quote = ""
                return at
            else:
                at += 1
        return at
