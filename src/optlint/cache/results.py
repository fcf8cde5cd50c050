"""Outcomes of earlier runs that still hold, and those of this run for the next.

The engine looks up every file before it has any checked, hands over what was checked, and closes the cache. An outcome
holds as long as every question that its analysis asked has the same answer. Must not import the analysis.
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
    REGISTERS,
    REQUIREMENTS,
    Question,
    bytes_digest,
)
from optlint.around.surroundings import Surroundings
from optlint.cache.drawers import Cabinet, short_digest
from optlint.cache.neighbour_answers import NeighbourAnswers, times_of
from optlint.cache.stored import Base, Malformed, checked, from_data, is_cacheable, listed, to_data
from optlint.cache.times import FileTimes, Times
from optlint.settings import CACHE_NAME, PROJECT_MARKS
from optlint.source import SourceError, decode, read_bytes

if TYPE_CHECKING:
    from optlint.checker import Outcome
    from optlint.settings import Settings

_SHARDS = 64
_OF_ONE_FILE = frozenset({BYTES, CONTENT, REGISTERS})
_GIVE_PATHS = frozenset({FIND, BESIDE, REQUIREMENTS})
_KINDS = _OF_ONE_FILE | _GIVE_PATHS | NEIGHBOURLY

Row = tuple[Question, str]
"""A question and the answer that an outcome rests on."""


class ResultCache:
    """All that is known from earlier runs, wherever the settings of a file say that it is kept."""

    def __init__(self, home: str, chosen: str | None = None) -> None:
        """``chosen`` is the cache folder for all files, if the user named one; ``home`` the folder that holds the cache
        of files that lie in no project.
        """
        self._home = home
        self._chosen = None if chosen is None else os.path.abspath(chosen)
        self._places: dict[Settings, _Place] = {}
        self._cabinets: dict[tuple[str, str], _Drawers] = {}

    def lookup(self, path: str, settings: Settings) -> Outcome | None:
        """What checking a file would give, if that is known."""
        place = self._place(settings)
        return place.drawers.shard(place.key, path).lookup(path, place.surroundings)

    def keep(self, outcome: Outcome, settings: Settings) -> None:
        """Take up what checking a file has given."""
        place = self._place(settings)
        place.drawers.shard(place.key, outcome.path).keep(outcome, place.surroundings)

    def close(self) -> None:
        """Write what is new."""
        for drawers in self._cabinets.values():
            drawers.close()

    def surroundings(self, settings: Settings) -> Surroundings:
        """What a checker in this process may look around in, so that nothing is looked for twice."""
        return self._place(settings).surroundings

    def _place(self, settings: Settings) -> _Place:
        if settings not in self._places:
            folder, base = self._folder(settings)
            if (folder, base) not in self._cabinets:
                self._cabinets[folder, base] = _Drawers(folder, base)
            self._places[settings] = _Place(self._cabinets[folder, base], settings)
        return self._places[settings]

    def _folder(self, settings: Settings) -> tuple[str, str]:
        """The cache folder for some settings, and what its paths are relative to."""
        chosen = self._chosen or settings.cache_dir
        if chosen:
            below = chosen.startswith(os.path.join(settings.root, ""))
            return chosen, settings.root if below else ""
        root = settings.root if settings.config_path or _is_project(settings.root) else self._home
        return os.path.join(root, CACHE_NAME), root


def _is_project(folder: str) -> bool:
    return any(os.path.exists(os.path.join(folder, mark)) for mark in PROJECT_MARKS)


def _read(path: str) -> str | None:
    """The text of a file as the analysis reads it, without keeping it."""
    try:
        return decode(read_bytes(path))
    except SourceError:
        return None


class _Drawers:
    """One cache folder, and the view of the disk that all its questions share."""

    def __init__(self, folder: str, base: str) -> None:
        self.cabinet = Cabinet(folder)
        self.base = Base(base)
        self.cabinet.ready()
        self.times = FileTimes(self.cabinet.clock())
        self._answers = NeighbourAnswers(self.cabinet, self.base, self.times)
        self._shards: dict[str, _Shard] = {}
        self.around = Surroundings((), _read, watcher=self._answers)

    def shard(self, key: str, path: str) -> _Shard:
        """The part of the results that a file's is in, for the settings that ``key`` stands for."""
        bucket = int(short_digest(self.base.key(os.path.dirname(path))), 16) % _SHARDS
        name = f"{key}-{bucket:02x}.json"
        if name not in self._shards:
            self._shards[name] = _Shard(self, name)
        return self._shards[name]

    def close(self) -> None:
        for shard in self._shards.values():
            shard.close()
        self.around.close()


class _Place:
    """Where results under some settings are, and how questions are answered under them."""

    def __init__(self, drawers: _Drawers, settings: Settings) -> None:
        self.drawers = drawers
        self.surroundings = drawers.around.with_roots(settings.src)
        # Import roots are no part of it: what they lead to is in the answers.
        layers = [layer for layer in settings.selections if layer.select is not None or layer.selectors()]
        self.key = short_digest(repr((layers, settings.optimizers, settings.modules)))


class _Shard:
    """The results of some folders: for each file its outcome and the numbers of the rows that it rests on."""

    def __init__(self, drawers: _Drawers, name: str) -> None:
        self._drawers = drawers
        self._base = drawers.base
        self._name = name
        self._dirty = False
        self._rows: list[Row] = []
        self._times: list[Times | None] = []
        self._numbers: dict[Row, int] = {}
        self._holds: dict[tuple[int, Surroundings], bool] = {}
        self._files: dict[str, tuple[Any, list[int]]] = {}
        try:
            self._load(drawers.cabinet.read(name))
        except Malformed:
            self._rows, self._times, self._numbers, self._files = [], [], {}, {}

    def _load(self, data: Any) -> None:
        if data is None:
            return
        table = checked(data, dict)
        for row in checked(table.get("rows"), list):
            question, answer, times = self._row(row)
            self._numbers[question, answer] = len(self._rows)
            self._rows.append((question, answer))
            self._times.append(times)
        for key, entry in checked(table.get("files"), dict).items():
            if type(entry) is not list or len(entry) != 2:
                raise Malformed
            numbers = listed(entry[1], lambda number: checked(number, int))
            if not all(0 <= number < len(self._rows) for number in numbers):
                raise Malformed
            self._base.path(key)
            self._files[key] = entry[0], numbers

    def _row(self, data: object) -> tuple[Question, str, Times | None]:
        row = checked(data, list)
        if len(row) != 6 or checked(row[0], str) not in _KINDS:
            raise Malformed
        names = tuple(listed(row[3], lambda name: checked(name, str)))
        question = Question(row[0], self._base.path(row[1]), checked(row[2], str), names)
        answer = checked(row[4], str)
        if question.kind in _GIVE_PATHS and answer:
            answer = "\0".join(self._base.path(key) for key in answer.split("\0"))
        return question, answer, times_of(row[5])

    def lookup(self, path: str, surroundings: Surroundings) -> Outcome | None:
        """The outcome of a file, if all that it rests on is as it was."""
        entry = self._files.get(self._base.key(path))
        if entry is None:
            return None
        data, numbers = entry
        rests_on_itself = any(self._rows[number][0][:2] == (BYTES, path) for number in numbers)
        if not rests_on_itself or not all(self._still_holds(number, surroundings) for number in numbers):
            return None
        try:
            return from_data(data, path, self._base)
        except Malformed:
            return None

    def _still_holds(self, number: int, surroundings: Surroundings) -> bool:
        known = self._holds.get((number, surroundings))
        if known is None:
            known = self._holds[number, surroundings] = self._compare(number, surroundings)
        return known

    def _compare(self, number: int, surroundings: Surroundings) -> bool:
        question, answer = self._rows[number]
        if question.kind not in _OF_ONE_FILE:
            return surroundings.ask(question) == answer
        times = self._times[number]
        if times is not None and times == self._drawers.times.now(question.path):
            return True
        now = _bytes_of(question.path) if question.kind == BYTES else surroundings.ask(question)
        if now != answer:
            return False
        self._times[number] = self._drawers.times.settled(question.path)
        self._dirty = self._dirty or self._times[number] != times
        return True

    def keep(self, outcome: Outcome, surroundings: Surroundings) -> None:
        """Store an outcome of this run in the place of what was known of the file."""
        key = self._base.key(outcome.path)
        if not is_cacheable(outcome):
            self._dirty = self._files.pop(key, None) is not None or self._dirty
            return
        numbers: list[int] = []
        for question, answer in outcome.looked.items():
            if question.kind in NEIGHBOURLY:
                surroundings.ask(question)  # so that the answer is stored with its witness
            number = self._numbers.get((question, answer))
            if number is None:
                number = self._numbers[question, answer] = len(self._rows)
                self._rows.append((question, answer))
                self._times.append(None)
            if question.kind in _OF_ONE_FILE:
                self._times[number] = self._drawers.times.settled(question.path)
            numbers.append(number)
        self._files[key] = to_data(outcome, self._base), numbers
        self._dirty = True

    def close(self) -> None:
        """Write the shard if it has changed, without the files that are gone and the rows that nothing rests on."""
        if not self._dirty or not self._drawers.cabinet.ready():
            return
        files = {key: entry for key, entry in self._files.items() if os.path.isfile(self._base.path(key))}
        used = sorted({number for _, numbers in files.values() for number in numbers})
        place = {number: index for index, number in enumerate(used)}
        data = {
            "rows": list(self._row_data(used)),
            "files": {
                key: [outcome, [place[n] for n in numbers]] for key, (outcome, numbers) in files.items()
            },
        }
        self._drawers.cabinet.write(self._name, data)

    def _row_data(self, numbers: list[int]) -> Iterator[list[Any]]:
        for number in numbers:
            (kind, path, subject, names), answer = self._rows[number]
            if kind in _GIVE_PATHS and answer:
                answer = "\0".join(self._base.key(found) for found in answer.split("\0"))
            yield [kind, self._base.key(path), subject, names, answer, self._times[number]]


def _bytes_of(path: str) -> str:
    try:
        return bytes_digest(read_bytes(path))
    except SourceError:
        return ""
