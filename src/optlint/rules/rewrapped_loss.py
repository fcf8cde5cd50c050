"""OPT404: the loss, or a term of it, is put into a new tensor, and backward is taken of that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.rewrapped import Rewrapped

#: What stands in a message at full length; longer code is named by its first word.
_SHORT = 60


class RewrappedLoss(Rule):
    """The loss is copied into a new tensor, and the backward pass ends at the copy.

    `torch.tensor(loss, requires_grad=True)`, `Variable(loss.data, requires_grad=True)`,
    `loss.detach().requires_grad_()`, `nn.Parameter(loss)`, and `loss.requires_grad = True` on a number without a
    gradient make the message "element 0 of tensors does not require grad" go away. They bring no gradient: a copy is a
    leaf of a graph of its own. The same holds of a term that is copied and then added to a loss.
    """

    code = "OPT404"
    name = "rewrapped-loss"
    at_run_time = """\
Nothing is raised. The gradient of the loss with respect to its copy is computed, and the pass is over: `.grad` of every
parameter stays None and `optimizer.step()` leaves it as it was. A term that is copied trains nothing, while the others
do. Without `requires_grad=True` a copied loss raises in `backward()`: "element 0 of tensors does not require grad and
does not have a grad_fn". `loss.requires_grad = True` on a loss that has a gradient raises: "you can only change
requires_grad flags of leaf variables"; `loss.requires_grad_()` does nothing there."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    optimizer.zero_grad()
    loss = model(x).pow(2).mean()
    loss = torch.tensor(loss.item(), requires_grad=True)
    loss.backward()
    optimizer.step()
"""
    good = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(10, 8, 4):
    optimizer.zero_grad()
    loss = model(x).pow(2).mean()
    loss.backward()
    optimizer.step()
"""
    silent = (
        "the gradient of the copy is read, the copy is in an optimizer or has a hook: inputs that are optimised, "
        "adversarial examples, a backward pass that is split by hand",
        "copies that are multiplied with something that has a gradient: weights, rewards, advantages",
        "constants and sums that begin with one (`torch.tensor(0.0, requires_grad=True)`)",
    )
    misses = (
        "a copy that is scaled by something that is not known before it is added to the loss",
        "a term that is copied without `requires_grad=True` while other terms train the same parameters",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each copy that a backward pass ends at."""
        from optlint.semantics.questions.rewrapped import rewrapped

        for fact in run.ask(rewrapped):
            related = [fact.backward.related("the backward pass begins here")]
            if fact.lost is not None:
                related.append(fact.lost.site.related("the gradient was lost here"))
            yield self.finding(fact.site, message=_message(fact), help=_help(fact), related=tuple(related))


def _message(fact: Rewrapped) -> str:
    from optlint.semantics.questions.rewrapped import EITHER, NO_GRAD, REFUSED

    code = _code(fact)
    number = f"`{fact.number}`" if fact.number else "it"
    if fact.effect == REFUSED:
        return (
            f"`{code}` raises RuntimeError: you can only change requires_grad flags of leaf variables; {number} has "
            "a gradient without it"
        )
    if fact.effect == EITHER:
        return (
            f"`{code}` cannot help: it raises RuntimeError if {number} has a gradient, and brings none if it has not; "
            "then `backward()` ends there and nothing trains"
        )
    if fact.effect == NO_GRAD:
        return (
            f"`{code}` is a new tensor without a gradient: `backward()` raises RuntimeError: element 0 of tensors "
            "does not require grad and does not have a grad_fn"
        )
    what = "is a new tensor" if fact.form in ("new", "parameter") else "only silences the error"
    if fact.whole:
        lost = "" if fact.lost is None or fact.form == "new" else ", the gradient was lost before"
        return f"`{code}` {what}{lost}: `backward()` ends there and trains nothing, without any error"
    message = f"`{code}` {what}: this term of the loss brings no gradient to what it was computed from"
    if fact.names:
        message += f"; {_listed(fact)} {'get' if len(fact.names) > 1 else 'gets'} none at all"
    return message


def _listed(fact: Rewrapped) -> str:
    names = ", ".join(f"`{name}`" for name in fact.names[:3])
    more = f" and {len(fact.names) - 3} more" if len(fact.names) > 3 else ""
    return f"{names}{more}" + (f" of `{fact.models[0]}`" if len(fact.models) == 1 else "")


def _code(fact: Rewrapped) -> str:
    code = fact.site.text()
    if fact.form == "flag":
        return f"{code} = True"
    return code if len(code) <= _SHORT else f"{code.partition('(')[0]}(…)"


def _help(fact: Rewrapped) -> str:
    from optlint.semantics.questions.rewrapped import REFUSED

    if fact.effect == REFUSED:
        return "leave the line out"
    if fact.form in ("flag", "call"):
        lost = "" if fact.lost is None else f", which `{fact.lost.site.text()[:_SHORT]}` cut off"
        return f"leave it out and compute the loss from the model's output with its gradient{lost}"
    if fact.number:
        target = "call `backward()` of" if fact.whole else "add"
        return (
            f"{target} `{fact.number}` itself, as it was computed, without `.item()`, `.data` or a new tensor"
        )
    return "compute the loss from the tensors themselves: a new tensor has no history"
