"""Edits that rules offer as fixes: where an expression ends, what an assignment gives, what torch is called here.

Rules ask for them when they word a finding. Must not know what is wrong, nor apply anything.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from optlint.finding import Edit, Fix, Safety, Span
from optlint.source import lines_of
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.site import Site


#: Ways to write an empty list of parameters, less the tuple, whose parentheses libcst counts to what is around it.
_NOTHING = ("[]", "list()", "tuple()", "{}", "set()")


def called(site: Site, safety: Safety = Safety.SAFE) -> Fix:
    """The parentheses of a call put behind a name."""
    return Fix(safety, "Add the parentheses", (_insert(_end(site.span()), "()"),))


def part_called(site: Site, text: str) -> Fix | None:
    """The same for the one expression within ``site`` that reads ``text``; ``None`` when there is not exactly one."""
    node = _only(site, text)
    return (
        None
        if node is None
        else Fix(Safety.SAFE, "Add the parentheses", (_insert(_end(site.part.span(node)), "()"),))
    )


def wrapped(site: Site, function: str, safety: Safety) -> Fix:
    """``f(…)`` around an expression."""
    return _around(site.span(), function, safety)


def value_wrapped(site: Site, function: str, safety: Safety) -> Fix | None:
    """``f(…)`` around the value of the assignment that ``site`` stands in."""
    value = _assigned(site)
    return None if value is None else _around(site.part.span(value), function, safety)


def assignment_replaced(site: Site, content: str, message: str) -> Fix | None:
    """``content`` in the place of the one assignment, comparison or name that is a statement around ``site``."""
    small = _small_statement(site)
    if small is None:
        return None
    return Fix(Safety.UNSAFE, message, (Edit(site.part.span(small), content),))


def nothing_replaced(site: Site, content: str) -> Fix | None:
    """``content`` in the place of an empty list that is written out as the first argument of a call, or as ``params``."""
    if not isinstance(site.node, cst.Call):
        return None
    given = [arg for arg in site.node.args if arg.keyword is None or arg.keyword.value == "params"][:1]
    if not given or given[0].star or site.part.code(given[0].value).replace(" ", "") not in _NOTHING:
        return None
    edit = Edit(site.part.span(given[0].value), content)
    return Fix(Safety.UNSAFE, f"Give it `{content}`", (edit,))


def moved_behind(site: Site, other: Site) -> Fix | None:
    """The line of ``site`` behind that of ``other``, which stands further down in the same block."""
    block = next(
        (found for found in _blocks(site) if site.statement in found and other.statement in found), None
    )
    if block is None or block.index(site.statement) > block.index(other.statement):
        return None
    here, there = site.part.span(site.statement), site.part.span(other.statement)
    if here.line != here.end_line:
        return None
    lines = lines_of(site.part.module.text)
    text, end = lines[here.line - 1], len(lines[there.end_line - 1]) + 1
    edits = (
        Edit(Span(here.line, 1, here.line + 1, 1), ""),
        _insert(Span(there.end_line, end, there.end_line, end), f"\n{text}"),
    )
    return Fix(Safety.UNSAFE, "Move the line", edits)


def constructor_called(site: Site, owner: str) -> Fix | None:
    """``super().__init__()`` as the first statement of the constructor of the class ``owner`` around ``site``."""
    init = next((found for found in _constructors(site, owner)), None)
    if init is None or not isinstance(init.body, cst.IndentedBlock):
        return None
    statements = list(init.body.body)
    if statements and _is_docstring(statements[0]):
        statements = statements[1:]
    if not statements:
        return None
    first = site.part.span(statements[0])
    start = Span(first.line, first.column, first.line, first.column)
    content = "super().__init__()\n" + " " * (first.column - 1)
    return Fix(Safety.UNSAFE, "Call the constructor of nn.Module first", (Edit(start, content),))


def torch_name(site: Site, name: str) -> str | None:
    """What ``torch.nn.<name>`` is called in the file of ``site``; ``None`` when nothing there leads to it."""
    for node in _imports(site):
        for alias in node.names:
            bound = alias.asname or alias.name
            if isinstance(node, ast.Import) and alias.name == "torch.nn":
                return f"{bound}.{name}"
            if isinstance(node, ast.Import) and alias.name == "torch":
                return f"{bound}.nn.{name}"
            if isinstance(node, ast.ImportFrom) and node.module == "torch" and alias.name == "nn":
                return f"{bound}.{name}"
            if isinstance(node, ast.ImportFrom) and node.module == "torch.nn" and alias.name == name:
                return bound
    return None


def _blocks(site: Site) -> Iterator[list[cst.CSTNode]]:
    """The statements of each block in the part of the file around ``site``; those that share a line are left out."""
    statements = site.part.statements()
    yield _alone(statements)
    waiting: list[cst.CSTNode] = list(reversed(statements))
    while waiting:
        node = waiting.pop()
        if isinstance(node, cst.IndentedBlock):
            yield _alone(node.body)
        waiting += reversed(node.children)


def _alone(statements: Iterable[cst.CSTNode]) -> list[cst.CSTNode]:
    lines = [line for line in statements if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1]
    return [line.body[0] for line in lines]


def _imports(site: Site) -> Iterator[ast.Import | ast.ImportFrom]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(site.part.module.text)
        except (SyntaxError, ValueError, RecursionError):
            return
    found = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    # The narrowest name first: `nn` rather than `torch.nn`.
    yield from sorted(found, key=lambda node: isinstance(node, ast.Import) and node.names[0].name == "torch")


def _around(span: Span, function: str, safety: Safety) -> Fix:
    start = Span(span.line, span.column, span.line, span.column)
    edits = (Edit(start, f"{function}("), _insert(_end(span), ")"))
    return Fix(safety, f"Wrap it in `{function}(…)`", edits)


def _insert(at: Span, content: str) -> Edit:
    return Edit(at, content)


def _end(span: Span) -> Span:
    return Span(span.end_line, span.end_column, span.end_line, span.end_column)


def _only(site: Site, text: str) -> cst.CSTNode | None:
    found: list[cst.CSTNode] = []
    waiting: list[cst.CSTNode] = [site.node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, cst.BaseExpression) and site.part.code(node) == text:
            found.append(node)
        else:
            waiting += reversed(node.children)
    return found[0] if len(found) == 1 else None


def _small_statement(site: Site) -> cst.CSTNode | None:
    line = site.statement
    if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1:
        return line.body[0]
    return line if isinstance(line, (cst.Assign, cst.Expr)) else None


def _assigned(site: Site) -> cst.BaseExpression | None:
    small = _small_statement(site)
    if isinstance(small, cst.Assign) and len(small.targets) == 1:
        return None if isinstance(small.targets[0].target, (cst.Tuple, cst.List)) else small.value
    return small.value if isinstance(small, cst.AnnAssign) else None


def _constructors(site: Site, owner: str) -> Iterator[cst.FunctionDef]:
    for statement in site.part.statements():
        if isinstance(statement, cst.ClassDef) and statement.name.value == owner:
            for member in statement.body.body:
                if isinstance(member, cst.FunctionDef) and member.name.value == "__init__":
                    yield member


def _is_docstring(statement: cst.BaseStatement) -> bool:
    if not isinstance(statement, cst.SimpleStatementLine) or not isinstance(statement.body[0], cst.Expr):
        return False
    return isinstance(statement.body[0].value, (cst.SimpleString, cst.ConcatenatedString))
