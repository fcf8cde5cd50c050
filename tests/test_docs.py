"""The pages that people read: what they show is what optlint prints, what they list is complete, what they link exists.

``scripts/console_blocks.py`` puts in the output of commands; the rules' own pages have a test of their own.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from optlint import settings
from optlint.cli import command
from optlint.rules import all_rules
from scripts import picture
from scripts.console_blocks import ROOT, documents, rerun

CONFIGURATION = ROOT / "docs" / "configuration.md"
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#\s]+)")
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
README_COMMANDS = 2

each_page = pytest.mark.parametrize("page", documents(), ids=lambda page: page.relative_to(ROOT).as_posix())


def text_of(page: Path) -> str:
    """What stands in a page."""
    return page.read_text(encoding="utf-8")


@each_page
def test_commands_print_what_the_page_shows(page: Path) -> None:
    text = text_of(page)
    assert rerun(text) == text, "run `python scripts/console_blocks.py` and look at what it changed"


def test_the_picture_shows_what_a_terminal_shows() -> None:
    assert text_of(picture.PICTURE) == picture.drawn(), "run `python scripts/picture.py` and look at it"
    assert "url(http" not in text_of(picture.PICTURE)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(FENCED.sub("", text_of(page)))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@each_page
def test_every_code_that_is_named_exists(page: Path) -> None:
    known = {rule.code for rule in all_rules()}
    named = set(re.findall(r"\bOPT\d{3}\b", FENCED.sub("", text_of(page))))
    assert named <= known


def test_the_readme_opens_with_two_commands_that_can_be_run() -> None:
    shells = re.findall(r"^```sh\n(.*?)^```$", text_of(ROOT / "README.md"), re.DOTALL | re.MULTILINE)
    assert len(shells) == README_COMMANDS
    for shell in shells:
        assert shell.count("\n") == 1
        parts = [shlex.split(part) for part in shell.split("&&")]
        assert parts[0] == ["python3", "-m", "venv", ".venv"]
        assert parts[1][:2] == [".venv/bin/pip", "install"]
        assert all((ROOT / word).exists() for word in parts[2] if word.startswith("examples/"))


def known_keys(folder: Path) -> list[str]:
    """Every key of the configuration, as the message about an unknown one lists them."""
    file = folder / "optlint.toml"
    file.write_text("zzzzzzzz = 1\n", encoding="utf-8")
    with pytest.raises(settings.SettingsError) as error:
        settings.read_file(str(file), root=str(folder))
    return str(error.value).partition("known keys: ")[2].split(", ")


def test_every_key_is_documented_with_an_example(tmp_path: Path) -> None:
    sections = re.split(r"^### `([\w-]+)`$", text_of(CONFIGURATION), flags=re.MULTILINE)[1:]
    documented = dict(zip(sections[::2], sections[1::2], strict=True))
    assert sorted(documented) == sorted(known_keys(tmp_path))
    for key, section in documented.items():
        example = re.search(r"^```toml\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
        assert example is not None, key
        file = tmp_path / "optlint.toml"
        file.write_text(example[1], encoding="utf-8")
        assert settings.read_file(str(file), root=str(tmp_path)) != settings.Settings(root=str(tmp_path))
        assert key in example[1]


def test_every_output_format_is_documented() -> None:
    usage = text_of(ROOT / "docs" / "usage.md")
    assert [name for name in settings.OUTPUT_FORMATS if f"`--output-format {name}`" not in usage] == []


def test_every_option_is_shown() -> None:
    usage = text_of(ROOT / "docs" / "usage.md")
    options = [name for option in command.params for name in option.opts if name.startswith("--")]
    assert [name for name in options if name not in usage] == []


def test_the_budgets_that_are_named_exist() -> None:
    text = text_of(ROOT / "docs" / "architecture.md")
    named = re.findall(r"`(\w+)\.([A-Z][A-Z_]+)`", text)
    assert named
    sources = [(path.stem, text_of(path)) for path in (ROOT / "src").rglob("*.py")]
    defined = {
        (stem, name)
        for stem, source in sources
        for name in re.findall(r"^([A-Z_]+) = ", source, re.MULTILINE)
    }
    assert sorted(set(named) - defined) == []


def test_every_dependency_is_justified() -> None:
    metadata = text_of(ROOT / "pyproject.toml")
    listed = re.search(r"^dependencies = \[(.*?)^\]", metadata, re.DOTALL | re.MULTILINE)
    assert listed is not None
    wanted = set(re.findall(r'"([a-z]+)', listed[1]))
    section = text_of(ROOT / "docs" / "architecture.md").partition("## Dependencies")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| ([a-z]+) \|", section, re.MULTILINE)) == wanted
