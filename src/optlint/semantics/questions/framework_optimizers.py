"""What training frameworks are given where they look for their optimizer, and is none (OPT104).

Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass
from optlint.semantics import attributes, events
from optlint.semantics.libraries import optimizers
from optlint.semantics.questions import causes
from optlint.semantics.questions.telling import told
from optlint.semantics.site import Site
from optlint.semantics.values import (
    ABSENT,
    NONE,
    Container,
    DictObj,
    External,
    Function,
    Instance,
    Leaf,
    LibraryClass,
    Method,
    OneShot,
    Optimizer,
    Scheduler,
    UserClass,
    Value,
    options,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class NoOptimizer:
    """A framework finds no optimizer that it can use; ``kind`` says what it finds.

    ``told``: how a message may name it, or how many there are; ``made``: the optimizer that was built and not
    handed over.
    """

    site: Site
    framework: str
    kind: str
    told: str
    made: events.OptimizerBuilt | None = None


def framework_optimizers(run: Run) -> Iterator[NoOptimizer]:
    """One fact for each place that hands a framework no optimizer."""
    seen: set[Site] = set()
    for event in run.of(events.OptimizerExpected):
        find = _of_lightning if event.framework == "lightning" else _of_transformers
        for fact in find(run, event):
            if fact.site not in seen:
                seen.add(fact.site)
                yield fact


# -- Lightning ---------------------------------------------------------------------------------------------------------


def _of_lightning(run: Run, event: events.OptimizerExpected) -> Iterator[NoOptimizer]:
    method = event.method
    if method is None:
        yield from _undefined(run, event)
        return
    if event.given == NONE:
        if event.automatic and _trains_nothing(run, event):
            yield _nothing_returned(run, method)
        return
    for option in options(event.given):
        kind, name = _returned(run, event, option)
        if kind:
            yield NoOptimizer(_place(method, option, event.given), "lightning", kind, name)


def _undefined(run: Run, event: events.OptimizerExpected) -> Iterator[NoOptimizer]:
    """The class has no ``configure_optimizers``, and a trainer is given such a module."""
    model = event.model
    if not isinstance(model, Instance) or not isinstance(model.cls, UserClass) or event.given is not ABSENT:
        return
    trained = attributes.user_method(model, "training_step") is not None
    if not trained or model.cls.has_unknown_base() or not _is_fitted(model) or model.slots.get("#escaped"):
        return
    cls = model.cls
    elsewhere = (attributes.class_attribute(cls, name) for name in ("configure_optimizers", "__getattr__"))
    if any(value is not None for value in elsewhere) or "configure_optimizers" in model.slots:
        return
    place = Site(cls.context.part, cls.node.name, cls.node)
    yield NoOptimizer(place, "lightning", "undefined", cls.name)


def _trains_nothing(run: Run, event: events.OptimizerExpected) -> bool:
    """Whether there is a loss that wants the module's parameters changed, and nobody steps any optimizer.

    Code that is not seen being fitted may stand there to be overridden.
    """
    method, model = event.method, event.model
    if not isinstance(model, Instance) or method is None or any(run.of(events.OptimizerStepped)):
        return False
    own = {entry.leaf for entry in run.parameters(model).parameters}
    return bool(own & run.certainly_reached) and (_is_fitted(model) or _built_in(run, method) is not None)


def _is_fitted(model: Value) -> bool:
    """Whether a trainer was seen to take the module; of others a subclass may replace the method."""
    return isinstance(model, Instance) and isinstance(model.slots.get("#trainer"), Instance)


def _nothing_returned(run: Run, method: Function) -> NoOptimizer:
    returns = _returns(method)
    made = _built_in(run, method)
    part = method.context.part
    node = returns[0] if len(returns) == 1 else _name(method)
    return NoOptimizer(Site(part, node, node), "lightning", "nothing", method.name, made)


def _built_in(run: Run, method: Function) -> events.OptimizerBuilt | None:
    """The optimizer that is built in the text of a method."""
    for built in run.optimizers:
        if built.site.part is method.context.part and _contains(method.node, built.site.node):
            return built
    return None


def _contains(node: cst.CSTNode, wanted: cst.CSTNode) -> bool:
    return node is wanted or any(_contains(child, wanted) for child in node.children)


def _returned(run: Run, event: events.OptimizerExpected, value: Value) -> tuple[str, str]:
    """What is wrong with one thing that ``configure_optimizers`` returns, and its name; empty when nothing is."""
    kind = _no_optimizer(value)
    if kind:
        return kind, told(value)
    if isinstance(value, DictObj):
        return _dict(value)
    if not isinstance(value, Container) or value.items.open or value.items.many:
        return "", ""
    parts = value.items.values
    if not parts or all(isinstance(part, Container) and _is_empty(part) for part in parts):
        return ("empty", "") if _is_fitted(event.model) else ("", "")
    if any(isinstance(part, Optimizer) for part in parts) and any(isinstance(p, Scheduler) for p in parts):
        return "pair", ""
    if all(isinstance(part, Leaf) for part in parts):
        return "parameters", ""
    made = _optimizers_of(value)
    raises = causes.explained(run).optimizers & {id(optimizer) for optimizer in made}
    if len(made) > 1 and event.automatic and not raises and _takes_batch_only(event.model):
        return "several", str(len(made))
    return "", ""


def _dict(value: DictObj) -> tuple[str, str]:
    entries = value.entries
    if "optimizer" in entries.values:
        inside = entries.values["optimizer"]
        if isinstance(inside, Container):
            return "list-in-dict", ""
        return _no_optimizer(inside), told(inside)
    known = entries.values and not entries.open and all(isinstance(key, str) for key in entries.values)
    return ("no-key", "") if known else ("", "")


def _is_empty(value: Container) -> bool:
    return not value.items.values and not value.items.open


def _optimizers_of(value: Container) -> tuple[Value, ...]:
    """The optimizers of a list, or of the first of two lists, where it has nothing else."""
    parts = value.items.values
    if len(parts) == 2 and isinstance(parts[0], Container) and not parts[0].items.many:
        parts = parts[0].items.values
    return parts if all(isinstance(part, Optimizer) for part in parts) else ()


def _takes_batch_only(model: Value) -> bool:
    """Whether ``training_step`` takes no number of an optimizer, as it did in Lightning 1."""
    step = attributes.user_method(model, "training_step") if isinstance(model, Instance) else None
    if step is None or step.node.params.star_arg is not cst.MaybeSentinel.DEFAULT:
        return False
    return len(step.node.params.params) <= 3 and step.node.params.star_kwarg is None


def _place(method: Function, option: Value, given: Value) -> Site:
    """The statement that returns the value; the method's name where there are several."""
    part = method.context.part
    returns = _returns(method)
    if len(returns) > 1 and isinstance(option, (Container, DictObj)) and option.site is not None:
        returns = [node for node in returns if node is option.site.statement] or returns
    node: cst.CSTNode = returns[0] if len(returns) == 1 else _name(method)
    return Site(part, node, node)


def _name(method: Function) -> cst.CSTNode:
    return method.node.name if isinstance(method.node, cst.FunctionDef) else method.node


def _returns(method: Function) -> list[cst.Return]:
    """The ``return`` statements of a method itself."""
    found: list[cst.Return] = []

    def visit(node: cst.CSTNode) -> None:
        if isinstance(node, cst.Return):
            found.append(node)
        elif not isinstance(node, (cst.FunctionDef, cst.Lambda, cst.ClassDef)):
            for child in node.children:
                visit(child)

    visit(method.node.body)
    return found


# -- transformers ------------------------------------------------------------------------------------------------------


def _of_transformers(run: Run, event: events.OptimizerExpected) -> Iterator[NoOptimizer]:
    wrong = _agreed(event.given, lambda option: _argument(event, option))
    if wrong is not None:
        yield NoOptimizer(event.site, "transformers", *wrong)


def _argument(event: events.OptimizerExpected, value: Value) -> tuple[str, str] | None:
    """What is wrong with one value of ``optimizers=``, and its name."""
    if isinstance(value, Optimizer):
        return "single", ""
    if not isinstance(value, Container) or value.items.open or value.items.many:
        return None
    parts = value.items.values
    if len(parts) != 2:
        return "not-two", str(len(parts))
    kind = _no_optimizer(parts[0])
    if kind:
        return f"first-{kind}", told(parts[0])
    if isinstance(parts[0], Scheduler) and isinstance(parts[1], Optimizer):
        return "order", ""
    if isinstance(parts[0], Optimizer) and event.beside:
        return "beside", event.beside
    return None


# -- both --------------------------------------------------------------------------------------------------------------


def _agreed(value: Value, find: Callable[[Value], tuple[str, str] | None]) -> tuple[str, str] | None:
    """What is wrong with a value, when something is whichever of its alternatives it is."""
    found = [find(option) for option in options(value)]
    return found[0] if found and all(found) else None


def _no_optimizer(value: Value) -> str:
    """What a value is that stands for an optimizer and is none; empty where it may be one."""
    if isinstance(value, OneShot):
        return "parameters"
    if isinstance(value, Leaf):
        return "parameters"
    if isinstance(value, (External, LibraryClass)):
        name = value.name if isinstance(value, External) else value.qualified_name
        return "class" if optimizers.optimizer_class(name, frozenset()) is not None else ""
    if isinstance(value, Method) and value.name in ("parameters", "named_parameters"):
        return "parameters"
    return ""
