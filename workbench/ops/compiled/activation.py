"""Activations and their gradients, each one expression and one pass.

`g` is the gradient that comes in. Formulas and sources are with the ops (`ops/activation.py`).
"""

from __future__ import annotations

import math

from .elementwise import Formula

LEAST = Formula.least
_TANH = math.sqrt(2 / math.pi)


@Formula
def relu(xp, x):
    return xp.maximum(x, 0.0)


@Formula
def relu_gradient(xp, g, out):
    return g * (out > 0.0)


@Formula
def leaky_relu(xp, x, *, slope):
    return xp.where(x > 0.0, x, x * slope)


@Formula
def leaky_relu_gradient(xp, g, x, *, slope):
    return xp.where(x > 0.0, g, g * slope)


@Formula
def elu(xp, x, *, alpha, scale, inner):
    return xp.where(x > 0.0, x * scale, xp.expm1(x * inner) * (alpha * scale))


@Formula
def elu_gradient(xp, g, x, *, alpha, scale, inner):
    low = xp.exp(x * inner) * (alpha * inner * scale)
    return g * xp.where(x > 0.0, scale, low)


@Formula
def sigmoid(xp, x):
    return xp.sigmoid(x)


@Formula
def sigmoid_gradient(xp, g, out):
    return g * (out * (1.0 - out))


@Formula
def tanh_gradient(xp, g, out):
    return g * (1.0 - out * out)


@Formula
def silu(xp, x):
    return x * xp.sigmoid(x)


@Formula
def silu_gradient(xp, g, x):
    s = xp.sigmoid(x)
    return g * (s + x * s * (1.0 - s))


def _mish_share(xp, x):
    e = xp.exp(xp.minimum(x, 20.0))
    n = e * (e + 2.0)
    return n / (n + 2.0), e


@Formula
def mish(xp, x):
    share, _ = _mish_share(xp, x)
    return x * share


@Formula
def mish_gradient(xp, g, x):
    share, e = _mish_share(xp, x)
    return g * (share + x * (1.0 - share * share) * (e / (e + 1.0)))


@Formula
def softplus(xp, x, *, beta, threshold):
    z = x * beta
    return xp.where(
        z > threshold, x, (xp.log1p(xp.exp(-abs(z))) + xp.maximum(z, 0.0)) / beta
    )  # fmt: skip


@Formula
def softplus_gradient(xp, g, x, *, beta, threshold):
    z = x * beta
    return xp.where(z > threshold, g, g * xp.sigmoid(z))


@Formula
def gelu(xp, x):
    return x * xp.normal_cdf(x)


@Formula
def gelu_gradient(xp, g, x):
    density = xp.exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
    return g * (x * density + xp.normal_cdf(x))


def _twice_inner(x):
    """2u: (1 + tanh u) / 2 is the sigmoid of it."""
    return (x * x * (2 * 0.044715 * _TANH) + 2 * _TANH) * x


@Formula
def gelu_tanh(xp, x):
    return x * xp.sigmoid(_twice_inner(x))


@Formula
def gelu_tanh_gradient(xp, g, x):
    inner = _twice_inner(x)
    share, rest = xp.sigmoid(inner), xp.sigmoid(-inner)  # the rest of 1, without cancellation
    slope = x * x * (6 * 0.044715 * _TANH) + 2 * _TANH
    return g * (slope * x * rest * share + share)
