"""Training frameworks: which of their objects an instance is, and which module of this folder knows it.

``calls``, ``functions`` and ``attributes`` ask here for constructors, methods and attributes; the knowledge itself is
in the module of each framework.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from optlint.semantics import families
from optlint.semantics.libraries import (
    accelerators,
    ignite,
    lightning,
    lightning_callbacks,
    lightning_modules,
    peft,
    transformers_trainer,
)
from optlint.semantics.values import Arguments, Instance, LibraryClass, UserClass, Value
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.interpreter import Interpreter

_LIGHTNING = ("lightning.", "pytorch_lightning.", "lightning_fabric.", "lightning_lite.")
ACCELERATORS = frozenset({"accelerate.Accelerator", "lightning.Fabric"})
LIGHTNING_TRAINER, TRANSFORMERS_TRAINER = "lightning.Trainer", "transformers.Trainer"
_DEEPSPEED = "torch.nn.DeepSpeedEngine"


@functools.lru_cache(maxsize=4096)
def canonical(name: str) -> str | None:
    """The name under which this module knows a class of a framework; None for any other."""
    package, last = name.split(".", 1)[0], name.rsplit(".", 1)[-1]
    if name.startswith(_LIGHTNING):
        if last in ("Fabric", "LightningLite"):
            return "lightning.Fabric"
        if last == "Trainer":
            return LIGHTNING_TRAINER
        if lightning_callbacks.is_callback_name(name):
            return f"lightning.callbacks.{last}"
    if package == "accelerate" and last == "Accelerator":
        return "accelerate.Accelerator"
    if package == "transformers":
        if last in ("Trainer", "Seq2SeqTrainer"):
            return TRANSFORMERS_TRAINER
        if transformers_trainer.is_callback_name(name):
            return f"transformers.{last}"
    return f"peft.{last}" if peft.is_configuration_name(name) else None


def kind(owner: Value) -> str | None:
    """Which class of a framework an instance is of, or which the user's class extends."""
    if not isinstance(owner, Instance):
        return None
    if isinstance(owner.cls, LibraryClass):
        name = owner.cls.qualified_name
        return name if name in (_DEEPSPEED, ignite.ENGINE, ignite.HANDLER) else canonical(name)
    if isinstance(owner.cls, UserClass):
        cached = owner.cls.slots.get("#framework", "")
        if cached == "":
            names = (canonical(base) for base in owner.cls.library_bases())
            cached = owner.cls.slots["#framework"] = next((name for name in names if name), None)
        return cached  # type: ignore[no-any-return]
    return None


def call(it: Interpreter, name: str, arguments: Arguments, node: cst.CSTNode) -> Value | None:
    """Call a class or function of a framework; None for anything else."""
    if name.endswith(".Trainer.from_argparse_args"):  # Lightning 1; no callbacks come from a command line
        name = name.removesuffix(".from_argparse_args")
        arguments = Arguments((), arguments.keywords)
    known = canonical(name)
    if known is not None:
        made = Instance(LibraryClass(known), it.site(node))
        initialise(it, made, name, arguments, node)
        return made
    for library in (peft.call, accelerators.call, ignite.call):
        result = library(it, name, arguments, node)
        if result is not None:
            return result
    return None


def decorated(it: Interpreter, decorator: Value, function: Value) -> None:
    """A function is decorated with an object of a framework, which may keep it to call it later."""
    if isinstance(decorator, Instance) and kind(decorator) == ignite.HANDLER:
        ignite.decorate(it, decorator, function)


def initialise(
    it: Interpreter, owner: Instance, base: str, arguments: Arguments, node: cst.CSTNode | None = None
) -> bool:
    """What a framework's constructor does to an instance; True when ``base`` is one of a framework's classes."""
    known = canonical(base)
    if known == LIGHTNING_TRAINER:
        lightning.initialise(it, owner, arguments)
    elif known == TRANSFORMERS_TRAINER:
        transformers_trainer.initialise(it, owner, arguments, node)
    elif known is not None and known.startswith("peft."):
        for key, value in arguments.keywords.items():
            it.heap.set(owner.slots, key, value)
        if arguments.open or arguments.positional:
            it.heap.set(owner.slots, "#open", True)
    return known is not None


def get_attribute(it: Interpreter, owner: Instance, name: str, node: cst.CSTNode) -> Value | None:
    """An attribute that a framework gives to its object; None for methods and for what is of no framework."""
    if families.is_lightning(owner.cls):
        return lightning_modules.get_attribute(it, owner, name)
    if peft.is_wrapper(owner):
        return peft.get_attribute(it, owner, name, node)
    known = kind(owner)
    if known in ACCELERATORS:
        return accelerators.get_attribute(it, owner, name)
    if known == LIGHTNING_TRAINER:
        return lightning.get_attribute(it, owner, name)
    if known == TRANSFORMERS_TRAINER:
        return transformers_trainer.get_attribute(it, owner, name)
    if known == ignite.ENGINE:
        return ignite.get_attribute(it, owner, name)
    return None


def call_method(
    it: Interpreter, owner: Instance, name: str, arguments: Arguments, node: cst.CSTNode
) -> Value | None:
    """A method that a framework gives to its object; None when it is of no framework."""
    known = kind(owner)
    if known in ACCELERATORS:
        return accelerators.call_method(it, owner, name, arguments, node)
    if known == LIGHTNING_TRAINER:
        return lightning.call_method(it, owner, name, arguments, node)
    if known == TRANSFORMERS_TRAINER:
        return transformers_trainer.call_method(it, owner, name, arguments, node)
    if known == ignite.ENGINE:
        return ignite.call_method(it, owner, name, arguments, node)
    if known == _DEEPSPEED:
        return accelerators.call_engine_method(it, owner, name, arguments, node)
    if peft.is_wrapper(owner):
        return peft.call_method(it, owner, name, arguments, node)
    return lightning_callbacks.call_method(it, owner, name, arguments, node)
