"""Programs that are large or tangled in one way each, at any size: what a linter must not choke on.

``adversarial`` measures them; the tests make small ones. Nothing here knows optlint.
"""

from benchmarks.adversarial_inputs import (  # noqa: F401  (their makers enter themselves into CASES)
    branches,
    expressions,
    length,
    multiplying,
    projects,
    texts,
    width,
)
from benchmarks.adversarial_inputs.cases import CASES, HEAD, MAIN, TAIL, Case, Files

__all__ = ["CASES", "HEAD", "MAIN", "TAIL", "Case", "Files"]
