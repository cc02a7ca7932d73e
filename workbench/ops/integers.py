"""Elementwise functions of numbers as they are stored: divisors, exponents, neighbours, signs."""

from __future__ import annotations

import numpy as np

from .declare import op
from .samples import Sample, binary, unary


def _whole(make):
    for a, b in (((), ()), ((3,), (3,)), ((2, 3), (3,)), ((0,), (1,))):
        yield Sample(make.ints(*a, low=-9, high=9), make.ints(*b, low=-9, high=9))
    yield Sample(make.ints(3, high=9, dtype=np.int32), make.ints(3, high=9))


def _floats(make):
    yield Sample(make(3), make(3))
    yield Sample(make.ints(3), make.ints(2))


@op(inplace=True, ufunc="gcd", dtype="promote", accepts="iu", samples=_whole,
    errors=_floats)  # fmt: skip
def gcd(xp, input, other, /):
    """The greatest common divisor of integers, not negative."""
    return xp.gcd(input, other)


@op(inplace=True, ufunc="lcm", dtype="promote", accepts="iu", samples=_whole,
    errors=_floats)  # fmt: skip
def lcm(xp, input, other, /):
    """The least common multiple of integers, not negative."""
    return xp.lcm(input, other)


@op(inplace=True, ufunc="hypot", dtype="promote", accepts="f", samples=binary(0.3, 2))
def hypot(xp, input, other, /):
    """The hypotenuse of right-angled triangles with these legs, without overflow."""
    return xp.hypot(input, other)


hypot.vjp(
    input=lambda F, g, input, out: g * input / out,
    other=lambda F, g, other, out: g * other / out,
)


@op(inplace=True, dtype="promote", accepts="f", samples=binary())
def nextafter(xp, input, other, /):
    """The next floating-point number after `input` towards `other`."""
    return xp.nextafter(input, other)


@op(dtype="promote", ufunc="logaddexp2", accepts="f", samples=binary())
def logaddexp2(xp, input, other, /):
    """log2(2**input + 2**other), without overflow."""
    return xp.logaddexp2(input, other)


logaddexp2.vjp(
    input=lambda F, g, input, out: g * F.exp2(input - out),
    other=lambda F, g, other, out: g * F.exp2(other - out),
)


def _mantissa(F, g, exponent):
    return g / F.exp2(F.cast(exponent, getattr(g, "array", g).dtype))


def _pair(input):
    return (input, input)


@op(
    accepts="f",
    shape=_pair,
    samples=unary(gap=0.1),
    returns=("mantissa", "exponent"),
    differentiable=("mantissa",),
)
def frexp(xp, input, /):
    """Mantissas in (-1, -0.5] or [0.5, 1) and int32 exponents: input = mantissa * 2**exponent."""
    return xp.frexp(input)


frexp.vjp(input=_mantissa)


def _step_samples(make):
    yield Sample(make.ints(2, 3, low=-1, high=2).astype(make.dtype), make(3))
    yield Sample(make(), make())
    yield Sample(make(0), make(1))


def _step_errors(make):
    yield Sample(make(3), make(3).astype(np.float32))
    yield Sample(make(3), make(2))


@op(inplace=True, accepts="biuf", dtype="same", samples=_step_samples, errors=_step_errors)
def heaviside(xp, input, values, /):
    """0 below zero, 1 above, `values` at zero; both of one dtype."""
    out = xp.where(input > 0, input.dtype.type(1), input.dtype.type(0))
    out = xp.where(input == 0, values, out)
    return xp.where(input != input, input, out)


@op(dtype="compare", accepts="biuf", samples=unary())
def isposinf(xp, input, /):
    """Whether each element is +inf."""
    return input == np.inf if input.dtype.kind == "f" else xp.zeros(input.shape, bool)


@op(dtype="compare", accepts="biuf", samples=unary())
def isneginf(xp, input, /):
    """Whether each element is -inf."""
    return input == -np.inf if input.dtype.kind == "f" else xp.zeros(input.shape, bool)


@op(dtype="compare", samples=unary())
def isreal(xp, input, /):
    """Whether the imaginary part of each element is zero."""
    return input.imag == 0 if input.dtype.kind == "c" else xp.ones(input.shape, bool)
