"""Every fixture is linted, and what is found must be exactly what its marks say.

A fixture is copied to a folder of its own first: its neighbours are no part of its program.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from optlint import engine
from optlint.rules import all_rules
from optlint.settings import Configuration
from tests.fixture_files import FIXTURES, Fixture, FixtureError, Mark, all_fixtures, read_marks
from tests.linting import Reported, differences, lint

FEWEST_BAD, FEWEST_GOOD = 10, 6
"""For each rule."""
MEAN = {("OPT1", "OPT2", "OPT3"): (15, 25), ("OPT4", "OPT5"): (12, 25), ("OPT6",): (10, 20)}
"""On average, bad and good, for the rules of some families."""
HOUSEKEEPING = "OPT9"


@pytest.mark.parametrize("fixture", all_fixtures(), ids=lambda fixture: fixture.name)
def test_findings_are_what_the_marks_say(fixture: Fixture, tmp_path: Path) -> None:
    project = fixture.copied(tmp_path)
    assert differences(fixture.marks(), lint(project)) == []


@pytest.mark.parametrize("fixture", all_fixtures(), ids=lambda fixture: fixture.name)
def test_marks_and_headers_are_well_formed(fixture: Fixture) -> None:
    fixture.header()
    codes = {mark.code for mark in fixture.marks()}
    if not fixture.bad:
        assert not [mark for mark in fixture.marks() if not mark.missed], "a good fixture expects no finding"
        return
    own = [rule.code for rule in all_rules() if rule.name == fixture.rule]
    assert own, f"no rule is called {fixture.rule}"
    assert own[0] in codes, f"a bad fixture of {own[0]} has no mark of it"


def test_every_rule_has_its_fixtures() -> None:
    counted = Counter((fixture.rule, fixture.bad) for fixture in all_fixtures())
    # A rule that is off by default may be a preview of one whose fixtures are still to come.
    named = {rule.name for rule in all_rules()}
    wanted = {rule.name for rule in all_rules() if rule.default and not rule.code.startswith(HOUSEKEEPING)}
    short = [
        f"{name}: {counted[name, True]} bad, {counted[name, False]} good"
        for name in sorted(wanted)
        if counted[name, True] < FEWEST_BAD or counted[name, False] < FEWEST_GOOD
    ]
    assert short == []
    assert {path.name for path in FIXTURES.iterdir() if path.is_dir()} <= named
    for family, (bad, good) in MEAN.items():
        members = [rule.name for rule in all_rules() if rule.code.startswith(family)]
        assert sum(counted[name, True] for name in members) >= bad * len(members), family
        assert sum(counted[name, False] for name in members) >= good * len(members), family


MARK = Mark("train.py", 3, "OPT102", ("bias",))
FOUND = Reported("train.py", 3, "OPT102", "leaves out linear.bias")


@pytest.mark.parametrize(
    ("marks", "found", "told"),
    [
        ([MARK], [FOUND], []),
        ([MARK], [], ["train.py:3: OPT102 is not found"]),
        ([], [FOUND], ["not expected: train.py:3: OPT102 leaves out linear.bias"]),
        ([MARK, MARK], [FOUND], ["train.py:3: OPT102 is not found"]),
        ([MARK], [FOUND, FOUND], ["not expected: train.py:3: OPT102 leaves out linear.bias"]),
        (
            [Mark("train.py", 3, "OPT102", ("weight",))],
            [FOUND],
            ["train.py:3: OPT102 does not contain weight: leaves out linear.bias"],
        ),
        ([Mark("train.py", 3, "OPT102", missed="why")], [], []),
        (
            [Mark("train.py", 3, "OPT102", missed="why")],
            [FOUND],
            ["train.py:3: OPT102 is found now: turn its 'miss' into 'expect'"],
        ),
    ],
)
def test_differences_are_told(marks: list[Mark], found: list[Reported], told: list[str]) -> None:
    assert differences(marks, found) == told


def test_marks_are_read(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(
        'a  # expect: OPT102 "x" "y z"; OPT101\nb\nc  # miss: OPT401 goes through a C extension\n'
    )
    assert list(read_marks(file, tmp_path)) == [
        Mark("train.py", 1, "OPT102", ("x", "y z")),
        Mark("train.py", 1, "OPT101"),
        Mark("train.py", 3, "OPT401", missed="goes through a C extension"),
    ]


@pytest.mark.parametrize("mark", ["expect: OPT1", "expect: OPT101 text", "miss: OPT101", "expect:"])
def test_a_faulty_mark_is_named_by_file_and_line(tmp_path: Path, mark: str) -> None:
    file = tmp_path / "train.py"
    file.write_text(f"a\nb  # {mark}\n")
    with pytest.raises(FixtureError, match=r"train\.py:2: "):
        list(read_marks(file, tmp_path))


def test_of_several_places_that_explain_a_finding_the_first_in_the_text_is_named(tmp_path: Path) -> None:
    """Whatever order the tensors of a model happen to be held in."""
    layers = "".join(f"        self.layer{number} = nn.Linear(3, 3)\n" for number in range(12))
    calls = "".join(f"        x = self.layer{number}(x)\n" for number in range(12))
    (tmp_path / "train.py").write_text(
        "import copy\nimport torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
        f"    def __init__(self):\n        super().__init__()\n{layers}\n    def forward(self, x):\n{calls}"
        "        return x\n\n\nmodel = Net()\ncopied = copy.deepcopy(model)\n"
        "optimizer = torch.optim.SGD(copied.parameters(), lr=0.1)\n"
        "for _ in range(3):\n    optimizer.zero_grad()\n    model(torch.ones(2, 3)).sum().backward()\n"
        "    optimizer.step()\n"
    )
    root = str(tmp_path)
    settings = Configuration(isolated=True, cwd=root).for_folder
    (finding,) = engine.run([str(tmp_path / "train.py")], settings, folder=root).findings
    assert [(place.span.line, place.message) for place in finding.related] == [
        (9, "the copies are made here")
    ]
