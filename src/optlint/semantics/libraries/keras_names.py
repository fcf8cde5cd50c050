"""One name for each Keras object, whichever package it is imported from. Must not import the framework."""

from __future__ import annotations

import functools
import re

from optlint.semantics.libraries import keras_layers

_PREFIXES = (
    "tensorflow.python.keras.",
    "tensorflow.keras.",
    "tensorflow.compat.v1.keras.",
    "tensorflow.compat.v2.keras.",
    "keras.src.",
    "keras.api.",
    "tensorflow.contrib.keras.",
    "tf_keras.src.",
    "tf_keras.api.",
    "tf_keras.",
    "keras.",
)
#: Parts of Keras that TensorFlow has under its own name, too.
_OF_TENSORFLOW = ("optimizers.", "losses.", "metrics.", "initializers.")
_ROOT_CLASSES = {"Model", "Sequential", "Input", "Layer", "Functional"}


@functools.lru_cache(maxsize=4096)
def canonical(name: str) -> str | None:
    """``keras.layers.Dense`` for ``tensorflow.keras.layers.Dense`` and the like; None when it is not of Keras."""
    prefix = next(filter(name.startswith, _PREFIXES), None)
    if prefix is None:
        alias = name.removeprefix("tensorflow.")
        return f"keras.{alias}" if alias != name and alias.startswith(_OF_TENSORFLOW) else None
    parts = name[len(prefix) :].split(".")
    last = parts[-1]
    if last in _ROOT_CLASSES and parts[0] in ("models", "engine", "layers", last):
        return f"keras.{last}" if last != "Layer" else "keras.layers.Layer"
    if parts[0] == "layers":
        return f"keras.layers.{last}"
    if parts[0] == "applications":
        return f"keras.applications.{last}"
    return "keras." + ".".join(parts)


#: What ``from … import *`` brings besides the layers and ready-made models.
_STARRED = {
    "keras": {"Input", "Model", "Sequential", "layers", "models", "optimizers", "losses", "applications"},
    "keras.models": {"Model", "Sequential", "clone_model", "load_model"},
    "keras.layers": {
        "Input",
        "add",
        "average",
        "concatenate",
        "dot",
        "maximum",
        "minimum",
        "multiply",
        "subtract",
    },
}


def starred(package: str, name: str) -> bool:
    """Whether ``from package import *`` brings a thing of Keras of that name."""
    home = canonical(f"{package}.Input")
    home = home.rsplit(".", 1)[0] if home is not None else ""
    if package.endswith("layers"):
        home = "keras.layers"
    elif package.endswith("models"):
        home = "keras.models"
    if home == "keras.applications":
        return name in keras_layers.APPLICATIONS
    return name in _STARRED.get(home, ()) or (home == "keras.layers" and name in keras_layers.known_layers())


#: Other names of the same classes.
_ALIASES = (
    (re.compile(r"^(Separable)?Convolution(?=\dD)"), r"\1Conv"),
    (re.compile(r"^(Global)?MaxPool(?=\dD)"), r"\1MaxPooling"),
    (re.compile(r"^(Global)?AvgPool(?=\dD)"), r"\1AveragePooling"),
)


def main_name(name: str) -> str:
    """The name under which Keras defines a layer that has several: ``Conv2D`` for ``Convolution2D``."""
    for pattern, replacement in _ALIASES:
        name = pattern.sub(replacement, name)
    return name
