"""Hooks on a module's calls; a module without any pays one test per call."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.tensor import Tensor, is_grad_enabled
from workbench.tensor.capture import active

if TYPE_CHECKING:
    from .module import Module

_ids = itertools.count()


class RemovableHandle:
    """Takes a hook out again: `handle.remove()`, or at the end of a `with handle:` block."""

    def __init__(self, module: Module, kind: str, key: int) -> None:
        self._module = weakref.ref(module)
        self._kind = kind
        self.id = key

    def remove(self) -> None:
        """Remove the hook; a second call does nothing."""
        module = self._module()
        hooks = None if module is None else module.__dict__.get("_hooks")
        if hooks is None:
            return
        hooks[self._kind].pop(self.id, None)
        if not any(hooks.values()):
            module.__dict__.pop("_hooks")  # type: ignore[union-attr]

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def add(
    module: Module, kind: str, hook: Callable[..., Any], options: tuple[bool, ...], prepend: bool
) -> RemovableHandle:
    """Register `hook` on `module`, after the hooks of its kind that are there (or before)."""
    if not callable(hook):
        raise TypeError(f"a hook must be callable, got {type(hook).__name__}")
    hooks = module.__dict__.get("_hooks")
    if hooks is None:
        kinds = ("forward_pre", "forward", "backward_pre", "backward")
        active.module_changes += 1
        hooks = module.__dict__["_hooks"] = {name: {} for name in kinds}
    key = next(_ids)
    if prepend:
        hooks[kind] = {key: (hook, options), **hooks[kind]}
    else:
        hooks[kind][key] = (hook, options)
    return RemovableHandle(module, kind, key)


def call(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a module that has hooks."""
    hooks = module._hooks
    assert hooks is not None
    args, kwargs = _before(module, list(hooks["forward_pre"].values()), args, kwargs)
    watch = None
    if (hooks["backward"] or hooks["backward_pre"]) and is_grad_enabled():
        watch = _BackwardWatch(module, hooks)
        args = watch.enter(args)
    ran: set[int] = set()
    result = None
    try:
        result = module.forward(*args, **kwargs)
        for key, (hook, (with_kwargs, _)) in list(hooks["forward"].items()):
            ran.add(key)
            given = (args, kwargs, result) if with_kwargs else (args, result)
            changed = hook(module, *given)
            if changed is not None:
                result = changed
    except BaseException:
        for key, (hook, (with_kwargs, always)) in list(hooks["forward"].items()):
            if always and key not in ran:
                hook(module, *((args, kwargs, result) if with_kwargs else (args, result)))
        raise
    return result if watch is None else watch.leave(result)


def _before(
    module: Module, hooks: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for hook, (with_kwargs,) in hooks:
        if not with_kwargs:
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
            continue
        changed = hook(module, args, kwargs)
        if changed is None:
            continue
        if not (isinstance(changed, tuple) and len(changed) == 2):
            raise RuntimeError(
                "forward pre-hook must return None or a tuple of (new_args, new_kwargs), but "
                f"got {changed}"
            )
        args, kwargs = changed
    return args, kwargs


class _BackwardWatch:
    """Sees the gradients that enter and leave a module in one backward pass.

    Each tensor that goes in or out is passed through a view of itself, so that a hook sees the
    gradient of this call only, whatever else the tensor is used for.
    """

    def __init__(self, module: Module, hooks: dict[str, dict[int, Any]]) -> None:
        self.module = module
        self.before = [hook for hook, _ in hooks["backward_pre"].values()]
        self.after = [hook for hook, _ in hooks["backward"].values()]
        self.grad_output: list[Any] = []
        self.grad_input: list[Any] = []
        self.waiting = 0

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.grad_input = [None] * len(args)
        wanted = [i for i, x in enumerate(args) if isinstance(x, Tensor) and x.requires_grad]
        self.waiting = len(wanted) if self.after else 0
        made = list(args)
        for i in wanted if self.after else []:
            made[i] = args[i].view_as(args[i])
            made[i].register_hook(lambda grad, i=i: self._left(i, grad))
        return tuple(made)

    def leave(self, result: Any) -> Any:
        outputs = result if isinstance(result, tuple) else (result,)
        for x in outputs:
            if not isinstance(x, Tensor):
                kind = type(x).__name__
                raise RuntimeError(
                    f"backward hooks need a module that returns a tensor or a tuple of tensors; "
                    f"{type(self.module).__name__} returned {kind}"
                )
        self.grad_output = [None] * len(outputs)
        made = list(outputs)
        for i, x in enumerate(outputs):
            if x.requires_grad:
                made[i] = x.view_as(x)
                made[i].register_hook(lambda grad, i=i: self._arrived(i, grad))
        return tuple(made) if isinstance(result, tuple) else made[0]

    def _arrived(self, i: int, grad: Any) -> Any:
        self.grad_output[i] = grad
        if len(self.grad_output) == 1:
            for hook in self.before:
                changed = hook(self.module, tuple(self.grad_output))
                if changed is not None:
                    grad = changed[0] if isinstance(changed, tuple) else changed
                    self.grad_output[0] = grad
        if (
            self.after and not self.waiting
        ):  # no input wants a gradient: there is nothing to wait for
            for hook in self.after:
                hook(self.module, tuple(self.grad_input), tuple(self.grad_output))
        return grad

    def _left(self, i: int, grad: Any) -> Any:
        self.grad_input[i] = grad
        self.waiting -= 1
        if self.waiting:
            return grad
        for hook in self.after:
            changed = hook(self.module, tuple(self.grad_input), tuple(self.grad_output))
            if changed is None:
                continue
            if sum(g is not None for g in self.grad_input) > 1:
                raise RuntimeError(
                    "a full backward hook can replace the gradient of a module with one input "
                    f"that requires it; {type(self.module).__name__} has several"
                )
            grad = self.grad_input[i] = changed[i] if isinstance(changed, tuple) else changed
        return grad
