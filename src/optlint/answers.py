"""What the options that ask about optlint itself print: the list of rules, a rule's page, the settings.

The command line calls these. Must not know how files are checked.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from optlint.checker import rules_of
from optlint.settings import CACHE_NAME

if TYPE_CHECKING:
    from optlint.rules.base import Rule
    from optlint.settings import Settings


def rule_list(rules: Sequence[type[Rule]]) -> str:
    """One line a rule: code, name, state, severity, summary."""
    rows = [
        (rule.code, rule.name, "on" if rule.default else "off", rule.severity.value, rule.summary())
        for rule in rules
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join((*map(str.ljust, row, widths), row[4])) for row in rows)


def settings_text(settings: Settings, path: str) -> str:
    """The settings that hold for ``path``, by the keys of the configuration."""
    lists = {
        "rules": tuple(rule.code for rule in rules_of(settings)),
        "per-file-ignores": tuple(f"{glob}: {' '.join(rules)}" for glob, rules in settings.per_file_ignores),
        "exclude": settings.exclude,
        "extend-exclude": settings.extend_exclude,
        "severity": tuple(f"{selector}: {level.value}" for selector, level in settings.severity),
        "optimizers": settings.optimizers,
        "modules": settings.modules,
        "src": settings.src,
    }
    lines = [
        f"path: {path}",
        f"config: {settings.config_path or 'none'}",
        f"root: {settings.root}",
        *(f"{key}: {', '.join(values) or 'none'}" for key, values in lists.items()),
        f"cache-dir: {settings.cache_dir or os.path.join(settings.root, CACHE_NAME)}",
        f"output-format: {settings.output_format}",
    ]
    return "\n".join(lines)
