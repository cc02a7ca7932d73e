"""Orthogonal polynomials of degree n at x, by their three-term recurrences.

NIST Digital Library of Mathematical Functions 18.9 (recurrences) and 18.5 (Chebyshev's as
cosines). Computed in float64 and rounded once. Negative degrees give 0, fractions of a degree are
cut off. No gradients, as in torch.
"""

from __future__ import annotations

import numpy as np

from .declare import op
from .samples import Sample
from .special import in_double

_ENDLESS = 512  # in float64 no Hermite polynomial is finite much beyond this degree


def _samples(make):
    for shape in ((), (3,), (2, 3), (0,)):
        yield Sample(make(*shape, gap=0.05), make.ints(*shape, high=9))
    yield Sample(make(2, 1, gap=0.05), make.ints(3, high=12))
    yield Sample(make(4, 3, gap=0.05).T, make.ints(3, 4, high=30) - 2)
    yield Sample(make(2, 3, low=-1, high=1, gap=0.05), 3)
    yield Sample(make(3, gap=0.05), 2.7)


def _degrees(xp, n):
    """The degrees as whole float64 numbers; -1 for what is no degree at all."""
    fits = (abs(n) < 2.0**62) & (n == n)
    return xp.trunc(xp.where(fits, n, -1.0))


def _recur(xp, x, n, first, step):
    """P_n from P_0 = 1, P_1 = `first` and P_k+1 = step(k, P_k, P_k-1)."""
    x, n, first = xp.broadcast_arrays(x, n, first)
    before, now = xp.ones_like(x), first
    made = xp.where(n == 0, before, now)
    top = int(n.max()) if n.size else 0
    for k in range(1, top):
        before, now = now, step(k, now, before)
        made = xp.where(n == k + 1, now, made)
    return xp.where(n < 0, 0.0, made)


def _chebyshev(kind, far, ends):
    """T, U, V or W: `far(n, angle)` inside (-1, 1) for high degrees, `ends(n)` at 1 and -1."""

    def values(xp, x, n):
        n = _degrees(xp, n)
        high = (n > 8) & (abs(x) < 1)
        end = abs(x) == 1
        first = x if kind == "t" else x + x
        if kind in "vw":
            first = first + (1 if kind == "w" else -1)
        low = xp.where(high | end, xp.minimum(n, 1.0), n)
        made = _recur(xp, x, low, first, lambda k, now, before: (x + x) * now - before)
        made = xp.where(high, far(xp, n, xp.arccos(xp.where(high, x, 0.0))), made)
        at_one, at_minus_one = ends(n)
        flip = xp.where(n % 2 == 0, 1.0, -1.0)
        edge = xp.where(x > 0, at_one, at_minus_one * flip)
        return xp.where(end & (n >= 0), edge, made)

    return values


_KINDS = {
    "t": _chebyshev(
        "t", lambda xp, n, a: xp.cos(n * a), lambda n: (n * 0 + 1, n * 0 + 1)
    ),
    "u": _chebyshev(
        "u", lambda xp, n, a: xp.sin((n + 1) * a) / xp.sin(a), lambda n: (n + 1, n + 1)
    ),
    "v": _chebyshev(
        "v",
        lambda xp, n, a: xp.cos((n + 0.5) * a) / xp.cos(a / 2),
        lambda n: (n * 0 + 1, n + n + 1),
    ),
    "w": _chebyshev(
        "w",
        lambda xp, n, a: xp.sin((n + 0.5) * a) / xp.sin(a / 2),
        lambda n: (n + n + 1, n * 0 + 1),
    ),
}  # fmt: skip


def _hermite_h(xp, x, n):
    n = _degrees(xp, n)
    low = xp.minimum(n, _ENDLESS + 1.0)
    twice = x + x
    made = _recur(xp, x, low, twice, lambda k, now, before: twice * now - 2 * k * before)
    return xp.where(n > _ENDLESS, np.nan, made)


def _hermite_he(xp, x, n):
    n = _degrees(xp, n)
    low = xp.minimum(n, _ENDLESS + 1.0)
    made = _recur(xp, x, low, x, lambda k, now, before: x * now - k * before)
    return xp.where(n > _ENDLESS, np.nan, made)


def _laguerre(xp, x, n):
    n = _degrees(xp, n)
    low = xp.where(x == 0, xp.minimum(n, 0.0), n)

    def step(k, now, before):
        return ((2 * k + 1 - x) * now - k * before) / (k + 1)

    return _recur(xp, x, low, 1 - x, step)


def _legendre(xp, x, n):
    n = _degrees(xp, n)
    end = abs(x) == 1
    low = xp.where(end, xp.minimum(n, 1.0), n)

    def step(k, now, before):
        return ((2 * k + 1) * x * now - k * before) / (k + 1)

    made = _recur(xp, x, low, x, step)
    edge = xp.where((x > 0) | (n % 2 == 0), 1.0, -1.0)
    return xp.where(end & (n >= 0), edge, made)


def _declare(name, doc, values):
    compute = in_double(values)

    def forward(xp, x, n, /):
        return compute(xp, x, n)

    forward.__name__, forward.__doc__ = name, doc
    op(
        namespace="special",
        method=False,
        accepts="biuf",
        halves=False,
        dtype="float",
        samples=_samples,
    )(forward)


def _shifted(values):
    return lambda xp, x, n: values(xp, x + x - 1, n)


for _letter, _which in (("t", "first"), ("u", "second"), ("v", "third"), ("w", "fourth")):
    _declare(
        f"chebyshev_polynomial_{_letter}",
        f"Chebyshev's polynomial of the {_which} kind, of degree n at x.",
        _KINDS[_letter],
    )
    _declare(
        f"shifted_chebyshev_polynomial_{_letter}",
        f"Chebyshev's polynomial of the {_which} kind, of degree n at 2x - 1.",
        _shifted(_KINDS[_letter]),
    )
_declare(
    "hermite_polynomial_h",
    "The physicists' Hermite polynomial of degree n at x; nan for n beyond 512.",
    _hermite_h,
)
_declare(
    "hermite_polynomial_he",
    "The probabilists' Hermite polynomial of degree n at x; nan for n beyond 512.",
    _hermite_he,
)
_declare("laguerre_polynomial_l", "Laguerre's polynomial of degree n at x.", _laguerre)
_declare("legendre_polynomial_p", "Legendre's polynomial of degree n at x.", _legendre)
