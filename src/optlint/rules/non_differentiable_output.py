"""OPT402: an operation without a gradient stands between the parameters and the loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import regex
from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.cuts import CutOff
    from optlint.semantics.questions.fruitless import Fruitless

_RAISES = "`backward()` raises `RuntimeError: element 0 of tensors does not require grad`"
_ROUNDING = regex(r"^\.?(?:round|floor|ceil|trunc|fix|sign|sgn)_?\b")
_SAMPLING = regex(r"sample|multinomial|bernoulli|poisson")
_CHOOSING = regex(r"arg(?:max|min|sort)|max|min|topk|sort|kthvalue|mode|median")
_COMPARING = regex(r"^(?:[=!<>]=?|.*(?:eq|ne|gt|ge|lt|le|equal|greater|less)\()")
_CASTING = regex(r"^\.(?:long|int|short|char|byte|bool|to|type)\(")


class NonDifferentiableOutput(Rule):
    """The loss depends on the parameters only through an operation that has no useful gradient.

    The index of a maximum, a comparison (an accuracy taken for a loss), a cast to integers, a one-hot code or a sample
    has none at all. Rounding, signs and random bits give zeros. A straight-through estimator, a relaxation such as
    `gumbel_softmax`, or the log-probability of a sample leaves another way open, and is none.
    """

    code = "OPT402"
    name = "non-differentiable-output"
    at_run_time = """\
An index, a comparison, a cast or a sample is no part of the graph. Where the whole loss is made of such, `backward()`
raises `RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn`; where other parameters
train, those before the operation keep `.grad` None, silently. `round`, `sign`, `floor`, `ceil`, `trunc` and `bernoulli`
are part of the graph and hand back zeros: nothing is raised, SGD and Adam change nothing, and AdamW only decays the
weights."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 3)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    target = torch.randint(0, 3, (8,))
    prediction = model(x).argmax(1)
    loss = (prediction != target).float().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    good = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 3)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    target = torch.randint(0, 3, (8,))
    scores = model(x)
    loss = nn.functional.cross_entropy(scores, target)
    error_rate = (scores.argmax(1) != target).float().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(error_rate)
"""
    silent = (
        "gradient reaches the parameter by any other way, such as a straight-through estimator's",
        "the result is a metric, a mask, an index or a target beside the loss",
        "the operation is one of the user's own `autograd.Function`: that is [OPT405](function-without-gradient.md)",
        "the parameter is frozen, pretrained, loaded, or updated by hand",
    )
    misses = ("a factor that is zero at run time only, a dead ReLU, a softmax over one class",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each operation that stands in the way."""
        from optlint.semantics.questions.cuts import cut_off
        from optlint.semantics.questions.fruitless import fruitless

        for fact in run.ask(fruitless):
            if fact.kind == "non-differentiable":
                yield self._whole(fact)
        for cut in run.ask(cut_off):
            if cut.kind in ("non-differentiable", "cast", "zero-gradient"):
                yield self._partly(cut)

    def _whole(self, fact: Fruitless) -> Finding:
        assert fact.cut is not None
        text = fact.cut.text
        return self.finding(
            fact.cut.site,
            message=f"`{text}` has no gradient, and the loss depends on the model in no other way: {_RAISES}",
            help=_help(text, True),
            related=(fact.site.related("the backward pass"),),
        )

    def _partly(self, cut: CutOff) -> Finding:
        names = ", ".join(f"`{name}`" for name in cut.names[:3])
        if len(cut.names) > 3:
            names += f" and {len(cut.names) - 3} more"
        many = len(cut.names) > 1
        names += f" of `{cut.models[0]}`" if len(cut.models) == 1 else ""
        if cut.kind == "zero-gradient":
            what = f"{cut.text} hands back zeros for a gradient"
            follows = f"{'learn' if many else 'learns'} nothing, and nothing is raised"
        else:
            what = f"{cut.text} has no gradient"
            follows = f"{'get' if many else 'gets'} none"
        related = () if cut.backward is None else (cut.backward.related("the backward pass"),)
        return self.finding(
            cut.site,
            message=f"{what}, and there is no other way from {names} to the loss: {'they' if many else 'it'} {follows}",
            help=_help(cut.text.strip("`"), cut.whole),
            related=related,
        )


def _help(operation: str, whole: bool) -> str:
    """What to write in place of an operation."""
    if _ROUNDING.match(operation):
        return f"let gradient past it (straight through): `x + (f(x) - x).detach()` with `{operation}` as `f`"
    if _SAMPLING.search(operation):
        return "train on the sample's log-probability, `dist.log_prob(sample)`, or draw it with `rsample()`"
    if _CHOOSING.search(operation) and whole:
        return "compute the loss from the scores themselves, as `F.cross_entropy(scores, target)` does"
    if _CHOOSING.search(operation):
        return "use the scores, a softmax of them or `F.gumbel_softmax(scores, hard=True)` in its place"
    if _CASTING.match(operation):
        return "leave out the cast; cast the target in its place"
    if _COMPARING.match(operation) and whole:
        return "keep it as a metric, and train on a loss that is smooth in the scores, as cross-entropy is"
    return "compute the loss from what goes into it"
