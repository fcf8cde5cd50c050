"""Variables and layers that a Keras model computes with and does not track, so that nothing trains them (OPT608).

The rule asks. Everything here needs evidence; a doubt is an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.deferred import dataclass, regex
from optlint.semantics import families, tapes, walking
from optlint.semantics.events import AttributeSet, ModelMade
from optlint.semantics.libraries import empty_variables, keras_trainable, untracked
from optlint.semantics.site import Site
from optlint.semantics.tape_events import GradientsTaken
from optlint.semantics.values import Function, Instance, UserClass, Value, options
from optlint.semantics.variable_events import LayerMadeInCall, UntrackedUsed

if TYPE_CHECKING:
    from optlint.semantics.program import Run


@dataclass(frozen=True)
class Untracked:
    """What no list of variables has in it.

    ``kind``: ``attribute`` (a ``tf.Variable`` of a layer), ``module`` (a ``tf.Module`` in one), or those of
    ``UntrackedUsed``. ``owner``: the class of the layer; ``layer``: it is a layer, not a variable; ``made``: where.
    """

    site: Site
    kind: str
    name: str
    owner: str
    layer: bool
    made: Site | None


#: Variables that are no weights by their type, or by what they are called.
_NO_FLOAT = regex(r"\bu?int(?:8|16|32|64)?\b|\bbool\b|\bstring\b")
_WHOLE = regex(r"Variable\(\s*(?:initial_value\s*=\s*)?[\[(]?\s*(?:-?\d+|True|False)\s*[,)\]]")
_STATE = regex(
    r"step|count|iter|state|queue|moving|running|ema\b|momentum|total|best|epoch|buffer|cache|seed|mask|pos|memory"
    r"|anneal|beta|temperature|rate\b|\blr|warm|kl_weight|threshold|version|initiali[sz]ed|fixed|frozen|const|num_|^n_",
    re.IGNORECASE,
)
_OTHERS = regex(r"teacher|target|frozen|momentum|ema|reference|pretrained|fixed|extractor|vgg", re.IGNORECASE)
#: A class that tells Keras itself what it has.
_TELLS = regex(r"_trainable_variables|_track|_non_trainable|def (?:trainable_)?(?:variables|weights)\b")


def untracked_variables(run: Run) -> Iterator[Untracked]:
    """Each of them once."""
    seen: set[tuple[str, int, str]] = set()
    for fact in (*_attributes(run), *_used(run)):
        place = (fact.site.path, fact.site.span().line, fact.name)
        if place not in seen:
            seen.add(place)
            yield fact


# -- attributes of layers --------------------------------------------------------------------------------------------


def _attributes(run: Run) -> Iterator[Untracked]:
    """``self.w = tf.Variable(…)``: Keras 3 on TensorFlow does not find it there."""
    keras = run.interpreter.keras
    if not keras.is_likely_3 or not keras.tensorflow:
        return
    for event in run.of(AttributeSet):
        owner = event.owner
        if not families.keras_kind(owner.cls) or not isinstance(owner.cls, UserClass):
            continue
        variables = [
            value for value in walking.within([event.value]) if untracked.package_of(value) == "tensorflow"
        ]
        kind = "attribute"
        if not variables:
            variables, kind = _of_module(event.value), "module"
        if not variables or not all(_is_weight(value) for value in variables):
            continue
        if (
            not _is_told(owner.cls)
            and _computes_with(owner.cls, event.name)
            and not _is_cared_for(run, event.name)
        ):
            if not _is_asked_for(run, variables):
                yield Untracked(
                    event.site, kind, event.name, owner.cls.name, False, untracked.made_at(variables[0])
                )


def _of_module(value: Value) -> list[Value]:
    """The variables of a ``tf.Module``."""
    if not isinstance(value, Instance) or not isinstance(value.cls, UserClass):
        return []
    if "tensorflow.Module" not in value.cls.library_bases() or families.keras_kind(value.cls):
        return []
    inner = [part for _, member in value.members() for part in walking.within([member])]
    return [part for part in inner if untracked.package_of(part) == "tensorflow"]


def _is_weight(variable: Value) -> bool:
    """Whether it holds floating numbers, so far as the text of the call tells."""
    made = untracked.made_at(variable)
    text = made.text() if made is not None else ""
    return bool(text) and not _NO_FLOAT.search(text) and not _WHOLE.search(text)


def _is_told(cls: UserClass) -> bool:
    return any(_TELLS.search(code) for code in map(_code, _users(cls)))


def _users(cls: UserClass) -> list[UserClass]:
    return [base for base in cls.order() if isinstance(base, UserClass)]


def _code(cls: UserClass) -> str:
    return str(cls.context.part.code(cls.node))


def _computes_with(cls: UserClass, name: str) -> bool:
    """Whether a method that is not there to make it reads it."""
    read = re.compile(rf"self\.{re.escape(name)}\b(?!\s*=[^=])")
    for base in _users(cls):
        for method in base.slots.values():
            if isinstance(method, Function) and method.name not in ("__init__", "build", "get_config"):
                if read.search(method.context.part.code(method.node)):
                    return True
    return False


def _is_cared_for(run: Run, name: str) -> bool:
    """Whether the program sets it, or trains it, by its name."""
    if _STATE.search(name):
        return True
    word = re.escape(name)
    touched = re.compile(
        rf"\b{word}(?:\[[^\]]*\])?\.(?:assign|scatter|load|trainable)|set_value\([^,\n]*\b{word}\b"
        rf"|\[[^\]\n]*\b{word}\b[^\]\n]*\]|(?:append|gradient|extend|watch|update_\w+)\([^\n]*\b{word}\b"
        rf"|var_list\s*=[^\n]*\b{word}\b|setattr\("
    )
    return any(touched.search(source.text) for source in run.interpreter.sources.values())


def _is_asked_for(run: Run, variables: list[Value]) -> bool:
    """Whether gradients are taken for one of them by itself."""
    leaves = {leaf for value in variables for leaf in tapes.variables_in(value)}
    return any(
        leaves & set(event.wanted) and "trainable" not in event.listed for event in run.of(GradientsTaken)
    )


# -- variables and layers from outside ---------------------------------------------------------------------------------


def _used(run: Run) -> Iterator[Untracked]:
    events = list(run.of(UntrackedUsed))
    if not events:
        return
    parts = _parts(run)
    for event in events:
        value = event.value
        if isinstance(value, Instance):
            name = event.name or run.name_of(value) or ""
            if event.kind == "call":
                name = name.rpartition(".")[2] or next(iter(_attribute_of(run, value)), "")
            if not name or id(value) in parts or not _is_left_alone(run, value, name):
                continue
            if event.kind == "call" and not _is_outside(value, event.owners):
                continue
            owner = event.owners[-1].cls.name if event.owners else ""
            yield Untracked(event.site, event.kind, name, owner, True, value.site)
        elif _is_weight(value) and not _is_asked_for(run, [value]):
            made = untracked.made_at(value)
            name = event.name or _assigned(made)
            if name and not _is_cared_for(run, name):
                yield Untracked(event.site, event.kind, name, "", False, made)


def _assigned(made: Site | None) -> str:
    """The name that a statement gives to what it makes."""
    if made is None:
        return ""
    target, equals, _ = made.part.code(made.statement).strip().partition("=")
    return target.strip() if equals and target.strip().isidentifier() else ""


def _attribute_of(run: Run, layer: Instance) -> Iterator[str]:
    sets = run.of(AttributeSet)
    return (event.name for event in sets if any(part is layer for part in walking.within([event.value])))


def _parts(run: Run) -> set[int]:
    """Identities of the layers that are part of some model or layer, or are made at each call."""
    found = {id(event.layer) for event in run.of(LayerMadeInCall)}
    for event in run.of(ModelMade):
        found |= {id(layer) for layer in _inside(event.model, 0)}
    return found


def _inside(model: Instance, depth: int) -> Iterator[Instance]:
    if not families.keras_kind(model.cls) or depth > keras_trainable.MAX_DEPTH:
        return
    for value in keras_trainable.layers_of(model).values:
        for option in options(value):
            if isinstance(option, Instance):
                yield option
                yield from _inside(option, depth + 1)


def _is_left_alone(run: Run, layer: Instance, name: str) -> bool:
    """Whether it should train and nobody else has it: no other model, no list of variables, no code not seen."""
    if not keras_trainable.can_be_judged(layer) or keras_trainable.is_frozen(layer) or _OTHERS.search(name):
        return False
    if layer.slots.get("#home") or layer.slots.get("#output") or layer.slots.get("#compiled"):
        return False
    if not empty_variables.will_have_weights(layer):
        return False
    asked = {leaf for event in run.of(GradientsTaken) for leaf in event.wanted}
    if any((role := tapes.role_of(leaf)) is not None and role.owner is layer for leaf in asked):
        return False
    listed = re.compile(
        rf"\b{re.escape(name)}\.(?:trainable|variables|weights|set_weights|load)|_layers\b|_track"
    )
    return not any(listed.search(source.text) for source in run.interpreter.sources.values())


def _is_outside(layer: Instance, owners: tuple[Instance, ...]) -> bool:
    """Whether none of those that compute has it, and all that they have is known."""
    if any(not keras_trainable.can_be_judged(o) or keras_trainable.layers_of(o).open for o in owners):
        return False
    return not any(part is layer for owner in owners for part in _inside(owner, 0))
