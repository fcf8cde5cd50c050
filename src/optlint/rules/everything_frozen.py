"""OPT301: everything that an optimizer holds, or is filtered from, has been frozen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Related
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.frozen import FrozenTraining


class EverythingFrozen(Rule):
    """Every parameter of a model is frozen, and the model is trained.

    A loop over `model.parameters()`, `requires_grad_(False)`, a helper or a test of names freezes the new head together
    with the backbone. Nothing is left to train: for the backward pass, for an optimizer that holds all parameters, or
    for one that takes those with `requires_grad`.
    """

    code = "OPT301"
    name = "everything-frozen"
    at_run_time = """\
`optim.SGD(model.parameters())` is built without complaint. `loss.backward()` then raises `RuntimeError: element 0 of
tensors does not require grad and does not have a grad_fn`. When something else behind the loss requires grad (the
input, another network) nothing is raised, every `.grad` stays None and `step()` changes nothing, with any optimizer.
`optim.SGD(p for p in model.parameters() if p.requires_grad)` raises `ValueError: optimizer got an empty parameter
list`; as a param group the same filter is accepted, and nothing ever trains."""
    bad = """\
import torch
from torch import nn, optim


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.backbone(x))


model = Classifier()
for parameter in model.parameters():
    parameter.requires_grad = False
optimizer = optim.SGD(model.parameters(), lr=0.01)

loss = nn.functional.cross_entropy(model(torch.randn(4, 8)), torch.tensor([0, 1, 2, 0]))
loss.backward()
optimizer.step()
"""
    good = """\
import torch
from torch import nn, optim


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.backbone(x))


model = Classifier()
for parameter in model.backbone.parameters():
    parameter.requires_grad = False
optimizer = optim.SGD(model.head.parameters(), lr=0.01)

loss = nn.functional.cross_entropy(model(torch.randn(4, 8)), torch.tensor([0, 1, 2, 0]))
loss.backward()
optimizer.step()
"""
    silent = (
        "some parameter is unfrozen later, or a part is replaced after the freezing",
        "the frozen network is used beside one that trains: a teacher, a target, a loss, a discriminator in its turn",
        "inputs, latent codes, prompts or patches are what is optimised",
        "it is frozen on some path only",
    )
    misses = (
        "models of which only a part can be seen",
        "training by code that cannot be seen",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each place that freezes all that an optimizer is to train."""
        from optlint.semantics.questions.frozen import everything_frozen

        for fact in run.ask(everything_frozen):
            yield self.finding(
                fact.site, message=_message(fact), help=_help(fact), related=tuple(_related(fact))
            )


def _message(fact: FrozenTraining) -> str:
    name = fact.optimizers[0].optimizer.cls_name
    what = f"every parameter of `{fact.model}` is frozen"
    if fact.effect == "empty":
        return f"{what}, so the filter leaves nothing: `{name}` raises ValueError (empty parameter list)"
    if fact.effect == "empty-group":
        return f"{what}, so the filter leaves nothing: all groups of `{name}` are empty, and nothing trains"
    if fact.effect == "raises":
        return f"{what} when it is trained: `backward()` raises RuntimeError (nothing requires grad)"
    return f"{what} when it is trained: each `step()` of `{name}` changes nothing"


def _help(fact: FrozenTraining) -> str:
    model = fact.variable or "model"
    if fact.part is None:
        return (
            f"freeze a part only, or unfreeze what has to learn afterwards: "
            f"`{model}.<head>.requires_grad_(True)`"
        )
    return f"unfreeze what has to learn after it: `{model}.{fact.part}.requires_grad_(True)`"


def _related(fact: FrozenTraining) -> Iterator[Related]:
    for site in fact.others[:3]:
        yield site.related("the rest is frozen here")
    for built in fact.optimizers[:2]:
        text = "it is filtered for this optimizer" if fact.trained is None else "this optimizer holds it"
        yield built.site.related(text)
    if fact.trained is not None:
        yield fact.trained.related("it is trained here")
