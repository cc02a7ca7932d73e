"""Convolution of every channel by kernels of its own: tap by tap, no matrix product.

A few images at a time lie as (D, H, W · N · C), padded, so that a tap is a multiplication of whole
image rows by a row of the tap's weights, added to what the other taps gave. (With a stride along W
the rows fall apart into their columns.)
"""

from __future__ import annotations

from itertools import product

import numpy as np

from workbench.arrays.openblas import transpose
from workbench.arrays.scratch import scratch

_CACHE = 1 << 19  # bytes of images at a time


def _taps(geo, width):
    """(position in the kernel, the windows' elements at it) in images whose columns are `width`.

    The index is for images (D, H, W · width), or (D, H, W, width) under a stride along W.
    """
    for at in product(*map(range, geo.kernel)):
        seen = [
            slice(i * d, i * d + (n - 1) * s + 1, s)
            for i, d, n, s in zip(at, geo.dilation, geo.outs, geo.stride, strict=True)
        ]
        if geo.stride[2] == 1:
            seen[2] = slice(seen[2].start * width, seen[2].stop * width)
        yield at, tuple(seen)


def _rows(array, geo):
    """(…, W, width) as `_taps` indexes it."""
    if geo.stride[2] != 1:
        return array
    return array.reshape(*array.shape[:-2], array.shape[-2] * array.shape[-1])


def _chunks(geo, itemsize):
    each = geo.c * int(np.prod(geo.room)) * itemsize
    step = max(1, _CACHE // max(each, 1))
    return [(i, min(step, geo.batch - i)) for i in range(0, geo.batch, step)]


def _inside(geo):
    return tuple(slice(lo, lo + n) for lo, n in zip(geo.lo, geo.ins, strict=True))


def _load(x, geo, m):
    """Images (m, C, D, H, W) as (D, H, W, m · C) with the padding around them."""
    turned = scratch("turned", (*geo.ins, m * geo.c), x.dtype)
    transpose(x.reshape(m * geo.c, -1), turned.reshape(-1, m * geo.c))
    if not geo.padded():
        return turned
    room = scratch("images", (*geo.room, m * geo.c), x.dtype)
    room[...] = 0
    room[_inside(geo)] = turned
    return room


def _gradients(y, geo, m):
    """Results (m, C · r, D, H, W) as (r, D, H, W, m · C)."""
    r = geo.k // geo.c
    made = scratch("results", (r, *geo.outs, m * geo.c), y.dtype)
    flat = y.reshape(m, geo.c, r, -1)
    for q in range(r):
        part = np.ascontiguousarray(flat[:, :, q]).reshape(m * geo.c, -1)
        transpose(part, made[q].reshape(-1, m * geo.c))
    return made


def _weights(w, geo, m):
    """(C · r, 1, *kernel) as (r, *kernel, m · C), repeated for a whole row where rows are."""
    r = geo.k // geo.c
    one = w.reshape(geo.c, r, *geo.kernel).transpose(1, 2, 3, 4, 0)
    return np.tile(one, (1, 1, 1, 1, m * (geo.outs[2] if geo.stride[2] == 1 else 1)))


def forward(x, w, geo, out):
    """(N, C, D, H, W) and (C · r, 1, *kernel) → `out` (N, C · r, *outs)."""
    r = geo.k // geo.c
    for i, m in _chunks(geo, x.dtype.itemsize):
        mc = m * geo.c
        room, weights = _rows(_load(x[i : i + m], geo, m), geo), _weights(w, geo, m)
        made = scratch("results", (*geo.outs, mc), x.dtype)
        total = _rows(made, geo)
        part = scratch("products", total.shape, x.dtype)
        into = out[i : i + m].reshape(m, geo.c, r, -1)
        for q in range(r):
            for n, (at, seen) in enumerate(_taps(geo, mc)):
                if n:
                    total += np.multiply(room[seen], weights[(q, *at)], out=part)
                else:
                    np.multiply(room[seen], weights[(q, *at)], out=total)
            if r == 1:
                transpose(made.reshape(-1, mc), into.reshape(mc, -1))
            else:
                into[:, :, q] = made.reshape(-1, m, geo.c).transpose(1, 2, 0)


def adjoint_input(y, w, geo, out):
    """(N, C · r, *outs) and (C · r, 1, *kernel) → `out` (N, C, D, H, W)."""
    for i, m in _chunks(geo, y.dtype.itemsize):
        mc = m * geo.c
        given, weights = _rows(_gradients(y[i : i + m], geo, m), geo), _weights(w, geo, m)
        room = scratch("images", (*geo.room, mc), y.dtype)
        room[...] = 0
        sums = _rows(room, geo)
        part = scratch("products", given.shape[1:], y.dtype)
        for q in range(given.shape[0]):
            for at, seen in _taps(geo, mc):
                sums[seen] += np.multiply(given[q], weights[(q, *at)], out=part)
        cut = np.ascontiguousarray(room[_inside(geo)])
        transpose(cut.reshape(-1, mc), out[i : i + m].reshape(mc, -1))


def adjoint_weight(x, y, geo, out):
    """(N, C, D, H, W) and (N, C · r, *outs) → `out` (C · r, 1, *kernel)."""
    r = geo.k // geo.c
    total = np.zeros((r, *geo.kernel, geo.c), x.dtype)
    for i, m in _chunks(geo, x.dtype.itemsize):
        room = _rows(_load(x[i : i + m], geo, m), geo)
        given = _rows(_gradients(y[i : i + m], geo, m), geo)
        part = scratch("products", given.shape[1:], x.dtype)
        for q in range(r):
            for at, seen in _taps(geo, m * geo.c):
                np.multiply(room[seen], given[q], out=part)
                # over rows first, which are long, then over columns and images
                sums = part.reshape(-1, part.shape[-1]).sum(axis=0)
                total[(q, *at)] += sums.reshape(-1, geo.c).sum(axis=0)
    out.reshape(geo.c, r, *geo.kernel)[...] = total.transpose(4, 0, 1, 2, 3)
