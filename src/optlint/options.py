"""The command line as data, and the error that ends a run.

``cli`` fills it in, ``delivery`` reads it. Nothing in here does anything.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

import click

from optlint.deferred import dataclass

if TYPE_CHECKING:
    from optlint.selection import Selection

USAGE_FAULT = 2
STDIN_NAME = "<stdin>"
"""What standard input is called when ``--stdin-filename`` does not say."""


class RunError(click.ClickException):
    """The run itself cannot go on; the text is for the user."""

    exit_code = USAGE_FAULT

    def show(self, file: IO[str] | None = None) -> None:
        """Print the reason to standard error."""
        complain(self.message)


@dataclass(frozen=True)
class Options:
    """The command line, as it was given."""

    paths: tuple[str, ...]
    output_formats: tuple[str, ...]
    output_file: str | None
    baseline: str | None
    write_baseline: str | None
    selection: Selection
    config: str | None
    isolated: bool
    jobs: int
    no_cache: bool
    cache_dir: str | None
    stdin_filename: str | None
    statistics: bool
    exit_zero: bool
    fix: bool
    unsafe_fixes: bool
    diff: bool
    add_ignore: str | None
    quiet: bool
    verbose: bool
    explain: str | None
    list_rules: bool
    show_settings: bool
    show_files: bool

    @property
    def piped(self) -> str | None:
        """The absolute path that standard input goes by; ``None`` when it is not among the paths."""
        return os.path.abspath(self.stdin_filename or STDIN_NAME) if "-" in self.paths else None


def complain(message: str) -> None:
    """Print what went wrong to standard error."""
    click.echo(f"optlint: error: {message}", err=True)
