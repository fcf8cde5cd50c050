"""Notebooks, and texts that are hard to read.

``adversarial`` measures them. Nothing here knows optlint.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from benchmarks.adversarial_inputs.cases import HEAD, TAIL, Files, case


@case("cells", 2_000)
def notebook(size: int) -> Files:
    sources = [HEAD + TAIL, *("model(x).sum().backward()\noptimizer.step()\n" for _ in range(size))]
    return {"main.ipynb": _notebook(sources)}


@case("outputs", 20_000)
def notebook_with_outputs(size: int) -> Files:
    output: dict[str, object] = {"output_type": "stream", "name": "stdout", "text": ["epoch 1: loss 0.5\n"]}
    return {"main.ipynb": _notebook([HEAD + TAIL], [output] * size)}


@case("lines", 8_000)
def notebook_with_magics(size: int) -> Files:
    return {"main.ipynb": _notebook([HEAD + "!ls -l\n%time x = 1\n" * (size // 2) + TAIL])}


def _notebook(sources: Iterable[str], outputs: list[dict[str, object]] | None = None) -> str:
    cells: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {},
            "outputs": outputs or [],
            "source": source.splitlines(keepends=True),
        }
        for source in sources
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@case("bytes", 1_600_000)
def no_python_quotes(size: int) -> str:
    return HEAD + "print '" + "\\'" * (size // 2) + "\n" + TAIL


@case("bytes", 400_000)
def no_python_with_open_quotes(size: int) -> str:
    return HEAD + "print 1\n" + "'\"" * (size // 2) + "\n" + '"""' + TAIL


@case("lines", 16_000)
def no_python_statements(size: int) -> str:
    return HEAD + "print 'Python 2', model.parameters()\n" * size + TAIL


@case("lines", 16_000)
def continued_lines(size: int) -> str:
    return HEAD + "flag = 1 \\\n" + "    + 1 \\\n" * size + "    + 1\n" + TAIL


@case("lines", 16_000)
def windows_line_ends(size: int) -> str:
    return (HEAD + "value = 1\n" * size + TAIL).replace("\n", "\r\n")


@case("bytes", 1_000_000)
def spaces(size: int) -> str:
    return HEAD + "x = 1" + " " * size + "\n" + "\n" * size + TAIL
