"""OPT507: the optimizer of another network is stepped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.wrong_optimizer import WrongStep


class WrongOptimizerStepped(Rule):
    """An optimizer is stepped that holds none of the parameters which the loss reaches.

    With several networks, a line is copied and the name in it is not changed: the critic's loss is followed by the
    actor's step, the generator's by the discriminator's, the student's by the teacher's. The optimizer that holds what
    the loss reaches is never stepped for it.
    """

    code = "OPT507"
    name = "wrong-optimizer-stepped"
    at_run_time = """\
Nothing is raised. `step()` leaves parameters without a gradient as they are, so the optimizer of another network does
nothing here. The gradients that were computed stay in the network that should train, until they are cleared; its
weights keep their values. (An enabled `GradScaler` raises `AssertionError: No inf checks were recorded for this
optimizer.`)"""
    bad = """\
import torch
from torch import nn, optim

actor, critic = nn.Linear(4, 2), nn.Linear(4, 1)
actor_optimizer = optim.Adam(actor.parameters(), lr=1e-3)
critic_optimizer = optim.Adam(critic.parameters(), lr=1e-3)
for state in torch.randn(10, 8, 4):
    critic_optimizer.zero_grad()
    critic_loss = critic(state).pow(2).mean()
    critic_loss.backward()
    actor_optimizer.step()

    actor_optimizer.zero_grad()
    actor_loss = -(actor(state).log_softmax(dim=1)[:, 0] * critic(state).detach()[:, 0]).mean()
    actor_loss.backward()
    actor_optimizer.step()
"""
    good = """\
import torch
from torch import nn, optim

actor, critic = nn.Linear(4, 2), nn.Linear(4, 1)
actor_optimizer = optim.Adam(actor.parameters(), lr=1e-3)
critic_optimizer = optim.Adam(critic.parameters(), lr=1e-3)
for state in torch.randn(10, 8, 4):
    critic_optimizer.zero_grad()
    critic_loss = critic(state).pow(2).mean()
    critic_loss.backward()
    critic_optimizer.step()

    actor_optimizer.zero_grad()
    actor_loss = -(actor(state).log_softmax(dim=1)[:, 0] * critic(state).detach()[:, 0]).mean()
    actor_loss.backward()
    actor_optimizer.step()
"""
    silent = (
        "a loss that reaches further networks whose optimizers are not stepped for it: the critic behind the actor's "
        "loss, the discriminator behind the generator's",
        "the right optimizer is stepped later, before its gradients are cleared",
        "an optimizer that came in as an argument, or that code out of sight may step",
        "a network that no optimizer holds at all: OPT102 tells of it",
    )
    misses = (
        "the wrong optimizer's `zero_grad`, which is OPT503 where gradients pile up because of it",
        "functions that are handed their optimizers and that nothing in the project calls",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each optimizer in whose place another is stepped."""
        from optlint.semantics.questions.wrong_optimizer import wrong_steps

        for fact in run.ask(wrong_steps):
            yield self._finding(fact)

    def _finding(self, fact: WrongStep) -> Finding:
        whose = f" of `{fact.model}`" if fact.model else ""
        holder = f"`{fact.right}`" if fact.right != fact.stepped else f"another `{fact.right}`"
        if fact.again:
            message = (
                f"`{fact.stepped}` is stepped a second time in the place of {holder}, which is never stepped: the "
                f"parameters{whose} do not train"
            )
        else:
            message = (
                f"`{fact.stepped}` holds nothing that this loss reaches: the gradients{whose} belong to {holder}, "
                "which is not stepped for them"
            )
        return self.finding(
            fact.site,
            message=message,
            help=f"step the optimizer of these parameters: `{fact.right}.step()`",
            related=(
                fact.backward.related("the gradients are computed here"),
                *(site.related("here the wrong one is stepped, too") for site in fact.also[:2]),
            ),
        )
