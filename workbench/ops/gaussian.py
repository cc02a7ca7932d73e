"""The error function's relatives: complements, inverses, the normal distribution.

All of them come from the series of erf near 0 and from a Chebyshev fit of exp(x²) erfc(x); inverses
by Halley's iteration from S. Winitzki's approximation of erf⁻¹ ("A handy approximation for the
error function and its inverse", 2008).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from .declare import op
from .rows import wide
from .samples import unary
from .special import in_double

_ROOT = math.sqrt(math.pi)

# erf(x / √2) = tanh(x P(x²) / Q(x²)), P and Q fitted by reweighted least squares so that the
# largest relative error is 3e-9: all that float32 can tell, in passes that NumPy vectorises.
_NUMERATOR = (7.97884563e-01, 9.89265961e-02, 7.53889909e-03, 1.92533765e-04)
_DENOMINATOR = (1.0, 7.84462176e-02, 5.92246189e-03, 4.06152523e-05)


def _erf_near_zero(xp, x):
    """The power series of erf, for |x| < 0.5."""
    square, term, series = x * x, x, x
    for n in range(1, 14):
        term = term * square * (-1 / n)
        series = series + term / (2 * n + 1)
    return series * (2 / _ROOT)


def _scaled_slowly(x):
    """exp(x²) erfc(x) of one number, by its continued fraction (DLMF 7.9.1) above 2."""
    if x < 2:
        return math.erfc(x) * math.exp(x * x)
    tail = x
    for k in range(200, 0, -1):
        tail = x + k / 2 / tail
    return 1 / (_ROOT * tail)


@cache
def _fit():
    """Chebyshev coefficients of log(exp(x²) erfc(x) / t) in 2t - 1, t = 2 / (2 + x)."""

    def target(u):
        t = (np.atleast_1d(u) + 1) / 2
        return np.array([math.log(_scaled_slowly(2 / v - 2) / v) for v in t])

    return np.polynomial.chebyshev.chebinterpolate(target, 36)


def _scaled(xp, z):
    """exp(z²) erfc(z) for z >= 0."""
    t = 2 / (2 + z)
    u = t * 2 - 1
    b1, b2 = xp.zeros_like(u), xp.zeros_like(u)
    fit = _fit()
    for c in fit[:0:-1]:  # Clenshaw's recurrence
        b1, b2 = 2 * u * b1 - b2 + c, b1
    return t * xp.exp(u * b1 - b2 + fit[0])


def _bell(xp, z, sign=-1.0):
    """exp(∓z²): the square is split so that its rounding error does not grow with z."""
    head = xp.round(z * 64) / 64
    return xp.exp(sign * head * head) * xp.exp(sign * (z - head) * (z + head))


def _tanh_fit(xp, x):
    """erf(x / √2) of a float32 array."""
    kind = x.dtype.type
    y = x * x
    y = xp.clip(y, kind(0), kind(100))  # beyond, it is ±1
    p, q = y * kind(_NUMERATOR[3]), y * kind(_DENOMINATOR[3])
    for k in (2, 1):
        p += kind(_NUMERATOR[k])
        p *= y
        q += kind(_DENOMINATOR[k])
        q *= y
    p += kind(_NUMERATOR[0])
    q += kind(_DENOMINATOR[0])
    p /= q
    p *= x
    return xp.tanh(p, out=p) if p.ndim else xp.tanh(p)


def erf_values(xp, x):
    """The error function of a raw array, to the precision of its dtype."""
    if x.dtype.itemsize < 8:
        single = wide(x)
        return _tanh_fit(xp, single * single.dtype.type(math.sqrt(2))).astype(x.dtype, copy=False)
    z = xp.minimum(abs(x), 10.0)
    near = z < 0.5
    tail = 1 - _bell(xp, z) * _scaled(xp, z)
    return xp.copysign(xp.where(near, _erf_near_zero(xp, xp.where(near, z, 0)), tail), x)


def normal_cdf(xp, x):
    """The normal distribution function of a raw array, to the precision that its upper half has."""
    if x.dtype.itemsize == 4:
        out = _tanh_fit(xp, x)
        out += x.dtype.type(1)
        out *= x.dtype.type(0.5)
        return out
    return erf_values(xp, x * math.sqrt(0.5)) * 0.5 + 0.5


@op(accepts="biuf", inplace=True, dtype="float", samples=unary())
def erf(xp, input, /):
    """The error function, 2/√π times the integral of exp(-t²) from 0."""
    return erf_values(xp, input)


erf.vjp(input=lambda F, g, input: g * (F.exp(-(input * input)) * (2 / _ROOT)))


def erfc_values(xp, x):
    """erfc of a float64 array."""
    z = xp.minimum(abs(x), 40.0)
    tail = _bell(xp, z) * _scaled(xp, z)
    tail = xp.where(x < 0, 2 - tail, tail)
    return xp.where(abs(x) < 0.5, 1 - _erf_near_zero(xp, xp.where(abs(x) < 0.5, x, 0)), tail)


@op(accepts="biuf", inplace=True, dtype="float", samples=unary())
@in_double
def erfc(xp, input, /):
    """1 - erf(x), precise in the tail."""
    return xp.where(input == input, erfc_values(xp, input), input)


erfc.vjp(input=lambda F, g, input: g * F.exp(-(input * input)) * (-2 / _ROOT))


@op(namespace="special", method=False, accepts="biuf", halves=False, dtype="float", samples=unary())
@in_double
def erfcx(xp, input, /):
    """exp(x²) erfc(x), which stays finite where erfc underflows."""
    z = abs(input)
    right = _scaled(xp, z)
    low = xp.minimum(z, 30.0)
    return xp.where(input < 0, 2 * _bell(xp, low, 1.0) - right, right)


erfcx.vjp(input=lambda F, g, input, out: g * (2 * input * out - 2 / _ROOT))


def _winitzki(xp, log):
    """|erf⁻¹(y)| to three digits, from log(1 - y²)."""
    a = 0.147
    half = 2 / (math.pi * a) + log / 2
    return xp.sqrt(xp.maximum(xp.sqrt(half * half - log / a) - half, 0))


def _inverse(xp, y, rest):
    """erf⁻¹ of 0 <= y < 1, given rest = 1 - y with full relative precision."""
    near = y < 0.5
    safe = xp.where(rest > 0, rest, 0.5)
    x = _winitzki(xp, xp.log(safe) + xp.log1p(xp.where(near, y, 1 - safe)))
    for _ in range(3):
        low = xp.where(near, x, 0)
        slope = 2 / _ROOT * _bell(xp, low)
        inner = (_erf_near_zero(xp, xp.minimum(low, 0.6)) - y) / slope
        # in the tail everything is divided by exp(-x²), which may underflow
        outer = (safe * _bell(xp, xp.where(near, 1, x), 1.0) - _scaled(xp, x)) * (_ROOT / 2)
        step = xp.where(near, inner, outer)
        x = x - step / (1 + x * step)
    return xp.where(rest > 0, x, xp.where(rest == 0, np.inf, np.nan))


@op(accepts="biuf", inplace=True, dtype="float", samples=unary(-0.9, 0.9))
@in_double
def erfinv(xp, input, /):
    """The inverse of erf on (-1, 1); ±inf at the ends, nan outside."""
    y = abs(input)
    found = xp.copysign(_inverse(xp, y, 1 - y), input)
    return xp.where(y <= 1, found, np.nan)


erfinv.vjp(input=lambda F, g, out: g * F.exp(out * out) * (_ROOT / 2))


@op(namespace="special", method=False, accepts="biuf", dtype="float", samples=unary())
@in_double
def ndtr(xp, input, /):
    """The normal distribution function: the area below x under the standard normal density."""
    return xp.where(input == input, erfc_values(xp, -input * math.sqrt(0.5)) * 0.5, input)


ndtr.vjp(input=lambda F, g, input: g * F.exp(input * input * -0.5) * (1 / math.sqrt(2 * math.pi)))


@op(
    namespace="special",
    method=False,
    accepts="biuf",
    halves=False,
    dtype="float",
    samples=unary(0.05, 0.95),
)
@in_double
def ndtri(xp, input, /):
    """The inverse of `ndtr` on (0, 1); ±inf at the ends, nan outside."""
    y = abs(2 * input - 1)  # exact near the middle; in the tails p itself is what is precise
    small = xp.minimum(input, 1 - input)
    found = xp.copysign(_inverse(xp, y, 2 * small), input - 0.5) * math.sqrt(2)
    return xp.where((input >= 0) & (input <= 1), found, np.nan)


ndtri.vjp(input=lambda F, g, out: g * F.exp(out * out * 0.5) * math.sqrt(2 * math.pi))


@op(namespace="special", method=False, accepts="biuf", halves=False, dtype="float", samples=unary())
@in_double
def log_ndtr(xp, input, /):
    """log of `ndtr`, precise in both tails."""
    z = input * math.sqrt(0.5)
    low = xp.log(_scaled(xp, abs(xp.minimum(z, -0.5))) * 0.5) - z * z
    high = xp.log1p(-erfc_values(xp, xp.maximum(z, -1.0)) * 0.5)
    return xp.where(input == input, xp.where(input < -1, low, high), input)


log_ndtr.vjp(
    input=lambda F, g, input: g * (math.sqrt(2 / math.pi) / F.erfcx(input * -math.sqrt(0.5)))
)
