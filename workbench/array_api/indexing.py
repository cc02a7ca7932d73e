"""Taking elements by position."""

from __future__ import annotations

from workbench.arrays.dtypes import int64
from workbench.tensor import Tensor
from workbench.tensor.functions import raw
from workbench.tensor.indexing import getitem

from .array import cast, standard
from .manipulation import dimension


@standard
def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """The slices of `x` at `indices` along `axis`, which only 1-d arrays may leave out.

    Negative indices count from the end. Raises IndexError where one is out of range.
    """
    if axis is None:
        if x.array.ndim != 1:
            raise ValueError(f"take: axis is needed for {x.array.ndim} dimension(s)")
        axis = 0
    axis = dimension(axis, x.array.ndim, "take")
    key = (slice(None),) * axis + (indices,)
    return getitem(x, key)


@standard
def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """The elements of `x` at `indices` along `axis`; the other dimensions broadcast."""
    ndim = x.array.ndim
    axis = dimension(axis, ndim, "take_along_axis")
    if indices.array.ndim != ndim:
        raise ValueError(
            f"take_along_axis: x and indices must have as many dimensions, got {ndim} and "
            f"{indices.array.ndim}"
        )
    sides = [m if n == 1 else n for n, m in zip(x.array.shape, indices.array.shape, strict=True)]
    source, chosen = list(sides), list(sides)
    source[axis], chosen[axis] = x.array.shape[axis], indices.array.shape[axis]
    index = cast(indices, int64)
    length = x.array.shape[axis]
    index = raw("where")(raw("lt")(index, 0), index + length, index)
    if tuple(source) != x.array.shape:
        x = raw("expand")(x, tuple(source))
    if tuple(chosen) != index.array.shape:
        index = raw("expand")(index, tuple(chosen))
    return raw("gather_along")(x, index, axis)
