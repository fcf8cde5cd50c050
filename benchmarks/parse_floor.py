"""The parse floor: ``libcst.parse_module`` over every ``.py`` file below the folders that the command line names.

`speed`, `peers` and `growth` run it as a process of its own, like what they compare with it. It knows nothing of
optlint.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import libcst


def parse_all(folders: Sequence[str]) -> tuple[int, int]:
    """Parse every file, forget its tree, and say how many there were and how many libcst refused."""
    files = refused = 0
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                if not name.endswith(".py"):
                    continue
                files += 1
                try:
                    with open(os.path.join(place, name), "rb") as file:
                        libcst.parse_module(file.read())
                except Exception:  # a file that is no Python, or none that libcst knows
                    refused += 1
    return files, refused


if __name__ == "__main__":
    print("{} files, {} refused".format(*parse_all(sys.argv[1:])))
