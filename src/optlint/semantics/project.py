"""The user's project as the interpreter sees it: modules by name, cut into slices when an import asks for them.

The interpreter and the questions ask it; a process makes one for each settings. What it was asked about other files is
written down, so that the cache can ask again. It never imports or runs anything, nor looks at the disk itself.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from optlint.around.questions import BESIDE, CONTENT, FIND, PRESENT, REGISTERS, REQUIREMENTS, Question, digest
from optlint.around.surroundings import Surroundings
from optlint.syntax.source_module import SourceModule

if TYPE_CHECKING:
    from optlint.settings import Settings

#: Parsed files kept at once, so that memory does not grow with the size of the tree.
MAX_CACHED_MODULES = 160
#: Their text together: a line of code is about a kilobyte of syntax tree.
MAX_CACHED_CHARACTERS = 2_500_000

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

    def __init__(
        self,
        settings: Settings,
        read: Callable[[str], str | None],
        surroundings: Surroundings | None = None,
    ) -> None:
        """``surroundings`` are those of the same settings that somebody else has already looked around in."""
        self._surroundings = surroundings or Surroundings(settings.src, read)
        self._modules: OrderedDict[str, tuple[SourceModule | None, str]] = OrderedDict()
        self._looked: dict[Question, str] = {}

    def looked_at(self) -> dict[Question, str]:
        """Everything that was asked since this was last called, with the answers, also where they come from memory."""
        looked, self._looked = self._looked, {}
        return looked

    def load(self, path: str) -> SourceModule | None:
        """The module of a file; None when it cannot be read or parsed."""
        key = os.path.abspath(path)
        if key in self._modules:
            self._modules.move_to_end(key)
        else:
            text = self._surroundings.text(key)
            self._modules[key] = (None if text is None else _parsed(path, text), digest(text))
            self._forget_oldest()
        module, content = self._modules[key]
        self._looked[Question(CONTENT, key)] = content
        return module

    def _forget_oldest(self) -> None:
        kept = self._modules
        size = sum(len(module.text) for module, _ in kept.values() if module is not None)
        while len(kept) > 1 and (size > MAX_CACHED_CHARACTERS or len(kept) > MAX_CACHED_MODULES):
            module, _ = kept.popitem(last=False)[1]
            size -= 0 if module is None else len(module.text)

    def registers(self, path: str) -> bool:
        """Whether importing a file matters although nothing of it is named: its classes enter a registry."""
        return bool(self._ask(Question(REGISTERS, os.path.abspath(path))))

    def find(self, name: str, importer: str, level: int = 0) -> str | None:
        """The file of module ``name`` as imported (``level`` dots) by the file ``importer``, or None."""
        folder = os.path.dirname(os.path.abspath(importer))
        if level:
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            return _displayed(self._module(BESIDE, folder, name), importer)
        if not name or name.split(".", 1)[0] in LIBRARIES:
            return None
        top, dotted, _ = name.partition(".")
        if dotted and not self._ask(Question(PRESENT, folder, top)):
            return None
        return _displayed(self._module(FIND, folder, name), importer)

    def _module(self, kind: str, folder: str, name: str) -> str:
        """The file of a module; what is in a file that is no package is no module, and need not be asked for."""
        above = name.rpartition(".")[0]
        if above:
            package = self._ask(Question(kind, folder, above))
            if package and os.path.basename(package) != "__init__.py":
                return ""
        return self._ask(Question(kind, folder, name))

    def requirements(self, importer: str) -> tuple[str, ...]:
        """The texts of the files that say what the project of a file needs, of the nearest folder that has any."""
        files = self._ask(Question(REQUIREMENTS, os.path.dirname(os.path.abspath(importer))))
        texts: list[str] = []
        for file in files.split("\0") if files else ():
            text = self._surroundings.text(file)
            self._looked[Question(CONTENT, file)] = digest(text)
            if text is not None:
                texts.append(text)
        return tuple(texts)

    def mentions(self, attribute: str, names: Sequence[str], importer: str) -> bool:
        """Whether another file of the project that speaks of an optimizer and of one of ``names`` uses an attribute."""
        return self._some_neighbour("mentions", importer, attribute, names)

    def extends(self, name: str, importer: str) -> bool:
        """Whether another file of the project has a class with the base ``name``."""
        return self._some_neighbour("extends", importer, name)

    def takes(self, attribute: str, names: Sequence[str], importer: str) -> bool:
        """Whether another file of the project that imports one of ``names`` may take up an attribute of theirs.

        ``names`` are that of the importer's module and those of the classes in it.
        """
        return self._some_neighbour("takes", importer, attribute, names)

    def defines(self, method: str, importer: str) -> bool:
        """Whether a file of the project defines a method of that name that can be called with nothing."""
        return self._some_neighbour("defines", importer, method)

    def _some_neighbour(self, kind: str, importer: str, subject: str, names: Sequence[str] = ()) -> bool:
        return bool(self._ask(Question(kind, os.path.abspath(importer), subject, tuple(names))))

    def _ask(self, question: Question) -> str:
        answer = self._looked[question] = self._surroundings.ask(question)
        return answer


def _parsed(path: str, text: str) -> SourceModule | None:
    module = SourceModule(path, text)
    return None if module.error is not None or module.too_deep else module


def _displayed(file: str, importer: str) -> str | None:
    """The path in the manner in which the importer was named: relative stays relative."""
    if not file or os.path.isabs(importer):
        return file or None
    relative = os.path.relpath(file)
    return relative.replace(os.sep, "/") if "\\" not in importer else relative
