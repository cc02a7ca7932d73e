"""Pooling in torch's full signatures: unbatched input, one dimension, indices, adaptive maxima."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import FUNCTIONS, Tensor, wrap

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "max_pool1d",
    "max_pool2d",
]

_nn = FUNCTIONS["nn.functional"]
_max_pool2d, _avg_pool2d, _adaptive = (
    _nn["max_pool2d"],
    _nn["avg_pool2d"],
    _nn["adaptive_avg_pool2d"],
)
_stack = FUNCTIONS[""]["stack"]


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, (tuple, list)):
        return (value[0], value[-1])
    return (value, value)


def _line(value: Any, other: int) -> Any:
    """A setting for one dimension as one for a plane of height 1."""
    if value is None:
        return None
    return (other, value[0] if isinstance(value, (tuple, list)) else value)


def _batched(function: Callable[..., Tensor], input: Tensor, *args: Any) -> Tensor:
    if input.array.ndim == 3:
        return function(input.unsqueeze(0), *args).squeeze(0)
    return function(input, *args)


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value of each window of (N, C, H, W) or (C, H, W).

    With `return_indices` also where it was, as a position in the flattened plane.
    """
    out = _batched(_max_pool2d, input, kernel_size, stride, padding, dilation, ceil_mode)
    if not return_indices:
        return out
    where = _positions(input.array, out.array, kernel_size, stride, padding, dilation)
    return out, wrap(where)


def _positions(x: Any, out: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """For every window, the flat position of the first element equal to its maximum."""
    xp = namespace(x)
    kernel, padding, dilation = _pair(kernel), _pair(padding), _pair(dilation)
    stride = kernel if stride in (None, ()) else _pair(stride)
    height, width = x.shape[-2:]
    rows, columns = out.shape[-2:]
    found = xp.full(out.shape, -1, np.int64)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            r = np.arange(rows) * stride[0] - padding[0] + i * dilation[0]
            c = np.arange(columns) * stride[1] - padding[1] + j * dilation[1]
            inside = ((r >= 0) & (r < height))[:, None] & ((c >= 0) & (c < width))
            r, c = np.clip(r, 0, height - 1), np.clip(c, 0, width - 1)
            values = x[..., r[:, None], c]
            hit = (found < 0) & xp.asarray(inside) & ((values == out) | (values != values))
            found = xp.where(hit, xp.asarray(r[:, None] * width + c), found)
    return found


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value of each window of (N, C, L) or (C, L)."""
    made = max_pool2d(
        input.unsqueeze(-2), _line(kernel_size, 1), _line(stride, 1), _line(padding, 0),
        _line(dilation, 1), ceil_mode, return_indices,
    )  # fmt: skip
    if return_indices:
        return made[0].squeeze(-2), made[1].squeeze(-2)
    return made.squeeze(-2)


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of (N, C, H, W) or (C, H, W)."""
    return _batched(
        _avg_pool2d, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    )  # fmt: skip


def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of (N, C, L) or (C, L)."""
    return avg_pool2d(
        input.unsqueeze(-2), _line(kernel_size, 1), _line(stride, 1), _line(padding, 0), ceil_mode,
        count_include_pad,
    ).squeeze(-2)  # fmt: skip


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The means of `output_size` bins along (N, C, L) or (C, L)."""
    return _adaptive(input.unsqueeze(-2), _line(output_size, 1)).squeeze(-2)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest value of each of a grid of bins over (N, C, H, W) or (C, H, W)."""
    shape = input.array.shape
    if len(shape) not in (3, 4):
        raise RuntimeError(
            f"adaptive_max_pool2d(): Expected 3D or 4D tensor, but got: {list(shape)}"
        )
    height, width = shape[-2:]
    rows, columns = (
        side if wanted is None else int(wanted)
        for side, wanted in zip((height, width), _pair(output_size), strict=True)
    )
    values, where = [], []
    for i in range(rows):
        top, bottom = i * height // rows, -(-(i + 1) * height // rows)
        for j in range(columns):
            left, right = j * width // columns, -(-(j + 1) * width // columns)
            bin_ = input[..., top:bottom, left:right].flatten(-2)
            largest = bin_.max(-1)
            values.append(largest.values)
            place = largest.indices.array
            where.append((top + place // (right - left)) * width + left + place % (right - left))
    lead = (*shape[:-2], rows, columns)
    out = _stack(values, -1).reshape(lead)
    if not return_indices:
        return out
    return out, wrap(namespace(input.array).stack(where, -1).reshape(lead))


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest value of each of `output_size` bins along (N, C, L) or (C, L)."""
    made = adaptive_max_pool2d(input.unsqueeze(-2), _line(output_size, 1), return_indices)
    if return_indices:
        return made[0].squeeze(-2), made[1].squeeze(-2)
    return made.squeeze(-2)
