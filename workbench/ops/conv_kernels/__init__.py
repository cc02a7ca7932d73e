"""The ways to compute a convolution and its two adjoints, and the choice among them.

Every way takes raw arrays and a `Geometry`, and gives fresh contiguous arrays. `columns` can do
anything; the others are for float32 and float64 on the CPU:

- `pointwise`: kernels of one element are matrix products of what is there
- `winograd`: 3 × 3, stride 1, many channels
- `rows`: many channels otherwise
- `depthwise`: one input channel per group
- `columns`: the rest

The choice depends on shapes and dtypes alone, so a call gives the same bits every time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from . import columns, depthwise, pointwise, rows, winograd
from .geometry import Geometry

__all__ = ["Geometry", "adjoint_input", "adjoint_weight", "forward"]

_SMALL = 1 << 17  # multiplications below which columns win by their few calls
_NARROW = 8  # channels below which products of rows are too thin
_WIDE = 32  # channels from which Winograd's sums pay


@lru_cache(maxsize=1024)
def _choice(geo: Geometry, char: str) -> Any:
    """The module that computes this convolution in this dtype on the CPU; None for `columns`."""
    if char not in "fd" or geo.work < _SMALL:
        return None
    if geo.groups > 1:
        if geo.groups == geo.c:
            return depthwise
        return _Groups if geo.work // geo.groups >= 8 * _SMALL else None
    if geo.taps == 1 and not geo.padded():
        return pointwise
    if min(geo.c, geo.k) < _NARROW:
        return None
    if (
        geo.dims == 2 and geo.kernel == (3, 3) and geo.stride == geo.dilation == (1, 1)
        and min(geo.c, geo.k) >= _WIDE and max(geo.lo + geo.hi) <= 2 and char == "f"
    ):  # fmt: skip
        return winograd
    return rows


def _way(xp: Any, dtype: Any, geo: Geometry) -> Any:
    return _choice(geo, dtype.char) if xp is np else None


def _ready(array: Any, shape: tuple[int, ...]) -> Any:
    return np.ascontiguousarray(array).reshape(shape)


def _lifted(way: Any, geo: Geometry) -> Geometry:
    return geo.lifted() if way in (rows, depthwise) else geo


def forward(xp: Any, x: Any, w: Any, geo: Geometry) -> Any:
    """Images (N, C, *ins) and a weight (K, C / groups, *kernel) → (N, K, *outs)."""
    way = _way(xp, x.dtype, geo)
    if way is None:
        return columns.forward(xp, x, w, geo)
    made = _lifted(way, geo)
    out = way.forward(_ready(x, made.x_shape), _ready(w, made.w_shape), made)
    return out.reshape(geo.y_shape)


def adjoint_input(xp: Any, y: Any, w: Any, geo: Geometry) -> Any:
    """Gradients (N, K, *outs) of the result and the weight → (N, C, *ins)."""
    way = _way(xp, y.dtype, geo)
    if way is None:
        return columns.adjoint_input(xp, y, w, geo)
    made = _lifted(way, geo)
    out = way.adjoint_input(_ready(y, made.y_shape), _ready(w, made.w_shape), made)
    return out.reshape(geo.x_shape)


def adjoint_weight(xp: Any, x: Any, y: Any, geo: Geometry) -> Any:
    """Images (N, C, *ins) and gradients (N, K, *outs) of the result → the weight's gradient."""
    way = _way(xp, x.dtype, geo)
    if way is None:
        return columns.adjoint_weight(xp, x, y, geo)
    made = _lifted(way, geo)
    out = way.adjoint_weight(_ready(x, made.x_shape), _ready(y, made.y_shape), made)
    return out.reshape(geo.w_shape)


class _Groups:
    """Few large groups: one convolution after the other."""

    @staticmethod
    def _parts(geo: Geometry) -> Any:
        c, k = geo.c // geo.groups, geo.k // geo.groups
        one = geo.resized(geo.batch, c, k, 1)
        for i in range(geo.groups):
            yield one, slice(i * c, (i + 1) * c), slice(i * k, (i + 1) * k)

    @classmethod
    def forward(cls, x: Any, w: Any, geo: Geometry) -> Any:
        out = np.empty(geo.y_shape, x.dtype)
        for one, c, k in cls._parts(geo):
            out[:, k] = forward(np, x[:, c], w[k], one)
        return out

    @classmethod
    def adjoint_input(cls, y: Any, w: Any, geo: Geometry) -> Any:
        out = np.empty(geo.x_shape, y.dtype)
        for one, c, k in cls._parts(geo):
            out[:, c] = adjoint_input(np, y[:, k], w[k], one)
        return out

    @classmethod
    def adjoint_weight(cls, x: Any, y: Any, geo: Geometry) -> Any:
        out = np.empty(geo.w_shape, x.dtype)
        for one, c, k in cls._parts(geo):
            out[k] = adjoint_weight(np, x[:, c], y[:, k], one)
        return out
