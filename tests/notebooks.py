"""Makes notebooks for tests, the way Jupyter writes them."""

from __future__ import annotations

import json
from typing import Any


def notebook(*cells: str | tuple[str, str], **document: Any) -> bytes:
    """A notebook of code cells; a pair is a cell of another type and its text. Keywords replace top-level keys."""
    whole = {
        "cells": [_cell(cell) for cell in cells],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps({**whole, **document}, indent=1, ensure_ascii=False) + "\n").encode()


def _cell(cell: str | tuple[str, str]) -> dict[str, Any]:
    kind, text = ("code", cell) if isinstance(cell, str) else cell
    made: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True)}
    return {**made, "execution_count": None, "outputs": []} if kind == "code" else made
