"""How messages name the values of a program: by variable, by source, by Python type.

The questions use it; nothing is decided here.
"""

from __future__ import annotations

from optlint.semantics.site import Site
from optlint.semantics.values import (
    Const,
    Container,
    DictObj,
    Flow,
    Function,
    Instance,
    Leaf,
    LibraryClass,
    Method,
    OneShot,
    Optimizer,
    Text,
    UserClass,
    Value,
)
from optlint.syntax import cst

#: Longer sources are not shown within a message.
MAX_TEXT = 44


def told(value: Value) -> str:
    """A name for a value; empty when it has none."""
    if isinstance(value, Instance):
        name = value.slots.get("#variable")
        return name if isinstance(name, str) else ""
    if isinstance(value, (Method, Function)):
        owner = told(value.receiver) if isinstance(value, Method) else ""
        return f"{owner}.{value.name}" if owner else value.name
    if isinstance(value, (UserClass, LibraryClass)):
        return value.name
    if isinstance(value, (Leaf, Flow)):
        site = value.site if isinstance(value, Leaf) else value.origin.site if value.origin else None
        return assigned_name(site) if site is not None else ""
    return ""


def assigned_name(site: Site) -> str:
    """The name to which the statement at a place assigns what stands there."""
    statement = site.statement
    if isinstance(statement, cst.Assign) and len(statement.targets) == 1 and statement.value is site.node:
        target = statement.targets[0].target
        if isinstance(target, (cst.Name, cst.Attribute)):
            return site.part.code(target).strip()
    return ""


def argument_text(call: Site) -> str:
    """The source of the first argument of a call (or ``params=``), if it is short."""
    if not isinstance(call.node, cst.Call):
        return ""
    named = [a for a in call.node.args if a.keyword is not None and a.keyword.value == "params"]
    plain = [a for a in call.node.args if a.keyword is None and not a.star]
    chosen = (named or plain)[:1]
    return short(call.part.code(chosen[0].value)) if chosen else ""


def short(code: str) -> str:
    """Source on one line, or nothing when it is long."""
    line = " ".join(code.split())
    return line if len(line) <= MAX_TEXT else ""


def type_name(value: Value) -> str:
    """The name of a value's Python type, as an error message of Python's has it."""
    if isinstance(value, Instance):
        own = isinstance(value.cls, UserClass) or value.cls.qualified_name.startswith("torch.")
        return value.cls.name if own else ""
    if isinstance(value, Const):
        return type(value.value).__name__
    if isinstance(value, Text):
        return "str"
    if isinstance(value, Method):
        return "function" if isinstance(value.receiver, UserClass) else "method"
    if isinstance(value, Function):
        return "function"
    if isinstance(value, (UserClass, LibraryClass)):
        return "type"
    if isinstance(value, Optimizer):
        return value.cls_name
    if isinstance(value, DictObj):
        return "dict"
    if isinstance(value, Container):
        return value.kind
    if isinstance(value, OneShot):
        known = {
            "filter": "filter",
            "map": "map",
            "zip": "zip",
            "enumerate": "enumerate",
            "chain": "itertools.chain",
        }
        return known.get(value.kind, "generator")
    return ""
