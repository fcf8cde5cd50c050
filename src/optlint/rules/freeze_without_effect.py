"""OPT303: freezing, or unfreezing, that sets something nobody reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Fix, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.missed_freezing import MissedFreezing


class FreezeWithoutEffect(Rule):
    """Parameters are meant to be frozen (or unfrozen), and what is written changes no parameter.

    `requires_grad` set on a module instead of its parameters, a misspelt flag, Keras's `trainable` on a torch module,
    `requires_grad` on a Keras layer, a comparison in place of an assignment, a test of names that none passes: each is
    accepted without a word.
    """

    code = "OPT303"
    name = "freeze-without-effect"
    severity = Severity.WARNING
    frameworks = ("PyTorch", "Keras")
    at_run_time = """\
`model.requires_grad = False` makes a Python attribute of that name on the module; no parameter changes, every layer
still trains, and nothing is raised. So it is with `for child in model.children(): child.requires_grad = False`,
`p.require_grad = False`, `p.trainable = False`, `p.requires_grad_ = False` (which overwrites the method),
`p.requires_grad == False`, and a loop over `state_dict()`, whose tensors are copies. In Keras `layer.requires_grad`
and `layer.trainble` are new attributes too, and the layer trains on. What works is `module.requires_grad_(False)`,
`p.requires_grad = False` on each parameter, and in Keras `layer.trainable = False`."""
    bad = """\
from torch import nn, optim

model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
model[0].requires_grad = False
optimizer = optim.SGD(model.parameters(), lr=0.01)
"""
    good = """\
from torch import nn, optim

model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
model[0].requires_grad_(False)
optimizer = optim.SGD(model.parameters(), lr=0.01)
"""
    silent = (
        "the class defines the attribute or reads it, or some code looks for it by name",
        "the parameters are frozen in another way, before or after",
        "nothing that is concerned has parameters",
    )
    misses = (
        "`model.eval()` where freezing was meant",
        "tests of names that come from a configuration, or that many a model does not have (`bn`, `norm`)",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each setting without effect."""
        from optlint.semantics.questions.missed_freezing import missed_freezing

        for fact in run.ask(missed_freezing):
            yield self.finding(
                fact.site,
                message=_message(fact),
                help=_help(fact),
                fix=_fix(fact),
                related=tuple(built.site.related("this optimizer holds it") for built in fact.trained[:2]),
            )


def _fix(fact: MissedFreezing) -> Fix | None:
    """The line that the author meant."""
    from optlint.semantics import repairs

    if fact.wanted is None:
        return None
    meant = {
        "module": f"{fact.target}.requires_grad_({fact.wanted})",
        "method": f"{fact.target}.requires_grad_({fact.wanted})",
        "tensor": f"{fact.target}.requires_grad = {fact.wanted}",
        "comparison": f"{fact.target}.{fact.name} = {fact.wanted}",
    }.get(fact.how)
    return (
        None if meant is None else repairs.assignment_replaced(fact.site, meant, "Set the flag that counts")
    )


def _message(fact: MissedFreezing) -> str:
    if fact.how == "names":
        return f"no parameter passes `{fact.target}`: nothing is frozen, and all of it still trains"
    what = f"`{fact.target}.{fact.name}`"
    effect = "stays frozen" if fact.wanted is True else "still trains"
    if fact.how == "module":
        return f"{what} is an attribute that torch never reads on a module: `{fact.target}` {effect}"
    if fact.how == "tensor":
        return f"{what} is no flag of tensors, setting it changes nothing: `{fact.target}` {effect}"
    if fact.how == "copy":
        return f"`{fact.target}` is a copy from `state_dict()`: the parameter of the model {effect}"
    if fact.how == "keras":
        return f"{what} is an attribute that Keras never reads: `{fact.target}` {effect}"
    if fact.how == "method":
        return f"{what} is a method, and this overwrites it instead of calling it: `{fact.target}` {effect}"
    if fact.how == "comparison":
        return f"this compares {what} and sets nothing: `{fact.target}` {effect}"
    return f"{what} is a method that is not called here: `{fact.target}` {effect}"


def _help(fact: MissedFreezing) -> str:
    if fact.how == "names":
        return f"compare with the names that `named_parameters()` gives: {fact.name}"
    wanted = "<flag>" if fact.wanted is None else str(fact.wanted)
    if fact.how == "reference" and fact.wanted is None:
        wanted = "False"
    if fact.how == "keras":
        return f"Keras's flag is `{fact.target}.trainable = {wanted}`, set before `compile()`"
    if fact.how == "copy":
        return "loop over `named_parameters()`, which gives the parameters themselves"
    if fact.how == "comparison":
        return f"one equals sign: `{fact.target}.{fact.name} = {wanted}`"
    if fact.how == "tensor":
        return f"write `{fact.target}.requires_grad = {wanted}`"
    return f"call the method: `{fact.target}.requires_grad_({wanted})`"
