"""What each element of a resized side is made of: which elements of the input, how much of each.

Positions and weights are computed in the precision torch computes them in (float32, or float64
for float64 input), since a rounding decides which neighbour is the nearest.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np

# half the width of each filter, in elements
_SUPPORT = {"linear": 1.0, "cubic": 2.0, "lanczos": 3.0}


def _step(n, n_out, align_corners, scale, real):
    """Elements of the input per element of the result."""
    if align_corners:
        return real(n - 1) / real(n_out - 1) if n_out > 1 else real(0)
    if scale is not None and scale > 0:
        return real(1.0 / scale)
    return real(n) / real(n_out)


def _cubic(t, a):
    """Keys' (1981) convolution kernel at the distances 1 + t, t, 1 - t and 2 - t."""

    def near(x):
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x):
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _filter(mode, x):
    """The weight at distance x, for resizing that averages over a wider support (antialias)."""
    x = np.abs(x)
    if mode == "linear":
        return np.maximum(1 - x, 0)
    if mode == "cubic":  # with -0.5, as Pillow; -0.75 above, as OpenCV
        a = x.dtype.type(-0.5)
        inner = ((a + 2) * x - (a + 3)) * x * x + 1
        outer = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x < 1, inner, np.where(x < 2, outer, 0)).astype(x.dtype)
    return np.where(x < 3, np.sinc(x) * np.sinc(x / 3), 0).astype(x.dtype)


@functools.lru_cache(maxsize=128)
def entries(mode, n, n_out, align_corners, scale, antialias, double):
    """(rows, columns, weights): element `row` of the result holds `weight` of element `column`.

    `mode`: "nearest", "nearest-exact" (weights None), "linear", "cubic" or "lanczos".
    """
    real = np.float64 if double else np.float32
    step = _step(n, n_out, align_corners, scale, real)
    o = np.arange(n_out, dtype=real)
    rows = np.arange(n_out)
    if mode in ("nearest", "nearest-exact"):
        if mode == "nearest":
            where = np.floor((o * step).astype(np.float32))
        else:
            where = np.floor(((o + real(0.5)) * step).astype(np.float32))
        return rows, np.minimum(where.astype(np.int64), n - 1), None
    if n == n_out and (mode == "linear" or antialias or align_corners or scale is None):
        return rows, rows, np.ones(n_out, real)
    if antialias:
        return _averaged(mode, n, n_out, step, real)
    place = o * step if align_corners else step * (o + real(0.5)) - real(0.5)
    if mode == "linear":
        place = np.maximum(place, 0)
        first = np.minimum(np.floor(place.astype(np.float32)).astype(np.int64), n - 1)
        part = np.clip(place - first.astype(real), 0, 1).astype(real)
        second = np.minimum(first + 1, n - 1)
        columns, weights = np.stack([first, second], 1), np.stack([1 - part, part], 1)
    else:
        first = np.minimum(np.floor(place.astype(np.float32)).astype(np.int64), n - 1)
        part = np.clip(place - first.astype(real), 0, 1).astype(real)
        columns = np.clip(first[:, None] + np.arange(-1, 3), 0, n - 1)
        weights = np.stack(_cubic(part, real(-0.75)), 1)
    return np.repeat(rows, columns.shape[1]), columns.reshape(-1), weights.reshape(-1)


def _averaged(mode, n, n_out, step, real):
    support = _SUPPORT[mode] * step if step >= 1 else real(_SUPPORT[mode])
    shrink = 1 / step if step >= 1 else real(1)
    parts = []
    for o in range(n_out):
        centre = step * (o + real(0.5))
        low = max(int(centre - support + real(0.5)), 0)
        high = min(int(centre + support + real(0.5)), n)
        columns = np.arange(low, max(high, low + 1))
        weights = _filter(mode, ((columns - centre + real(0.5)) * shrink).astype(real))
        total = weights.sum()
        parts.append((np.full(len(columns), o), columns, weights / total if total else weights))
    rows, columns, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rows, columns, weights.astype(real)


_MOST = 24  # slices; beyond, index arrays


@functools.lru_cache(maxsize=128)
def terms(key, flipped):
    """The rows of `entries(*key)` (or its transpose) as few strided sums.

    A list of (to, from, weight): selections of the result and of the input, and a number or one
    per element (None: 1). The first `whole` terms write each element of the result once (0 where
    some are written by none).
    """
    rows, columns, weights = entries(*key)
    n, n_out = (key[2], key[1]) if flipped else (key[1], key[2])
    if flipped:
        order = np.argsort(columns, kind="stable")
        rows, columns = columns[order], rows[order]
        weights = None if weights is None else weights[order]
    starts = np.searchsorted(rows, rows)
    turn = np.arange(len(rows)) - starts
    divisor = math.gcd(n, n_out)
    period, stride = n_out // divisor, n // divisor
    made: list[Any] = []
    whole = 0
    for t in range(int(turn.max()) + 1 if len(turn) else 0):
        chosen = turn == t
        to, where = rows[chosen], columns[chosen]
        w = None if weights is None else weights[chosen]
        found = _slices(to, where, w, period, stride)
        if found is None or len(found) + len(made) > _MOST:
            every = len(to) == n_out
            found = [(slice(0, n_out) if every else to, where, _simple(w))]
        made += found
        if t == 0 and len(to) == n_out:
            whole = len(found)
    return made, whole


def _simple(w):
    if w is None or (w == 1).all():
        return None
    return w[0] if (w == w[0]).all() else w


def _slices(to, where, w, period, stride):
    """Runs of rows `period` apart whose columns are `stride` apart; None where there are many."""
    runs: list[Any] = []
    for phase in range(period):
        chosen = to % period == phase
        rows, columns = to[chosen], where[chosen]
        if not len(rows):
            continue
        breaks = (np.diff(rows) != period) | (np.diff(columns) != stride)
        edges = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(rows)]
        if len(edges) + len(runs) > _MOST:
            return None
        for low, high in itertools.pairwise(edges):
            a, b = int(rows[low]), int(columns[low])
            count = high - low
            weight = None if w is None else _simple(w[chosen][low:high])
            to_ = slice(a, a + (count - 1) * period + 1, period)
            runs.append((to_, slice(b, b + (count - 1) * stride + 1, stride), weight))
    return runs


@functools.lru_cache(maxsize=64)
def matrix(key):
    """`entries(*key)` as a dense matrix (n_out, n)."""
    rows, columns, weights = entries(*key)
    made = np.zeros((key[2], key[1]), np.float64 if key[-1] else np.float32)
    np.add.at(made, (rows, columns), 1 if weights is None else weights)
    return made


@functools.lru_cache(maxsize=64)
def whole_weights(key):
    """The weights in whole numbers for uint8 images, as (columns, weights) tables and their shift.

    The largest power of two with which they fit int16, rounded away from zero.
    """
    n, n_out = key[1], key[2]
    rows, columns, weights = entries(*key)
    # an edge that stands for several neighbours has the sum of their weights
    places, back = np.unique(rows * n + columns, return_inverse=True)
    weights = np.bincount(back, weights)
    rows, columns = places // n, places % n
    starts = np.searchsorted(rows, np.arange(n_out))
    turn = np.arange(len(rows)) - starts[rows]
    table = np.zeros((n_out, int(turn.max()) + 1), weights.dtype)
    where = np.zeros(table.shape, np.int64)
    table[rows, turn], where[rows, turn] = weights, columns
    largest, shift = float(table.max()), 0
    while shift < 22 and int(0.5 + largest * (1 << (shift + 1))) < (1 << 15):
        shift += 1
    scaled = table.astype(np.float64) * (1 << shift)
    return where, np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int64), shift
