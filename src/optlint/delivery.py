"""What becomes of a run: reports into their files, baselines, repaired files, and the exit status.

``running`` calls this once it knows what to check. Must not know how files are found or checked.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.options import USAGE_FAULT, Options, RunError, complain, say
from optlint.reporters import Style, counted, summary, write
from optlint.source import SourceStore, UnreadableError, read_bytes

if TYPE_CHECKING:
    from optlint.baseline import Entry
    from optlint.engine import Report
    from optlint.settings import Settings

_HOLD_NOTES = frozenset({"json", "sarif"})
"""Formats whose reports have a place for notes."""


@dataclass(frozen=True)
class Output:
    """A report that is wanted: in which format, and into which file (``None``: standard output)."""

    format: str
    file: str | None


def outputs(options: Options, settings: Settings) -> list[Output]:
    """What ``--output-format`` and ``-o`` ask for. Raises ``RunError``."""
    from optlint.settings import OUTPUT_FORMATS, choose

    wanted: list[Output] = []
    for given in options.output_formats or (settings.output_format,):
        chosen, separator, file = given.partition("=")
        try:
            choose(chosen, OUTPUT_FORMATS)
        except ValueError as error:
            raise RunError(f"--output-format {error}") from error
        if separator and not file:
            raise RunError(f"--output-format {given}: the name of a file is missing after '='")
        if options.statistics and chosen not in ("full", "concise"):
            raise RunError(f"--statistics is text; the {chosen} report counts nothing by rule")
        wanted.append(Output(chosen, file or options.output_file))
    for place in {output.file for output in wanted}:
        if sum(output.file == place for output in wanted) > 1:
            raise RunError(
                f"two reports would go to {place or 'standard output'}: give each a file, FORMAT=FILE"
            )
    return wanted


def known(options: Options) -> list[Entry] | None:
    """The entries of ``--baseline``. Raises ``RunError``."""
    if options.baseline is None and options.write_baseline is None:
        return None
    if options.baseline is not None and options.write_baseline is not None:
        raise RunError("--baseline and --write-baseline: one of them at a time")
    if options.fix or options.diff or options.add_ignore is not None:
        raise RunError("--fix, --diff and --add-ignore are about every finding: give them without a baseline")
    if options.baseline is None:
        return None
    from optlint.baseline import BaselineError, from_bytes

    try:
        return from_bytes(read_bytes(options.baseline))
    except (BaselineError, UnreadableError) as error:
        raise RunError(f"{options.baseline}: {error}") from error


def report(
    options: Options,
    wanted: Sequence[Output],
    found: Report,
    store: SourceStore,
    baseline: list[Entry] | None,
    checked: Collection[str],
) -> int:
    """Write the reports on what was ``found``, less what the baseline knows. Returns the exit status."""
    if baseline is not None:
        from optlint.baseline import compare

        found = compare(found, baseline, _folder_of(options.baseline), frozenset(checked), store)
    _deliver(found, options, wanted, store, sys.stdout)
    return _status(found, options)


def write_baseline(file: str, found: Report, store: SourceStore) -> int:
    """Write the findings as known, and tell what could not be checked. Returns the exit status."""
    from optlint.baseline import entries, to_text
    from optlint.writing import WriteError, write_text

    now_known = entries(found, _folder_of(file), store)
    try:
        write_text(file, to_text(now_known))
    except WriteError as error:
        raise RunError(str(error)) from error
    say(f"Wrote {counted(len(now_known), 'finding')} to {file}.", err=True)
    for fault in found.faults:
        complain(fault)
    return USAGE_FAULT if found.exit_status == USAGE_FAULT else 0


def fix(
    options: Options, wanted: Sequence[Output], lint: Callable[[SourceStore], Report], store: SourceStore
) -> int:
    """Repair what can be repaired and report the rest, or show what would change. Returns the exit status."""
    from optlint.fixing import fix_all

    fixed = fix_all(lint, store.overlay, unsafe=options.unsafe_fixes)
    if options.diff:
        _show_diff(fixed.files, store)
        return 1 if fixed.files and not options.exit_zero else _status(fixed.report, options)
    _write_files(fixed.files, options.piped)
    now = SourceStore({**store.overlay, **fixed.files})
    if options.piped is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(now.load(options.piped))
    _deliver(fixed.report, options, wanted, now, sys.stdout if options.piped is None else sys.stderr)
    if fixed.count and not options.quiet:
        say(f"Fixed {counted(fixed.count, 'finding')}.", err=True)
    return _status(fixed.report, options)


def ignore(
    options: Options, wanted: Sequence[Output], lint: Callable[[SourceStore], Report], store: SourceStore
) -> int:
    """Suppress every finding by a comment, and report what is left; with ``--diff``, show the comments. Returns the
    exit status.
    """
    from optlint.ignoring import ReasonError, ignore_all

    if options.fix:
        raise RunError("--fix and --add-ignore: repair first, then suppress what is left")
    if options.piped is not None and not options.diff:
        raise RunError("--add-ignore writes into files: give it a path, or --diff")
    try:
        ignored = ignore_all(lint(store), store, options.add_ignore or "")
    except ReasonError as error:
        raise RunError(f"--add-ignore: {error}") from error
    if options.diff:
        _show_diff(ignored.files, store)
        return 1 if ignored.files and not options.exit_zero else 0
    _write_files(ignored.files, None)
    now = SourceStore({**store.overlay, **ignored.files})
    left = lint(now)
    _deliver(left, options, wanted, now, sys.stdout)
    if ignored.count and not options.quiet:
        say(f"Suppressed {counted(ignored.count, 'finding')}.", err=True)
    return _status(left, options)


def _show_diff(files: Mapping[str, bytes], store: SourceStore) -> None:
    from optlint.fixing import diff

    for path, new in sorted(files.items()):
        shown = os.path.relpath(path).replace(os.sep, "/")
        say(diff(shown, store.load(path), new), end="")


def _write_files(files: Mapping[str, bytes], piped: str | None) -> None:
    """Put the new bytes in the files' places. Raises ``RunError``."""
    from optlint.writing import WriteError, write_bytes

    for path, data in sorted(files.items()):
        try:
            if path != piped:
                write_bytes(path, data)
        except WriteError as error:
            raise RunError(str(error)) from error


def _status(found: Report, options: Options) -> int:
    if found.exit_status == USAGE_FAULT:
        return USAGE_FAULT
    return 0 if options.exit_zero else found.exit_status


def _folder_of(file: str | None) -> str:
    return os.path.dirname(os.path.abspath(file or ""))


def _deliver(
    found: Report, options: Options, wanted: Sequence[Output], store: SourceStore, standard: IO[str]
) -> None:
    """Write each report where it belongs, and tell on standard error what is in none of them."""
    style = Style(summary=not options.quiet, statistics=options.statistics)
    for output in wanted:
        with _stream(output.file, standard) as stream:
            write(found, output.format, stream, style, store)
    _tell(found, options, {output.format for output in wanted})


@contextlib.contextmanager
def _stream(path: str | None, standard: IO[str]) -> Iterator[IO[str]]:
    """The stream for the report: ``standard``, or the file at ``path``."""
    if path is None:
        yield standard
        return
    try:
        file = open(path, "w", encoding="utf-8", errors="backslashreplace", newline="\n")  # noqa: SIM115
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from error
    with file:
        yield file


def _tell(found: Report, options: Options, formats: Collection[str]) -> None:
    """Print to standard error what is no finding: faults always, notes unless the only report holds them."""
    for fault in found.faults:
        complain(fault)
    if options.verbose:
        for detail in found.details:
            say(detail, err=True)
    if options.quiet or set(formats) <= _HOLD_NOTES:
        return
    for note in found.notes:
        cell = "" if note.cell is None else f"cell {note.cell}:"
        say(f"optlint: note: {note.path}:{cell}{note.line}: {note.message}", err=True)
    for entry in found.stale:
        text = f"{entry.path}: {entry.code} is no longer found at `{entry.line}`"
        say(f"optlint: note: {options.baseline}: {text}", err=True)
    if "full" not in formats:
        say(summary(found), err=True)
