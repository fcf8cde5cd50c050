"""What a loop leaves behind in a name that every round overwrites: read from the text of the function.

For the question about updates behind the loop (``outdented``); knows nothing of values and events.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics.site import Site
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.syntax.source_module import Slice

#: How many statements before a backward pass are read for the loop that it uses something of.
MAX_STATEMENTS = 200
#: Methods that put something into what they are called on.
_COLLECTS = frozenset(
    {"append", "extend", "add", "add_", "update", "put", "push", "insert", "setdefault", "appendleft"}
)

Statement = cst.BaseStatement | cst.BaseSmallStatement


@dataclass(frozen=True)
class Overwritten:
    """A name that each round of a ``loop`` binds anew, from nothing that an earlier round has left."""

    loop: cst.For
    name: str


def overwritten(place: Site) -> Overwritten | None:
    """What a number that is used at ``place`` was last bound by, if that is a loop before it in the same function."""
    blocks = _blocks_of(place.part)
    needed = _names(place.node)
    for statement in itertools.islice(blocks.before(place.statement), MAX_STATEMENTS):
        if isinstance(statement, cst.Expr):
            continue
        if isinstance(statement, cst.For):
            bound = needed & blocks.bound(statement.body)
            if bound:
                found = [name for name in sorted(bound) if _is_fresh(statement, name)]
                return Overwritten(statement, found[0]) if len(found) == len(bound) else None
        elif isinstance(statement, cst.Assign) and _targets(statement) & needed:
            needed = (needed - _targets(statement)) | _names(statement.value)
        elif isinstance(statement, cst.AugAssign) and _dotted(statement.target) in needed:
            needed = needed | _names(statement.value)
        elif needed & blocks.bound(statement):
            return None
    return None


def follows(loop: Site, place: Site) -> bool:
    """Whether a statement comes after a loop in the same block."""
    return any(statement is loop.node for statement in _blocks_of(loop.part).before(place.statement))


def leaves(loop: cst.For) -> bool:
    """Whether a loop may end before its last round."""
    return any(isinstance(node, (cst.Break, cst.Return, cst.Yield)) for node in _inside(loop.body))


def in_each_round(loop: cst.For) -> frozenset[cst.CSTNode]:
    """What stands in the body of a loop and in no function: all that may run in each round."""
    return frozenset(node for statement in _flat(loop.body) for node in _inside(statement))


# -- the text --------------------------------------------------------------------------------------------------------


def _is_fresh(loop: cst.For, name: str) -> bool:
    """Whether each round binds a name anew, and nothing that went into it comes from an earlier round."""
    if leaves(loop) or loop.orelse is not None:
        return False
    body = list(_flat(loop.body))
    of_loop = set(_of_target(loop.target))
    bound = set(_bound(loop.body)) - of_loop
    needed: set[str] | None = None
    used: set[str] = set()
    for statement in reversed(body):
        targets = _targets(statement)
        if needed is None:
            if name in targets and isinstance(statement, (cst.Assign, cst.AnnAssign)):
                needed = _names(statement.value) if statement.value is not None else set()
            elif name in _bound(statement):
                return False
            continue
        used |= needed
        if isinstance(statement, (cst.Assign, cst.AnnAssign)) and targets & needed:
            needed = (needed - targets) | (_names(statement.value) if statement.value is not None else set())
        elif isinstance(statement, cst.AugAssign) and targets & needed:
            needed = needed | _names(statement.value)
        elif not isinstance(statement, cst.Expr) and needed & set(_bound(statement)):
            # In a branch or an inner loop: what is needed there may come from before.
            needed = needed | {found for part in _inside(statement) for found in _names_of(part)}
    if needed is None:
        return False
    used |= needed
    carried = needed & bound
    return (
        not carried
        and not used & set(_written_into(loop.body))
        and bool(used & of_loop or used & _data(body))
    )


def _data(body: Sequence[Statement]) -> set[str]:
    """Names that the body binds: at least something is made anew in each round."""
    return {name for statement in body for name in _targets(statement)}


def _written_into(body: cst.CSTNode) -> Iterator[str]:
    """Names of what is changed in place: ``x.append(…)``, ``x[i] = …``."""
    for node in _inside(body):
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            if node.func.attr.value in _COLLECTS or node.func.attr.value.endswith("_"):
                yield _dotted(node.func.value)
        elif isinstance(node, cst.AssignTarget) and isinstance(node.target, cst.Subscript):
            yield _dotted(node.target.value)
        elif isinstance(node, cst.AugAssign):
            target = node.target
            yield _dotted(target.value if isinstance(target, cst.Subscript) else target)


def _bound(node: cst.CSTNode) -> Iterator[str]:
    """The names and attributes that are bound somewhere in a statement."""
    for part in _inside(node):
        if isinstance(
            part, (cst.AssignTarget, cst.AugAssign, cst.AnnAssign, cst.NamedExpr, cst.For, cst.CompFor)
        ):
            yield from _of_target(part.target)
        elif isinstance(part, cst.AsName):
            yield from _of_target(part.name)


def _of_target(target: cst.CSTNode) -> Iterator[str]:
    """The names and attributes that an assignment to a target binds."""
    if isinstance(target, (cst.Name, cst.Attribute)):
        yield _dotted(target)
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _of_target(element.value)


def _targets(statement: cst.CSTNode) -> set[str]:
    if isinstance(statement, cst.Assign):
        return {name for target in statement.targets for name in _of_target(target.target)}
    if isinstance(statement, (cst.AugAssign, cst.AnnAssign)):
        return set(_of_target(statement.target))
    return set()


def _names(node: cst.CSTNode) -> set[str]:
    """The names that an expression mentions; an attribute of a name with that name: ``self.loss``."""
    return {name for part in _inside(node) for name in _names_of(part)}


def _names_of(node: cst.CSTNode) -> Iterator[str]:
    if isinstance(node, (cst.Name, cst.Attribute)):
        dotted = _dotted(node)
        if dotted:
            yield dotted


def _dotted(node: cst.CSTNode) -> str:
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr.value}" if inner else ""
    return ""


def _inside(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and all in it that runs where it stands. The name of an attribute is no name of its own."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        if isinstance(found, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
            continue
        if isinstance(found, (cst.Attribute, cst.Arg)):
            waiting.append(found.value)
        else:
            waiting.extend(found.children)


def _flat(body: cst.CSTNode) -> Iterator[Statement]:
    """The statements of a block, those of ``with`` statements in it among them."""
    for statement in getattr(body, "body", ()):
        if isinstance(statement, cst.SimpleStatementLine):
            yield from statement.body
        elif isinstance(statement, cst.With):
            yield from _flat(statement.body)
        else:
            yield statement


class _Blocks:
    """The statements of a part of a file, and which stand before which."""

    def __init__(self, statements: Sequence[cst.CSTNode]) -> None:
        #: By a statement: those of its block, how many of them stand before it, and the one in whose block they are.
        self._place: dict[cst.CSTNode, tuple[list[Statement], int, cst.CSTNode | None]] = {}
        self._bound: dict[cst.CSTNode, frozenset[str]] = {}
        self._enter(statements, None)

    def before(self, statement: cst.CSTNode | None) -> Iterator[Statement]:
        """The statements before one in its block, the nearest first; where that is a ``with`` or ``if``, those before
        it, too."""
        while statement is not None:
            passed, count, statement = self._place.get(statement, ([], 0, None))
            yield from (passed[place] for place in range(count - 1, -1, -1))

    def bound(self, node: cst.CSTNode) -> frozenset[str]:
        """The names and attributes that are bound somewhere in a statement."""
        found = self._bound.get(node)
        if found is None:
            found = self._bound[node] = frozenset(_bound(node))
        return found

    def _enter(self, statements: Sequence[cst.CSTNode], outer: cst.CSTNode | None) -> None:
        passed: list[Statement] = []
        for statement in statements:
            here = (passed, len(passed), outer)
            self._place[statement] = here
            if isinstance(statement, cst.SimpleStatementLine):
                self._place.update(dict.fromkeys(statement.body, here))
                passed.extend(statement.body)
                continue
            inside = statement if isinstance(statement, (cst.With, cst.If)) else None
            for block in _blocks(statement):
                self._enter(block.body, inside)
            if isinstance(statement, cst.With):
                passed.extend(_flat(statement.body))
            else:
                passed.append(statement)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=16)
def _blocks_of(part: Slice) -> _Blocks:
    return _Blocks(part.statements())


def _blocks(statement: cst.CSTNode) -> Iterator[cst.BaseSuite]:
    for child in statement.children:
        if isinstance(child, cst.BaseSuite):
            yield child
        elif isinstance(child, (cst.Else, cst.If, cst.ExceptHandler, cst.Finally)):
            yield from _blocks(child)
