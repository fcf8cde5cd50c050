"""The syntax tree, by the names of libcst's nodes: which parts of a file are read, and where a node stands in the file.

Type checkers are shown libcst; what runs are ``nodes``, which have what is asked for of it and are quick to load.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import libcst as cst
else:
    from optlint.syntax import nodes as cst

__all__ = ["cst"]
