"""``python -m optlint`` and the console script.

Answers ``--version`` by itself, so that asking for it loads nothing; everything else is ``optlint.running``, by way of
``optlint.cli`` where there are options.
"""

from __future__ import annotations

import gc
import sys

from optlint import __version__


def main() -> None:
    """Run the command line on ``sys.argv`` and exit with its status."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"optlint {__version__}\n")
        sys.exit(0)
    if "--lsp" not in sys.argv:
        gc.disable()  # a run is short, and collects by need (``optlint.garbage``)
    from optlint import running

    options = running.plain(sys.argv[1:])
    if options is not None:
        sys.exit(running.run_plain(options))
    from optlint.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
