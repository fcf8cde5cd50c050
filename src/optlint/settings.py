"""Typed settings, and the configuration files that they come from, checked strictly.

The command line and discovery ask ``Configuration`` for the settings of a folder; the engine and the analysis
read ``Settings``. Must not know how files are found or how findings are made.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from optlint.deferred import dataclass, regex
from optlint.finding import Finding, Severity
from optlint.folders import Nearest
from optlint.selection import Selection, UnknownSelectorError, check, matches

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

OUTPUT_FORMATS = ("full", "concise", "json", "sarif", "github", "gitlab", "junit")

CACHE_NAME = ".optlint_cache"
"""The folder that results are kept in, when nothing else is said."""

DEFAULT_EXCLUDES = (
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".git-rewrite",
    ".hg",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".nox",
    CACHE_NAME,
    ".pants.d",
    ".pyenv",
    ".pytest_cache",
    ".pytype",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    ".vscode",
    "__MACOSX",
    "__pycache__",
    "__pypackages__",
    "_build",
    "buck-out",
    "build",
    "dist",
    "dist-packages",
    "node_modules",
    "site-packages",
    "venv",
)
"""Folders that are never searched, unless ``exclude`` says otherwise."""

PROJECT_MARKS = (".git", ".hg", "pyproject.toml", "setup.py", "setup.cfg")
"""What stands in the top folder of a project; imports are resolved from there when nothing is configured."""


_NAME = regex(r"\.?\w[\w.-]*")
"""A glob that covers exactly what has this name, wherever it is."""


class SettingsError(Exception):
    """A configuration that cannot be used; the text names the file and the key."""


@dataclass(frozen=True)
class Settings:
    """What the user wants, for the files of one configuration. All defaults: no configuration, from the
    current folder.

    ``root`` is the absolute folder that ``exclude`` and ``per-file-ignores`` are relative to. ``src`` are the
    import roots, absolute. ``optimizers`` and ``modules`` are qualified names of more optimizer and module
    base classes. ``severity`` and ``per_file_ignores`` pair a selector, or a glob, with its value. ``cache_dir`` is
    absolute, or empty: then the cache lies in ``root``.
    """

    root: str = ""
    config_path: str | None = None
    selections: tuple[Selection, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = DEFAULT_EXCLUDES
    extend_exclude: tuple[str, ...] = ()
    severity: tuple[tuple[str, Severity], ...] = ()
    optimizers: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    src: tuple[str, ...] = ()
    output_format: str = "full"
    cache_dir: str = ""

    def __post_init__(self) -> None:
        """Fill in what depends on the current folder."""
        root = self.root or os.getcwd()
        object.__setattr__(self, "root", root)
        if not self.src:
            object.__setattr__(self, "src", (root, os.path.join(root, "src")))

    def excludes(self, path: str, *, folder: bool = False) -> bool:
        """Whether ``exclude`` or ``extend-exclude`` cover the absolute ``path`` itself, not a folder above it."""
        globs = (*self.exclude, *self.extend_exclude)
        names = _only_names(globs)
        if names is not None:
            return os.path.basename(path) in names
        if not matches_glob(self.root, globs, path, folder=folder):
            return False
        above = os.path.dirname(path)
        if above == self.root or not matches_glob(self.root, globs, above, folder=True):
            return True
        # Somebody named the folder above although it is excluded: the patterns for single names still hold.
        return matches_glob(above, globs, path, folder=folder)

    def choices(self) -> list[Selection]:
        """The layers that choose any rules."""
        return [layer for layer in self.selections if layer.select is not None or layer.selectors()]

    def ignored_in(self, path: str) -> tuple[str, ...]:
        """The selectors that ``per-file-ignores`` switches off in the absolute ``path``."""
        ignored: list[str] = []
        for glob, selectors in self.per_file_ignores:
            inverted = glob.startswith("!")
            if matches_glob(self.root, (glob.removeprefix("!"),), path) is not inverted:
                ignored.extend(selectors)
        return tuple(ignored)

    def severity_of(self, finding: Finding) -> Severity:
        """What the longest selector in ``severity`` that covers the finding says; else the finding's own."""
        fitting = [(len(selector), level) for selector, level in self.severity if matches(selector, finding)]
        return max(fitting, key=lambda pair: pair[0])[1] if fitting else finding.severity


def matches_glob(root: str, globs: tuple[str, ...], path: str, *, folder: bool = False) -> bool:
    """Whether one of ``globs`` (written as in a ``.gitignore`` that stands in ``root``) covers ``path``."""
    if not globs:
        return False
    relative = os.path.relpath(path, root).replace(os.sep, "/")
    if relative.startswith("../"):
        # Outside the root there is no anchor: only the patterns without a slash can mean it.
        relative = os.path.basename(path)
    return _spec(globs).match_file(relative + "/" if folder else relative)


@lru_cache(maxsize=256)
def _only_names(globs: tuple[str, ...]) -> frozenset[str] | None:
    """The names that ``globs`` are, if they are nothing else: they cover what is called so, and no path besides."""
    return frozenset(globs) if all(_NAME.fullmatch(glob) for glob in globs) else None


@lru_cache(maxsize=256)
def _spec(globs: tuple[str, ...]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(globs)


def choose(value: str, choices: tuple[str, ...]) -> str:
    """``value``, if it is one of ``choices``. Raises ``ValueError`` that names the nearest one."""
    if value in choices:
        return value
    near = _nearest(value.lower(), choices)
    meant = f"; did you mean `{near[0]}`?" if near else ""
    raise ValueError(f"must be one of {', '.join(choices)}, not `{value}`{meant}")


def _nearest(word: str, words: Iterable[str]) -> list[str]:
    """The one of ``words`` that was meant, if one is near."""
    import difflib  # for mistakes only

    return difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)


class Configuration:
    """Finds the settings of each folder: the nearest configuration upward, one given file, or none."""

    def __init__(
        self,
        *,
        config: str | None = None,
        isolated: bool = False,
        command_line: Selection | None = None,
        cwd: str | None = None,
        named: Iterable[str] = (),
    ) -> None:
        """Read ``config`` at once when given; ``named`` are the paths to check. Raises ``SettingsError``."""
        self._cwd = cwd or os.getcwd()
        folders = {os.path.normpath(os.path.join(self._cwd, path)) for path in named}
        self._named = sorted(filter(os.path.isdir, folders), key=len)
        self._isolated = isolated
        self._layers = (command_line,) if command_line else ()
        self._configured = Nearest(self._configured_in)
        self._project = Nearest(_project_in)
        self._defaults: dict[str, Settings] = {}
        self._of: dict[str, Settings] = {}
        self._given = self._finished(read_file(config, root=self._cwd)) if config and not isolated else None

    def for_folder(self, folder: str) -> Settings:
        """The settings for the files in the absolute ``folder``. Raises ``SettingsError``."""
        if self._given is not None:
            return self._given
        if folder not in self._of:
            self._of[folder] = self._for_folder(folder)
        return self._of[folder]

    def _for_folder(self, folder: str) -> Settings:
        found = None if self._isolated else self._configured(folder)
        return found or self._default(self._root(folder))

    def _default(self, root: str) -> Settings:
        if root not in self._defaults:
            self._defaults[root] = self._finished(Settings(root=root))
        return self._defaults[root]

    def _configured_in(self, folder: str) -> Settings | None:
        path = config_in(folder)
        return None if path is None else self._finished(read_file(path, root=folder))

    def _root(self, folder: str) -> str:
        """The folder's project; else the folder that was named, whatever the current one is, or the current one above.

        Where neither is above, ``folder`` itself.
        """
        above = (
            top
            for top in (*self._named, self._cwd)
            if os.path.join(folder, "").startswith(os.path.join(top, ""))
        )
        return self._project(folder) or next(above, folder)

    def _finished(self, settings: Settings) -> Settings:
        return replace(settings, selections=(*settings.selections, *self._layers))


def _project_in(folder: str) -> str | None:
    """``folder``, if it looks like the top of a project."""
    return folder if any(os.path.exists(os.path.join(folder, mark)) for mark in PROJECT_MARKS) else None


def config_in(folder: str) -> str | None:
    """The configuration file that stands in ``folder``: ``optlint.toml``, or a ``pyproject.toml`` with our
    table.
    """
    own = os.path.join(folder, "optlint.toml")
    if os.path.isfile(own):
        return own
    shared = os.path.join(folder, "pyproject.toml")
    try:
        with open(shared, "rb") as file:
            data = file.read()
    except OSError:
        return None
    # Another tool's broken file is not our business; one that may configure us is.
    if b"optlint" not in data:
        return None
    return shared if "optlint" in _tool_tables(shared) else None


def read_file(path: str, *, root: str) -> Settings:
    """The settings in ``path``, whose relative paths start at ``root``. Raises ``SettingsError``."""
    if os.path.basename(path) == "pyproject.toml":
        tools = _tool_tables(path)
        if "optlint" not in tools:
            raise SettingsError(f"{path}: has no table [tool.optlint]")
        table, where = tools["optlint"], "[tool.optlint]"
    else:
        table, where = _load_toml(path), "the file"
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: `tool.optlint` must be a table, not {_kind(table)}")
    return _Reader(path, where, os.path.abspath(root)).settings(table)


def _tool_tables(path: str) -> Mapping[str, Any]:
    tool = _load_toml(path).get("tool", {})
    return tool if isinstance(tool, dict) else {}


def _load_toml(path: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with open(path, "rb") as file:
            table: dict[str, Any] = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # Not UTF-8, or not TOML.
        raise SettingsError(f"{path}: is not valid TOML: {error}") from error
    return table


class _Reader:
    """Turns one table into settings; each method checks one shape and names the key that is wrong."""

    def __init__(self, path: str, where: str, root: str) -> None:
        self._path = path
        self._where = where
        self._root = root
        self._readers: dict[str, Callable[[str, object], dict[str, Any]]] = {
            "select": lambda key, value: {"select": self._selectors(key, value)},
            "extend-select": lambda key, value: {"extend_select": self._selectors(key, value)},
            "ignore": lambda key, value: {"ignore": self._selectors(key, value)},
            "per-file-ignores": lambda key, value: {"per_file_ignores": self._per_file_ignores(key, value)},
            "exclude": lambda key, value: {"exclude": self._globs(key, value)},
            "extend-exclude": lambda key, value: {"extend_exclude": self._globs(key, value)},
            "severity": lambda key, value: {"severity": self._severity(key, value)},
            "optimizers": lambda key, value: {"optimizers": self._qualified_names(key, value)},
            "modules": lambda key, value: {"modules": self._qualified_names(key, value)},
            "src": lambda key, value: {"src": self._folders(key, value)},
            "cache-dir": lambda key, value: {"cache_dir": self._folder(key, value)},
            "output-format": lambda key, value: {"output_format": self._choice(key, value, OUTPUT_FORMATS)},
        }

    def settings(self, table: Mapping[str, object]) -> Settings:
        """The settings of ``table``. Raises ``SettingsError``."""
        values: dict[str, Any] = {}
        for key, value in table.items():
            reader = self._readers.get(key)
            if reader is None:
                near = _nearest(key.lower().replace("_", "-"), self._readers)
                known = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(self._readers)}"
                raise self._error(f"unknown key `{key}` in {self._where}; {known}")
            values |= reader(key, value)
        selection = Selection(
            values.pop("select", None), values.pop("extend_select", ()), values.pop("ignore", ())
        )
        return Settings(root=self._root, config_path=self._path, selections=(selection,), **values)

    def _error(self, message: str) -> SettingsError:
        return SettingsError(f"{self._path}: {message}")

    def _strings(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self._error(f"`{key}` must be a list of strings, not {_kind(value)}")
        for item in value:
            if not isinstance(item, str):
                raise self._error(f"`{key}` must be a list of strings, but holds {_kind(item)}")
        return tuple(value)

    def _table(self, key: str, value: object) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise self._error(f"`{key}` must be a table, not {_kind(value)}")
        return value

    def _choice(self, key: str, value: object, choices: tuple[str, ...]) -> str:
        if not isinstance(value, str):
            raise self._error(f"`{key}` must be a string, not {_kind(value)}")
        try:
            return choose(value, choices)
        except ValueError as error:
            raise self._error(f"`{key}` {error}") from error

    def _selectors(self, key: str, value: object) -> tuple[str, ...]:
        from optlint.rules import all_rules

        selectors = self._strings(key, value)
        try:
            check(selectors, all_rules())
        except UnknownSelectorError as error:
            raise self._error(f"`{key}`: {error}") from error
        return selectors

    def _globs(self, key: str, value: object) -> tuple[str, ...]:
        globs = self._strings(key, value)
        for glob in globs:
            try:
                _spec((glob,))
            except ValueError as error:
                raise self._error(f"`{key}`: `{glob}` is not a valid pattern") from error
        return globs

    def _per_file_ignores(self, key: str, value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
        table = self._table(key, value)
        self._globs(key, [glob.removeprefix("!") for glob in table])
        return tuple((glob, self._selectors(f"{key}.{glob}", codes)) for glob, codes in table.items())

    def _severity(self, key: str, value: object) -> tuple[tuple[str, Severity], ...]:
        levels = tuple(level.value for level in Severity)
        pairs = []
        for selector, level in self._table(key, value).items():
            self._selectors(key, [selector])
            pairs.append((selector, Severity(self._choice(f"{key}.{selector}", level, levels))))
        return tuple(pairs)

    def _qualified_names(self, key: str, value: object) -> tuple[str, ...]:
        names = self._strings(key, value)
        for name in names:
            if not all(part.isidentifier() for part in name.split(".")):
                raise self._error(f"`{key}`: `{name}` is not a qualified name such as `package.module.Class`")
        return names

    def _folder(self, key: str, value: object) -> str:
        if not isinstance(value, str) or not value or "\0" in value:
            raise self._error(
                f"`{key}` must be the path of a folder, not {_kind(value) if value else 'empty'}"
            )
        return os.path.normpath(os.path.join(self._root, os.path.expanduser(value)))

    def _folders(self, key: str, value: object) -> tuple[str, ...]:
        return tuple(
            os.path.normpath(os.path.join(self._root, folder)) for folder in self._strings(key, value)
        )


def _kind(value: object) -> str:
    """What a TOML value is, in a user's words."""
    kinds = {
        str: "a string",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return kinds.get(type(value), "a date or time")
