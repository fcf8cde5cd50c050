"""Bytes to text: encodings, line ends, and what is no text."""

from __future__ import annotations

import ast
import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optlint import source
from optlint.source import (
    BinaryError,
    SourceError,
    SourceStore,
    UndecodableError,
    UnreadableError,
    decode,
    normalise_newlines,
    read_bytes,
    split_lines,
)

UNICODE = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param("naïve = 'Größe'\n".encode(), "naïve = 'Größe'\n", id="utf-8 is the default"),
        pytest.param(codecs.BOM_UTF8 + b"x = 1\n", "x = 1\n", id="byte order mark"),
        pytest.param(b"# coding: latin-1\nx = '\xe9'\n", "# coding: latin-1\nx = 'é'\n", id="coding comment"),
        pytest.param(
            b"#!/usr/bin/python\n# -*- coding: cp1252 -*-\n'\x80'\n",
            "#!/usr/bin/python\n# -*- coding: cp1252 -*-\n'€'\n",
            id="coding comment on the second line",
        ),
        pytest.param(b"x = 1\r\ny = 2\r\n", "x = 1\r\ny = 2\r\n", id="line ends stay"),
        pytest.param(b"\x0cx = 1\n", "\x0cx = 1\n", id="form feed"),
    ],
)
def test_text(data: bytes, text: str) -> None:
    assert decode(data) == text


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        pytest.param(b"x = 1\ny = 2\nz = '\xff'\n", 3, "not valid utf-8: byte 0xff", id="not utf-8"),
        pytest.param(b"\xff\xfex\n", 1, "not valid utf-8: byte 0xff", id="not utf-8 on the first line"),
        pytest.param(b"# coding: no-such\n", 1, "unknown encoding: no-such", id="unknown encoding"),
        pytest.param(b"# coding: rot13\nx\n", 1, "cannot be decoded as rot13", id="no text encoding"),
        pytest.param(b"# coding: ascii\n'\xe9'\n", 2, "not valid ascii: byte 0xe9", id="not ascii"),
        pytest.param(
            codecs.BOM_UTF8 + b"# coding: latin-1\n", 1, "encoding problem: utf-8", id="mark against comment"
        ),
    ],
)
def test_what_python_would_refuse(data: bytes, line: int, message: str) -> None:
    with pytest.raises(UndecodableError) as raised:
        decode(data)
    assert (raised.value.line, raised.value.message) == (line, message)


@pytest.mark.parametrize("data", [b"\x7fELF\0\0", "x = 1\n".encode("utf-16"), b"x = 1\n\0"])
def test_binary_is_no_syntax_error(data: bytes) -> None:
    with pytest.raises(BinaryError, match="binary"):
        decode(data)


def problem_of(data: bytes) -> SourceError | None:
    try:
        decode(data)
    except SourceError as error:
        return error
    return None


@given(st.binary(max_size=300))
def test_any_bytes_give_text_or_a_source_error(data: bytes) -> None:
    problem = problem_of(data)
    assert problem is None or (problem.message and 1 <= problem.line <= data.count(b"\n") + 1)


@given(UNICODE)
def test_utf8_round_trip(text: str) -> None:
    data = b"# coding: utf-8\n" + text.encode()
    assert decode(data) == "# coding: utf-8\n" + text


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n"))))
def test_lines_are_split_at_line_ends_only(lines: list[str]) -> None:
    for end in ("\n", "\r\n", "\r"):
        assert split_lines(end.join(lines)) == (lines or [""])
    assert normalise_newlines("\r\n".join(lines)) == "\n".join(lines)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_lines_are_counted_as_python_counts_them(end: str, separator: str) -> None:
    text = f"a = 'x{separator}y'{end}b = 2{end}"
    assert split_lines(text)[ast.parse(text).body[1].lineno - 1] == "b = 2"


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="cannot be read: No such file or directory"):
        read_bytes(str(tmp_path / "missing.py"))


@pytest.mark.parametrize("path", ["with\0nul.py", ""])
def test_an_impossible_path_is_unreadable(path: str) -> None:
    with pytest.raises(UnreadableError):
        read_bytes(path)


def test_store_reads_once_and_prefers_the_overlay(tmp_path: Path) -> None:
    on_disk, laid_over = tmp_path / "a.py", tmp_path / "b.py"
    on_disk.write_text("first\n")
    store = SourceStore({str(laid_over): b"standard input\n"})
    assert store.read(str(on_disk)) == "first\n"
    on_disk.write_text("second\n")
    assert store.read(str(on_disk)) == "first\n"
    assert store.read(str(laid_over)) == "standard input\n"
    assert store.read(str(tmp_path / "missing.py")) is None


def test_texts_of_a_large_tree_are_not_all_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_KEPT_CHARACTERS", 25)
    paths = [tmp_path / f"m{number}.py" for number in range(5)]
    for number, path in enumerate(paths):
        path.write_text(f"x = {number}  # 10", encoding="utf-8")
    store = SourceStore()
    assert [store.read(str(path)) for path in paths] == [f"x = {number}  # 10" for number in range(5)]
    for path in paths:
        path.write_text("changed", encoding="utf-8")
    assert [store.read(str(path)) for path in reversed(paths)] == [
        "x = 4  # 10",
        "x = 3  # 10",
        *["changed"] * 3,
    ]
