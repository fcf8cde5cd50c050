"""What the optimizers of torch call their settings, what these are by default, and what a wrong name was meant for.

The question about group dicts asks. It must not know abstract values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: What groups have besides the settings in a class's signature.
COMMON: Final = frozenset(
    {"params", "param_names", "lr", "maximize", "foreach", "capturable", "differentiable", "fused"}
    | {"initial_lr", "decoupled_weight_decay"}
)

_ADAM: Final = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0}
#: Defaults that classes have in common or that are asked for most, from torch 2.13.
_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ASGD": {"lr": 1e-2, "weight_decay": 0},
    "Adadelta": {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0},
    "Adagrad": {"lr": 1e-2, "eps": 1e-10, "weight_decay": 0},
    "Adam": _ADAM,
    "AdamW": {**_ADAM, "weight_decay": 1e-2},
    "Adamax": {**_ADAM, "lr": 2e-3},
    "NAdam": {**_ADAM, "lr": 2e-3},
    "RAdam": _ADAM,
    "RMSprop": {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0, "momentum": 0},
    "Rprop": {"lr": 1e-2},
    "SGD": {"lr": 1e-3, "momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False},
}

#: Names that other libraries and people have for settings.
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "learning_rate": "lr",
    "learningrate": "lr",
    "learn_rate": "lr",
    "lrate": "lr",
    "l_rate": "lr",
    "lr_rate": "lr",
    "wd": "weight_decay",
    "w_decay": "weight_decay",
    "weightdecay": "weight_decay",
    "l2": "weight_decay",
    "beta": "betas",
    "epsilon": "eps",
    "momentun": "momentum",
}
#: Shorter names are too near to one another to guess.
_SHORTEST = 5


def default(name: str, key: str) -> Any:
    """The default of a setting of the class ``name``; None when it is not known."""
    return _DEFAULTS.get(name, {}).get(key)


def meant_by(key: str, known: frozenset[str]) -> str | None:
    """The one of the ``known`` settings that ``key`` was meant for; None if it is one, or may be the user's own."""
    if key in known:
        return None
    plain = key.strip().lower().replace("-", "_").replace(" ", "_")
    if plain in known:
        return plain
    other = _OTHER_NAMES.get(plain)
    if other is not None:
        return other if other in known else None
    near = [name for name in known if len(name) >= _SHORTEST and _is_near(plain, name)]
    return near[0] if len(near) == 1 else None


def _is_near(written: str, name: str) -> bool:
    """Whether one letter is missing, too many, another one, or in its neighbour's place."""
    if abs(len(written) - len(name)) > 1 or written == name:
        return False
    start = 0
    while start < min(len(written), len(name)) and written[start] == name[start]:
        start += 1
    one, other = written[start:], name[start:]
    swapped = one[1:2] + one[:1] + one[2:] == other
    return swapped or one[1:] == other or one == other[1:] or one[1:] == other[1:]
