"""Outcomes of earlier runs that still hold, and those of this run for the next.

The engine looks up every file before it has any checked, hands over what was checked, and closes the cache. An outcome
holds as long as every question that its analysis asked has the same answer. Must not import the analysis.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from optlint.around.surroundings import Surroundings
from optlint.cache.drawers import Cabinet
from optlint.cache.neighbour_answers import NeighbourAnswers
from optlint.cache.shards import Shard
from optlint.cache.stored import Base
from optlint.cache.times import FileTimes
from optlint.digests import short_digest
from optlint.settings import CACHE_NAME, PROJECT_MARKS
from optlint.source import SourceError, decode, read_bytes

if TYPE_CHECKING:
    from optlint.checker import Outcome
    from optlint.settings import Settings

_SHARDS = 64


class ResultCache:
    """All that is known from earlier runs, wherever the settings of a file say that it is kept."""

    def __init__(self, home: str, chosen: str | None = None) -> None:
        """``chosen`` is the cache folder for all files, if the user named one; ``home`` the folder that holds the cache
        of files that lie in no project.
        """
        self._home = home
        self._chosen = None if chosen is None else os.path.abspath(chosen)
        self._places: dict[Settings, _Place] = {}
        #: By the identity of settings, which takes less to find out than whether they are equal.
        self._same: dict[int, tuple[Settings, _Place]] = {}
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
        known = self._same.get(id(settings))
        if known is None:
            known = self._same[id(settings)] = settings, self._equal_place(settings)
        return known[1]

    def _equal_place(self, settings: Settings) -> _Place:
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
        self._shards: dict[str, Shard] = {}
        self._of_folders: dict[tuple[str, str], Shard] = {}
        self.around = Surroundings((), _read, watcher=self._answers)

    def shard(self, key: str, path: str) -> Shard:
        """The part of the results that a file's is in, for the settings that ``key`` stands for."""
        folder = os.path.dirname(path)
        found = self._of_folders.get((key, folder))
        if found is None:
            bucket = int(short_digest(self.base.key(folder)), 16) % _SHARDS
            name = f"{key}-{bucket:02x}.json"
            if name not in self._shards:
                self._shards[name] = Shard(name, self.cabinet, self.base, self.times)
            found = self._of_folders[key, folder] = self._shards[name]
        return found

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
        self.key = short_digest(repr((settings.choices(), settings.optimizers, settings.modules)))
