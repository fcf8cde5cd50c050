"""What several test files share: the processes that run programs under the real frameworks, and whether they must."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.oracle.proof import PACKAGES, Runners

REQUIRED = "OPTLINT_REQUIRE_ORACLE"
"""When this variable is 1, a framework that is not installed is an error and not a reason to skip."""


# How long an example takes says how busy the machine is, not whether the program is right.
settings.register_profile("optlint", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("optlint")


def pytest_configure() -> None:
    """End the session at once where the proofs must run and cannot."""
    if os.environ.get(REQUIRED) != "1":
        return
    wanted = sorted({name for names in PACKAGES.values() for name in names})
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    if missing:
        raise pytest.UsageError(f"{REQUIRED} is set, but {' and '.join(missing)} cannot be found")


@pytest.fixture(scope="session")
def runners() -> Iterator[Runners]:
    """The serving processes, shared by all proofs of a session and started when first needed."""
    with Runners() as running:
        yield running
