"""Diagonals and cyclic shifts."""

from __future__ import annotations

import numpy as np

from .declare import op, shape_setting
from .reduce import axis
from .samples import Sample


def _roll_samples(make):
    yield Sample(make(2, 3), 1)
    yield Sample(make(2, 3), 1, 0)
    yield Sample(make(2, 3, 2), (1, -2), (0, 1))
    yield Sample(make(0, 3), 2, 1)
    yield Sample(make(4, 3).T, 5, -1)


@op(
    errors=lambda make: iter(
        [Sample(make(2, 3), (1, 2), 0), Sample(make(2, 3), (1, 2)), Sample(make(2, 3), 1, 2)]
    ),
    samples=_roll_samples,
)
def roll(xp, input, /, shifts, dims=()):
    """Elements shifted along `dims`, those beyond the end coming back at the start.

    Without `dims` the flattened tensor is shifted. Raises RuntimeError when the numbers of shifts
    and dims differ.
    """
    shifts = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    if not dims:
        if len(shifts) != 1:
            raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims: 0")
        return xp.roll(input, shifts[0])
    if len(shifts) != len(dims):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims: {len(dims)}"
        )
    return xp.roll(input, shifts, tuple(axis(d, input.ndim) for d in dims))


def _back(shifts):
    return -shifts if isinstance(shifts, int) else tuple(-n for n in shifts)


roll.vjp(input=lambda F, g, shifts, dims: F.roll(g, _back(shifts), dims))


def _diagonal_samples(make):
    yield Sample(make(3, 3))
    yield Sample(make(3, 4), 1)
    yield Sample(make(3, 4), -1)
    yield Sample(make(2, 3, 4), 0, 1, 2)
    yield Sample(make(2, 3, 4), 1, -1, 0)


@op(
    errors=lambda make: iter(
        [Sample(make(2, 3), 0, 1, 1), Sample(make(3)), Sample(make(2, 3), 0, 0, 2)]
    ),
    samples=_diagonal_samples,
    view=True,
)
def diagonal(xp, input, /, offset=0, dim1=0, dim2=1):
    """A view of the diagonal of two dimensions, as a new last dimension.

    Raises RuntimeError when both dimensions are the same.
    """
    first, second = axis(dim1, input.ndim), axis(dim2, input.ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    out = xp.diagonal(input, offset, first, second)
    if xp is np and input.flags.writeable:  # NumPy marks it read-only; torch writes through it
        out.flags.writeable = True
    return out


diagonal.vjp(
    input=lambda F, g, input_shape, offset, dim1, dim2: F.diagonal_backward(
        g, input_shape, offset, dim1, dim2
    )
)


def _placed_samples(make):
    yield Sample(make(3), (3, 4), 1, 0, 1)
    yield Sample(make(3, 1), (2, 3, 4), 1, -1, 0)


@op(function=False, method=False, oracle=False, shape=shape_setting, samples=_placed_samples)
def diagonal_backward(xp, input, /, shape, offset, dim1, dim2):
    """Zeros of `shape` with `input` on a diagonal: the adjoint of diagonal."""
    out = xp.zeros(shape, input.dtype)
    place = xp.diagonal(out, offset, dim1, dim2)
    if xp is np:
        place.flags.writeable = True
    place[...] = input
    return out


diagonal_backward.vjp(input=lambda F, g, offset, dim1, dim2: F.diagonal(g, offset, dim1, dim2))
