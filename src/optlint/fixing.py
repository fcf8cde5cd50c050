"""Applies fixes: chooses those that do not overlap, edits the bytes of files, and goes on until nothing is left to fix.

The command line and the editor server call it; nothing is written here. Must not know rules, nor why a fix is right.
"""

from __future__ import annotations

import difflib
import io
import os
import re
import tokenize
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.finding import Edit, Finding, Fix, Safety
from optlint.source import NOTEBOOK_SUFFIX, SourceError, SourceStore, decode
from optlint.validity import Verdict, check

if TYPE_CHECKING:
    from optlint.engine import Report
    from optlint.notebook_text import NotebookText

#: A fix may make room for another; more rounds than this mean that two fixes undo each other.
MAX_ROUNDS = 10

_LINE_END = re.compile(r"\r\n|\r|\n")


class EditError(Exception):
    """A file that cannot be edited without a change to other bytes."""


@dataclass
class Fixed:
    """What fixing came to: the report on what is left, the new bytes of files, and how many fixes were made."""

    report: Report
    files: dict[str, bytes] = field(default_factory=dict)
    count: int = 0


def can_be_applied(finding: Finding, unsafe: bool) -> bool:
    """Whether a finding has a fix that may be applied."""
    allowed = (Safety.SAFE, Safety.UNSAFE) if unsafe else (Safety.SAFE,)
    return finding.fix is not None and finding.fix.safety in allowed


def fix_all(
    lint: Callable[[SourceStore], Report], overlay: Mapping[str, bytes], *, unsafe: bool = False
) -> Fixed:
    """Lint, fix and lint again until no fix is left. Files on disk stay as they are.

    ``lint`` gives a report on the files as a store holds them; ``overlay`` are texts that need no file; ``unsafe`` lets
    unsafe fixes through. A fix after which a file is no Python any more is given up.
    """
    files: dict[str, bytes] = dict(overlay)
    given_up: set[tuple[str, str]] = set()
    changed: dict[str, bytes] = {}
    count = 0
    for _ in range(MAX_ROUNDS):
        store = SourceStore(files)
        report = lint(store)
        fixed = Fixed(report, changed, count)
        progress = False
        for path, findings in _by_file(report, unsafe, given_up).items():
            chosen = without_overlap(findings)
            try:
                data = edited(path, store.load(path), [edit for _, fix in chosen for edit in fix.edits])
            except (EditError, SourceError):
                given_up.update((path, finding.fingerprint) for finding, _ in chosen)
                continue
            changed[path] = files[path] = data
            count += len(chosen)
            progress = True
        if not progress:
            return fixed
    return Fixed(lint(SourceStore(files)), changed, count)


def _by_file(
    report: Report, unsafe: bool, given_up: set[tuple[str, str]]
) -> dict[str, list[tuple[Finding, Fix]]]:
    found: dict[str, list[tuple[Finding, Fix]]] = {}
    for finding in report.findings:
        path = os.path.normpath(os.path.join(report.folder, finding.path))
        if can_be_applied(finding, unsafe) and (path, finding.fingerprint) not in given_up and finding.fix:
            found.setdefault(path, []).append((finding, finding.fix))
    return found


def without_overlap(fixes: Iterable[tuple[Finding, Fix]]) -> list[tuple[Finding, Fix]]:
    """The fixes in their order, less those that touch what an earlier one changes."""
    taken: list[tuple[Finding, Fix]] = []
    edits: list[Edit] = []
    for finding, fix in fixes:
        if not any(_touch(new, old) for new in fix.edits for old in edits):
            taken.append((finding, fix))
            edits += fix.edits
    return taken


def _touch(one: Edit, other: Edit) -> bool:
    if one.cell != other.cell:
        return False
    starts = [(edit.span.line, edit.span.column) for edit in (one, other)]
    ends = [(edit.span.end_line, edit.span.end_column) for edit in (one, other)]
    return starts[0] <= ends[1] and starts[1] <= ends[0]


def edited(path: str, data: bytes, edits: Sequence[Edit]) -> bytes:
    """The bytes of a file after ``edits``. Raises ``EditError`` when the result is no Python."""
    if path.endswith(NOTEBOOK_SUFFIX):
        return _edited_notebook(data, edits)
    return _edited_python(data, edits)


def _edited_python(data: bytes, edits: Sequence[Edit]) -> bytes:
    text = decode(data)
    encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    encoding = "utf-8" if mark else encoding
    if mark + text.encode(encoding) != data:
        raise EditError("its encoding does not give the same bytes back")
    new = replaced(text, edits)
    if check(text).verdict is Verdict.VALID and check(new).verdict is not Verdict.VALID:
        raise EditError("the fixed program would be no Python")
    try:
        return mark + new.encode(encoding)
    except UnicodeEncodeError as error:
        raise EditError("its encoding lacks a character of the fix") from error


def replaced(text: str, edits: Iterable[Edit]) -> str:
    """``text`` after ``edits``, which must not overlap; inserted lines end as the lines of ``text`` do."""
    starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
    end = _LINE_END.search(text)
    newline = end[0] if end else "\n"
    pieces = [
        (
            _offset(starts, text, edit.span.line, edit.span.column),
            _offset(starts, text, edit.span.end_line, edit.span.end_column),
            edit.content.replace("\n", newline),
        )
        for edit in edits
    ]
    return spliced(text, pieces)


def spliced(text: str, pieces: Iterable[tuple[int, int, str]]) -> str:
    """``text`` with each range (from, to) replaced."""
    for start, end, content in sorted(pieces, reverse=True):
        text = text[:start] + content + text[end:]
    return text


def _offset(starts: Sequence[int], text: str, line: int, column: int) -> int:
    return len(text) if line > len(starts) else starts[line - 1] + column - 1


def _edited_notebook(data: bytes, edits: Sequence[Edit]) -> bytes:
    from optlint import notebook
    from optlint.notebook_text import NotebookText

    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    raw: NotebookText = NotebookText(data[len(mark) :].decode("utf-8"))
    new = mark + raw.replaced(edits).encode("utf-8")
    before, after = notebook.read(data), notebook.read(new)
    if any(check(cell.text).verdict is Verdict.VALID for cell in before.cells) and any(
        check(cell.text).verdict is not Verdict.VALID for cell in after.cells
    ):
        raise EditError("a fixed cell would be no Python")
    return new


def diff(path: str, old: bytes, new: bytes) -> str:
    """What fixing changes in a file, as a unified diff; ``path`` is how the file is called in it."""
    before = old.decode("utf-8", "replace").splitlines(keepends=True)
    after = new.decode("utf-8", "replace").splitlines(keepends=True)
    lines = difflib.unified_diff(before, after, path, path)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
