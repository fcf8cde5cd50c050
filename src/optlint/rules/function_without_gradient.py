"""OPT405: a custom autograd.Function lets no gradient through, or makes the backward pass raise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.faulty_functions import FaultyFunction


class FunctionWithoutGradient(Rule):
    """A custom `torch.autograd.Function` whose `backward` gives no gradient to parameters that should train.

    It returns None or zeros for an input that carries gradient, has no `return` at all, or marks every output as
    non-differentiable; or torch raises in the backward pass: there is no `backward`, it takes or returns the wrong
    number of gradients, or returns a number where a tensor should be. Calling an object of the class in place of
    `apply` raises at once.
    """

    code = "OPT405"
    name = "function-without-gradient"
    at_run_time = """\
None for an input is silent: everything before the call has `.grad` None and keeps its initial values, while what comes
after it trains. Zeros are as silent, and AdamW still decays the weights. No `backward`: `NotImplementedError: You must
implement either the backward or vjp method for your custom autograd.Function to use it with backward mode AD`. The wrong
number: `RuntimeError: function RoundBackward returned an incorrect number of gradients (expected 2, got 1)`; more than
there are inputs is fine if the rest is None. `Round()(x)`: `RuntimeError: Legacy autograd function with non-static
forward method is deprecated`."""
    bad = """\
import torch
from torch import nn, optim


class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, grad_output):
        return None


encoder, head = nn.Linear(4, 3), nn.Linear(3, 1)
optimizer = optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)
for x in torch.randn(10, 8, 4):
    loss = head(Round.apply(encoder(x))).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    good = """\
import torch
from torch import nn, optim


class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


encoder, head = nn.Linear(4, 3), nn.Linear(3, 1)
optimizer = optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)
for x in torch.randn(10, 8, 4):
    loss = head(Round.apply(encoder(x))).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    silent = (
        "None for an input that needs no gradient: data, a number, a mask, a frozen weight",
        "gradient reaches the parameters by another way, or on some way through `backward`",
        "no backward pass goes through the call: inference, evaluation, `no_grad`",
        "`backward` raises on purpose, takes gradients itself, or cannot be followed to its end",
    )
    misses = (
        "a gradient of the wrong shape, or a wrong one",
        "a missing `backward` beside another way for the same parameters, as in `x + Round.apply(x)`",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each Function to change, and for each call that torch refuses."""
        from optlint.semantics.questions.faulty_functions import faulty_functions

        for fact in run.ask(faulty_functions):
            related = []
            if fact.applied is not None:
                related.append(fact.applied.related("it is applied here"))
            if fact.backward is not None:
                related.append(fact.backward.related("the backward pass"))
            yield self.finding(
                fact.site, message=_MESSAGES[fact.fault](fact), help=_help(fact), related=tuple(related)
            )


def _parameters(fact: FaultyFunction) -> str:
    if not fact.parameters:
        return "every parameter before it"
    names = ", ".join(f"`{name}`" for name in fact.parameters[:3])
    if len(fact.parameters) > 3:
        names += f" and {len(fact.parameters) - 3} more"
    return names + (f" of `{fact.models[0]}`" if len(fact.models) == 1 else "")


def _inputs(fact: FaultyFunction) -> str:
    return f" for {', '.join(f'`{name}`' for name in fact.inputs)}" if fact.inputs else ""


def _untrained(fact: FaultyFunction) -> str:
    verb = "get" if len(fact.parameters) > 1 else "gets"
    return f"{_parameters(fact)} {verb} no gradient, and nothing is raised"


def _missing(fact: FaultyFunction) -> str:
    return (
        f"`{fact.name}` has no `backward`: the backward pass raises `NotImplementedError: You must implement either "
        "the backward or vjp method`"
    )


def _count(fact: FaultyFunction) -> str:
    gradients = "1 gradient" if fact.got == "1" else f"{fact.got} gradients"
    inputs = "its 1 input" if fact.expected == 1 else f"its {fact.expected} inputs"
    return (
        f"`{fact.name}.backward` returns {gradients} for {inputs}: the backward pass raises `RuntimeError: … returned "
        f"an incorrect number of gradients (expected {fact.expected}, got {fact.got})`"
    )


def _arguments(fact: FaultyFunction) -> str:
    outputs = "1 output" if fact.expected == 1 else f"{fact.expected} outputs"
    return (
        f"`forward` has {outputs}, and `{fact.name}.backward` cannot take as many gradients: the backward pass raises "
        f"`TypeError: {fact.name}.backward() {fact.got}`"
    )


def _type(fact: FaultyFunction) -> str:
    what = "a list" if fact.got == "list" else "a number"
    return (
        f"`{fact.name}.backward` returns {what} for a gradient: the backward pass raises `RuntimeError: expected "
        f"Variable or None (got {fact.got})`"
    )


def _not_a_tensor(fact: FaultyFunction) -> str:
    return (
        f"`{fact.name}.backward` returns a gradient{_inputs(fact)}, which is no tensor: the backward pass raises "
        f"`RuntimeError: … returned a gradient different than None at position {fact.got}`"
    )


def _nothing(fact: FaultyFunction) -> str:
    return f"`{fact.name}.backward` returns None{_inputs(fact)}: {_untrained(fact)}"


def _silent(fact: FaultyFunction) -> str:
    return f"`{fact.name}.backward` has no `return`: {_untrained(fact)}"


def _zeros(fact: FaultyFunction) -> str:
    verb = "learn" if len(fact.parameters) > 1 else "learns"
    return f"`{fact.name}.backward` returns zeros{_inputs(fact)}: {_parameters(fact)} {verb} nothing"


def _marked(fact: FaultyFunction) -> str:
    follows = "`backward()` raises `RuntimeError: element 0 of tensors does not require grad`"
    return (
        f"`{fact.name}.forward` marks all that it returns as non-differentiable: "
        f"{follows if fact.whole and not fact.parameters else _untrained(fact)}"
    )


def _called(fact: FaultyFunction) -> str:
    return (
        f"an object of `{fact.name}` is called: torch raises `RuntimeError: Legacy autograd function with non-static "
        "forward method is deprecated`"
    )


_MESSAGES = {
    "missing": _missing,
    "count": _count,
    "arguments": _arguments,
    "type": _type,
    "not a tensor": _not_a_tensor,
    "nothing": _nothing,
    "silent": _silent,
    "zeros": _zeros,
    "marked": _marked,
    "called": _called,
}


def _help(fact: FaultyFunction) -> str:
    """What to write in its place."""
    if fact.fault == "called":
        return f"call `{fact.name}.apply(…)`, with `forward` and `backward` as static methods that take `ctx`"
    if fact.fault == "missing":
        return f"write `@staticmethod def backward(ctx, grad_output)` in `{fact.name}`, one gradient for each input"
    if fact.fault == "count":
        return f"return a tuple of {fact.expected}, a gradient or None for each input of `apply`, in order"
    if fact.fault == "arguments":
        return "write `@staticmethod def backward(ctx, grad_output)`, with a gradient for each output of `forward`"
    if fact.fault == "type":
        return "return a tuple, with a tensor for each input that trains and None for the others"
    if fact.fault == "not a tensor":
        return "return None for an input that is no tensor"
    if fact.fault == "marked":
        return "leave out `mark_non_differentiable`, which is for indices and masks"
    where = f" of `{fact.inputs[0]}`" if fact.inputs else ""
    return f"return the gradient{where}; `grad_output` itself passes it straight through"
