"""Suppression comments: which findings they cover, and which of them are reported as needless."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optlint import suppressions
from optlint.finding import Confidence, Finding, Severity, Span
from optlint.rules import all_rules

RULES = all_rules()
ALL_CODES = frozenset(rule.code for rule in RULES)
NAMES = {rule.code: rule.name for rule in RULES}


def finding(code: str, line: int = 1, statement_line: int = 0) -> Finding:
    span = Span(line, 1, line, 2)
    return Finding(
        code,
        NAMES[code],
        Severity.ERROR,
        Confidence.CERTAIN,
        "m",
        "a.py",
        span,
        statement_line=statement_line,
    )


def unused(text: str, *found: Finding, ran: frozenset[str] = ALL_CODES) -> list[str]:
    directives = suppressions.find(text)
    for one in found:
        directives.suppress(one)
    return [message for _, message in directives.unused(ran, RULES)]


@pytest.mark.parametrize(
    ("comment", "code", "covered"),
    [
        ("# noqa", "OPT101", True),
        ("#noqa", "OPT101", True),
        ("# NOQA", "OPT101", True),
        ("# type: ignore # noqa", "OPT101", True),
        ("# noqa: OPT101", "OPT101", True),
        ("# noqa:OPT101", "OPT101", True),
        ("# noqa : opt101", "OPT101", True),
        ("# noqa: OPT101", "OPT102", False),
        ("# noqa: OPT1", "OPT102", True),
        ("# noqa: OPT", "OPT102", True),
        ("# noqa: OPT2", "OPT102", False),
        ("# noqa: E501,OPT102", "OPT102", True),
        ("# noqa: E501 OPT102", "OPT102", True),
        ("# noqa: E501", "OPT102", False),
        ("# noqa: OPT101 because it is meant", "OPT101", True),
        ("# noqa: because it is meant", "OPT101", True),
        ("# noqa-file", "OPT101", False),
        ("# noqatall", "OPT101", False),
        ("# optlint: ignore", "OPT101", True),
        ("# optlint: ignore[OPT101]", "OPT101", True),
        ("# optlint:ignore[OPT102, OPT101] reason", "OPT101", True),
        ("# optlint: ignore[empty-parameter-list]", "OPT101", True),
        ("# optlint: ignore[OPT102]", "OPT101", False),
        ("# optlint: ignore[OPT101", "OPT101", False),
        ("# optlint: ignore[]", "OPT101", False),
        ("# optlint: ignored", "OPT101", False),
        ("# a comment", "OPT101", False),
    ],
)
def test_what_a_comment_covers(comment: str, code: str, covered: bool) -> None:
    assert suppressions.find(f"x = 1  {comment}\n").suppress(finding(code)) is covered


def test_counts_on_the_line_of_the_finding_and_on_the_first_of_its_statement() -> None:
    directives = suppressions.find("f(  # noqa: OPT101\n    [],\n    # noqa: OPT102\n)\n")
    assert directives.suppress(finding("OPT101", line=2, statement_line=1))
    assert directives.suppress(finding("OPT102", line=3, statement_line=1))
    assert not directives.suppress(finding("OPT101", line=4, statement_line=4))


@pytest.mark.parametrize(
    "text",
    [
        's = "# noqa"\n',
        's = """\n# noqa\n# optlint: ignore\n"""\n',
        "s = f'# noqa {x}'\n",
        "s = ('a'\n     '# optlint: ignore')\n",
    ],
)
def test_a_string_is_no_comment(text: str) -> None:
    assert not suppressions.find(text).by_line


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("# noqa: OPT101", "unused suppression: optlint finds no OPT101 here"),
        ("# noqa: E501, OPT101, OPT2", "unused suppression: optlint finds no OPT101 and no OPT2 here"),
        ("# noqa: OPT101,OPT102", "unused suppression: optlint finds no OPT101 here"),
        ("# optlint: ignore", None),
        ("# optlint: ignore[OPT601]", "unused suppression: optlint finds no OPT601 here"),
        (
            "# optlint: ignore[empty-parameters]",
            "'empty-parameters' is no rule; did you mean empty-parameter-list?",
        ),
        ("# optlint: ignore[OPT777]", "'OPT777' is no rule; did you mean OPT"),
        ("# noqa", None),
        ("# noqa: E501", None),
        ("# noqa: F401, W291", None),
        ("# noqa: OPT102", None),
        ("# noqa: OPT9", None),
        ("# noqa: OPT777", None),
    ],
)
def test_unused(comment: str, message: str | None) -> None:
    messages = unused(f"x = 1  {comment}\n", finding("OPT102"))
    if message is None:
        assert messages == []
    else:
        assert len(messages) == 1
        assert messages[0].startswith(message)


def test_a_blanket_of_our_own_is_judged() -> None:
    assert unused("x = 1  # optlint: ignore\n") == ["unused suppression: optlint finds nothing here"]


def test_only_rules_that_ran_are_judged() -> None:
    assert unused("x = 1  # noqa: OPT101\n", ran=frozenset({"OPT102"})) == []
    assert unused("x = 1  # noqa: OPT1\n", ran=frozenset({"OPT102"})) == []


def test_the_span_is_the_directive() -> None:
    [directive] = suppressions.find("é = 1  # why # noqa: OPT101  \n").by_line[1]
    assert directive.span == Span(1, 14, 1, 28)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    text = end.join(["a = 1", "b = 2  # noqa: OPT101", "c = 3  # noqa: OPT102", ""])
    assert sorted(suppressions.find(text).by_line) == [2, 3]


def test_a_broken_file_keeps_its_suppressions_unjudged() -> None:
    text = "x = (  # noqa: OPT101\ny = '''\nz = 1  # noqa: OPT901\n"
    directives = suppressions.find(text)
    assert directives.suppress(finding("OPT901", line=3))
    assert not [message for found, message in directives.unused(ALL_CODES, RULES) if found.span.line == 3]


@pytest.mark.parametrize(
    ("text", "skipped"),
    [
        ("# optlint: skip-file\nimport torch\n", True),
        ("#!/usr/bin/env python\n# coding: utf-8\n\n# optlint: skip-file (generated)\n", True),
        ('"""Docs."""\n# optlint: skip-file\n', True),
        ("# optlint: skip-file\n{% if jinja %}\n", True),
        ("\r\n# optlint: skip-file\r\nx\r\n", True),
        ("import torch\n# optlint: skip-file\n", False),
        ("import torch  # optlint: skip-file\n", False),
        ('"""# optlint: skip-file"""\n', False),
        ("# see optlint: skip-file\n", False),
        ("# optlint: skip-files\n", False),
        ("{% if %}\n# optlint: skip-file\n", False),
    ],
)
def test_skip_file(text: str, skipped: bool) -> None:
    assert suppressions.skips_file(text) is skipped


DIRECTIVES = st.sampled_from(["# noqa", "# noqa: OPT101", "# optlint: ignore[OPT2]", "# optlint: skip-file"])


@given(st.lists(st.tuples(st.booleans(), DIRECTIVES), max_size=12))
def test_lines_with_a_comment_are_found_and_those_with_a_string_are_not(rows: list[tuple[bool, str]]) -> None:
    text = "".join(f"x = 1  {word}\n" if comment else f"x = {word!r}\n" for comment, word in rows)
    expected = [
        line for line, (comment, word) in enumerate(rows, start=1) if comment and "skip-file" not in word
    ]
    assert sorted(suppressions.find(text).by_line) == expected


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["# noqa: OPT1", "'''", '"', "(", "\n", "\r", "\\", "\t", "é"])).map("".join)
)
def test_any_text_is_read_without_an_exception(text: str) -> None:
    directives = suppressions.find(text)
    suppressions.skips_file(text)
    for line, found in directives.by_line.items():
        assert all(directive.span.line == line for directive in found)
