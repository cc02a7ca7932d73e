"""Sliding blocks, and pixels moved between channels and planes."""

from __future__ import annotations

from typing import Any

from workbench.tensor import FUNCTIONS, Tensor
from workbench.tensor.functions import raw

__all__ = [
    "channel_shuffle",
    "fold",
    "native_channel_shuffle",
    "pixel_shuffle",
    "pixel_unshuffle",
    "unfold",
]

_columns, _image = raw("im2col"), raw("col2im")
pixel_shuffle, pixel_unshuffle = FUNCTIONS[""]["pixel_shuffle"], FUNCTIONS[""]["pixel_unshuffle"]
channel_shuffle = FUNCTIONS[""]["channel_shuffle"]
native_channel_shuffle = FUNCTIONS[""]["native_channel_shuffle"]


def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Sliding blocks of (N, C, H, W) or (C, H, W) as columns (N, C kh kw, number of blocks).

    Raises RuntimeError for settings with which no block fits.
    """
    return _columns(input, kernel_size, dilation, padding, stride)


def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """Columns (N, C kh kw, blocks), as `unfold` makes them, summed into (N, C, *output_size).

    Raises RuntimeError when the columns are not those of such blocks.
    """
    return _image(input, output_size, kernel_size, dilation, padding, stride)
