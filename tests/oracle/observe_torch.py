"""Watches a PyTorch program from inside its process: modules, values at the start, gradients at each step.

Made by ``runner`` before the program starts; knows torch and nothing of fixtures or claims.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.nn.parameter import is_lazy
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from tests.oracle.observation import Instance, Observation, TensorFate
from tests.oracle.walking import UserCode, paths_below

_OF_EVERY_MODULE = frozenset(vars(nn.Module()))


class TorchObserver:
    """Keeps strong references on purpose: what is collected could not be compared at the end."""

    def __init__(self, user_code: UserCode) -> None:
        self._user_code = user_code
        self._objects: dict[int, Any] = {}
        self._start: dict[int, tuple[Tensor, Tensor]] = {}
        self._ran: set[int] = set()
        self._ran_since_step: dict[int, nn.Module] = {}
        self._graded: set[int] = set()
        self._due: dict[int, Tensor] = {}
        self._steps = 0
        self._used: dict[int, Tensor] = {}
        self._piled_up = False
        self._steppers: dict[int, Optimizer] = {}
        self._state_lost = False
        self._backwards = 0
        self._clip_used = False
        #: Gradients that were clipped, with their values then.
        self._clipped: dict[int, tuple[Tensor, Tensor]] = {}
        self._rates: list[float] = []
        self._gradients: list[float] = []
        #: How often each module was called for the next step, and the backward passes since gradients were cleared.
        self._calls: dict[int, int] = {}
        self._passes = 0
        self._batches_lost = False
        self._places: set[str] = set()
        self._found_user_objects = False

    def install(self) -> None:
        """Hook into torch for the rest of the process."""
        original = nn.Module.__init__

        @functools.wraps(original)
        def remembering(module: nn.Module, *args: Any, **kwargs: Any) -> None:
            self._objects[id(module)] = module
            original(module, *args, **kwargs)

        setattr(nn.Module, "__init__", remembering)  # noqa: B010 - mypy refuses the plain assignment
        register_module_forward_pre_hook(self._before_forward)
        register_optimizer_step_pre_hook(self._before_step)
        self._count_backwards()
        self._watch_clipping()
        register_optimizer_step_post_hook(self._after_step)

    def observation(self) -> Observation:
        """What was seen, once the program has ended."""
        self._find_user_objects()
        tensors = [tensor for tensor, _ in self._start.values()]
        index = {id(tensor): number for number, tensor in enumerate(tensors)}
        objects = list(self._objects.values())
        return Observation(
            steps=self._steps,
            backwards=self._backwards,
            piled_up=self._piled_up,
            state_lost=self._state_lost,
            clip_used=self._clip_used,
            batches_lost=self._batches_lost,
            places=sorted(self._places),
            rates=self._rates,
            gradients=self._gradients,
            instances=[self._instance(thing, index) for thing in objects],
            tensors=self._fates(tensors),
        )

    def _before_forward(self, module: nn.Module, args: Any) -> None:
        if not torch.is_grad_enabled():
            return
        self._calls[id(module)] = self._calls.get(id(module), 0) + 1
        if id(module) in self._ran_since_step:
            return
        self._objects[id(module)] = module
        self._ran.add(id(module))
        self._ran_since_step[id(module)] = module
        self._remember_below(module)

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if not self._found_user_objects:
            self._found_user_objects = True
            self._find_user_objects()
        for thing in list(self._objects.values()):
            self._remember_below(thing)
        self._remember(_tensors_of(optimizer))
        self._see_gradients()
        self._see_used_gradients(optimizer)
        self._see_clipped_gradients(optimizer)
        self._see_lost_state(optimizer)
        self._see_place(optimizer)
        # What a framework passes off as an optimizer may have no group.
        self._rates += [float(group.get("lr", 0.0)) for group in optimizer.param_groups[:1]]

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        # A closure makes its forward and backward within step(): gradients and modules show up only here.
        self._steps += 1
        self._see_gradients()
        sizes = [_largest(t.grad) for t in _tensors_of(optimizer) if t.grad is not None and t.numel()]
        self._gradients.append(max(sizes, default=0.0))
        for tensor in _tensors_of(optimizer):
            if tensor.grad is not None:
                self._used[id(tensor)] = tensor.grad
        for module in self._ran_since_step.values():
            if module.training:
                self._due.update((id(p), p) for p in module.parameters() if p.requires_grad)
        owned = {id(p) for thing in self._objects.values() for p in _own_parameters(thing)}
        for tensor in _tensors_of(optimizer):
            if tensor.requires_grad and id(tensor) not in owned:
                self._due[id(tensor)] = tensor
        self._ran_since_step.clear()
        self._calls.clear()
        self._passes = 0

    def _find_user_objects(self) -> None:
        for thing in self._user_code.instances():
            self._objects.setdefault(id(thing), thing)

    def _remember_below(self, thing: Any) -> None:
        self._remember(value for _, value in paths_below(thing, self._children) if isinstance(value, Tensor))

    def _remember(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            if id(tensor) not in self._start and not is_lazy(tensor) and not tensor.is_meta:
                self._start[id(tensor)] = (tensor, tensor.detach().clone())

    def _see_gradients(self) -> None:
        for tensor, _ in self._start.values():
            if tensor.is_leaf and tensor.grad is not None:
                self._graded.add(id(tensor))

    def _see_used_gradients(self, optimizer: Optimizer) -> None:
        """What was not cleared is still the same tensor: backward adds to it in place."""
        for tensor in _tensors_of(optimizer):
            if tensor.grad is not None and self._used.get(id(tensor)) is tensor.grad:
                self._piled_up = self._piled_up or bool(tensor.grad.any())

    def _see_lost_state(self, optimizer: Optimizer) -> None:
        for tensor in _tensors_of(optimizer):
            before = self._steppers.get(id(tensor))
            if before is not None and before is not optimizer and type(before) is type(optimizer):
                self._state_lost = self._state_lost or _age(optimizer, tensor) < _age(before, tensor)
            self._steppers[id(tensor)] = optimizer

    def _see_place(self, optimizer: Optimizer) -> None:
        """In which functions a step is taken, and whether it uses the gradients of all that was computed."""
        self._batches_lost = self._batches_lost or max(self._calls.values(), default=0) > self._passes
        self._places |= self._user_code.functions_running()
        held = {id(tensor) for tensor in _tensors_of(optimizer)}
        ran = [m for m in self._ran_since_step.values() if any(id(p) in held for p in _own_parameters(m))]
        if ran and not any(module.training for module in ran):
            self._places.add("evaluation-mode")

    def _count_backwards(self) -> None:
        original = Tensor.backward

        @functools.wraps(original)
        def counting(tensor: Tensor, *args: Any, **kwargs: Any) -> None:
            cleared = not any(
                _has_gradient(p) for module in self._ran_since_step.values() for p in _own_parameters(module)
            )
            original(tensor, *args, **kwargs)
            self._backwards += 1
            self._passes = 1 if cleared else self._passes + 1

        setattr(Tensor, "backward", counting)  # noqa: B010 - mypy refuses the plain assignment

    def _watch_clipping(self) -> None:
        for name in ("clip_grad_norm_", "clip_grad_value_"):
            watching = functools.partial(self._clip, getattr(nn.utils, name))
            for module in (nn.utils, nn.utils.clip_grad):
                setattr(module, name, watching)
        original = Tensor.clamp_

        @functools.wraps(original)
        def clamping(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            result = original(tensor, *args, **kwargs)
            self._note_clipped([tensor])
            return result

        setattr(Tensor, "clamp_", clamping)  # noqa: B010 - mypy refuses the plain assignment

    def _clip(self, original: Callable[..., Any], parameters: Any, *args: Any, **kwargs: Any) -> Any:
        tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        result = original(tensors, *args, **kwargs)
        self._note_clipped([tensor.grad for tensor in tensors if tensor.is_leaf and tensor.grad is not None])
        return result

    def _note_clipped(self, gradients: list[Tensor]) -> None:
        """What a gradient is after clipping; by its memory, for ``p.grad.data`` shares that."""
        for gradient in gradients:
            self._clipped[gradient.data_ptr()] = (gradient, gradient.detach().clone())

    def _see_clipped_gradients(self, optimizer: Optimizer) -> None:
        for gradient in (tensor.grad for tensor in _tensors_of(optimizer) if tensor.grad is not None):
            found = None if gradient.is_sparse else self._clipped.get(gradient.data_ptr())
            self._clip_used = self._clip_used or (found is not None and torch.equal(found[1], gradient))

    def _children(self, value: Any) -> list[tuple[str, Any]] | None:
        if isinstance(value, nn.Module) and "_modules" in vars(value):
            # Statistics such as running_mean move by themselves; a buffer counts only if it wants a gradient.
            buffers = {name: b for name, b in value._buffers.items() if b is not None and b.requires_grad}
            named: dict[str, Any] = {**value._parameters, **buffers, **value._modules}
            plain = {name: child for name, child in vars(value).items() if name not in _OF_EVERY_MODULE}
            shared = dict(self._user_code.class_attributes(type(value)))
            return list({**shared, **plain, **named}.items())
        if not isinstance(value, (Tensor, type)) and self._user_code.owns_class(type(value)):
            shared = dict(self._user_code.class_attributes(type(value)))
            return list({**shared, **getattr(value, "__dict__", {})}.items())
        return None

    def _instance(self, thing: Any, index: dict[int, int]) -> Instance:
        below = list(paths_below(thing, self._children))
        tensors = {path: index[id(value)] for path, value in below if id(value) in index}
        took_part = any(id(value) in self._ran for value in (thing, *(value for _, value in below)))
        graded = any(id(value) in self._graded for _, value in below)
        own = self._user_code.owns_class(type(thing))
        return Instance(type(thing).__name__, own, took_part or graded, tensors)

    def _fates(self, tensors: list[Tensor]) -> list[TensorFate]:
        parameters = {
            id(p) for key in self._ran for p in self._objects[key].parameters() if isinstance(p, nn.Parameter)
        }
        return [
            TensorFate(
                moved=not torch.equal(tensor.detach(), self._start[id(tensor)][1]),
                graded=id(tensor) in self._graded,
                parameter=id(tensor) in parameters,
                due=id(tensor) in self._due,
            )
            for tensor in tensors
        ]


def _age(optimizer: Optimizer, tensor: Tensor) -> float:
    """How many steps of a tensor an optimizer remembers; one for those that do not count them."""
    state = optimizer.state.get(tensor)
    return float(state.get("step", 1)) if state else 0.0


def _has_gradient(tensor: Tensor) -> bool:
    return tensor.grad is not None and bool(tensor.grad.any())


def _own_parameters(thing: Any) -> list[Tensor]:
    parameters = vars(thing).get("_parameters", {}) if isinstance(thing, nn.Module) else {}
    return [p for p in parameters.values() if p is not None]


def _tensors_of(optimizer: Optimizer) -> list[Tensor]:
    groups = [group["params"] for group in optimizer.param_groups]
    return [tensor for params in groups if isinstance(params, list) for tensor in params]


def _largest(gradient: Tensor) -> float:
    if gradient.is_sparse:
        gradient = gradient.coalesce().values()
    return float(gradient.abs().max()) if gradient.numel() else 0.0
