"""Distances between rows of two matrices."""

from __future__ import annotations

import numpy as np

from .declare import op
from .samples import Sample


def _cdist_shape(x1, x2):
    return (*np.broadcast_shapes(x1[:-2], x2[:-2]), x1[-2], x2[-2])


def _samples(make):
    yield Sample(make(4, 3), make(5, 3))
    yield Sample(make(4, 3), make(5, 3), 1.0)
    yield Sample(make(2, 4, 3), make(5, 3), 3.0)
    yield Sample(make(4, 3), make(5, 3), np.inf)
    yield Sample(make(4, 3), make(5, 3), 0.0)
    yield Sample(make(4, 3), make(5, 3), 1.5)
    yield Sample(make(0, 3), make(5, 3))
    yield Sample(make(4, 0), make(5, 0))
    yield Sample(make(30, 3), make(26, 3), 2.0, grad=False)


def _errors(make):
    yield Sample(make(3), make(2, 3))
    yield Sample(make(2, 3), make(2, 4))
    yield Sample(make(2, 3), make(2, 3), -1.0)
    yield Sample(make(2, 3, 3), make(3, 2, 3))


def by_products(xp, x1, x2):
    """Euclidean distances by |a|² - 2 ab + |b|²: one matrix product, for many rows."""
    a, b = (x1 * x1).sum(-1, keepdims=True), (x2 * x2).sum(-1, keepdims=True)
    square = xp.matmul(x1, xp.swapaxes(x2, -1, -2))
    square *= -2
    square += a
    square += xp.swapaxes(b, -1, -2)
    return xp.sqrt(xp.maximum(square, 0))


@op(
    accepts="f",
    dtype="same",
    halves=False,
    shape=_cdist_shape,
    samples=_samples,
    errors=_errors,
    function=False,
    method=False,
    oracle=lambda t, x1, x2, p=2.0, products=None: t.cdist(x1, x2, p),
)
def cdist_forward(xp, x1, x2, /, p=2.0, products=None):
    """The p-norms of the differences of all rows: (…, P, M) and (…, R, M) → (…, P, R).

    `products` says whether Euclidean distances are computed by a matrix product; None: for more
    than 25 rows, as in torch.
    """
    for name, x in (("X1", x1), ("X2", x2)):
        if x.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {x.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    many = x1.shape[-2] > 25 or x2.shape[-2] > 25
    if p == 2 and (many if products is None else products):
        return by_products(xp, x1, x2)
    gap = abs(x1[..., :, None, :] - x2[..., None, :, :])
    if p == np.inf:
        return gap.max(axis=-1) if gap.shape[-1] else gap.sum(axis=-1)
    if p == 0:
        return (gap != 0).sum(axis=-1).astype(gap.dtype)
    if p == 1:
        return gap.sum(axis=-1)
    if p == 2:
        return xp.sqrt((gap * gap).sum(axis=-1))
    return (gap**p).sum(axis=-1) ** (1 / p)


def _directions(F, g, x1, x2, out, p):
    """The gradient of every distance with respect to its difference, (…, P, R, M)."""
    gap = F.unsqueeze(x1, -2) - F.unsqueeze(x2, -3)
    g, out = F.unsqueeze(g, -1), F.unsqueeze(out, -1)
    if p == 0:
        return gap * 0
    if p == 1:
        return g * F.sgn(gap)
    if p == np.inf:
        size = F.abs(gap)
        return g * F.sgn(gap) * F.cast_bool(size == out, size)
    zero = F.detach(out) == 0
    safe = F.where(zero, out + 1, out)
    if p == 2:
        return F.where(zero, g * gap * 0, g * gap / safe)
    size = F.abs(gap)
    still = F.detach(size) == 0
    power = F.where(still, size * 0, F.pow(F.where(still, size + 1, size), p - 1))
    return F.where(zero, g * gap * 0, g * F.sgn(gap) * power / F.pow(safe, p - 1))


def _left(F, g, x1, x2, out, x1_shape, p):
    if not gapless(x1_shape):
        return x1 * 0
    return F.sum_to(F.sum(_directions(F, g, x1, x2, out, p), -2), x1_shape)


def _right(F, g, x1, x2, out, x2_shape, p):
    if not gapless(x2_shape):
        return x2 * 0
    return F.sum_to(-F.sum(_directions(F, g, x1, x2, out, p), -3), x2_shape)


def gapless(shape):
    """Whether there are elements."""
    return 0 not in shape


cdist_forward.vjp(x1=_left, x2=_right)
