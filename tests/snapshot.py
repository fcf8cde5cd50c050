"""Compares what a user sees with a file under ``tests/snapshots``.

Tests call ``check``; with OPTLINT_UPDATE_SNAPSHOTS=1 it writes the files instead. Knows nothing of optlint.
"""

from __future__ import annotations

import os
from pathlib import Path

SNAPSHOTS = Path(__file__).parent / "snapshots"


def check(name: str, text: str) -> None:
    """Assert that ``text`` is what the snapshot ``name`` holds."""
    path = SNAPSHOTS / name
    if os.environ.get("OPTLINT_UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text(encoding="utf-8"), (
        f"{path.name} differs; OPTLINT_UPDATE_SNAPSHOTS=1 rewrites it"
    )
