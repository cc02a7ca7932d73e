"""Convolution by kernels of one element: matrix products of the images as they lie."""

from __future__ import annotations

from math import prod

import numpy as np

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


def forward(x, w, geo):
    """(N, C, *ins) and (K, C, 1 …) → (N, K, *outs)."""
    return np.matmul(w.reshape(geo.k, geo.c), _taken(x, geo)).reshape(geo.y_shape)


def adjoint_input(y, w, geo):
    """(N, K, *outs) and (K, C, 1 …) → (N, C, *ins)."""
    flat = y.reshape(geo.batch, geo.k, prod(geo.outs))
    made = np.matmul(w.reshape(geo.k, geo.c).T, flat).reshape(geo.batch, geo.c, *geo.outs)
    if geo.outs == geo.ins:
        return made
    out = np.zeros(geo.x_shape, y.dtype)
    out[_steps(geo)] = made
    return out


def adjoint_weight(x, y, geo):
    """(N, C, *ins) and (N, K, *outs) → (K, C, 1 …)."""
    x, y = _taken(x, geo), y.reshape(geo.batch, geo.k, prod(geo.outs))
    step = max(1, _ROOM // (geo.k * geo.c))
    total = np.zeros((geo.k, geo.c), x.dtype)
    for i in range(0, geo.batch, step):
        part = slice(i, i + step)
        total += np.matmul(y[part], x[part].swapaxes(-1, -2)).sum(axis=0)
    return total.reshape(geo.w_shape)
