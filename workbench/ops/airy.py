"""Airy's function Ai (NIST Digital Library of Mathematical Functions, chapter 9).

Between -10 and 10 by Taylor series about the nearest integer, whose coefficients follow from
w'' = x w; outside by the asymptotic series 9.7.5 and 9.7.9. The values at the integers come from
the Maclaurin series 9.4.1 in decimals of sixty digits, once, when they are first asked for.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from .bessel import _bessel
from .special import in_double

_FAR = 10
# Ai(0) and -Ai'(0)
_VALUE = "0.35502805388781723926006318600418317639797917419917724058332651030081"
_SLOPE = "0.25881940379280679840518356018920396347909113835493458221000181385610"


@cache
def _at_integers() -> np.ndarray:
    """Ai and Ai' at -10 … 10, (21, 2)."""
    from decimal import Context, Decimal, localcontext

    rows = []
    with localcontext(Context(prec=60)):
        for c in range(-_FAR, _FAR + 1):
            a = [Decimal(_VALUE), -Decimal(_SLOPE), Decimal(0)]
            value, slope, power = a[0] + a[1] * c, a[1], Decimal(c)
            for n in range(2, 150):
                if n > 2:
                    a.append(a[n - 3] / (n * (n - 1)))
                slope += n * a[n] * power
                power *= c
                value += a[n] * power
            rows.append((float(value), float(slope)))
    return np.array(rows)


def _near(xp, x):
    """By the Taylor series about the nearest integer, |x| <= 10."""
    centre = xp.rint(x)
    held = xp.asarray(_at_integers())[(centre + _FAR).astype(np.int64)]
    h = x - centre
    oldest, older, newest = xp.zeros_like(x), held[..., 0], held[..., 1]
    total, power = older + newest * h, h
    for n in range(2, 34):
        made = (centre * older + oldest) / (n * (n - 1))
        power = power * h
        total = total + made * power
        oldest, older, newest = older, newest, made
    return total


def _series(xp, zeta):
    """The sums over even and odd k of u_k / ζ^k with alternating signs, and over all (-1)^k."""
    term, even, odd, plain = xp.ones_like(zeta), xp.ones_like(zeta), 0.0, xp.ones_like(zeta)
    for k in range(1, 21):
        term = term * ((6 * k - 5) * (6 * k - 3) * (6 * k - 1)) / (216 * k * (2 * k - 1)) / zeta
        plain = plain + (-1) ** k * term
        if k % 2:
            odd = odd + (-1) ** (k // 2) * term
        else:
            even = even + (-1) ** (k // 2) * term
    return even, odd, plain


def _far(xp, x):
    size = abs(x)
    zeta = size * xp.sqrt(size) * (2 / 3)
    even, odd, plain = _series(xp, zeta)
    root = xp.sqrt(xp.sqrt(size))
    falling = xp.exp(-zeta) * plain / (2 * math.sqrt(math.pi) * root)
    angle = zeta - math.pi / 4
    waves = (xp.cos(angle) * even + xp.sin(angle) * odd) / (math.sqrt(math.pi) * root)
    return xp.where(x > 0, falling, waves)


@in_double
def _values(xp, x):
    far = abs(x) > _FAR
    known = xp.isfinite(x)
    made = _near(xp, xp.where(far | ~known, 0.0, x))
    made = xp.where(far, _far(xp, xp.where(far & known, x, 2.0 * _FAR)), made)
    return xp.where(known, made, np.nan)


def _forward(xp, input, /):
    return _values(xp, input)


airy_ai = _bessel("airy_ai", "Airy's function Ai; nan at infinities.", _forward)
