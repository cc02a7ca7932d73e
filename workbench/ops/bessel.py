"""Bessel functions of order 0 and 1.

Small arguments by power series, large ones by Hankel's asymptotic series (NIST Digital Library of
Mathematical Functions 10.8, 10.17, 10.25, 10.40), J in between by the trapezoidal rule on Bessel's
integral, which converges geometrically for periodic integrands, and Y by Neumann's series of J
(10.8.3) summed under that integral. K: the trapezoidal rule on its integral over cosh (10.32).
"""

from __future__ import annotations

import math

import numpy as np

from .declare import op
from .samples import unary
from .special import in_double

_EULER = np.euler_gamma

# -- modified, first kind -------------------------------------------------------------------------


def _scaled_i(xp, x, order):
    """exp(-|x|) I(|x|)."""
    z = abs(x)
    low = z < 30
    y = xp.where(low, z, 1.0)
    square = y * y * 0.25
    term = xp.ones_like(y) if order == 0 else y * 0.5
    series = term
    for k in range(1, 75):
        term = term * square / (k * (k + order))
        series = series + term
    near = series * xp.exp(-y)
    y = xp.where(low, 30.0, z)
    return xp.where(low, near, _hankel(xp, y, order, -1.0)[2] / xp.sqrt(2 * math.pi * y))


def _hankel(xp, y, order, sign):
    """Sums of a_k / (8y)^k: the even and the odd ones alternating (J, Y), and all (I, K)."""
    mu = 4 * order * order
    term = xp.ones_like(y)
    even, odd, plain = xp.ones_like(y), xp.zeros_like(y), xp.ones_like(y)
    for k in range(1, 25):
        term = term * (mu - (2 * k - 1) ** 2) / (k * 8 * y)
        plain = plain + term * sign**k
        if k % 2:
            odd = odd + term * (-1) ** (k // 2)
        else:
            even = even + term * (-1) ** (k // 2)
    return even, odd, plain


def _kept(xp, x, values, at_infinity):
    """`values`, nan where x is nan; where it is infinite, torch's value."""
    values = xp.where(xp.isinf(x), at_infinity, values)
    return xp.where(x == x, values, x)


def _odd(xp, x, values):
    return xp.where(x < 0, -values, values)


@op(accepts="biuf", inplace=True, dtype="float", samples=unary())
@in_double
def i0(xp, input, /):
    """The modified Bessel function of the first kind, order 0."""
    return _kept(xp, input, xp.exp(abs(input)) * _scaled_i(xp, input, 0), np.nan)


@op(namespace="special", method=False, accepts="biuf", dtype="float", samples=unary())
@in_double
def i0e(xp, input, /):
    """exp(-|x|) i0(x)."""
    return _kept(xp, input, _scaled_i(xp, input, 0), 0.0)


@op(namespace="special", method=False, accepts="biuf", dtype="float", samples=unary(gap=0.05))
@in_double
def i1(xp, input, /):
    """The modified Bessel function of the first kind, order 1."""
    size = xp.exp(abs(input)) * _scaled_i(xp, input, 1)
    return _odd(xp, input, _kept(xp, input, size, np.nan))


@op(namespace="special", method=False, accepts="biuf", dtype="float", samples=unary(gap=0.05))
@in_double
def i1e(xp, input, /):
    """exp(-|x|) i1(x)."""
    return _odd(xp, input, _kept(xp, input, _scaled_i(xp, input, 1), 0.0))


def _over(F, out, input):
    """out / input, 1/2 at 0."""
    zero = input == 0
    return F.where(zero, input * 0 + 0.5, out / F.where(zero, input * 0 + 1, input))


i0.vjp(input=lambda F, g, input: g * F.i1(input))
i0e.vjp(input=lambda F, g, input, out: g * (F.i1e(input) - F.sgn(input) * out))
i1.vjp(input=lambda F, g, input, out: g * (F.i0(input) - _over(F, out, input)))
i1e.vjp(
    input=lambda F, g, input, out: g * (F.i0e(input) - F.sgn(input) * out - _over(F, out, input))
)

# -- first and second kind ------------------------------------------------------------------------

_NODES = 60
_THETA = (np.arange(_NODES) + 0.5) * (math.pi / 2 / _NODES)
_WEIGHTS = sum((-1) ** k * np.cos(2 * k * _THETA) / k for k in range(1, 41))
_FAR = 25.0


def _mean(xp, x, term):
    """The mean of term(θ, x) over the nodes of a quarter turn."""
    total = xp.zeros_like(x)
    for theta, weight in zip(_THETA, _WEIGHTS, strict=True):
        total = total + term(math.sin(theta), float(weight), x)
    return total / _NODES


def _j(xp, x, order):
    """J for 0 <= x."""
    low = x < _FAR
    y = xp.where(low, x, 0.0)
    if order == 0:
        near = _mean(xp, y, lambda s, _, v: xp.cos(v * s))
    else:
        near = _mean(xp, y, lambda s, _, v: s * xp.sin(v * s))
        near = xp.where(y < 1, _small_j1(xp, xp.minimum(y, 1.0)), near)
    return xp.where(low, near, _far(xp, xp.where(low, _FAR, x), order)[0])


def _small_j1(xp, y):
    square, term = -0.25 * y * y, y * 0.5
    series = term
    for k in range(1, 12):
        term = term * square / (k * (k + 1))
        series = series + term
    return series


def _far(xp, y, order):
    """J and Y by the asymptotic series."""
    even, odd, _ = _hankel(xp, y, order, 1.0)
    phase = y - (2 * order + 1) * math.pi / 4
    c, s = xp.cos(phase), xp.sin(phase)
    scale = xp.sqrt(2 / (math.pi * y))
    return scale * (even * c - odd * s), scale * (even * s + odd * c)


def _y(xp, x, order):
    """Y for x > 0; -inf at 0 and nan below."""
    low = x < _FAR
    y = xp.where(low & (x > 0), x, 1.0)
    log = xp.log(y * 0.5) + _EULER
    if order == 0:
        near = 2 / math.pi * log * _j(xp, y, 0)
        near = near - 4 / math.pi * _mean(xp, y, lambda s, w, v: w * xp.cos(v * s))
    else:
        near = 2 / math.pi * (log * _j(xp, y, 1) - _j(xp, y, 0) / y)
        near = near - 4 / math.pi * _mean(xp, y, lambda s, w, v: w * s * xp.sin(v * s))
    out = xp.where(low, near, _far(xp, xp.where(low, _FAR, x), order)[1])
    out = _kept(xp, x, out, np.nan)
    return xp.where(x == 0, -np.inf, xp.where(x < 0, np.nan, out))


def _bessel(name, doc, forward, low=-2.0):
    forward.__name__, forward.__doc__ = name, doc + " No gradient, as in torch."
    return op(
        namespace="special",
        method=False,
        accepts="biuf",
        halves=False,
        dtype="float",
        samples=unary(low, 4.0, gap=0.05),
    )(forward)


def _declare(name, doc, values, low=-2.0):
    compute = in_double(values)

    def forward(xp, input, /):
        return compute(xp, input)

    _bessel(name, doc, forward, low)


_declare(
    "bessel_j0", "The Bessel function of the first kind, order 0.",
    lambda xp, x: _kept(xp, x, _j(xp, abs(x), 0), np.nan),
)  # fmt: skip
_declare(
    "bessel_j1", "The Bessel function of the first kind, order 1.",
    lambda xp, x: _kept(xp, x, xp.copysign(1.0, x) * _j(xp, abs(x), 1), np.nan),
)  # fmt: skip
_declare(
    "bessel_y0", "The Bessel function of the second kind, order 0: -inf at 0, nan below.",
    lambda xp, x: _y(xp, x, 0), 0.2,
)  # fmt: skip
_declare(
    "bessel_y1", "The Bessel function of the second kind, order 1: -inf at 0, nan below.",
    lambda xp, x: _y(xp, x, 1), 0.2,
)  # fmt: skip
_declare(
    "modified_bessel_i0", "The modified Bessel function of the first kind, order 0.",
    i0.forward,
)  # fmt: skip
_declare(
    "modified_bessel_i1", "The modified Bessel function of the first kind, order 1.",
    i1.forward,
)  # fmt: skip

# -- modified, second kind ------------------------------------------------------------------------


def _scaled_k(xp, x, order):
    """exp(x) K(x) for x > 0."""
    low = x < 2
    y = xp.where(low & (x > 0), x, 1.0)
    square, term = y * y * 0.25, xp.ones_like(y)
    harmonic, series = 0.0, xp.zeros_like(y)
    log = xp.log(y * 0.5)
    if order == 0:
        for k in range(1, 20):
            term = term * square / (k * k)
            harmonic += 1 / k
            series = series + term * harmonic
        near = series - (log + _EULER) * xp.exp(y) * _scaled_i(xp, y, 0)
    else:
        for k in range(20):
            series = series + term * (2 * harmonic + 1 / (k + 1) - 2 * _EULER)
            harmonic += 1 / (k + 1)
            term = term * square / ((k + 1) * (k + 2))
        near = 1 / y + log * xp.exp(y) * _scaled_i(xp, y, 1) - y * 0.25 * series
    z = xp.where(low, 2.0, xp.minimum(x, 1e300))
    step = 0.35 / xp.sqrt(z)
    total = xp.full_like(z, 0.5)
    for n in range(1, 28):
        half = xp.sinh(n * step * 0.5)
        more = 2 * half * half  # cosh - 1
        total = total + xp.exp(-z * more) * (1 + more if order else 1.0)
    return xp.where(low, near * xp.exp(y), total * step)


def _k(order, scaled):
    def values(xp, x):
        out = _scaled_k(xp, x, order)
        if not scaled:
            out = out * xp.exp(-x)
        out = _kept(xp, x, out, 0.0)
        return xp.where(x == 0, np.inf, xp.where(x < 0, np.nan, out))

    return values


for _order in (0, 1):
    _declare(
        f"modified_bessel_k{_order}",
        f"The modified Bessel function of the second kind, order {_order}: inf at 0, nan below.",
        _k(_order, False), 0.2,
    )  # fmt: skip
    _declare(
        f"scaled_modified_bessel_k{_order}",
        f"exp(x) times the modified Bessel function of the second kind, order {_order}.",
        _k(_order, True), 0.2,
    )  # fmt: skip
_declare(
    "spherical_bessel_j0", "sin(x) / x, 1 at 0.",
    lambda xp, x: _kept(xp, x, xp.where(x == 0, 1.0, xp.sin(x) / xp.where(x == 0, 1.0, x)), 0.0),
)  # fmt: skip
