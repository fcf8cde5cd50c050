"""Files of the cache: where they lie, how they are read and written whole, and how old ones are cleared away.

``results`` and ``neighbour_answers`` put plain JSON data in and take it out. Must not know what the data mean.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import sys
import time
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import optlint
from optlint.deferred import regex
from optlint.writing import WriteError, write_bytes

FORMAT = 1
#: A larger file is none that we have written.
MAX_BYTES = 64_000_000
#: A file that was changed so shortly before a run may change again without showing it in its times.
GRAIN_NS = 2_000_000_000

_KEPT_DAYS = 30
_KEPT_VERSIONS = 3
_VERSION = regex(r"results-[0-9a-f]{16}")
_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# This folder was made by optlint. It can be deleted at any time.
# What a cache directory tag is: https://bford.info/cachedir/
"""


def short_digest(*parts: str) -> str:
    """Sixteen hexadecimal digits for some texts."""
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@lru_cache(maxsize=1)
def version_key() -> str:
    """Names the program that gives the results: its version, its code, and the Python that runs it."""
    python = f"{sys.implementation.name}{sys.version_info[0]}.{sys.version_info[1]}"
    return short_digest(
        str(FORMAT), optlint.__version__, _code_digest(os.path.dirname(optlint.__file__)), python
    )


def _code_digest(package: str) -> str:
    """A digest of the package's sources; the same wherever and whenever they were installed."""
    content = blake2b(digest_size=16)
    pending = [package]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue  # a zip file: the version has to do
        for entry in entries:
            if entry.is_dir():
                pending.append(entry.path)
            elif entry.name.endswith(".py"):
                with contextlib.suppress(OSError), open(entry.path, "rb") as file:
                    content.update(
                        os.path.relpath(entry.path, package).encode() + b"\0" + file.read() + b"\0"
                    )
    return content.hexdigest()


class Cabinet:
    """One cache folder. Reading gives ``None`` for what is not there or not as we wrote it; writing may not happen."""

    def __init__(self, folder: str) -> None:
        """``folder`` is absolute and need not exist."""
        self.folder = folder
        self._results = os.path.join(folder, f"results-{version_key()}")
        self._writable: bool | None = None

    def read(self, name: str) -> Any:
        """The data that were put under a name, or ``None``."""
        path = os.path.join(self._results, name)
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
