"""Resizing."""

from __future__ import annotations

import operator
import warnings
from typing import Any

from workbench.tensor import FUNCTIONS, Tensor
from workbench.tensor.functions import raw

__all__ = ["interpolate", "upsample", "upsample_bilinear", "upsample_nearest"]

_resample = raw("resample")
_area = {dims: FUNCTIONS["nn.functional"][f"adaptive_avg_pool{dims}d"] for dims in (1, 2, 3)}

# mode: the ranks it takes, and the op's own name for it
_MODES: dict[str, tuple[tuple[int, ...], str]] = {
    "nearest": ((1, 2, 3), "nearest"),
    "nearest-exact": ((1, 2, 3), "nearest-exact"),
    "area": ((1, 2, 3), "area"),
    "linear": ((1,), "linear"),
    "bilinear": ((2,), "linear"),
    "trilinear": ((3,), "linear"),
    "bicubic": ((2,), "cubic"),
    "lanczos": ((2,), "lanczos"),
}


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """(N, C, *sides) resized to `size`, or by `scale_factor`: a number, or one for each side.

    Modes: "nearest", "nearest-exact" and "area" for 1 to 3 sides, "linear" for 1, "bilinear",
    "bicubic" and "lanczos" for 2, "trilinear" for 3. `align_corners` lets the outermost elements
    of input and result lie on each other, `recompute_scale_factor` takes the scale from the sizes,
    `antialias` widens the filter where the result is smaller ("bilinear", "bicubic", "lanczos").

    Raises ValueError for settings that do not go together, NotImplementedError for a mode that
    does not take this rank, RuntimeError for sizes below 1.
    """
    shape = tuple(input.array.shape)
    dims = len(shape) - 2
    if mode in ("nearest", "nearest-exact", "area") and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | "
            f"bilinear | bicubic | trilinear, not {mode}"
        )
    wanted, factors = _sizes(shape, dims, size, scale_factor)
    if recompute_scale_factor and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and dims == 2):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires "
            "a 4-D tensor as input"
        )
    if recompute_scale_factor or mode == "area":
        factors = None
    ranks, name = _MODES.get(mode, ((), mode))
    if dims not in ranks:
        if ranks and dims in (1, 2, 3):
            raise NotImplementedError(
                f"Got {dims + 2}D input, but {mode} mode needs {ranks[0] + 2}D input"
            )
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {len(shape)}D) for the "
            f"modes: {' | '.join(_MODES)} (got {mode})"
        )
    if mode == "lanczos" and (align_corners or not antialias):
        raise ValueError(
            "Lanczos mode does not support align_corners=True"
            if align_corners
            else "Lanczos mode requires antialias=True"
        )
    if mode == "area":
        return _area[dims](input, wanted)
    return _resample(input, wanted, name, bool(align_corners), factors, antialias)


def _sizes(shape: Any, dims: int, size: Any, scale_factor: Any) -> tuple[Any, Any]:
    """The result's sides, and the scales where they were given."""
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    given = size if size is not None else scale_factor
    if given is None:
        raise ValueError("either size or scale_factor should be defined")
    many = isinstance(given, (tuple, list))
    if many and len(given) != dims:
        what = "output size" if size is not None else "scale_factor"
        raise ValueError(
            f"Input and {what} must have the same number of spatial dimensions, but got input with "
            f"spatial dimensions of {list(shape[2:])} and {what} of {given}. Please provide input "
            "tensor in (N, C, d1, d2, ...,dK) format."
        )
    each = tuple(given) if many else (given,) * max(dims, 0)
    if size is not None:
        try:
            return tuple(operator.index(n) for n in each), None
        except TypeError:
            raise TypeError(
                f"expected size to be an int or a tuple of ints, but got {given!r}"
            ) from None
    factors = tuple(float(f) for f in each)
    return tuple(int(n * f) for n, f in zip(shape[2:], factors, strict=True)), factors


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """The older name of `interpolate`."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` with mode "nearest", under its older name."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` with mode "bilinear" and aligned corners, under its older name."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
