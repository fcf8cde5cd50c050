"""Reading one-shot iterators: what is left in them, and a note of who took what.

``iteration`` and the functions of Python's that read iterators ask it. It must not know what the elements are for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from optlint.semantics.events import IteratorRead
from optlint.semantics.progress import END, MAX_USES, Progress, Use
from optlint.semantics.site import Site
from optlint.semantics.values import (
    ABSENT,
    Choice,
    Container,
    External,
    Items,
    Method,
    OneShot,
    UnseenIterator,
    UserClass,
    Value,
    join_values,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Iterators that give one element for each of the iterator that they read.
_ONE_FOR_ONE = frozenset({"enumerate", "enumerate-many", "map", "zip"})
#: Iterators that take at least one element for each that they give.
_SELECTING = frozenset({"filter", "generator"})
#: Iterators read by iterators read by …: further ones are not followed.
_MAX_DEPTH = 5


def one_shot(value: Value) -> OneShot | None:
    """The notes of an iterator, also of one of which no more is known; None for any other value."""
    if isinstance(value, UnseenIterator):
        return value.state
    return value if isinstance(value, OneShot) else None


def rest(it: Interpreter, iterator: OneShot) -> Items:
    """All that is left, which is taken: the iterator is used up afterwards."""
    before = iterator.progress
    _record(it, iterator, before)
    if before.used_up:
        return Items()
    begun = _begun(it, iterator)
    _move(it, iterator, Progress(frozenset({END}), begun.items, _with_use(it, before, full=True)))
    return left(begun)


def left(progress: Progress) -> Items:
    """What an iterator that is being read would still give."""
    items = progress.items
    if progress.used_up:
        return Items()
    if items is None:
        return Items((), True)
    first, last = min(progress.at), min(max(progress.at), len(items.values))
    doubtful = tuple(join_values([value, ABSENT]) for value in items.values[first:last])
    return Items(doubtful + items.values[last:], items.open, items.many)


def ahead(it: Interpreter, iterator: OneShot) -> Items:
    """What an iterator would give, without using it up."""
    progress = iterator.progress
    if progress.items is None and not progress.used_up:
        mark, recorded = it.heap.mark(), len(it.events)
        progress = Progress(progress.at, iterator.produce())
        it.heap.rollback(mark)
        del it.events[recorded:]
    return left(progress)


def first_of(it: Interpreter, iterator: OneShot) -> Items | None:
    """The next element with what may come in its place if it is missing; None when nothing is left for certain."""
    steps = Steps(it, iterator)
    if iterator.progress.used_up and not steps.items.values and not steps.items.open:
        return None
    for count, value in enumerate(steps.items.values, 1):
        if not _may_be_missing(value):
            steps.stand(range(1, count + 1))
            return Items(steps.items.values[:count])
    steps.finish()
    steps.stand((*range(1, len(steps.items.values) + 1), END))
    return Items(steps.items.values, True)


def stops(answers: Sequence[bool | None], wanted: bool) -> Iterator[int]:
    """How many elements may have been read by somebody who stops at the first answer that is ``wanted``."""
    for count, answer in enumerate(answers, 1):
        if answer is not (not wanted):
            yield count
        if answer is wanted:
            return
    yield END


class Steps:
    """An iterator that is read one by one. ``items``: what is left; say with ``stand`` how many were taken."""

    def __init__(self, it: Interpreter, iterator: OneShot) -> None:
        self._it = it
        self._iterator = iterator
        before = iterator.progress
        _record(it, iterator, before)
        self._over = before.used_up
        self._start = min(before.at)
        self.items = Items()
        self._exact = False
        if self._over:
            return
        begun = _begun(it, iterator)
        self.items = left(begun)
        self._exact = len(before.at) == 1 and not self.items.open and not self.items.many
        self._uses = _with_use(it, before, full=False)
        at = frozenset({self._start}) if self._exact else frozenset({*before.at, END})
        self._set(at, self._uses, begun.items)

    def stand(self, taken: Iterable[int]) -> None:
        """So many elements were taken, whichever of the numbers it is."""
        if self._over:
            return
        progress = self._iterator.progress
        length = len(progress.items.values) if progress.items is not None else 0
        if self._exact:
            places = {count if count == END else self._start + count for count in taken}
            self._set(frozenset(END if p >= length else p for p in places), self._uses, progress.items)

    def finish(self) -> None:
        """All were taken."""
        if not self._over:
            uses = (*self._uses[:-1], _full(self._uses[-1]))
            self._set(frozenset({END}), uses, self._iterator.progress.items)

    def _set(self, at: frozenset[int], uses: tuple[Use, ...], items: Items | None) -> None:
        _move(self._it, self._iterator, Progress(at, items, uses))


def in_unseen_hands(it: Interpreter, iterator: OneShot, depth: int = 0) -> None:
    """Code that cannot be seen has the iterator: from here on it may stand anywhere."""
    progress = iterator.progress
    if progress.used_up or depth > _MAX_DEPTH:
        return
    uses = _with_use(it, progress, full=False)
    it.heap.set(iterator.slots, "progress", Progress(progress.at | {END}, progress.items, uses))
    for inner in _read_by(iterator):
        in_unseen_hands(it, inner, depth + 1)


# -- notes -------------------------------------------------------------------------------------------------------------


def _begun(it: Interpreter, iterator: OneShot) -> Progress:
    """The notes of an iterator with its elements known; what it reads in turn is read here."""
    progress = iterator.progress
    if progress.items is not None:
        return progress
    return Progress(progress.at, iterator.produce(), progress.uses)


def _move(it: Interpreter, iterator: OneShot, progress: Progress, depth: int = 0) -> None:
    """Write where an iterator stands, and with it those that it reads."""
    it.heap.set(iterator.slots, "progress", progress)
    if depth > _MAX_DEPTH or progress.items is None or iterator.kind == "islice":
        return  # a slice says itself how far it reads
    for inner in _read_by(iterator):
        before = inner.progress
        if before.items is not None and before.uses:
            at = _inner_places(iterator, inner, progress)
            uses = before.uses
            if not progress.used_up or not progress.uses or not progress.uses[-1].full:
                uses = (*uses[:-1], _partial(uses[-1]))
            _move(it, inner, Progress(at, before.items, uses), depth + 1)


def _inner_places(outer: OneShot, inner: OneShot, progress: Progress) -> frozenset[int]:
    """Where an iterator stands that another has read so far; what was there before it began is not counted."""
    if progress.used_up:
        return frozenset({END})
    assert progress.items is not None
    assert inner.progress.items is not None
    inside = inner.progress.items.values
    if outer.kind in _ONE_FOR_ONE and len(inside) == len(progress.items.values):
        return progress.at
    lowest = min(progress.at) if outer.kind in _SELECTING else 0
    return frozenset({END if lowest >= len(inside) else lowest, END})


def _read_by(iterator: OneShot) -> list[OneShot]:
    """The iterators that an iterator reads."""
    found: list[OneShot] = []
    for source in iterator.sources:
        for option in options(source):
            inside = option.items.values if isinstance(option, Container) else (option,)
            found.extend(one for one in map(one_shot, inside) if one is not None)
    return found


def _may_be_missing(value: Value) -> bool:
    return isinstance(value, Choice) and ABSENT in value.options


def _full(use: Use) -> Use:
    return Use(use.site, use.by, True, use.conditional, use.entry, use.aside)


def _partial(use: Use) -> Use:
    return Use(use.site, use.by, False, use.conditional, use.entry, use.aside)


def _with_use(it: Interpreter, before: Progress, *, full: bool) -> tuple[Use, ...]:
    site, by = whom(it)
    aside = isinstance(site.statement, cst.Expr) and site.node is site.statement.value
    use = Use(site, by, full, bool(it.conditional), it.entry, aside)
    return (*[old for old in before.uses if old != use], use)[-MAX_USES:]


def _record(it: Interpreter, iterator: OneShot, before: Progress) -> None:
    """Somebody reads an iterator that was read before."""
    if before.uses:
        site, by = whom(it)
        asked = _asked_at(it, site, iterator)
        guarded = it.catching > 0
        it.record(IteratorRead(site, bool(it.conditional), iterator, before, by, it.entry, guarded, asked))


def _asked_at(it: Interpreter, site: Site, iterator: OneShot) -> Site | None:
    """The call in the file that made the iterator which led to its being read in another file."""
    if iterator.site is None or site.path == iterator.site.path:
        return None
    for frame in reversed(it.frames):
        if frame.context.part.module.path == iterator.site.path:
            statement = frame.statement
            if isinstance(statement, cst.BaseSmallStatement):
                return Site(frame.context.part, statement, statement)
            return None
    return None


def whom(it: Interpreter) -> tuple[Site, str]:
    """Who reads now: the call, loop or display that was noted last, else the statement that is executed."""
    if it.reader is not None:
        frame, node, function = it.reader
        return Site(frame.context.part, node, frame.statement or node), _called(function)
    frame = next((frame for frame in reversed(it.frames) if frame.statement is not None), it.frame)
    statement = frame.statement if frame.statement is not None else cst.Pass()
    return Site(frame.context.part, statement, statement), ""


def _called(function: Value | str) -> str:
    """A name for what reads: of a function its qualified name, of a method its own with a dot."""
    if isinstance(function, str):
        return function
    if isinstance(function, External):
        return function.name
    if isinstance(function, Method):
        return f".{function.name}"
    return function.name if isinstance(function, UserClass) else ""
