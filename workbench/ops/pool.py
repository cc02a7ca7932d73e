"""Maxima over windows: one side after the other, without index arrays.

The maximum over a window of a plane is the maximum along its columns of the maxima along its
rows; so is the place of the first one, if rows come first. The gradient finds the winners again
by comparing, a few planes at a time, so that the forward keeps no places.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiled import pool as compiled
from .declare import op
from .pool_sides import lowest, pick_winners, reduce_side, spread_winners, winners
from .pool_winners import fast_way
from .samples import Sample
from .windows import planes, windows

_BLOCK = 1 << 16  # elements of a block of planes that is worked on while it is in the cache


def _blocks(xp, count, size):
    """Ranges of planes of `size` elements each; all at once on a GPU."""
    step = max(1, _BLOCK // max(size, 1)) if xp is np else max(count, 1)
    return [slice(i, min(i + step, count)) for i in range(0, count, step)]


def maxima(xp, x, sides):
    """The maxima of the windows of planes (P, *sides)."""
    for i, side in enumerate(sides):
        x = reduce_side(xp, xp.maximum, x, i, side, lowest(x.dtype))
    return x


def stages(xp, x, sides, values=False):
    """Winners along the last side, along the one before of those maxima, …: codes by side."""
    found = [None] * len(sides)
    for i in range(len(sides) - 1, -1, -1):
        x, found[i] = winners(xp, x, i, sides[i], values or i > 0)
    return x, found


def _pool(xp, name, dims, input, *settings):
    w = windows(name, dims, input.shape, *settings)
    way = compiled.ready("max", input, w) if type(input) is np.ndarray else None
    if way is not None:
        out = np.empty(w.out_shape, input.dtype)
        way.pool(planes(input, dims), out)
        return out
    out = maxima(xp, planes(input, dims), w.sides)
    if all(side.exact and side.kernel == 1 for side in w.sides):
        out = out.copy()
    return out.reshape(w.out_shape)


def _unpool(xp, name, dims, g, source, top, *settings):
    """`g` (one value per window) put where `source` had its maxima, a block of planes at a time."""
    w = windows(name, dims, source.shape, *settings)
    x, values = planes(source, dims), planes(xp.ascontiguousarray(g), dims)
    out = xp.empty(x.shape, g.dtype)
    same = type(source) is np.ndarray and g.dtype == source.dtype
    compiled_way = compiled.ready("max", source, w) if same else None
    if compiled_way is not None:
        compiled_way.unpool(values, x, out)
        return out.reshape(source.shape)
    if xp is np:
        best = planes(top, dims)
        way = fast_way(values, x, best, w.sides)
        if way is not None:
            way(values, x, best, w.sides, out)
            return out.reshape(source.shape)
    for part in _blocks(xp, len(x), x[:1].size):
        _, found = stages(xp, x[part], w.sides)
        held = values[part]
        for i, side in enumerate(w.sides):
            held = spread_winners(xp, held, found[i], i, side)
        out[part] = held
    return out.reshape(source.shape)


def _picked(xp, name, dims, input, source, *settings):
    """The elements of `input` where `source` had its maxima: the adjoint of `_unpool`."""
    w = windows(name, dims, source.shape, *settings)
    held = planes(xp.ascontiguousarray(input), dims)
    _, found = stages(xp, planes(source, dims), w.sides)
    for i in range(dims - 1, -1, -1):
        held = pick_winners(xp, held, found[i], i, w.sides[i])
    return held.reshape(w.out_shape)


# -- the ops: for lines, planes and volumes --------------------------------------------------------

SHAPES = {1: (7,), 2: (5, 7), 3: (4, 5, 4)}
_DRAWING = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}


def pool_errors(dims):
    """Inputs that every pool of this rank refuses."""

    def errors(make):
        shape = (2, 3, *SHAPES[dims])
        yield Sample(make(2, 3, *(2,) * dims), 3)
        yield Sample(make(*shape), 2, 2, 2)
        yield Sample(make(*shape[2:]), 2)
        yield Sample(make(*shape), 0)
        yield Sample(make(*shape), 2, 0)
        yield Sample(make(*shape), 3, 1, -1)
        yield Sample(make(*shape), (2,) * (dims + 1))
        yield Sample(make(*shape), 2.5)
        yield Sample(make(2, 3, *(0,) * dims), 2)

    return errors


def _samples(dims):
    def samples(make):
        sides = SHAPES[dims]
        mixed = (3, 2, 2)[:dims]
        yield Sample(make.distinct(2, 3, *(6, 4, 4)[:dims]), 2)
        yield Sample(make.distinct(2, 1, *sides), mixed, 2, 1)
        yield Sample(make.distinct(1, 2, *sides), 3, 2, 1, 1, True)
        yield Sample(make.distinct(2, *sides), 2, 1, 0, 2)
        yield Sample(make.distinct(2, *sides), 2, 3)
        yield Sample(make(0, 2, *sides), 2)

    return samples


def _declare(dims):
    name = f"max_pool{dims}d"

    def shape(input, kernel_size, stride, padding, dilation, ceil_mode):
        return windows(
            name, dims, input, kernel_size, stride, padding, dilation, ceil_mode
        ).out_shape

    def source_shape(source, kernel_size, stride, padding, dilation, ceil_mode):
        return shape(source, kernel_size, stride, padding, dilation, ceil_mode)

    def taps_samples(gathered):
        def samples(make):
            def sampled(source, settings):
                top = max_pool(np, source, *settings)
                return Sample(make(*(source if gathered else top).shape), source, top, *settings)

            source = make.distinct(2, 1, *SHAPES[dims])
            settings: tuple[Any, ...] = ((3, 2, 2)[:dims], 2, 1, 1, False)
            yield sampled(source, settings)
            yield sampled(source, (2, 2, 0, 1, True))
            yield sampled(make.distinct(2, 1, *(4, 4, 6)[:dims]), (2, 2, 0, 1, False))

        return samples

    def max_pool(xp, input, /, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        return _pool(xp, name, dims, input, kernel_size, stride, padding, dilation, ceil_mode)

    def unpool(xp, input, source, top, /, kernel_size, stride, padding, dilation, ceil_mode):
        return _unpool(
            xp, name, dims, input, source, top, kernel_size, stride, padding, dilation, ceil_mode
        )

    def picked(xp, input, source, top, /, kernel_size, stride, padding, dilation, ceil_mode):
        return _picked(
            xp, name, dims, input, source, kernel_size, stride, padding, dilation, ceil_mode
        )

    max_pool.__name__ = name
    max_pool.__doc__ = (
        f"The largest element of each window of {_DRAWING[dims]}, N left out or not; padding "
        "counts as -inf.\n\n"
        "Raises RuntimeError when the windows do not fit. The first of tied elements gets the "
        "gradient."
    )
    unpool.__name__ = f"max_unpool{dims}d_taps"
    unpool.__doc__ = "Values of the windows put where `source` had its window maximum."
    picked.__name__ = f"max_pool{dims}d_taps"
    picked.__doc__ = "The elements of `input` where `source` had its window maximum."

    made = op(
        errors=pool_errors(dims),
        accepts="f" if dims == 1 else "iuf",
        shape=shape,
        namespace="nn.functional",
        samples=_samples(dims),
    )(max_pool)
    hidden: dict[str, Any] = {"function": False, "method": False, "oracle": False}
    put = op(shape=lambda source: source, samples=taps_samples(False), **hidden)(unpool)
    get = op(shape=source_shape, samples=taps_samples(True), **hidden)(picked)

    def max_rule(F, g, input, out, kernel_size, stride, padding, dilation, ceil_mode):
        return getattr(F, put.name)(
            g, F.detach(input), F.detach(out), kernel_size, stride, padding, dilation, ceil_mode
        )

    def put_rule(F, g, source, top, kernel_size, stride, padding, dilation, ceil_mode):
        return getattr(F, get.name)(
            g, source, top, kernel_size, stride, padding, dilation, ceil_mode
        )

    def get_rule(F, g, source, top, kernel_size, stride, padding, dilation, ceil_mode):
        return getattr(F, put.name)(
            g, source, top, kernel_size, stride, padding, dilation, ceil_mode
        )

    made.vjp(input=max_rule)
    put.vjp(input=put_rule)
    get.vjp(input=get_rule)
    return made


max_pool1d, max_pool2d, max_pool3d = (_declare(dims) for dims in (1, 2, 3))
