"""Convolution by kernels of one element: matrix products of the images as they lie."""

from __future__ import annotations

from math import prod

import numpy as np

from workbench.arrays.scratch import scratch

_ROOM = 1 << 20  # elements of products of single images, before they are summed


def _steps(geo):
    """The index of what a stride leaves of an image."""
    return (slice(None), slice(None), *(
        slice(0, (n - 1) * s + 1, s) for n, s in zip(geo.outs, geo.stride, strict=True)
    ))  # fmt: skip


def _taken(x, geo):
    """Images as (N, C, positions)."""
    if geo.outs != geo.ins:
        x = np.ascontiguousarray(x[_steps(geo)])
    return x.reshape(geo.batch, geo.c, prod(geo.outs))


def forward(x, w, geo, out):
    """(N, C, *ins) and (K, C, 1 …) → `out` (N, K, *outs)."""
    into = out.reshape(geo.batch, geo.k, prod(geo.outs))
    np.matmul(w.reshape(geo.k, geo.c), _taken(x, geo), out=into)


def adjoint_input(y, w, geo, out):
    """(N, K, *outs) and (K, C, 1 …) → `out` (N, C, *ins)."""
    flat = y.reshape(geo.batch, geo.k, prod(geo.outs))
    turned = w.reshape(geo.k, geo.c).T
    if geo.outs == geo.ins:
        np.matmul(turned, flat, out=out.reshape(geo.batch, geo.c, prod(geo.ins)))
        return
    made = scratch("results", (geo.batch, geo.c, prod(geo.outs)), y.dtype)
    np.matmul(turned, flat, out=made)
    out[...] = 0
    out[_steps(geo)] = made.reshape(geo.batch, geo.c, *geo.outs)


def adjoint_weight(x, y, geo, out):
    """(N, C, *ins) and (N, K, *outs) → `out` (K, C, 1 …)."""
    x, y = _taken(x, geo), y.reshape(geo.batch, geo.k, prod(geo.outs))
    step = max(1, _ROOM // (geo.k * geo.c))
    total = out.reshape(geo.k, geo.c)
    total[...] = 0
    for i in range(0, geo.batch, step):
        part = slice(i, i + step)
        total += np.matmul(y[part], x[part].swapaxes(-1, -2)).sum(axis=0)
