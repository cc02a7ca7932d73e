"""Elementwise functions of two or three numbers: remainders, extremes, interpolation."""

from __future__ import annotations

from .declare import op
from .samples import Sample, binary, unary


@op(inplace=True, dtype="promote", accepts="iuf", samples=unary(gap=0.05), aliases=("fix",))
def trunc(xp, input, /):
    """The integer part, in the same dtype."""
    return input.copy() if input.dtype.kind in "iu" else xp.trunc(input)


trunc.vjp(input=lambda F, g: g * 0)


@op(inplace=True, dtype="promote", accepts="f", samples=unary(gap=0.05))
def frac(xp, input, /):
    """What is left of each element without its integer part, with its sign."""
    return input - xp.trunc(input)


frac.vjp(input=lambda F, g: g)


@op(inplace=True, dtype="promote", accepts="iuf", samples=binary(0.1, 2, 2.1, 3))
def fmod(xp, input, other, /):
    """Remainder with the sign of the dividend (C's fmod).

    Raises RuntimeError ("ZeroDivisionError") when integers are divided by 0.
    """
    if other.dtype.kind in "iu" and not other.all():
        raise RuntimeError("ZeroDivisionError")
    return xp.fmod(input, other)


fmod.vjp(
    input=lambda F, g: g,
    other=lambda F, g, input, other: -g * F.trunc(input / other),
)


@op(dtype="promote", ufunc="fmax", accepts="biuf", samples=binary())
def fmax(xp, input, other, /):
    """Elementwise larger value; a number wins over nan. The first of equals gets the gradient."""
    return xp.fmax(input, other)


@op(dtype="promote", ufunc="fmin", accepts="biuf", samples=binary())
def fmin(xp, input, other, /):
    """Elementwise smaller value; a number wins over nan. The first of equals gets the gradient."""
    return xp.fmin(input, other)


def _first_max(F, input, other):
    return (input >= other) | (other != other)


def _first_min(F, input, other):
    return (input <= other) | (other != other)


fmax.vjp(
    input=lambda F, g, input, other: F.where(_first_max(F, input, other), g, g * 0),
    other=lambda F, g, input, other: F.where(_first_max(F, input, other), g * 0, g),
)
fmin.vjp(
    input=lambda F, g, input, other: F.where(_first_min(F, input, other), g, g * 0),
    other=lambda F, g, input, other: F.where(_first_min(F, input, other), g * 0, g),
)


@op(dtype="promote", ufunc="logaddexp", accepts="f", samples=binary())
def logaddexp(xp, input, other, /):
    """log(exp(input) + exp(other)), without overflow."""
    return xp.logaddexp(input, other)


logaddexp.vjp(
    input=lambda F, g, input, out: g * F.exp(input - out),
    other=lambda F, g, other, out: g * F.exp(other - out),
)


def _lerp_samples(make):
    yield Sample(make(2, 3), make(2, 3), 0.3)
    yield Sample(make(2, 3), make(3), make(2, 1))
    yield Sample(make(), make(), 0.75)
    yield Sample(make(0), make(1), 0.5)


@op(inplace=True, dtype="promote", accepts="fc", samples=_lerp_samples)
def lerp(xp, input, end, weight, /):
    """input + weight * (end - input); shapes broadcast."""
    return input + weight * (end - input)


lerp.vjp(
    input=lambda F, g, weight: g * F.conj(1 - weight),
    end=lambda F, g, weight: g * F.conj(weight),
    weight=lambda F, g, input, end: g * F.conj(end - input),
)


@op(dtype="float", ufunc="copysign", accepts="f", samples=binary(0.3, 2), inplace=True)
def copysign(xp, input, other, /):
    """The magnitude of `input` with the sign of `other`."""
    return xp.copysign(input, other)


copysign.vjp(
    input=lambda F, g, input, out: F.where(input == 0, g * 0, g * F.sgn(input) * F.sgn(out))
)


def _nan_samples(make):
    yield Sample(make(2, 3))
    yield Sample(make(3), 1.0, 2.0, -2.0)


@op(inplace=True, accepts="biufc", samples=_nan_samples)
def nan_to_num(xp, input, /, nan=None, posinf=None, neginf=None):
    """nan, inf and -inf as numbers: 0 and the dtype's extremes unless given."""
    if input.dtype.kind not in "f":
        return input.copy() if input.dtype.kind != "c" else xp.nan_to_num(input)
    limits = xp.finfo(input.dtype)
    out = xp.where(xp.isnan(input), input.dtype.type(0 if nan is None else nan), input)
    high = limits.max if posinf is None else posinf
    low = limits.min if neginf is None else neginf
    out = xp.where(out == xp.inf, input.dtype.type(high), out)
    return xp.where(out == -xp.inf, input.dtype.type(low), out)


nan_to_num.vjp(input=lambda F, g, input: F.where(F.isfinite(input), g, g * 0))
