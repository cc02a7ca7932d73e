"""The vector product, and norms of vectors."""

from __future__ import annotations

import math

import numpy as np

from .declare import op
from .reduce import axes, axis, reduced
from .samples import Sample


def _cross_samples(make):
    yield Sample(make(3), make(3))
    yield Sample(make(2, 3), make(2, 3))
    yield Sample(make(3, 2), make(3, 2), dim=0)
    yield Sample(make(2, 1, 3), make(1, 4, 3))
    yield Sample(make(0, 3), make(0, 3))


def _cross_errors(make):
    yield Sample(make(4), make(4))
    yield Sample(make(3), make(3), dim=1)
    yield Sample(make(2, 3), make(3, 3))


@op(namespace="linalg", method=False, dtype="promote", samples=_cross_samples, accepts="iufc",
    errors=_cross_errors)  # fmt: skip
def cross(xp, input, other, /, dim=-1):
    """The vector product along `dim`, which has 3 entries; the other dimensions broadcast.

    Raises RuntimeError where they are not 3.
    """
    if input.ndim != other.ndim:
        raise RuntimeError(
            "linalg.cross: inputs must have the same number of dimensions. Got "
            f"{input.ndim} and {other.ndim}"
        )
    where = axis(dim, input.ndim) - input.ndim
    if input.shape[where] != 3 or other.shape[where] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got "
            f"{input.shape[where]} and {other.shape[where]}"
        )
    a, b = xp.broadcast_arrays(input, other)
    a, b = xp.moveaxis(a, where, 0), xp.moveaxis(b, where, 0)
    parts = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    return xp.ascontiguousarray(xp.moveaxis(xp.stack(parts), 0, where))


cross.vjp(
    input=lambda F, g, other, input_shape, dim: F.sum_to(
        F.cross(F.conj(other), g, dim), input_shape
    ),
    other=lambda F, g, input, other_shape, dim: F.sum_to(
        F.cross(g, F.conj(input), dim), other_shape
    ),
)


def _norm_samples(make):
    for ord in (2, 1, 0, 3, 0.5, 1.5, math.inf, -math.inf, -1):
        yield Sample(make(2, 3, gap=0.05), ord, grad=ord != 0)
        yield Sample(make(2, 3, gap=0.05), ord, dim=1, grad=ord != 0)
    yield Sample(make(2, 3, 4), 2, dim=(0, 2), keepdim=True)
    yield Sample(make(), 2)
    yield Sample(make(0, 3), 2, dim=0)
    yield Sample(make(0, 3), 1)


def _norm_errors(make):
    yield Sample(make.ints(3))
    yield Sample(make(0, 3), math.inf)
    yield Sample(make(3), 2, dim=1)


def _identity(shape, dim):
    if any(shape[d] == 0 for d in axes(dim, len(shape))):
        raise RuntimeError(
            "linalg.vector_norm cannot compute an infinity or negative norm on an empty dimension "
            "because the operation does not have an identity"
        )


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    shape=lambda x, dim, keepdim: reduced(x, dim, keepdim),  # noqa: PLW0108 - x is their name
    samples=_norm_samples,
    errors=_norm_errors,
)
def vector_norm(xp, x, /, ord=2, dim=None, keepdim=False):
    """(Σ |x|^ord)^(1/ord) over `dim` (all by default), real.

    `ord`: a number; inf and -inf the largest and the smallest |x|, 0 how many are not zero. Raises
    RuntimeError where there is nothing to take the largest or smallest of.
    """
    where = axes(dim, x.ndim) if x.ndim else None
    size = abs(x)
    kind = size.dtype
    if size.dtype == np.float16:
        size = size.astype(np.float32)
    if ord in (math.inf, -math.inf) or ord < 0:
        _identity(x.shape, dim)
    if ord == math.inf:
        out = size.max(axis=where, keepdims=keepdim)
    elif ord == -math.inf:
        out = size.min(axis=where, keepdims=keepdim)
    elif ord == 0:
        out = (size != 0).sum(axis=where, keepdims=keepdim)
    elif ord == 1:
        out = size.sum(axis=where, keepdims=keepdim)
    elif ord == 2:
        out = xp.sqrt((size * size).sum(axis=where, keepdims=keepdim))
    else:
        out = (size**ord).sum(axis=where, keepdims=keepdim) ** (1.0 / ord)
    return out.astype(kind)


def _norm_rule(F, g, x, out, x_shape, ord, dim, keepdim):
    if not keepdim and x_shape:
        gone = axes(dim, len(x_shape))
        kept = tuple(1 if i in gone else n for i, n in enumerate(x_shape))
        g, out = F.reshape(g, kept), F.reshape(out, kept)
    if ord == 0:
        return F.expand(g, x_shape) * (x * 0)
    if ord == 1:
        return g * F.sgn(x)
    size = F.abs(x)
    if ord in (math.inf, -math.inf):
        hit = F.cast_bool(size == out, g)
        return F.sgn(x) * (g * hit / F.sum(hit, None if dim is None or not x_shape else dim, True))
    # at 0, where the slope of a root is infinite or none, torch takes 0
    zero = out == 0
    safe = F.where(zero, out * 0 + 1, out)
    if ord == 2:
        return x * F.where(zero, g * 0, g / safe)
    nought = size == 0
    power = F.pow(F.where(nought, size * 0 + 1, size), ord - 1)
    power = F.where(nought, power * 0, power)
    return F.sgn(x) * (power * F.where(zero, g * 0, g * F.pow(safe, 1 - ord)))


vector_norm.vjp(x=_norm_rule)
