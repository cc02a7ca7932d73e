"""Indexing, gathering and scattering.

`index` is a NumPy index of plain values and raw arrays; the tensor room turns Tensors into it.
"""

from __future__ import annotations

import itertools

import numpy as np

from .declare import op, shape_setting
from .reduce import axis
from .samples import Sample


def is_basic(index):
    """Whether NumPy answers this index with a view (no arrays in it)."""
    return not any(hasattr(i, "dtype") for i in index)


def _index_samples(make):
    yield Sample(make(4, 3), (1,))
    yield Sample(make(4, 3), (slice(None), slice(0, 2)))
    yield Sample(make(4, 3), (slice(None, None, 2), None))
    yield Sample(make(4, 3), (Ellipsis, -1))
    yield Sample(make(4, 3), (np.array([0, 2, 2]),))
    yield Sample(make(4, 3), (np.array([0, 2, 2]), np.array([1, 1, 0])))
    yield Sample(make(4, 3), (np.array([True, False, True, True]),))
    yield Sample(make(2, 3, 4), (slice(None), np.array([0, 0]), slice(1, 3)))


@op(method=False, function=False, view=True, oracle=False, samples=_index_samples)
def getitem(xp, input, /, index):
    """input[index]; a view for basic indices, a copy for arrays."""
    out = input[index]
    if isinstance(
        out, np.generic
    ):  # one element: NumPy copies it unless an Ellipsis asks for a view
        return input[(*index, Ellipsis)]
    return out


def _order(strides):
    """The dimensions from the outermost in memory to the innermost; None for the usual order."""
    held = [abs(s) for s in strides]
    if all(a >= b for a, b in itertools.pairwise(held)):
        return None
    return tuple(sorted(range(len(held)), key=held.__getitem__, reverse=True))


# A gradient that lies in memory as its tensor does meets the tensor's own base without a copy
getitem.vjp(
    input=lambda F, g, index, input_shape, input_strides: F.index_backward(
        g, index, input_shape, _order(input_strides)
    )
)


@op(
    shape=shape_setting,
    method=False,
    function=False,
    oracle=False,
    samples=lambda make: iter(
        [
            Sample(make(3, 3), (np.array([0, 2, 2]),), (4, 3)),
            Sample(make(2, 3), (slice(0, 4, 2),), (4, 3)),
            Sample(make(2, 3), (1,), (4, 2, 3), (1, 0, 2)),
        ]
    ),
)
def index_backward(xp, input, /, index, shape, order=None):
    """Zeros of `shape` with `input` added at `index`: the adjoint of getitem.

    `order` names the dimensions from the outermost in memory to the innermost.
    """
    if order is None or len(order) != len(shape):  # a batching rule adds a dimension
        out = xp.zeros(shape, input.dtype)
    else:
        held = xp.zeros([shape[d] for d in order], input.dtype)
        out = held.transpose([order.index(d) for d in range(len(order))])
    if is_basic(index) or all(not hasattr(i, "dtype") or i.dtype == np.bool_ for i in index):
        out[index] += input  # every element is met once
    else:
        xp.add.at(out, index, input)
    return out


index_backward.vjp(input=lambda F, g, index: F.getitem(g, index))


@op(
    shape=lambda input: input,
    method=False,
    function=False,
    oracle=False,
    samples=lambda make: iter(
        [
            Sample(make(4, 3), make(2, 3), (np.array([0, 2]),)),
            Sample(make(4, 3), make(3), (slice(0, 2),)),
            Sample(make(4, 3), make(), (1, 2)),
        ]
    ),
)
def index_put(xp, input, values, /, index):
    """A copy of `input` with `values` (broadcast) written at `index`."""
    out = input.copy()
    out[index] = values
    return out


index_put.vjp(
    input=lambda F, g, index: F.index_zero(g, index),
    values=lambda F, g, index, values_shape: F.sum_to(F.getitem(g, index), values_shape),
)


@op(
    method=False,
    function=False,
    oracle=False,
    samples=lambda make: iter([Sample(make(4, 3), (np.array([0, 2]),)), Sample(make(4, 3), (1,))]),
)
def index_zero(xp, input, /, index):
    """A copy of `input` with zeros at `index`."""
    out = input.copy()
    out[index] = 0
    return out


index_zero.vjp(input=lambda F, g, index: F.index_zero(g, index))


def check_index(name, index, size, error=IndexError):
    """Raises IndexError (or `error`) when an entry of `index` is not in 0 … size-1."""
    if index.size and (int(index.min()) < 0 or int(index.max()) >= size):
        bad = index[(index < 0) | (index >= size)].reshape(-1)[0]
        raise error(f"{name}(): index {int(bad)} is out of bounds for dimension with size {size}")


def _open_grid(xp, index, dim):
    """Index arrays that pair each entry of `index` (along `dim`) with its own position."""
    grid = [
        xp.arange(n).reshape((1,) * i + (n,) + (1,) * (index.ndim - i - 1))
        for i, n in enumerate(index.shape)
    ]
    grid[dim] = index
    return tuple(grid)


def _gather_samples(make):
    yield Sample(make(3, 4), 1, make.ints(3, 2, high=4))
    yield Sample(make(3, 4), 0, make.ints(2, 4, high=3))
    yield Sample(make(3, 4), -1, make.ints(2, 3, high=4))
    yield Sample(make(3, 4), 0, make.ints(0, 4))


def _gather_reference(torch, input, dim, index):
    return torch.gather(input, dim, index)


@op(
    errors=lambda make: iter(
        [
            Sample(make(3, 4), make.ints(3, 2, low=4, high=9), 1),
            Sample(make(3, 4), make.ints(3), 0),
            Sample(make(3, 4), make.ints(4, 4, high=3), 1),
        ]
    ),
    shape=lambda index: index,
    function=False,
    method=False,
    oracle=lambda t, x, i, dim: t.gather(x, dim, i),
    samples=lambda make: (Sample(s.args[0], s.args[2], s.args[1]) for s in _gather_samples(make)),
)
def gather_along(xp, input, index, /, dim):
    """Entries of `input` along `dim` at `index`, as torch.gather."""
    if input.ndim == 0:
        return input.reshape(1)[index]
    where = axis(dim, input.ndim)
    if index.ndim != input.ndim:
        raise RuntimeError(
            "gather(): Index tensor must have the same number of dimensions as input tensor, got "
            f"{index.ndim} and {input.ndim}"
        )
    if any(
        i > n for d, (i, n) in enumerate(zip(index.shape, input.shape, strict=True)) if d != where
    ):
        raise RuntimeError(
            f"gather(): Size does not match: expected index {list(index.shape)} to be no larger "
            f"than self {list(input.shape)} apart from dimension {where}"
        )
    check_index("gather", index, input.shape[where], RuntimeError)
    return input[_open_grid(xp, index, where)]


gather_along.vjp(
    input=lambda F, g, index, input_shape, dim: F.gather_backward(g, index, input_shape, dim)
)


@op(
    shape=shape_setting,
    function=False,
    method=False,
    oracle=False,
    samples=lambda make: iter([Sample(make(3, 2), make.ints(3, 2, high=4), (3, 4), 1)]),
)
def gather_backward(xp, input, index, /, shape, dim):
    """Zeros of `shape` with `input` added along `dim` at `index`: the adjoint of gather."""
    out = xp.zeros(shape, input.dtype)
    if not shape:
        return out + input.sum()
    where = _open_grid(xp, index, axis(dim, len(shape)))
    xp.add.at(out, where, input)
    return out


gather_backward.vjp(input=lambda F, g, index, dim: F.gather_along(g, index, dim))


def _masked_samples(make):
    yield Sample(make(2, 3), make.bools(2, 3), 0.5)
    yield Sample(make(2, 3), make.bools(3), -1.0)


@op(
    errors=lambda make: iter(
        [Sample(make(2, 3), make.bools(2), 0.0), Sample(make(2, 3), make.ints(2, 3), 0.0)]
    ),
    inplace=True,
    samples=_masked_samples,
)
def masked_fill(xp, input, mask, /, value):
    """A copy with `value` where `mask` (broadcast, bool) is true."""
    if mask.dtype != np.bool_:
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}"
        )
    try:
        number = input.dtype.type(value)
    except (OverflowError, ValueError):
        raise RuntimeError(
            f"value cannot be converted to type {input.dtype.name} without overflow: {value}"
        ) from None
    return xp.where(mask, number, input)


masked_fill.vjp(
    input=lambda F, g, mask, input_shape: F.sum_to(F.where(mask, g * 0, g), input_shape)
)


@op(
    samples=lambda make: iter(
        [Sample(make(3, 3), 0), Sample(make(3, 4), 1), Sample(make(2, 3, 3), -1)]
    ),
    inplace=True,
)
def tril(xp, input, /, diagonal=0):
    """The lower triangle of the last two dimensions, zeros above `diagonal`."""
    return xp.tril(input, diagonal)


tril.vjp(input=lambda F, g, diagonal: F.tril(g, diagonal))


@op(
    samples=lambda make: iter(
        [Sample(make(3, 3), 0), Sample(make(3, 4), 1), Sample(make(2, 3, 3), -1)]
    ),
    inplace=True,
)
def triu(xp, input, /, diagonal=0):
    """The upper triangle of the last two dimensions, zeros below `diagonal`."""
    return xp.triu(input, diagonal)


triu.vjp(input=lambda F, g, diagonal: F.triu(g, diagonal))


def _scatter_samples(make):
    yield Sample(make(3, 4), make(2, 4), np.array([[0, 1, 2, 0], [2, 0, 1, 1]]), 0)
    yield Sample(make(3, 4), make(3, 2), np.array([[0, 3], [2, 1], [1, 0]]), -1)


@op(
    function=False,
    method=False,
    dtype=None,
    shape=lambda input: input,
    samples=_scatter_samples,
    oracle=lambda t, x, s, i, dim: x.scatter(dim, i, s),
)
def scatter_put(xp, input, src, index, /, dim):
    """A copy of `input` with `src` written along `dim` at `index`, as torch.scatter."""
    out = input.copy()
    if input.ndim == 0:
        out[...] = src
        return out
    where = axis(dim, input.ndim)
    check_index("scatter", index, input.shape[where], RuntimeError)
    out[_open_grid(xp, index, where)] = src[tuple(slice(0, n) for n in index.shape)]
    return out


def _scatter_src(F, g, index, src_shape, dim):
    got = F.gather_along(g, index, dim)
    if tuple(src_shape) == tuple(got.shape):
        return got
    return F.index_backward(got, tuple(slice(0, n) for n in got.shape), src_shape)


scatter_put.vjp(
    input=lambda F, g, src, index, dim: F.scatter_put(g, F.detach(src) * 0, F.detach(index), dim),
    src=_scatter_src,
)
