"""The committed pages of the rules are what the rules say, and their examples do what the pages promise.

Asks the engine as the command line does; knows nothing of how a rule works.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from optlint import engine
from optlint.rulepages import GROUPS, pages
from optlint.rules import Rule, all_rules
from optlint.settings import Settings

PAGES = Path(__file__).parents[1] / "docs" / "rules"
REGENERATE = "run `python scripts/rule_pages.py`"

with_name = pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)


def found_in(source: str, folder: Path) -> list[str]:
    """The codes that are found in ``source``, by the default rules and no configuration."""
    # A project of its own, whatever lies beside the temporary folder.
    (folder / "pyproject.toml").touch()
    file = folder / "train.py"
    file.write_text(source, encoding="utf-8")
    report = engine.run([str(file)], lambda _: Settings(root=str(folder)))
    assert report.faults == ()
    return [finding.code for finding in report.findings]


def test_the_committed_pages_are_those_of_the_rules() -> None:
    wanted = pages(all_rules())
    assert {path.name for path in PAGES.glob("*.md")} - {"coverage.md"} == set(wanted), REGENERATE
    stale = [name for name, text in wanted.items() if (PAGES / name).read_text(encoding="utf-8") != text]
    assert stale == [], REGENERATE


@with_name
def test_the_bad_example_gives_one_finding_of_its_rule(rule: type[Rule], tmp_path: Path) -> None:
    if rule.bad:
        assert found_in(rule.bad, tmp_path) == [rule.code]


@with_name
def test_the_good_example_gives_none(rule: type[Rule], tmp_path: Path) -> None:
    if rule.good:
        assert found_in(rule.good, tmp_path) == []


@with_name
def test_a_rule_says_what_a_reader_needs(rule: type[Rule]) -> None:
    assert rule.__doc__
    assert rule.summary().endswith(".")
    assert rule.at_run_time
    assert any(rule.code.startswith(prefix) for prefix, _ in GROUPS)
    if rule.code != "OPT999":  # A fault of optlint has no example.
        assert rule.bad
        assert rule.good
        assert rule.silent
