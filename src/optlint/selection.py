"""Which rules run: selectors (codes, prefixes, names, ``ALL``) resolved against the rules that exist.

The settings keep selectors as the user wrote them; the command line, the engine and the suppressions resolve
them here. Must not know where a selector came from, nor what a rule does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from optlint.deferred import dataclass

if TYPE_CHECKING:
    from optlint.rules.base import Rule

EVERYTHING = "ALL"
"""The selector of every rule, those that are off by default too."""

ALWAYS_ON = frozenset({"OPT901", "OPT999"})
"""A file that could not be checked is told even when ``--select`` names other rules; only ``ignore`` silences
it.
"""


class UnknownSelectorError(ValueError):
    """A selector that means no rule; the text names the nearest one."""


@dataclass(frozen=True)
class Selection:
    """One layer of choices: a configuration file or the command line. ``select`` replaces what lies below."""

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def selectors(self) -> tuple[str, ...]:
        """Every selector of this layer."""
        return (*(self.select or ()), *self.extend_select, *self.ignore)


class Coded(Protocol):
    """What a selector can cover: a rule's class, or a finding."""

    @property
    def code(self) -> str:
        """Such as OPT101."""

    @property
    def name(self) -> str:
        """Such as empty-parameter-list."""


def matches(selector: str, coded: Coded | type[Rule]) -> bool:
    """Whether ``selector`` covers the rule or finding: its code, a prefix of its code, its name, or
    ``ALL``.
    """
    if selector.upper() == EVERYTHING or selector.lower() == coded.name:
        return True
    return is_code(selector) and coded.code.startswith(selector.upper())


def is_code(selector: str) -> bool:
    """Whether ``selector`` has the form of a code or of a prefix of one."""
    prefix, digits = selector[:3].upper(), selector[3:]
    return prefix == "OPT" and (not digits or digits.isdecimal())


def check(selectors: Iterable[str], rules: Sequence[type[Rule]]) -> None:
    """Raise ``UnknownSelectorError`` for the first selector that covers none of ``rules``."""
    for selector in selectors:
        if not any(matches(selector, rule) for rule in rules) and selector.upper() != EVERYTHING:
            raise UnknownSelectorError(f"unknown rule '{selector}'{nearest_rule(selector, rules)}")


def rule_called(selector: str, rules: Sequence[type[Rule]]) -> type[Rule]:
    """The one rule with this code or name. Raises ``UnknownSelectorError``."""
    for rule in rules:
        if selector.upper() == rule.code or selector.lower() == rule.name:
            return rule
    raise UnknownSelectorError(f"unknown rule '{selector}'{nearest_rule(selector, rules)}")


def nearest_rule(selector: str, rules: Sequence[type[Rule]]) -> str:
    """``"; did you mean …?"`` with the rule nearest to ``selector``, or nothing when none is near."""
    import difflib  # for mistakes only

    by_spelling = {rule.code: rule for rule in rules} | {rule.name: rule for rule in rules}
    spelling = selector.upper() if selector.upper().startswith("OPT") else selector.lower()
    near = difflib.get_close_matches(spelling, by_spelling, n=1, cutoff=0.5)
    if not near:
        return "; `optlint --list-rules` shows all rules"
    rule = by_spelling[near[0]]
    return (
        f"; did you mean {near[0]}?" if near[0] == rule.name else f"; did you mean {rule.code} ({rule.name})?"
    )


def selected(layers: Iterable[Selection], rules: Sequence[type[Rule]]) -> tuple[type[Rule], ...]:
    """The rules that run, in the order of ``rules``.

    Within a layer the narrower selector wins, whichever option it stands in: ``--select OPT101 --ignore
    OPT1`` keeps OPT101. A prefix brings in only the rules that are on by default; the others are selected by
    code, name or ``ALL``.
    """
    chosen = {rule.code for rule in rules if rule.default}
    for layer in layers:
        if layer.select is not None:
            chosen = {code for code in ALWAYS_ON if any(rule.code == code for rule in rules)}
        steps = [(_width(s), False, s) for s in (*(layer.select or ()), *layer.extend_select)]
        steps += [(_width(s), True, s) for s in layer.ignore]
        for _, ignored, selector in sorted(steps, key=lambda step: step[:2]):
            covered = {rule.code for rule in rules if matches(selector, rule)}
            if ignored:
                chosen -= covered
            else:
                chosen |= {
                    rule.code for rule in rules if rule.code in covered and _brought_in(selector, rule)
                }
    return tuple(rule for rule in rules if rule.code in chosen)


def _brought_in(selector: str, rule: type[Rule]) -> bool:
    exact = selector.upper() in (rule.code, EVERYTHING) or selector.lower() == rule.name
    return exact or rule.default


def _width(selector: str) -> int:
    """How narrow a selector is; a wider one is applied first."""
    if selector.upper() == EVERYTHING:
        return 0
    return len(selector) if is_code(selector) else len("OPT000")
