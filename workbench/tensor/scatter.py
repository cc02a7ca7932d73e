"""Compositions that write or add at indices: scatter, index_add, index_copy, index_fill."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import namespace

from .functions import METHODS, function, raw
from .inplace import inplace_variant
from .tensor import Tensor, beside, wrap

_gather_backward, _index_backward, _index_put = (
    raw(n) for n in ("gather_backward", "index_backward", "index_put")
)


def _check(name: str, input: Tensor, dim: int, index: Tensor, src: Tensor) -> int:
    from workbench.ops.index import check_index
    from workbench.ops.reduce import axis

    if index.array.dtype.kind not in "iu":
        raise RuntimeError(f"{name}(): Expected dtype int64 for index")
    if index.array.ndim != input.array.ndim or src.array.ndim != input.array.ndim:
        raise RuntimeError(
            f"{name}(): Index tensor must have the same number of dimensions as self tensor and "
            f"src, got {index.array.ndim}, {input.array.ndim} and {src.array.ndim}"
        )
    if src.array.dtype != input.array.dtype:
        raise RuntimeError(
            f"{name}(): Expected self.dtype to be equal to src.dtype, got {input.dtype} and "
            f"{src.dtype}"
        )
    where = axis(dim, input.array.ndim)
    for d, (i, n, m) in enumerate(
        zip(index.array.shape, input.array.shape, src.array.shape, strict=True)
    ):
        if i > m or (d != where and i > n):
            raise RuntimeError(
                f"Expected index {list(index.array.shape)} to be no larger than self "
                f"{list(input.array.shape)} apart from dimension {where} and to be no larger size "
                f"than src {list(src.array.shape)}"
            )
    if input.array.ndim:
        check_index(name, index.array, input.array.shape[where], RuntimeError)
    return where


def _part(src: Tensor, index: Tensor) -> Tensor:
    """The corner of `src` that `index` covers."""
    if src.array.shape == index.array.shape:
        return src
    return raw("getitem")(src, tuple(slice(0, n) for n in index.array.shape))


@function()
def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Any = None,
    *,
    value: Any = None,
    reduce: str | None = None,
) -> Tensor:
    """A copy of `input` with `src` (a tensor or a number) written along `dim` at `index`.

    `reduce="add"` adds instead, "multiply" multiplies. Raises RuntimeError for shapes, dtypes or
    indices that do not fit.
    """
    given = value if src is None else src
    if not isinstance(given, Tensor):
        given = beside(input, np.full(index.array.shape, given, input.array.dtype))
    where = _check("scatter", input, dim, index, given)
    if reduce == "add":
        return scatter_add(input, dim, index, given)
    if reduce == "multiply":
        out = raw("clone")(input)
        grid = tuple(np.indices(index.array.shape))
        key = (*grid[:where], index.array, *grid[where + 1 :])
        namespace(out.array).multiply.at(out.array, key, _part(given, index).array)
        return wrap(out.array)
    if reduce is not None:
        raise RuntimeError("reduce argument must be either add or multiply.")
    return raw("scatter_put")(input, given, index, where)


@function()
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """input + the entries of `src` added along `dim` at `index`; repeated indices add up."""
    where = _check("scatter_add", input, dim, index, src)
    added = _gather_backward(_part(src, index), index, input.array.shape, where)
    return raw("add")(input, added)


def _along(name: str, input: Tensor, dim: int, index: Tensor) -> tuple[Any, ...]:
    from workbench.ops.index import check_index
    from workbench.ops.reduce import axis

    if index.array.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, got {index.array.ndim}-d")
    where = axis(dim, input.array.ndim)
    check_index(name, index.array, input.array.shape[where])
    return (slice(None),) * where + (index.array.reshape(-1),)


@function()
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """input + alpha * the entries of `source` added along `dim` at the 1-d `index`."""
    key = _along("index_add", input, dim, index)
    if source.array.dtype != input.array.dtype:
        raise RuntimeError(
            f"self ({input.dtype}) and source ({source.dtype}) must have the same scalar type"
        )
    wanted = input.array[key].shape
    if source.array.shape != wanted:
        raise RuntimeError(
            f"index_add_(): source has shape {list(source.array.shape)}, the indexed part of self "
            f"{list(wanted)}"
        )
    scaled = source if alpha == 1 else raw("mul")(source, alpha)
    return raw("add")(input, _index_backward(scaled, key, input.array.shape))


@function()
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy of `input` with the entries of `source` along `dim` at the 1-d `index`."""
    key = _along("index_copy", input, dim, index)
    if source.array.shape != input.array[key].shape:
        raise IndexError(
            f"index_copy_(): source has shape {list(source.array.shape)}, the indexed part of self "
            f"{list(input.array[key].shape)}"
        )
    return _index_put(input, source, key)


@function()
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A copy of `input` with one number along `dim` at the 1-d `index`."""
    key = _along("index_fill", input, dim, index)
    filled = (
        value if isinstance(value, Tensor) else beside(input, np.asarray(value, input.array.dtype))
    )
    return _index_put(input, filled, key)


def index_put(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with `values` at the tuple of index tensors `indices`, added where `accumulate`."""
    from .indexing import normalise

    key = normalise(self.array, tuple(indices))
    if accumulate:
        shape = self.array[key].shape
        if values.array.shape != shape:
            values = raw("expand")(values, shape)
        return raw("add")(self, _index_backward(values, key, self.array.shape))
    return _index_put(self, values, key)


METHODS["index_put"] = index_put
for _name in ("scatter", "scatter_add", "index_add", "index_copy", "index_fill", "index_put"):
    METHODS[f"{_name}_"] = inplace_variant(_name, METHODS[_name])
