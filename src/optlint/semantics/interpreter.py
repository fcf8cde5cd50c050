"""Follows statements: runs a program over abstract values, branch by branch, and records what happens.

``roots`` starts it; ``expressions``, ``calls`` and ``attributes`` do the parts. It must not know any rule.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from optlint.deferred import regex
from optlint.semantics import (
    assignment,
    calls,
    constructors,
    contexts,
    expressions,
    functions,
    gradients,
    idle,
    imports,
    iteration,
    loading,
    lost_updates,
    missed_flags,
    modes,
    modules,
    pace,
    stopping,
    tapes,
    truth,
)
from optlint.semantics.events import Event, HandUpdated
from optlint.semantics.frame import Exits, Frame, Loop, Round
from optlint.semantics.heap import Heap
from optlint.semantics.libraries import clipping, keras_trainable, torch_identity
from optlint.semantics.libraries.keras_generation import Generation
from optlint.semantics.site import Site
from optlint.semantics.steadiness import Steadiness
from optlint.semantics.values import (
    ABSENT,
    UNKNOWN,
    Choice,
    Const,
    External,
    Function,
    Instance,
    Leaf,
    Namespace,
    Unknown,
    UserClass,
    Value,
    next_serial,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.project import Project
    from optlint.syntax.source_module import SourceModule


class Interpreter:
    """State of the analysis of one file: heap, modules loaded so far, and the run that is being recorded."""

    def __init__(
        self, project: Project, extra_optimizers: frozenset[str], extra_modules: frozenset[str]
    ) -> None:
        self.project = project
        self.extra_optimizers = extra_optimizers
        self.extra_modules = extra_modules
        self.heap = Heap(lambda lost: calls.escape(self, lost))
        self.listings = modules.Listings(self.heap)
        self.events: list[Event] = []
        self.namespaces: dict[str, Namespace] = {}
        self.sources: dict[str, SourceModule] = {}
        self.frames: list[Frame] = []
        self.entered: set[cst.CSTNode] = set()
        self.conditional = 0
        self.steps = 0
        self.max_steps = pace.MAX_STEPS
        self.pace = pace.Pace()
        #: Steps of all modules that were imported.
        self.loading_steps = 0
        #: What has turned gradients off, the last one counts.
        self.no_grad: list[stopping.Off] = []
        self.unknown_grad_mode = 0
        #: Enclosing loops whose rounds are not all run: a counter in them has any value.
        self.unknown_rounds = 0
        #: Enclosing loops of which a later round than the first is followed: what repeats within was seen to repeat.
        self.later_rounds = 0
        self.literals: dict[cst.BaseExpression, Value] = {}
        self._deciding: dict[cst.For, bool] = {}
        #: The class that a run began with: its subclasses elsewhere may override what it leaves empty.
        self.root_class: UserClass | None = None
        #: How many enclosing ``try`` and ``with`` statements take the error that an empty list raises.
        self.catching = 0
        #: How many enclosing ``try`` statements take the error that a backward pass raises.
        self.handling = 0
        #: Says which generation of Keras the file is for; asked when something of Keras is met.
        self.keras_of: Callable[[], Generation] = Generation
        #: Which of the methods that nobody in the file calls is followed now; 0 for all that certainly runs.
        self.entry = 0
        #: The body of the ``with`` statement whose context is being evaluated.
        self.pending: contexts.Pending | None = None
        #: What reads iterators now: in which scope, at which node, and the function that is called there.
        self.reader: tuple[Frame, cst.CSTNode, Value | str] | None = None
        #: Grows with each flag that is set; tells which was set last.
        self.moments = itertools.count(1)
        #: What is known to have happened to objects that are not known.
        self.doubts: dict[str, Value] = {}
        #: Whether there is any scheduler.
        self.schedulers_made = False
        self._builtins: dict[str, External] = {}
        #: Names that are looked for in the modules that they are imported from.
        self.importing: set[imports.LazyImport] = set()
        #: Models of libraries of whose inside nothing is listed.
        self.ready_models: list[Instance] = []
        #: Whether this is a branch that no program runs; what it imports is what there is at run time.
        self.for_type_checkers = False
        #: The optimizers of the run and their gradients.
        self.book = gradients.Book()
        #: Whether what is called is one of several optimizers, and perhaps another one.
        self.several = 0
        #: The leaves that something was computed of while a closure of an optimizer runs; None outside of one.
        self.parameters_used: set[Leaf] | None = None
        #: Whether some number's backward pass certainly raises.
        self.raising = False
        #: The gradient tapes that record now.
        self.recording = tapes.Recording()
        #: What has a lower serial was made before this run, or in another method of the class that it follows.
        self.since = 0
        #: What holds for all that is made from now on (the meta device).
        self.switches: dict[str, object] = {}
        #: The ``if`` statements whose outcome is not known and that are being followed, and which way.
        self.branches: list[tuple[cst.CSTNode, bool]] = []

    @functools.cached_property
    def keras(self) -> Generation:
        """The generation of Keras that the file is for."""
        return self.keras_of()

    # -- running -------------------------------------------------------------------------------------------------

    @property
    def frame(self) -> Frame:
        """The scope being executed."""
        return self.frames[-1]

    def let_go(self) -> None:
        """Take the program apart when all is said: what refers to itself would wait for the garbage collector."""
        for namespace in self.namespaces.values():
            for value in namespace.slots.values():
                if isinstance(value, UserClass):
                    value.slots.clear()
            namespace.slots.clear()
        self.heap.clear()
        self.frames.clear()
        self.events = []

    def step(self) -> None:
        """Count one step; raises ``BudgetExceeded`` when the run has had its share."""
        self.steps += 1
        if self.steps > self.max_steps:
            raise pace.BudgetExceeded("MAX_STEPS")
        if self.heap.work > pace.MAX_WORK:
            raise pace.BudgetExceeded("MAX_WORK")
        if self.steps > self.pace.until:
            raise pace.Repetitive

    def give_up(self, bound: str) -> NoReturn:
        """End the run: what would follow rests on something that is not followed, as the constant ``bound`` says."""
        raise pace.BudgetExceeded(bound)

    def site(self, node: cst.CSTNode) -> Site:
        """The place of a node of the code being executed."""
        frame = self.frame
        return Site(frame.context.part, node, frame.statement or node)

    def site_of(self, function: Function) -> Site:
        """The place where a function is defined."""
        return Site(function.context.part, function.node, function.node)

    def rounds(self) -> tuple[Round, ...]:
        """The rounds of loops that are being followed, the innermost last."""
        return tuple(loop.now for frame in self.frames for loop in frame.loops)

    @contextlib.contextmanager
    def one_of_several(self) -> Iterator[None]:
        """Within it each of several optimizers is called, of which the program calls one."""
        self.several += 1
        try:
            yield
        finally:
            self.several -= 1

    def record_hand_update(self, leaf: Leaf, node: cst.CSTNode) -> None:
        """A leaf is written without an optimizer; what a constructor writes is its first value."""
        wanted = leaf.is_parameter or leaf.requires_grad is not False
        if wanted and not any(frame.name == "__init__" for frame in self.frames):
            self.record(HandUpdated(self.site(node), bool(self.conditional), leaf))

    def record(self, event: Event) -> None:
        """Add an event to the run."""
        self.events.append(event)

    # -- names ---------------------------------------------------------------------------------------------------

    def lookup(self, name: str) -> Value:
        """What a name means here: local, enclosing, global, star import, builtin; else Unknown."""
        frame = self.frame
        if name not in frame.global_names:
            value = frame.lookup(name)
            if value is not None:
                return self._present(value, frame.variables, name)
        return self.global_name(frame.context.namespace, name)

    def global_name(self, namespace: Namespace, name: str) -> Value:
        """A name of a module's globals, or a builtin."""
        value = namespace.slots.get(name)
        if value is not None and value is not ABSENT:
            return self._present(value, namespace.slots, name)
        starred = imports.from_star(self, namespace, name)
        if starred is not None:
            return starred
        if name in expressions.BUILTINS:
            return self._builtins.setdefault(name, External(f"builtins.{name}"))
        return UNKNOWN

    def _present(self, value: Value, store: dict[str, object], name: str) -> Value:
        if isinstance(value, imports.LazyImport):
            resolved = value.resolve(self)
            if store.get(name) is value:
                store[name] = resolved
            return truth.without_absent(resolved)
        if isinstance(value, loading.Lazy):
            return loading.force(self, value.context.namespace.slots, name, value)
        return truth.without_absent(value)

    def bind(self, name: str, value: Value) -> None:
        """Assign a name in the present scope."""
        frame = self.frame
        if name in frame.global_names:
            self.heap.set(frame.context.namespace.slots, name, value)
            return
        if name in frame.nonlocal_names:
            scope = frame.parent
            while scope is not None:
                if name in scope.variables and not scope.is_class:
                    self.heap.set(scope.variables, name, value)
                    return
                scope = scope.parent
        self.heap.set(frame.variables, name, value)

    # -- branches ------------------------------------------------------------------------------------------------

    def fork(self, arms: Sequence[Callable[[], bool]]) -> bool:
        """Run alternatives from the same state and join those that go on; False when none does."""
        if len(arms) == 1:
            return arms[0]()
        mark = self.heap.mark()
        ways = []
        self.conditional += 1
        try:
            for arm in arms:
                if arm():
                    ways.append(self.heap.changes_since(mark))
                self.heap.rollback(mark)
        finally:
            self.conditional -= 1
        if not ways:
            return False
        self.heap.join(ways)
        return True

    def each_option(self, value: Value, action: Callable[[Value], Value]) -> Value:
        """Do something with each alternative of a value, as branches, and join the results."""
        alternatives = truth.alternatives(value)
        if len(alternatives) == 1:
            return action(alternatives[0])
        results: list[Value] = []

        def arm(option: Value) -> Callable[[], bool]:
            def run() -> bool:
                results.append(action(option))
                return True

            return run

        self.fork([arm(option) for option in alternatives])
        return truth.join(results) if results else UNKNOWN

    # -- statements ----------------------------------------------------------------------------------------------

    def block(self, statements: Sequence[cst.BaseStatement | cst.BaseSmallStatement]) -> bool:
        """Run statements in order; False when no path reaches the end."""
        for statement in statements:
            if isinstance(statement, cst.SimpleStatementLine):
                if not self.block(statement.body):
                    return False
                continue
            self.step()
            self.pace.reach(statement, self.steps)
            self.frame.statement = statement
            handler = _STATEMENTS.get(type(statement))
            if handler is not None and not handler(self, statement):
                return False
        return True

    def suite(self, body: cst.BaseSuite) -> bool:
        """Run the body of a compound statement."""
        return self.block(body.body)

    def _expression(self, node: cst.Expr) -> bool:
        if isinstance(node.value, cst.Attribute):
            named = expressions.callee(self, node.value)
            value = expressions.plain(named)
            constructors.named(self, value, node.value)
            idle.named(self, named, node.value)
        else:
            value = expressions.evaluate(self, node.value)
            if isinstance(value, expressions.GradMode):
                contexts.switch_grad_mode(self, value, node.value)
        if isinstance(node.value, (cst.Attribute, cst.Name)):
            clipping.named(self, value, node.value)
        missed_flags.stated(self, node.value)
        return not (isinstance(node.value, cst.Call) and value is expressions.NEVER)

    def _assign(self, node: cst.Assign) -> bool:
        lost_updates.assigned(self, node)
        value = expressions.evaluate(self, node.value)
        if isinstance(value, Const) and isinstance(node.value, cst.BinaryOperation) and self._counts(node):
            value = UNKNOWN
        if isinstance(value, Unknown):
            value = torch_identity.loaded_in_place(self, node, value)
        for target in node.targets:
            assignment.assign(self, target.target, value)
        return True

    def _counts(self, node: cst.Assign) -> bool:
        """Whether ``x = x + 1`` stands where it may run any number of times."""
        target = node.targets[0].target
        own = isinstance(node.value, cst.BinaryOperation) and node.value.left.deep_equals(target)
        return own and (self.unknown_rounds > 0 or isinstance(target, cst.Attribute))

    def _annotated(self, node: cst.AnnAssign) -> bool:
        if node.value is not None:
            assignment.assign(self, node.target, expressions.evaluate(self, node.value))
        elif self.frame.is_class and isinstance(node.target, cst.Name):
            self.frame.variables.setdefault("#fields", {})[node.target.value] = ABSENT
        if self.frame.is_class and isinstance(node.target, cst.Name):
            self.frame.variables.setdefault("#fields", {})[node.target.value] = self.frame.variables.get(
                node.target.value, ABSENT
            )
        return True

    def _augmented(self, node: cst.AugAssign) -> bool:
        assignment.augment(self, node)
        return True

    def _return(self, node: cst.Return) -> bool:
        value = Const(None) if node.value is None else expressions.evaluate(self, node.value)
        if self.frame.exits is not None:
            self.frame.exits.leave(value)
        return False

    def _raise(self, node: cst.Raise) -> bool:
        if node.exc is not None:
            expressions.evaluate(self, node.exc)
        return False

    def _break(self, _: cst.Break) -> bool:
        if self.frame.loops:
            self.frame.loops[-1].breaks.leave()
        return False

    def _continue(self, _: cst.Continue) -> bool:
        if self.frame.loops:
            self.frame.loops[-1].continues.leave()
        return False

    def _global(self, node: cst.Global) -> bool:
        self.frame.global_names.update(item.name.value for item in node.names)
        return True

    def _nonlocal(self, node: cst.Nonlocal) -> bool:
        self.frame.nonlocal_names.update(item.name.value for item in node.names)
        return True

    def _assert(self, node: cst.Assert) -> bool:
        known = truth.truth(expressions.evaluate(self, node.test))
        if known is not False:
            truth.narrow(self, node.test, True)
        return known is not False

    def _delete(self, node: cst.Del) -> bool:
        targets = node.target.elements if isinstance(node.target, cst.Tuple) else [node.target]
        for target in targets:
            assignment.delete(self, target.value if isinstance(target, cst.BaseElement) else target)
        return True

    def _function(self, node: cst.FunctionDef) -> bool:
        functions.define_function(self, node)
        return True

    def _class(self, node: cst.ClassDef) -> bool:
        functions.define_class(self, node)
        return True

    def _import(self, node: cst.Import) -> bool:
        imports.import_modules(self, node)
        return True

    def _import_from(self, node: cst.ImportFrom) -> bool:
        imports.import_names(self, node)
        return True

    def _if(self, node: cst.If) -> bool:
        value = expressions.evaluate(self, node.test)
        known = truth.truth(value)
        if known is True:
            outer, self.for_type_checkers = self.for_type_checkers, value == _TYPE_CHECKING
            try:
                return self.suite(node.body)
            finally:
                self.for_type_checkers = outer
        if known is False:
            return self._else(node.orelse)

        def taken() -> bool:
            truth.narrow(self, node.test, True)
            return self._branch(node, True, lambda: self.suite(node.body))

        def not_taken() -> bool:
            truth.narrow(self, node.test, False)
            return self._branch(node, False, lambda: self._else(node.orelse))

        return self.fork([taken, not_taken])

    def _branch(self, node: cst.If, outcome: bool, follow: Callable[[], bool]) -> bool:
        self.branches.append((node, outcome))
        try:
            return follow()
        finally:
            self.branches.pop()

    def _else(self, orelse: cst.If | cst.Else | None) -> bool:
        if orelse is None:
            return True
        if isinstance(orelse, cst.If):
            self.frame.statement = orelse
            return self._if(orelse)
        return self.suite(orelse.body)

    def _for(self, node: cst.For) -> bool:
        value = expressions.evaluate(self, node.iter)
        idle.used(self, value, node.iter, "iteration")
        self.reader = (self.frame, node.iter, "for")
        steps, items = iteration.begun(self, value)
        self.reader = None
        recorded = len(self.events)
        rounds = iteration.rounds(self, items)
        total = iteration.count(value, items)
        repeated = iteration.is_repetition(value) and not self._decides(node)
        loop = Loop(Exits(self.heap), Exits(self.heap), value)
        beginning = pace.Beginning(self)
        live = True
        unknown = (items.many or iteration.is_repetition(value)) and not any(
            isinstance(element, Const) for element in rounds
        )
        if unknown and self.later_rounds:
            rounds = rounds[:1]
        self.unknown_rounds += unknown
        later = self.later_rounds
        steadiness = self._steadiness(node) if repeated else None
        try:
            for count, element in enumerate(rounds, 1):
                if not live:
                    break
                again = count > 1 and (unknown or repeated)
                standing = pace.Standing(self, loop, beginning) if count > 1 and unknown else None
                self.later_rounds = later + again
                if steps is not None:
                    steps.stand((count,))
                mark, serial = self.heap.mark(), next_serial()
                try:
                    live = self._doubtful_round(node, loop, element, total)
                except pace.Repetitive:
                    if standing is None or not standing.may_go_back:
                        raise
                    standing.go_back()
                    break
                if standing is not None:
                    standing.leave()
                if live and steadiness is not None and steadiness.reached(mark, serial, count):
                    break
        finally:
            self.unknown_rounds -= unknown
            self.later_rounds = later
        if live and steps is not None:
            steps.finish()
        modes.loop_ran(self, node, value, total, recorded)
        if live:
            missed_flags.looped(self, node, value, items, recorded)
        if live and node.orelse is not None:
            live = self.suite(node.orelse.body)
        broke = loop.breaks.used
        loop.breaks.close(live)
        return live or broke

    def _steadiness(self, node: cst.For) -> Steadiness:
        targets = assignment.target_names(node.target)
        return Steadiness(self.heap, next_serial(), self.frame.variables, targets)

    def _decides(self, node: cst.For) -> bool:
        """Whether a known loop variable is compared in the body, so that a later round may do something new."""
        decided = self._deciding.get(node)
        if decided is None:
            code = self.frame.context.part.code(node.body)
            names = "|".join(map(re.escape, assignment.target_names(node.target))) or "$^"
            name = rf"\b(?:{names})\b"
            tested = rf"\b(?:if|while|elif)\b[^\n]*{name}|[=<>%]\s*{name}|{name}\s*(?:[=!<>]=|[<>%]|in\b)"
            decided = re.search(tested, code) is not None
            self._deciding[node] = decided
        return decided

    def _doubtful_round(self, node: cst.For, loop: Loop, element: Value, total: int | None) -> bool:
        """A round; one for an element that may not be there may not happen."""
        if isinstance(element, Choice) and ABSENT in element.options:
            present = truth.without_absent(element)
            return self.fork([lambda: self._round(node, loop, present, total), lambda: True])
        return self._round(node, loop, element, total)

    def _round(self, node: cst.For, loop: Loop, element: Value, total: int | None) -> bool:
        self.step()
        place = Site(self.frame.context.part, node, node)
        loop.begin_round(self.heap, place, self.conditional, count=total, element=element)
        frame = self.frame
        frame.statement = node
        assignment.assign(self, node.target, element)
        frame.loops.append(loop)
        try:
            live = self.suite(node.body)
        finally:
            frame.loops.pop()
        again = loop.continues.used
        loop.continues.close(live)
        return live or again

    def _while(self, node: cst.While) -> bool:
        if truth.truth(expressions.evaluate(self, node.test)) is False:
            return self.suite(node.orelse.body) if node.orelse is not None else True
        endless = isinstance(node.test, cst.Name) and node.test.value == "True"
        counted = not endless and self._counts_to_a_small_number(node.test)
        loop = Loop(Exits(self.heap), Exits(self.heap))
        self.unknown_rounds += not counted
        try:
            live = self._while_rounds(node, loop, counted)
        finally:
            self.unknown_rounds -= not counted
        broke = loop.breaks.used
        if endless and broke:
            live = False
        loop.breaks.close(live)
        return live or broke

    def _counts_to_a_small_number(self, test: cst.BaseExpression) -> bool:
        """Whether a ``while`` compares with a number so small that all its rounds can be run."""
        if not isinstance(test, cst.Comparison) or len(test.comparisons) != 1:
            return False
        sides = (test.left, test.comparisons[0].comparator)
        numbers = [expressions.evaluate(self, side) for side in sides]
        return all(
            isinstance(number, Const)
            and isinstance(number.value, int)
            and number.value <= iteration.MAX_RANGE
            for number in numbers
        )

    def _while_rounds(self, node: cst.While, loop: Loop, counted: bool) -> bool:
        live = True
        recorded = len(self.events)
        beginning = pace.Beginning(self)
        unknown = 1 if self.later_rounds else iteration.UNKNOWN_ROUNDS
        for count in range(iteration.MAX_RANGE if counted else unknown):
            if not live:
                return False
            recorded = len(self.events)
            loop.begin_round(self.heap, Site(self.frame.context.part, node, node), self.conditional)
            self.frame.loops.append(loop)
            earlier, again = self.later_rounds, count > 0 and not counted
            standing = pace.Standing(self, loop, beginning) if again else None
            self.later_rounds = earlier + again
            try:
                live = self.suite(node.body)
            except pace.Repetitive:
                if standing is None or not standing.may_go_back:
                    raise
                standing.go_back()
                break
            else:
                if standing is not None:
                    standing.leave()
            finally:
                self.later_rounds = earlier
                self.frame.loops.pop()
            again = loop.continues.used
            loop.continues.close(live)
            live = live or again
            if live and truth.truth(expressions.evaluate(self, node.test)) is False:
                return True
        keras_trainable.goes_on(self, self.events[recorded:])
        return live

    def _with(self, node: cst.With) -> bool:
        code = self.frame.context.part.code
        expecting = any(_EXPECTING.search(code(item.item)) for item in node.items)

        def body() -> bool:
            self.catching += expecting
            try:
                return self.suite(node.body)
            finally:
                self.catching -= expecting

        return contexts.follow(self, node.items, body, code(node.body))

    def _try(self, node: cst.Try) -> bool:
        caught = any(_catches(clause, _VALUE_ERROR) for clause in node.handlers)
        handled = any(self._handles_runtime_error(clause) for clause in node.handlers)

        def attempt() -> bool:
            self.catching += caught
            self.handling += handled
            try:
                live = self.suite(node.body)
            finally:
                self.catching -= caught
                self.handling -= handled
            if live and node.orelse is not None:
                live = self.suite(node.orelse.body)
            return live

        def handler(clause: cst.ExceptHandler) -> Callable[[], bool]:
            def run() -> bool:
                if clause.name is not None and isinstance(clause.name.name, cst.Name):
                    self.bind(clause.name.name.value, UNKNOWN)
                return self.suite(clause.body)

            return run

        arms = [attempt, *(handler(clause) for clause in node.handlers if not _only_for_imports(clause))]
        live = self.fork(arms)
        if node.finalbody is not None:
            live = self.suite(node.finalbody.body) and live
        return live

    def _handles_runtime_error(self, clause: cst.ExceptHandler) -> bool:
        """Whether a handler takes a ``RuntimeError`` and does not pass it on."""
        if not _catches(clause, _RUNTIME_ERROR):
            return False
        return re.search(r"\braise\b", self.frame.context.part.code(clause.body)) is None

    def _match(self, node: cst.Match) -> bool:
        subject = expressions.evaluate(self, node.subject)

        def arm(case: cst.MatchCase) -> Callable[[], bool]:
            def run() -> bool:
                for name in assignment.pattern_names(case.pattern):
                    self.bind(name, expressions.opaque(self, [subject]))
                return self.suite(case.body)

            return run

        arms: list[Callable[[], bool]] = []
        for case in node.cases:
            known = truth.pattern_matches(self, case, subject)
            if known is not False:
                arms.append(arm(case))
            if known is True:
                return self.fork(arms)
        arms.append(lambda: True)
        return self.fork(arms)


_TYPE_CHECKING = External("typing.TYPE_CHECKING")
#: Handlers and contexts that take the errors which optimizers raise.
_VALUE_ERROR = frozenset({"ValueError", "TypeError", "Exception", "BaseException"})
_RUNTIME_ERROR = frozenset({"RuntimeError", "NotImplementedError"})
_EXPECTING = regex(r"\b(?:raises|assertRaises\w*|suppress)\(")


def _catches(clause: cst.ExceptHandler, errors: frozenset[str]) -> bool:
    """Whether a handler takes one of some errors."""
    kind = clause.type
    if kind is None:
        return True
    elements = [e.value for e in kind.elements] if isinstance(kind, cst.Tuple) else [kind]
    return any(isinstance(element, cst.Name) and element.value in errors for element in elements)


def _only_for_imports(clause: cst.ExceptHandler) -> bool:
    """Handlers of a missing package: the analysis takes it that what is imported is there."""
    kind = clause.type
    elements = [e.value for e in kind.elements] if isinstance(kind, cst.Tuple) else [kind]
    names = {element.value for element in elements if isinstance(element, cst.Name)}
    return bool(names) and names <= {"ImportError", "ModuleNotFoundError"}


_STATEMENTS: dict[type, Callable[..., bool]] = {
    cst.Expr: Interpreter._expression,
    cst.Assign: Interpreter._assign,
    cst.AnnAssign: Interpreter._annotated,
    cst.AugAssign: Interpreter._augmented,
    cst.Return: Interpreter._return,
    cst.Raise: Interpreter._raise,
    cst.Break: Interpreter._break,
    cst.Continue: Interpreter._continue,
    cst.Global: Interpreter._global,
    cst.Nonlocal: Interpreter._nonlocal,
    cst.Assert: Interpreter._assert,
    cst.Del: Interpreter._delete,
    cst.FunctionDef: Interpreter._function,
    cst.ClassDef: Interpreter._class,
    cst.Import: Interpreter._import,
    cst.ImportFrom: Interpreter._import_from,
    cst.If: Interpreter._if,
    cst.For: Interpreter._for,
    cst.While: Interpreter._while,
    cst.With: Interpreter._with,
    cst.Try: Interpreter._try,
    cst.TryStar: Interpreter._try,
    cst.Match: Interpreter._match,
}
