"""Writes ``docs/rules`` from the rules: ``python scripts/rule_pages.py``.

Run after a rule's documentation changed; ``tests/test_rule_pages.py`` fails until then.
"""

from __future__ import annotations

from pathlib import Path

from optlint.rulepages import pages
from optlint.rules import all_rules

FOLDER = Path(__file__).parents[1] / "docs" / "rules"


def main() -> None:
    """Write every page, and remove those of rules that are no more."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = pages(all_rules())
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    for stale in FOLDER.glob("*.md"):
        if stale.name not in written and stale.name != "coverage.md":  # written by hand
            stale.unlink()


if __name__ == "__main__":
    main()
