"""OPT403: the forward pass or the loss of a training step is computed with gradients turned off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.site import Site


class TrainingWithoutGrad(Rule):
    """The loss of a training step is computed while gradients are turned off.

    `torch.no_grad()`, `torch.inference_mode()` or `torch.set_grad_enabled(False)` covers the model's forward pass or
    the loss: as a context, as a decorator of a function or method that the training loop calls, or as a switch that
    stays off.
    """

    code = "OPT403"
    name = "training-without-grad"
    at_run_time = """\
Nothing that is computed without gradients has a `grad_fn`, so `backward()` raises `RuntimeError: element 0 of tensors
does not require grad and does not have a grad_fn`. It makes no difference whether the context covers the whole step, the
forward pass, the last layer or the loss only, or whether the decorator is written with parentheses. Around `backward()`
and `step()` alone it is harmless."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)


@torch.no_grad()
def train_step(x, y):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


for _ in range(10):
    train_step(torch.randn(8, 4), torch.randint(0, 2, (8,)))
"""
    good = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)


def train_step(x, y):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@torch.no_grad()
def accuracy(x, y):
    return (model(x).argmax(1) == y).float().mean().item()


for _ in range(10):
    x, y = torch.randn(8, 4), torch.randint(0, 2, (8,))
    train_step(x, y)
    print(accuracy(x, y))
"""
    silent = (
        "gradients are off around `backward()` and `step()` only, which trains",
        "`torch.enable_grad()` turns them on again for the forward pass",
        "`set_grad_enabled(phase == 'train')`: off where nothing is trained",
        "only a part of the model runs without gradients: that is [OPT401](detached-parameter.md)",
        "whether the backward pass runs depends on a condition that is not known",
    )
    misses = ("a context manager of the program's own that turns gradients off around its `yield`",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each place that turns gradients off for a training step."""
        from optlint.semantics.questions.cuts import cut_off
        from optlint.semantics.questions.fruitless import fruitless

        for fact in run.ask(fruitless):
            if fact.kind == "no_grad" and fact.cut is not None:
                worded = self._made_anew if fact.again and not fact.leaves else self._worded
                yield worded(fact.cut.site, fact.cut.text, fact.site)
        for cut in run.ask(cut_off):
            if cut.kind == "no_grad" and cut.whole and cut.backward is not None:
                yield self._worded(cut.site, cut.text.strip("`"), cut.backward)

    def _made_anew(self, site: Site, mode: str, backward: Site) -> Finding:
        """A weight that is updated by hand, ``w = w - lr * w.grad``, is a new tensor without a gradient."""
        return self.finding(
            site,
            message=(
                f"what is assigned under `{mode}` is a new tensor, which wants no gradient: in the next round "
                "`backward()` raises `RuntimeError: element 0 of tensors does not require grad`"
            ),
            help="change the tensor in place: `w -= lr * w.grad` in place of `w = w - lr * w.grad`",
            related=(backward.related("the backward pass"),),
        )

    def _worded(self, site: Site, mode: str, backward: Site) -> Finding:
        if site.text().startswith("@"):
            help_ = f"leave out `@{mode}`: it is for functions that only evaluate"
        elif mode.startswith("torch.set_grad_enabled"):
            help_ = "turn gradients on before the forward pass: `torch.set_grad_enabled(True)`"
        else:
            help_ = f"move the forward pass and the loss out of `{mode}`"
        return self.finding(
            site,
            message=(
                f"the loss is computed under `{mode}` and has nothing to differentiate: `backward()` raises "
                "`RuntimeError: element 0 of tensors does not require grad`"
            ),
            help=help_,
            related=(backward.related("the backward pass"),),
        )
