"""Convolution by unfolding patches into columns and one matrix product: any dtype, any library.

The way for few input channels, small inputs, many groups, integers, complex numbers and CuPy.
Images are taken a few at a time, so that the columns stay in the processor's cache.
"""

from __future__ import annotations

from math import prod

import numpy as np

from workbench.arrays.scratch import scratch

_CACHE = 1 << 20  # bytes of columns at a time


def windows(xp, x, geo):
    """A view (N, C, *kernel, *outs) of all windows of a padded input."""
    n, c = x.shape[:2]
    sides = x.strides[2:]
    taps = tuple(s * d for s, d in zip(sides, geo.dilation, strict=True))
    steps = tuple(s * d for s, d in zip(sides, geo.stride, strict=True))
    return xp.lib.stride_tricks.as_strided(
        x, (n, c, *geo.kernel, *geo.outs), (*x.strides[:2], *taps, *steps)
    )


def padded(xp, x, geo, name="padded"):
    """`x` with zeros around it; `x` itself where there are none."""
    if not geo.padded():
        return x
    shape = (*x.shape[:2], *geo.room)
    inside = (slice(None), slice(None), *_inside(geo))
    if xp is not np:
        room = xp.zeros(shape, x.dtype)
        room[inside] = x
        return room
    room = scratch(name, shape, x.dtype)
    for i, (lo, n, all_) in enumerate(zip(geo.lo, geo.ins, geo.room, strict=True), 2):
        before = (slice(None),) * i
        if lo:
            room[(*before, slice(0, lo))] = 0
        if lo + n < all_:
            room[(*before, slice(lo + n, all_))] = 0
    room[inside] = x
    return room


def _inside(geo):
    return tuple(slice(lo, lo + n) for lo, n in zip(geo.lo, geo.ins, strict=True))


def _as_they_lie(x, geo):
    """Whether images are their own columns."""
    return geo.taps == 1 and not geo.padded() and geo.outs == geo.ins and x.flags.c_contiguous


def _unfolded(xp, x, geo, ones=0):
    """Patches as columns (N, groups, C / groups · taps, positions); behind them a row of `ones`."""
    n = x.shape[0]
    rows, positions = geo.c // geo.groups * geo.taps, prod(geo.outs)
    if _as_they_lie(x, geo):
        return x.reshape(n, geo.groups, rows, positions)
    patches = windows(xp, padded(xp, x, geo), geo)
    if xp is not np:
        return patches.reshape(n, geo.groups, rows, positions)
    columns = scratch("columns", (n, geo.groups, rows + ones, positions), x.dtype)
    shape = (n, geo.groups, geo.c // geo.groups, *geo.kernel, *geo.outs)
    columns[:, :, :rows].reshape(shape, copy=False)[...] = patches.reshape(shape)
    columns[:, :, rows:] = 1
    return columns


def _chunks(xp, geo, itemsize):
    """Slices of the batch."""
    if xp is not np:
        return [slice(0, geo.batch)]
    each = geo.c * geo.taps * prod(geo.outs) * itemsize
    step = max(1, _CACHE // max(each, 1))
    return [slice(i, min(i + step, geo.batch)) for i in range(0, geo.batch, step)]


def forward(xp, x, w, geo, bias=None):
    """(N, C, *ins) and the weight (and the bias) → (N, K, *outs)."""
    out = xp.empty(geo.y_shape, x.dtype)
    per, positions = geo.k // geo.groups, prod(geo.outs)
    kernel = w.reshape(geo.groups, per, geo.c // geo.groups * geo.taps)
    inside = bias is not None and xp is np and x.dtype.char in "fd" and not _as_they_lie(x, geo)
    if inside:  # the bias times a row of ones, in the same product: no pass over the result
        kernel = np.concatenate([kernel, bias.reshape(geo.groups, per, 1)], axis=-1)
    for part in _chunks(xp, geo, x.dtype.itemsize):
        columns = _unfolded(xp, x[part], geo, int(inside))
        n = columns.shape[0]
        into = out[part].reshape(n, geo.groups, per, positions)
        if geo.groups == 1:
            xp.matmul(kernel[0], columns[:, 0], out=into[:, 0])
        else:
            xp.matmul(kernel, columns, out=into)
    return out if inside else add_bias(out, bias)


def add_bias(out, bias):
    """`out` (N, K, …) with the bias (K) added in place, if there is one."""
    if bias is not None:
        out += bias.reshape(bias.size, *(1,) * (out.ndim - 2))
    return out


def adjoint_input(xp, y, w, geo):
    """(N, K, *outs) and the weight → (N, C, *ins)."""
    out = xp.empty(geo.x_shape, y.dtype)
    per, positions = geo.k // geo.groups, prod(geo.outs)
    kernel = w.reshape(geo.groups, per, geo.c // geo.groups * geo.taps).swapaxes(-1, -2)
    y = xp.ascontiguousarray(y)
    for part in _chunks(xp, geo, y.dtype.itemsize):
        n = y[part].shape[0]
        flat = y[part].reshape(n, geo.groups, per, positions)
        columns = xp.matmul(kernel, flat)
        _fold(xp, columns.reshape(n, geo.c, *geo.kernel, *geo.outs), out[part], geo)
    return out


def _fold(xp, patches, out, geo):
    """Add patches (N, C, *kernel, *outs) up where their elements came from."""
    everything = (slice(None), slice(None))
    if geo.padded():
        shape = (*out.shape[:2], *geo.room)
        room = xp.empty(shape, out.dtype) if xp is not np else scratch(
            "padded", shape, out.dtype
        )  # fmt: skip
    else:
        room = out
    room[...] = 0
    for at in _positions(geo.kernel):
        where = tuple(
            slice(i * d, i * d + (n - 1) * s + 1, s)
            for i, d, n, s in zip(at, geo.dilation, geo.outs, geo.stride, strict=True)
        )
        room[everything + where] += patches[everything + at]
    if room is not out:
        out[...] = room[everything + _inside(geo)]


def _positions(kernel):
    """All index tuples of the kernel."""
    if not kernel:
        return [()]
    return [(i, *rest) for i in range(kernel[0]) for rest in _positions(kernel[1:])]


def adjoint_weight(xp, x, y, geo):
    """(N, C, *ins) and (N, K, *outs) → the weight's gradient."""
    per, positions = geo.k // geo.groups, prod(geo.outs)
    total = None
    y = xp.ascontiguousarray(y)
    for part in _chunks(xp, geo, x.dtype.itemsize):
        columns = _unfolded(xp, x[part], geo)
        n = columns.shape[0]
        g = y[part].reshape(n, geo.groups, per, positions)
        made = xp.matmul(g, columns.swapaxes(-1, -2)).sum(axis=0)
        if total is None:
            total = made
        else:
            total += made
    out = xp.zeros(geo.w_shape, x.dtype)
    if total is not None:
        out[...] = total.reshape(geo.w_shape)
    return out
