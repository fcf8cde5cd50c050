"""Writes files whole or not at all: a run that is cut off leaves what was there before.

The command line writes baselines and fixed files through here. Must not know what the text is.
"""

from __future__ import annotations

import contextlib
import os
import stat

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class WriteError(Exception):
    """A file that could not be written. ``str`` of it is for the user."""


def write_text(path: str, text: str) -> None:
    """Write ``text`` as UTF-8 with the line ends that it has. Raises ``WriteError``."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: str, data: bytes) -> None:
    """Put ``data`` in the place of what ``path`` holds, keeping its permissions, through links. Raises ``WriteError``."""
    target = os.path.realpath(path)
    try:
        mode = _mode(target)
        scratch = os.path.join(os.path.dirname(target), f".optlint-{os.urandom(8).hex()}")
        handle = os.open(scratch, _NEW_FILE, 0o600)  # as tempfile does, which takes long to load
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(scratch, mode)
            os.replace(scratch, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(scratch)
            raise
    except OSError as error:
        raise WriteError(f"{path}: cannot be written: {error.strerror or error}") from error


def _mode(path: str) -> int:
    """The permissions that the file has, or that a new one would get."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
