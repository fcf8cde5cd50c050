"""OPT511: the closure of `optimizer.step` is missing, called too early, or does not compute what is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.closures import ClosureFault


class ClosureMisused(Rule):
    """The closure that an optimizer is stepped with is missing or wrong.

    `LBFGS` evaluates the loss several times in one step, so it needs a function that clears the gradients, runs the
    model, takes the backward pass and returns the loss. Here that function is not given, is called in place of given,
    takes no gradient, clears none, returns nothing, or leaves the forward pass outside. Lightning hands its training
    step to `optimizer_step` in such a closure, too.
    """

    code = "OPT511"
    name = "closure-misused"
    frameworks = ("PyTorch", "Lightning")
    at_run_time = """\
`LBFGS.step()` raises `TypeError: LBFGS.step() missing 1 required positional argument: 'closure'`; with a closure that
returns None `TypeError: float() argument must be a string or a real number, not 'NoneType'`. `step(closure())` and
`step(loss)` raise `TypeError: 'Tensor' object is not callable` with every optimizer. Without `backward()` in it nothing
updates, and without `zero_grad()` the gradients of all evaluations add up, both silently. With the forward pass outside,
the second evaluation raises `RuntimeError: Trying to backward through the graph a second time`. An enabled `GradScaler`
refuses `closure=`. A Lightning module whose `optimizer_step` drops the closure never runs its training step, and
Lightning raises `MisconfigurationException: The closure hasn't been executed`."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 1)
optimizer = optim.LBFGS(model.parameters(), lr=0.1)
x, y = torch.randn(8, 4), torch.randn(8, 1)
for _ in range(10):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
"""
    good = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 1)
optimizer = optim.LBFGS(model.parameters(), lr=0.1)
x, y = torch.randn(8, 4), torch.randn(8, 1)


def closure():
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    return loss


for _ in range(10):
    optimizer.step(closure)
"""
    silent = (
        "an optimizer of the user's own or of another library steps with its closure in its own way (SAM)",
        "the gradients come from elsewhere: taken before the step, written by hand, cleared by a helper",
        "`LBFGS(…, max_iter=1)` evaluates once: the forward pass and the clearing may stand outside",
        "SGD, Adam and the like call a closure once: where gradients are cleared around the step is "
        "[OPT503](gradients-never-cleared.md)'s matter",
    )
    misses = ("an optimizer that comes from outside or out of a configuration",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each place to change."""
        from optlint.semantics.questions.closures import closure_faults

        for fact in run.ask(closure_faults):
            message, help_ = _words(fact)
            apart = fact.step is not None and fact.step != fact.site
            related = (
                (fact.step.related("it is given to this step"),) if apart and fact.step is not None else ()
            )
            yield self.finding(fact.site, message=message, help=help_, related=related)


def _words(fact: ClosureFault) -> tuple[str, str]:
    """What happens, and what to write instead."""
    name = "the lambda" if fact.name == "the lambda" else f"`{fact.name}`"
    optimizer = fact.subject.cls_name if fact.subject is not None else "optimizer"
    if fact.fault == "missing":
        return (
            f"`{optimizer}` needs a closure: `step()` raises `TypeError: LBFGS.step() missing 1 required positional "
            "argument: 'closure'`",
            "write a function that clears the gradients, computes the loss, calls `backward()` and returns the loss, "
            "and pass it: `optimizer.step(closure)`",
        )
    if fact.fault == "called":
        return (
            f"`step` is given a result, not a function: it raises `TypeError: '{fact.got}' object is not callable`",
            "pass the function itself, `optimizer.step(closure)`, or nothing where `backward()` was called before",
        )
    if fact.fault == "none":
        return (
            f"{name} returns None, and `{optimizer}.step` needs the loss: `TypeError: float() argument must be a "
            "string or a real number, not 'NoneType'`",
            "end it with `return loss`",
        )
    if fact.fault == "no backward":
        return (
            f"{name} computes the loss and takes no gradient of it: `{optimizer}.step` changes nothing, and nothing is "
            "raised",
            "call `loss.backward()` before it returns the loss",
        )
    if fact.fault == "not cleared":
        return (
            f"{name} never clears the gradients: `{optimizer}` calls it several times in a step, and they add up",
            f"begin {name} with `optimizer.zero_grad()`",
        )
    if fact.fault == "graph":
        return (
            f"{name} takes the backward pass of a forward pass outside of it: when `{optimizer}` calls it again, it "
            "raises `RuntimeError: Trying to backward through the graph a second time`",
            f"compute the model's output and the loss in {name}",
        )
    if fact.fault == "scaler":
        return (
            "an enabled `GradScaler` takes no closure: `RuntimeError: Closure use is not currently supported if "
            "GradScaler is enabled`",
            "scale, take the backward pass and clear in the loop, and step without a closure",
        )
    return (
        f"`optimizer_step` drops `{fact.name}`, in which the training step runs: nothing trains, and Lightning raises "
        "`MisconfigurationException: The closure hasn't been executed`",
        f"pass it on: `optimizer.step(closure={fact.name})`",
    )
