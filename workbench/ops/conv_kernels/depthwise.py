"""Convolution of every channel by kernels of its own: tap by tap, no matrix product.

A few images at a time lie as (D, H, W, N · C), padded, so that a tap is a multiplication of long
contiguous rows by the taps' weights, added to what the other taps gave.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from workbench.arrays.openblas import transpose
from workbench.arrays.scratch import scratch

_CACHE = 1 << 18  # bytes of images at a time


def _taps(geo):
    """(position in the kernel, index of the padded images that its windows see)."""
    for at in product(*map(range, geo.kernel)):
        yield (
            at,
            tuple(
                slice(i * d, i * d + (n - 1) * s + 1, s)
                for i, d, n, s in zip(at, geo.dilation, geo.outs, geo.stride, strict=True)
            ),
        )


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
    """(C · r, 1, *kernel) as (r, *kernel, m · C)."""
    r = geo.k // geo.c
    one = w.reshape(geo.c, r, *geo.kernel).transpose(1, 2, 3, 4, 0)
    return np.ascontiguousarray(np.tile(one, (1, 1, 1, 1, m)))


def forward(x, w, geo, out):
    """(N, C, D, H, W) and (C · r, 1, *kernel) → (N, C · r, *outs)."""
    r = geo.k // geo.c
    for i, m in _chunks(geo, x.dtype.itemsize):
        room, weights = _load(x[i : i + m], geo, m), _weights(w, geo, m)
        total = scratch("results", (*geo.outs, m * geo.c), x.dtype)
        part = scratch("products", total.shape, x.dtype)
        into = out[i : i + m].reshape(m, geo.c, r, -1)
        for q in range(r):
            for n, (at, seen) in enumerate(_taps(geo)):
                if n:
                    total += np.multiply(room[seen], weights[(q, *at)], out=part)
                else:
                    np.multiply(room[seen], weights[(q, *at)], out=total)
            if r == 1:
                transpose(total.reshape(-1, m * geo.c), into.reshape(m * geo.c, -1))
            else:
                into[:, :, q] = total.reshape(-1, m, geo.c).transpose(1, 2, 0)


def adjoint_input(y, w, geo, out):
    """(N, C · r, *outs) and (C · r, 1, *kernel) → (N, C, D, H, W)."""
    for i, m in _chunks(geo, y.dtype.itemsize):
        given, weights = _gradients(y[i : i + m], geo, m), _weights(w, geo, m)
        room = scratch("images", (*geo.room, m * geo.c), y.dtype)
        room[...] = 0
        part = scratch("products", given.shape[1:], y.dtype)
        for q in range(given.shape[0]):
            for at, seen in _taps(geo):
                room[seen] += np.multiply(given[q], weights[(q, *at)], out=part)
        cut = np.ascontiguousarray(room[_inside(geo)])
        transpose(cut.reshape(-1, m * geo.c), out[i : i + m].reshape(m * geo.c, -1))


def adjoint_weight(x, y, geo, out):
    """(N, C, D, H, W) and (N, C · r, *outs) → (C · r, 1, *kernel)."""
    r = geo.k // geo.c
    total = np.zeros((r, *geo.kernel, geo.c), x.dtype)
    for i, m in _chunks(geo, x.dtype.itemsize):
        room, given = _load(x[i : i + m], geo, m), _gradients(y[i : i + m], geo, m)
        part = scratch("products", given.shape[1:], x.dtype)
        for q in range(r):
            for at, seen in _taps(geo):
                np.multiply(room[seen], given[q], out=part)
                # first over positions, in long rows, then over images
                sums = part.reshape(-1, m * geo.c).sum(axis=0)
                total[(q, *at)] += sums.reshape(m, geo.c).sum(axis=0)
    out.reshape(geo.c, r, *geo.kernel)[...] = total.transpose(4, 0, 1, 2, 3)
