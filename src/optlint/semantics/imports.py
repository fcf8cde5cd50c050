"""Imports: project files are loaded and executed abstractly, everything else becomes an ``External`` name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from optlint.semantics.libraries import optimizers, torch_nn
from optlint.semantics.values import ABSENT, UNKNOWN, Const, External, Namespace, Value

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Modules whose star import the engine can answer for, by a test of the name.
_STARS = ("torch.nn", "torch.optim", "torch", "keras.layers", "tensorflow.keras.layers", "tensorflow.keras", "keras")


def dotted(node: cst.BaseExpression | None) -> str:
    """``a.b.c`` of an import; empty for none."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        return f"{dotted(node.value)}.{node.attr.value}"
    return ""


def import_modules(it: Interpreter, node: cst.Import) -> None:
    """``import a.b as c, d``."""
    for alias in node.names:
        name = dotted(alias.name)
        if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
            it.bind(alias.asname.name.value, module_value(it, name))
            continue
        top = name.split(".", 1)[0]
        it.bind(top, module_value(it, top))
        if "." in name:
            module_value(it, name)


def import_names(it: Interpreter, node: cst.ImportFrom) -> None:
    """``from a import b as c`` with any number of dots, and ``from a import *``."""
    level = len(node.relative)
    name = dotted(node.module)
    source = module_value(it, name, level)
    if isinstance(node.names, cst.ImportStar):
        _import_star(it, source)
        return
    for alias in node.names:
        original = dotted(alias.name)
        bound = alias.asname.name.value if alias.asname and isinstance(alias.asname.name, cst.Name) else original
        value = member(it, source, original)
        if value is None:
            submodule = module_value(it, f"{name}.{original}" if name else original, level)
            value = submodule if isinstance(submodule, Namespace) else UNKNOWN
        it.bind(bound, value)


def module_value(it: Interpreter, name: str, level: int = 0) -> Value:
    """The module of that name: a ``Namespace`` of the project, or ``External``; Unknown when relative and missing."""
    importer = it.frame.context.part.module.path
    path = it.project.find(name, importer, level)
    if path is not None:
        loaded = it.load_module(path)
        if loaded is not None:
            return loaded
        return UNKNOWN
    return UNKNOWN if level else External(name)


def member(it: Interpreter, module: Value, name: str) -> Value | None:
    """An attribute of a module; None when a project module does not bind it."""
    if isinstance(module, External):
        return External(f"{module.name}.{name}" if module.name else name)
    if isinstance(module, Namespace):
        value = it.global_name(module, name) if name in module.slots else from_star(it, module, name)
        if value is not None:
            return value
        return _submodule(it, module, name)
    return UNKNOWN


def _submodule(it: Interpreter, package: Namespace, name: str) -> Value | None:
    if not package.name.endswith("__init__.py"):
        return None
    path = it.project.find(name, package.name, 1)
    if path is None or path == package.name:
        return None
    return it.load_module(path)


def _import_star(it: Interpreter, source: Value) -> None:
    namespace = it.frame.context.namespace
    if isinstance(source, Namespace):
        exported = _exported_names(source)
        for name in list(source.slots):
            if not name.startswith("#") and (name in exported if exported is not None else name[0] != "_"):
                it.heap.set(namespace.slots, name, source.slots[name])
        stars = source.slots.get("#stars", ())
    else:
        stars = (source.name,) if isinstance(source, External) else (None,)
    it.heap.set(namespace.slots, "#stars", (*namespace.slots.get("#stars", ()), *stars))


def _exported_names(source: Namespace) -> set[str] | None:
    declared = source.slots.get("__all__", ABSENT)
    items = getattr(declared, "items", None)
    if items is None or callable(items) or items.open:
        return None
    return {value.value for value in items.values if isinstance(value, Const) and isinstance(value.value, str)}


def from_star(it: Interpreter, namespace: Namespace, name: str) -> Value | None:
    """A name that a star import of a library brings; Unknown when some star import cannot be followed."""
    stars = namespace.slots.get("#stars")
    if not stars or name.startswith("__"):
        return None
    for star in reversed(stars):
        if star is None:
            return UNKNOWN
        candidate = f"{star}.{name}"
        if torch_nn.lookup(candidate) or optimizers.optimizer_class(candidate, it.extra_optimizers):
            return External(candidate)
        if star in _STARS and name in _STAR_NAMES:
            return External(candidate)
    return None


_STAR_NAMES = frozenset(
    "nn optim Tensor randn zeros ones tensor Module Parameter Sequential Model Input Dense layers models "
    "optimizers losses".split()
)
