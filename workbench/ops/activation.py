"""Activation functions."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from workbench.arrays import constant

from .declare import op
from .reduce import axis
from .samples import Sample, bad_dim, unary

_NN = "nn.functional"


@op(accepts="iuf", inplace=True, dtype="promote", samples=unary(gap=0.05), expr="x > 0 ? x : 0")
def relu(xp, input, /):
    """max(x, 0); the slope at 0 is 0."""
    return xp.maximum(input, constant(input, 0.0))


relu.vjp(input=lambda F, g, out: g * (out > 0))


@op(accepts="f", namespace=_NN, samples=unary(gap=0.05))
def leaky_relu(xp, input, /, negative_slope=0.01):
    """x where positive, else negative_slope * x."""
    return xp.where(input > 0, input, input * input.dtype.type(negative_slope))


leaky_relu.vjp(input=lambda F, g, input, negative_slope: F.where(input > 0, g, g * negative_slope))


@op(accepts="f", namespace=_NN, samples=unary(gap=0.05))
def elu(xp, input, /, alpha=1.0):
    """x where positive, else alpha * (exp(x) - 1)."""
    return xp.where(input > 0, input, alpha * xp.expm1(xp.minimum(input, 0)))


elu.vjp(
    input=lambda F, g, input, alpha: F.where(
        input > 0, g, g * (alpha * F.exp(F.minimum(input, input * 0)))
    )
)


@op(inplace=True, dtype="float", samples=unary(), expr="1 / (1 + exp(-x))")
def sigmoid(xp, input, /):
    """1 / (1 + exp(-x)), without overflow."""
    if input.dtype.kind == "c":
        half = input.dtype.type(0.5)
        return xp.tanh(input * half) * half + half
    # of exp(-|x|) <= 1: no overflow, and the lower tail keeps its precision
    decay = xp.exp(-xp.abs(input))
    return xp.where(input >= 0, input.dtype.type(1), decay) / (decay + input.dtype.type(1))


sigmoid.vjp(input=lambda F, g, out: g * F.conj(out * (1 - out)))


@op(accepts="fc", namespace=_NN, samples=unary())
def silu(xp, input, /):
    """x * sigmoid(x) (Elfwing et al., 2018)."""
    return input * sigmoid.forward(xp, input)


def _silu_rule(F, g, input):
    s = F.sigmoid(input)
    return g * F.conj(s * (1 + input * (1 - s)))


silu.vjp(input=_silu_rule)


@op(accepts="f", namespace=_NN, samples=unary())
def softplus(xp, input, /, beta=1.0, threshold=20.0):
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold."""
    scaled = input * beta
    return xp.where(scaled > threshold, input, xp.logaddexp(scaled, scaled.dtype.type(0)) / beta)


softplus.vjp(
    input=lambda F, g, input, beta, threshold: F.where(
        input * beta > threshold, g, g * F.sigmoid(input * beta)
    )
)


@cache
def _erfc_fit(terms):
    """Chebyshev coefficients of log(erfc(x) exp(x²) / t), t = 2 / (2 + x), fitted to math.erfc."""

    def target(u):
        values = []
        for node in np.atleast_1d(u):
            t = (node + 1) / 2
            x = 2 / t - 2
            if x < 8:
                scaled = math.erfc(x) * math.exp(x * x)
            else:  # the asymptotic series of erfc
                scaled, term = 0.0, 1.0
                for n in range(1, 9):
                    scaled += term
                    term *= -(2 * n - 1) / (2 * x * x)
                scaled /= x * math.sqrt(math.pi)
            values.append(math.log(scaled / t))
        return np.array(values)

    return np.polynomial.chebyshev.chebinterpolate(target, terms)


def erf_values(xp, x):
    """The error function of a raw array, to the precision of its dtype."""
    wide = x.astype(np.float32) if x.dtype.itemsize < 4 else x
    coefficients = _erfc_fit(32 if wide.dtype == np.float64 else 12).astype(wide.dtype)
    z = xp.abs(wide)
    t = 2 / (2 + z)
    u = t * 2 - 1
    twice = u * 2
    b1 = xp.zeros_like(u)
    b2 = xp.zeros_like(u)
    for c in coefficients[:0:-1]:  # Clenshaw's recurrence
        b1, b2 = twice * b1 - b2 + c, b1
    tail = t * xp.exp(u * b1 - b2 + coefficients[0] - z * z)
    return xp.where(wide < 0, tail - 1, 1 - tail).astype(x.dtype)


@op(accepts="f", inplace=True, dtype="float", samples=unary())
def erf(xp, input, /):
    """The error function, 2/sqrt(pi) times the integral of exp(-t²) from 0."""
    small = xp.where(xp.abs(input) < 0.5, input, input.dtype.type(0))
    # near 0 the series keeps the relative precision that 1 - erfc(x) would lose
    square, term, series = small * small, small, small
    for n in range(1, 13 if input.dtype.itemsize > 4 else 7):
        term = term * square * input.dtype.type(-1 / n)
        series = series + term / input.dtype.type(2 * n + 1)
    near = series * input.dtype.type(2 / math.sqrt(math.pi))
    return xp.where(xp.abs(input) < 0.5, near, erf_values(xp, input))


erf.vjp(input=lambda F, g, input: g * (F.exp(-(input * input)) * (2 / math.sqrt(math.pi))))


def _gelu_samples(make):
    for shape in ((), (3,), (2, 3), (0,)):
        yield Sample(make(*shape))
    yield Sample(make(2, 3), approximate="tanh")


@op(accepts="f", namespace=_NN, samples=_gelu_samples)
def gelu(xp, input, /, approximate="none"):
    """x Φ(x), Φ the normal distribution, or its tanh approximation (Hendrycks & Gimpel, 2016).

    Raises RuntimeError for an unknown `approximate`.
    """
    if approximate == "none":
        cdf = 0.5 + 0.5 * erf_values(xp, input * input.dtype.type(math.sqrt(0.5)))
        return input * cdf.astype(input.dtype)
    if approximate == "tanh":
        return 0.5 * input * (1 + xp.tanh(_gelu_inner(input)))
    raise RuntimeError("approximate argument must be either none or tanh.")


def _gelu_inner(x):
    return (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)


def _gelu_rule(F, g, input, approximate):
    if approximate == "none":
        cdf = F.erf(input * math.sqrt(0.5)) * 0.5 + 0.5
        density = F.exp(input * input * -0.5) * (1 / math.sqrt(2 * math.pi))
        return g * (cdf + input * density)
    t = F.tanh(_gelu_inner(input))
    inner = (input * input * (3 * 0.044715) + 1) * math.sqrt(2 / math.pi)
    return g * ((t + 1) * 0.5 + input * (1 - t * t) * inner * 0.5)


gelu.vjp(input=_gelu_rule)


def _softmax_samples(make):
    yield Sample(make(3), 0)
    yield Sample(make(2, 3), 1)
    yield Sample(make(2, 3, 4), 1)
    yield Sample(make(), 0)
    yield Sample(make(0, 3), -1)


@op(errors=bad_dim, accepts="f", samples=_softmax_samples)
def softmax(xp, input, /, dim):
    """exp(x) / sum of exp(x) along `dim`, without overflow."""
    where = axis(dim, input.ndim)
    if input.size == 0:
        return input.copy()
    if input.ndim == 0:
        return xp.ones_like(input)
    out = xp.exp(input - input.max(axis=where, keepdims=True))
    out /= out.sum(axis=where, keepdims=True)
    return out


def _softmax_rule(F, g, out, dim):
    if not out.shape:
        return g * 0
    gy = g * out
    return gy - out * F.sum(gy, dim, True)


softmax.vjp(input=_softmax_rule)


@op(errors=bad_dim, accepts="f", samples=_softmax_samples)
def log_softmax(xp, input, /, dim):
    """log(softmax(x)) along `dim`, without overflow."""
    where = axis(dim, input.ndim)
    if input.size == 0:
        return input.copy()
    if input.ndim == 0:
        return xp.zeros_like(input)
    out = input - input.max(axis=where, keepdims=True)
    out -= xp.log(xp.exp(out).sum(axis=where, keepdims=True))
    return out


def _log_softmax_rule(F, g, out, dim):
    if not out.shape:
        return g * 0
    return g - F.exp(out) * F.sum(g, dim, True)


log_softmax.vjp(input=_log_softmax_rule)
