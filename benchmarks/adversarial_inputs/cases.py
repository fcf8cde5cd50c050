"""What a case is: a kind of program that can be made at any size, entered into a list by its maker.

The modules beside this one hold the makers. Nothing here knows optlint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

Files = dict[str, str]
"""What lies in the folder of one program, by name."""

MAIN = "main.py"

HEAD = """\
import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(F.relu(self.fc(x)))


"""
#: Ends each program: a correct training loop with the model ``model``.
TAIL = """
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x, y in loader:
    optimizer.zero_grad()
    F.mse_loss(model(x), y).backward()
    optimizer.step()
"""


@dataclass(frozen=True)
class Case:
    """One kind of program. ``sizes`` are measured, each twice the one before; ``unit`` is what they count."""

    name: str
    unit: str
    sizes: tuple[int, ...]
    make: Callable[[int], Files]


CASES: list[Case] = []


def case(unit: str, largest: int) -> Callable[[Callable[[int], str | Files]], Callable[[int], str | Files]]:
    """Enter a maker of programs into ``CASES``, to be measured at the largest size and three halvings of it."""

    def enter(make: Callable[[int], str | Files]) -> Callable[[int], str | Files]:
        def files(size: int) -> Files:
            made = make(size)
            return {MAIN: made} if isinstance(made, str) else made

        sizes = tuple(max(1, largest // part) for part in (8, 4, 2, 1))
        CASES.append(Case(make.__name__.replace("_", " "), unit, sizes, files))
        return make

    return enter


def lines(lines: Iterable[str]) -> str:
    return "".join(line + "\n" for line in lines)


def function(body: Iterable[str]) -> str:
    """A training function with ``body`` before its loss, called at the end."""
    return (
        HEAD
        + "def train(model, optimizer, x, y):\n    out = model(x)\n    total = 0\n"
        + lines("    " + line for line in body)
        + "    loss = F.mse_loss(out, y)\n    loss.backward()\n    optimizer.step()\n\n\n"
        + "model = Net()\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        + "for x, y in loader:\n    optimizer.zero_grad()\n    train(model, optimizer, x, y)\n"
    )
