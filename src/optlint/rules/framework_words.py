"""What OPT104 says where a training framework is given no optimizer that it can use.

``wrong_params_argument`` asks for it; it must not decide anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optlint.semantics.questions.framework_optimizers import NoOptimizer

_UNKNOWN = "Lightning raises `MisconfigurationException: Unknown configuration for model optimizers`"
_HOOK = "`configure_optimizers`"


def words(missing: NoOptimizer) -> tuple[str, str]:
    """The message and the help for one fact."""
    return _WORDS[f"{missing.framework}.{missing.kind}"](missing)


def _nothing(missing: NoOptimizer) -> tuple[str, str]:
    if missing.made is not None:
        name = missing.made.optimizer.cls_name
        message = (
            f"{_HOOK} builds `{name}` and does not return it: Lightning trains without, and nothing changes"
        )
        return message, "return it: `return optimizer`"
    message = f"{_HOOK} returns None: Lightning trains without an optimizer, and nothing changes"
    return message, "return one: `return torch.optim.Adam(self.parameters(), lr=…)`"


def _undefined(missing: NoOptimizer) -> tuple[str, str]:
    message = (
        f"`{missing.told}` has no {_HOOK}: "
        "`trainer.fit` raises `MisconfigurationException: No configure_optimizers() method defined`"
    )
    return (
        message,
        "add it: `def configure_optimizers(self): return torch.optim.Adam(self.parameters(), lr=…)`",
    )


def _empty(missing: NoOptimizer) -> tuple[str, str]:
    message = f"{_HOOK} returns an empty list: Lightning raises `IndexError: list index out of range`"
    return message, "return an optimizer, or None with `self.automatic_optimization = False`"


def _parameters(missing: NoOptimizer) -> tuple[str, str]:
    message = f"{_HOOK} returns parameters, not an optimizer: {_UNKNOWN}"
    return message, "build it: `return torch.optim.Adam(self.parameters(), lr=…)`"


def _class(missing: NoOptimizer) -> tuple[str, str]:
    message = f"{_HOOK} returns the optimizer's class, and no optimizer is made: {_UNKNOWN}"
    return message, "call it: `return torch.optim.Adam(self.parameters(), lr=…)`"


def _pair(missing: NoOptimizer) -> tuple[str, str]:
    message = f"{_HOOK} returns optimizer and scheduler side by side: {_UNKNOWN}"
    return message, "put each into a list: `return [optimizer], [scheduler]`"


def _no_key(missing: NoOptimizer) -> tuple[str, str]:
    message = f"{_HOOK} returns a dict without \"optimizer\": Lightning raises `KeyError: 'optimizer'`"
    return message, 'name it so: `return {"optimizer": optimizer, "lr_scheduler": scheduler}`'


def _list_in_dict(missing: NoOptimizer) -> tuple[str, str]:
    error = "`AttributeError: 'list' object has no attribute 'state'`"
    message = f'"optimizer" in what {_HOOK} returns is a list: Lightning raises {error}'
    return message, 'give it one optimizer: `{"optimizer": optimizer}`'


def _several(missing: NoOptimizer) -> tuple[str, str]:
    message = (
        f"{_HOOK} returns {missing.told} optimizers, and the trainer steps by itself: it raises "
        "`RuntimeError: Training with multiple optimizers is only supported with manual optimization`"
    )
    advice = "set `self.automatic_optimization = False` and step each in `training_step`, or use one with two groups"
    return message, advice


_TUPLE = "`optimizers=(optimizer, scheduler)`; the scheduler may be None"


def _single(missing: NoOptimizer) -> tuple[str, str]:
    message = (
        "`optimizers=` is one optimizer: `Trainer` raises `TypeError: cannot unpack non-iterable object`"
    )
    return message, f"give it a pair: {_TUPLE}"


def _not_two(missing: NoOptimizer) -> tuple[str, str]:
    elements = "1 element" if missing.told == "1" else f"{missing.told} elements"
    message = f"`optimizers=` has {elements}: `Trainer` unpacks two and raises `ValueError`"
    return message, f"give it a pair: {_TUPLE}"


def _first_parameters(missing: NoOptimizer) -> tuple[str, str]:
    message = (
        "`optimizers=` begins with parameters, not with an optimizer: "
        "`Trainer` raises `AttributeError: … has no attribute 'param_groups'`"
    )
    return message, "build it: `optimizers=(torch.optim.AdamW(model.parameters(), lr=…), None)`"


def _first_class(missing: NoOptimizer) -> tuple[str, str]:
    message = (
        "`optimizers=` begins with a class, and no optimizer is made: "
        "`Trainer` raises `AttributeError: … has no attribute 'param_groups'`"
    )
    return message, "call it: `optimizers=(torch.optim.AdamW(model.parameters(), lr=…), None)`"


def _order(missing: NoOptimizer) -> tuple[str, str]:
    message = "`optimizers=` has the scheduler first: `Trainer` takes it for the optimizer and raises"
    return message, "change the order: `optimizers=(optimizer, scheduler)`"


def _beside(missing: NoOptimizer) -> tuple[str, str]:
    name = missing.told
    message = f"`optimizers=` and `{name}=` are given together: `Trainer` raises `RuntimeError`"
    if name == "model_init":
        return message, "override `create_optimizer` in a subclass: the model does not exist yet"
    return message, f"give it one of the two: `optimizers=` or `{name}=`"


_WORDS: dict[str, Callable[[NoOptimizer], tuple[str, str]]] = {
    "lightning.nothing": _nothing,
    "lightning.undefined": _undefined,
    "lightning.empty": _empty,
    "lightning.parameters": _parameters,
    "lightning.class": _class,
    "lightning.pair": _pair,
    "lightning.no-key": _no_key,
    "lightning.list-in-dict": _list_in_dict,
    "lightning.several": _several,
    "transformers.single": _single,
    "transformers.not-two": _not_two,
    "transformers.first-parameters": _first_parameters,
    "transformers.first-class": _first_class,
    "transformers.order": _order,
    "transformers.beside": _beside,
}
