"""Distinct values. Each nan is distinct from the others; -0 and 0 are the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import Tensor, wrap

from .array import standard


class UniqueAll(NamedTuple):
    """Distinct values, where each occurs first, each element's place among them, counts."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """Distinct values and how often each occurs."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """Distinct values and each element's place among them."""

    values: Tensor
    inverse_indices: Tensor


def _unique(x: Tensor) -> UniqueAll:
    xp = namespace(x.array)
    values, first, inverse, counts = xp.unique(
        x.array.reshape(-1), return_index=True, return_inverse=True, return_counts=True,
        equal_nan=False,
    )  # fmt: skip
    return UniqueAll(
        wrap(values),
        wrap(first.astype(np.int64)),
        wrap(inverse.reshape(x.array.shape).astype(np.int64)),
        wrap(counts.astype(np.int64)),
    )


@standard
def unique_all(x: Tensor, /) -> UniqueAll:
    """(values, indices, inverse_indices, counts), the values in order."""
    return _unique(x)


@standard
def unique_counts(x: Tensor, /) -> UniqueCounts:
    """(values, counts), the values in order."""
    found = _unique(x)
    return UniqueCounts(found.values, found.counts)


@standard
def unique_inverse(x: Tensor, /) -> UniqueInverse:
    """(values, inverse_indices), the values in order."""
    found = _unique(x)
    return UniqueInverse(found.values, found.inverse_indices)


@standard
def unique_values(x: Tensor, /) -> Tensor:
    """The distinct values in order."""
    return _unique(x).values
