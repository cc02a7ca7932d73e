"""The ways to compute a convolution and its two adjoints, and the choice among them.

Results are fresh contiguous arrays that own their memory. `columns` can do anything; the other ways
are for float32 and float64 on the CPU, and write into an array they are given:

- `compiled.conv`: nearly everything, where kernels can be compiled, but `winograd`'s for many
  channels; then, in NumPy,
- `pointwise`: kernels of one element are matrix products of what is there
- `winograd`: images, kernels three rows high, stride 1, many channels
- `rows`: many channels otherwise
- `depthwise`: one input channel per group
- `columns`: the rest

The choice depends on shapes and dtypes alone, so a call gives the same bits every time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from workbench.arrays import compiler
from workbench.ops.compiled import conv as compiled

from . import columns, depthwise, pointwise, rows, winograd
from .columns import add_bias
from .geometry import Geometry

__all__ = ["Geometry", "add_bias", "adjoint_input", "adjoint_weight", "adjoints", "forward"]

_SMALL = 1 << 17  # multiplications below which columns win by their few calls
_TINY = 1 << 13  # likewise over a compiled kernel, which is one call
_FILLED = 0.4  # of the lanes of vectors, below which products over the whole batch are better
_NARROW = 8  # channels below which products of rows are too thin
_SHORT = 64  # columns of all images together, likewise
_WIDE = 32  # channels from which Winograd's additions pay
_MANY = 256  # channels from which on it is quicker in NumPy than what multiplies all, compiled
_LARGE = 1 << 23  # multiplications from which they do


@lru_cache(maxsize=1024)
def _choice(geo: Geometry, char: str, compiling: bool) -> Any:
    """The module that computes this convolution in this dtype on the CPU; None for `columns`."""
    if char not in "fd":
        return None
    fewer = char == "f" and geo.work >= _LARGE and _three_high(geo)  # multiplications
    if compiling and geo.work >= _TINY and not (fewer and _many(geo)) and _fills(geo, char):
        return compiled
    if geo.work < _SMALL:
        return None
    if geo.groups > 1:
        if geo.groups == geo.c:
            return depthwise
        return _Groups if geo.work // geo.groups >= 8 * _SMALL else None
    if geo.taps == 1 and not geo.padded():
        return pointwise
    if min(geo.c, geo.k) < _NARROW or geo.batch * geo.outs[-1] < _SHORT:
        return None
    return winograd if fewer else rows


def _fills(geo: Geometry, char: str) -> bool:
    """Whether the compiled kernels' vectors are full enough."""
    return compiled.filled(geo.lifted(), char) >= _FILLED


def _many(geo: Geometry) -> bool:
    return geo.groups == 1 and min(geo.c, geo.k) >= _MANY


def _three_high(geo: Geometry) -> bool:
    """Whether `winograd` takes it, and its channels are many enough."""
    return (
        geo.dims == 2
        and geo.kernel[0] == 3
        and geo.stride == (1, 1)
        and geo.dilation[0] == 1
        and min(geo.c, geo.k) >= _WIDE
    )


def _way(xp: Any, dtype: Any, geo: Geometry) -> Any:
    return _choice(geo, dtype.char, compiler.available()) if xp is np else None


def _ready(array: Any, shape: tuple[int, ...]) -> Any:
    return np.ascontiguousarray(array).reshape(shape)


def _lifted(way: Any, geo: Geometry) -> Geometry:
    return geo.lifted() if way in (compiled, rows, depthwise) else geo


def forward(xp: Any, x: Any, w: Any, geo: Geometry, bias: Any = None) -> Any:
    """Images (N, C, *ins), a weight (K, C / groups, *kernel) and a bias (K) → (N, K, *outs)."""
    way = _way(xp, x.dtype, geo)
    if way is None:
        return columns.forward(xp, x, w, geo, bias)
    made, out = _lifted(way, geo), np.empty(geo.y_shape, x.dtype)
    given = (_ready(x, made.x_shape), _ready(w, made.w_shape), made, out.reshape(made.y_shape))
    if way is compiled:
        way.forward(*given, None if bias is None else np.ascontiguousarray(bias))
        return out
    way.forward(*given)
    return add_bias(out, bias)  # which owns its memory: views of it were written


def adjoint_input(xp: Any, y: Any, w: Any, geo: Geometry) -> Any:
    """Gradients (N, K, *outs) of the result and the weight → (N, C, *ins)."""
    way = _way(xp, y.dtype, geo)
    if way is None:
        return columns.adjoint_input(xp, y, w, geo)
    made, out = _lifted(way, geo), np.empty(geo.x_shape, y.dtype)
    way.adjoint_input(
        _ready(y, made.y_shape), _ready(w, made.w_shape), made, out.reshape(made.x_shape)
    )
    return out


def adjoint_weight(xp: Any, x: Any, y: Any, geo: Geometry) -> Any:
    """Images (N, C, *ins) and gradients (N, K, *outs) of the result → the weight's gradient."""
    way = _way(xp, x.dtype, geo)
    if way is None:
        return columns.adjoint_weight(xp, x, y, geo)
    made, out = _lifted(way, geo), np.empty(geo.w_shape, x.dtype)
    way.adjoint_weight(
        _ready(x, made.x_shape), _ready(y, made.y_shape), made, out.reshape(made.w_shape)
    )
    return out


def adjoints(xp: Any, x: Any, y: Any, w: Any, geo: Geometry) -> tuple[Any, Any]:
    """Both adjoints at a time, which spares the work they share: (N, C, *ins) and the weight's."""
    way = _way(xp, y.dtype, geo)
    if way not in (rows, winograd):
        return adjoint_input(xp, y, w, geo), adjoint_weight(xp, x, y, geo)
    made = _lifted(way, geo)
    dx, dw = np.empty(geo.x_shape, y.dtype), np.empty(geo.w_shape, y.dtype)
    way.adjoints(
        _ready(x, made.x_shape), _ready(y, made.y_shape), _ready(w, made.w_shape), made,
        dx.reshape(made.x_shape), dw.reshape(made.w_shape),
    )  # fmt: skip
    return dx, dw


class _Groups:
    """Few large groups: one convolution after the other."""

    @staticmethod
    def _parts(geo: Geometry) -> Any:
        c, k = geo.c // geo.groups, geo.k // geo.groups
        one = geo.resized(geo.batch, c, k, 1)
        for i in range(geo.groups):
            yield one, slice(i * c, (i + 1) * c), slice(i * k, (i + 1) * k)

    @classmethod
    def forward(cls, x: Any, w: Any, geo: Geometry, out: Any) -> None:
        for one, c, k in cls._parts(geo):
            out[:, k] = forward(np, x[:, c], w[k], one)

    @classmethod
    def adjoint_input(cls, y: Any, w: Any, geo: Geometry, out: Any) -> None:
        for one, c, k in cls._parts(geo):
            out[:, c] = adjoint_input(np, y[:, k], w[k], one)

    @classmethod
    def adjoint_weight(cls, x: Any, y: Any, geo: Geometry, out: Any) -> None:
        for one, c, k in cls._parts(geo):
            out[k] = adjoint_weight(np, x[:, c], y[:, k], one)
