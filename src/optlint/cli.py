"""Options in, exit status out: the command line as click reads it, and nothing else.

``optlint.__main__`` calls ``run`` where there are options; tests may call ``command`` through click's runner. Nothing
else imports this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from optlint import __version__, running
from optlint.options import USAGE_FAULT, Options, complain

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def run(arguments: Sequence[str]) -> int:
    """Run the command line on ``arguments`` and return the exit status: 0, 1 or 2 (130 when interrupted)."""
    return running.guarded(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    try:
        return int(command.main(list(arguments), prog_name="optlint", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return running.INTERRUPTED


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
        jobs=jobs or running.cores(),
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
    click.get_current_context().exit(running.dispatch(options))


def _serve() -> int:
    try:
        from optlint.lsp.server import serve
    except ImportError as error:
        complain(f"--lsp needs more than is installed ({error}): pip install 'optlint[lsp]'")
        return USAGE_FAULT
    serve()
    return 0


def _split(values: Sequence[str]) -> tuple[str, ...]:
    """Comma separated or repeated, the same."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())
