"""optlint inside flake8: its findings in one file, as flake8 wants them.

flake8 makes one ``Plugin`` for each file. Must not know how findings are made.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache

from optlint import __version__
from optlint.engine import run as check_files
from optlint.rules.housekeeping import InvalidSyntax
from optlint.selection import Selection
from optlint.settings import Configuration
from optlint.source import SourceStore, encode

_PIPED = ("stdin", "-")


class Plugin:
    """The findings of optlint in one file; those in other files of the project are told where these are checked."""

    name = "optlint"
    version = __version__

    def __init__(self, tree: ast.AST, filename: str, lines: Sequence[str]) -> None:
        """``lines`` are the file's, as flake8 read them; ``tree`` makes flake8 call this for each file, and is not
        looked at.
        """
        name = "stdin.py" if filename in _PIPED else filename
        self._path = os.path.abspath(name)
        self._text = "".join(lines)

    def run(self) -> Iterator[tuple[int, int, str, type[Plugin]]]:
        """Line (from 1), column (from 0) and text of each finding. Raises ``SettingsError`` for a broken
        configuration, which flake8 shows as the plugin's failure.
        """
        store = SourceStore({self._path: encode(self._text)})
        report = check_files([self._path], _configuration().for_folder, store=store, jobs=1)
        for finding in report.findings:
            here = os.path.normpath(os.path.join(report.folder, finding.path)) == self._path
            if here and finding.code != InvalidSyntax.code:  # flake8 has E999 for it
                yield finding.span.line, finding.span.column - 1, f"{finding.code} {finding.message}", Plugin


@lru_cache(maxsize=1)
def _configuration() -> Configuration:
    return Configuration(config=None, isolated=False, command_line=Selection(None, (), ()))
