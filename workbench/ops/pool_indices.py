"""Maxima together with where they were: over windows and over adaptive bins.

Places are counted in the flattened plane or volume, as torch counts them.
"""

from __future__ import annotations

import numpy as np

from .declare import op
from .pool import SHAPES, pool_errors
from .pool_sides import winners
from .samples import Sample
from .windows import adaptive, adaptive_sizes, check_shape, planes, windows


def maxima_at(xp, x, sides):
    """The maxima of the windows of planes, and their places in the flattened plane (int64)."""
    dims = x.ndim - 1
    if all(side.n_out == 1 and side.exact for side in sides) and x.size:
        flat = x.reshape(len(x), -1)
        values = flat.max(axis=1)
        if xp is np and not np.isnan(values.max()):
            shape = (len(x),) + (1,) * dims
            return values.reshape(shape), flat.argmax(axis=1).reshape(shape)
    place, below = None, 1
    for i in range(dims - 1, -1, -1):
        side = sides[i]
        x, found = winners(xp, x, i, side)
        starts = xp.asarray(side.starts).reshape((-1,) + (1,) * (dims - i - 1))
        where = starts + found.astype(np.int64) * side.gap
        if place is not None:
            inner = xp.take_along_axis(place, where, axis=i + 1)
            where = where * below + inner
        place, below = where, below * side.n
    return x, place


def _pooled(xp, input, dims, sides):
    values, place = maxima_at(xp, planes(input, dims), sides)
    shape = (*input.shape[: input.ndim - dims], *(side.n_out for side in sides))
    if all(side.exact and side.kernel == 1 for side in sides):
        values = values.copy()
    return values.reshape(shape), place.reshape(shape)


def _declare_windows(dims):
    name = f"max_pool{dims}d_with_indices"

    def shape(input, kernel_size, stride, padding, dilation, ceil_mode):
        held = windows(
            f"max_pool{dims}d", dims, input, kernel_size, stride, padding, dilation, ceil_mode
        )
        return held.out_shape, held.out_shape

    def samples(make):
        sides = SHAPES[dims]
        yield Sample(make.distinct(2, 3, *(6, 4, 4)[:dims]), 2)
        yield Sample(make.distinct(2, 1, *sides), (3, 2, 2)[:dims], 2, 1)
        yield Sample(make.distinct(1, 2, *sides), 3, 2, 1, 1, True)
        yield Sample(make.distinct(2, *sides), 2, 1, 0, 2)

    def pool(xp, input, /, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        held = windows(
            f"max_pool{dims}d", dims, input.shape, kernel_size, stride, padding, dilation, ceil_mode
        )
        return _pooled(xp, input, dims, held.sides)

    def oracle(torch, input, *settings, **named):
        return getattr(torch.nn.functional, f"max_pool{dims}d")(
            input, *settings, return_indices=True, **named
        )

    pool.__name__ = name
    pool.__doc__ = (
        "The largest element of each window, and its place in the flattened window's source "
        "(int64).\n\nRaises RuntimeError when the windows do not fit."
    )
    made = op(
        errors=pool_errors(dims),
        accepts="iuf",
        shape=shape,
        function=False,
        method=False,
        returns=("values", "indices"),
        differentiable=("values",),
        samples=samples,
        oracle=oracle,
    )(pool)
    made.vjp(input=_scattered(dims))
    return made


def _scattered(dims):
    """The gradient of a pool that knows where its maxima were."""
    return lambda F, g, indices, input_shape: F.add_planes(g, indices, tuple(input_shape[-dims:]))


max_pool1d_with_indices, max_pool2d_with_indices, max_pool3d_with_indices = (
    _declare_windows(dims) for dims in (1, 2, 3)
)


def _declare_adaptive(dims):
    def sides_of(shape, output_size):
        check_shape(f"adaptive_max_pool{dims}d", dims, shape)
        sizes = adaptive_sizes(f"adaptive_max_pool{dims}d", shape, output_size, dims)
        return [adaptive(n, o) for n, o in zip(shape[-dims:], sizes, strict=True)]

    def shape(input, output_size):
        made = (*input[:-dims], *(side.n_out for side in sides_of(input, output_size)))
        return made, made

    def samples(make):
        sides = SHAPES[dims]
        yield Sample(make.distinct(2, 3, *(6, 4, 4)[:dims]), 2)
        yield Sample(make.distinct(2, *sides), (3, 4, 2)[:dims] if dims > 1 else 3)
        yield Sample(make.distinct(2, 3, *sides), 1)

    def pool(xp, input, /, output_size):
        return _pooled(xp, input, dims, sides_of(input.shape, output_size))

    pool.__name__ = f"adaptive_max_pool{dims}d_with_indices"
    pool.__doc__ = (
        "The largest element of each of a grid of `output_size` bins, and its place in the "
        "flattened source (int64).\n\nRaises RuntimeError for sizes that do not fit."
    )
    made = op(
        accepts="f",
        shape=shape,
        function=False,
        method=False,
        returns=("values", "indices"),
        differentiable=("values",),
        samples=samples,
        errors=lambda make: iter(
            [
                Sample(make(6), 2),
                Sample(make(2, 3, *(0,) * dims), 2),
                Sample(make(2, 3, *SHAPES[dims]), (2,) * (dims + 1)),
                Sample(make(2, 3, *SHAPES[dims]), -1),
            ]
        ),
        oracle=lambda torch, input, size: getattr(torch.nn.functional, f"adaptive_max_pool{dims}d")(
            input, size, return_indices=True
        ),
    )(pool)
    made.vjp(input=_scattered(dims))
    return made


(
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d_with_indices,
) = (_declare_adaptive(dims) for dims in (1, 2, 3))
