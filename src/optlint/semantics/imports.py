"""Imports: project files are loaded and executed abstractly, everything else becomes an ``External`` name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import loading
from optlint.semantics.libraries import keras_names, optimizers, torch_nn
from optlint.semantics.values import ABSENT, UNKNOWN, Const, External, Namespace, Obj, Value
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Modules whose star import the engine can answer for, by a test of the name.
_STARS = (
    "torch.nn",
    "torch.optim",
    "torch",
    "keras.layers",
    "tensorflow.keras.layers",
    "tensorflow.keras",
    "keras",
)


def dotted(node: cst.BaseExpression | None) -> str:
    """``a.b.c`` of an import; empty for none."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        return f"{dotted(node.value)}.{node.attr.value}"
    return ""


class LazyImport(Obj):
    """An imported name of a project file that is loaded when the name is first used."""

    __slots__ = ("importer", "level", "member", "module")

    def __init__(self, importer: str, module: str, level: int, member: str | None) -> None:
        super().__init__(None)
        self.importer = importer
        self.module = module
        self.level = level
        self.member = member

    def resolve(self, it: Interpreter) -> Value:
        """The imported module or its member; Unknown when it cannot be found, or is imported from where it is asked."""
        if self in it.importing:
            return UNKNOWN
        it.importing.add(self)
        try:
            return self._found(it)
        finally:
            it.importing.discard(self)

    def _found(self, it: Interpreter) -> Value:
        source = _module(it, self.module, self.level, self.importer)
        if self.member is None:
            return source
        value = member(it, source, self.member)
        if value is not None:
            return value
        name = f"{self.module}.{self.member}" if self.module else self.member
        submodule = _module(it, name, self.level, self.importer)
        return submodule if isinstance(submodule, Namespace) else UNKNOWN


def import_modules(it: Interpreter, node: cst.Import) -> None:
    """``import a.b as c, d``."""
    importer = it.frame.context.part.module.path
    for alias in node.names:
        name = dotted(alias.name)
        path = it.project.find(name, importer)
        if path is not None and it.project.registers(path):
            loading.load(it, path)
        if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
            it.bind(alias.asname.name.value, _later(it, importer, name, 0, None))
            continue
        top = name.split(".", 1)[0]
        it.bind(top, _later(it, importer, top, 0, None))


def import_names(it: Interpreter, node: cst.ImportFrom) -> None:
    """``from a import b as c`` with any number of dots, and ``from a import *``."""
    level = len(node.relative)
    name = dotted(node.module)
    importer = it.frame.context.part.module.path
    if isinstance(node.names, cst.ImportStar):
        # Packages that are loaded by need list all that they have for type checkers: far too much to follow.
        _import_star(it, UNKNOWN if it.for_type_checkers else _module(it, name, level, importer))
        return
    path = it.project.find(name, importer, level)
    if path is not None and it.project.registers(path):
        loading.load(it, path)
    for alias in node.names:
        original = dotted(alias.name)
        submodule = it.project.find(f"{name}.{original}" if name else original, importer, level)
        if submodule is not None and it.project.registers(submodule):
            loading.load(it, submodule)
        bound = (
            alias.asname.name.value if alias.asname and isinstance(alias.asname.name, cst.Name) else original
        )
        it.bind(bound, _later(it, importer, name, level, original))


def _later(it: Interpreter, importer: str, name: str, level: int, original: str | None) -> Value:
    """An ``External`` for what is a library's, else an import that waits until it is used."""
    if not level and it.project.find(name, importer) is None:
        full = f"{name}.{original}" if original else name
        if original is None or it.project.find(full, importer) is None:
            return External(full)
    return LazyImport(importer, name, level, original)


def _module(it: Interpreter, name: str, level: int, importer: str) -> Value:
    """The module of that name: a ``Namespace`` of the project, or ``External``; Unknown when relative and missing."""
    path = it.project.find(name, importer, level)
    if path is not None:
        return loading.load(it, path) or UNKNOWN
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
    return loading.load(it, path)


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
    return {
        value.value for value in items.values if isinstance(value, Const) and isinstance(value.value, str)
    }


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
        if keras_names.starred(star, name) or (star in _STARS and name in _STAR_NAMES):
            return External(candidate)
    return None


_STAR_NAMES = frozenset(
    [
        "nn",
        "optim",
        "Tensor",
        "randn",
        "zeros",
        "ones",
        "tensor",
        "Module",
        "Parameter",
        "Sequential",
        "Model",
        "Input",
        "Dense",
        "layers",
        "models",
        "optimizers",
        "losses",
    ]
)
