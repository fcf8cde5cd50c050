"""The table of what can go wrong (``docs/rules/coverage.md``) names fixtures that exist and show what it says.

A row says which rule and fixture stand for it, or why none does.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from optlint.rules import all_rules
from tests.fixture_files import FIXTURES, fixture_at

PAGE = Path(__file__).parents[1] / "docs" / "rules" / "coverage.md"
CODES = {rule.code: rule.name for rule in all_rules()}
_FIXTURE = re.compile(r"`([\w-]+/(?:bad|good)/\w+(?:\.py)?)`")


def rows() -> list[tuple[int, list[str]]]:
    """The rows of all tables with their line numbers, without headings and rules."""
    found = []
    for number, line in enumerate(PAGE.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.startswith("|") or set(line) <= set("|-: "):
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells[0] != "Pattern":
            found.append((number, cells))
    return found


@pytest.mark.parametrize(("number", "cells"), rows(), ids=lambda value: str(value)[:60])
def test_a_row_names_a_rule_and_its_fixture_or_a_reason(number: int, cells: list[str]) -> None:
    assert len(cells) == 3, f"line {number}"
    pattern, rule, where = cells
    assert pattern
    fixtures = _FIXTURE.findall(where)
    if rule == "—":
        assert where, f"line {number}: neither a rule nor a reason"
    else:
        assert set(rule.split(", ")) <= set(CODES), f"line {number}"
        assert fixtures, f"line {number}: no fixture"
    for name in fixtures:
        path = FIXTURES / name
        path = path if path.exists() else path.with_suffix(".py")
        assert path.exists(), f"line {number}: {name}"
        if "/bad/" in name and rule != "—":
            marked = {mark.code for mark in fixture_at(path).marks()}
            assert marked & set(rule.split(", ")), f"line {number}: {name} has no mark of {rule}"
