"""Losses of an input and a target of one shape, each in as few passes as there can be."""

from __future__ import annotations

import math

import numpy as np

from .declare import op
from .loss import check_reduction
from .samples import Sample


def finish(xp, losses, reduction):
    """The mean or sum of all values, or the values; half precision adds up in float32."""
    if reduction == "none":
        return losses
    wide = np.float32 if losses.dtype.itemsize < 4 else None
    total = losses.sum(dtype=wide)
    if reduction == "mean":
        n = losses.size
        total = total / total.dtype.type(n) if n else total * total.dtype.type(math.nan)
    return total.astype(losses.dtype, copy=False)


def _share(g, shape, reduction):
    """The incoming gradient of each value."""
    return g * (1 / max(math.prod(shape), 1)) if reduction == "mean" else g


def _shape(input, target, reduction):
    return np.broadcast_shapes(input, target) if reduction == "none" else ()


def _pairs(low=-2.0, high=2.0):
    def samples(make):
        for shape, reduction in (((3,), "mean"), ((2, 3), "sum"), ((2, 3), "none"), ((), "mean")):
            yield Sample(make(*shape), make(*shape, low=low, high=high), reduction)
        yield Sample(make(4, 3).T, make(3, 4, low=low, high=high))
        yield Sample(make(0), make(0), "sum")

    return samples


def _errors(make):
    yield Sample(make(4), make(4), "average")
    yield Sample(make(4).astype(int), make(4).astype(int))


def _mse_oracle(torch, input, target, reduction="mean"):
    return torch.nn.functional.mse_loss(input, target, reduction=reduction)


@op(
    accepts="f",
    dtype="promote",
    function=False,
    method=False,
    shape=_shape,
    samples=_pairs(),
    errors=_errors,
    oracle=_mse_oracle,
)
def mse(xp, input, target, /, reduction="mean"):
    """Squared differences and their mean or sum.

    Raises ValueError for an unknown reduction.
    """
    check_reduction(reduction)
    apart = input - target
    if reduction == "none" or apart.dtype.itemsize < 4 or not apart.flags.c_contiguous:
        return finish(xp, apart * apart, reduction)
    flat = apart.reshape(-1)
    total = xp.dot(flat, flat)  # squares and adds up in one pass
    if reduction == "mean":
        n = flat.size
        return total / total.dtype.type(n) if n else total * total.dtype.type(math.nan)
    return total


def _mse_rule(F, g, input, target, reduction):
    return (input - target) * (_share(g, input.shape, reduction) * 2.0)


mse.vjp(
    input=_mse_rule,
    target=lambda F, g, input, target, reduction: _mse_rule(F, g, target, input, reduction),
)


def _logits_oracle(torch, input, target, reduction="mean"):
    return torch.nn.functional.binary_cross_entropy_with_logits(input, target, reduction=reduction)


@op(
    accepts="f",
    dtype="promote",
    function=False,
    method=False,
    shape=_shape,
    samples=_pairs(0.1, 0.9),
    errors=_errors,
    oracle=_logits_oracle,
)
def bce_logits(xp, input, target, /, reduction="mean"):
    """Binary cross-entropy of sigmoid(input): max(x, 0) - t x + log(1 + e^-|x|), without overflow.

    Raises ValueError for an unknown reduction.
    """
    check_reduction(reduction)
    losses = xp.log1p(xp.exp(-xp.abs(input)))
    losses += xp.maximum(input, 0)
    losses -= input * target
    return finish(xp, losses, reduction)


bce_logits.vjp(
    input=lambda F, g, input, target, reduction: (
        (F.sigmoid(input) - target) * _share(g, input.shape, reduction)
    ),
    target=lambda F, g, input, reduction: input * -_share(g, input.shape, reduction),
)
