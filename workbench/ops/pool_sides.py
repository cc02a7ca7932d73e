"""Sums, maxima and winners of windows along one side of an array, and their adjoints.

`x` is (planes, *sides), `i` the side, `side` a `windows.Side`. NumPy merges the dimensions around
a strided slice into one loop, so a tap costs about as much as the same work on flat arrays.
"""

from __future__ import annotations

import math

import numpy as np

from .windows import along, members

_SMALL = 64  # sides of matrices whose product costs less than strided passes
_LONG = 6  # from here on a reduction over equal parts beats one pass per tap


def lowest(dtype):
    """What padding counts as under a maximum."""
    return -math.inf if dtype.kind not in "iu" else np.iinfo(dtype).min


def reduce_side(xp, ufunc, x, i, side, start):
    """`ufunc` (maximum or add) over the windows along side `i`; `start` is its neutral element."""
    dims = x.ndim - 1
    if side.exact:
        if side.kernel == 1:
            return x
        if side.kernel >= _LONG:
            return _parts(xp, ufunc, x, i, side)
    if ufunc is xp.add and _by_matrix(xp, x, i, side):
        made = members(side, x.dtype)
        return xp.matmul(x, made) if i == dims - 1 else xp.matmul(made.T, x)
    if side.bins is not None:
        return _binned(xp, ufunc, x, i, side)
    whole, rest = side.whole, side.rest
    if len(whole) > 1:
        first, second, *whole = whole
        out = ufunc(x[along(i, dims, first[2])], x[along(i, dims, second[2])])
    elif whole:
        out, whole = x[along(i, dims, whole[0][2])].copy(), []
    else:
        out = xp.full((*x.shape[: i + 1], side.n_out, *x.shape[i + 2 :]), start, x.dtype)
    for _, windows, inside in whole + rest:
        values = x[along(i, dims, inside)]
        if type(windows) is slice:
            part = out[along(i, dims, windows)]
            ufunc(part, values, out=part)
        else:
            out[along(i, dims, windows)] = ufunc(out[along(i, dims, windows)], values)
    return out


def _parts(xp, ufunc, x, i, side):
    cut = x.reshape((*x.shape[: i + 1], side.n_out, side.kernel, *x.shape[i + 2 :]))
    return (xp.max if ufunc is xp.maximum else xp.sum)(cut, axis=i + 2)


def _by_matrix(xp, x, i, side):
    """Whether to add up along one of the last two sides by a product with a matrix of 0 and 1.

    Where windows overlap or differ that costs less than a pass for each tap.
    """
    if xp is not np or i < x.ndim - 3 or side.exact or max(side.n, side.n_out) > _SMALL:
        return False
    # a zero of the matrix would make nan of inf, in every window of a row
    return x.dtype.kind == "f" and x.size > 0 and bool(np.isfinite(x.sum()))


def _binned(xp, ufunc, x, i, side):
    """A few long windows, one slice each."""
    dims = x.ndim - 1
    out = xp.empty((*x.shape[: i + 1], side.n_out, *x.shape[i + 2 :]), x.dtype)
    reduce = xp.sum if ufunc is xp.add else xp.max
    for o, part in enumerate(side.bins):
        out[along(i, dims, o)] = reduce(x[along(i, dims, part)], axis=i + 1)
    return out


def spread_side(xp, g, i, side):
    """The adjoint of a sum along side `i`: each window's value added to its elements."""
    dims = g.ndim - 1
    if side.exact and side.kernel == 1:
        return g
    shape = (*g.shape[: i + 1], side.n, *g.shape[i + 2 :])
    if _by_matrix(xp, g, i, side):
        made = members(side, g.dtype)
        return xp.matmul(g, made.T) if i == dims - 1 else xp.matmul(made, g)
    if side.bins is not None:
        out = xp.zeros(shape, g.dtype)
        for o, part in enumerate(side.bins):
            out[along(i, dims, part)] += g[along(i, dims, slice(o, o + 1))]
        return out
    out = (xp.empty if side.exact else xp.zeros)(shape, g.dtype)
    for _, windows, inside in side.taps:
        where = along(i, dims, inside)
        values = g[along(i, dims, windows)]
        if side.disjoint:
            out[where] = values
        else:  # within one tap no element is met twice
            out[where] += values
    return out


def winners(xp, x, i, side, values=True):
    """The maxima of the windows along side `i`, and the number of the tap each was found at.

    As in torch the first of equal elements wins, and the last nan. Without `values` the maxima may
    be left out (None).
    """
    if side.exact and side.kernel == 1:
        return x, xp.zeros(x.shape, np.uint8)
    if side.exact and side.kernel >= _LONG and not (x.dtype.kind == "f" and _has_nan(xp, x)):
        cut = x.reshape((*x.shape[: i + 1], side.n_out, side.kernel, *x.shape[i + 2 :]))
        found = cut.argmax(axis=i + 2)
        return cut.max(axis=i + 2), found
    best, found = _winners(xp, x, i, side, False, values)
    if x.dtype.kind == "f" and _has_nan(xp, x if best is None else best):
        best, found = _winners(xp, x, i, side, True, values)
    return best, found


def _winners(xp, x, i, side, nan, wanted):
    dims = x.ndim - 1
    if side.exact and side.kernel == 2:
        first, second = (x[along(i, dims, inside)] for _, _, inside in side.taps)
        hit = second > first
        if nan:
            hit |= second != second
        return (xp.maximum(first, second) if wanted else None), hit.view(np.uint8)
    code = np.uint8 if side.kernel <= 256 else np.int32
    shape = (*x.shape[: i + 1], side.n_out, *x.shape[i + 2 :])
    best = xp.full(shape, lowest(x.dtype), x.dtype)
    found = xp.empty(shape, code)
    found[...] = xp.asarray(_first_taps(side).astype(code)).reshape((-1,) + (1,) * (dims - i - 1))
    for t, windows, inside in side.taps:
        part, values = along(i, dims, windows), x[along(i, dims, inside)]
        hit = values > best[part]
        if nan:
            hit |= values != values
        # later taps have higher numbers, so the last hit is the largest
        found[part] = xp.maximum(found[part], hit * code(t))
        best[part] = xp.maximum(best[part], values)
    return best, found


def _has_nan(xp, x):
    # asking a GPU would make the host wait for it: there the careful way is taken at once
    return xp is not np or (bool(x.size) and bool(np.isnan(x.max())))


def _first_taps(side):
    """For each window the number of the first tap that is not padding."""
    begin = np.full(side.n_out, -1)
    for t, windows, _ in side.taps:
        fresh = np.zeros(side.n_out, bool)
        fresh[windows] = True
        begin[fresh & (begin < 0)] = t
    return np.maximum(begin, 0)


def kept(xp, values, mask):
    """`values` where `mask`, else 0; unlike a product this makes no nan of inf and nan."""
    size = values.dtype.itemsize
    if values.dtype.kind != "f" or size > 8:
        return values * mask
    bits = np.dtype(f"i{size}")
    flags = xp.negative(mask.view(np.int8)).astype(bits)
    flags &= values.view(bits)
    return flags.view(values.dtype)


def spread_winners(xp, g, found, i, side):
    """The adjoint of `winners`: each window's value at the tap where its maximum was."""
    dims = g.ndim - 1
    if side.exact and side.kernel == 1:
        return g
    shape = (*g.shape[: i + 1], side.n, *g.shape[i + 2 :])
    out = (xp.empty if side.exact else xp.zeros)(shape, g.dtype)
    if side.exact and side.kernel == 2 and g.dtype.kind == "f" and g.dtype.itemsize in (2, 4, 8):
        return _pairs(xp, g, found, i, side, out)
    for t, windows, inside in side.taps:
        part, where = along(i, dims, windows), along(i, dims, inside)
        values = kept(xp, g[part], found[part] == t)
        if side.disjoint:
            out[where] = values
        else:
            out[where] += values
    return out


def _pairs(xp, g, found, i, side, out):
    """Windows of two: what the second element does not get, the first one does, bit by bit."""
    dims = g.ndim - 1
    bits = np.dtype(f"i{g.dtype.itemsize}")
    whole, target = g.view(bits), out.view(bits)
    flags = xp.negative(found.view(np.int8), dtype=bits)
    first, second = (target[along(i, dims, inside)] for _, _, inside in side.taps)
    flags &= whole
    second[...] = flags
    xp.bitwise_xor(whole, flags, out=first)
    return out


def pick_winners(xp, x, found, i, side):
    """The elements of `x` at the taps that `winners` found along side `i`."""
    dims = x.ndim - 1
    if side.exact and side.kernel == 1:
        return x
    out = None
    for t, windows, inside in side.taps:
        part = along(i, dims, windows)
        values = kept(xp, x[along(i, dims, inside)], found[part] == t)
        if out is None:
            out = xp.zeros(found.shape, x.dtype)
        out[part] += values
    return out
