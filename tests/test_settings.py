"""Configuration files: where they are found, what they may say, and what is said of a mistake in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from optlint.finding import Confidence, Finding, Severity, Span
from optlint.rules import all_rules
from optlint.selection import Selection, UnknownSelectorError, check, rule_called, selected
from optlint.settings import Configuration, Settings, SettingsError

DEFAULTS = tuple(rule.code for rule in all_rules() if rule.default)


def codes(*layers: Selection) -> tuple[str, ...]:
    return tuple(rule.code for rule in selected(layers, all_rules()))


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def settings(folder: Path, text: str) -> Settings:
    write(folder / "optlint.toml", text)
    return Configuration(cwd=str(folder)).for_folder(str(folder))


FAMILY = tuple(rule.code for rule in all_rules() if rule.code.startswith("OPT1"))


class TestSelection:
    def test_nothing_said(self) -> None:
        assert codes() == codes(Selection()) == DEFAULTS

    def test_select_replaces_but_a_broken_file_is_always_told(self) -> None:
        assert codes(Selection(select=("OPT201",))) == ("OPT201", "OPT901", "OPT999")
        assert codes(Selection(select=())) == ("OPT901", "OPT999")

    def test_prefix_name_and_case(self) -> None:
        assert codes(Selection(select=("opt1",))) == (*FAMILY, "OPT901", "OPT999")
        assert codes(Selection(select=("Tensor-Not-Parameter",))) == ("OPT201", "OPT901", "OPT999")
        assert set(codes(Selection(select=("ALL",)))) == {rule.code for rule in all_rules()}

    def test_ignore(self) -> None:
        assert "OPT102" not in codes(Selection(ignore=("OPT102",)))
        assert "OPT901" not in codes(Selection(ignore=("OPT9",)))
        assert codes(Selection(ignore=("ALL",))) == ()

    def test_the_narrower_selector_wins_in_a_layer(self) -> None:
        assert codes(Selection(select=("OPT101",), ignore=("OPT1",)))[0] == "OPT101"
        assert codes(Selection(select=("OPT1",), ignore=("OPT101",)))[0] == "OPT102"
        assert "OPT102" in codes(Selection(ignore=("ALL",), extend_select=("OPT102",)))

    def test_the_command_line_goes_over_the_file(self) -> None:
        file = Selection(select=("OPT1",), ignore=("OPT102",))
        others = tuple(code for code in FAMILY if code != "OPT102")
        assert codes(file, Selection(extend_select=("OPT201",))) == (*others, "OPT201", "OPT901", "OPT999")
        assert codes(file, Selection(select=("OPT102",)))[0] == "OPT102"
        assert codes(file, Selection(ignore=("OPT101",))) == (*others[1:], "OPT901", "OPT999")

    @pytest.mark.parametrize(
        ("selector", "near"),
        [
            ("OPT103x", ""),
            ("partial-parameters-list", "did you mean partial-parameter-list?"),
            ("OPT1022", "did you mean OPT102 (partial-parameter-list)?"),
            ("W391", "`optlint --list-rules` shows all rules"),
            ("", ""),
        ],
    )
    def test_unknown_selector(self, selector: str, near: str) -> None:
        with pytest.raises(UnknownSelectorError) as raised:
            check([selector], all_rules())
        assert str(raised.value).startswith(f"unknown rule '{selector}'")
        assert near in str(raised.value)

    def test_rule_called(self) -> None:
        assert rule_called("opt101", all_rules()) is rule_called("Empty-Parameter-List", all_rules())
        with pytest.raises(UnknownSelectorError):
            rule_called("OPT1", all_rules())


class TestFinding:
    def test_nearest_file_upward(self, tmp_path: Path) -> None:
        write(tmp_path / "pyproject.toml", '[tool.optlint]\nselect = ["OPT1"]\n')
        write(tmp_path / "inner" / "pyproject.toml", "[tool.other]\nx = 1\n")
        own = write(tmp_path / "inner" / "own" / "optlint.toml", 'ignore = ["OPT2"]\n')
        configuration = Configuration(cwd=str(tmp_path))
        assert configuration.for_folder(str(tmp_path / "inner")).root == str(tmp_path)
        assert configuration.for_folder(str(tmp_path / "inner" / "own" / "deep")).config_path == own

    def test_own_file_goes_over_pyproject_beside_it(self, tmp_path: Path) -> None:
        write(tmp_path / "pyproject.toml", '[tool.optlint]\nselect = ["OPT1"]\n')
        assert settings(tmp_path, "").selections == (Selection(),)

    def test_another_tools_broken_file_is_passed_over(self, tmp_path: Path) -> None:
        write(tmp_path / "pyproject.toml", "[tool.other\n")
        assert Configuration(cwd=str(tmp_path)).for_folder(str(tmp_path)).config_path is None

    def test_our_broken_file_is_an_error(self, tmp_path: Path) -> None:
        path = write(tmp_path / "pyproject.toml", "[tool.optlint\n")
        with pytest.raises(SettingsError, match="is not valid TOML") as raised:
            Configuration(cwd=str(tmp_path)).for_folder(str(tmp_path))
        assert str(raised.value).startswith(path)

    def test_given_file_holds_everywhere_with_paths_from_the_current_folder(self, tmp_path: Path) -> None:
        write(tmp_path / "project" / "optlint.toml", 'ignore = ["OPT2"]\n')
        path = write(tmp_path / "shared.toml", 'src = ["lib"]\n')
        configuration = Configuration(config=path, cwd=str(tmp_path / "project"))
        found = configuration.for_folder(str(tmp_path / "project"))
        assert found.config_path == path
        assert found.src == (str(tmp_path / "project" / "lib"),)

    def test_given_pyproject_must_have_the_table(self, tmp_path: Path) -> None:
        path = write(tmp_path / "pyproject.toml", "[tool.other]\n")
        with pytest.raises(SettingsError, match=r"has no table \[tool.optlint\]"):
            Configuration(config=path)

    def test_given_file_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="cannot be read: No such file"):
            Configuration(config=str(tmp_path / "missing.toml"))

    def test_isolated(self, tmp_path: Path) -> None:
        write(tmp_path / "optlint.toml", 'ignore = ["OPT2"]\n')
        assert Configuration(isolated=True, cwd=str(tmp_path)).for_folder(str(tmp_path)).config_path is None

    def test_root_without_configuration_is_the_project(self, tmp_path: Path) -> None:
        write(tmp_path / "a" / "setup.py", "")
        configuration = Configuration(cwd=str(tmp_path / "elsewhere"))
        assert configuration.for_folder(str(tmp_path / "a" / "b")).root == str(tmp_path / "a")


class TestReading:
    def test_everything(self, tmp_path: Path) -> None:
        found = settings(
            tmp_path,
            """
            select = ["OPT1", "tensor-not-parameter"]
            ignore = ["OPT102"]
            extend-select = ["OPT902"]
            exclude = ["old"]
            extend-exclude = ["*_pb2.py"]
            optimizers = ["my.optim.Lion"]
            modules = ["my.nn.Base"]
            src = ["lib", "."]
            output-format = "concise"
            [per-file-ignores]
            "tests/*" = ["OPT1"]
            [severity]
            OPT101 = "info"
            """.replace("            ", ""),
        )
        assert found.root == str(tmp_path)
        assert found.selections == (Selection(("OPT1", "tensor-not-parameter"), ("OPT902",), ("OPT102",)),)
        assert (found.exclude, found.extend_exclude) == (("old",), ("*_pb2.py",))
        assert (found.optimizers, found.modules) == (("my.optim.Lion",), ("my.nn.Base",))
        assert found.src == (str(tmp_path / "lib"), str(tmp_path))
        assert found.output_format == "concise"
        assert found.per_file_ignores == (("tests/*", ("OPT1",)),)
        assert found.severity == (("OPT101", Severity.INFO),)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('selekt = ["OPT1"]', "unknown key `selekt` in the file; did you mean `select`?"),
            (
                "per_file_ignores = {}",
                "unknown key `per_file_ignores` in the file; did you mean `per-file-ignores`?",
            ),
            ("zzz = 1", "unknown key `zzz` in the file; known keys: select, "),
            ('select = "OPT1"', "`select` must be a list of strings, not a string"),
            ("select = [1]", "`select` must be a list of strings, but holds a number"),
            ('select = ["OPT107x"]', "`select`: unknown rule 'OPT107x'"),
            ('ignore = ["partial-parameter-lists"]', "did you mean partial-parameter-list?"),
            ("exclude = true", "`exclude` must be a list of strings, not a boolean"),
            ('per-file-ignores = ["OPT1"]', "`per-file-ignores` must be a table, not a list"),
            ('[per-file-ignores]\n"a.py" = "OPT1"', "`per-file-ignores.a.py` must be a list of strings"),
            ('[per-file-ignores]\n"a.py" = ["X"]', "`per-file-ignores.a.py`: unknown rule 'X'"),
            (
                '[severity]\nOPT101 = "warn"',
                "`severity.OPT101` must be one of error, warning, info, not `warn`; did",
            ),
            ('[severity]\nOPT777 = "error"', "`severity`: unknown rule 'OPT777'"),
            ("[severity]\nOPT101 = 2", "`severity.OPT101` must be a string, not a number"),
            ('output-format = "jsonn"', "not `jsonn`; did you mean `json`?"),
            ('optimizers = ["my optimizer"]', "`my optimizer` is not a qualified name"),
            ("src = 1979-05-27", "`src` must be a list of strings, not a date or time"),
        ],
    )
    def test_mistakes_name_file_and_key(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(SettingsError) as raised:
            settings(tmp_path, text)
        assert str(raised.value).startswith(f"{tmp_path / 'optlint.toml'}: ")
        assert message in str(raised.value)

    def test_table_of_pyproject_is_named(self, tmp_path: Path) -> None:
        write(tmp_path / "pyproject.toml", "[tool.optlint]\nselektor = 1\n")
        with pytest.raises(SettingsError, match=r"unknown key `selektor` in \[tool.optlint\]"):
            Configuration(cwd=str(tmp_path)).for_folder(str(tmp_path))

    def test_table_of_pyproject_is_a_table(self, tmp_path: Path) -> None:
        write(tmp_path / "pyproject.toml", "[tool]\noptlint = 1\n")
        with pytest.raises(SettingsError, match=r"`tool.optlint` must be a table, not a number"):
            Configuration(cwd=str(tmp_path)).for_folder(str(tmp_path))


class TestSettings:
    def test_defaults(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert Settings().src == (str(tmp_path), str(tmp_path / "src"))

    @pytest.mark.parametrize(
        ("glob", "path", "ignored"),
        [
            ("tests/*", "tests/a.py", True),
            ("tests/**", "tests/deep/a.py", True),
            ("tests/*", "src/tests/a.py", False),
            ("test_*.py", "deep/test_a.py", True),
            ("__init__.py", "a/__init__.py", True),
            ("!src/**", "src/a.py", False),
            ("!src/**", "tests/a.py", True),
        ],
    )
    def test_per_file_ignores(self, tmp_path: Path, glob: str, path: str, ignored: bool) -> None:
        found = Settings(root=str(tmp_path), per_file_ignores=((glob, ("OPT1",)),))
        assert found.ignored_in(str(tmp_path / path)) == (("OPT1",) if ignored else ())

    def test_severity_of_the_longest_selector(self) -> None:
        found = Settings(severity=(("OPT1", Severity.INFO), ("OPT101", Severity.WARNING)))
        span = Span(1, 1, 1, 2)
        for code, severity in {
            "OPT101": Severity.WARNING,
            "OPT102": Severity.INFO,
            "OPT201": Severity.ERROR,
        }.items():
            finding = Finding(code, "name", Severity.ERROR, Confidence.CERTAIN, "m", "a.py", span)
            assert found.severity_of(finding) is severity


def test_a_named_folder_is_the_root_whatever_the_current_folder_is(tmp_path: Path) -> None:
    code = tmp_path / "project" / "models"
    code.mkdir(parents=True)
    named = str(tmp_path / "project")
    for cwd in (tmp_path, tmp_path / "project", code):
        assert Configuration(cwd=str(cwd), named=[named]).for_folder(str(code)).root == named
