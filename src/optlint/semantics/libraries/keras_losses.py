"""The loss functions of a program that are given to ``compile``: whether any gradient gets through them.

``keras_training`` asks when a model is fitted. What happens inside is followed as under a tape, and taken back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlint.semantics import attributes, tapes
from optlint.semantics.libraries import tensorflow_tapes
from optlint.semantics.tape_events import GradientsTaken
from optlint.semantics.values import (
    UNKNOWN,
    Arguments,
    Flow,
    Function,
    Instance,
    LibraryClass,
    Method,
    UserClass,
    Value,
)
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

#: Other ways for a gradient than the loss: where a program has them, nothing is said.
_OTHER_WAYS = ("add_loss", "regularizer", "compute_loss", "train_step")
_JUDGED = "#loss judged"


def compiled(it: Interpreter, model: Instance, arguments: Arguments) -> None:
    """``model.compile(…, loss=…)``."""
    it.heap.set(model.slots, "#loss", arguments.get(1, "loss") or UNKNOWN)
    it.heap.set(model.slots, _JUDGED, False)


def fitted(it: Interpreter, model: Instance, node: cst.CSTNode) -> None:
    """A model is fitted: follow its loss from a prediction on, and note what reaches that back."""
    loss = model.slots.get("#loss", UNKNOWN)
    function = _function(loss)
    if function is None or model.slots.get(_JUDGED) is not False or it.catching or not it.keras.tensorflow:
        return
    it.heap.set(model.slots, _JUDGED, True)
    if any(word in source.text for source in it.sources.values() for word in _OTHER_WAYS):
        return
    tape = Instance(LibraryClass(tensorflow_tapes.TAPE), it.site(node))
    before = (it.recording.used, it.recording.matter)
    it.recording.matter = (len(it.sources), True)
    prediction = tapes.new_variable(it, model.site, model)
    leaves = tuple(prediction.taint)
    recorded, mark = len(it.events), it.heap.mark()
    leave = tapes.enter(it, tape)
    try:
        given = Flow(frozenset(tapes.watched(leaf, tape) for leaf in leaves))
        reach = tapes.reach(it, tape, _called(it, function, given))
    finally:
        leave()
        it.heap.rollback(mark)
        del it.events[recorded:]
        it.recording.used, it.recording.matter = before
    it.record(
        GradientsTaken(
            it.site(node), bool(it.conditional), tape, UNKNOWN, leaves, True, reach, (), None, None, it.entry,
            fitted=model,
        )
    )  # fmt: skip


def _function(loss: Value) -> Function | Method | None:
    """The code of a loss that the program has written: a function, or the ``call`` of a loss class."""
    if isinstance(loss, Function):
        return loss
    if isinstance(loss, Instance) and isinstance(loss.cls, UserClass):
        method = attributes.user_method(loss, "call")
        return None if method is None else Method(loss, "call", method)
    return loss if isinstance(loss, Method) and loss.function is not None else None


def _called(it: Interpreter, function: Function | Method, prediction: Value) -> Value:
    from optlint.semantics import functions

    given = Arguments((UNKNOWN, prediction))
    if isinstance(function, Function):
        return functions.invoke(it, function, given)
    assert function.function is not None
    return functions.invoke(it, function.function, given, function.receiver)
