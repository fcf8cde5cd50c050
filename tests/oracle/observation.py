"""What was seen of one run: how it ended, which tensors moved, which had gradients, and how they are reached.

Written by the observers (one a framework), read by ``claims``. Plain data that travels as JSON; it must not
import a framework.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Failure:
    """The exception that ended the program."""

    type: str
    message: str
    traceback: str


@dataclass
class TensorFate:
    """What became of one tensor between the start of training and the end of the program.

    ``moved``: its value changed; ``graded``: it had a gradient at some step; ``parameter``: a parameter of a
    module that took part; ``due``: it required a gradient in a module that trained, so it should have moved.
    """

    moved: bool
    graded: bool
    parameter: bool
    due: bool


@dataclass
class Instance:
    """An object that the program made: the paths from it to tensors, by index into ``Observation.tensors``.

    ``own``: its class was written in the fixture.
    """

    cls: str
    own: bool
    took_part: bool
    tensors: dict[str, int]


@dataclass
class Observation:
    """All that was seen of one run."""

    failure: Failure | None = None
    steps: int = 0
    #: Backward passes that went through, and whether a step found gradients that an earlier one had used.
    backwards: int = 0
    piled_up: bool = False
    #: Whether an optimizer stepped parameters for which another one of its class had state that it lacks.
    state_lost: bool = False
    #: Whether a step used a gradient as clipping had left it.
    clip_used: bool = False
    #: Whether a step used the gradients of fewer backward passes than forward passes were made for it.
    batches_lost: bool = False
    #: The functions of the program in which steps were taken, and ``evaluation-mode`` where the model was in it.
    places: list[str] = field(default_factory=list)
    #: At each step of an optimizer: the rate of its first group, and the largest gradient.
    rates: list[float] = field(default_factory=list)
    gradients: list[float] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    tensors: list[TensorFate] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The observation as JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Observation:
        """The inverse of ``to_json``."""
        failure = data["failure"]
        return cls(
            failure=Failure(**failure) if failure else None,
            steps=data["steps"],
            backwards=data["backwards"],
            piled_up=data["piled_up"],
            state_lost=data["state_lost"],
            clip_used=data["clip_used"],
            batches_lost=data["batches_lost"],
            places=data["places"],
            rates=data["rates"],
            gradients=data["gradients"],
            instances=[Instance(**instance) for instance in data["instances"]],
            tensors=[TensorFate(**tensor) for tensor in data["tensors"]],
        )

    def name_of(self, tensor: int) -> str:
        """A path for messages: the shortest, from a class of the program if there is one."""
        names = [
            (not instance.own, path.count("."), f"{instance.cls}.{path}")
            for instance in self.instances
            for path, index in instance.tensors.items()
            if index == tensor
        ]
        return min(names)[-1] if names else "a tensor of the optimizer"
