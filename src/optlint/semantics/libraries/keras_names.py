"""One name for each Keras object, whichever package it is imported from. Must not import the framework."""

from __future__ import annotations

import re

_PREFIXES = (
    "tensorflow.python.keras.",
    "tensorflow.keras.",
    "tensorflow.compat.v1.keras.",
    "tensorflow.compat.v2.keras.",
    "keras.src.",
    "keras.api.",
    "tf_keras.",
    "keras.",
)
_ROOT_CLASSES = {"Model", "Sequential", "Input", "Layer", "Functional"}


def canonical(name: str) -> str | None:
    """``keras.layers.Dense`` for ``tensorflow.keras.layers.Dense`` and the like; None when it is not of Keras."""
    prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)
    if prefix is None:
        return None
    parts = name[len(prefix) :].split(".")
    last = parts[-1]
    if last in _ROOT_CLASSES and parts[0] in ("models", "engine", "layers", last):
        return f"keras.{last}" if last != "Layer" else "keras.layers.Layer"
    if parts[0] == "layers":
        return f"keras.layers.{last}"
    if parts[0] == "applications":
        return f"keras.applications.{last}"
    return "keras." + ".".join(parts)


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
