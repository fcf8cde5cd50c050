"""A rule's documentation as Markdown, made from its class alone.

``--explain`` prints a page, ``scripts/rule_pages.py`` writes them to ``docs/rules``, and the tests compare the two.
Must not know how a rule finds anything, nor where its page is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from optlint.rules.base import Rule

GROUPS: tuple[tuple[str, str], ...] = (
    ("OPT1", "What the optimizer is given"),
    ("OPT2", "What a Module registers"),
    ("OPT3", "Freezing"),
    ("OPT4", "Gradient flow"),
    ("OPT5", "The training loop"),
    ("OPT6", "Keras and TensorFlow"),
    ("OPT9", "Housekeeping"),
)
"""Prefixes of codes, in order, and what their rules have in common."""

SURE = {
    "certain": "certain: it happens whenever the code runs",
    "likely": "likely: it happens unless something that cannot be seen prevents it",
}
"""What each level of confidence promises."""


def page(rule: type[Rule]) -> str:
    """The rule's page."""
    parts = [f"# {rule.name} ({rule.code})", rule.summary()]
    if rule.description() != rule.summary():
        parts.append(rule.description())
    parts.append("\n".join(_facts(rule)))
    parts.append(f"## What happens at run time\n\n{rule.at_run_time}")
    if rule.bad:
        parts.append(f"## Bad\n\n{_code(rule.bad)}")
    if rule.good:
        parts.append(f"## Good\n\n{_code(rule.good)}")
    if rule.silent:
        parts.append(f"## When it stays silent\n\n{_bullets(rule.silent)}")
    if rule.misses:
        parts.append(f"## Known misses\n\n{_bullets(rule.misses)}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def index(rules: Sequence[type[Rule]]) -> str:
    """The page that lists ``rules``, by what they are about."""
    parts = [
        "# Rules",
        "Codes never change their meaning. A rule is selected by its code, a prefix of it (`OPT2`) or its name; "
        "see [configuration](../configuration.md). `optlint --explain CODE` prints these pages.",
    ]
    for prefix, title in GROUPS:
        members = [rule for rule in rules if rule.code.startswith(prefix)]
        if members:
            parts.append(f"## {title}")
            parts.append("\n".join(_table(members)))
    return "\n\n".join(parts) + "\n"


def pages(rules: Sequence[type[Rule]]) -> dict[str, str]:
    """File names below ``docs/rules`` and what stands in them."""
    return {"index.md": index(rules), **{f"{rule.name}.md": page(rule) for rule in rules}}


def _facts(rule: type[Rule]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    yield f"| Severity | {rule.severity.value} |"
    yield f"| Confidence | {SURE[rule.confidence.value]} |"
    yield f"| State | {_state(rule)} |"
    if rule.frameworks:
        yield f"| Frameworks | {', '.join(rule.frameworks)} |"


def _state(rule: type[Rule]) -> str:
    return "on by default" if rule.default else f"off by default: `--extend-select {rule.code}`"


def _code(source: str) -> str:
    return f"```python\n{source.strip()}\n```"


def _bullets(items: Sequence[str]) -> str:
    return "\n".join(f"- {_sentence(item)}" for item in items)


def _sentence(text: str) -> str:
    """Rules are written by many hands: one form for all lists."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _table(rules: Sequence[type[Rule]]) -> Iterator[str]:
    yield "| Code | Name | Severity | State | What it catches |"
    yield "|---|---|---|---|---|"
    for rule in rules:
        state = "on" if rule.default else "off"
        yield f"| {rule.code} | [{rule.name}]({rule.name}.md) | {rule.severity.value} | {state} | {rule.summary()} |"
