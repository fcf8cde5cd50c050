"""Datasets and loaders: what they were made of, as far as that tells training data from what is held out.

Calls of ``torch.utils.data`` and of ready-made datasets come here; nothing is decided about training.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from optlint.deferred import dataclass, regex
from optlint.semantics.site import Site
from optlint.semantics.values import Arguments, Const, Instance, Unknown, Value
from optlint.syntax import cst

#: Arguments and attributes by which a dataset is told which part of the data it is.
_FLAGS = ("train", "is_train", "training", "is_training")
_PARTS = ("split", "subset", "mode", "phase", "partition", "stage", "set_name", "image_set")
_HELD_OUT = frozenset({"test", "testing", "val", "valid", "validation", "eval", "evaluation", "dev"})
#: Batches as large as the whole dataset: one round.
_WHOLE = ("len(", "shape", "size(", "num_samples", "n_samples", "None")
_BATCH = regex(r"batch|(?<![a-z])bsz?(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Source(Unknown):
    """A dataset or a loader. ``held_out``: what says that it is not for training, as in ``train=False``.

    ``batches``: it is a loader that gives the data in several batches.
    """

    held_out: str = ""
    batches: bool = False


def of_call(name: str, arguments: Arguments, result: Unknown, site: Site) -> Unknown:
    """What a function of a library of datasets gave."""
    if name.startswith("torchvision.datasets."):
        held_out = _of_settings(arguments.keywords)
    elif name.startswith("torch.utils.data."):
        first = next(iter(arguments.positional), arguments.keywords.get("dataset"))
        held_out = of_value(first)
    else:
        return result
    loader = name.endswith(".DataLoader")
    if not held_out and not loader:
        return result
    batches = loader and _in_batches(arguments, site)
    return Source(
        result.taint, result.cuts, plain=result.plain, stop=result.stop, held_out=held_out, batches=batches
    )


def of_value(value: Value | None) -> str:
    """What says that a dataset or loader is held out; "" where nothing does."""
    if isinstance(value, Source):
        return value.held_out
    if isinstance(value, Instance):
        return _of_settings(dict(value.members()))
    return ""


def _of_settings(settings: Mapping[str, Value]) -> str:
    for name, value in settings.items():
        given = value.value if isinstance(value, Const) else None
        if name in _FLAGS and given is False:
            return f"{name}=False"
        if name in _PARTS and isinstance(given, str) and given.lower() in _HELD_OUT:
            return f'{name}="{given}"'
    return ""


def _in_batches(arguments: Arguments, site: Site) -> bool:
    """Whether a loader's batches are certainly not the whole dataset: their size is a number or is named so."""
    size, node = arguments.get(1, "batch_size"), site.node
    if isinstance(size, Const):
        return isinstance(size.value, int)
    if size is None or not isinstance(node, cst.Call):
        return size is None and not arguments.open  # one by one
    code = site.part.code
    written = next((code(a.value) for a in node.args if a.keyword and a.keyword.value == "batch_size"), "")
    if not written and len(node.args) > 1:
        written = code(node.args[1].value)
    return not any(part in written for part in _WHOLE) and _BATCH.search(written) is not None
