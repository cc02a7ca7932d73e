"""Products with logarithms, the logit and the cardinal sine."""

from __future__ import annotations

import math
from functools import wraps

import numpy as np

from .declare import op
from .samples import Sample, binary, unary


def in_double(forward):
    """A forward that computes in float64 and rounds once: the dtype's own precision."""

    @wraps(forward)
    def wide(xp, *arrays):
        dtype = next(a.dtype for a in arrays if hasattr(a, "dtype"))
        with np.errstate(all="ignore"):
            return forward(
                xp, *(a.astype(np.float64) if hasattr(a, "dtype") else a for a in arrays)
            ).astype(dtype)

    return wide


def _logit_samples(make):
    for shape in ((), (3,), (2, 3), (0,)):
        yield Sample(make(*shape, low=0.1, high=0.9))
        yield Sample(make(*shape, low=0.05, high=0.95), 0.2)


@op(accepts="biuf", inplace=True, dtype="float", samples=_logit_samples)
def logit(xp, input, /, eps=None):
    """log(x / (1 - x)); with `eps`, of x limited to [eps, 1 - eps]; nan outside [0, 1]."""
    if eps is not None:
        kind = input.dtype.type
        input = xp.minimum(xp.maximum(input, kind(eps)), kind(1 - eps))
    return xp.log(input / (1 - input))


def _logit_rule(F, g, input, eps):
    if eps is None:
        return g / (input * (1 - input))
    inside = (input >= eps) & (input <= 1 - eps)
    safe = F.where(inside, input, input * 0 + 0.5)
    return F.where(inside, g / (safe * (1 - safe)), g * 0)


logit.vjp(input=_logit_rule)


@op(accepts="biuf", inplace=True, dtype="float", samples=binary(0.2, 2.0))
def xlogy(xp, input, other, /):
    """x log y, and 0 where x is 0 (nan where y is nan)."""
    nothing = (input == 0) & (other == other)
    return xp.where(nothing, input.dtype.type(0), input * xp.log(xp.where(nothing, 1, other)))


def _log_or_zero(F, g, logarithm, input, other, floor):
    """g · log, and 0 where the product is taken as 0 whatever its second factor is."""
    off = (input == 0) & (other <= floor)
    return F.where(off, g * 0, g * logarithm(F.where(off, other * 0 + 1, other)))


xlogy.vjp(
    input=lambda F, g, input, other: _log_or_zero(F, g, F.log, input, other, 0),
    other=lambda F, g, input, other: g * input / other,
)


@op(namespace="special", method=False, accepts="biuf", dtype="float", samples=binary(0.2, 2.0))
def xlog1py(xp, input, other, /):
    """x log(1 + y), and 0 where x is 0 (nan where y is nan)."""
    nothing = (input == 0) & (other == other)
    return xp.where(nothing, input.dtype.type(0), input * xp.log1p(xp.where(nothing, 0, other)))


xlog1py.vjp(
    input=lambda F, g, input, other: _log_or_zero(F, g, F.log1p, input, other, -1),
    other=lambda F, g, input, other: g * input / (other + 1),
)


@op(namespace="special", method=False, accepts="biuf", dtype="float", samples=unary(0.2, 2))
def entr(xp, input, /):
    """-x log x; 0 at 0 and -inf below."""
    kind = input.dtype.type
    inside = -input * xp.log(xp.where(input > 0, input, kind(1)))
    return xp.where(input > 0, inside, xp.where(input < 0, kind(-np.inf), abs(input) * 0))


entr.vjp(input=lambda F, g, input: g * (-1 - F.log(input)))


@op(inplace=True, dtype="float", samples=unary(gap=0.05))
def sinc(xp, input, /):
    """sin(πx) / (πx), 1 at 0."""
    kind = input.dtype.type
    zero = input == 0
    turn = xp.where(zero, kind(1), input) * kind(math.pi)
    return xp.where(zero, kind(1), xp.sin(turn) / turn)


def _sinc_rule(F, g, input):
    zero = input == 0
    turn = F.where(zero, input * 0 + 1, input) * math.pi
    slope = (turn * F.cos(turn) - F.sin(turn)) / (turn * turn) * math.pi
    return F.where(zero, g * 0, g * F.conj(slope))


sinc.vjp(input=_sinc_rule)
