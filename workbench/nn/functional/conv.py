"""Convolution in torch's full signature: named paddings, unbatched input, one dimension."""

from __future__ import annotations

from typing import Any

from workbench.tensor import FUNCTIONS, Tensor

from .pad import pad

__all__ = ["bilinear", "conv1d", "conv2d"]

_conv2d, _linear = FUNCTIONS["nn.functional"]["conv2d"], FUNCTIONS["nn.functional"]["linear"]


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of (N, C, H, W) or (C, H, W) with `weight` (O, C / groups, kh, kw).

    `padding` is an int, a pair, "valid" or "same" (stride 1). Raises RuntimeError for shapes or
    settings that do not fit.
    """
    x = input
    if type(padding) is str:
        x, padding = _named(input, weight, padding, stride, dilation, 2)
    if x.array.ndim == 3:
        x = x.unsqueeze(0)
        return _conv2d(x, weight, bias, stride, padding, dilation, groups).squeeze(0)
    return _conv2d(x, weight, bias, stride, padding, dilation, groups)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of (N, C, L) or (C, L) with `weight` (O, C / groups, k)."""
    if input.array.ndim not in (2, 3) or weight.array.ndim != 3:
        raise RuntimeError(
            f"Expected 2D (unbatched) or 3D (batched) input to conv1d and a 3D weight, but got "
            f"input of size: {list(input.array.shape)} and weight of size: "
            f"{list(weight.array.shape)}"
        )
    x = input
    if type(padding) is str:
        x, padding = _named(input, weight, padding, stride, dilation, 1)
    stride, padding, dilation = (
        value[0] if isinstance(value, (tuple, list)) else value
        for value in (stride, padding, dilation)
    )
    return conv2d(
        x.unsqueeze(-2), weight.unsqueeze(2), bias, (1, stride), (0, padding), (1, dilation),
        groups,
    ).squeeze(-2)  # fmt: skip


def _named(
    input: Tensor, weight: Tensor, padding: str, stride: Any, dilation: Any, dims: int
) -> tuple[Tensor, Any]:
    """The input and the numbers that "same" and "valid" stand for."""
    if padding == "valid":
        return input, 0
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: {padding!r}; use 'same' or 'valid'")
    steps = stride if isinstance(stride, (tuple, list)) else (stride,)
    if any(step != 1 for step in steps):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    gaps = tuple(dilation) if isinstance(dilation, (tuple, list)) else (dilation,)
    gaps = gaps * dims if len(gaps) == 1 else gaps
    totals = [gap * (side - 1) for gap, side in zip(gaps, weight.array.shape[-dims:], strict=True)]
    widths: list[int] = []
    for total in reversed(totals):
        widths += [0, total % 2]  # an odd rest goes behind, as in torch
    padded = pad(input, widths) if any(widths) else input
    return padded, tuple(total // 2 for total in totals)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x1ᵀ A x2 + b: (*, I), (*, J) and `weight` (O, I, J) → (*, O)."""
    out, rows, columns = weight.array.shape
    if input1.array.shape[-1] != rows or input2.array.shape[-1] != columns:
        raise RuntimeError(
            f"bilinear(): input sizes {list(input1.array.shape)} and {list(input2.array.shape)} "
            f"do not match weight size {list(weight.array.shape)}"
        )
    flat = weight.permute(0, 2, 1).reshape(out * columns, rows)
    half = _linear(input1, flat).reshape(*input1.array.shape[:-1], out, columns)
    result = (half * input2.unsqueeze(-2)).sum(-1)
    return result if bias is None else result + bias
