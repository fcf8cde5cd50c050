"""What the command line does once it is understood: which files are checked, under which settings, and what is printed.

``optlint.__main__`` and ``cli`` call it. It must not know click, which takes longer to load than a small project to look
up; only ``cli`` does.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from optlint.options import USAGE_FAULT, Options, RunError, complain, say

if TYPE_CHECKING:
    from optlint.cache.results import ResultCache
    from optlint.discovery import Discovered
    from optlint.engine import Report
    from optlint.settings import Configuration, Settings
    from optlint.source import SourceStore

HOW_TO_CALL = """\
Usage: optlint [OPTIONS] PATH...

Give the files or folders to check, or - for standard input:
  optlint train.py
  optlint .
  cat train.py | optlint - --stdin-filename train.py

`optlint --help` lists the options, `optlint --list-rules` the rules."""
INTERRUPTED = 130


def plain(arguments: Sequence[str]) -> Options | None:
    """The command line as data where it is nothing but paths, as hooks write it; ``None`` for any other."""
    if not arguments or any(argument.startswith("-") for argument in arguments):
        return None
    from optlint.selection import Selection

    return Options(paths=tuple(arguments), selection=Selection(), jobs=cores())


def run_plain(options: Options) -> int:
    """Run what ``plain`` has read and return the exit status."""
    return guarded(lambda: dispatch(options))


def guarded(action: Callable[[], int]) -> int:
    """What ``action`` returns, or the exit status for how the run was ended from outside."""
    _make_printable(sys.stdout, sys.stderr)
    try:
        status = action()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()


def _make_printable(*streams: object) -> None:
    """Let paths and source that the terminal's encoding cannot show be escaped rather than fail."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            with contextlib.suppress(ValueError, OSError):
                reconfigure(errors="backslashreplace")


def _pipe_closed() -> int:
    """The reader (``head``) has seen enough. Keep the interpreter's last flush from complaining about it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def dispatch(options: Options) -> int:
    """Do what the command line asks for and return the exit status; what keeps the run from it is printed."""
    try:
        return _dispatch(options)
    except RunError as error:
        complain(str(error))
        return USAGE_FAULT


def _dispatch(options: Options) -> int:
    if options.list_rules or options.explain is not None:
        return _show_documentation(options)
    if not options.paths:
        say(HOW_TO_CALL, err=True)
        return USAGE_FAULT
    configuration = _configuration(options)
    return _lint(options, configuration)


def _show_documentation(options: Options) -> int:
    from optlint.answers import rule_list
    from optlint.rulepages import page
    from optlint.rules import all_rules
    from optlint.selection import UnknownSelectorError, rule_called

    if options.explain is None:
        say(rule_list(all_rules()))
        return 0
    try:
        say(page(rule_called(options.explain, all_rules())), end="")
    except UnknownSelectorError as error:
        raise RunError(str(error)) from error
    return 0


def _configuration(options: Options) -> Configuration:
    from optlint.rules import all_rules
    from optlint.selection import UnknownSelectorError, check
    from optlint.settings import Configuration, SettingsError

    try:
        if options.selection.selectors():
            check(options.selection.selectors(), all_rules())
        return Configuration(
            config=options.config,
            isolated=options.isolated,
            command_line=options.selection,
            named=options.paths,
        )
    except (UnknownSelectorError, SettingsError) as error:
        raise RunError(str(error)) from error


def _lint(options: Options, configuration: Configuration) -> int:
    from optlint import delivery
    from optlint.engine import run as check_files
    from optlint.progress import ProgressBar
    from optlint.settings import SettingsError

    try:
        here = configuration.for_folder(os.getcwd())
        outputs = delivery.outputs(options, here)
        known = delivery.known(options)
        found, store = _find(options, configuration)
        for problem in found.problems:
            complain(f"{problem.path}: {problem.message}")
        if options.show_settings or options.show_files:
            return _show(options, configuration, found)
        _narrate(options, configuration, found)

        def lint(files: SourceStore) -> Report:
            with ProgressBar(wanted=not options.quiet) as bar:
                report = check_files(
                    found.files,
                    configuration.for_folder,
                    store=files,
                    jobs=options.jobs,
                    progress=bar.advance,
                    cache=_cache(options, here),
                )
            if options.verbose:
                say(f"optlint: {report.cached} of {report.files} known from earlier runs", err=True)
                for reason in report.left_out:
                    say(f"optlint: {reason}", err=True)
            return report

        if options.add_ignore is not None:
            status = delivery.ignore(options, outputs, lint, store)
        elif options.fix or options.diff:
            status = delivery.fix(options, outputs, lint, store)
        elif options.write_baseline is not None:
            status = delivery.write_baseline(options.write_baseline, lint(store), store)
        else:
            status = delivery.report(options, outputs, lint(store), store, known, found.files)
    except SettingsError as error:
        raise RunError(str(error)) from error
    return USAGE_FAULT if found.problems else status


def _cache(options: Options, here: Settings) -> ResultCache | None:
    """The results of earlier runs, unless they are not wanted. ``here`` are the settings of the current folder."""
    if options.no_cache or options.piped is not None:
        return None
    from optlint.cache.results import ResultCache

    return ResultCache(here.root, options.cache_dir)


def _find(options: Options, configuration: Configuration) -> tuple[Discovered, SourceStore]:
    """The files to check; standard input is one of them when a path is ``-``."""
    from optlint.discovery import discover
    from optlint.source import SourceStore

    found = discover([path for path in options.paths if path != "-"], configuration.for_folder)
    overlay = {}
    if (path := options.piped) is not None:
        overlay[path] = sys.stdin.buffer.read()
        found.files = sorted({*found.files, path})
    return found, SourceStore(overlay)


def _show(options: Options, configuration: Configuration, found: Discovered) -> int:
    """Print what ``--show-files`` and ``--show-settings`` ask for."""
    from optlint.answers import settings_text

    if options.show_files:
        for path in found.files:
            say(path)
    else:
        first = found.files[0] if found.files else os.path.abspath(options.paths[0])
        folder = first if os.path.isdir(first) else os.path.dirname(first)
        say(settings_text(configuration.for_folder(folder), first))
    return USAGE_FAULT if found.problems else 0


def _narrate(options: Options, configuration: Configuration, found: Discovered) -> None:
    """With ``--verbose``, say what is about to happen."""
    from optlint.reporters import counted

    if not options.verbose:
        return
    for path in dict.fromkeys(os.path.dirname(path) for path in found.files):
        say(f"optlint: {path}: config {configuration.for_folder(path).config_path or 'none'}", err=True)
    say(f"optlint: {counted(len(found.files), 'file')}, {options.jobs} at a time", err=True)
