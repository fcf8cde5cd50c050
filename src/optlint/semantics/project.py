"""The files of the user's project, found and cut into slices when an import asks for them.

The interpreter asks it for modules by name; the engine makes one per worker. It never imports or runs anything.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from optlint.syntax.source_module import SourceModule

if TYPE_CHECKING:
    from optlint.settings import Settings

#: Parsed files kept at once, so that memory does not grow with the size of the tree.
MAX_CACHED_MODULES = 160
#: How far above a file import roots are looked for.
MAX_PARENTS = 12
#: Files that are searched for a word at the most.
MAX_NEIGHBOURS = 500
#: Code that gathers tensors whatever attribute they are kept in.
_COLLECTS_ANY = re.compile(r"\bvars\([\s\S]*\.is_leaf\b|__dict__[\s\S]*\.is_leaf\b")
_REGISTERS = re.compile(r"^@[\w.]*regist", re.MULTILINE | re.IGNORECASE)
_IMPORTS_SIBLINGS = re.compile(r"^from \S+ import [^#\n]*#\s*noqa", re.MULTILINE)
_SKIPPED = frozenset({"node_modules", "site-packages", "venv", "build", "dist", "__pycache__"})
#: Folders in which packages lie side by side that are no parts of one project.
_INSTALLED = ("site-packages", "dist-packages")
_PROJECT_MARKS = (".git", "pyproject.toml", "setup.py")
#: Where a project says which packages it needs.
_REQUIREMENTS = re.compile(
    r"(?:requirements[\w.-]*|constraints)\.(?:txt|in)|setup\.(?:py|cfg)|pyproject\.toml|Pipfile|environment[\w-]*\.ya?ml"
)
#: A larger file is not followed into.
MAX_FILE_BYTES = 1_500_000

#: Top-level packages that are always the library, even where a folder of the same name lies beside the script.
LIBRARIES = frozenset(
    [
        "torch",
        "torchvision",
        "torchaudio",
        "torchmetrics",
        "tensorflow",
        "keras",
        "tf_keras",
        "numpy",
        "scipy",
        "pandas",
        "sklearn",
        "matplotlib",
        "lightning",
        "pytorch_lightning",
        "accelerate",
        "transformers",
        "peft",
        "timm",
        "datasets",
        "tqdm",
        "wandb",
        "einops",
        "cv2",
        "PIL",
        "apex",
        "deepspeed",
        "bitsandbytes",
        "gym",
        "gymnasium",
        "jax",
        "flax",
        "optax",
        "tensorboardX",
        "yaml",
        "json",
        "os",
        "sys",
        "re",
        "math",
        "random",
        "logging",
        "argparse",
        "collections",
        "itertools",
        "functools",
        "typing",
        "pathlib",
        "time",
        "copy",
        "dataclasses",
        "abc",
    ]
)


class Project:
    """Resolves module names to files below the import roots. ``read`` gives a file's text, or None."""

    def __init__(self, settings: Settings, read: Callable[[str], str | None]) -> None:
        self._src = tuple(os.path.abspath(root) for root in settings.src)
        self._read = read
        self._modules: OrderedDict[str, SourceModule | None] = OrderedDict()
        self._roots: dict[str, tuple[str, ...]] = {}
        self._registering: dict[str, bool] = {}
        self._found: dict[tuple[str, str], str | None] = {}
        self._requirements: dict[str, tuple[str, ...]] = {}

    def load(self, path: str) -> SourceModule | None:
        """The module of a file; None when it cannot be read or parsed."""
        key = os.path.abspath(path)
        if key in self._modules:
            self._modules.move_to_end(key)
            return self._modules[key]
        module = self._open(path)
        self._modules[key] = module
        if len(self._modules) > MAX_CACHED_MODULES:
            self._modules.popitem(last=False)
        return module

    def _open(self, path: str) -> SourceModule | None:
        try:
            if os.path.getsize(path) > MAX_FILE_BYTES:
                return None
        except OSError:
            return None
        text = self._read(path)
        if text is None:
            return None
        module = SourceModule(path, text)
        return None if module.error is not None or module.too_deep else module

    def registers(self, path: str) -> bool:
        """Whether importing a file matters although nothing of it is named: its classes enter a registry."""
        if path not in self._registering:
            text = self._read(path) or ""
            imported = path.endswith("__init__.py") and _IMPORTS_SIBLINGS.search(text) is not None
            self._registering[path] = _REGISTERS.search(text) is not None or (imported and len(text) < 4_000)
        return self._registering[path]

    def find(self, name: str, importer: str, level: int = 0) -> str | None:
        """The file of module ``name`` as imported (``level`` dots) by the file ``importer``, or None."""
        if level:
            folder = os.path.dirname(os.path.abspath(importer))
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            return self._display(_module_file(folder, name), importer)
        if not name or name.split(".", 1)[0] in LIBRARIES:
            return None
        folder = os.path.dirname(os.path.abspath(importer))
        key = (folder, name)
        if key not in self._found:
            roots = (root for root in self.roots(importer) if not _installed_beside(root, name, folder))
            candidates = (_module_file(root, name) for root in roots)
            self._found[key] = next((file for file in candidates if file is not None), None)
        return self._display(self._found[key], importer)

    def roots(self, importer: str) -> tuple[str, ...]:
        """Folders that absolute imports of a file may start from: its own, those above it, the configured ones."""
        folder = os.path.dirname(os.path.abspath(importer))
        if folder not in self._roots:
            self._roots[folder] = tuple(dict.fromkeys((*self._src, *_folders_above(folder))))
        return self._roots[folder]

    def requirements(self, importer: str) -> tuple[str, ...]:
        """The texts of the files that say what the project of a file needs, of the nearest folder that has any."""
        folder = os.path.dirname(os.path.abspath(importer))
        if folder not in self._requirements:
            texts: tuple[str, ...] = ()
            above = [
                root
                for root in self.roots(importer)
                if os.path.join(folder, "").startswith(os.path.join(root, ""))
            ]
            for root in sorted(above, key=len, reverse=True):
                files = [os.path.join(root, name) for name in _names(root) if _REQUIREMENTS.fullmatch(name)]
                texts = tuple(text for text in map(self._read, files) if text is not None)
                if texts:
                    break
            self._requirements[folder] = texts
        return self._requirements[folder]

    def mentions(self, attribute: str, names: Sequence[str], importer: str) -> bool:
        """Whether another file of the project that speaks of an optimizer and of one of ``names`` uses an attribute."""
        own = os.path.abspath(importer)
        pattern = re.compile(rf"\.{re.escape(attribute)}\b")
        words = rf"\b(?:{'|'.join(map(re.escape, names))})\b"
        about = re.compile(rf"^\s*(?:from|import)\s[^\n]*{words}|\bimport\s*\([^)]*{words}", re.MULTILINE)
        for file in self._neighbours(importer):
            if os.path.abspath(file) == own:
                continue
            content = self._read(file)
            if content is None or "optim" not in content:
                continue
            if about.search(content) and pattern.search(content):
                return True
            if "requires_grad" in content and _COLLECTS_ANY.search(content) and self._same_package(file, own):
                return True
        return False

    def extends(self, name: str, importer: str) -> bool:
        """Whether another file of the project has a class with the base ``name``."""
        own = os.path.abspath(importer)
        pattern = re.compile(rf"^\s*class \w+\([^)]*\b{re.escape(name)}\b", re.MULTILINE)
        others = (file for file in self._neighbours(importer) if os.path.abspath(file) != own)
        return any(pattern.search(self._read(file) or "") for file in others)

    def importer_says(self, names: Sequence[str], importer: str, says: Callable[[str], bool]) -> bool:
        """Whether the text of another file of the project that imports one of ``names`` satisfies ``says``."""
        own = os.path.abspath(importer)
        words = rf"\b(?:{'|'.join(map(re.escape, names))})\b"
        about = re.compile(rf"^\s*(?:from|import)\s[^\n]*{words}|\bimport\s*\([^)]*{words}", re.MULTILINE)
        for file in self._neighbours(importer):
            content = None if os.path.abspath(file) == own else self._read(file)
            if content is not None and about.search(content) and says(content):
                return True
        return False

    def defines(self, method: str, importer: str) -> bool:
        """Whether a file of the project defines a method of that name that can be called with nothing."""
        pattern = re.compile(
            rf"^[ \t]+def {re.escape(method)}\(\s*\w+\s*(?:,[^),]*[=*][^)]*)?,?\s*\)", re.MULTILINE
        )
        return any(pattern.search(self._read(file) or "") for file in self._neighbours(importer))

    def _same_package(self, file: str, own: str) -> bool:
        """Whether two files lie in one package, so that a third is likely to bring them together."""
        folder = os.path.dirname(os.path.abspath(file))
        return folder == os.path.dirname(own) and os.path.isfile(os.path.join(folder, "__init__.py"))

    def _neighbours(self, importer: str) -> list[str]:
        """Python files in the project of a file, nearest folders first."""
        roots = self.roots(importer)
        top = roots[-1] if roots else os.path.dirname(os.path.abspath(importer))
        own = os.path.dirname(importer)
        files = [os.path.join(own, name) for name in _python_files(own or ".")]
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
            files.extend(os.path.join(folder, name) for name in sorted(names) if name.endswith(".py"))
            if len(files) > MAX_NEIGHBOURS:
                break
        return files[:MAX_NEIGHBOURS]

    def _display(self, file: str | None, importer: str) -> str | None:
        """The path in the manner in which the importer was named: relative stays relative."""
        if file is None or os.path.isabs(importer):
            return file
        relative = os.path.relpath(file)
        return relative.replace(os.sep, "/") if "\\" not in importer else relative


def _module_file(root: str, name: str) -> str | None:
    """The file of a dotted module name below a folder (packages before modules, as Python does)."""
    base = os.path.join(root, *name.split(".")) if name else root
    package = os.path.join(base, "__init__.py")
    if os.path.isfile(package):
        return package
    if name and os.path.isfile(base + ".py"):
        return base + ".py"
    return None


def _folders_above(folder: str) -> list[str]:
    """The folder and those above it up to the project's root, each perhaps with a ``src`` folder.

    Where nothing marks the root of a project, only the package that the folder is in and what lies around it counts.
    """
    folders: list[str] = []
    unmarked = 2
    inside_package = True
    for _ in range(MAX_PARENTS):
        folders.append(folder)
        inside_package = inside_package and os.path.isfile(os.path.join(folder, "__init__.py"))
        if inside_package:
            unmarked = len(folders) + 1
        if any(os.path.exists(os.path.join(folder, mark)) for mark in _PROJECT_MARKS):
            break
        parent = os.path.dirname(folder)
        if parent == folder or len(folders) == MAX_PARENTS:
            folders = folders[:unmarked]
            break
        folder = parent
    return [
        place for above in folders for place in (above, os.path.join(above, "src")) if os.path.isdir(place)
    ]


def _installed_beside(root: str, name: str, folder: str) -> bool:
    """Whether a module would be found in another installed package than the one that ``folder`` is in."""
    own = os.path.join(root, name.split(".", 1)[0], "")
    return os.path.basename(root) in _INSTALLED and not os.path.join(folder, "").startswith(own)


def _python_files(folder: str) -> list[str]:
    """The Python files directly in a folder."""
    return [name for name in _names(folder) if name.endswith(".py")]


def _names(folder: str) -> list[str]:
    """What lies directly in a folder."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
