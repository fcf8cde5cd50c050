"""Draws what a terminal of 80 columns shows for an example, for the first page of the documentation.

``python scripts/picture.py`` rewrites ``docs/terminal.svg``; ``tests/test_docs.py`` fails when that would change it.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from unittest import mock

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from optlint import engine
from optlint.reporters import Style, write
from optlint.settings import Configuration
from optlint.source import SourceStore

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "terminal.svg"
EXAMPLE = "examples/frozen_fine_tuning.py"
WIDTH = 80

_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn() -> str:
    """The picture, as SVG that loads nothing from elsewhere."""
    screen = _Screen()
    path = ROOT / EXAMPLE
    report = engine.run([str(path)], Configuration(isolated=True).for_folder, folder=str(ROOT))
    environment = {"TERM": "xterm-256color", "COLUMNS": str(WIDTH), "LC_ALL": "C.UTF-8"}
    with mock.patch.dict(os.environ, environment, clear=True):
        write(report, "full", screen, Style(), SourceStore())
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text.assemble(("$ ", "bold"), f"optlint {EXAMPLE}"))
    console.print(Text.from_ansi(screen.getvalue()))
    svg = console.export_svg(title="optlint", theme=SVG_EXPORT_THEME, unique_id="optlint")
    return _FONTS.sub("", svg).replace("Fira Code, monospace", "monospace") + "\n"


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
