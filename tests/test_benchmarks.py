"""The benchmarks of speed: what they measure, what they leave as it was, and what they write into the page."""

from __future__ import annotations

import ast
import json
import os
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import optlint
from benchmarks import (
    adversarial,
    adversarial_inputs,
    growth,
    hotspots,
    in_process,
    measuring,
    peers,
    plot,
    same,
    slowest,
    speed,
    startup,
    trees,
)
from benchmarks.adversarial import Line, Point
from benchmarks.measuring import Cost

pytestmark = pytest.mark.skipif(
    not hasattr(os, "wait4"), reason="the system does not say what a process used"
)

SCRIPTS = (adversarial, growth, hotspots, peers, slowest, speed, startup)
TRAINING = """\
import torch

model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
if __name__ == "__main__":
    optimizer.zero_grad()
    model(torch.ones(2)).sum().backward()
    optimizer.step()
"""
#: Programs that are meant to be no Python, at least at some size.
REFUSED = {"nested ifs", "brackets that python refuses", "no python quotes", "no python statements"}
REFUSED |= {"no python with open quotes"}
STAND_IN = "import sys; print('{\"findings\": [], \"argv\": ' + repr(len(sys.argv)) + '}')"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page with all parts, which the scripts write instead of the real one; and a build folder of its own."""
    file = tmp_path / "docs" / "performance.md"
    file.parent.mkdir()
    parts = [f"{measuring.begin(script.NAME)}\nold\n{measuring.end(script.NAME)}\n" for script in SCRIPTS]
    file.write_text("# Performance\n\n" + "\nbetween\n".join(parts), encoding="utf-8")
    for script in SCRIPTS:
        monkeypatch.setattr(script, "PAGE", file)
    monkeypatch.setattr(measuring, "BUILD", tmp_path / "build")
    monkeypatch.setattr(growth, "BUILD", tmp_path / "build")
    monkeypatch.setattr(growth, "PICTURE", file.parent / "growth.svg")
    return file


@pytest.fixture
def checkouts(tmp_path: Path) -> Path:
    """Two small repositories."""
    folder = tmp_path / "checkouts"
    for name in ("a+one", "b+two"):
        (folder / name).mkdir(parents=True)
        (folder / name / "train.py").write_text(TRAINING, encoding="utf-8")
        (folder / name / "book.ipynb").write_text("{}", encoding="utf-8")
    return folder


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """What lies in a folder, with the times of change."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def replace_optlint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have something quick run in place of optlint."""
    monkeypatch.setattr(trees, "optlint", lambda *arguments: [sys.executable, "-c", STAND_IN, *arguments])
    trees.has_cache.cache_clear()
    monkeypatch.setattr(trees, "has_cache", lambda: True)


# Measuring.


def test_a_command_is_measured_with_what_it_starts() -> None:
    work = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    begins = f"subprocess.run([sys.executable, '-c', {work!r}], check=True)"
    program = f"import subprocess, sys; print('said'); {begins}; sys.exit(3)"
    cost = measuring.run([sys.executable, "-c", program])
    assert (cost.status, cost.output.strip(), cost.complaints) == (3, "said", "")
    assert cost.cpu >= 0.2
    assert cost.wall >= 0.2
    assert 1 < cost.peak < 500


def test_a_command_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    child = f"import time; time.sleep(1); open({str(tmp_path / 'late')!r}, 'w')"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert measuring.run([sys.executable, "-c", program], limit=0.3).status is None
    time.sleep(1.2)
    assert not (tmp_path / "late").exists()


@pytest.mark.parametrize(("power", "tolerance"), [(1, 1e-9), (2, 1e-9), (0, 1e-9)])
def test_the_exponent_is_the_power_of_the_size(power: int, tolerance: float) -> None:
    sizes = [10, 20, 40, 80]
    found = measuring.exponent(sizes, [0.5 * size**power for size in sizes])
    assert found == pytest.approx(power, abs=tolerance)


def test_one_size_says_nothing_about_growth() -> None:
    assert measuring.exponent([10], [1.0]) is None
    assert measuring.exponent([10, 10], [1.0, 2.0]) is None


def test_ratios_are_those_within_a_turn() -> None:
    # The second turn ran on a machine that was three times slower: the ratio is the same.
    costs = {
        speed.FLOOR: [Cost(10, 10, 50, 0), Cost(30, 30, 50, 0)],
        "warm": [Cost(1, 2, 40, 0), Cost(3, 6, 40, 0)],
    }
    assert speed.rows(costs)[1] == ["warm", "2.00", "4.00", "40", "0.100", "0.200"]


def test_a_run_that_was_ended_is_no_measurement() -> None:
    costs = {speed.FLOOR: [Cost(10, 10, 50, 0)], "slow": [Cost(20, 20, 40, None)]}
    assert speed.rows(costs)[1][1:3] == ["over 20.00", "over 20.00"]


def test_a_broken_optlint_is_not_measured() -> None:
    with pytest.raises(SystemExit, match="no such thing"):
        trees.checked(Cost(1, 1, 1, 1, "", "no such thing"))


# Pages.


def test_a_part_of_a_page_is_replaced_and_the_rest_stays(page: Path) -> None:
    before = page.read_text(encoding="utf-8")
    measuring.write_part(page, "speed", "new")
    after = page.read_text(encoding="utf-8")
    old, new = (
        f"{measuring.begin('speed')}\n{text}\n{measuring.end('speed')}" for text in ("old", "\nnew\n")
    )
    assert after == before.replace(old, new) != before
    measuring.write_part(page, "speed", "new")
    assert page.read_text(encoding="utf-8") == after


def test_a_page_without_the_part_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"text {measuring.begin('speed')}", encoding="utf-8")
    with pytest.raises(ValueError, match="no part 'speed'"):
        measuring.write_part(file, "speed", "new")
    assert file.read_text(encoding="utf-8") == f"text {measuring.begin('speed')}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.NAME)
def test_every_script_has_its_part_of_the_page(script: object) -> None:
    name = script.NAME  # type: ignore[attr-defined]
    text = measuring.PAGE.read_text(encoding="utf-8")
    assert text.count(measuring.begin(name)) == text.count(measuring.end(name)) == 1
    assert f"python -m benchmarks.{name}" in (measuring.ROOT / "benchmarks" / "README.md").read_text("utf-8")


def test_the_picture_is_well_formed_and_grows_to_the_right_and_up() -> None:
    lines = [plot.Line("floor <a>", [(1_000, 0.1), (10_000, 1.0), (1_000_000, 90.0)])]
    tree = ET.fromstring(plot.svg([plot.Panel("Time", "lines", lines)]))
    drawn = next(part for part in tree.iter() if part.tag.endswith("polyline"))
    points = [tuple(map(float, point.split(","))) for point in drawn.attrib["points"].split()]
    assert points == sorted(points)
    assert [up for _, up in points] == sorted((up for _, up in points), reverse=True)
    labels = [part.text for part in tree.iter() if part.tag.endswith("text")]
    assert {"floor <a>", "1,000,000", "0.1", "100"} <= set(labels)
    with pytest.raises(ValueError, match="5 lines"):
        plot.svg([plot.Panel("Time", "lines", lines * 5)])


# Trees.


def test_a_copy_has_no_notebooks_and_is_known_as_a_checkout(checkouts: Path, tmp_path: Path) -> None:
    before = snapshot(checkouts)
    tree = trees.copied(measuring.checkouts(checkouts), tmp_path / "tree")
    assert sorted(path.name for path in tree.rglob("*.*")) == [".git", ".git", "train.py", "train.py"]
    assert trees.size_of(tree) == (2, 16)
    assert snapshot(checkouts) == before


def test_a_changed_file_is_as_before_in_the_end(checkouts: Path) -> None:
    before = snapshot(checkouts)
    file = trees.training_script([checkouts])
    texts = [TRAINING.encode()]

    def interrupted() -> None:
        with trees.edits(file) as edit:
            for _ in range(2):
                edit()
                ast.parse(file.read_bytes())
                texts.append(file.read_bytes())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(set(texts)) == 3
    assert snapshot(checkouts) == before


def test_the_smaller_tree_has_the_files_that_it_should(checkouts: Path) -> None:
    assert trees.first_files(checkouts, 1) == ["a+one"]
    assert trees.first_files(checkouts, 2) == ["a+one", "b+two"]


def test_the_sample_is_of_many_repositories_and_none_is_most_of_it(tmp_path: Path) -> None:
    for number in range(40):
        folder = tmp_path / f"owner+{number:02}"
        folder.mkdir()
        (folder / "main.py").write_text("x = 1\n" * (5_000 if number == 7 else 100), encoding="utf-8")
    chosen = peers.sample(measuring.checkouts(tmp_path), 1_000)
    assert measuring.lines_in(measuring.python_files(chosen)) == (10, 1_000)
    assert chosen[-1].name > "owner+30"


def test_peers_are_not_installed_into_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(SystemExit, match="is no virtual environment"):
        peers.installed(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_replicated_trees_hold_no_file_twice(checkouts: Path, tmp_path: Path) -> None:
    files, lines = growth.replicated(measuring.checkouts(checkouts), tmp_path / "tree", 100)
    texts = [path.read_bytes() for path in measuring.python_files([tmp_path / "tree"])]
    assert (len(texts), sum(text.count(b"\n") for text in texts)) == (files, lines) == (10, 100)
    assert len(set(texts)) == files


# The scripts.


def test_speed_measures_all_rows_and_writes_them(
    checkouts: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "cores", lambda: 2)
    before = snapshot(checkouts)
    assert speed.main([str(checkouts), "--runs", "1", "--write"]) == 0
    text = page.read_text(encoding="utf-8").partition(measuring.end("speed"))[0]
    rows = [speed.FLOOR, "cold, 1 worker", "cold, 2 workers"]
    rows += ["warm", "one file changed"] if trees.has_cache() else []
    assert [row for row in rows if f"| {row} |" not in text] == []
    assert "2 repositories, 2 Python files, 16 lines" in text
    kept = json.loads((measuring.BUILD / "speed.json").read_text(encoding="utf-8"))
    assert list(kept["costs"]) == rows
    assert snapshot(checkouts) == before


def test_growth_measures_each_size_and_draws(
    checkouts: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_optlint(monkeypatch)
    assert growth.main([str(checkouts), "--sizes", "20", "50", "--runs", "1", "--write"]) == 0
    text = page.read_text(encoding="utf-8")
    assert "| 20 | 2 |" in text
    assert "| 50 | 5 |" in text
    drawn = (page.parent / "growth.svg").read_text(encoding="utf-8")
    assert all(f">{name}<" in drawn for name in (speed.FLOOR, "cold, 1 worker", "warm"))


def test_slowest_says_whether_a_file_takes_too_long(
    checkouts: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert slowest.main([str(checkouts), "--write"]) == 0
    assert "| a/one `train.py` |" in page.read_text(encoding="utf-8")
    monkeypatch.setattr(slowest, "TOO_LONG", 0.0)
    assert slowest.main([str(checkouts)]) == 1


def test_same_tells_reports_apart(checkouts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only = [str(checkouts), "--only", "a/one"]
    cold = ("cold", json.dumps({"findings": [1]}, indent=1))
    monkeypatch.setattr(same, "reports", lambda folder, work: iter([cold, cold]))
    assert same.main(only) == 0
    monkeypatch.setattr(same, "reports", lambda folder, work: iter([cold, ("warm", '{\n "findings": []\n}')]))
    assert same.main(only) == 1


def test_reports_from_elsewhere_name_the_same_paths(checkouts: Path, tmp_path: Path) -> None:
    tree = trees.copied(measuring.checkouts(checkouts, ["a/one"]), tmp_path / "tree", without="")
    (tree / "a+one" / "wrong.py").write_text("import torch\n\no = torch.optim.SGD([])\n", encoding="utf-8")
    arguments = ["--jobs", "1"]
    at_home = same._report(tree / "a+one", [*arguments, "."], tree / "a+one")
    elsewhere = same._report(tmp_path, [*arguments, str(tree / "a+one")], tree / "a+one")
    assert '"path": "wrong.py"' in at_home
    assert same.differences(("here", at_home), ("there", elsewhere)) == []


# Start-up.


def test_the_script_has_150_lines_and_is_right_unless_made_wrong(tmp_path: Path) -> None:
    assert startup.SCRIPT.read_bytes().count(b"\n") == 150
    files = startup.scripts(tmp_path)
    found = [next(in_process.check_files(file.parent, [file])).findings for file in files.values()]
    assert found == [0, 1]


def test_what_a_check_imports_is_found_out(tmp_path: Path) -> None:
    names = startup.imported(startup.scripts(tmp_path)["with a finding"])
    assert {"optlint.analysis", "optlint.reporters.full"} <= set(names)


# Programs made to be slow.


@pytest.mark.parametrize("case", adversarial_inputs.CASES, ids=lambda case: case.name)
def test_programs_are_python_unless_they_are_meant_not_to_be(case: adversarial_inputs.Case) -> None:
    assert [later // earlier for earlier, later in zip(case.sizes, case.sizes[1:], strict=False)] == [2, 2, 2]
    files = case.make(case.sizes[0])
    valid = True
    for name, text in files.items():
        cells = [text]
        if name.endswith(".ipynb"):
            cells = ["".join(cell["source"]) for cell in json.loads(text)["cells"]]
        try:
            valid = all(ast.parse(cell) for cell in cells if "%time" not in cell) and valid
        except SyntaxError:
            valid = False
    assert valid == (case.name not in REFUSED)


def test_no_two_programs_have_the_same_name() -> None:
    names = [case.name for case in adversarial_inputs.CASES]
    assert len(set(names)) == len(names) > 80


def points(*times: float) -> list[Point]:
    """Four sizes that took so long."""
    return [Point(10 * 2**number, seconds, 50, False, (), "") for number, seconds in enumerate(times)]


def test_a_budget_does_not_hide_the_growth_before_it() -> None:
    power = adversarial.growth(points(0.5, 2.0, 8.0, 0.3))
    assert power == pytest.approx(2)
    assert adversarial.growth(points(0.01, 0.01, 0.02, 0.08)) is None


@pytest.mark.parametrize(
    ("times", "bad"),
    [((0.5, 1.0, 2.0, 4.0), False), ((0.3, 1.0, 4.0, 1.0), True), ((1.5, 3.0, 5.5, 1.0), True)],
)
def test_what_breaks_a_promise_is_bad(times: tuple[float, ...], bad: bool) -> None:
    own = points(*times)
    assert Line("x", "lines", tuple(own), adversarial.growth(own)).bad is bad


# The profile.


def test_every_module_of_the_analysis_has_a_layer() -> None:
    package = Path(optlint.__file__).parent
    rest = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if hotspots.layer((str(path), 1, "anything")) == "the rest"
    }
    assert rest.isdisjoint(
        {"analysis.py", "checker.py", "engine.py", "rules", "semantics", "source.py", "syntax"}
    )
    assert hotspots.layer((os.path.join(os.sep, "lib", "ast.py"), 1, "parse")) is None
    package_files = {path.relative_to(package).as_posix(): path for path in package.rglob("*.py")}
    for file, name in hotspots.SPECIAL:
        assert f"def {name}(" in package_files[file].read_text(encoding="utf-8")


def test_time_in_packages_counts_for_the_layer_that_calls_them(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(TRAINING + "table = " + repr(list(range(20_000))), encoding="utf-8")
    in_process.warm_up()
    stats = hotspots.profiled([tmp_path])
    shares = hotspots.shares(stats)
    total = sum(entry[2] for entry in stats.stats.values())  # type: ignore[attr-defined]
    assert sum(shares.values()) == pytest.approx(total, rel=1e-6)
    assert shares[hotspots._SYNTAX] > 0.1 * total
