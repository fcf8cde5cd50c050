"""Files of the cache: where they lie, how they are read and written whole, and how old ones are cleared away.

``results`` and ``neighbour_answers`` put plain JSON data in and take it out. Must not know what the data mean.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from typing import Any

from optlint.cache.version import look, version_key
from optlint.deferred import regex
from optlint.digests import blake2b
from optlint.writing import WriteError, write_bytes

#: A larger file is none that we have written.
MAX_BYTES = 64_000_000
#: Holds how the program looked that gave the results.
_LOOK = "program.json"
_KEPT_DAYS = 30
_KEPT_VERSIONS = 3
_VERSION = regex(r"results-[0-9a-f]{16}")
_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# This folder was made by optlint. It can be deleted at any time.
# What a cache directory tag is: https://bford.info/cachedir/
"""


class Cabinet:
    """One cache folder. Reading gives ``None`` for what is not there or not as we wrote it; writing may not happen."""

    def __init__(self, folder: str) -> None:
        """``folder`` is absolute and need not exist."""
        self.folder = folder
        self._results = os.path.join(folder, _results_of_this_program(folder))
        self._writable: bool | None = None

    def read(self, name: str) -> Any:
        """The data that were put under a name, or ``None``."""
        return _read(os.path.join(self._results, name))

    def write(self, name: str, data: Any) -> None:
        """Put data under a name, in the place of what was there; nothing happens where that cannot be done."""
        if not self.ready():
            return
        payload = json.dumps(data, separators=(",", ":")).encode()
        try:
            write_bytes(os.path.join(self._results, name), _checksum(payload) + b"\n" + payload)
        except (WriteError, ValueError):
            self._writable = False  # full, or taken away: do not try again for each file

    def ready(self) -> bool:
        """Whether the folder is there and takes files; it is made, and cleared of what is old, when first asked."""
        if self._writable is None:
            try:
                _make(self.folder)
                os.makedirs(self._results, exist_ok=True)
                self._writable = os.access(self._results, os.W_OK)
                if self._writable:
                    _clear(self.folder, self._results)
                    if (now := look()) and self.read(_LOOK) != now:
                        self.write(_LOOK, now)
            except (OSError, ValueError):
                self._writable = False
        return self._writable

    def clock(self) -> int:
        """The time in nanoseconds by the clock that stamps files in the folder, or by our own if that is behind."""
        now = time.time_ns()
        probe = os.path.join(self._results, f"clock-{os.getpid()}")
        try:
            if os.path.isdir(self._results):
                with open(probe, "wb"):
                    pass
                now = min(now, os.stat(probe).st_mtime_ns)
                os.unlink(probe)
        except (OSError, ValueError):
            pass
        return now


def _results_of_this_program(folder: str) -> str:
    """The name of the folder in ``folder`` whose results are those of the program that runs."""
    now = look()
    try:
        names = sorted(os.listdir(folder)) if now else []
    except (OSError, ValueError):
        names = []
    for name in names:
        if _VERSION.fullmatch(name) and _read(os.path.join(folder, name, _LOOK)) == now:
            return name
    return f"results-{version_key()}"


def _read(path: str) -> Any:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            return None
        with open(path, "rb") as file:
            check, _, payload = file.read().partition(b"\n")
        if check != _checksum(payload):
            return None
        return json.loads(payload)
    except (OSError, ValueError, RecursionError, MemoryError):
        return None


def _checksum(payload: bytes) -> bytes:
    return blake2b(payload, digest_size=16).hexdigest().encode()


def _make(folder: str) -> None:
    """Make the cache folder, with what tells git and backups to leave it out. A folder that is there stays as it is."""
    try:
        os.makedirs(folder)
    except FileExistsError:
        return
    for name, text in ((".gitignore", "*\n"), ("CACHEDIR.TAG", _TAG)):
        with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)


def _clear(folder: str, current: str) -> None:
    """Remove the results of other versions, but for those last used, and what has not been written for long."""
    versions = [entry for entry in os.scandir(folder) if _VERSION.fullmatch(entry.name) and entry.is_dir()]
    others = sorted((entry for entry in versions if entry.path != current), key=_age)
    for number, entry in enumerate(others):
        if number >= _KEPT_VERSIONS or _age(entry) > _KEPT_DAYS * 86_400:
            import shutil  # takes long to load, and most runs clear nothing

            shutil.rmtree(entry.path, ignore_errors=True)
    for entry in os.scandir(current):
        limit = _KEPT_DAYS * 86_400 if entry.name.endswith(".json") else 3_600
        if _age(entry) > limit:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)


def _age(entry: os.DirEntry[str]) -> float:
    """Seconds since an entry was written."""
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime
    except OSError:
        return 0.0
