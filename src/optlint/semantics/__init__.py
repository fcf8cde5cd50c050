"""What the program means: values, flow and events. Knows nothing of rules, reports or settings files."""

import optlint.syntax  # noqa: F401  # before any module here imports libcst
