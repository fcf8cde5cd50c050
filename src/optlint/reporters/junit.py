"""JUnit's XML, which most CI systems show as test results: a suite for each file, a case for each finding.

``reporters.write`` calls it. What is written follows the schema of Ant's JUnit report, the one that readers agree on.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from optlint.reporters import one_line, place_of, visible

if TYPE_CHECKING:
    from optlint.engine import Report
    from optlint.finding import Finding, Note
    from optlint.fingerprints import Texts

_HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n'
#: The schema wants a time and a host; a report that names them would differ from run to run.
_NO_TIME = "1970-01-01T00:00:00"
_NO_HOST = "localhost"


def to_text(report: Report, texts: Texts) -> str:
    """The report as XML."""
    suites: list[tuple[str, list[str]]] = []
    for path, findings in groupby(report.findings, key=lambda finding: finding.path):
        suites.append((path, [_failure(finding) for finding in findings]))
    suites += [(note.path, [_error(note)]) for note in report.errors if note not in report.notes]
    if not suites:
        suites = [("optlint", [_case("optlint", "no findings", "")])]
    body = "".join(_suite(number, name, cases) for number, (name, cases) in enumerate(suites))
    return f"{_HEADER}<testsuites>\n{body}</testsuites>\n"


def _suite(number: int, name: str, cases: Iterable[str]) -> str:
    cases = list(cases)
    failures = sum("<failure" in case for case in cases)
    errors = sum("<error" in case for case in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}" time="0"'
    start = f'id="{number}" package="optlint" name={_attribute(name)} timestamp="{_NO_TIME}" hostname="{_NO_HOST}"'
    ends = "    <system-out/>\n    <system-err/>\n"
    return f"  <testsuite {start} {counts}>\n    <properties/>\n{''.join(cases)}{ends}  </testsuite>\n"


def _failure(finding: Finding) -> str:
    parts = [f"{place_of(finding)}: {finding.code} {finding.message}"]
    parts += [f"{place_of(place)}: {place.message}" for place in finding.related]
    parts += [f"help: {finding.help}"] if finding.help else []
    lines = (visible(line) for part in parts for line in part.splitlines())
    content = escape("\n".join(lines))
    message, kind = _attribute(one_line(finding.message)), _attribute(finding.severity.value)
    inner = f"      <failure message={message} type={kind}>{content}</failure>\n"
    cell = "" if finding.cell is None else f"cell {finding.cell}:"
    name = f"{finding.code} {finding.name} at {cell}{finding.span.line}:{finding.span.column}"
    return _case(finding.path, name, inner)


def _error(note: Note) -> str:
    message = _attribute(one_line(note.message))
    return _case(note.path, "not checked", f'      <error message={message} type="not checked"/>\n')


def _case(path: str, name: str, inner: str) -> str:
    return f'    <testcase classname={_attribute(path)} name={_attribute(name)} time="0">\n{inner}    </testcase>\n'


def _attribute(text: str) -> str:
    return quoteattr(visible(text))
