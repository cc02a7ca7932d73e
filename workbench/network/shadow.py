"""Stand-ins for live modules: to try something out, or to copy, without touching the originals."""

from __future__ import annotations

import copy
from typing import Any

from workbench import nn

_REGISTERS = {"_members", "_transient", "_state_hooks"}  # copied by the module itself


def shadow(
    module: nn.Module, training: bool | None = None, memo: dict[int, nn.Module] | None = None
) -> nn.Module:
    """A module that computes what `module` does, sharing its parameters, safe to run any time.

    Its buffers are copies, it has no hooks, and its `training` flags are its own (those of the
    original when `training` is None): running it leaves the original as it was, even while
    another thread trains that.
    """
    memo = {} if memo is None else memo
    known = memo.get(id(module))
    if known is not None:
        return known
    made = copy.copy(module)
    memo[id(module)] = made
    made.__dict__.pop("_hooks", None)
    if training is not None:
        made.__dict__["training"] = training
    for name, buffer in list(made._buffers.items()):
        if buffer is not None:
            made._buffers[name] = buffer.detach().clone()
    for name, child in list(made._modules.items()):
        if child is not None:
            made._modules[name] = shadow(child, training, memo)
    return made


def clone(module: nn.Module, memo: dict[Any, Any] | None = None) -> nn.Module:
    """An independent module with equal parameters and buffers, and no hooks.

    Parameters and modules that are shared inside (or with what `memo` has seen) stay shared.
    """
    memo = {} if memo is None else memo
    known = memo.get(id(module))
    if known is not None:
        return known
    made = copy.copy(module)
    memo[id(module)] = made
    memo.setdefault("keep", []).append(module)  # or its id could become another one's
    made.__dict__.pop("_hooks", None)
    members = set(made._parameters) | set(made._buffers) | set(made._modules)
    for name, parameter in list(made._parameters.items()):
        if parameter is not None:
            made._parameters[name] = _copied(parameter, memo)
    for name, buffer in list(made._buffers.items()):
        if buffer is not None:
            made._buffers[name] = _copied(buffer, memo)
    for name, child in list(made._modules.items()):
        if child is not None:
            made._modules[name] = clone(child, memo)
    for name, value in list(made.__dict__.items()):
        if name not in members and name not in _REGISTERS and not _atomic(value):
            try:
                made.__dict__[name] = copy.deepcopy(value, memo)
            except (TypeError, RuntimeError, NotImplementedError):
                pass  # a lock, a file …: nothing to copy, so both hold the same
    return made


def _copied(tensor: Any, memo: dict[Any, Any]) -> Any:
    known = memo.get(id(tensor))
    if known is None:
        if type(tensor) is nn.Parameter:
            known = nn.Parameter(tensor.detach().clone(), requires_grad=tensor.requires_grad)
        elif isinstance(tensor, nn.Parameter):
            known = copy.deepcopy(tensor, memo)  # of another kind: not materialised yet
        else:
            known = tensor.detach().clone()
        memo[id(tensor)] = known
        memo.setdefault("keep", []).append(tensor)
    return known


def _atomic(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, bytes, type))


def is_lazy(module: nn.Module) -> bool:
    """Whether a module waits for its first input to know the shapes of its parameters."""
    return any(hasattr(inner, "cls_to_become") for inner in module.modules())
