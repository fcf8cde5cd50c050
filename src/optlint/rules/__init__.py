"""The rule registry: every ``Rule`` subclass in this package, sorted by code."""

from __future__ import annotations

from functools import lru_cache

from optlint.rules.base import Rule

__all__ = ["Rule", "all_rules"]


@lru_cache(maxsize=1)
def all_rules() -> tuple[type[Rule], ...]:
    """Every rule, by code. Raises ``RuntimeError`` when two rules share a code or a name."""
    import importlib
    import pkgutil

    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    rules = sorted(_concrete(Rule), key=lambda rule: rule.code)
    for attribute in ("code", "name"):
        values = [getattr(rule, attribute) for rule in rules]
        if len(set(values)) != len(values):
            raise RuntimeError(f"two rules share a {attribute}: {values}")
    return tuple(rules)


def _concrete(base: type[Rule]) -> list[type[Rule]]:
    """The subclasses, at any depth, that have a code."""
    found: list[type[Rule]] = []
    for rule in base.__subclasses__():
        if hasattr(rule, "code"):
            found.append(rule)
        found.extend(_concrete(rule))
    return found
