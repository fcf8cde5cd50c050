"""OPT107: an optimizer that was built before the model was changed, replaced or copied."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding, Severity
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.group_edits import EditedGroups
    from optlint.semantics.questions.stale import Stale


class StaleOptimizer(Rule):
    """The model is changed after its optimizer was built, so that the optimizer does not hold what is trained.

    An optimizer keeps the parameter objects that it was given. A layer or Parameter that is put into the model
    afterwards, a model that is made again, loaded or copied, and calls that make new parameters (`fully_shard`,
    `weight_norm`, `load_state_dict(…, assign=True)`, `.to("meta")`, adapters) leave it behind.
    """

    code = "OPT107"
    name = "stale-optimizer"
    severity = Severity.WARNING
    at_run_time = """\
Nothing is raised. The new parameters get gradients, which grow from step to step, since `optimizer.zero_grad()` does
not know them either; `step()` goes on with the old objects, and the new ones keep their initial values. Where all of
the model is new, nothing trains at all. An optimizer that is built in a constructor before the first layer raises
`ValueError: optimizer got an empty parameter list`."""
    bad = """\
import torch
from torch import nn, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(torch.relu(self.body(x)))


model = Net()
optimizer = optim.Adam(model.parameters())
model.head = nn.Linear(8, 5)
for _ in range(3):
    loss = model(torch.randn(8, 4)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    good = """\
import torch
from torch import nn, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(torch.relu(self.body(x)))


model = Net()
model.head = nn.Linear(8, 5)
optimizer = optim.Adam(model.parameters())
for _ in range(3):
    loss = model(torch.randn(8, 4)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    silent = (
        "what is new is added with `add_param_group`, or some optimizer that is built later holds it",
        "the change keeps the objects: `.half()`, `.to(device)`, `load_state_dict`, `.data = …`, "
        "`torch.compile`, `DataParallel`, layers that are swapped or tied",
        "what is new is frozen, written by hand, or not trained afterwards",
        "the optimizer never held what is replaced, and not all of the rest either",
        "some optimizer was given something that cannot be followed",
    )
    misses = (
        "a change in code that cannot be seen, and training in a function that cannot be seen",
        "methods that change and train a model, where nothing in the file says in which order they are called",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each optimizer that was left behind."""
        from optlint.semantics.questions.group_edits import edited_groups
        from optlint.semantics.questions.stale import stale_optimizers

        for edit in run.ask(edited_groups):
            yield self._edited(edit)
        for stale in run.ask(stale_optimizers):
            yield self._finding(stale)

    def _edited(self, edit: EditedGroups) -> Finding:
        name = edit.optimizer_name
        if edit.form == "iterator":
            message = (
                f"a group of `{name}` gets an iterator: the first `zero_grad()` or `step()` uses it up, "
                "and nothing trains any more"
            )
            fix = "put a list there: `list(model.parameters())`"
        elif edit.form == "copied":
            message = (
                f"the copy of `{name}` holds copies of the parameters, which no model has: nothing changes"
            )
            fix = "copy the model and the optimizer together: `copy.deepcopy((model, optimizer))`"
        else:
            message = f"the groups of `{name}` are emptied: nothing is raised, and `step()` changes nothing any more"
            fix = "build a new optimizer with the parameters that it shall train"
        related = tuple(built.site.related(f"`{name}` is built here") for built in edit.optimizers[:1])
        return self.finding(edit.site, message=message, help=fix, related=related)

    def _finding(self, stale: Stale) -> Finding:
        name = stale.built.optimizer.cls_name
        places = dict.fromkeys((change.site, _PLACES[change.kind]) for change in stale.changes)
        related = tuple(site.related(text) for site, text in list(places)[:3])
        return self.finding(
            stale.built.site, message=_message(name, stale), help=_help(stale), related=related
        )


def _message(name: str, stale: Stale) -> str:
    change = stale.changes[0]
    model = f"`{stale.variable or stale.model_name}`"
    if stale.raises:
        return (
            f"`{name}` is built before `{stale.model_name}` has any layer: "
            "it raises `ValueError: optimizer got an empty parameter list`"
        )
    if change.kind in ("recreated", "loaded"):
        made = "made" if change.kind == "recreated" else "loaded"
        return f"`{name}` holds the parameters of an earlier {model}: the one {made} afterwards never trains"
    if change.kind == "copied":
        return f"`{name}` holds the original's parameters, but a copy of it is trained: nothing changes"
    if change.kind == "unloaded":
        return (
            f"`{name}` is built before {change.how}: what is left is frozen, and `backward()` raises "
            "`RuntimeError: element 0 of tensors does not require grad`"
        )
    if change.kind == "renewed":
        early = f"`{name}` is built before {change.how}"
    elif stale.inside and stale.names:
        early = f"`{name}` is built before {_parts(stale)} gets new parts"
    elif change.kind == "constructed":
        early = f"`{name}` is built before the rest of {model} is made"
    else:
        early = f"`{name}` is built before {_parts(stale)} {'are' if len(stale.names) > 1 else 'is'} {change.kind}"
    if stale.whole:
        return f"{early}: it holds nothing of {model} that could train"
    if stale.inside:
        return f"{early}: they are not in it and never change"
    if len(stale.names) == 1 and change.kind in ("added", "replaced"):
        return (
            f"{early}: {'the new one' if change.kind == 'replaced' else 'it'} is not in it and never changes"
        )
    if len(stale.names) == 1:
        return f"{early}: {_listed(stale.names)} is not in it and never changes"
    return f"{early}: {_listed(stale.names)} are not in it and never change"


def _path(stale: Stale) -> str:
    """The first of the names as the program would write it."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", f"{stale.variable}.{stale.names[0]}")


def _parts(stale: Stale) -> str:
    if len(stale.names) == 1 and stale.variable:
        return f"`{_path(stale)}`"
    if len(stale.names) == 1:
        return f"`{stale.names[0]}` of `{stale.model_name}`"
    return f"parts of `{stale.variable or stale.model_name}`"


_PLACES = {
    "replaced": "replaced here",
    "added": "added here",
    "constructed": "made here",
    "renewed": "its parameters become new objects here",
    "unloaded": "the trainable ones are gone from here on",
    "recreated": "made again here",
    "loaded": "loaded here",
    "copied": "copied here",
}


def _help(stale: Stale) -> str:
    change = stale.changes[0]
    if change.kind == "constructed":
        return "build the optimizer at the end of the constructor, or outside of it"
    if change.kind == "unloaded":
        model = stale.variable or "model"
        return f"unfreeze the model (`{model}.requires_grad_(True)`) and build the optimizer after that"
    if change.kind in ("recreated", "loaded", "copied", "renewed") or stale.whole:
        model = stale.variable or "model"
        return f"build the optimizer after that: `{stale.built.optimizer.cls_name}({model}.parameters(), …)`"
    after = "build the optimizer after the last change of the model, or give it the new part"
    if stale.variable is None or not stale.names or stale.inside:
        return f"{after} with `add_param_group`"
    path = _path(stale)
    params = f"[{path}]" if stale.single else f"{path}.parameters()"
    return f'{after}: `add_param_group({{"params": {params}}})`'


def _listed(names: tuple[str, ...]) -> str:
    shown = [f"`{name}`" for name in names[:3]]
    if len(names) > 3:
        shown.append(f"{len(names) - 3} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
