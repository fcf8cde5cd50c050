"""Whether code takes care of what a module keeps unregistered: gives it to an optimizer, registers or freezes it.

Shared by the questions about unregistered modules and parameters. A doubt is a yes.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from optlint.around.neighbours import takes
from optlint.deferred import regex
from optlint.semantics import handed
from optlint.semantics.questions.plain_containers import Kept
from optlint.semantics.repetition import is_reference
from optlint.semantics.values import Container, Function, Instance, Leaf, UserClass
from optlint.syntax import cst

if TYPE_CHECKING:
    from optlint.semantics.program import Run

#: Methods through which torch reaches what is registered; who writes them anew may reach the rest, too.
_REACHING = frozenset(
    [
        "_apply",
        "apply",
        "children",
        "cpu",
        "cuda",
        "load_state_dict",
        "modules",
        "named_children",
        "named_modules",
        "named_parameters",
        "parameters",
        "requires_grad_",
        "state_dict",
        "to",
        "train",
    ]
)
_ANY_ATTRIBUTE = regex(r"__dict__|\bvars\(|\bdir\(")
_BUILDS = regex(r"_*(?:make|build|init|create|reset|set_?up|add)", re.IGNORECASE)
#: Attributes that by their name are not meant to train.
_FIXED = regex(
    r"teacher|target|frozen|freeze|fixed|prior(?!it)|(?:^|_)ema|shadow|(?:^|_)ref(?:_|erence|$)|vgg|lpips|percept"
    r"|pretrain|snapshot|history|(?:^|_)old|backup|momentum",
    re.IGNORECASE,
)


def owner_takes_care(run: Run, one: Kept) -> bool:
    """Whether the owner's own code may register or move what it keeps in that attribute."""
    owner = one.owner
    if owner.open or handed.was_handed_unfinished(owner) or _FIXED.search(one.name):
        return True
    if handed.was_handed(one.outer) or handed.was_handed(one.inner) or _is_hidden_on_purpose(one):
        return True
    return any(_reaches(model, one.name) for model in run.models)


def _reaches(model: Instance, attribute: str) -> bool:
    """Whether a class overrides what torch goes through, and goes through that attribute there."""
    mention = re.compile(rf"\.{re.escape(attribute)}\b")
    for function in _methods(model):
        if function.name in ("__setattr__", "__getattribute__"):
            return True
        if function.name in _REACHING:
            code = _code(function)
            if mention.search(code) or _ANY_ATTRIBUTE.search(code):
                return True
    return False


def _methods(model: Instance) -> list[Function]:
    if not isinstance(model.cls, UserClass):
        return []
    bases = [base for base in model.cls.order() if isinstance(base, UserClass)]
    return [member for base in bases for member in base.slots.values() if isinstance(member, Function)]


def _code(function: Function) -> str:
    return function.context.part.code(function.node)  # type: ignore[no-any-return]


def _is_hidden_on_purpose(one: Kept) -> bool:
    """``self.encoder = [encoder]``: a list around one object keeps it from being registered, and is known for that."""
    outer = one.outer
    if not isinstance(outer, Container) or outer.site is None or one.name.endswith(("s", "list")):
        return False
    display = outer.site.node
    if (
        not isinstance(display, (cst.List, cst.Tuple))
        or not len(display.elements) == len(outer.items.values) == 1
    ):
        return False
    return one.holder is None and (isinstance(one.value, Instance) or is_reference(display.elements[0].value))


def is_touched(run: Run, leaf: Leaf) -> bool:
    """Whether the program trains, changes or hands over a parameter by itself."""
    return leaf in run.held or leaf in run.touched or handed.was_handed(leaf)


def wants_gradient(leaf: Leaf) -> bool:
    """Whether a parameter that nobody registered wants a gradient.

    Code that cannot be seen and has the whole model does not reach it, so that what it was before counts.
    """
    if leaf.requires_grad is None:
        return leaf.slots.get("#trained_before") is True
    return leaf.requires_grad is True


def other_code_may_take_it(run: Run, one: Kept) -> bool:
    """Whether code that this run does not follow mentions the attribute and may register it or train it."""
    cls = one.owner.cls
    if not isinstance(cls, UserClass):
        return True
    names = [base.name for base in cls.order() if isinstance(base, UserClass)]
    if any(_method_takes(function, one.name) for function in _methods(one.owner)):
        return True
    if _slices_take(cls, one.name, names):
        return True
    path = cls.context.part.module.path
    stem = os.path.splitext(os.path.basename(path))[0]
    return run.interpreter.project.takes(one.name, (stem, *names), path)


def _method_takes(function: Function, attribute: str) -> bool:
    """Whether a method gives out the attribute's parameters or registers it; builders of it were followed."""
    if function.name in ("__init__", "forward") or _BUILDS.match(function.name):
        return False
    code = _code(function)
    return f".{attribute}" in code and re.search(r"parameters\(|optim|add_module|regist", code) is not None


def _slices_take(cls: UserClass, attribute: str, names: list[str]) -> bool:
    own = cls.context.part
    return any(
        part is not own and takes(part.module.lines_text(part.first_line, part.last_line), attribute, names)
        for part in own.module.slices
    )
