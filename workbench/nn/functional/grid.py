"""Images and volumes looked at through a grid of points (Jaderberg et al., 2015)."""

from __future__ import annotations

import warnings
from typing import Any

from workbench.tensor import FUNCTIONS, Tensor
from workbench.tensor.functions import raw

__all__ = ["affine_grid", "grid_sample"]

_sample = raw("sample_grid")
_generate = FUNCTIONS[""]["affine_grid_generator"]
_CHANGED = (
    "Default grid_sample and affine_grid behavior is align_corners=False. Say align_corners=True "
    "or False to choose where ±1 lies: at the centres of the outermost elements, or at their edges."
)


def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """The points (N, H, W, 2) or (N, D, H, W, 3) that affine maps send a grid of `size` to.

    `theta` (N, 2, 3) or (N, 3, 4), `size` the (N, C, *sides) of what `grid_sample` shall give.
    Raises ValueError for shapes that do not fit, NotImplementedError for other ranks.
    """
    if align_corners is None:
        warnings.warn(_CHANGED, stacklevel=2)
        align_corners = False
    shape = tuple(int(n) for n in size)
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(shape) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {shape}."
        )
    dims = len(shape) - 2
    held = tuple(theta.array.shape)
    if len(held) != 3 or held[1:] != (dims, dims + 1):
        raise ValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size "
            f"{shape}. Got {held}."
        )
    if align_corners and min(shape[2:]) == 1:
        warnings.warn(
            "affine_grid with align_corners=True puts a side of one element at its centre: corners "
            "that are aligned need at least two",
            stacklevel=2,
        )
    elif min(shape) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {shape}")
    if held[0] != shape[0]:
        raise RuntimeError(
            f"affine_grid(): got {held[0]} matrices for a batch of {shape[0]} (size {shape})"
        )
    return _generate(theta, shape, align_corners)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """`input` (N, C, H, W) at the points `grid` (N, H', W', 2), or (N, C, D, H, W) likewise.

    Points are (x, y) or (x, y, z) in [-1, 1]. Modes "bilinear", "nearest", and "bicubic" (planes
    only); outside lies "zeros", the "border" or the "reflection". Differentiable in both, to any
    order. Raises RuntimeError for shapes that do not fit, ValueError for unknown modes.
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    if align_corners is None:
        warnings.warn(_CHANGED, stacklevel=2)
        align_corners = False
    return _sample(input, grid, mode, padding_mode, align_corners)
