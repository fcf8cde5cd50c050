"""One Python file as top-level slices that libcst parses only when somebody asks for their statements.

``semantics.project`` makes these and the interpreter walks them. Nothing in here knows what the code means.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from optlint.deferred import dataclass
from optlint.finding import Span
from optlint.syntax import cst
from optlint.syntax.places import Places
from optlint.syntax.statements import statements

if TYPE_CHECKING:
    import libcst
    from libcst._position import CodeRange

#: The newest Python of whose ``ast`` the builders know every node.
KNOWN_PYTHON = (3, 14)
#: Deeper syntax trees are not handed to libcst: its time grows with the square of a chain's length.
MAX_DEPTH = 400
#: Shorter statements cannot be that deep in a way that matters.
_SHALLOW_CHARACTERS = 2_500
#: Levels of a tree that have no text of their own: a statement that is an expression, the operators of an expression.
_WITHOUT_TEXT = 8
#: A longer top-level statement (a table of numbers, a generated blob) is not parsed; its names are unknown.
MAX_SLICE_CHARACTERS = 400_000


@dataclass(frozen=True)
class ParseProblem:
    """Why a slice could not be parsed, and on which line of the file."""

    line: int
    message: str


class Slice:
    """Consecutive lines of a file that hold one (or, with semicolons, several) top-level statements."""

    def __init__(
        self, module: SourceModule, first_line: int, last_line: int, nodes: Sequence[ast.stmt]
    ) -> None:
        self.module = module
        self.first_line = first_line
        self.last_line = last_line
        self.definition = _definition_name(nodes)
        self.problem: ParseProblem | None = None
        self._nodes: Sequence[ast.stmt] = nodes
        self._tree: libcst.Module | None = None
        self._built: Sequence[Any] | None = None
        self._places: Places | None = None
        self._positions: dict[libcst.CSTNode, CodeRange] | None = None

    def statements(self) -> Sequence[cst.BaseStatement]:
        """The libcst statements; empty, with ``problem`` set, when they cannot be parsed."""
        if self._built is None and self.problem is None:
            self._build() if self._nodes else self._parse()
        return () if self._built is None else self._built

    def _build(self) -> None:
        starts = self.module.starts
        size = starts[self.last_line + 1] - starts[self.first_line]
        if size > MAX_SLICE_CHARACTERS:
            self.problem = ParseProblem(self.first_line, "this statement is too long to analyse")
            return
        if size > _SHALLOW_CHARACTERS and _deeper_than(self._nodes, MAX_DEPTH, self.module.starts):
            self.problem = ParseProblem(self.first_line, "this statement is nested too deeply to analyse")
            return
        try:
            self._built = self._from_ast()
        except RecursionError:
            self.problem = ParseProblem(self.first_line, "this statement is nested too deeply to analyse")
            return
        if self._built is None:
            self._parse()
            return
        self._places = Places(self._nodes, self.module.lines, self.first_line, self.last_line)

    def _from_ast(self) -> Sequence[Any] | None:
        """The nodes made from those of ``ast``; ``None`` where a later Python's are not known. Of such a Python all is
        made at once: nobody could help when the body of a function fails later."""
        if sys.version_info[:2] <= KNOWN_PYTHON:
            return statements(self._nodes, self.module.lines)
        try:
            made = statements(self._nodes, self.module.lines)
            below: list[Any] = list(made)
            while below:
                below += below.pop().children
        except (KeyError, AttributeError, TypeError):
            return None
        return made

    def _parse(self) -> None:
        from optlint.syntax import newer

        text = self.module.lines_text(self.first_line, self.last_line)
        if len(text) > MAX_SLICE_CHARACTERS:
            self.problem = ParseProblem(self.first_line, "this statement is too long to analyse")
            return
        try:
            self._tree = newer.parsed(text)
            self._built = [newer.converted(node) for node in self._tree.body]
        except KeyError:
            self.problem = ParseProblem(
                self.first_line, "this is newer Python than optlint knows; not analysed"
            )
        except newer.libcst.ParserSyntaxError as error:
            line = self.first_line + error.raw_line - 1
            self.problem = ParseProblem(line, "Python accepts this but libcst cannot parse it; not analysed")
        except RecursionError:
            self.problem = ParseProblem(self.first_line, "this statement is nested too deeply to analyse")

    def code(self, node: Any) -> str:
        """The source text of a node."""
        if self._places is not None:
            return self._places.code(node)
        if self._tree is None:
            return ""
        if node.text or not hasattr(node, "place"):
            return str(node.text or getattr(node, "value", "pass"))
        return self._tree.code_for_node(node.place)

    def span(self, node: Any) -> Span:
        """Where a node of this slice stands in the file (positions are worked out on the first call)."""
        if self._places is not None:
            line, column, end_line, end = self._places.span(node)
            return Span(line, column + 1, end_line, end + 1)
        if self._positions is None:
            if self._tree is None:
                return Span(self.first_line, 1, self.first_line, 1)
            from libcst.metadata import MetadataWrapper, PositionProvider

            wrapper = MetadataWrapper(self._tree, unsafe_skip_copy=True)
            self._positions = dict(wrapper.resolve(PositionProvider))
        where = self._positions.get(node.place) if hasattr(node, "place") else None
        if where is None:
            return Span(self.first_line, 1, self.first_line, 1)
        offset = self.first_line - 1
        return Span(
            where.start.line + offset, where.start.column + 1, where.end.line + offset, where.end.column + 1
        )


class SourceModule:
    """A file's text and its slices. ``path`` is the path that findings are reported under; ``tree`` is what
    ``ast.parse`` made of the text, if that is known."""

    def __init__(self, path: str, text: str, tree: ast.Module | None = None) -> None:
        self.path = path
        self.text = text
        #: Without their ends.
        self.lines = _split_lines(text)
        self.error: SyntaxError | None = None
        self.too_deep = False
        self.slices: tuple[Slice, ...] = ()
        self._cut(tree)

    def lines_text(self, first: int, last: int) -> str:
        """Lines ``first`` to ``last`` (from 1, inclusive) with a newline after each."""
        return "".join(line + "\n" for line in self.lines[first - 1 : last])

    @cached_property
    def starts(self) -> Sequence[int]:
        """Where each line (from 1) starts in the text, roughly: in characters, while ``ast`` counts bytes."""
        return [0, *accumulate((len(line) + 1 for line in self.lines), initial=0)]

    def problems(self) -> list[ParseProblem]:
        """What could not be parsed among the slices that somebody asked for."""
        return [part.problem for part in self.slices if part.problem is not None]

    def _cut(self, tree: ast.Module | None) -> None:
        if tree is not None:
            self.slices = tuple(_slices(self, tree.body))
            return
        normalised = "\n".join(self.lines) + "\n"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(normalised)
        except (RecursionError, MemoryError):
            self.too_deep = True
            return
        except (SyntaxError, ValueError) as error:
            self._whole(error)
            return
        self.slices = tuple(_slices(self, tree.body))

    def _whole(self, error: SyntaxError | ValueError) -> None:
        """Newer syntax than the running Python's: one slice, if libcst can read the whole file."""
        whole = Slice(self, 1, len(self.lines), ())
        if _bracket_depth_exceeds(self.lines, MAX_DEPTH // 4) or not whole.statements():
            self.error = error if isinstance(error, SyntaxError) else SyntaxError(str(error))
            return
        self.slices = (whole,)


def _split_lines(text: str) -> list[str]:
    """Lines as Python counts them (form feeds and separators inside a line do not end it)."""
    if text.startswith("\ufeff"):
        text = text[1:]
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _slices(module: SourceModule, body: Sequence[ast.stmt]) -> list[Slice]:
    slices: list[Slice] = []
    group: list[ast.stmt] = []
    first = last = 0
    for node in body:
        start = _first_line(node)
        end = node.end_lineno or node.lineno
        if group and start <= last:
            group.append(node)
            last = max(last, end)
            continue
        if group:
            slices.append(Slice(module, first, last, group))
        group, first, last = [node], start, end
    if group:
        slices.append(Slice(module, first, last, group))
    return slices


def _first_line(node: ast.stmt) -> int:
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _definition_name(nodes: Sequence[ast.stmt]) -> str | None:
    """The name that a slice of one function or class binds; such a slice waits until the name is used."""
    if len(nodes) == 1 and isinstance(nodes[0], (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return nodes[0].name
    return None


def _deeper_than(nodes: Sequence[ast.stmt], limit: int, starts: Sequence[int]) -> bool:
    """Whether a tree has more than so many levels. A node is not deeper than its text is long, by more than a few;
    ``starts`` says where each line starts in the text."""
    level: list[Any] = list(nodes)
    for depth in range(limit):
        # Python keeps `a and b and …` flat, libcst nests it.
        if any(type(node) is ast.BoolOp and len(node.values) > limit for node in level):
            return True
        enough = limit - depth - _WITHOUT_TEXT
        level = [
            child for node in level if _length(node, starts) > enough for child in ast.iter_child_nodes(node)
        ]
        if not level:
            return False
    return True


def _length(node: Any, starts: Sequence[int]) -> int:
    """How long the text of a node is; an expression of one line is not worth the way through ``starts``."""
    try:
        return int(starts[node.end_lineno] + node.end_col_offset - starts[node.lineno] - node.col_offset)
    except AttributeError:
        return MAX_SLICE_CHARACTERS  # arguments and the like, which have no place


def _bracket_depth_exceeds(lines: Sequence[str], limit: int) -> bool:
    depth = 0
    for line in lines:
        for character in line:
            if character in "([{":
                depth += 1
                if depth > limit:
                    return True
            elif character in ")]}":
                depth = max(0, depth - 1)
    return False
