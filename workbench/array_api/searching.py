"""Searching and counting."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import Tensor, wrap
from workbench.tensor.functions import raw

from .array import cast, standard, table
from .data_types import result_type
from .statistical import over


def _place(name: str, x: Tensor, axis: int | None, keepdims: bool) -> Tensor:
    if axis is None:
        made = raw(name)(raw("reshape")(x, (-1,)), 0)
        return raw("reshape")(made, (1,) * x.array.ndim) if keepdims else made
    return raw(name)(x, axis, keepdims)


@standard
def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the first largest element is, along `axis` or as if flat."""
    return _place("argmax", x, axis, keepdims)


@standard
def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the first smallest element is, along `axis` or as if flat."""
    return _place("argmin", x, axis, keepdims)


@standard
def count_nonzero(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """How many elements are not 0."""
    found = raw("ne")(x, 0)
    return raw("sum")(*over(found, axis, keepdims))


@standard
def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """Where elements are not 0: one array of positions per dimension. ValueError for 0-d."""
    if x.array.ndim == 0:
        raise ValueError("nonzero needs at least one dimension")
    return tuple(table["nonzero"](x, as_tuple=True))


@standard
def searchsorted(
    x1: Tensor, x2: Tensor, /, *, side: str = "left", sorter: Tensor | None = None
) -> Tensor:
    """Where the elements of `x2` belong in the sorted 1-d `x1` (`x1[sorter]` where given)."""
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side must be 'left' or 'right', got {side!r}")
    xp = namespace(x1.array)
    row = x1.array if sorter is None else x1.array[sorter.array]
    return wrap(xp.asarray(xp.searchsorted(row, x2.array, side)).astype(np.int64))


@standard
def where(condition: Tensor, x1: Any, x2: Any, /) -> Tensor:
    """`x1` where `condition` is true, else `x2`; one of them may be a number."""
    target = result_type(x1, x2)
    xp = namespace(condition.array)
    chosen, rest = (
        cast(x, target) if isinstance(x, Tensor) else wrap(xp.asarray(x, dtype=target.numpy))
        for x in (x1, x2)
    )
    return raw("where")(condition, chosen, rest)
