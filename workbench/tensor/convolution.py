"""`convolution` and `conv_tbc`: other names of the convolutions in the op table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .functions import function, raw
from .tensor import Tensor


@function("", method=False)
def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """Convolution, or with `transposed` its adjoint, in as many dimensions as `weight` says.

    `input` (N, C, …), `weight` (O, C/groups, …), or (C, O/groups, …) when transposed. Raises
    RuntimeError for a weight of other than 3, 4 or 5 dimensions, and as `conv2d` does.
    """
    if not isinstance(weight, Tensor):
        raise TypeError(
            f"convolution(): argument 'weight' (position 2) must be Tensor, not "
            f"{type(weight).__name__}"
        )
    dims = weight.array.ndim - 2
    if dims not in (1, 2, 3):
        raise RuntimeError(
            f"convolution expects a weight of 3, 4 or 5 dimensions, got {list(weight.array.shape)}"
        )
    if transposed:
        call = raw(f"conv_transpose{dims}d")
        return call(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return raw(f"conv{dims}d")(input, weight, bias, stride, padding, dilation, groups)


@function("", method=False)
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """Convolution over (T, N, C) by `weight` (k, C, O), plus `bias` (O) → (T', N, O).

    Raises RuntimeError for other ranks.
    """
    for name, given, rank in (("input", input, 3), ("weight", weight, 3), ("bias", bias, 1)):
        if not isinstance(given, Tensor):
            raise TypeError(f"conv_tbc(): argument '{name}' must be Tensor, not {_kind(given)}")
        if given.array.ndim != rank:
            raise RuntimeError(
                f"conv_tbc(): {name} must have {rank} dimension{'s' * (rank > 1)}, got shape "
                f"{list(given.array.shape)}"
            )
    made = raw("conv1d")(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, 1, pad)
    return made.permute(2, 0, 1).contiguous()


def _kind(value: Any) -> str:
    return type(value).__name__
