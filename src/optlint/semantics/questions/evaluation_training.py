"""Steps that an optimizer takes in an evaluation: the model trains on the data that is to judge it (OPT509).

A name alone proves nothing: the function's name, the mode of the model, how the data was made and the loader's name are
evidence of one kind each, and two of them must agree. A doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics.events import Stepped
from optlint.semantics.frame import Round
from optlint.semantics.gradients import DIRTY, FILLED, UnseenOptimizer
from optlint.semantics.libraries import data_sources
from optlint.semantics.modes import ModeSet, Scope
from optlint.semantics.questions.clearing import is_optimizer, told
from optlint.semantics.site import Site
from optlint.semantics.values import Const, Instance, Leaf, OneShot, Optimizer, Value
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class EvaluationStep:
    """A step (``site``) of ``optimizer`` in an evaluation.

    ``function``: its name, if a function tells; ``data``: the loader as the user names it, or what it was made with;
    ``mode``: where the model was put into evaluation mode; ``backward``: the pass whose gradients are used.
    """

    site: Site
    optimizer: str
    function: str
    data: str
    mode: Site | None
    backward: Site | None


_WORDS = regex(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_EVALUATES = frozenset(
    {"validate", "validation", "evaluate", "evaluation", "eval", "val", "valid", "test", "testing"}
)
_HELD_OUT = frozenset({"val", "valid", "validation", "test", "testing", "eval", "dev", "holdout"})
_TRAINS = frozenset({"train", "training", "trainer", "fit"})
#: What trains on held-out data, or in evaluation mode, on purpose.
_ON_PURPOSE = frozenset(
    {
        "adapt", "adaptation", "tta", "ttt", "tent", "tune", "finetune", "finetuning", "tuning", "online", "meta",
        "maml", "few", "shot", "support", "inner", "attack", "adv", "adversarial", "pgd", "fgsm", "probe", "probing",
        "linear", "calibrate", "calibration", "calib", "temperature", "dream", "style", "invert", "inversion",
        "latent", "prompt", "search", "arch", "architect", "architecture", "darts", "bn", "episode", "episodic",
        "task", "distill", "unlearn", "prune", "quantize", "recover", "refine", "transfer", "continual", "hyper",
        "learn", "learner", "update", "optimize", "supervised", "knn", "ood", "robust", "robustness",
        "overfit", "sanity", "grad", "check", "fold", "cross", "individual", "fitness", "objective", "trial",
    }
)  # fmt: skip


#: Of these, what a whole file may be about.
_TOPICS = frozenset(
    {
        "adapt",
        "adaptation",
        "tta",
        "ttt",
        "tent",
        "meta",
        "maml",
        "attack",
        "adversarial",
        "pgd",
        "fgsm",
        "dream",
        "darts",
    }
)


def _words(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORDS.findall(text))


def evaluation_steps(run: Run) -> Iterator[EvaluationStep]:
    """The steps that train a model in an evaluation, each once."""
    if run.interpreter.book.out_of_hand:
        return
    seen: set[Site] = set()
    for position, event in enumerate(run.events):
        if isinstance(event, Stepped) and event.site not in seen and _is_taken(run, event):
            fact = _in_function(run, position, event) or _in_loop(run, position, event)
            if fact is not None:
                seen.add(event.site)
                yield fact


def _is_taken(run: Run, event: Stepped) -> bool:
    """Whether a step uses gradients that were just computed, of the parameters of a model and of nothing else."""
    if not event.before.kinds <= {FILLED, DIRTY} or not is_optimizer(event.subject):
        return False
    if isinstance(event.subject, Optimizer):
        held = run.held_by(event.subject)
        return bool(held) and all(leaf.is_parameter for leaf in held)
    return not event.subject.made


# -- a function that evaluates ---------------------------------------------------------------------------------------


def _in_function(run: Run, position: int, event: Stepped) -> EvaluationStep | None:
    found = _evaluating_scope(event)
    if found is None:
        return None
    scope, words = found
    subject = event.subject
    if isinstance(subject, Optimizer) and subject.serial > scope.began:
        return None  # made for this evaluation: a probe, an attack
    rounds = tuple(round_ for round_ in event.rounds if _within(round_.site, scope.site))
    loader = _loader(rounds)
    if _is_on_purpose([loader]) or _is_guarded(scope.site):
        return None
    mode = _mode(run, position, event, scope.began)
    made_with = _made_with(rounds)
    held_out = _is_held_out(loader)
    if words <= {"test", "testing"} and not (held_out or made_with):
        return None
    sure = mode is not None or made_with or (held_out and _trains_elsewhere(run, event, scope.site))
    site = event.site if _within(event.site, scope.site) else event.asked_at
    if not sure or site is None or not _within(site, scope.site):
        return None
    return EvaluationStep(
        site, told(event), scope.name, loader if held_out else made_with, mode, _backward(event)
    )


def _evaluating_scope(event: Stepped) -> tuple[Scope, frozenset[str]] | None:
    """The innermost function that is named so, with what names it, where nothing between it and the step trains."""
    for scope in reversed(event.scopes):
        words = _words(scope.name)
        if words & _ON_PURPOSE or _words(scope.owner) & _ON_PURPOSE:
            return None
        if words & _EVALUATES and not words & _TRAINS:
            path = re.split(r"[\\/]", scope.site.path)[-1]
            if not scope.sure or _words(path) & _TOPICS or path.startswith("test_"):
                return None
            return scope, words & _EVALUATES
        if words & _TRAINS:
            return None
    return None


#: A test that may tell training from evaluation.
_GUARD = regex(r"\bif\b[^\n]*\b(?:\w*train\w*|optim\w*|opt|phase|mode|backward|update\w*|adapt\w*)\b")


def _is_guarded(function: Site) -> bool:
    """Whether a function looks at what it is used for."""
    return _GUARD.search(function.part.code(function.node)) is not None


# -- a loop among others ---------------------------------------------------------------------------------------------


def _in_loop(run: Run, position: int, event: Stepped) -> EvaluationStep | None:
    if not event.each_round or any(_words(scope.name + scope.owner) & _ON_PURPOSE for scope in event.scopes):
        return None
    function = event.scopes[-1] if event.scopes else None
    if function is not None and not _within(event.rounds[-1].site, function.site):
        return None
    loader, made_with = _loader(event.rounds[-1:]), _made_with(event.rounds[-1:])
    phase = _phase(event.rounds)
    held_out = phase or (loader if _is_held_out(loader) else "")
    mode = _mode(run, position, event, function.began if function is not None else 0)
    backward, place = _backward(event), event.rounds[-1].site
    if not held_out and backward is not None and _is_held_out(backward.text()):
        held_out, place = backward.text().partition(".backward")[0], event.site
    evidence = (bool(held_out), bool(made_with), mode is not None)
    if sum(evidence) < 2 or _is_on_purpose([loader]):
        return None
    if not _trains_elsewhere(run, event, None if phase else place):
        return None
    named = phase and f'the data of "{phase}"'
    data = loader if _is_held_out(loader) else named or made_with
    return EvaluationStep(event.site, told(event), "", data, mode, backward)


def _phase(rounds: Sequence[Round]) -> str:
    """The phase of a loop ``for phase in ["train", "val"]`` that is being followed, if it is no training."""
    for round_ in rounds:
        name = round_.element.value if isinstance(round_.element, Const) else None
        if isinstance(name, str) and name.lower() in _HELD_OUT:
            return name
    return ""


# -- evidence --------------------------------------------------------------------------------------------------------


def _loader(rounds: Sequence[Round]) -> str:
    """What the innermost loop over something named like data runs over, as it is written."""
    for round_ in reversed(rounds):
        node = round_.site.node
        if isinstance(node, cst.For):
            text = " ".join(round_.site.part.code(node.iter).split())
            if _words(text) & _HELD_OUT | _words(text) & _TRAINS or "loader" in text or "data" in text:
                return _inner(text)
    return ""


_WRAPPED = regex(r"^(?:enumerate|tqdm|tqdm\.tqdm|zip|iter|trange|progress_bar)\(([\w.\[\]'\"]+).*\)$")


def _inner(text: str) -> str:
    """The loader in ``enumerate(tqdm(loader))``."""
    while (found := _WRAPPED.match(text)) is not None or text.startswith(
        ("enumerate(tqdm(", "tqdm(enumerate(")
    ):
        text = found[1] if found is not None else text.partition("(")[2].rpartition(")")[0]
    return text


def _is_held_out(loader: str) -> bool:
    words = _words(loader)
    return bool(words & _HELD_OUT) and not words & _TRAINS


def _is_on_purpose(names: Sequence[str]) -> bool:
    return any(_words(name) & _ON_PURPOSE for name in names)


def _made_with(rounds: Sequence[Round]) -> str:
    """What says that the data of a loop is held out."""
    return next((found for round_ in reversed(rounds) if (found := _held_out(round_.loop.source))), "")


def _held_out(value: Value | None) -> str:
    if isinstance(value, OneShot):
        return next((found for source in value.sources if (found := _held_out(source))), "")
    return data_sources.of_value(value)


def _mode(run: Run, position: int, event: Stepped, began: int) -> Site | None:
    """Where what the optimizer holds was put into evaluation mode, in this function and for certain."""
    last: dict[object, ModeSet] = {}
    for earlier in run.of(ModeSet):
        if run.place_of(earlier) < position and earlier.began >= began:
            known = isinstance(earlier.receiver, Instance)
            last[id(earlier.receiver) if known else earlier.text] = earlier
    now = [mode for mode in last.values() if not _is_undone(mode)]
    if isinstance(event.subject, UnseenOptimizer):
        others = [mode for mode in last.values() if not mode.evaluating]
        return now[0].site if now and not others else None
    held = run.held_by(event.subject)
    if any(not mode.evaluating and _covers(run, mode, held) for mode in last.values()):
        return None
    return next((mode.site for mode in now if _covers(run, mode, held, True)), None)


def _is_undone(mode: ModeSet) -> bool:
    return not mode.evaluating or bool(mode.conditional and mode.branches)


def _covers(run: Run, mode: ModeSet, held: set[Leaf], whole: bool = False) -> bool:
    """Whether a model has what an optimizer holds: some of it, or the ``whole`` of it."""
    if not isinstance(mode.receiver, Instance):
        return not whole
    own = {entry.leaf for entry in run.parameters(mode.receiver).parameters}
    return bool(own) and (held <= own if whole else bool(held & own))


def _trains_elsewhere(run: Run, event: Stepped, place: Site | None) -> bool:
    """Whether the optimizer is stepped in another place, or in another phase of the same loop."""
    for other in run.of(Stepped):
        if other.subject is not event.subject or not other.before.kinds & {FILLED, DIRTY}:
            continue
        if place is None and _phase(other.rounds):
            continue
        if place is None or not _within(other.site, place):
            return True
    return False


def _within(site: Site, place: Site) -> bool:
    """Whether a node stands in another."""
    if site.part is not place.part:
        return False
    inner, outer = site.span(), place.span()
    return (outer.line, outer.column) <= (inner.line, inner.column) and (
        inner.end_line,
        inner.end_column,
    ) <= (
        outer.end_line,
        outer.end_column,
    )


def _backward(event: Stepped) -> Site | None:
    return next((site for kind in (FILLED, DIRTY) for site in event.before.sites(kind)), None)
