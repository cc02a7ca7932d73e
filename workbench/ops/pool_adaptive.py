"""Adaptive means: a grid of bins of a wanted size, whatever the input's."""

from __future__ import annotations

import functools
import math

import numpy as np

from .compiled import pool as compiled
from .declare import op, shape_setting
from .pool import SHAPES
from .pool_avg import divided, single
from .pool_sides import reduce_side, spread_side
from .samples import Sample
from .windows import adaptive, adaptive_sizes, check_shape, planes

_DRAWING = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}
_bins = functools.lru_cache(maxsize=256)(adaptive)


def _sizes(xp, sides, dtype):
    """How many elements each bin has: a number, or an array."""
    if all(side.exact for side in sides):
        return math.prod(side.kernel for side in sides)
    counts = xp.ones((), dtype)
    for side in sides:
        o = np.arange(side.n_out)
        count = -(-(o + 1) * side.n // max(side.n_out, 1)) - o * side.n // max(side.n_out, 1)
        counts = counts[..., None] * xp.asarray(count.astype(dtype))
    return counts


def _declare(dims):
    name = f"adaptive_avg_pool{dims}d"

    def sides_of(shape, output_size):
        check_shape(name, dims, shape, channels=False)
        sizes = adaptive_sizes(name, shape, output_size, dims)
        return [_bins(n, o) for n, o in zip(shape[-dims:], sizes, strict=True)]

    def shape(input, output_size):
        return (*input[:-dims], *(side.n_out for side in sides_of(input, output_size)))

    def pool(xp, input, /, output_size):
        sides = sides_of(input.shape, output_size)
        x = single(input)
        lead = input.shape[: input.ndim - dims]
        if all(side.n_out == 1 for side in sides):
            n = math.prod(side.n for side in sides)
            way = compiled.plane(x, n) if x.size else None
            if way is not None:
                out = np.empty((*lead, *(1 for _ in sides)), x.dtype)
                way.pool(x, out)
                return out.astype(input.dtype, copy=False)
            out = divided(xp, x.reshape(*lead, n).sum(axis=-1), n, False)
        else:
            out = held = planes(x, dims)
            for i, side in enumerate(sides):
                out = reduce_side(xp, xp.add, out, i, side, 0)
            out = divided(xp, out, _sizes(xp, sides, x.dtype), out is not held)
        made = out.reshape(*lead, *(side.n_out for side in sides))
        return made.astype(input.dtype, copy=False)

    def unpool(xp, input, /, shape):
        sides = [_bins(n, o) for n, o in zip(shape[-dims:], input.shape[-dims:], strict=True)]
        x = single(input)
        if x.size and all(side.n_out == 1 for side in sides):
            way = compiled.plane(x, math.prod(side.n for side in sides))
            if way is not None:
                out = np.empty(shape, x.dtype)
                way.unpool(x, None, out)
                return out.astype(input.dtype, copy=False)
        x = divided(xp, x, _sizes(xp, sides, x.dtype), x is not input)
        if all(side.n_out == 1 for side in sides):
            return xp.broadcast_to(x, shape).astype(input.dtype)
        out = planes(x, dims)
        for i in range(dims - 1, -1, -1):
            out = spread_side(xp, out, i, sides[i])
        return out.reshape(shape).astype(input.dtype, copy=False)

    pool.__name__, unpool.__name__ = name, f"adaptive_avg_unpool{dims}d"
    pool.__doc__ = (
        f"The means of a grid of `output_size` bins over {_DRAWING[dims]}, N left out or not.\n\n"
        "Raises RuntimeError for sizes that do not fit."
    )
    unpool.__doc__ = f"The adjoint of {name}."

    def samples(make):
        sides = SHAPES[dims]
        yield Sample(make(2, 3, *(6, 4, 4)[:dims]), 2)
        yield Sample(make(2, 3, *sides), (3, 4, 7)[:dims] if dims > 1 else 3)
        yield Sample(make(3, *sides), 1)
        if dims > 1:
            yield Sample(make(2, 3, *sides), (None, 2, 1)[:dims])

    def errors(make):
        yield Sample(make(6), 2)
        yield Sample(make(2, 3, *(0,) * dims), 2)
        yield Sample(make(2, 3, *SHAPES[dims]), (2,) * (dims + 1))
        yield Sample(make(2, 3, *SHAPES[dims]), -1)
        yield Sample(make(2, 3, *SHAPES[dims]), 2.5)

    made = op(accepts="fc", shape=shape, namespace="nn.functional", samples=samples, errors=errors)(
        pool
    )
    back = op(
        shape=shape_setting,
        function=False,
        method=False,
        oracle=False,
        samples=lambda make: iter(
            [
                Sample(make(2, 3, *(3, 4, 2)[:dims]), (2, 3, *SHAPES[dims])),
                Sample(make(2, *(1,) * dims), (2, *SHAPES[dims])),
            ]
        ),
    )(unpool)
    made.vjp(input=lambda F, g, input_shape: getattr(F, back.name)(g, input_shape))
    back.vjp(input=lambda F, g, input_shape: getattr(F, made.name)(g, tuple(input_shape[-dims:])))
    return made


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = (
    _declare(dims) for dims in (1, 2, 3)
)
