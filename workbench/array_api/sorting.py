"""Sorting; equal elements keep their order, in descending order too."""

from __future__ import annotations

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import Tensor, wrap
from workbench.tensor.functions import raw

from .array import standard
from .manipulation import dimension


def _order(x: Tensor, axis: int, descending: bool, stable: bool) -> Tensor:
    array, xp = x.array, namespace(x.array)
    axis = dimension(axis, array.ndim, "sort")
    kind = "stable" if stable else None
    if not descending:
        return wrap(xp.argsort(array, axis=axis, kind=kind).astype(np.int64))
    # backwards twice: equal elements come out in the order they had
    back = xp.argsort(xp.flip(array, axis), axis=axis, kind=kind)
    return wrap(xp.ascontiguousarray(array.shape[axis] - 1 - xp.flip(back, axis)).astype(np.int64))


@standard
def argsort(
    x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> Tensor:
    """The positions of the elements in sorted order."""
    return _order(x, axis, descending, stable)


@standard
def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements in order along `axis`."""
    order = _order(x, axis, descending, stable)
    return raw("gather_along")(x, order, dimension(axis, x.array.ndim, "sort"))
