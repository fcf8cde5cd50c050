"""Answers about the neighbours of files, kept with the file that made each of them so.

When some files of a neighbourhood have changed, a stored "no" is asked of those alone, and a "yes" stands as long as its
witness does. ``around.neighbours`` tells when a neighbourhood is used. Must not know who asks, or for what.
"""

from __future__ import annotations

import os
from typing import Any

from optlint.around.neighbours import Neighbourhood
from optlint.around.questions import NEIGHBOURLY, Question
from optlint.cache.drawers import Cabinet
from optlint.cache.stored import Base, Malformed, checked, listed
from optlint.cache.times import FileTimes, Times, times_of
from optlint.digests import short_digest

#: Answers that are kept for one neighbourhood; beyond, those that nobody asks for any more crowd out the others.
MAX_ANSWERS = 5_000

Contents = dict[str, "tuple[str, Times | None]"]
Answers = dict[Question, "str | None"]


class NeighbourAnswers:
    """The stored answers of all neighbourhoods in one cabinet."""

    def __init__(self, cabinet: Cabinet, base: Base, times: FileTimes) -> None:
        self._cabinet = cabinet
        self._base = base
        self._times = times
        self._loaded: dict[str, tuple[Contents, int]] = {}

    def opened(self, around: Neighbourhood) -> None:
        """Give a new neighbourhood the answers that still hold."""
        data = self._cabinet.read(self._name(around))
        contents: Contents = {}
        fresh = -1
        try:
            if data is not None:
                stored, answers = self._stored(data)
                contents, changed = self._compare(around, stored)
                gone = stored.keys() - set(around.files)
                around.answers.update(_still(around, answers, changed, gone, stored))
                fresh = len(around.answers) if not changed and not gone else -1
                if any(contents[file] != stored[file] for file in contents):
                    fresh = -1
        except Malformed:
            contents, fresh = {}, -1
            around.answers.clear()
        self._loaded[around.folder] = contents, fresh

    def closed(self, around: Neighbourhood) -> None:
        """Store the answers of a neighbourhood, unless they are the stored ones."""
        contents, fresh = self._loaded.pop(around.folder, ({}, -1))
        if not around.answers or len(around.answers) == fresh or not self._cabinet.ready():
            return
        files: dict[str, Any] = {}
        for file in around.files:
            content, times = contents.get(file) or (around.content(file), self._times.settled(file))
            files[self._base.key(file)] = [content, times]
        answers = [
            [kind, self._base.key(path), subject, names, None if witness is None else self._base.key(witness)]
            for (kind, path, subject, names), witness in list(around.answers.items())[-MAX_ANSWERS:]
        ]
        self._cabinet.write(self._name(around), {"files": files, "answers": answers})

    def _name(self, around: Neighbourhood) -> str:
        return f"around-{short_digest(self._base.key(around.folder))}.json"

    def _compare(self, around: Neighbourhood, stored: Contents) -> tuple[Contents, set[str]]:
        """The files that hold what they held, and those that hold something else or are new."""
        contents: Contents = {}
        changed: set[str] = set()
        for file in around.files:
            content, times = stored.get(file, ("", None))
            if times is not None and times == self._times.now(file):
                contents[file] = content, times
            elif file in stored and around.content(file) == content:
                contents[file] = content, self._times.settled(file)
            else:
                changed.add(file)
        return contents, changed

    def _stored(self, data: object) -> tuple[Contents, Answers]:
        table = checked(data, dict)
        contents: Contents = {}
        for key, entry in checked(table.get("files"), dict).items():
            content, times = _pair(entry)
            contents[self._base.path(key)] = checked(content, str), times_of(times)
        answers: Answers = {}
        for row in checked(table.get("answers"), list):
            if type(row) is not list or len(row) != 5 or checked(row[0], str) not in NEIGHBOURLY:
                raise Malformed
            names = tuple(listed(row[3], lambda name: checked(name, str)))
            question = Question(row[0], self._base.path(row[1]), checked(row[2], str), names)
            answers[question] = None if row[4] is None else self._base.path(row[4])
        return contents, answers


def _pair(data: object) -> tuple[Any, Any]:
    pair = checked(data, list)
    if len(pair) != 2:
        raise Malformed
    return pair[0], pair[1]


def _still(
    around: Neighbourhood, answers: Answers, changed: set[str], gone: set[str], stored: Contents
) -> Answers:
    """What the answers are now, so far as the files that changed can tell."""
    packages = {file for file in (changed - stored.keys()) | gone if os.path.basename(file) == "__init__.py"}
    files = [file for file in around.files if file in changed]
    found: Answers = {}
    for question, witness in answers.items():
        if packages and question.kind == "mentions":
            continue  # which files lie in one package has changed, and that counts for those that have not
        if witness is not None and witness in stored and witness not in changed and witness not in gone:
            found[question] = witness
            continue
        now = around.search(question, files)
        if now is not None or witness is None:
            found[question] = now
    return found
