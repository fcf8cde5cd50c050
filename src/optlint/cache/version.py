"""Names the program whose results are kept: by its code, so that who works on a rule sees its findings at once.

``drawers`` asks, and keeps beside the results how the program's files looked: reading them takes longer than looking up
a small project. Must not know what is kept.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from functools import lru_cache

import optlint
from optlint.digests import blake2b, short_digest

FORMAT = 1
#: A file that was changed so shortly before a run may change again without showing it in its times.
GRAIN_NS = 2_000_000_000


@lru_cache(maxsize=1)
def version_key() -> str:
    """A digest of the program that gives the results: its version, its code, and the Python that runs it."""
    return short_digest(*_release(), _code_digest(_package()))


@lru_cache(maxsize=1)
def look() -> str:
    """How the program's files look from outside. What has looked so once had the same key; empty, where they are so new
    that they may change again without showing it.
    """
    content = blake2b("\0".join(_release()).encode(), digest_size=16)
    newest = 0
    for name, entry in _files(_package()):
        try:
            found = os.stat(entry.path)  # the entry itself does not know all of it on Windows
        except OSError:
            return ""
        seen = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
        newest = max(newest, found.st_mtime_ns, found.st_ctime_ns)
        content.update(f"{name}\0{seen}\0".encode("utf-8", "surrogatepass"))
    return content.hexdigest() if 0 < newest < time.time_ns() - GRAIN_NS else ""


def _package() -> str:
    return os.path.dirname(optlint.__file__)


def _release() -> tuple[str, ...]:
    python = f"{sys.implementation.name}{sys.version_info[0]}.{sys.version_info[1]}"
    return str(FORMAT), optlint.__version__, python


def _code_digest(package: str) -> str:
    """A digest of the package's sources; the same wherever and whenever they were installed."""
    content = blake2b(digest_size=16)
    for name, entry in _files(package):
        with contextlib.suppress(OSError), open(entry.path, "rb") as file:
            content.update(name.encode("utf-8", "surrogatepass") + b"\0" + file.read() + b"\0")
    return content.hexdigest()


def _files(package: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """The sources of a package in a certain order, each with its path below it. None in a zip file: there the version
    has to do.
    """
    pending = [("", package)]
    while pending:
        below, folder = pending.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir():
                pending.append((f"{below}{entry.name}/", entry.path))
            elif entry.name.endswith(".py"):
                yield below + entry.name, entry
