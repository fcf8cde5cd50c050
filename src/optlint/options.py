"""The command line as data, and the error that ends a run.

``cli`` fills it in, ``running`` and ``delivery`` read it. Nothing in here does more than print.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from optlint.deferred import dataclass

if TYPE_CHECKING:
    from optlint.selection import Selection

USAGE_FAULT = 2
STDIN_NAME = "<stdin>"
"""What standard input is called when ``--stdin-filename`` does not say."""


class RunError(Exception):
    """The run itself cannot go on; the text is for the user."""


@dataclass(frozen=True)
class Options:
    """The command line, as it was given."""

    paths: tuple[str, ...]
    selection: Selection
    jobs: int
    output_formats: tuple[str, ...] = ()
    output_file: str | None = None
    baseline: str | None = None
    write_baseline: str | None = None
    config: str | None = None
    isolated: bool = False
    no_cache: bool = False
    cache_dir: str | None = None
    stdin_filename: str | None = None
    statistics: bool = False
    exit_zero: bool = False
    fix: bool = False
    unsafe_fixes: bool = False
    diff: bool = False
    add_ignore: str | None = None
    quiet: bool = False
    verbose: bool = False
    explain: str | None = None
    list_rules: bool = False
    show_settings: bool = False
    show_files: bool = False

    @property
    def piped(self) -> str | None:
        """The absolute path that standard input goes by; ``None`` when it is not among the paths."""
        return os.path.abspath(self.stdin_filename or STDIN_NAME) if "-" in self.paths else None


def complain(message: str) -> None:
    """Print what went wrong to standard error."""
    say(f"optlint: error: {message}", err=True)


def say(text: str, *, err: bool = False, end: str = "\n") -> None:
    """Print to standard output, or to standard error, at once."""
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{text}{end}")
    stream.flush()
