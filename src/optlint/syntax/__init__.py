"""libcst, kept at arm's length: which parts of a file are parsed, and where a node stands in the file."""

from optlint.deferred import deferring

with deferring():
    import libcst  # noqa: F401
