"""Keeping gradients from growing too large."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import Tensor, mark_written, wrap
from workbench.tensor.capture.active import kernel

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
]


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    held = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in held if p.grad is not None]


def _norm(array: Any, norm_type: float) -> float:
    """The norm of one array, added up in float64 so that order and size do not matter."""
    if array.size == 0:
        return 0.0
    xp = namespace(array)
    if math.isinf(norm_type):
        return float(xp.abs(array).max())
    if norm_type == 2 and array.dtype.kind == "f":
        flat = array.reshape(-1)
        with np.errstate(all="ignore"):
            total = float(xp.dot(flat, flat))
        if 1e-30 < total < 1e30:  # in float32's comfortable range; else once more, carefully
            return math.sqrt(total)
    wide = xp.abs(array).astype(np.float64)
    return float((wide**norm_type).sum() ** (1.0 / norm_type))


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of all tensors taken as one vector, 0-d.

    Raises RuntimeError when it is not finite and `error_if_nonfinite`.
    """
    held = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    arrays = [t.array for t in held]
    return wrap(kernel(_total, arrays, float(norm_type), error_if_nonfinite))


def _total(arrays: list[Any], norm_type: float, error_if_nonfinite: bool) -> Any:
    """The common norm of raw arrays, 0-d."""
    norms = [_norm(array, norm_type) for array in arrays]
    if math.isinf(norm_type):
        total = math.nan if any(map(math.isnan, norms)) else max(norms, default=0.0)
    elif norm_type == 2:
        total = math.sqrt(math.fsum(n * n for n in norms)) if norms else 0.0
    else:
        total = sum(n**norm_type for n in norms) ** (1.0 / norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, "
            "so it cannot be clipped. To disable this error and scale the gradients by the "
            "non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    dtype = arrays[0].dtype if arrays else np.float32
    with np.errstate(over="ignore"):
        return np.asarray(total, dtype)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients, in place, so that their common norm is at most `max_norm`.

    Returns the norm before, 0-d. Pascanu, Mikolov and Bengio, "On the difficulty of training
    recurrent neural networks", 2012. Raises RuntimeError when the norm is not finite and
    `error_if_nonfinite`.
    """
    grads = _gradients(parameters)
    arrays = [grad.array for grad in grads]
    total = kernel(
        _clip, arrays, float(max_norm), float(norm_type), error_if_nonfinite, writes=(0,)
    )
    for grad in grads:
        mark_written(grad)
    return wrap(total)


def _clip(
    arrays: list[Any], max_norm: float, norm_type: float, error_if_nonfinite: bool
) -> Any:  # fmt: skip
    """Scale raw arrays in place; returns their common norm before."""
    total = _total(arrays, norm_type, error_if_nonfinite)
    factor = max_norm / (float(total) + 1e-6)
    if not factor >= 1:  # nan too: nan gradients stay nan, as in torch
        for array in arrays:
            array *= array.dtype.type(factor)
    return total


def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """`clip_grad_norm_` by its old name; warns."""
    warnings.warn(
        "`nn.utils.clip_grad_norm` is now deprecated in favor of `nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor,
    foreach: bool | None = None,
) -> None:
    """Scale all gradients, in place, as if `total_norm` were their common norm."""
    grads = _gradients(parameters)
    arrays = [grad.array for grad in grads]
    kernel(_scale, arrays, total_norm.array, float(max_norm), writes=(0,))
    for grad in grads:
        mark_written(grad)


def _scale(arrays: list[Any], total: Any, max_norm: float) -> None:
    factor = max_norm / (float(total) + 1e-6)
    if not factor >= 1:
        for array in arrays:
            array *= array.dtype.type(factor)


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Hold every element of all gradients between -clip_value and clip_value, in place."""
    clip_value = float(clip_value)
    for grad in _gradients(parameters):
        xp = namespace(grad.array)
        xp.clip(grad.array, -clip_value, clip_value, out=grad.array)
        mark_written(grad)
