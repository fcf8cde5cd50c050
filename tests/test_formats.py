"""Reports that other programs read: valid by their schemas, and every place one of the file itself."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import xmlschema
from click.testing import CliRunner, Result

from optlint.cli import command
from optlint.settings import OUTPUT_FORMATS
from tests.notebooks import notebook

SCHEMAS = Path(__file__).parent / "schemas"

SCRIPT = """\
import torch
from torch import nn, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 4)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.body(x))


net = Net()
optimizer = optim.SGD(net.body.parameters(), lr=0.1)
net(torch.ones(1, 4)).sum().backward()
optimizer.step()
"""
EMPTY = "from torch import optim\n\noptimizer = optim.SGD([], lr=0.1)\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub dir").mkdir()
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "sub dir" / "größe, 100%.py").write_text(EMPTY)
    (tmp_path / "book.ipynb").write_bytes(notebook(("markdown", "Größe"), 'name = "größe\\t"', EMPTY))
    (tmp_path / "broken.py").write_text("x = (\n")
    (tmp_path / "old.ipynb").write_text('{"nbformat": 3, "worksheets": []}')
    return tmp_path


def optlint(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["--isolated", "--jobs", "1", *arguments])


def report(output_format: str, *more: str) -> str:
    return optlint(".", "--output-format", output_format, *more).stdout


def sarif(*more: str) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(report("sarif", *more))
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(log)
    run: dict[str, Any] = log["runs"][0]
    return run


def places(value: Any) -> Iterator[dict[str, Any]]:
    """All physical locations in a SARIF run."""
    if isinstance(value, dict):
        if "physicalLocation" in value:
            yield value["physicalLocation"]
        for inner in value.values():
            yield from places(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from places(inner)


class TestSarif:
    def test_is_valid_and_complete(self, project: Path) -> None:
        run = sarif()
        found = [(result["ruleId"], result["level"]) for result in run["results"]]
        assert found == [("OPT101", "error"), ("OPT901", "error"), ("OPT101", "error"), ("OPT102", "warning")]
        rules = run["tool"]["driver"]["rules"]
        assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [code for code, _ in found]
        assert all(rule["help"]["markdown"] and rule["shortDescription"]["text"] for rule in rules)
        told = run["invocations"][0]["toolExecutionNotifications"]
        notes = [(note["level"], note["message"]["text"][:22]) for note in told]
        assert notes == [("error", "'(' was never closed"), ("note", "a notebook of format 3")]

    def test_related_places_are_a_flow_that_ends_at_the_finding(self, project: Path) -> None:
        partial = sarif()["results"][-1]
        steps = partial["codeFlows"][0]["threadFlows"][0]["locations"]
        lines = [step["location"]["physicalLocation"]["region"]["startLine"] for step in steps]
        assert lines == [9, 16]
        assert partial["relatedLocations"][0]["message"]["text"] == "`head` is made here"

    def test_places_in_a_notebook_are_those_of_its_file(self, project: Path) -> None:
        place = sarif()["results"][0]["locations"][0]
        region = place["physicalLocation"]["region"]
        line = (project / "book.ipynb").read_text(encoding="utf-8").split("\n")[region["startLine"] - 1]
        assert line[region["startColumn"] - 1 : region["endColumn"] - 1] == "optim.SGD([], lr=0.1)"
        assert place["logicalLocations"] == [{"name": "cell 3", "kind": "member"}]

    def test_addresses_are_escaped(self, project: Path) -> None:
        addresses = {place["artifactLocation"]["uri"] for place in places(sarif())}
        assert "sub%20dir/gr%C3%B6%C3%9Fe%2C%20100%25.py" in addresses

    def test_fingerprints_survive_moved_lines_and_tell_findings_apart(self, project: Path) -> None:
        def marks() -> dict[str, list[str]]:
            found: dict[str, list[str]] = {}
            for result in sarif()["results"]:
                found.setdefault(result["ruleId"], []).append(result["partialFingerprints"]["optlint/v1"])
            return found

        before = marks()
        (project / "train.py").write_text("# a\n# b\n" + SCRIPT.replace("\nnet = ", "\n\nnet = "))
        assert marks() == before
        (project / "train.py").write_text(SCRIPT + "optim.SGD([], lr=1)\noptim.SGD([], lr=1)\n")
        assert len(set(marks()["OPT101"])) == 3  # book and script: the same line

    def test_baseline_states(self, project: Path) -> None:
        optlint(".", "--write-baseline", "known.json")
        (project / "train.py").write_text(SCRIPT.replace("net.body.parameters()", "[]"))
        states = [(r["ruleId"], r["baselineState"]) for r in sarif("--baseline", "known.json")["results"]]
        assert ("OPT101", "new") in states
        assert ("OPT901", "unchanged") in states
        assert ("OPT102", "absent") in states


class TestGitLab:
    def test_is_what_the_documentation_asks_for(self, project: Path) -> None:
        rows = json.loads(report("gitlab"))
        jsonschema.validate(
            rows, json.loads((SCHEMAS / "gitlab-code-quality.json").read_text(encoding="utf-8"))
        )
        assert [row["severity"] for row in rows] == ["critical", "critical", "critical", "major"]
        assert len({row["fingerprint"] for row in rows}) == len(rows)
        assert rows[-1]["location"] == {"path": "train.py", "lines": {"begin": 16, "end": 16}}

    def test_no_findings_are_an_empty_list(self, project: Path) -> None:
        assert json.loads(optlint("train.py", "--select", "OPT302", "--output-format", "gitlab").stdout) == []


class TestJUnit:
    def schema(self) -> xmlschema.XMLSchema:
        return xmlschema.XMLSchema(SCHEMAS / "junit.xsd")

    def test_is_valid(self, project: Path) -> None:
        text = report("junit")
        self.schema().validate(text)
        cases = [case.get("name") for case in ET.fromstring(text).iter("testcase")]
        assert "OPT102 partial-parameter-list at 16:13" in cases
        assert "OPT101 empty-parameter-list at cell 3:3:13" in cases

    def test_without_findings_a_test_passes(self, project: Path) -> None:
        text = optlint("train.py", "--select", "OPT302", "--output-format", "junit").stdout
        self.schema().validate(text)
        assert [(s.get("tests"), s.get("failures")) for s in ET.fromstring(text)] == [("1", "0")]

    def test_a_file_that_cannot_be_read_is_an_error(self, project: Path) -> None:
        (project / "bad.py").symlink_to("gone.py")
        text = optlint("train.py", "bad.py", "--output-format", "junit").stdout
        self.schema().validate(text)


class TestGitHub:
    def test_commands(self, project: Path) -> None:
        lines = report("github").splitlines()
        place = "file=train.py,line=16,endLine=16,title=OPT102 partial-parameter-list,col=13,endColumn=53"
        assert lines[-1].startswith(f"::warning {place}::`head` of `Net` ")
        assert "%0Ahelp: " in lines[-1]
        assert "file=sub dir/größe%2C 100%25.py," in lines[2]
        assert all(line.startswith(("::error ", "::warning ")) for line in lines)

    def test_a_range_over_lines_has_no_columns(self, project: Path) -> None:
        (project / "train.py").write_text("from torch import optim\n\noptim.SGD(\n    [],\n    lr=1,\n)\n")
        line = optlint("train.py", "--output-format", "github").stdout
        assert line.startswith("::error file=train.py,line=3,endLine=6,title=OPT101 empty-parameter-list::")


class TestSeveral:
    def test_each_into_its_file(self, project: Path) -> None:
        wanted = [f"{name}=report.{name}" for name in OUTPUT_FORMATS if name != "full"]
        result = optlint(
            "train.py", "--output-format", "full", *(x for w in wanted for x in ("--output-format", w))
        )
        assert result.exit_code == 1
        assert "Found 1 finding" in result.stdout
        assert all((project / f"report.{name}").stat().st_size for name in OUTPUT_FORMATS if name != "full")

    @pytest.mark.parametrize(
        ("formats", "reason"),
        [
            (["json", "full"], "two reports would go to standard output: give each a file, FORMAT=FILE"),
            (["json=a", "sarif=a"], "two reports would go to a: give each a file, FORMAT=FILE"),
            (["json="], "--output-format json=: the name of a file is missing after '='"),
            (["sarf"], "not `sarf`; did you mean `sarif`?"),
        ],
    )
    def test_what_cannot_be_meant(self, project: Path, formats: list[str], reason: str) -> None:
        result = optlint("train.py", *(x for name in formats for x in ("--output-format", name)))
        assert result.exit_code == 2
        assert reason in result.stderr
