"""Digests that stand for texts and bytes, and the one function behind them.

The cache and ``around`` take them from here. Must not know what they stand for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import blake2b
else:
    try:
        from _blake2 import blake2b  # ``hashlib`` loads OpenSSL, which has nothing to do with it
    except ImportError:
        from hashlib import blake2b

__all__ = ["blake2b", "short_digest"]


def short_digest(*parts: str) -> str:
    """Sixteen hexadecimal digits for some texts."""
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
