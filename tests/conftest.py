"""What several test files share: the processes that run programs under the real frameworks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle.proof import Runners


@pytest.fixture(scope="session")
def runners() -> Iterator[Runners]:
    """The serving processes, shared by all proofs of a session and started when first needed."""
    with Runners() as running:
        yield running
