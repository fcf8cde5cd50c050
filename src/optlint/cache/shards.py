"""The results of some folders' files: for each its outcome, and the numbers of the questions that it rests on.

``results`` makes one for each file of the cache that a run needs. What is read is looked at only where it is used, and
may be anything at all. Must not know settings.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from optlint.around.questions import (
    BESIDE,
    BYTES,
    CONTENT,
    FIND,
    NEIGHBOURLY,
    PRESENT,
    REGISTERS,
    REQUIREMENTS,
    Question,
    bytes_digest,
)
from optlint.cache.stored import Base, Malformed, checked, from_data, is_cacheable, listed, to_data
from optlint.cache.times import FileTimes, Times, times_of
from optlint.source import SourceError, read_bytes

if TYPE_CHECKING:
    from optlint.around.surroundings import Surroundings
    from optlint.cache.drawers import Cabinet
    from optlint.checker import Outcome

_OF_ONE_FILE = frozenset({BYTES, CONTENT, REGISTERS})
_GIVE_PATHS = frozenset({FIND, BESIDE, REQUIREMENTS})
_KINDS = _OF_ONE_FILE | _GIVE_PATHS | NEIGHBOURLY | {PRESENT}

Row = tuple[Question, str]
"""A question, and the answer that an outcome rests on."""


class Shard:
    """One file of the cache."""

    def __init__(self, name: str, cabinet: Cabinet, base: Base, times: FileTimes) -> None:
        self._name = name
        self._cabinet = cabinet
        self._base = base
        self._times = times
        data = cabinet.read(name)
        table = data if type(data) is dict else {}
        rows, files = table.get("rows"), table.get("files")
        self._stored: list[Any] = rows if type(rows) is list else []
        self._files: dict[str, Any] = files if type(files) is dict else {}
        self._paths: dict[str, str] = {}
        self._rows: dict[int, tuple[Row, Times | None]] = {}
        self._verdicts: dict[Surroundings, dict[int, bool]] = {}
        self._refreshed: dict[int, Times | None] = {}
        self._once: dict[Row, Row] = {}
        self._new: dict[str, tuple[Any, list[Row]] | None] = {}

    def lookup(self, path: str, surroundings: Surroundings) -> Outcome | None:
        """The outcome of a file, if all that it rests on is as it was."""
        try:
            key = self._base.key(path)
            data, numbers = self._entry(key)
            if self._raw(numbers[0])[:2] != [BYTES, key]:
                return None
            verdicts = self._verdicts.setdefault(surroundings, {})
            for number in numbers:
                holds = verdicts.get(number)
                if holds is None:
                    holds = verdicts[number] = self._still_holds(number, surroundings)
                if not holds:
                    return None
            return from_data(data, path, self._base)
        except Malformed:
            return None

    def _entry(self, key: str) -> tuple[Any, list[int]]:
        """The data of a file's outcome, and the numbers of its rows, of which there are some. Raises ``Malformed``."""
        entry = checked(self._files.get(key), list)
        if len(entry) != 2 or type(entry[1]) is not list or not entry[1]:
            raise Malformed
        for number in entry[1]:
            if type(number) is not int:
                raise Malformed
        return entry[0], entry[1]

    def _raw(self, number: int) -> list[Any]:
        """A row as it is stored, of which nothing is known but that it has all its parts. Raises ``Malformed``."""
        row = self._stored[number] if 0 <= number < len(self._stored) else None
        if type(row) is not list or len(row) != 6:
            raise Malformed
        return row

    def _path(self, key: object) -> str:
        """A stored path as an absolute one. Raises ``Malformed``."""
        path = self._paths.get(key) if type(key) is str else None
        if path is None:
            path = self._paths[checked(key, str)] = self._base.path(key)
        return path

    def _row(self, number: int) -> tuple[Row, Times | None]:
        """A row, and the times of the file that it is about, if it is about one. Raises ``Malformed``."""
        known = self._rows.get(number)
        if known is not None:
            return known
        kind, key, subject, names, answer, times = self._raw(number)
        if not type(kind) is type(key) is type(subject) is type(answer) is str or kind not in _KINDS:
            raise Malformed
        path = self._path(key)
        named = tuple(listed(names, lambda name: checked(name, str))) if names else ()
        if answer and kind in _GIVE_PATHS:
            answer = "\0".join(self._base.path(found) for found in answer.split("\0"))
        known = self._rows[number] = (Question(kind, path, subject, named), answer), times_of(times)
        return known

    def _still_holds(self, number: int, surroundings: Surroundings) -> bool:
        kind, key, _, _, _, seen = self._raw(number)
        if seen and type(kind) is str and kind in _OF_ONE_FILE and seen == self._times.now(self._path(key)):
            return True  # most are of this kind, and need not be looked at any closer
        (question, answer), times = self._row(number)
        if question.kind not in _OF_ONE_FILE:
            return surroundings.ask(question) == answer
        now = _bytes_of(question.path) if question.kind == BYTES else surroundings.ask(question)
        if now != answer:
            return False
        settled = self._times.settled(question.path)
        if settled != times:
            self._refreshed[number] = settled
        return True

    def keep(self, outcome: Outcome, surroundings: Surroundings) -> None:
        """Take up an outcome of this run in the place of what was known of the file."""
        key = self._base.key(outcome.path)
        self._new[key] = None
        if is_cacheable(outcome):
            for question in outcome.looked:
                if question.kind in NEIGHBOURLY:
                    surroundings.ask(question)  # so that the answer is stored with its witness
            rows = [self._once.setdefault(row, row) for row in outcome.looked.items()]
            self._new[key] = to_data(outcome, self._base), rows
        outcome.looked = {}  # many, and of no more use

    def close(self) -> None:
        """Write the shard if it has changed, without the files that are gone and the rows that nothing rests on."""
        if not (self._new or self._refreshed) or not self._cabinet.ready():
            return
        numbers: dict[Row, int] = {}
        rows: list[Any] = []
        files: dict[str, Any] = {}
        for key, data, its_rows in (*self._earlier(), *self._of_this_run()):
            files[key] = [data, []]
            for row, times in its_rows:
                if row not in numbers:
                    numbers[row] = len(rows)
                    rows.append(self._row_data(row, times))
                rows[numbers[row]][5] = times or rows[numbers[row]][5]
                files[key][1].append(numbers[row])
        self._cabinet.write(self._name, {"rows": rows, "files": files})

    def _earlier(self) -> Iterator[tuple[str, Any, list[tuple[Row, Times | None]]]]:
        """The outcomes of earlier runs that are well-formed and of files that are still there."""
        for key in self._files:
            try:
                if key not in self._new and os.path.isfile(self._base.path(key)):
                    data, numbers = self._entry(key)
                    yield key, data, [(self._row(number)[0], self._times_of(number)) for number in numbers]
            except Malformed:
                continue

    def _of_this_run(self) -> Iterator[tuple[str, Any, list[tuple[Row, Times | None]]]]:
        """The outcomes of this run; only what it has read itself goes with the times of today."""
        known: dict[str, Times | None] = {}
        for key, entry in self._new.items():
            if entry is None:
                continue
            for question, _ in entry[1]:
                if question.kind in _OF_ONE_FILE and question.path not in known:
                    known[question.path] = self._times.settled(question.path)
            times = [
                known[question.path] if question.kind in _OF_ONE_FILE else None for question, _ in entry[1]
            ]
            yield key, entry[0], list(zip(entry[1], times, strict=True))

    def _times_of(self, number: int) -> Times | None:
        return self._refreshed[number] if number in self._refreshed else self._row(number)[1]

    def _row_data(self, row: Row, times: Times | None) -> list[Any]:
        (kind, path, subject, names), answer = row
        if kind in _GIVE_PATHS and answer:
            answer = "\0".join(self._base.key(found) for found in answer.split("\0"))
        return [kind, self._base.key(path), subject, names, answer, times]


def _bytes_of(path: str) -> str:
    try:
        return bytes_digest(read_bytes(path))
    except SourceError:
        return ""
