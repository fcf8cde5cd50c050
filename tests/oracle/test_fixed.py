"""Programs that ``--fix --unsafe-fixes`` has repaired: optlint finds nothing in them, and the framework trains them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from optlint import engine
from optlint.engine import Report
from optlint.fixing import fix_all
from optlint.settings import Configuration
from optlint.source import SourceStore
from tests.fixture_files import Claim, ClaimKind, Fixture, Oracle, all_fixtures
from tests.oracle.claims import broken_claims
from tests.oracle.proof import PACKAGES, Runners

#: Rules with a fix that ``--fix --unsafe-fixes`` makes.
FIXABLE = (
    "empty-parameter-list",
    "exhausted-parameter-iterator",
    "freeze-without-effect",
    "gradients-cleared-before-step",
    "method-not-called",
    "missing-super-init",
    "tensor-not-parameter",
    "unregistered-modules",
    "wrong-params-argument",
)
#: So many fixtures are repaired as a whole at least.
FEWEST = 95
#: Parameters without an effect in their right program: the loss cancels them.
IDLE = {"tensor-not-parameter/bad/bilinear_initialised_locally": ("Matcher.doc_encoder.bias",)}


def bad_fixtures() -> list[Fixture]:
    return [fixture for fixture in all_fixtures() if fixture.bad and fixture.rule in FIXABLE]


def repaired(fixture: Fixture, folder: Path) -> Fixture | None:
    """A copy of the fixture with all fixes made; ``None`` when not every finding in it has one."""
    project = fixture.copied(folder)
    root = str(project.resolve())
    files = sorted(str(path) for path in Path(root).rglob("*.py"))
    settings = Configuration(isolated=True, cwd=root)

    def lint(store: SourceStore) -> Report:
        return engine.run(files, settings.for_folder, store=store, folder=root)

    fixed = fix_all(lint, {}, unsafe=True)
    if not fixed.files or fixed.report.findings:
        return None
    for path, data in fixed.files.items():
        Path(path).write_bytes(data)
    path = project if fixture.path.is_dir() else project / fixture.path.name
    return Fixture(path, fixture.rule, bad=False)


@pytest.mark.parametrize("fixture", bad_fixtures(), ids=lambda fixture: fixture.name)
def test_a_repaired_program_trains(fixture: Fixture, tmp_path: Path, runners: Runners) -> None:
    header = fixture.header()
    if header.oracle is Oracle.NONE:
        pytest.skip(f"no oracle: {header.reason}")
    if any(importlib.util.find_spec(name) is None for name in PACKAGES[header.oracle]):
        pytest.skip("its framework is not installed")
    now = repaired(fixture, tmp_path)
    if now is None:
        pytest.skip("not every finding has a fix that is made")
    seen = runners.observe(header.oracle, now.path)
    idle = tuple(Claim(ClaimKind.STILL, path) for path in IDLE.get(fixture.name, ()))
    assert broken_claims((Claim(ClaimKind.TRAINS), *idle), seen) == []
    wrong = tuple(claim for claim in header.claims if claim.kind is not ClaimKind.MOVES)
    assert not wrong or broken_claims(wrong, seen) != [], (
        "what the fixture claims of itself no longer happens"
    )


def test_most_of_them_are_repaired(tmp_path: Path) -> None:
    number = 0
    for at, fixture in enumerate(bad_fixtures()):
        (tmp_path / str(at)).mkdir()
        number += repaired(fixture, tmp_path / str(at)) is not None
    assert number >= FEWEST
