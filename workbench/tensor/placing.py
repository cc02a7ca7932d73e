"""Taking and placing at positions: take, put, masked_scatter, the *_scatter family, reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import to_numpy
from workbench.ops.strided import places as strided_places

from .functions import METHODS, function, raw
from .inplace import fill_raw, inplace_variant
from .scatter import _along, _check, _part, index_put
from .tensor import Tensor, beside, wrap

_reshape, _index_put = raw("reshape"), raw("index_put")


def _axis(dim: int, ndim: int) -> int:
    from workbench.ops.reduce import axis

    return axis(dim, ndim)


def _flat_index(name: str, input: Tensor, index: Tensor) -> Tensor:
    """Positions among all elements, negative ones counted from the end."""
    if index.array.dtype.kind not in "iu":
        raise RuntimeError(f"{name}(): Expected a long tensor for index, but got {index.dtype}")
    n = input.array.size
    found = index.array
    if found.size and (int(found.min()) < -n or int(found.max()) >= n):
        raise IndexError(f"{name}(): out of range: an index is not in [-{n}, {n})")
    return wrap(np.where(found < 0, found + n, found).astype(np.int64))


@function()
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at `index` of the flattened input, in the shape of `index`."""
    key = _flat_index("take", input, index)
    return raw("getitem")(_reshape(input, (-1,)), (key.array,))


@function()
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with `source` written (or, with `accumulate`, added) at `index` of the flat input."""
    key = _flat_index("put_", input, index)
    if source.array.dtype != input.array.dtype:
        raise RuntimeError(
            f"put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{input.dtype} and source.dtype = {source.dtype}"
        )
    if source.array.size != index.array.size:
        raise IndexError(
            f"put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source.array.size}, index.numel() = {index.array.size}"
        )
    flat = index_put(
        _reshape(input, (-1,)), (_reshape(key, (-1,)),), _reshape(source, (-1,)), accumulate
    )
    return _reshape(flat, tuple(input.array.shape))


@function()
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """Entries at `indices` along `dim`, all other dimensions broadcast; of the flat input
    without `dim`.

    Raises RuntimeError for indices that are not int64 or have other numbers of dimensions.
    """
    if indices.array.dtype != np.int64:
        raise RuntimeError(
            f"take_along_dim(): dtype of indices should be Long but got {indices.dtype}"
        )
    if dim is None:
        return raw("gather_along")(_reshape(input, (-1,)), _reshape(indices, (-1,)), 0)
    if input.array.ndim != indices.array.ndim:
        raise RuntimeError(
            "take_along_dim(): input and indices should have the same number of dimensions, but "
            f"got {input.array.ndim} dimensions for input, and {indices.array.ndim} dimensions "
            "for indices"
        )
    at = _axis(dim, input.array.ndim)
    rest = [list(t.array.shape) for t in (input, indices)]
    rest[0][at] = rest[1][at] = 1
    common = list(np.broadcast_shapes(*map(tuple, rest)))
    spread = []
    for t in (input, indices):
        common[at] = t.array.shape[at]
        spread.append(raw("expand")(t, tuple(common)))
    return raw("gather_along")(*spread, at)


@function()
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy with the first elements of `source` where `mask` (bool, broadcast) is true.

    Raises RuntimeError for other masks, mixed dtypes and a source with too few elements.
    """
    if mask.array.dtype != np.bool_:
        raise RuntimeError(
            f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype}"
        )
    if source.array.dtype != input.array.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got "
            f"{input.dtype} and {source.dtype}"
        )
    shape = np.broadcast_shapes(tuple(input.array.shape), tuple(mask.array.shape))
    spread = input if tuple(input.array.shape) == shape else raw("expand")(input, shape)
    places = np.flatnonzero(np.broadcast_to(to_numpy(mask.array), shape))
    if len(places) > source.array.size:
        raise RuntimeError(
            f"masked_scatter: expected source to have at least {len(places)} elements, got "
            f"{source.array.size}"
        )
    values = raw("narrow")(_reshape(source, (-1,)), 0, 0, len(places))
    return _reshape(_index_put(_reshape(spread, (-1,)), values, (places,)), shape)


# -- a copy with one view of it replaced -----------------------------------------------------------


def _replace(name: str, input: Tensor, src: Tensor, view: Any) -> Tensor:
    """A copy of `input` with `src` where `view(positions)` of it are."""
    at = view(np.arange(input.array.size).reshape(input.array.shape))
    if tuple(src.array.shape) != at.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = "
            f"{list(src.array.shape)}, slice size = {list(at.shape)} in {name}"
        )
    if src.array.dtype != input.array.dtype:
        from .transfer import cast_to

        src = cast_to(src, input.array.dtype)
    flat = _index_put(_reshape(input, (-1,)), _reshape(src, (-1,)), (at.reshape(-1),))
    return _reshape(flat, tuple(input.array.shape))


@function()
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of `input` with `src` as its entry `index` along `dim`."""
    at = _axis(dim, input.array.ndim)
    n = input.array.shape[at] if input.array.ndim else 0
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.array.shape)} at "
            f"dimension {dim}"
        )
    return _replace("select_scatter", input, src, lambda p: np.take(p, index, at))


@function()
def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    """A copy of `input` with `src` as its slice start:end:step along `dim`."""
    at = _axis(dim, input.array.ndim)
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    key = (slice(None),) * at + (slice(start, end, step),)
    return _replace("slice_scatter", input, src, lambda p: p[key])


@function()
def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """A copy of `input` with `src` as its diagonal."""
    return _replace("diagonal_scatter", input, src, lambda p: np.diagonal(p, offset, dim1, dim2))


@function()
def as_strided_scatter(
    input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None
) -> Tensor:
    """A copy of `input` with `src` where `as_strided` would look."""
    at = strided_places(tuple(size), tuple(stride), storage_offset or 0)
    if at.size and at.max() >= input.array.size:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset "
            f"{storage_offset or 0} are out of bounds for storage of {input.array.size}"
        )
    return _replace("as_strided_scatter", input, src, lambda p: at)


# -- scattering with a reduction -------------------------------------------------------------------

_REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


def _untouched(input: Tensor, index: Tensor, at: int) -> Tensor:
    """`input` with zeros at the index."""
    zeros = beside(input, np.zeros(index.array.shape, input.array.dtype))
    return raw("scatter_put")(input, zeros, index, at)


def _reduced(input: Tensor, at: int, index: Tensor, src: Tensor, how: str, own: bool) -> Tensor:
    if how in ("prod", "amax", "amin"):
        return raw("scatter_fold")(input, src, index, at, how, own)
    add = raw("gather_backward")
    shape = tuple(input.array.shape)
    base = input if own else _untouched(input, index, at)
    total = raw("add")(base, add(_part(src, index), index, shape, at))
    if how == "sum":
        return total
    ones = beside(input, np.ones(index.array.shape, input.array.dtype))
    start = beside(input, np.ones(shape, input.array.dtype))
    start = start if own else _untouched(start, index, at)
    count = raw("clamp")(raw("add")(start, add(ones, index, shape, at)), 1, None)
    if input.array.dtype.kind in "iu":
        return raw("floor_divide")(total, count)
    return raw("div")(total, count)


@function()
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy of `input` with `src` reduced into it along `dim` at `index`.

    `reduce`: "sum", "prod", "mean", "amax" or "amin"; with `include_self` False what was there
    does not count. Raises RuntimeError for shapes, dtypes, indices or names that do not fit.
    """
    if reduce not in _REDUCTIONS:
        raise RuntimeError(f"reduce argument must be either {', '.join(_REDUCTIONS)}, got {reduce}")
    at = _check("scatter", input, dim, index, src)
    return _reduced(input, at, index, src, reduce, include_self)


@function()
def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """A copy of `input` with entries of `source` reduced into it along `dim` at the 1-d `index`.

    `reduce`: "prod", "mean", "amax" or "amin".
    """
    if reduce not in _REDUCTIONS[1:]:
        raise RuntimeError(
            f"index_reduce(): Expected reduce to be one of {', '.join(_REDUCTIONS[1:])}, but got "
            f"{reduce}"
        )
    _along("index_reduce_", input, dim, index)
    at = _axis(dim, input.array.ndim)
    if source.array.dtype != input.array.dtype:
        raise RuntimeError(
            f"index_reduce_(): self ({input.dtype}) and source ({source.dtype}) must have the same "
            "scalar type"
        )
    side = [1] * input.array.ndim
    if input.array.ndim:
        side[at] = -1
    wanted = np.broadcast_to(to_numpy(index.array).reshape(side), source.array.shape)
    return _reduced(input, at, beside(input, np.array(wanted)), source, reduce, include_self)


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Write one number on the main diagonal, in place; with `wrap` again and again below it."""
    array = self.array
    if array.ndim < 2:
        raise RuntimeError("dimensions must larger than 1")
    if array.ndim > 2 and len(set(array.shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")

    def write(held: Any) -> None:
        side = min(held.shape)
        rows = np.arange(held.shape[0] if wrap and held.ndim == 2 else side)
        if held.ndim > 2:
            held[(rows,) * held.ndim] = fill_value
            return
        if wrap:
            rows = rows[rows % (held.shape[1] + 1) < held.shape[1]]
            held[rows, rows % (held.shape[1] + 1)] = fill_value
        else:
            held[rows, rows] = fill_value

    return fill_raw(self, "fill_diagonal_", write)


METHODS["fill_diagonal_"] = fill_diagonal_


@function(method=False)
def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Flat positions in a tensor of `shape` as one tensor of coordinates per dimension."""
    if indices.array.dtype.kind not in "iu":
        raise TypeError(f"expected 'indices' to be an integer dtype, but got {indices.dtype}")
    sides = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
    if any(n < 0 for n in sides):
        raise ValueError(f"'shape' cannot have negative values, but got {sides}")
    left, found = indices, []
    for n in reversed(sides):
        found.append(raw("remainder")(left, n) if n else left)
        left = raw("floor_divide")(left, n) if n else left
    return tuple(found[::-1])


@function()
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """Positions of the first `size` nonzero elements, (size, dims); missing ones `fill_value`."""
    found = METHODS["nonzero"](input).array
    made = beside(input, np.full((size, input.array.ndim), fill_value, np.int64))
    made.array[: len(found)] = found[:size]
    return made


function("", "index_put", method=False)(index_put)
for _name in ("put", "masked_scatter", "scatter_reduce", "index_reduce"):
    METHODS[f"{_name}_"] = inplace_variant(_name, METHODS[_name])
