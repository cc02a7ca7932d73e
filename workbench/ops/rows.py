"""Sums along the rows and columns of a matrix, several times as fast as NumPy's own reductions.

A row's sum is its product with ones, a row's dot product with another a `vecdot`: both run in the
BLAS. Other libraries and dtypes reduce as they always do. Long rows too, whose sums would lose
precision: NumPy adds pairwise, the BLAS does not.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .compiled import reduce as compiled

_LONG = 1 << 14
_TILE = 1 << 12
_SMALL = 1 << 15


@lru_cache(maxsize=64)
def _ones(n, dtype):
    made = np.ones(n, dtype)
    made.flags.writeable = False
    return made


def _plain(x, n):
    # an array that is being recorded stands for NumPy's and has one inside
    known = type(x) is np.ndarray or type(getattr(x, "inside", None)) is np.ndarray
    return known and x.dtype.char in "fd" and n <= _LONG


def row_sums(x):
    """The sum of each row: (N, D) → (N)."""
    if _plain(x, x.shape[1]):
        return np.matmul(x, _ones(x.shape[1], x.dtype))
    return x.sum(axis=1)


def row_dots(x, y):
    """The dot product of each row of `x` with the same row of `y`: (N, D), (N, D) → (N)."""
    if _plain(x, x.shape[1]):
        return np.vecdot(x, y)
    return (x * y).sum(axis=1)


def column_sums(x):
    """The sum of each column: (N, D) → (D)."""
    if hasattr(type(x), "recorder"):  # a step is written down: a replay sums as the step does
        return x.recorder.opaque(column_sums, (x,), {})
    if compiled.fits(x):
        way = compiled.plan(x.shape, (0,))
        if way is not None:
            return compiled.total(x, way, x.shape[1:], 1.0)
    if _plain(x, x.shape[0]):
        return np.matmul(_ones(x.shape[0], x.dtype), x)
    return x.sum(axis=0)


def column_dots(x, y):
    """The sum over each column of the product: (N, D), (N, D) → (D)."""
    if _plain(x, x.shape[0]):
        return np.einsum("ij,ij->j", x, y)
    return (x * y).sum(axis=0)


def row_means(x):
    """The mean of each row: (N, D) → (N)."""
    if _plain(x, x.shape[1]):
        return np.matmul(x, _shares(x.shape[1], x.dtype))
    return x.mean(axis=1)


@lru_cache(maxsize=64)
def _shares(n, dtype):
    made = np.full(n, 1 / max(n, 1), dtype)
    made.flags.writeable = False
    return made


def over_rows(function, x, vector, out=None):
    """`function(x, vector)`, a row vector (D) against each row of a C-ordered (N, D).

    In memory of its own, or in `out` (which may be `x`).

    Short rows are taken several at a time: a loop's start costs as much as a hundred elements.
    """
    n, d = x.shape
    if type(x) is np.ndarray and x.size >= _SMALL and d <= _TILE // 2 and x.flags.c_contiguous:
        times = 1
        while n % (times * 2) == 0 and times * 2 * d <= _TILE:
            times *= 2
        if times > 1:
            flat = (n // times, times * d)
            vector = np.broadcast_to(vector, (times, d)).reshape(-1)
            if out is None:
                return function(x.reshape(flat), vector).reshape(n, d)
            return function(x.reshape(flat), vector, out=out.reshape(flat)).reshape(n, d)
    return function(x, vector) if out is None else function(x, vector, out=out)


def against_column(function, x, column):
    """`function(x, column)`, one number (N) against each row of (N, D), in memory of its own.

    The numbers are first spread over the result: a loop over each row would cost more.
    """
    if type(x) is np.ndarray and x.size >= _SMALL and x.flags.c_contiguous:
        out = np.repeat(column, x.shape[1]).reshape(x.shape)
        return function(x, out, out=out)
    return function(x, column[:, None])


def wide(x):
    """Half precision as float32; anything else as it is."""
    return x.astype(np.float32) if x.dtype.itemsize < 4 else x
