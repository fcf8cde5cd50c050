"""When Python looks for garbage: not while syntax trees grow, again and again, but when enough of it has come together.

The engine and the workers use it for a whole run, the analysis for one file. Must not know what the memory holds.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

#: Blocks of memory (about 100 bytes each) that come together before they are searched.
_BLOCKS = 400_000

#: A search of everything, trees that are kept included, finds little: it is due when there is this much (about 200 MiB),
#: and then when there is this many times what it left.
_MUCH = 1_800_000
_GROWTH = 1.5

_limit = 0
_left = 0


@contextlib.contextmanager
def by_need() -> Iterator[None]:
    """Within it garbage is collected only when the outermost or an inner one ends and much has come together.

    Left to itself, Python searches all trees that are kept for other files once more for each file: a fifth of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        _collect()
        if enabled:
            gc.enable()


def _collect() -> None:
    """Search what is new; and once in a while what was new before as well, such as trees that are kept no longer."""
    global _limit, _left
    blocks = sys.getallocatedblocks()
    if not _limit:
        _limit = blocks + _BLOCKS
    elif blocks > _limit:
        gc.collect(0)
        if sys.getallocatedblocks() > max(_MUCH, _GROWTH * _left):
            gc.collect()
            _left = sys.getallocatedblocks()
        _limit = sys.getallocatedblocks() + _BLOCKS
