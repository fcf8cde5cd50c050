"""Which generation of Keras a file is for, 2 or 3: from its imports, the names it uses, and what its project requires.

The interpreter asks once, when it meets Keras; rules word what holds for one generation only. It must not follow the
program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from optlint.deferred import dataclass, regex

#: What only Keras 3 has.
_ONLY_3 = regex(
    r"KERAS_BACKEND[^\n]*(?:torch|jax)|\bkeras\.(?:ops|distribution|tree|random\.SeedGenerator|Variable|RematScope)\b"
    r"|from keras import [^#\n]*\b(?:ops|tree)\b|^\s*(?:from|import) keras\.(?:ops|distribution|tree)\b"
    r"|\bkeras\.(?:config|dtype_policies|quantizers)\.\w|\bload_lora\b|\.enable_lora\(|\bTFSMLayer\b",
    re.MULTILINE,
)

#: What only Keras 2 has, or TensorFlow before it came with Keras 3.
_ONLY_2 = regex(
    r"TF_USE_LEGACY_KERAS[^\n]*(?:1|[Tt]rue)|\btf_keras\b|\btensorflow\.python\.keras\b|\btensorflow[._]addons\b"
    r"|\btensorflow\.contrib\b|\btf\.contrib\b|\.(?:fit|evaluate|predict)_generator\(|\bnb_(?:epoch|filter|row)\b"
    r"|^\s*from keras\.(?:engine|layers\.(?:core|convolutional|merge|normalization|recurrent|pooling|embeddings|advanced"
    r"_activations|wrappers|noise|local|convolutional_recurrent)|utils\.(?:np_utils|vis_utils|generic_utils|data_utils)"
    r"|preprocessing\.text|preprocessing\.image import [^#\n]*\bImageDataGenerator"
    r"|wrappers|initializations|objectives|backend\.tensorflow_backend)\b"
    r"|^\s*(?:from keras import|import keras\.)[^#\n]*\b(?:objectives|initializations)\b"
    r"|^\s*from keras\.utils import[^#\n]*\b(?:np_utils|multi_gpu_model|generic_utils|Sequence, multi_gpu_model)\b"
    r"|^\s*from keras\.optimizers import[^#\n]*\b(?:adam|adam_v2|sgd|rmsprop)\b|\boptimizers\.legacy\.\w"
    r"|\btf\.(?:Session|placeholder|get_variable|ConfigProto|layers\.|set_random_seed|train\.\w+Optimizer|app\.run)\b"
    r"|\bK\.(?:tensorflow_backend|set_session|get_session|set_learning_phase|set_image_dim_ordering|image_dim_ordering"
    r"|learning_phase)\b"
    r"|\bborder_mode\s*=|\bsubsample\s*=|\bmerge\([^\n]*mode\s*=|\bdim_ordering\s*=|\bMerge\(\[",
    re.MULTILINE,
)

#: Ways to write that came up with Keras 3, though later releases of Keras 2 know them.
_RECENT = regex(
    r"Sequential\(\s*(?:\[|layers\s*=\s*\[)?\s*(?:[\w.]+\.)?Input(?:Layer)?\(|\.weights\.h5\b|[\w}]\.keras[\"']"
    r"|\bset_random_seed\(|\bkeras\.saving\b|\.add\(\s*(?:[\w.]+\.)?Input\(|\bimage_dataset_from_directory\("
)
#: Signs that Keras runs on something else than TensorFlow.
_OTHER_BACKEND = regex(r"KERAS_BACKEND[^\n]*(?:torch|jax)|^\s*(?:import|from) (?:torch|jax)\b", re.MULTILINE)
#: Signs that nothing is compiled to a graph: each step reads the flags anew.
_EAGER = regex(r"run_functions_eagerly\(\s*(?!False)|run_eagerly\s*=\s*(?!False)\w")

#: A requirement: of which package, and its first bound.
_REQUIRED = regex(
    r"^[\s\"'-]*(tensorflow(?:[-_](?:gpu|cpu|macos|intel))?|keras|tf[-_]keras)(?:\[[\w,-]+\])?\s*"
    r"(?:(===?|<=?|~=|>=?|=)\s*[\"']?\s*(\d+)(?:\.(\d+))?)?",
    re.IGNORECASE | re.MULTILINE,
)
#: The first TensorFlow that comes with Keras 3.
_FIRST_WITH_3 = (2, 16)

_BOTH = frozenset({2, 3})


@dataclass(frozen=True)
class Generation:
    """The generations of Keras that a file may be for, and how it runs there.

    ``tensorflow``: on TensorFlow, so far as is seen; ``torch``: on torch; ``eager``: without a compiled graph;
    ``recent``: written in a manner that came up with Keras 3; ``used``: Keras is named at all.
    """

    versions: frozenset[int] = _BOTH
    tensorflow: bool = True
    torch: bool = False
    eager: bool = False
    recent: bool = False
    used: bool = False

    @property
    def is_likely_3(self) -> bool:
        """Whether it is for Keras 3, or written as one writes for that and not known to be for Keras 2."""
        return self.is_3 or (self.may_be_3 and self.recent)

    @property
    def may_be_3(self) -> bool:
        """Whether nothing says that it is for Keras 2."""
        return 3 in self.versions

    @property
    def is_3(self) -> bool:
        """Whether it certainly is for Keras 3."""
        return self.versions == {3}

    @property
    def is_2(self) -> bool:
        """Whether it certainly is for Keras 2."""
        return self.versions == {2}

    @property
    def prefix(self) -> str:
        """How a sentence begins that holds for Keras 3 only: nothing where no other is meant."""
        return "" if self.is_3 else "in Keras 3 "


def of_file(text: str, requirements: Iterable[str] = ()) -> Generation:
    """Which generations a file may be for, given its text and those of its project's lists of requirements."""
    if "keras" not in text and "tensorflow" not in text:
        return Generation()
    versions = _of_text(text)
    if versions == _BOTH:
        versions = _of_requirements(requirements)
    backend = re.search(r"KERAS_BACKEND[^\n]*?(torch|jax|tensorflow)", text)
    tensorflow = _OTHER_BACKEND.search(text) is None
    torch = backend is not None and backend.group(1) == "torch"
    eager, recent = _EAGER.search(text) is not None, _RECENT.search(text) is not None
    return Generation(versions, tensorflow, torch, eager, recent, used=True)


def _of_text(text: str) -> frozenset[int]:
    new, old = _ONLY_3.search(text) is not None, _ONLY_2.search(text) is not None
    if new == old:
        return _BOTH
    return frozenset({3}) if new else frozenset({2})


def _of_requirements(texts: Iterable[str]) -> frozenset[int]:
    """What the project asks for; where its files contradict each other, either."""
    found: set[frozenset[int]] = set()
    for text in texts:
        for package, relation, major, minor in _REQUIRED.findall(text):
            if package.lower().startswith("tf"):
                return frozenset({2})
            if relation and major:
                found.add(_allowed(package.lower(), relation, int(major), int(minor or 0)))
    found.discard(_BOTH)
    return next(iter(found)) if len(found) == 1 else _BOTH


def _allowed(package: str, relation: str, major: int, minor: int) -> frozenset[int]:
    first = (3, 0) if package == "keras" else _FIRST_WITH_3
    version = (major, minor)
    if relation.startswith(">"):
        return frozenset({3}) if version >= first else _BOTH
    if relation == "<":
        return frozenset({2}) if version <= first else _BOTH
    return frozenset({3}) if version >= first else frozenset({2})
