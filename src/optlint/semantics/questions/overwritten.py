"""Layers that are lost because a loop gives each the same name, or because no constructor makes them (OPT209).

Rules and ``causes`` ask. Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import events, families, handed, modules
from optlint.semantics.events import OptimizerBuilt
from optlint.semantics.questions.holdings import leaves_in
from optlint.semantics.questions.owners import effects
from optlint.semantics.registration_events import PartOverwritten
from optlint.semantics.site import Site
from optlint.semantics.values import (
    Container,
    DictObj,
    Function,
    Instance,
    Leaf,
    LibraryClass,
    UserClass,
    Value,
)

if TYPE_CHECKING:
    from optlint.semantics.program import Run

#: How like ``init`` a name must be.
_ALIKE = 0.75
_CALLS_BASE = regex(r"\bsuper\([^()]*\)\s*\.__init__\(|\b\w+(?:\.\w+)*\.__init__\(\s*self\b")


@dataclass(frozen=True)
class LostLayers:
    """Layers that do not last.

    ``name``: where a loop puts them (an attribute, or with ``key`` a key of a container) or, with no ``loop``, the
    method that looks like a constructor and is none; ``kind``: the class of what is lost; ``owner``: whose class.
    """

    site: Site
    owner: str
    name: str
    key: bool
    kind: str
    loop: Site | None
    leaves: frozenset[Leaf]
    optimizers: tuple[OptimizerBuilt, ...]


def lost_layers(run: Run) -> Iterator[LostLayers]:
    """Each place once."""
    if not run.complete:
        return
    yield from _overwritten(run)
    yield from _without_constructor(run)


# -- put under one name by a loop --------------------------------------------------------------------------------------


def _overwritten(run: Run) -> Iterator[LostLayers]:
    grouped: dict[Site, list[PartOverwritten]] = {}
    for event in run.of(PartOverwritten):
        grouped.setdefault(event.site, []).append(event)
    if not grouped:
        return
    gone = {id(part) for found in grouped.values() for event in found for part in _parts(run, event.old)}
    kept = frozenset().union(*(leaves_in(model) for model in run.models if id(model) not in gone))
    for site, found in grouped.items():
        if all(_is_lost(run, event, kept) for event in found):
            yield _fact(run, site, found)


def _parts(run: Run, value: Value) -> list[Instance]:
    if not isinstance(value, Instance):
        return []
    return [part for _, part in modules.submodules(run.interpreter, value, True)]


def _leaves(run: Run, value: Value) -> frozenset[Leaf]:
    if isinstance(value, Leaf):
        return frozenset({value})
    if isinstance(value, Instance):
        return frozenset(entry.leaf for entry in run.parameters(value).parameters)
    return frozenset()


def _is_lost(run: Run, event: PartOverwritten, kept: frozenset[Leaf]) -> bool:
    """Whether nobody has, trains or used what was overwritten."""
    leaves = _leaves(run, event.old)
    in_container = isinstance(event.owner.cls, LibraryClass) and modules.is_container(event.owner)
    if not leaves or not (event.constructing or in_container) or event.owner.slots.get("#escaped"):
        return False
    if leaves & kept or leaves & run.held or leaves & run.reached or leaves & run.touched:
        return False
    parts = _parts(run, event.old)
    if any(part.slots.get("#escaped") or handed.was_handed(part) for part in parts):
        return False
    if any(made.model is part for made in run.forwards for part in parts):
        return False
    return not any(
        added.element is event.old and isinstance(added.container, (Container, DictObj))
        for added in run.of(events.ElementAdded)
    )


def _fact(run: Run, site: Site, found: list[PartOverwritten]) -> LostLayers:
    event = found[0]
    old = event.old
    key = isinstance(event.owner.cls, LibraryClass)
    owner = run.name_of(event.owner) if key else None
    kind = old.cls.name if isinstance(old, Instance) else "Parameter"
    leaves = frozenset().union(*(_leaves(run, each.old) for each in found))
    built, _ = effects(run, event.owner)
    return LostLayers(site, owner or event.owner.cls.name, event.name, key, kind, event.loop, leaves, built)


# -- no constructor ----------------------------------------------------------------------------------------------------


def _without_constructor(run: Run) -> Iterator[LostLayers]:
    """Classes of modules with a method that was meant to be the constructor and is never called."""
    seen: set[UserClass] = set()
    for cls in _classes(run):
        if cls in seen or isinstance(cls.slots.get("__init__"), Function):
            continue
        seen.add(cls)
        for name, member in cls.slots.items():
            if (
                isinstance(member, Function)
                and _looks_like_constructor(name, member)
                and not _is_called(cls, name)
            ):
                site = Site(member.context.part, member.node.name, member.node)  # type: ignore[union-attr]
                own = [model for model in run.models if model.cls is cls]
                built = {id(b): b for model in own for b in effects(run, model)[0]}
                yield LostLayers(site, cls.name, name, False, "", None, frozenset(), tuple(built.values()))


def _classes(run: Run) -> Iterator[UserClass]:
    it = run.interpreter
    found = [it.root_class, *(model.cls for model in run.models)]
    for cls in found:
        for base in cls.order() if isinstance(cls, UserClass) else ():
            if isinstance(base, UserClass) and families.is_module_class(it, base):
                yield base


def _looks_like_constructor(name: str, member: Function) -> bool:
    bare = name.strip("_").lower()
    if name == "__init__" or not 3 <= len(bare) <= 6:  # any other length differs too much
        return False
    if SequenceMatcher(None, bare, "init").ratio() < _ALIKE:
        return False
    code = member.context.part.code(member.node)
    return _CALLS_BASE.search(code) is not None and not member.decorators


def _is_called(cls: UserClass, name: str) -> bool:
    calls = re.compile(rf"\.{re.escape(name)}\(|[\"']{re.escape(name)}[\"']")
    return calls.search(cls.context.part.module.text) is not None
