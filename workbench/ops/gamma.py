"""The gamma function's family.

Stirling's and the asymptotic series after a shift upwards, reflection below 1/2 (NIST Digital
Library of Mathematical Functions, 5.5, 5.11, 5.15); Hurwitz's zeta by Euler and Maclaurin (25.11);
the incomplete integrals by series and by Legendre's continued fraction (8.7, 8.9).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from .declare import op
from .gaussian import erfc_values
from .samples import Sample, unary
from .special import in_double


@cache
def bernoulli(n):
    """The Bernoulli numbers B₀ … Bₙ, exactly."""
    from fractions import Fraction

    numbers = [Fraction(1)]
    for m in range(1, n + 1):
        total = sum(math.comb(m + 1, k) * b for k, b in enumerate(numbers))
        numbers.append(-total / (m + 1))
    return tuple(numbers)


@cache
def _even():
    """B₂, B₄ … as floats."""
    return [float(b) for b in bernoulli(30)[2::2]]


_SHIFT = 10


@cache
def _zeta_numbers():
    """ζ(2) … ζ(60), by the series with its Euler–Maclaurin tail."""
    return [float(_hurwitz(np, np.float64(s), np.float64(1.0))) for s in range(2, 61)]


def _hurwitz(xp, s, q):
    """Σ (q + k)^-s over k >= 0, for s > 1; ten terms and those below q = 10 one by one."""
    total = xp.zeros(np.broadcast_shapes(np.shape(s), np.shape(q)))
    lowest = float(xp.min(xp.where(xp.isfinite(q), q, 0))) if np.size(q) else 0.0
    steps = _SHIFT + min(math.ceil(max(-lowest, 0.0)), 10_000)
    for i in range(steps):
        add = (q < _SHIFT) | (i < _SHIFT)
        total = total + xp.where(add, xp.where(add, q, 1.0) ** -s, 0)
        q = xp.where(add, q + 1, q)
    tail = q ** (1 - s) / (s - 1) + 0.5 * q**-s
    rising, power = s, q ** (-s - 1)
    for k, b in enumerate(_even()[:10], 1):
        tail = tail + rising * power * (b / math.factorial(2 * k))
        rising, power = rising * (s + 2 * k - 1) * (s + 2 * k), power / (q * q)
    return total + xp.where(q**-s < total * 1e-18, 0.0, tail)


# -- log gamma ---------------------------------------------------------------------------------


def _stirling(xp, x):
    series, power = 0.0, 1 / x
    square = power * power
    for k, b in enumerate(_even()[:10], 1):
        series = series + power * (b / (2 * k * (2 * k - 1)))
        power = power * square
    return (x - 0.5) * xp.log(x) - x + 0.5 * math.log(2 * math.pi) + series


def _near_one(xp, z):
    """log Γ(1 + z) for |z| <= 1/4, by its power series: precise next to its zero."""
    numbers = _zeta_numbers()
    total = xp.zeros_like(z)
    for k in range(29, 1, -1):
        total = (total + numbers[k - 2] / k * (-1) ** k) * z
    return (total - np.euler_gamma) * z


def _positive(xp, x):
    """log Γ of positive numbers."""
    product, shifted = xp.ones_like(x), x
    for _ in range(_SHIFT):
        add = shifted < _SHIFT
        product = xp.where(add, product * shifted, product)
        shifted = xp.where(add, shifted + 1, shifted)
    out = _stirling(xp, shifted) - xp.log(product)
    one, two = abs(x - 1) <= 0.25, abs(x - 2) <= 0.25
    z = xp.where(one, x - 1, xp.where(two, x - 2, 0))
    near = _near_one(xp, z)
    return xp.where(one, near, xp.where(two, near + xp.log1p(z), out))


def _sine(xp, x):
    """|sin πx|, with x reduced exactly."""
    return abs(xp.sin(math.pi * (x - xp.round(x))))


def _log_gamma(xp, x):
    known = xp.isfinite(x)
    high = (x >= 0.5) & known
    right = _positive(xp, xp.where(high, x, 1 - xp.where(known, x, 0)))
    left = xp.log(math.pi / _sine(xp, xp.where(known, x, 0.5))) - right
    pole = (x <= 0) & (x == xp.floor(x))
    out = xp.where(high, right, left)
    return xp.where(pole | xp.isinf(x), np.inf, xp.where(known, out + 0.0, x))


@op(accepts="biuf", inplace=True, dtype="float", samples=unary(0.2, 4))
@in_double
def lgamma(xp, input, /):
    """log |Γ(x)|; inf at 0 and the negative integers."""
    return _log_gamma(xp, input)


lgamma.vjp(input=lambda F, g, input: g * F.digamma(input))


@op(accepts="biuf", inplace=True, dtype="float", samples=unary(0.2, 4))
@in_double
def digamma(xp, input, /):
    """The derivative of log Γ; ∓inf at ±0, nan at the negative integers."""
    known = xp.isfinite(input)
    x = xp.where(known, input, 1.0)
    low = x < 0.5
    shifted, total = xp.where(low, 1 - x, x), xp.zeros_like(x)
    for _ in range(_SHIFT):
        add = shifted < _SHIFT
        total = total - xp.where(add, 1 / xp.where(add, shifted, 1.0), 0)
        shifted = xp.where(add, shifted + 1, shifted)
    square = 1 / (shifted * shifted)
    series, power = 0.0, square
    for k, b in enumerate(_even()[:10], 1):
        series = series + power * (b / (2 * k))
        power = power * square
    total = total + xp.log(shifted) - 0.5 / shifted - series
    total = total - xp.where(low, math.pi / xp.tan(math.pi * (x - xp.round(x))), 0)
    total = xp.where((x < 0) & (x == xp.floor(x)), np.nan, total)
    total = xp.where(x == 0, xp.copysign(np.inf, -x), total)
    return xp.where(known, total, xp.where(input == np.inf, input, np.nan))


digamma.vjp(input=lambda F, g, input: g * F.polygamma_of(input, 1))


def _polygamma_samples(make):
    for n in (0, 1, 2, 3):
        yield Sample(make(2, 3, low=0.5, high=3), n)
        yield Sample(make(low=0.5, high=3), n)
    yield Sample(make(0, low=0.5, high=3), 1)


@op(
    accepts="biuf",
    dtype="float",
    function=False,
    method=False,
    shape=lambda input: input,
    samples=_polygamma_samples,
    oracle=lambda t, x, n: t.polygamma(n, x),
)
def polygamma_of(xp, input, /, n):
    """The n-th derivative of digamma: (-1)^(n+1) n! ζ(n + 1, x)."""
    if n < 0:
        raise RuntimeError(f"polygamma(n, x) does not support negative n, got {n}")
    if n == 0:
        return digamma.forward(xp, input)
    x = input.astype(np.float64)
    with np.errstate(all="ignore"):
        if n == 1:
            low = x < 0.5
            right = _hurwitz(xp, np.float64(2.0), xp.where(low, 1 - x, x))
            mirrored = (math.pi / xp.sin(math.pi * (x - xp.round(x)))) ** 2 - right
            out = xp.where(low, mirrored, right)
            out = xp.where((x <= 0) & (x == xp.floor(x)), np.inf, out)
            return xp.where(x == -np.inf, np.nan, out).astype(input.dtype)
        out = (-1.0) ** (n + 1) * math.gamma(n + 1) * _zeta(xp, np.float64(n + 1), x)
        return out.astype(input.dtype)


polygamma_of.vjp(input=lambda F, g, input, n: g * F.polygamma_of(input, n + 1))


def _zeta(xp, s, q):
    s, q = xp.broadcast_arrays(xp.asarray(s), q)
    pole = (q <= 0) & (q == xp.floor(q))
    negative = (q < 0) & (s != xp.floor(s))
    good = (s > 1) & ~pole & ~negative & (q == q) & (q < np.inf)
    out = _hurwitz(xp, xp.where(good, s, 2.0), xp.where(good, q, 1.0))
    out = xp.where(good, out, np.nan)
    return xp.where((s == 1) | (pole & ~(s < 1)), np.inf, out)


def _zeta_samples(make):
    for shape in ((3,), (2, 3), (), (0,)):
        yield Sample(make(*shape, low=1.5, high=6), make(*shape, low=0.5, high=4))
    yield Sample(make(2, 3, low=2, high=6), 1.5)


@op(
    namespace="special",
    method=False,
    accepts="biuf",
    halves=False,
    dtype="float",
    samples=_zeta_samples,
)
@in_double
def zeta(xp, input, other, /):
    """Hurwitz's zeta function Σ (other + k)^-input over k >= 0; no gradient, as in torch."""
    return _zeta(xp, input, other)


# -- incomplete gamma ----------------------------------------------------------------------------

_TURNS = 400  # of the series and of the fraction, where a is small
_VAST = 1e6  # above, the leading terms of Temme's uniform expansion are exact enough (8.12)


def _vast(xp, a, x, upper):
    mu = xp.where(a > _VAST, (x - a) / a, 0.0)
    eta = xp.copysign(xp.sqrt(2 * (mu - xp.log1p(mu))), mu)
    near = abs(eta) < 0.03
    safe = xp.where(near, 1.0, mu)
    series = -1 / 3 + eta / 12 - 2 * eta**2 / 135 + eta**3 / 864
    lead = xp.where(near, series, 1 / safe - 1 / xp.where(near, 1.0, eta))
    rest = xp.exp(-0.5 * a * eta * eta) / xp.sqrt(2 * math.pi * a) * lead
    sign = 1.0 if upper else -1.0
    return 0.5 * erfc_values(xp, sign * eta * xp.sqrt(a / 2)) + sign * rest


def _density(xp, a, x):
    """x^a e^-x / Γ(a), by Stirling's series around the peak where a is large."""
    direct = xp.exp(a * xp.log(x) - x - _positive(xp, a))
    mu = (x - a) / a
    series, power = 0.0, 1 / a
    for k, b in enumerate(_even()[:8], 1):
        series = series + power * (b / (2 * k * (2 * k - 1)))
        power = power / (a * a)
    peak = xp.sqrt(a / (2 * math.pi)) * xp.exp(a * (xp.log1p(mu) - mu) - series)
    return xp.where(a > 10, peak, direct)


def _incomplete(xp, a, x, upper):
    """P(a, x) or Q(a, x)."""
    a, x = xp.broadcast_arrays(a, x)
    good = (a > 0) & (x > 0) & xp.isfinite(a) & xp.isfinite(x)
    vast = good & (a > _VAST)
    b, y = (xp.where(good & ~vast, v, 1.0) for v in (a, x))
    scale = _density(xp, b, y)
    low = y < b + 1
    # P by its power series, below the peak
    c, z = xp.where(low, b, 1.0), xp.where(low, y, 1.0)
    term = series = 1 / c
    n = _turns(xp, c)
    for k in range(1, n):
        term = term * z / (c + k)
        series = series + term
        if k % 16 == 0 and not (term > series * 1e-17).any():
            break
    # Q by the continued fraction, above it (the modified Lentz method)
    c, z = xp.where(low, 1.0, b), xp.where(low, 3.0, y)
    turn = z + 1 - c
    C, D = 1 / np.float64(1e-300) + 0 * turn, 1 / turn
    fraction = D
    for k in range(1, n):
        factor = -k * (k - c)
        turn = turn + 2
        D = turn + factor * D
        C = turn + factor / C
        D = 1 / xp.where(abs(D) < 1e-300, 1e-300, D)
        C = xp.where(abs(C) < 1e-300, 1e-300, C)
        change = D * C
        fraction = fraction * change
        if k % 16 == 0 and not (abs(change - 1) > 1e-16).any():
            break
    lower, higher = scale * series, scale * fraction
    out = xp.where(low, 1 - lower, higher) if upper else xp.where(low, lower, 1 - higher)
    none, whole = (1.0, 0.0) if upper else (0.0, 1.0)
    # at the edges torch looks at one argument before the other: the first that fits decides
    edge = xp.where(x == np.inf, whole, np.nan)
    edge = xp.where(a == np.inf, xp.where(x == np.inf, np.nan, none), edge)
    edge = xp.where(x == 0, none, edge)
    edge = xp.where(a == 0, xp.where(x > 0, whole, np.nan), edge)
    edge = xp.where((a < 0) | (x < 0), np.nan, edge)
    return xp.where(good, xp.where(vast, _vast(xp, a, x, upper), out), edge)


def _turns(xp, a):
    """How many terms the slowest element may need: a few √a near the peak."""
    top = float(a.max()) if a.size else 1.0
    return int(min(_TURNS + 10 * math.sqrt(top), 20_000))


def _gamma_samples(make):
    for shape in ((3,), (2, 3), (), (0,)):
        yield Sample(make(*shape, low=0.5, high=4), make(*shape, low=0.3, high=6))
    yield Sample(make(2, 1, low=0.5, high=4), make(3, low=0.3, high=6))


def _gamma_slope(F, input, other):
    return F.exp((input - 1) * F.log(other) - other - F.lgamma(input))


@op(accepts="f", inplace=True, dtype="promote", samples=_gamma_samples)
@in_double
def igamma(xp, input, other, /):
    """P(a, x), the regularised lower incomplete gamma function; differentiable in x alone.

    nan for negative arguments and for a = x = 0.
    """
    return _incomplete(xp, input, other, False)


igamma.vjp(other=lambda F, g, input, other: g * _gamma_slope(F, input, other))


@op(accepts="f", inplace=True, dtype="promote", samples=_gamma_samples)
@in_double
def igammac(xp, input, other, /):
    """Q(a, x) = 1 - P(a, x), the upper one, precise in its tail; differentiable in x alone."""
    return _incomplete(xp, input, other, True)


igammac.vjp(other=lambda F, g, input, other: -g * _gamma_slope(F, input, other))
