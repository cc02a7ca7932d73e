"""What torch has at the top level of pooling, padding and shuffling of pixels."""

from __future__ import annotations

import operator
from typing import Any

from .binding import BOUND
from .functions import FUNCTIONS, function, raw
from .tensor import Tensor

_MAX = {dims: raw(f"max_pool{dims}d") for dims in (1, 2, 3)}
_max_pool1d_at, _adaptive_at = (
    raw("max_pool1d_with_indices"),
    raw("adaptive_max_pool1d_with_indices"),
)


def _max_pool(dims: int) -> None:
    values = _MAX[dims]

    def pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Tensor:
        return values(input, kernel_size, stride, padding, dilation, ceil_mode)

    pool.__name__ = pool.__qualname__ = f"max_pool{dims}d"
    pool.__doc__ = f"`nn.functional.max_pool{dims}d`, values only."
    function("", method=False)(pool)


for _dims in (1, 2, 3):
    _max_pool(_dims)


@function("", method=False)
def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """The largest value of each window of (N, C, L), and where it was."""
    values, indices = _max_pool1d_at(input, kernel_size, stride, padding, dilation, ceil_mode)
    return values, indices


@function("", method=False)
def adaptive_max_pool1d(input: Tensor, output_size: Any) -> tuple[Tensor, Tensor]:
    """The largest value of each of `output_size` bins along (N, C, L), and where it was."""
    values, indices = _adaptive_at(input, output_size)
    return values, indices


_pad = raw("pad")


@function("", method=False)
def constant_pad_nd(input: Tensor, pad: Any, value: Any = 0) -> Tensor:
    """`input` with `value` around its last dimensions: (last before, last after, …) of it.

    Negative widths cut. Raises RuntimeError for widths that do not fit.
    """
    return _pad(input, pad, "constant", value)


FUNCTIONS[""]["avg_pool1d"] = BOUND["avg_pool1d"]  # type: ignore[assignment]
FUNCTIONS[""]["adaptive_avg_pool1d"] = BOUND["adaptive_avg_pool1d"]  # type: ignore[assignment]


# -- pixels moved between channels and planes ------------------------------------------------------


def _factor(name: str, setting: str, value: Any, shape: tuple[int, ...]) -> int:
    if type(value) is bool or not hasattr(value, "__index__"):
        raise TypeError(f"{name}(): argument '{setting}' must be int, not {type(value).__name__}")
    if len(shape) < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {len(shape)} "
            "dimension(s)"
        )
    factor = operator.index(value)
    if factor < 1:
        raise RuntimeError(f"{name} expects a positive {setting}, but got {factor}")
    return factor


@function("", method=False)
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C r², H, W) → (*, C, H r, W r): groups of r² channels spread over planes (Shi, 2016).

    Raises RuntimeError when the channels are not divisible by r².
    """
    shape = tuple(input.array.shape)
    r = _factor("pixel_shuffle", "upscale_factor", upscale_factor, shape)
    *lead, channels, height, width = shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={channels} is not divisible by {r * r}"
        )
    n, c = len(lead), channels // (r * r)
    split = input.reshape(*lead, c, r, r, height, width)
    moved = split.permute(*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return moved.reshape(*lead, c, height * r, width * r)


@function("", method=False)
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H r, W r) → (*, C r², H, W): undoes `pixel_shuffle`.

    Raises RuntimeError when height or width are not divisible by r.
    """
    shape = tuple(input.array.shape)
    r = _factor("pixel_unshuffle", "downscale_factor", downscale_factor, shape)
    *lead, channels, height, width = shape
    for name, place, side in (("height", -2, height), ("width", -1, width)):
        if side % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but "
                f"input.size({place})={side} is not divisible by {r}"
            )
    n = len(lead)
    split = input.reshape(*lead, channels, height // r, r, width // r, r)
    moved = split.permute(*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    return moved.reshape(*lead, channels * r * r, height // r, width // r)


@function("", "channel_shuffle", "native_channel_shuffle", method=False)
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """(N, C, *) with the channels of `groups` groups dealt out in turn (Zhang et al., 2018).

    Raises RuntimeError when the channels are not divisible by `groups`.
    """
    if type(groups) is bool or not hasattr(groups, "__index__"):
        raise TypeError(
            f"channel_shuffle(): argument 'groups' must be int, not {type(groups).__name__}"
        )
    shape = tuple(input.array.shape)
    if len(shape) < 3:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}"
        )
    if groups < 1:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    if shape[1] % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {shape[1]} channels and {groups} "
            "groups."
        )
    split = input.reshape(shape[0], groups, shape[1] // groups, *shape[2:])
    return split.transpose(1, 2).reshape(shape)


# -- sampling grids --------------------------------------------------------------------------------

_sample = raw("sample_grid")
_KINDS, _EDGES = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


@function("", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d", method=False)
def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """`nn.functional.grid_sample` with its modes as numbers, in the order it lists them."""
    return _sample(input, grid, _KINDS[interpolation_mode], _EDGES[padding_mode], align_corners)


def _places(count: int, align_corners: bool, like: Tensor) -> Tensor:
    """The coordinates in [-1, 1] of `count` elements; their outer edges lie at ±1, or they do."""
    if count < 2:
        return FUNCTIONS[""]["zeros"](count, dtype=like.dtype, device=like.device)
    made = FUNCTIONS[""]["linspace"](-1, 1, count, dtype=like.dtype, device=like.device)
    return made if align_corners else made * ((count - 1) / count)


@function("", method=False)
def affine_grid_generator(theta: Tensor, size: Any, align_corners: bool) -> Tensor:
    """`nn.functional.affine_grid`, without its checks of the arguments."""
    sides = tuple(int(n) for n in size)[2:]
    dims = len(sides)
    axes = [
        _places(n, align_corners, theta).reshape((-1,) + (1,) * (dims - 1 - i)).expand(sides)
        for i, n in enumerate(sides)
    ]
    one = FUNCTIONS[""]["ones"](*sides, dtype=theta.dtype, device=theta.device)
    base = FUNCTIONS[""]["stack"]([*reversed(axes), one], -1).reshape(-1, dims + 1)
    made = base @ theta.transpose(1, 2)
    return made.reshape(theta.array.shape[0], *sides, dims)
