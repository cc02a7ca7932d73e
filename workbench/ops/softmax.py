"""Softmax and its logarithm."""

from __future__ import annotations

import numpy as np

from .compiled import lines
from .compiled import softmax as compiled
from .declare import op
from .reduce import axis
from .rows import against_column, row_dots, row_sums, wide
from .samples import Sample, bad_dim

# exp of anything below stays far from overflow, and a row's sum above far from underflow
_LARGEST, _LEAST = 50.0, 1e-20


def exponentials(xp, x, largest=_LARGEST):
    """exp of the rows of (N, D), each perhaps scaled, with their sums (N) and what was subtracted.

    Where no number is large there is nothing to subtract: one pass less. Returns the exponentials,
    their sums and each row's maximum (N), or None where nothing was subtracted.
    """
    if type(x) is np.ndarray and x.max() < largest:
        out = xp.exp(x)
        sums = row_sums(out)
        if sums.min() > _LEAST:
            return out, sums, None
    top = x.max(axis=1)
    out = x - top[:, None]
    xp.exp(out, out=out)
    return out, row_sums(out), top


def _samples(make):
    yield Sample(make(3), 0)
    yield Sample(make(2, 3), 1)
    yield Sample(make(2, 3, 4), 1)
    yield Sample(make(2, 3) * 100, 1)
    yield Sample(make(2, 3) - 100, -1)
    yield Sample(make(), 0)
    yield Sample(make(0, 3), -1)


@op(errors=bad_dim, accepts="f", samples=_samples)
def softmax(xp, input, /, dim):
    """exp(x) / sum of exp(x) along `dim`, without overflow."""
    where = axis(dim, input.ndim)
    if input.size == 0:
        return input.copy()
    if input.ndim == 0:
        return xp.ones_like(input) if input == input else input.copy()
    if where != input.ndim - 1:
        x = wide(input)
        out = x - x.max(axis=where, keepdims=True)
        xp.exp(out, out=out)
        out /= out.sum(axis=where, keepdims=True)
        return out.astype(input.dtype, copy=False)
    if lines.fit(input):
        return compiled.softmax(input, False)
    out, sums, _ = exponentials(xp, wide(input).reshape(-1, input.shape[-1]))
    out *= (1 / sums)[:, None]
    return out.reshape(input.shape).astype(input.dtype, copy=False)


def _softmax_rule(F, g, out, dim):
    if not out.shape:
        return g * 0
    if F.taped or dim % len(out.shape) != len(out.shape) - 1 or not g.size:
        gy = g * out
        return gy - out * F.sum(gy, dim, True)
    if lines.fit(g, out):
        return compiled.softmax_backward(g, out, False)
    y, gy = wide(out).reshape(-1, out.shape[-1]), wide(g).reshape(-1, out.shape[-1])
    dx = against_column(F.xp.subtract, gy, row_dots(gy, y))
    dx *= y
    return dx.reshape(out.shape).astype(out.dtype, copy=False)


softmax.vjp(input=_softmax_rule)


@op(errors=bad_dim, accepts="f", samples=_samples)
def log_softmax(xp, input, /, dim):
    """log(softmax(x)) along `dim`, without overflow."""
    where = axis(dim, input.ndim)
    if input.size == 0:
        return input.copy()
    if input.ndim == 0:
        return xp.zeros_like(input) if input == input else input.copy()
    if where == input.ndim - 1 and lines.fit(input):
        return compiled.softmax(input, True)
    x = wide(input)
    if where != input.ndim - 1:
        out = x - x.max(axis=where, keepdims=True)
        out -= xp.log(xp.exp(out).sum(axis=where, keepdims=True))
        return out.astype(input.dtype, copy=False)
    x = x.reshape(-1, input.shape[-1])
    # numbers that are not small lose digits against a sum that is not the largest's own
    _, sums, top = exponentials(xp, x, 8.0)
    if top is not None:
        x = against_column(xp.subtract, x, top)
    out = against_column(xp.subtract, x, xp.log(sums))
    return out.reshape(input.shape).astype(input.dtype, copy=False)


def _log_softmax_rule(F, g, out, dim):
    if not out.shape:
        return g * 0
    last = dim % len(out.shape) == len(out.shape) - 1
    if F.taped or not last or not g.size or out.dtype.itemsize < 4:
        return g - F.exp(out) * F.sum(g, dim, True)
    if lines.fit(g, out):
        return compiled.softmax_backward(g, out, True)
    rows, gy = F.xp.exp(out).reshape(-1, out.shape[-1]), g.reshape(-1, out.shape[-1])
    dx = against_column(F.xp.multiply, rows, row_sums(gy))
    F.xp.subtract(gy, dx, out=dx)
    return dx.reshape(out.shape)


log_softmax.vjp(input=_log_softmax_rule)
