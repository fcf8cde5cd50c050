"""Modules on which ``Module.__init__`` has not run, ran too late, or ran twice (OPT206).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import constructors, families
from optlint.semantics import registration_events as events
from optlint.semantics.events import AttributeSet, OptimizerBuilt
from optlint.semantics.questions.holdings import leaves_in
from optlint.semantics.site import Site
from optlint.semantics.values import ABSENT, Function, Instance, Leaf, UserClass
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class MissingInit:
    """A constructor that does not do what ``nn.Module`` needs.

    ``form``: missing, late, named, past, unbound, bare, foreign, stopped, dataclass (torch refuses what is put on the
    object), wiped (what was registered is gone) or skipped (``other``'s constructor never runs). ``names``: the
    attributes that suffer; ``kind``: what torch calls them; ``used``: the method that fails where nothing is refused.
    """

    site: Site
    owner: str
    form: str
    names: tuple[str, ...]
    kind: str = ""
    other: str = ""
    used: str = ""
    read: bool = False
    places: tuple[tuple[Site, str], ...] = ()
    leaves: frozenset[Leaf] = frozenset()
    optimizers: tuple[OptimizerBuilt, ...] = ()


def missing_init(run: Run) -> Iterator[MissingInit]:
    """What is wrong with the constructors of modules, each place once."""
    seen: set[Site] = set()
    done: set[int] = set()
    for index, event in enumerate(run.events):
        fact: MissingInit | None = None
        if isinstance(event, events.RegisteredTooEarly) and id(event.owner) not in done:
            fact = _refused(run, index, event)
        elif isinstance(event, events.UsedUninitialised) and id(event.owner) not in done:
            fact = _unready(run, index, event)
        elif isinstance(event, events.ConstructorMissed) and event.form in ("foreign", "bare"):
            fact = _fact(run, index, event.site, event.owner, _class_at(event), event.form, other=event.other)
        elif isinstance(event, events.ModuleInitialised) and event.lost:
            fact = _wiped(run, index, event)
        elif isinstance(event, events.AttributeMissing) and not event.conditional:
            fact = _skipped(run, index, event)
        if fact is None:
            continue
        done.add(id(getattr(event, "owner", None)))
        if fact.site not in seen:
            seen.add(fact.site)
            yield fact


def _fact(
    run: Run,
    index: int,
    site: Site,
    owner: Instance,
    name: str,
    form: str,
    names: tuple[str, ...] = (),
    *,
    kind: str = "",
    other: str = "",
    used: str = "",
    read: bool = False,
    places: tuple[tuple[Site, str], ...] = (),
) -> MissingInit | None:
    """The fact, with what it explains: everything on the object, and the optimizers that would come later."""
    if _completed_by_others(run, owner):
        return None
    later = tuple(event for event in run.events[index:] if isinstance(event, OptimizerBuilt))
    return MissingInit(site, name, form, names, kind, other, used, read, places, leaves_in(owner), later)


def _completed_by_others(run: Run, owner: Instance) -> bool:
    """Whether the class is followed for its own sake and is a base of others, which may construct it rightly."""
    if run.root != owner.cls.name:
        return False
    source = run.interpreter.sources[run.path]
    extends = re.compile(rf"^\s*class \w+\([^)]*\b{re.escape(run.root)}\b", re.MULTILINE)
    if any(extends.search(source.lines_text(p.first_line, p.last_line)) for p in source.slices):
        return True
    return run.interpreter.project.extends(run.root, run.path)


def _class_at(event: events.ConstructorMissed) -> str:
    """The class whose constructor a place is in, so far as the object knows it."""
    for function in constructors.ran(event.owner) or ():
        if function.owner is not None and function.context.part is event.site.part:
            return function.owner.name
    return event.owner.cls.name


# -- never initialised, or too late ----------------------------------------------------------------------------------


def _refused(run: Run, index: int, event: events.RegisteredTooEarly) -> MissingInit | None:
    by = event.by.name if event.by is not None else event.owner.cls.name
    names = (event.name,) if event.name else ()
    if isinstance(event.site.node, cst.ClassDef):
        site = Site(event.site.part, event.site.node.name, event.site.statement)
        return _fact(run, index, site, event.owner, by, "dataclass", names, kind=event.kind)
    form, place, other, places = _reason(run, index, event.owner, event.by)
    if form == "stopped" and _is_module(run, event.owner, other):
        # It is that base which lacks the call.
        form, by, place, places = "missing", other, places[0][0], ((event.site, "this raises"),)
    return _fact(
        run,
        index,
        place or event.site,
        event.owner,
        by,
        form,
        names,
        kind=event.kind,
        other=other,
        places=places,
    )


def _is_module(run: Run, owner: Instance, name: str) -> bool:
    order = owner.cls.order() if isinstance(owner.cls, UserClass) else ()
    return any(
        isinstance(base, UserClass) and base.name == name and families.is_module_class(run.interpreter, base)
        for base in order
    )


def _reason(
    run: Run, index: int, owner: Instance, by: UserClass | None
) -> tuple[str, Site | None, str, tuple[tuple[Site, str], ...]]:
    """Why an object is not initialised: the form, where the mistake is (None: where it fails), a class, places."""
    for event in run.events[:index]:
        if isinstance(event, events.ConstructorMissed) and event.owner is owner:
            return event.form, event.site, event.other, ()
    for event in run.events[index:]:
        if isinstance(event, events.ModuleInitialised) and event.owner is owner:
            return "late", None, "", ((event.site, "this comes too late"),)
    ran = constructors.ran(owner) or ()
    last = ran[-1] if ran else None
    if last is None or last.owner is None:
        return "missing", None, "", ()
    place = _defined(last)
    if by is not None and last.owner is not by and any(function.owner is by for function in ran):
        return "stopped", None, last.owner.name, ((place, "this does not call `super().__init__()`"),)
    return "missing", None, "", ((place, "`super().__init__()` belongs here"),)


def _defined(function: Function) -> Site:
    """The name in the line that defines a function."""
    node = function.node
    return Site(function.context.part, node.name if isinstance(node, cst.FunctionDef) else node, node)


def _unready(run: Run, index: int, event: events.UsedUninitialised) -> MissingInit | None:
    """Nothing is refused, since only plain attributes were set: the first method of ``nn.Module`` fails."""
    ran = constructors.ran(event.owner) or ()
    form, place, other, places = _reason(run, index, event.owner, None)
    if form == "late":
        place = event.site
    elif place is None:
        if not ran:
            return None
        place, places = _defined(ran[-1]), ((event.site, "this fails"),)
    last = ran[-1].owner.name if ran and ran[-1].owner is not None else event.owner.cls.name
    return _fact(run, index, place, event.owner, last, form, other=other, used=event.method, places=places)


# -- initialised twice, or past a parent -------------------------------------------------------------------------------


def _wiped(run: Run, index: int, event: events.ModuleInitialised) -> MissingInit | None:
    """A second call: what was registered before it is gone, unless it is made again."""
    owner = event.owner
    gone = tuple(name for name in event.lost if owner.slots.get(name, ABSENT) is ABSENT)
    read = any(e.owner is owner and e.name in gone for e in run.of(events.AttributeMissing))
    unseen = owner.open or owner.slots.get("#escaped") is not None
    if not gone or event.conditional or not run.complete or (unseen and not read):
        return None
    made = next(
        (
            e.site
            for e in run.of(AttributeSet)
            if e.owner is owner and e.name == gone[0] and e.site != event.site
        ),
        None,
    )
    places = ((made, f"`{gone[0]}` is set here"),) if made is not None else ()
    return _fact(run, index, event.site, owner, owner.cls.name, "wiped", gone, read=read, places=places)


def _skipped(run: Run, index: int, event: events.AttributeMissing) -> MissingInit | None:
    """An attribute is missing that a parent's constructor sets, which was passed over."""
    owner = event.owner
    parent = next((f for f in constructors.passed_over(owner) if _sets(f, event.name)), None)
    if parent is None or parent.owner is None or owner.slots.get(event.name, ABSENT) is not ABSENT:
        return None
    site = _jump(run, index, owner)
    if site is None:
        return None
    ran = constructors.ran(owner) or ()
    name = next((f.owner.name for f in ran if f.owner and f.context.part is site.part), owner.cls.name)
    places = ((_defined(parent), "this never runs"), (event.site, f"`{event.name}` is missing here"))
    return _fact(
        run, index, site, owner, name, "skipped", (event.name,), other=parent.owner.name, places=places
    )


def _jump(run: Run, index: int, owner: Instance) -> Site | None:
    """The call that went past the parent."""
    skipped = [
        e.site for e in run.of(events.ConstructorSkipped) if e.owner is owner and run.place_of(e) < index
    ]
    if skipped:
        return skipped[0]
    ran = [e.site for e in run.of(events.ModuleInitialised) if e.owner is owner and run.place_of(e) < index]
    return ran[-1] if ran else None


def _sets(function: Function, name: str) -> bool:
    """Whether a constructor sets an attribute in plain sight."""
    code = function.context.part.code(function.node)
    return re.search(rf"\bself\.{re.escape(name)}\s*(?::[^=\n]+)?=[^=]", code) is not None
