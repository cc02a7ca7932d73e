"""Fractional maximum pooling (Graham, 2014): windows whose steps are drawn, plane by plane."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .declare import op
from .pool_sides import lowest
from .samples import Sample
from .windows import check_shape, ints, planes

_NAMES = {2: ("height", "width"), 3: ("time", "height", "width")}


def starts(xp, draws, n, n_out, kernel):
    """Where the windows of a pseudo-random sequence begin: (*, n_out), int64.

    `draws` (*) in [0, 1), one per sequence. The steps are of two lengths with the mean
    (n - kernel) / (n_out - 1); the last window ends where the side does.
    """
    last = xp.full((*draws.shape, 1), n - kernel, np.int64)
    if n_out == 1:
        return last
    alpha = draws.dtype.type(n - kernel) / draws.dtype.type(n_out - 1)
    shift = draws[..., None]
    steps = ((xp.arange(n_out - 1, dtype=draws.dtype) + shift) * alpha).astype(np.int64)
    return xp.concatenate([steps - (shift * alpha).astype(np.int64), last], axis=-1)


def _checked(dims, shape, draws, kernel_size, output_size):
    name = f"fractional_max_pool{dims}d"
    check_shape(name, dims, shape)
    kernel = ints(name, "kernel_size", kernel_size, dims)
    sizes = ints(name, "output_size", output_size, dims)
    if min(kernel) < 1 or min(sizes) < 1:
        raise RuntimeError(
            f"{name}(): kernel_size and output_size must be greater than zero, got {kernel} and "
            f"{sizes}"
        )
    for side, n, k, o in zip(_NAMES[dims], shape[-dims:], kernel, sizes, strict=True):
        if o + k - 1 > n:
            raise RuntimeError(f"{name}(): pool {side} {k} too large relative to input {side} {n}")
    batch = shape[0] if len(shape) == dims + 2 else 1
    channels = shape[-dims - 1]
    if len(draws) != 3 or draws[0] < batch or draws[1] < channels or draws[2] != dims:
        raise RuntimeError(
            f"{name}(): Expect _random_samples of size {[batch, channels, dims]}; got {list(draws)}"
        )
    return kernel, sizes, batch, channels


def _places(xp, dims, shape, draws, kernel, sizes):
    """Where the windows of each side begin: (planes, n_out) each."""
    # torch's planes take the first number for their width, its volumes for their depth
    order = (1, 0) if dims == 2 else (0, 1, 2)
    return [
        starts(xp, draws[:, i], n, o, k)
        for i, n, o, k in zip(order, shape[-dims:], sizes, kernel, strict=True)
    ]


def _declare(dims):
    def shape(input, samples, kernel_size, output_size):
        _, sizes, _, _ = _checked(dims, input, samples, kernel_size, output_size)
        made = (*input[:-dims], *sizes)
        return made, made

    def pool(xp, input, samples, /, kernel_size, output_size):
        if samples.dtype != input.dtype:
            raise RuntimeError(
                f"fractional_max_pool{dims}d(): Expect _random_samples to have the same dtype as "
                f"input, got {samples.dtype.name} and {input.dtype.name}"
            )
        kernel, sizes, batch, channels = _checked(
            dims, input.shape, samples.shape, kernel_size, output_size
        )
        x = planes(input, dims)
        draws = samples[:batch, :channels].reshape(-1, dims)
        corner = []
        for i, start in enumerate(_places(xp, dims, input.shape, draws, kernel, sizes)):
            lone = (1,) * i, (1,) * (dims - i - 1)
            corner.append(start.reshape((len(x), *lone[0], -1, *lone[1])))
        plane = xp.arange(len(x)).reshape((-1,) + (1,) * dims)
        best = xp.full((len(x), *sizes), lowest(x.dtype), x.dtype)
        found: Any = None
        for offset in itertools.product(*(range(k) for k in kernel)):
            where = [c + o for c, o in zip(corner, offset, strict=True)]
            values = x[(plane, *where)]
            place: Any = where[0]
            for w, n in zip(where[1:], input.shape[-dims + 1 :], strict=True):
                place = place * n + w
            if found is None:
                found = xp.zeros(best.shape, np.int64) + place
            hit = (values > best) | (values != values)
            found = xp.where(hit, place, found)
            best = xp.maximum(best, values)
        out = (*input.shape[:-dims], *sizes)
        return best.reshape(out), found.reshape(out)

    def samples(make):
        def drawn(*lead):
            return make.rng.uniform(0, 1, (*lead, dims)).astype(make.dtype)

        sides = (7, 9, 6)[:dims]
        yield Sample(make.distinct(2, 3, *sides), drawn(2, 3), 2, 3)
        yield Sample(make.distinct(3, *sides), drawn(1, 3), (2, 3, 2)[:dims], (4, 3, 1)[:dims])

    def errors(make):
        sides, drawn = (6,) * dims, make(2, 3, dims, low=0, high=1)
        yield Sample(make(2, 3, *sides), drawn, 5, 3)
        yield Sample(make(2, 3, *sides), make(1, 3, dims), 2, 3)
        yield Sample(make(2, 3, *sides), make(2, 3, dims + 1), 2, 3)
        yield Sample(make(2, 3, *sides), drawn.astype(np.float32), 2, 3)

    def oracle(torch, input, samples, kernel_size, output_size):
        call = getattr(torch.nn.functional, f"fractional_max_pool{dims}d")
        return call(input, kernel_size, output_size, return_indices=True, _random_samples=samples)

    pool.__name__ = f"fractional_max_pool{dims}d_with_indices"
    pool.__doc__ = (
        "The largest element of each window, the windows' steps drawn by `samples` "
        f"(N, C, {dims}) in [0, 1), and its place in the flattened source (int64).\n\n"
        "Raises RuntimeError for windows that do not fit."
    )
    made = op(
        accepts="f",
        shape=shape,
        function=False,
        method=False,
        returns=("values", "indices"),
        differentiable=("values",),
        samples=samples,
        errors=errors,
        oracle=oracle,
    )(pool)
    made.vjp(
        input=lambda F, g, indices, input_shape: F.add_planes(
            g, indices, tuple(input_shape[-dims:])
        )
    )
    return made


fractional_max_pool2d_with_indices, fractional_max_pool3d_with_indices = (
    _declare(dims) for dims in (2, 3)
)
