"""OPT509: the model trains in an evaluation, or the update stands outside of the batch loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run


class TrainingInValidation(Rule):
    """The update stands in the wrong loop: in an evaluation, or behind the loop over the batches.

    An optimizer steps while the model is validated, so that the model learns the data which is to judge it; or
    `backward()` or `step()` lost a level of indentation and stands after the loop over the batches: only the last
    batch of each epoch trains.
    """

    code = "OPT509"
    name = "training-in-validation"
    at_run_time = """\
Nothing is raised. A model that is validated with `backward()` and `step()` trains on the validation data (evaluation
mode does not keep it from that): the scores look better than they are. An update that stands behind the loop over the
batches runs once for each epoch, from the last batch's loss; the forward passes of all others were for nothing."""
    bad = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
loader = torch.utils.data.DataLoader(torch.randn(32, 4), batch_size=8)
for epoch in range(2):
    for x in loader:
        optimizer.zero_grad()
        loss = model(x).pow(2).mean()
    loss.backward()
    optimizer.step()
"""
    good = """\
import torch
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.SGD(model.parameters(), lr=0.1)
loader = torch.utils.data.DataLoader(torch.randn(32, 4), batch_size=8)
for epoch in range(2):
    for x in loader:
        optimizer.zero_grad()
        loss = model(x).pow(2).mean()
        loss.backward()
        optimizer.step()
"""
    silent = (
        "the optimizer is made in the evaluation: a probe, an attack, an optimized input",
        "names that say that it is meant: test-time adaptation, calibration, fine-tuning, meta-learning",
        "only the mode, or only a name, speaks for an evaluation: training with `model.eval()` keeps batch norm still",
        "the loss after the loop carries something of each round: a sum, a list, a hidden state",
        "each round adds to the gradients and none is cleared: one step for many batches",
        "loops that `break`, and loaders that give one batch",
    )
    misses = ("`backward()` without a step in an evaluation whose gradients the next training step uses",)

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield one finding for each update in the wrong place."""
        from optlint.semantics.questions.evaluation_training import evaluation_steps
        from optlint.semantics.questions.outdented import outdented_updates

        for fact in run.ask(evaluation_steps):
            where = f"in `{fact.function}`" if fact.function else "in an evaluation"
            data = f" on {_told(fact.data)}" if fact.data else ""
            places = ((fact.mode, "the model is put into evaluation mode"), (fact.backward, "its gradients"))
            related = tuple(place.related(label) for place, label in places if place is not None)
            yield self.finding(
                fact.site,
                message=f"`{fact.optimizer}.step()` {where} trains the model{data}: the scores no longer tell how "
                "it does on data that it has not seen",
                help="remove `backward()` and `step()` there, and evaluate under `with torch.no_grad():`",
                related=related,
            )
        for lost in run.ask(outdented_updates):
            if lost.backward:
                yield self.finding(
                    lost.site,
                    message=f"this backward pass runs after the loop, of whose rounds only the last one's "
                    f"`{lost.name}` is left: all other batches train nothing",
                    help="indent `backward()` and `step()` into the loop",
                    related=(lost.loop.related("each round of this loop overwrites it"),),
                )
            else:
                yield self.finding(
                    lost.site,
                    message=f"`{lost.name}.step()` runs after the loop, each round of which clears the gradients: "
                    "only the last batch trains",
                    help=f"indent `{lost.name}.step()` into the loop",
                    related=(lost.cleared.related("each round throws the gradients of the one before away"),)
                    if lost.cleared is not None
                    else (),
                )


def _told(data: str) -> str:
    """A loader or a setting as code, words as they are."""
    return data if data.startswith("the ") else f"`{data}`"
