"""OPT104: an optimizer that is given something else than parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optlint.finding import Finding
from optlint.rules import framework_words
from optlint.rules.base import Rule

if TYPE_CHECKING:
    from optlint.semantics.program import Run
    from optlint.semantics.questions.wrong_arguments import WrongArgument

_GROUPS = '[{"params": …}]'
_NO_TENSOR = "`TypeError: optimizer can only optimize Tensors`"


class WrongParamsArgument(Rule):
    """An optimizer gets something else than a list of parameters.

    The model itself, `model.parameters` without parentheses, layers, the keys of a dict, lists within a list: torch
    refuses them when the optimizer is built. Worse is what it takes: tuples, of which it reads the first part as a
    name, the tensors of `state_dict()`, and copies of the parameters. Those raise nothing and do not train.

    Trainers want the optimizer itself, and in the form that they know: Lightning from `configure_optimizers`, the
    `Trainer` of transformers as `optimizers=(optimizer, scheduler)`.
    """

    code = "OPT104"
    name = "wrong-params-argument"
    at_run_time = """\
`optim.Adam(model)` raises `TypeError: 'Net' object is not iterable`, `optim.Adam(model.parameters)` raises `TypeError:
'method' object is not iterable`, and a list with anything but tensors raises `TypeError: optimizer can only optimize
Tensors, but one of the params is …`. Three forms are silent. Each tuple is taken as (name, parameter), whatever its
first part is: of `[(layer.weight, layer.bias)]` and `zip(a.parameters(), b.parameters())` only the second tensors
train. The tensors of `state_dict()` want no gradient, so none of them changes. And the optimizer of copies
(`[nn.Parameter(p) for p in model.parameters()]`) moves nothing, since no gradient reaches a copy.

What raises before the optimizer sees it belongs here, too: `a.parameters() + b.parameters()`, `model.parameters()[-2:]`,
`p.requires_grad` of the pairs that `named_parameters()` gives, and `p in [q, r]`, which compares number by number. So do
parameters that an optimizer cannot train: groups for `LBFGS`, biases for `Muon`, sparse embeddings for `Adam`, and
anything else for `SparseAdam`; the last two raise in the first `step()`.

Lightning raises `MisconfigurationException: Unknown configuration for model optimizers` for parameters, a class, or
`(optimizer, scheduler)`; without a `return` it only warns, runs without an optimizer, and nothing changes."""
    bad = """\
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.Adam(model.parameters, lr=1e-3)
"""
    good = """\
from torch import nn, optim

model = nn.Linear(4, 2)
optimizer = optim.Adam(model.parameters(), lr=1e-3)
"""
    silent = (
        "`named_parameters()`, `nn.ParameterList`, param groups in a tuple or generator: torch takes them",
        "the value comes from code that cannot be followed, or is right on some path that reaches the optimizer",
        "the program expects the error (`pytest.raises`, `try`)",
        "the optimizer is a class of the user's own, which may take what it likes",
    )
    misses = (
        "copies that are made in code that cannot be followed",
        "the submodules of a ready-made model where single parameters are wanted",
        "`p in [q, …]` in files that use `id(…)`, or where no parameter is known to have two dimensions",
    )

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield a finding for each optimizer, group or expression that is given no parameters."""
        from optlint.semantics import repairs
        from optlint.semantics.questions.wrong_arguments import wrong_arguments

        for wrong in run.ask(wrong_arguments):
            message, advice = _words(wrong)
            yield self.finding(
                wrong.site,
                message=message,
                help=advice,
                related=tuple(site.related(label) for site, label in wrong.related),
                fix=repairs.part_called(wrong.site, wrong.told) if wrong.kind == "uncalled" else None,
            )
        yield from self._of_frameworks(run)

    def _of_frameworks(self, run: Run) -> Iterator[Finding]:
        """Where a trainer looks for its optimizer and finds something else."""
        from optlint.semantics.questions.framework_optimizers import framework_optimizers

        for missing in run.ask(framework_optimizers):
            message, advice = framework_words.words(missing)
            made = missing.made
            related = (made.site.related("it is built here"),) if made is not None else ()
            yield self.finding(missing.site, message=message, help=advice, related=related)


def _words(wrong: WrongArgument) -> tuple[str, str]:
    """What the finding says, and what to write instead."""
    what, error, advice = _WORDS.get(wrong.kind, _of_pair)(wrong)
    if not error:
        return what, advice
    subject = "this" if wrong.early or not wrong.optimizer else f"`{wrong.optimizer}`"
    if what.startswith(subject):
        subject = "it"
    return f"{what}: {subject} raises {error}", advice


Words = tuple[str, str, str]


def _quoted(text: str, otherwise: str) -> str:
    return f"`{text}`" if text else otherwise


def _call(wrong: WrongArgument, arguments: str) -> str:
    """The optimizer called with other arguments."""
    return f"`{wrong.optimizer or 'Adam'}({arguments}, …)`"


def _not_iterable(wrong: WrongArgument) -> str:
    if wrong.element:
        return _NO_TENSOR
    return f"`TypeError: '{wrong.type_name}' object is not iterable`" if wrong.type_name else "`TypeError`"


def _module(wrong: WrongArgument) -> Words:
    name = wrong.told or "model"
    what = f"{_quoted(wrong.told, 'a module')} is a module, not its parameters"
    return what, _not_iterable(wrong), f"give it the parameters: {_call(wrong, f'{name}.parameters()')}"


def _modules(wrong: WrongArgument) -> Words:
    text = wrong.told
    what = f"{_quoted(text, 'the list')} holds layers, not parameters"
    owner = text.rsplit(".", 1)[0] if text.endswith("()") else text
    if not owner or any(sign in owner for sign in "([{"):
        owner = "model"
    advice = f"`parameters()` goes through all layers by itself: {_call(wrong, f'{owner}.parameters()')}"
    return what, _NO_TENSOR, advice


def _uncalled(wrong: WrongArgument) -> Words:
    name = wrong.told or "model.parameters"
    return f"`{name}` is not called", _not_iterable(wrong), f"call it: `{name}()`"


def _class(wrong: WrongArgument) -> Words:
    name = wrong.told or "Net"
    what = f"`{name}` is a class, and nothing of it was made"
    advice = f"make the model first: `model = {name}(…)`, then {_call(wrong, 'model.parameters()')}"
    return what, "`TypeError`" if wrong.early else _not_iterable(wrong), advice


def _none(wrong: WrongArgument) -> Words:
    if not wrong.element:
        advice = f"give it what it has to train: {_call(wrong, 'model.parameters()')}"
        return f"{_quoted(wrong.told, 'the argument')} is None", _not_iterable(wrong), advice
    advice = "take `layer.parameters()`, or leave it out: a layer with `bias=False` has no bias"
    return "one of the parameters is None", _NO_TENSOR, advice


def _text(wrong: WrongArgument) -> Words:
    advice = f"give it the tensors, not their names: {_call(wrong, 'model.parameters()')}"
    return f"{_quoted(wrong.told, 'the list')} gives strings, not parameters", _NO_TENSOR, advice


def _number(wrong: WrongArgument) -> Words:
    advice = f"parameters come first: {_call(wrong, 'model.parameters()')}"
    return f"{_quoted(wrong.told, 'a parameter')} is a number", _not_iterable(wrong), advice


def _order(wrong: WrongArgument) -> Words:
    return (
        "the parameters come first, then the learning rate",
        "`TypeError`",
        f"change the order: {_call(wrong, 'model.parameters(), lr=…')}",
    )


def _missing(wrong: WrongArgument) -> Words:
    advice = f"give it what it has to train: {_call(wrong, 'model.parameters()')}"
    return f"`{wrong.optimizer}` is called without parameters", "`TypeError`", advice


def _optimizer(wrong: WrongArgument) -> Words:
    advice = f"give it parameters: {_call(wrong, 'model.parameters()')}"
    return f"{_quoted(wrong.told, 'the argument')} is an optimizer", _not_iterable(wrong), advice


def _dict(wrong: WrongArgument) -> Words:
    name = wrong.told if wrong.told.isidentifier() else "parameters"
    advice = f"give it the tensors: {_call(wrong, f'{name}.values()')}"
    return f"iterating over {_quoted(wrong.told, 'a dict')} gives its keys", _NO_TENSOR, advice


def _state_dict_keys(wrong: WrongArgument) -> Words:
    advice = f"give it the parameters, which alone can train: {_call(wrong, 'model.parameters()')}"
    return f"iterating over {_quoted(wrong.told, 'a state dict')} gives names", _NO_TENSOR, advice


def _group_alone(wrong: WrongArgument) -> Words:
    return (
        "the param group is not in a list, so its keys count",
        _NO_TENSOR,
        f"put it into a list: {_call(wrong, _GROUPS)}",
    )


def _tensor(wrong: WrongArgument) -> Words:
    what = f"{_quoted(wrong.told, 'the argument')} is one tensor, not a list of tensors"
    error = "`TypeError: params argument … should be an iterable of Tensors or dicts`"
    listed = f"[{wrong.told or 'w'}]"
    return what, error, f"put it into a list: {_call(wrong, listed)}"


def _nested(wrong: WrongArgument) -> Words:
    what = f"{_quoted(wrong.told, 'a list')} stands among the parameters as one of them"
    return what, _NO_TENSOR, "put all into one list: `[*a.parameters(), *b.parameters()]`"


def _mixed_groups(wrong: WrongArgument) -> Words:
    advice = 'make a group of each part: `[{"params": a.parameters()}, {"params": [w]}]`'
    return "param groups and parameters are mixed in one list", "`TypeError`", advice


def _no_params(wrong: WrongArgument) -> Words:
    advice = 'name the parameters so: `{"params": …}`'
    return 'a param group has no `"params"`', "`KeyError: 'params'`", advice


def _set(wrong: WrongArgument) -> Words:
    error = "`TypeError: optimizer parameters need to be organized in ordered collections`"
    return "the parameters of a group are a set", error, "use a list"


def _mixed_names(wrong: WrongArgument) -> Words:
    advice = "take `named_parameters()` for all of them, or `parameters()` for all of them"
    return "some parameters come with names, others without", "`ValueError`", advice


def _short_pair(wrong: WrongArgument) -> Words:
    advice = "take the parameter out of its tuple"
    return "a tuple among the parameters is read as (name, parameter)", "`IndexError`", advice


def _pair(wrong: WrongArgument) -> Words:
    text = _quoted(wrong.told, "each tuple")
    what = f"`{wrong.optimizer}` reads {text} as (name, parameter): the first tensor never trains, and nothing is raised"
    return what, "", "list the tensors one by one: `[*a.parameters(), *b.parameters()]`"


def _state_dict(wrong: WrongArgument) -> Words:
    what = (
        f"the tensors of `state_dict()` want no gradient: `{wrong.optimizer}` takes them, and nothing trains"
    )
    return what, "", f"give it the parameters: {_call(wrong, 'model.parameters()')}"


def _copies(wrong: WrongArgument) -> Words:
    name = wrong.told or "model"
    what = (
        f"`{wrong.optimizer}` holds copies of the parameters of `{name}`: no gradient reaches them, "
        f"and `{name}` keeps its initial values"
    )
    return what, "", f"give it the parameters themselves: {_call(wrong, f'{name}.parameters()')}"


def _several_groups(wrong: WrongArgument) -> Words:
    error = "`ValueError: LBFGS doesn't support per-parameter options`"
    advice = "give it one list: `LBFGS([*a.parameters(), *b.parameters()], …)`"
    return "`LBFGS` takes no param groups", error, advice


def _muon(wrong: WrongArgument) -> Words:
    advice = "give it the matrices, and the rest to another optimizer: `[p for p in model.parameters() if p.ndim == 2]`"
    return "`Muon` takes 2-D parameters only, no biases or convolutions", "`ValueError`", advice


def _sparse(wrong: WrongArgument) -> Words:
    what = f"`{wrong.optimizer}` cannot train an embedding with `sparse=True`"
    return (
        what,
        "`RuntimeError` in `step()`",
        "give it to `SGD`, `Adagrad` or `SparseAdam`, or leave out `sparse=True`",
    )


def _dense(wrong: WrongArgument) -> Words:
    what = "`SparseAdam` trains embeddings with `sparse=True` only"
    advice = "give it those, and the rest to another optimizer: `Adam([*model.head.parameters()], …)`"
    return what, "`RuntimeError: SparseAdam does not support dense gradients` in `step()`", advice


def _array(wrong: WrongArgument) -> Words:
    return (
        f"{_quoted(wrong.told, 'a number or an array')} is no tensor",
        _NO_TENSOR,
        "give it the tensor itself",
    )


def _starred(wrong: WrongArgument) -> Words:
    advice = f"leave out the star: {_call(wrong, 'model.parameters()')}"
    return "`*` spreads the parameters over the optimizer's arguments", "an error", advice


def _subscript(wrong: WrongArgument) -> Words:
    advice = "make it a list first: `list(model.parameters())[…]`"
    return "an iterator of parameters has no elements by number", _not_subscriptable(wrong), advice


def _not_subscriptable(wrong: WrongArgument) -> str:
    return f"`TypeError: '{wrong.type_name}' object is not subscriptable`"


def _compared(wrong: WrongArgument) -> Words:
    what = "tensors in a list are looked for by comparing their numbers"
    advice = "compare objects: `any(p is q for q in …)`, or a set: `p in set(…)`"
    return what, "`RuntimeError`", advice


def _tested(wrong: WrongArgument) -> Words:
    error = "`RuntimeError: Boolean value of Tensor with more than one value is ambiguous`"
    return "`filter(None, …)` asks whether a tensor is true", error, "filter by `lambda p: p is not None`"


def _no_group(wrong: WrongArgument) -> Words:
    return (
        "`add_param_group` takes a dict",
        "`TypeError: param_group must be a dict`",
        'write `add_param_group({"params": …})`',
    )


def _sum(wrong: WrongArgument) -> Words:
    error = "`TypeError: unsupported operand type(s) for +`"
    return (
        "iterators of parameters cannot be added",
        error,
        "put them into one list: `[*a.parameters(), *b.parameters()]`",
    )


def _sum_of_lists(wrong: WrongArgument) -> Words:
    error = "`TypeError: can only concatenate list`"
    return "an iterator cannot be added to a list", error, "make it a list first: `list(model.parameters())`"


def _of_pair(wrong: WrongArgument) -> Words:
    name = wrong.kind.rpartition(".")[2]
    error = f"`AttributeError: 'tuple' object has no attribute '{name}'`"
    advice = "unpack it: `[p for n, p in model.named_parameters() if …]`, or use `model.parameters()`"
    return "`named_parameters()` gives (name, parameter) pairs", error, advice


_WORDS = {
    "module": _module,
    "modules": _modules,
    "uncalled": _uncalled,
    "class": _class,
    "none": _none,
    "text": _text,
    "number": _number,
    "order": _order,
    "missing": _missing,
    "optimizer": _optimizer,
    "dict": _dict,
    "state-dict-keys": _state_dict_keys,
    "group-alone": _group_alone,
    "tensor": _tensor,
    "nested": _nested,
    "mixed-groups": _mixed_groups,
    "no-params": _no_params,
    "set": _set,
    "mixed-names": _mixed_names,
    "short-pair": _short_pair,
    "pair": _pair,
    "state-dict": _state_dict,
    "copies": _copies,
    "several-groups": _several_groups,
    "muon": _muon,
    "sparse": _sparse,
    "dense": _dense,
    "array": _array,
    "starred": _starred,
    "subscript": _subscript,
    "compared": _compared,
    "tested": _tested,
    "no-group": _no_group,
    "sum": _sum,
    "sum-of-lists": _sum_of_lists,
}
