"""What a fixture says about itself: its files, the header of its entry and the marks on its lines.

Called by the fixture tests and by the execution proof; it knows neither optlint nor any framework.
The format is described in ``tests/fixtures/README.md``.
"""

from __future__ import annotations

import enum
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures"
ENTRY_NAMES = ("main.py", "train.py")

_HEADER_LINE = re.compile(r"#\s*(oracle|claim)\s*:\s*(.*?)\s*$")
_RAISES = re.compile(r"(?P<type>[A-Za-z_][\w.]*)\s*:\s*(?P<text>.+)$")
_PATH = re.compile(r"[A-Za-z_]\w*(\.[\w*?\[\]-]+)+$")
_MARK = re.compile(r"#\s*(?P<kind>expect|miss):\s*(?P<body>.*?)\s*$")
_EXPECTED = re.compile(r'(?P<code>OPT\d{3})(?P<texts>(\s+"[^"]*")*)\s*$')
_MISSED = re.compile(r"(?P<code>OPT\d{3})\s+(?P<reason>\S.*)$")


class FixtureError(Exception):
    """A fixture is not written as the format demands; the message names the file and the line."""


class Oracle(enum.Enum):
    """Which framework proves a fixture's claims by running it."""

    TORCH = "torch"
    KERAS = "keras"
    KERAS_TORCH = "keras-torch"
    NONE = "none"


class ClaimKind(enum.Enum):
    """What a claim says about the run."""

    RAISES = "raises"
    STILL = "still"
    NO_GRAD = "no-grad"
    MOVES = "moves"
    SHARED = "shared"
    NOTHING_MOVES = "nothing-moves"
    TRAINS = "trains"
    GRADIENTS_PILE_UP = "gradients-pile-up"
    NEVER_STEPPED = "never-stepped"
    STATE_LOST = "state-lost"
    CLIPPED_IN_VAIN = "clipped-in-vain"
    RATES = "rates"
    GRADIENTS = "gradients"
    BATCHES_LOST = "batches-lost"
    STEPS_IN = "steps-in"


#: Claims about the whole run: no parameter is named.
_ALONE = frozenset(
    {
        ClaimKind.TRAINS,
        ClaimKind.NOTHING_MOVES,
        ClaimKind.GRADIENTS_PILE_UP,
        ClaimKind.NEVER_STEPPED,
        ClaimKind.STATE_LOST,
        ClaimKind.CLIPPED_IN_VAIN,
        ClaimKind.BATCHES_LOST,
    }
)


_NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
#: Claims about numbers and names of functions, and how they are written.
_NUMBERS = {
    ClaimKind.RATES: re.compile(rf"{_NUMBER}(?: {_NUMBER})*"),
    ClaimKind.GRADIENTS: re.compile(rf"(?:above|below) {_NUMBER}"),
    ClaimKind.STEPS_IN: re.compile(r"\w+|evaluation-mode"),
}


@dataclass(frozen=True)
class Claim:
    """One effect: ``subject`` is a path, numbers, a function or an exception type, ``text`` a part of its message."""

    kind: ClaimKind
    subject: str = ""
    text: str = ""

    def __str__(self) -> str:
        words = f"{self.kind.value} {self.subject}".rstrip()
        return f"{words}: {self.text}" if self.text else words


@dataclass(frozen=True)
class Mark:
    """A finding that is expected (or known to be missed); ``path`` is relative to the fixture's folder."""

    path: str
    line: int
    code: str
    texts: tuple[str, ...] = ()
    missed: str = ""


@dataclass(frozen=True)
class Header:
    """The oracle of a fixture, why there is none, and the claims."""

    oracle: Oracle
    reason: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Fixture:
    """One program: a file, or a folder with an entry."""

    path: Path
    rule: str
    bad: bool

    @property
    def name(self) -> str:
        """How the fixture is called in test ids, e.g. ``empty-parameter-list/bad/gan``."""
        return f"{self.rule}/{'bad' if self.bad else 'good'}/{self.path.stem}"

    @property
    def entry(self) -> Path:
        """The file that is run. Raises FixtureError when a folder has none."""
        if self.path.is_file():
            return self.path
        for name in ENTRY_NAMES:
            if (self.path / name).is_file():
                return self.path / name
        raise FixtureError(f"{self.path}:1: the folder has no {' or '.join(ENTRY_NAMES)}")

    @property
    def folder(self) -> Path:
        """The folder that the program runs in and that mark paths are relative to."""
        return self.path if self.path.is_dir() else self.path.parent

    def files(self) -> list[Path]:
        """Every Python file of the fixture, sorted."""
        return [self.path] if self.path.is_file() else sorted(self.path.rglob("*.py"))

    def copied(self, folder: Path) -> Path:
        """A copy of the program as a project of its own: the new folder ``project`` in ``folder``."""
        project = folder / "project"
        if self.path.is_dir():
            shutil.copytree(self.path, project, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            project.mkdir()
            shutil.copy(self.path, project)
        return project

    def header(self) -> Header:
        """The header of the entry. Raises FixtureError."""
        return read_header(self.entry)

    def marks(self) -> list[Mark]:
        """All marks of all files. Raises FixtureError."""
        return [mark for file in self.files() for mark in read_marks(file, self.folder)]


def all_fixtures(root: Path = FIXTURES) -> list[Fixture]:
    """Every fixture below ``root``, sorted by rule, kind and name."""
    return [
        Fixture(path, rule.name, kind == "bad")
        for rule in sorted(path for path in root.iterdir() if path.is_dir())
        for kind in ("bad", "good")
        for path in sorted((rule / kind).iterdir() if (rule / kind).is_dir() else ())
        if path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py")))
    ]


def fixture_at(path: Path) -> Fixture:
    """The fixture that a file or folder is; outside the fixture tree it counts as a bad one of no rule."""
    resolved = path.resolve()
    return Fixture(resolved, resolved.parent.parent.name, resolved.parent.name != "good")


def read_header(entry: Path) -> Header:
    """Read the comment lines at the top of ``entry``. Raises FixtureError with file and line."""
    oracle: Oracle | None = None
    reason = ""
    claims: list[Claim] = []
    in_header = True
    for number, line in enumerate(entry.read_text(encoding="utf-8").splitlines(), start=1):
        in_header = in_header and line.startswith("#")
        match = _HEADER_LINE.match(line)
        if match is None:
            continue
        where = f"{entry}:{number}"
        if not in_header:
            raise FixtureError(f"{where}: a header line below the header")
        if match[1] == "claim":
            claims.append(_read_claim(match[2], where))
        elif oracle is not None:
            raise FixtureError(f"{where}: a second oracle")
        else:
            oracle, reason = _read_oracle(match[2], where)
    if oracle is None:
        raise FixtureError(f"{entry}:1: the header has no '# oracle:' line")
    return Header(oracle, reason, tuple(claims))


def _read_oracle(text: str, where: str) -> tuple[Oracle, str]:
    word, _, reason = text.partition(":")
    try:
        oracle = Oracle(word.strip())
    except ValueError:
        names = ", ".join(oracle.value for oracle in Oracle)
        raise FixtureError(f"{where}: no oracle {word.strip()!r}; known are {names}") from None
    reason = reason.strip()
    if (oracle is Oracle.NONE) != bool(reason):
        raise FixtureError(f"{where}: 'none' needs a reason ('# oracle: none: why'), the others take none")
    return oracle, reason


def _read_claim(text: str, where: str) -> Claim:
    word, _, rest = text.partition(" ")
    rest = rest.strip()
    try:
        kind = ClaimKind(word)
    except ValueError:
        names = ", ".join(kind.value for kind in ClaimKind)
        raise FixtureError(f"{where}: no claim {word!r}; known are {names}") from None
    if kind in _ALONE:
        if rest:
            raise FixtureError(f"{where}: '{word}' stands alone")
        return Claim(kind)
    if kind is ClaimKind.RAISES:
        match = _RAISES.match(rest)
        if match is None:
            raise FixtureError(f"{where}: write 'raises TYPE: text of the message'")
        return Claim(kind, match["type"], match["text"])
    if kind in _NUMBERS:
        if not _NUMBERS[kind].fullmatch(rest):
            raise FixtureError(
                f"{where}: write 'rates 0.1 0.01', 'gradients above 1000' or 'steps-in validate'"
            )
        return Claim(kind, rest)
    if not _PATH.match(rest):
        raise FixtureError(f"{where}: {rest!r} is no path; write 'ClassName.attribute.path'")
    return Claim(kind, rest)


def read_marks(file: Path, folder: Path) -> Iterator[Mark]:
    """Yield the marks of ``file`` with its path relative to ``folder``. Raises FixtureError."""
    relative = file.relative_to(folder).as_posix()
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        match = _MARK.search(line)
        if match is None:
            continue
        where = f"{file}:{number}"
        if match["kind"] == "miss":
            missed = _MISSED.match(match["body"])
            if missed is None:
                raise FixtureError(f"{where}: write '# miss: CODE reason'")
            yield Mark(relative, number, missed["code"], missed=missed["reason"])
            continue
        for part in match["body"].split(";"):
            expected = _EXPECTED.match(part.strip())
            if expected is None:
                raise FixtureError(f"{where}: {part.strip()!r} is no '# expect: CODE \"text\" ...'")
            texts = tuple(re.findall(r'"([^"]*)"', expected["texts"]))
            yield Mark(relative, number, expected["code"], texts)
