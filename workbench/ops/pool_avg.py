"""Means over windows: sums along one side after the other, divided once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .compiled import pool as compiled
from .declare import op, shape_setting
from .pool import SHAPES, pool_errors
from .pool_sides import reduce_side, spread_side
from .samples import Sample
from .windows import planes, windows

_DRAWING = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}


def _divisor(xp, w, dtype, count_include_pad, divisor_override):
    """What the windows' sums are divided by: a number where it is one for all, else an array."""
    if divisor_override is not None:
        if divisor_override == 0:
            raise RuntimeError("divisor must be not zero")
        return divisor_override
    if all(len(side.taps) == k and _full(side) for side, k in zip(w.sides, w.kernel, strict=True)):
        return math.prod(w.kernel)
    counts = xp.ones((), dtype)
    for side, n, k, p in zip(
        w.sides, w.shape[-len(w.sides) :], w.kernel, w.padding, strict=True
    ):  # fmt: skip
        stops = np.minimum(side.starts + k, n + p)
        if count_include_pad:
            count = stops - side.starts
        else:
            count = np.minimum(stops, n) - np.maximum(side.starts, 0)
        counts = counts[..., None] * xp.asarray(count.astype(dtype))
    return counts


def _full(side):
    """Whether every window lies inside the side, none of it in the padding."""
    return all(windows.stop - windows.start == side.n_out for _, windows, _ in side.taps)


def divided(xp, x, divisor, fresh):
    """`x` over `divisor`, in place if it is `fresh`; whole numbers are cut off towards zero."""
    if x.dtype.kind in "iu":
        return (x / divisor).astype(x.dtype)
    if type(divisor) is int and divisor & (divisor - 1) == 0 and divisor > 0:
        factor = x.dtype.type(1 / divisor)  # exact
        return xp.multiply(x, factor, out=x if fresh else None)
    if type(divisor) is int:
        divisor = x.dtype.type(divisor)
    return xp.divide(x, divisor, out=x if fresh else None)


def _plain(x, override):
    return type(x) is np.ndarray and override != 0


def single(x):
    """float16 as float32, in which its sums are taken."""
    return x.astype(np.float32) if x.dtype.char == "e" else x


def _shares(xp, g, w, sides_of, dtype):
    """Each window's value on each of its elements, summed; (*, *sides) of `sides_of`."""
    dims = len(w.sides)
    out = planes(g, dims)
    for i in range(dims - 1, -1, -1):
        out = spread_side(xp, out, i, w.sides[i])
    return out.reshape(sides_of).astype(dtype, copy=False)


def _declare(dims):
    name = f"avg_pool{dims}d"

    def shape(input, kernel_size, stride, padding, ceil_mode):
        return windows(name, dims, input, kernel_size, stride, padding, 1, ceil_mode).out_shape

    def pooled(xp, input, kernel_size, stride, padding, ceil_mode, include, override):
        if dims == 2 and input.ndim < 3:  # torch's odd one out
            raise IndexError(
                "avg_pool2d(): Expected 3D (unbatched) or 4D (batched) input, but got input of "
                f"size: {list(input.shape)}"
            )
        w = windows(name, dims, input.shape, kernel_size, stride, padding, 1, ceil_mode)
        x = single(input)
        way = compiled.ready("mean", x, w, override, include) if _plain(x, override) else None
        if way is not None:
            out = np.empty(w.out_shape, x.dtype)
            way.pool(planes(x, dims), out)
            return out.astype(input.dtype, copy=False)
        divisor = _divisor(xp, w, x.dtype, include, override)
        out = held = planes(x, dims)
        for i, side in enumerate(w.sides):
            out = reduce_side(xp, xp.add, out, i, side, 0)
        out = divided(xp, out, divisor, out is not held)
        return out.reshape(w.out_shape).astype(input.dtype, copy=False)

    def spread(xp, g, shape, kernel_size, stride, padding, ceil_mode, include, override):
        w = windows(name, dims, shape, kernel_size, stride, padding, 1, ceil_mode)
        x = single(g)
        way = compiled.ready("mean", x, w, override, include) if _plain(x, override) else None
        if way is not None:
            out = np.empty(shape, x.dtype)
            way.unpool(x, None, planes(out, dims))
            return out.astype(g.dtype, copy=False)
        share = divided(xp, x, _divisor(xp, w, x.dtype, include, override), x is not g)
        return _shares(xp, share, w, shape, g.dtype)

    def line_pool(
        xp, input, /, kernel_size, stride=None, padding=0, ceil_mode=False,
        count_include_pad=True,
    ):  # fmt: skip
        return pooled(xp, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)

    def line_unpool(
        xp, input, /, shape, kernel_size, stride, padding, ceil_mode, count_include_pad
    ):
        return spread(
            xp, input, shape, kernel_size, stride, padding, ceil_mode, count_include_pad, None
        )

    def line_rule(F, g, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad):
        return F.avg_unpool1d(
            g, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad
        )

    def line_unrule(F, g, kernel_size, stride, padding, ceil_mode, count_include_pad):
        return F.avg_pool1d(g, kernel_size, stride, padding, ceil_mode, count_include_pad)

    def pool(
        xp, input, /, kernel_size, stride=None, padding=0, ceil_mode=False,
        count_include_pad=True, divisor_override=None,
    ):  # fmt: skip
        return pooled(
            xp, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
            divisor_override,
        )  # fmt: skip

    def unpool(
        xp, input, /, shape, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    ):  # fmt: skip
        return spread(
            xp, input, shape, kernel_size, stride, padding, ceil_mode, count_include_pad,
            divisor_override,
        )  # fmt: skip

    def rule(
        F, g, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    ):  # fmt: skip
        return getattr(F, f"avg_unpool{dims}d")(
            g, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad,
            divisor_override,
        )  # fmt: skip

    def unrule(F, g, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
        return getattr(F, name)(
            g, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )

    made_of: Any = (pool, unpool, rule, unrule)
    if dims == 1:
        made_of = (line_pool, line_unpool, line_rule, line_unrule)
    forward, backward, rule_, unrule_ = made_of
    forward.__name__, backward.__name__ = name, f"avg_unpool{dims}d"
    forward.__doc__ = (
        f"The mean of each window of {_DRAWING[dims]}, N left out or not.\n\n"
        "Raises RuntimeError when the windows do not fit."
    )
    backward.__doc__ = (
        f"The adjoint of {name}: each window's value spread evenly over its elements."
    )
    more = () if dims == 1 else (4,)

    def samples(make):
        sides, mixed = SHAPES[dims], (3, 2, 2)[:dims]
        yield Sample(make(2, 3, *(6, 4, 4)[:dims]), 2)
        yield Sample(make(2, 1, *sides), mixed, 2, 1)
        yield Sample(make(2, 1, *sides), 3, 2, 1, False, False)
        yield Sample(make(2, *sides), 3, 2, 1, True)
        yield Sample(make(1, 2, *sides), 3, 2, 0, False, True, *more)

    def unsamples(make):
        mixed, given = (3, 2, 2)[:dims], (2, 1, *SHAPES[dims])
        for settings in ((mixed, 2, 1, False, True), (2, 2, 0, True, False)):
            yield Sample(
                make(*shape(given, *settings[:4])), given, *settings, *((None,) if more else ())
            )

    def errors(make):
        yield from pool_errors(dims)(make)
        if more:
            yield Sample(make(2, 3, *SHAPES[dims]), 2, divisor_override=0)

    made = op(
        errors=errors,
        accepts="if",
        shape=shape,
        namespace="nn.functional",
        samples=samples,
    )(forward)
    back = op(shape=shape_setting, function=False, method=False, oracle=False, samples=unsamples)(
        backward
    )
    made.vjp(input=rule_)
    back.vjp(input=unrule_)
    return made


avg_pool1d, avg_pool2d, avg_pool3d = (_declare(dims) for dims in (1, 2, 3))
