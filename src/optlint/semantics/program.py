"""One run: a module body, function or class followed from its start, with the events that happened, for the rules.

Rules ask the questions below; what a parameter is, who holds it and whether gradient reaches it is answered here.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from optlint.deferred import dataclass, regex
from optlint.semantics import families, modules
from optlint.semantics.events import (
    Backward,
    Event,
    GradientRead,
    HandUpdated,
    ModelCalled,
    ModelMade,
    OptimizerBuilt,
    OptimizerRestored,
    OptimizerStepped,
    Returned,
    WeightsLoaded,
)
from optlint.semantics.libraries.parameter_arguments import optimizer_leaves
from optlint.semantics.values import Cut, Instance, Leaf, Optimizer, UserClass

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter
    from optlint.syntax.source_module import SourceModule

E = TypeVar("E", bound=Event)
T = TypeVar("T")


@dataclass
class Run:
    """The facts that rules read. ``root`` names where following began; ``path`` is the file under analysis.

    ``bound``: which limit ended it; nothing when it came to its end.
    """

    path: str
    root: str
    interpreter: Interpreter
    events: list[Event] = field(default_factory=list)
    bound: str = ""
    steps: int = 0
    _held_by: dict[int, set[Leaf]] = field(default_factory=dict)
    _answers: dict[Any, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether it came to its end."""
        return not self.bound

    def of(self, kind: type[E]) -> Iterator[E]:
        """The events of one kind, in order."""
        return iter(self._by_kind.get(kind, ()))  # type: ignore[arg-type]

    @cached_property
    def _by_kind(self) -> dict[type, list[Event]]:
        found: dict[type, list[Event]] = {}
        for event in self.events:
            for kind in type(event).__mro__:
                found.setdefault(kind, []).append(event)
        return found

    def place_of(self, event: Event) -> int:
        """The number of an event among all of the run."""
        return self._places[id(event)]

    @cached_property
    def _places(self) -> dict[int, int]:
        return {id(event): number for number, event in enumerate(self.events)}

    def ask(self, question: Callable[[Run], Iterable[T]]) -> tuple[T, ...]:
        """The answer to a question of ``optlint.semantics.questions``, worked out once."""
        answer = self._answers.get(question)
        if answer is None:
            self._answers[question] = ()  # a question that asks itself in a circle gets nothing
            answer = self._answers[question] = tuple(question(self))
        return answer

    # -- optimizers --------------------------------------------------------------------------------------------------

    @cached_property
    def optimizers(self) -> tuple[OptimizerBuilt, ...]:
        """Every optimizer that was built, each once by place and identity."""
        return tuple(self.of(OptimizerBuilt))

    @cached_property
    def _held(self) -> tuple[set[Leaf], bool]:
        leaves: set[Leaf] = set()
        more = False
        for built in self.optimizers:
            held, unknown = optimizer_leaves(built.optimizer)
            leaves |= held
            more = more or unknown
        return leaves, more

    @property
    def held(self) -> set[Leaf]:
        """Every leaf tensor that some optimizer may hold."""
        return self._held[0]

    @property
    def optimizers_may_hold_more(self) -> bool:
        """Whether some optimizer may hold tensors that are not known."""
        return self._held[1]

    def held_by(self, optimizer: Optimizer) -> set[Leaf]:
        """The leaf tensors that one optimizer may hold."""
        held = self._held_by.get(id(optimizer))
        if held is None:
            held = self._held_by[id(optimizer)] = optimizer_leaves(optimizer)[0]
        return held

    def holders(self, leaves: set[Leaf]) -> Iterator[OptimizerBuilt]:
        """The optimizers that hold some of ``leaves``."""
        return (built for built in self.optimizers if leaves & self.held_by(built.optimizer))

    # -- gradient ----------------------------------------------------------------------------------------------------

    @cached_property
    def backwards(self) -> tuple[Backward, ...]:
        """The backward passes."""
        return tuple(self.of(Backward))

    @cached_property
    def reached(self) -> frozenset[Leaf]:
        """Leaves that gradient reaches, or may reach through code that cannot be seen, in some backward pass."""
        return frozenset().union(*(event.maybe for event in self.backwards))

    @cached_property
    def touched(self) -> frozenset[Leaf]:
        """Leaves that the program updates by hand or whose gradient it reads."""
        by_hand = {event.leaf for event in self.of(HandUpdated)}
        return frozenset(by_hand | {event.leaf for event in self.of(GradientRead)})

    @cached_property
    def updated_by_hand(self) -> frozenset[Leaf]:
        """Leaves that the program writes without an optimizer, and not at a place that writes into what one holds.

        What is written into trained and untrained parameters alike (averaged weights that are swapped in for a test,
        weights that are clipped) does not train the rest.
        """
        shared = {event.site for event in self.of(HandUpdated) if event.leaf in self.held}
        return frozenset(event.leaf for event in self.of(HandUpdated) if event.site not in shared)

    @cached_property
    def forwards(self) -> tuple[ModelCalled, ...]:
        """The calls of modules."""
        return tuple(self.of(ModelCalled))

    # -- models ------------------------------------------------------------------------------------------------------

    @cached_property
    def models(self) -> tuple[Instance, ...]:
        """The torch modules that were made, in order."""
        found: dict[int, Instance] = {}
        for made in self.of(ModelMade):
            if families.is_module(self.interpreter, made.model):
                found.setdefault(id(made.model), made.model)
        return tuple(found.values())

    @cached_property
    def root_models(self) -> tuple[Instance, ...]:
        """Those that are no part of another."""
        parts = {
            id(child)
            for model in self.models
            for _, child in modules.submodules(self.interpreter, model, False)
            if child is not model
        }
        return tuple(model for model in self.models if id(model) not in parts)

    def parameters(self, model: Instance) -> modules.Listing:
        """The registered parameters of a model as they are now."""
        return modules.parameters(self.interpreter, model)

    def loaded(self) -> set[int]:
        """Identities of the modules whose weights were loaded from elsewhere, before or while they are trained."""
        return {id(event.model) for event in self._loads}

    @cached_property
    def loaded_leaves(self) -> frozenset[Leaf]:
        """The parameters whose values came so; a layer that is put in afterwards is none of them."""
        return frozenset().union(*(event.leaves for event in self._loads))

    @cached_property
    def _loads(self) -> tuple[WeightsLoaded, ...]:
        whole = {id(model) for model in self.root_models} if any(self.of(OptimizerRestored)) else set()
        last = max(
            (i for i, e in enumerate(self.events) if isinstance(e, OptimizerStepped)),
            default=len(self.events),
        )
        # The methods of a class run in an order that nobody knows.
        ordered = self.interpreter.root_class is None
        return tuple(
            event
            for i, event in enumerate(self.events)
            if isinstance(event, WeightsLoaded)
            and id(event.model) not in whole  # with the optimizer's state: an interrupted training goes on
            and (i < last or not ordered)
        )

    def class_name(self, model: Instance) -> str:
        """The name of a model's class."""
        return model.cls.name

    def name_of(self, model: Instance) -> str | None:
        """The name that the program first gave to a model, if it gave one."""
        name = model.slots.get("#variable")
        return name if isinstance(name, str) else None

    def is_users(self, model: Instance) -> bool:
        """Whether a model's class is the user's own."""
        return isinstance(model.cls, UserClass)

    def only_model_name(self) -> str | None:
        """The variable of the one model with parameters that the program has, if there is exactly one."""
        named = {
            name
            for model in self.root_models
            if self.parameters(model).parameters and (name := self.name_of(model)) is not None
        }
        return named.pop() if len(named) == 1 else None

    @cached_property
    def certainly_reached(self) -> frozenset[Leaf]:
        """Leaves that gradient certainly reaches in some backward pass."""
        return frozenset().union(*(event.reached for event in self.backwards))

    @cached_property
    def returned(self) -> frozenset[Leaf]:
        """Leaves behind what methods gave to code that is not seen."""
        return frozenset().union(*(event.leaves for event in self.of(Returned)))

    def cuts_before_step(self, leaf: Leaf) -> list[Cut]:
        """The cuts on the way to the backward pass that a step of the leaf's optimizer follows; else any."""
        return self._cuts_at_steps.get(leaf) or self._cuts_at_backwards.get(leaf, [])

    @cached_property
    def _cuts_at_steps(self) -> dict[Leaf, list[Cut]]:
        found: dict[Leaf, list[Cut]] = {}
        backward: Backward | None = None
        for event in self.events:
            if isinstance(event, Backward):
                backward = event
            elif isinstance(event, OptimizerStepped) and backward is not None:
                held = self.held_by(event.optimizer)
                cuts = [pair for pair in backward.cuts if pair[0] in held and pair[0] not in found]
                for leaf, cut in cuts:
                    found.setdefault(leaf, []).append(cut)
        return found

    @cached_property
    def _cuts_at_backwards(self) -> dict[Leaf, list[Cut]]:
        found: dict[Leaf, list[Cut]] = {}
        for event in self.backwards:
            for leaf, cut in event.cuts:
                found.setdefault(leaf, []).append(cut)
        return found

    def made_elsewhere(self, model: Instance) -> bool:
        """Whether other code of the file makes objects of the class that this run began with, or extends it."""
        return self.root == model.cls.name and self._root_is_used

    @cached_property
    def _root_is_used(self) -> bool:
        uses = _uses(self.interpreter.sources[self.path])
        return any(definition != self.root for definition in uses.get(self.root, ()))

    def used_by_other_files(self, model: Instance, attribute: str) -> bool:
        """Whether another file of the project mentions the attribute together with an optimizer."""
        stem = os.path.splitext(os.path.basename(self.path))[0]
        return self.interpreter.project.mentions(attribute, (stem, model.cls.name), self.path)


_CALLED = regex(r"(\w+)\(")
_BASES = regex(r"\bclass \w+\(([^)]*)")


@functools.lru_cache(maxsize=2)
def _uses(source: SourceModule) -> dict[str, set[str | None]]:
    """By a name that a file calls or extends: the definitions in which it does (None: code in no definition)."""
    found: dict[str, set[str | None]] = {}
    for part in source.slices:
        text = source.lines_text(part.first_line, part.last_line)
        names = {*_CALLED.findall(text), *re.findall(r"\w+", " ".join(_BASES.findall(text)))}
        for name in names:
            found.setdefault(name, set()).add(part.definition)
    return found
