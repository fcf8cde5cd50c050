"""Options in, exit status out: the command line, and nothing else.

``optlint.__main__`` calls ``run``; tests may call ``command`` through click's runner. Nothing imports this module.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from optlint import __version__
from optlint.options import USAGE_FAULT, Options, RunError, complain

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

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


def run(arguments: Sequence[str]) -> int:
    """Run the command line on ``arguments`` and return the exit status: 0, 1 or 2 (130 when interrupted)."""
    _make_printable(sys.stdout, sys.stderr)
    try:
        status = command.main(list(arguments), prog_name="optlint", standalone_mode=False)
        sys.stdout.flush()
        return int(status or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
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


def _rules_for(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The rules whose code or name begins so, for a shell that completes a word (after the last comma of it)."""
    from click.shell_completion import CompletionItem

    from optlint.rules import all_rules

    before, comma, begun = incomplete.rpartition(",")
    rules = [(rule.code, rule) for rule in all_rules()] + [(rule.name, rule) for rule in all_rules()]
    return [
        CompletionItem(f"{before}{comma}{word}", help=rule.summary())
        for word, rule in rules
        if (begun and word.lower().startswith(begun.lower())) or (not begun and word == rule.code)
    ]


def _formats_for(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from optlint.settings import OUTPUT_FORMATS

    return [name for name in OUTPUT_FORMATS if name.startswith(incomplete)]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("paths", nargs=-1, metavar="PATH...", type=click.Path(allow_dash=True))
@click.option(
    "--output-format",
    "output_formats",
    multiple=True,
    metavar="FORMAT[=FILE]",
    shell_complete=_formats_for,
    help="full (default), concise, json, sarif, github, gitlab or junit; repeat it for several reports.",
)
@click.option("-o", "--output-file", metavar="FILE", type=click.Path(), help="Write the report there.")
@click.option(
    "--select",
    multiple=True,
    metavar="RULES",
    shell_complete=_rules_for,
    help="Check only these: codes, prefixes or names.",
)
@click.option("--ignore", multiple=True, metavar="RULES", shell_complete=_rules_for, help="Leave these out.")
@click.option(
    "--extend-select", multiple=True, metavar="RULES", shell_complete=_rules_for, help="Check these too."
)
@click.option("--explain", metavar="RULE", shell_complete=_rules_for, help="Print a rule's documentation.")
@click.option("--list-rules", is_flag=True, help="List all rules with their state and severity.")
@click.option("--statistics", is_flag=True, help="Count the findings by rule instead of showing them.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even when there are findings.")
@click.option("--fix", is_flag=True, help="Repair what can be repaired safely.")
@click.option(
    "--unsafe-fixes", is_flag=True, help="With --fix or --diff: also where more may change than was meant."
)
@click.option("--diff", is_flag=True, help="Print what --fix would change, and change nothing.")
@click.option(
    "--add-ignore",
    metavar="REASON",
    help="Write a comment with this reason at each finding.",
)
@click.option(
    "--baseline", metavar="FILE", type=click.Path(), help="Report only what this file does not know."
)
@click.option(
    "--write-baseline", metavar="FILE", type=click.Path(), help="Write the findings there as known, and stop."
)
@click.option("--config", metavar="FILE", type=click.Path(), help="Use this configuration and no other.")
@click.option("--isolated", is_flag=True, help="Use no configuration.")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Processes to use (default: the cores)."
)
@click.option("--no-cache", is_flag=True, help="Neither use nor keep the results of earlier runs.")
@click.option("--cache-dir", metavar="DIR", type=click.Path(), help="Keep the results there.")
@click.option("--stdin-filename", metavar="FILE", help="What to call standard input.")
@click.option("--show-settings", is_flag=True, help="Print the settings for the first path, and stop.")
@click.option("--show-files", is_flag=True, help="Print the files that would be checked, and stop.")
@click.option("--lsp", is_flag=True, help="Serve an editor: speak the Language Server Protocol.")
@click.option("-q", "--quiet", is_flag=True, help="Print findings only.")
@click.option("-v", "--verbose", is_flag=True, help="Say what is done, and give tracebacks of faults.")
@click.version_option(__version__, "--version", prog_name="optlint", message="%(prog)s %(version)s")
def command(
    *,
    paths: tuple[str, ...],
    output_formats: tuple[str, ...],
    output_file: str | None,
    baseline: str | None,
    write_baseline: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    extend_select: tuple[str, ...],
    config: str | None,
    isolated: bool,
    jobs: int | None,
    no_cache: bool,
    cache_dir: str | None,
    stdin_filename: str | None,
    statistics: bool,
    exit_zero: bool,
    fix: bool,
    unsafe_fixes: bool,
    diff: bool,
    add_ignore: str | None,
    quiet: bool,
    verbose: bool,
    explain: str | None,
    list_rules: bool,
    lsp: bool,
    show_settings: bool,
    show_files: bool,
) -> None:
    """Find out, before you train, that the optimizer will not train the model.

    PATH is a file, a folder to search for Python files and notebooks, or - for standard input.

    Exit status: 0 nothing found, 1 findings, 2 the run itself went wrong.
    """
    from optlint.selection import Selection

    if lsp:
        click.get_current_context().exit(_serve())
    options = Options(
        paths=paths,
        output_formats=output_formats,
        output_file=output_file,
        baseline=baseline,
        write_baseline=write_baseline,
        selection=Selection(_split(select) if select else None, _split(extend_select), _split(ignore)),
        config=config,
        isolated=isolated,
        jobs=jobs or _cores(),
        no_cache=no_cache,
        cache_dir=cache_dir,
        stdin_filename=stdin_filename,
        statistics=statistics,
        exit_zero=exit_zero,
        fix=fix,
        unsafe_fixes=unsafe_fixes,
        diff=diff,
        add_ignore=add_ignore,
        quiet=quiet,
        verbose=verbose,
        explain=explain,
        list_rules=list_rules,
        show_settings=show_settings,
        show_files=show_files,
    )
    click.get_current_context().exit(_dispatch(options))


def _serve() -> int:
    try:
        from optlint.lsp.server import serve
    except ImportError as error:
        raise RunError(f"--lsp needs more than is installed ({error}): pip install 'optlint[lsp]'") from error
    serve()
    return 0


def _split(values: Sequence[str]) -> tuple[str, ...]:
    """Comma separated or repeated, the same."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _dispatch(options: Options) -> int:
    if options.list_rules or options.explain is not None:
        return _show_documentation(options)
    if not options.paths:
        click.echo(HOW_TO_CALL, err=True)
        return USAGE_FAULT
    configuration = _configuration(options)
    return _lint(options, configuration)


def _show_documentation(options: Options) -> int:
    from optlint.answers import rule_list
    from optlint.rulepages import page
    from optlint.rules import all_rules
    from optlint.selection import UnknownSelectorError, rule_called

    if options.explain is None:
        click.echo(rule_list(all_rules()))
        return 0
    try:
        click.echo(page(rule_called(options.explain, all_rules())), nl=False)
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
                click.echo(f"optlint: {report.cached} of {report.files} known from earlier runs", err=True)
                for reason in report.left_out:
                    click.echo(f"optlint: {reason}", err=True)
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
            click.echo(path)
    else:
        first = found.files[0] if found.files else os.path.abspath(options.paths[0])
        folder = first if os.path.isdir(first) else os.path.dirname(first)
        click.echo(settings_text(configuration.for_folder(folder), first))
    return USAGE_FAULT if found.problems else 0


def _narrate(options: Options, configuration: Configuration, found: Discovered) -> None:
    """With ``--verbose``, say what is about to happen."""
    from optlint.reporters import counted

    if not options.verbose:
        return
    for path in dict.fromkeys(os.path.dirname(path) for path in found.files):
        click.echo(
            f"optlint: {path}: config {configuration.for_folder(path).config_path or 'none'}", err=True
        )
    click.echo(f"optlint: {counted(len(found.files), 'file')}, {options.jobs} at a time", err=True)
