"""Bytes to text: encodings, line ends, what is no Python text at all; and the lines that columns are counted
in.

The engine, the import resolver (through the engine) and the reporters read files only through here.
Must not know what the text means: nothing here parses Python.
"""

from __future__ import annotations

import functools
import io
import os
import re
import tokenize
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optlint.finding import Span
    from optlint.notebook import Notebook
    from optlint.notebook_text import NotebookText

NOTEBOOK_SUFFIX = ".ipynb"

MAX_KEPT_CHARACTERS = 16_000_000
"""Texts are kept for the next who asks, but not those of a whole large tree."""

_LINE_END = re.compile(r"\r\n|\r|\n")


class SourceError(Exception):
    """A file that gives no text. ``line`` is where (1 when it is about the whole file)."""

    def __init__(self, message: str, line: int = 1) -> None:
        """``message`` is for the user."""
        super().__init__(message)
        self.message = message
        self.line = line


class UnreadableError(SourceError):
    """The system gave no bytes."""


class UndecodableError(SourceError):
    """Python itself would refuse these bytes: a false or unknown encoding."""


class BinaryError(SourceError):
    """The bytes are no text at all."""


def read_bytes(path: str) -> bytes:
    """What the file holds. Raises ``UnreadableError``."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnreadableError(f"cannot be read: {reason}") from error


def decode(data: bytes) -> str:
    """The text of a Python file, without its byte order mark and with its line ends as they are.

    Follows PEP 263: the mark or the coding comment decides, UTF-8 otherwise.
    Raises ``BinaryError`` or ``UndecodableError``.
    """
    if b"\0" in data:
        raise BinaryError("looks binary, not analysed", data[: data.index(b"\0")].count(b"\n") + 1)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError as error:
        raise _bad_encoding(data, str(error.msg or error)) from error
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UndecodableError(f"not valid {encoding}: byte 0x{data[error.start]:02x}", line) from error
    except Exception as error:  # A codec may raise what it likes; some are no text encodings (rot13, hex).
        raise UndecodableError(f"cannot be decoded as {encoding}") from error


def encode(text: str) -> bytes:
    """The bytes that ``decode`` reads as ``text``, whatever its coding comment says: for text that has no file yet."""
    data = text.encode("utf-8", "surrogatepass")
    try:
        return text.encode(tokenize.detect_encoding(io.BytesIO(data).readline)[0])
    except (SyntaxError, UnicodeError, LookupError):
        return data


def _bad_encoding(data: bytes, message: str) -> UndecodableError:
    """The error for a coding comment that Python rejects, or for a first line that is not UTF-8 at all."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if "unknown encoding" not in message:
            line = data[: error.start].count(b"\n") + 1
            return UndecodableError(f"not valid utf-8: byte 0x{data[error.start]:02x}", line)
    return UndecodableError(message)


def split_lines(text: str) -> list[str]:
    """The lines without their ends. Only LF, CRLF and CR end a line, as in Python; a form feed does not."""
    return _LINE_END.split(text)


@functools.lru_cache(maxsize=8)
def lines_of(text: str) -> tuple[str, ...]:
    """The same, for who asks again and again: once for each finding of a file."""
    return tuple(split_lines(text))


def normalise_newlines(text: str) -> str:
    """The same lines, each ended by LF."""
    return _LINE_END.sub("\n", text) if "\r" in text else text


class SourceStore:
    """Reads files as text and keeps what it read last; texts that need no file (standard input) lie over the disk."""

    def __init__(self, overlay: Mapping[str, bytes] | None = None) -> None:
        """``overlay`` maps absolute paths to what they are to hold, whatever is on the disk."""
        self.overlay = dict(overlay or {})
        self._texts: OrderedDict[str, str | None] = OrderedDict()
        self._kept = 0
        self._notebooks: dict[str, Notebook | None] = {}
        self._notebook_texts: dict[str, NotebookText] = {}

    def load(self, path: str) -> bytes:
        """The bytes of ``path``. Raises ``UnreadableError``."""
        if path in self.overlay:
            return self.overlay[path]
        return read_bytes(path)

    def read(self, path: str) -> str | None:
        """The Python of ``path`` (of a notebook: its cells together), or ``None`` when there is none to be had."""
        path = os.path.abspath(path)
        if path.endswith(NOTEBOOK_SUFFIX):
            book = self.notebook(path)
            return None if book is None else book.program
        if path in self._texts:
            self._texts.move_to_end(path)
            return self._texts[path]
        try:
            text: str | None = decode(self.load(path))
        except SourceError:
            text = None
        self._texts[path] = text
        self._kept += len(text or "")
        while self._kept > MAX_KEPT_CHARACTERS and len(self._texts) > 1:
            self._kept -= len(self._texts.popitem(last=False)[1] or "")
        return text

    def notebook(self, path: str) -> Notebook | None:
        """The notebook at ``path``; ``None`` for another file, or when it cannot be read."""
        if not path.endswith(NOTEBOOK_SUFFIX):
            return None
        from optlint import notebook

        path = os.path.abspath(path)
        if path not in self._notebooks:
            try:
                self._notebooks[path] = notebook.read(self.load(path))
            except SourceError:
                self._notebooks[path] = None
        return self._notebooks[path]

    def shown(self, path: str, cell: int | None = None) -> str | None:
        """The text as its author sees it: that of a file, or of one cell of a notebook."""
        book = self.notebook(path)
        if book is None:
            return self.read(path)
        return None if cell is None else book.source_of(cell)

    def in_file(self, path: str, cell: int | None, span: Span) -> Span:
        """``span`` as lines and columns of the file itself: in a notebook, of its JSON."""
        path = os.path.abspath(path)
        if cell is None or self.notebook(path) is None:
            return span
        from optlint.notebook_text import NotebookText

        if path not in self._notebook_texts:
            self._notebook_texts[path] = NotebookText(self.load(path).decode("utf-8-sig"))
        return self._notebook_texts[path].in_file(cell, span)
