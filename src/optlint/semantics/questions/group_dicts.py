"""Dicts of param groups that two optimizers are given, and keys in them that no optimizer knows (OPT111).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from optlint.deferred import dataclass
from optlint.semantics.events import GroupAdded, OptimizerBuilt
from optlint.semantics.libraries import optimizer_settings
from optlint.semantics.site import Site
from optlint.semantics.values import Const, Container, Group, Optimizer, Value

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class SharedDict:
    """A dict that two optimizers are given. ``settings``: name, what the second asks for, what it gets."""

    site: Site
    optimizer: str
    first: str
    first_site: Site | None
    dict_site: Site | None
    settings: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class UnknownKey:
    """A key of a group that its optimizer ignores, the one that was ``meant``, and what the group ``runs_with``."""

    site: Site
    optimizer: str
    key: str
    meant: str
    runs_with: str
    built: Site


# -- one dict, two optimizers ------------------------------------------------------------------------------------------


def shared(run: Run) -> Iterator[SharedDict]:
    """Optimizers that run with settings of another one, because both were given the same dict."""
    if not run.complete:
        return
    seen: set[Site] = set()
    for built in run.optimizers:
        for group in built.groups.groups:
            fact = _taken_over(run, built, group)
            if fact is not None and built.site not in seen:
                seen.add(built.site)
                yield fact


def _taken_over(run: Run, built: OptimizerBuilt, group: Group) -> SharedDict | None:
    entry, owner = group.entry, group.owner
    if entry is None or owner is None or owner is built.optimizer or not group.sure:
        return None
    first = _builder(run, owner)
    own = entry.slots.get("#own")
    if first is None or not isinstance(own, frozenset):
        return None
    settings = tuple(_differing(first, built, own, group))
    if not settings:
        return None
    name = owner.cls_name
    return SharedDict(built.site, built.optimizer.cls_name, name, first.site, entry.site, settings)


def _builder(run: Run, optimizer: Optimizer) -> OptimizerBuilt | None:
    return next((built for built in run.optimizers if built.optimizer is optimizer), None)


def _differing(
    first: OptimizerBuilt, second: OptimizerBuilt, own: frozenset[Any], group: Group
) -> Iterator[tuple[str, str, str]]:
    """The settings in which two optimizers differ, those that the second is called with first."""
    if not first.signature or not second.signature:
        return
    for asked in (True, False):
        for key in second.signature[1:]:
            if key in own or key not in first.signature or (key in second.settings) is not asked:
                continue
            wanted = _setting(second, key)
            got = _plain(group.settings[key]) if key in group.settings else _setting(first, key)
            if wanted is not None and got is not None and wanted != got:
                yield key, repr(wanted), repr(got)


def _setting(built: OptimizerBuilt, key: str) -> Any:
    """The value of a setting, given or by default; None when it is not known."""
    given = built.settings.get(key)
    if given is None:
        return optimizer_settings.default(built.optimizer.cls_name, key)
    return _plain(given)


def _plain(value: Value) -> Any:
    if isinstance(value, Const) and isinstance(value.value, (int, float)):
        return value.value
    if isinstance(value, Container) and not value.items.open:
        parts = [_plain(part) for part in value.items.values]
        return None if None in parts else tuple(parts)
    return None


# -- keys that nobody knows --------------------------------------------------------------------------------------------


def ignored_keys(run: Run) -> Iterator[UnknownKey]:
    """Keys of groups that look like a setting of their optimizer, are none, and are read by nobody."""
    if not run.complete:
        return
    seen: set[tuple[Site, str]] = set()
    for event in run.events:
        if not isinstance(event, (OptimizerBuilt, GroupAdded)):
            continue
        built = event if isinstance(event, OptimizerBuilt) else _builder(run, event.optimizer)
        if built is None or not built.signature:
            continue
        for group in event.groups.groups:
            for fact in _unknown_keys(run, built, group, event.site):
                if (fact.site, fact.key) not in seen:
                    seen.add((fact.site, fact.key))
                    yield fact


def _unknown_keys(run: Run, built: OptimizerBuilt, group: Group, site: Site) -> Iterator[UnknownKey]:
    name = built.optimizer.cls_name
    settings = frozenset(built.signature[1:])
    for key in group.settings:
        meant = None if key in optimizer_settings.COMMON else optimizer_settings.meant_by(key, settings)
        if meant is None or meant in group.settings or _is_read(run, key):
            continue
        entry = group.entry
        place = entry.site if entry is not None and entry.site is not None else site
        value = _setting(built, meant)
        yield UnknownKey(place, name, key, meant, "" if value is None else repr(value), built.site)


def _is_read(run: Run, key: str) -> bool:
    """Whether some code takes the key out of something that is called a group."""
    quoted = rf"[\"']{re.escape(key)}[\"']"
    reads = re.compile(
        rf"(?:\w*gr(?:ou)?ps?\w*|\b(?:g|pg|d)|\])\s*(?:\[\s*|\.(?:get|pop|setdefault)\(\s*){quoted}"
        rf"|{quoted}\s+(?:not\s+)?in\s+\w*(?:gr(?:ou)?p|\bpg?\b)|(?:itemgetter|hasattr|getattr)\([^)]*{quoted}"
    )
    return any(reads.search(source.text) for source in run.interpreter.sources.values())
