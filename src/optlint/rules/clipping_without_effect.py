"""OPT508: gradients are clipped where no step uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.clipping import VainClip


class ClippingWithoutEffect(Rule):
    """Gradients are clipped at a time or place where no step profits from it.

    After `step()` has used them, before `backward()` has computed them, while a `GradScaler` has them multiplied by its
    factor; those of another network than the one that is stepped; or not at all, because what is clipped are values,
    losses or the gradients themselves in place of the parameters, or the result is dropped.
    """

    code = "OPT508"
    name = "clipping-without-effect"
    severity = Severity.WARNING
    at_run_time = """\
Nothing is raised. `clip_grad_norm_` scales what is in `.grad` when it is called. After the step that is of no use any
more; before the backward pass there is nothing (`clip_grad_norm_` returns 0.0; `clip_grad_value_` raises RuntimeError
when all gradients are None). Before `scaler.unscale_(optimizer)` the gradients are 65536 times too large, at first, and
are clipped to a norm that is as many times too small once the scaler has divided them. Tensors that have no `.grad`
(`p.data`, `p.grad`, a loss, the values of a state dict) give 0.0 and change nothing. A training that clipping was to
keep stable explodes all the same."""
    bad = """\
import torch
from torch import nn, optim

model = nn.LSTM(4, 8)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 5, 8, 4):
    optimizer.zero_grad()
    loss = model(x)[0].pow(2).mean()
    loss.backward()
    optimizer.step()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
"""
    good = """\
import torch
from torch import nn, optim

model = nn.LSTM(4, 8)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 5, 8, 4):
    optimizer.zero_grad()
    loss = model(x)[0].pow(2).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
"""
    silent = (
        "the norm is asked for with a bound that nothing exceeds (`float('inf')`)",
        "some way leads from the clipping to a step that uses the gradients: accumulation, branches, hooks, closures",
        "what is clipped, or who steps it, is not known",
        "an iterator that is used up: OPT103 tells of it",
    )
    misses = (
        "weights that are clipped in the place of gradients (`p.data.clamp_`): a Wasserstein critic wants that",
        "functions that take the model and the optimizer as arguments and that nothing in the project calls",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each call that clips in vain."""
        from optlint.semantics.questions.clipping import vain_clips

        for fact in run.ask(vain_clips):
            message, help_ = _TEXTS[fact.kind](fact)
            related = () if fact.place is None else (fact.place.related(_PLACES[fact.kind]),)
            yield self.finding(fact.site, message=message, help=help_, related=related)


_PLACES = {
    "after": "this step has used them already",
    "before": "the gradients are computed here",
    "scaled": "they are unscaled here, after the clipping",
    "foreign": "this step uses other gradients",
    "gradless": "this step uses other gradients",
}


def _after(fact: VainClip) -> tuple[str, str]:
    return (
        f"the gradients are clipped after `{fact.optimizer}` has stepped with them: no step is clipped",
        f"clip between `backward()` and `{fact.optimizer}.step()`",
    )


def _before(fact: VainClip) -> tuple[str, str]:
    effect = _raises(fact) if fact.raises else "no step is clipped"
    return (
        f"the gradients are clipped before `backward()` computes them: {effect}",
        f"clip between `backward()` and `{fact.optimizer}.step()`",
    )


def _scaled(fact: VainClip) -> tuple[str, str]:
    return (
        "the gradients are still multiplied by the scaler's factor (65536 at first): after unscaling they are that "
        "many times smaller than the bound",
        f"unscale them first: `scaler.unscale_({fact.optimizer})`",
    )


def _foreign(fact: VainClip) -> tuple[str, str]:
    whose = f"of `{fact.model}`" if fact.model else "of another network"
    return (
        f"this clips the gradients {whose}, which are cleared before their own step: `{fact.optimizer}` steps here, "
        "with others",
        f"clip the parameters that `{fact.optimizer}` holds",
    )


def _gradless(fact: VainClip) -> tuple[str, str]:
    what = f"`{fact.model}`" if fact.model else "this network"
    effect = _raises(fact) if fact.raises else "this clips nothing"
    return (
        f"no loss reaches {what}, its parameters have no gradients: {effect}, and `{fact.optimizer}` steps unclipped",
        f"clip the parameters that `{fact.optimizer}` holds",
    )


def _data(fact: VainClip) -> tuple[str, str]:
    effect = _raises(fact) if fact.raises else "it clips nothing and returns 0.0"
    return (
        f"`{fact.by}` looks for the `.grad` of what it is given, and these tensors have none: {effect}",
        "give it the parameters: `model.parameters()`",
    )


def _dropped(fact: VainClip) -> tuple[str, str]:
    return (
        f"`{fact.by}` gives a clipped copy, which is dropped: the gradients stay as they are",
        f"clip in place: `{fact.by}_`",
    )


def _uncalled(fact: VainClip) -> tuple[str, str]:
    return (
        f"`{fact.by}` is named and not called: nothing is clipped",
        f"call it: `{fact.by}(model.parameters(), max_norm)`",
    )


def _raises(fact: VainClip) -> str:
    return f"`{fact.by}` raises RuntimeError when it finds none"


_TEXTS: dict[str, Callable[[VainClip], tuple[str, str]]] = {
    "after": _after,
    "before": _before,
    "scaled": _scaled,
    "foreign": _foreign,
    "gradless": _gradless,
    "data": _data,
    "dropped": _dropped,
    "uncalled": _uncalled,
}
