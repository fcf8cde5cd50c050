"""Proves fixtures: hands them to a runner process for their framework and judges what comes back.

Used by the tests, and by hand: ``python -m tests.oracle.proof PATH...`` proves the fixtures named (a file, a
fixture's folder, or a folder of fixtures) and prints what does not hold.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from tests.fixture_files import ClaimKind, Fixture, FixtureError, Oracle, all_fixtures, fixture_at
from tests.oracle.claims import broken_claims
from tests.oracle.observation import Observation

ROOT = Path(__file__).parents[2]
PACKAGES = {
    Oracle.TORCH: ("torch",),
    Oracle.KERAS: ("keras", "tensorflow"),
    Oracle.KERAS_TORCH: ("keras", "torch"),
    Oracle.NONE: (),
}


class CannotRunError(Exception):
    """The fixture cannot be proved here; the message is the reason to print."""


class Runners:
    """One serving process a framework, started when first needed."""

    def __init__(self) -> None:
        self._running: dict[Oracle, subprocess.Popen[str]] = {}

    def __enter__(self) -> Runners:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running.values():
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                process.communicate(timeout=60)
            process.kill()

    def observe(self, oracle: Oracle, path: Path) -> Observation:
        """Run the fixture at ``path``. Raises RuntimeError when the run itself fails."""
        process = self._process(oracle)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{path.resolve()}\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline() or '{"fault": "the runner ended"}')
        if "fault" in answer:
            raise RuntimeError(answer["fault"])
        return Observation.from_json(answer)

    def _process(self, oracle: Oracle) -> subprocess.Popen[str]:
        if oracle not in self._running:
            command = [sys.executable, "-m", "tests.oracle.runner", oracle.value, "--serve"]
            self._running[oracle] = subprocess.Popen(
                command,
                cwd=ROOT,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._running[oracle]


def faults_of(fixture: Fixture, runners: Runners) -> list[str]:
    """What is wrong with a fixture's claims. Raises CannotRunError (not possible here) and FixtureError."""
    header = fixture.header()
    if header.oracle is Oracle.NONE:
        if header.claims:
            raise FixtureError(f"{fixture.entry}:1: claims without an oracle")
        raise CannotRunError(f"no oracle: {header.reason}")
    kinds = {claim.kind for claim in header.claims}
    if not fixture.bad and ClaimKind.TRAINS not in kinds:
        return ["a good fixture must claim 'trains'"]
    if fixture.bad and not kinds - {ClaimKind.TRAINS}:
        return ["a bad fixture must claim what goes wrong"]
    missing = [name for name in PACKAGES[header.oracle] if importlib.util.find_spec(name) is None]
    if missing:
        raise CannotRunError(f"{' and '.join(missing)} not installed")
    try:
        return broken_claims(header.claims, runners.observe(header.oracle, fixture.path))
    except RuntimeError as fault:
        return [f"the run failed: {fault}"]


def main(arguments: list[str]) -> int:
    """Prove what is named; exit status 1 when something does not hold."""
    everything = all_fixtures()
    broken = 0
    with Runners() as runners:
        for argument in arguments:
            path = Path(argument).resolve()
            for fixture in [f for f in everything if path in (f.path, *f.path.parents)] or [fixture_at(path)]:
                try:
                    faults = faults_of(fixture, runners)
                except CannotRunError as reason:
                    print(f"skip {fixture.name}: {reason}")
                    continue
                except FixtureError as error:
                    faults = [str(error)]
                broken += bool(faults)
                print(
                    f"{'FAIL' if faults else 'ok  '} {fixture.name}", *(f"\n     {fault}" for fault in faults)
                )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
