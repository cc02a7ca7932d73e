"""Exponentials, logarithms and roots, elementwise."""

from __future__ import annotations

import math

from .declare import op
from .samples import unary


@op(inplace=True, ufunc="exp", dtype="float", samples=unary(), expr="exp(x)")
def exp(xp, input, /):
    """e to the power of each element."""
    return xp.exp(input)


exp.vjp(input=lambda F, g, out: g * F.conj(out))


@op(inplace=True, ufunc="exp2", dtype="float", samples=unary(), expr="exp2(x)")
def exp2(xp, input, /):
    """2 to the power of each element."""
    return xp.exp2(input)


exp2.vjp(input=lambda F, g, out: g * F.conj(out * math.log(2)))


@op(inplace=True, ufunc="expm1", dtype="float", samples=unary(), expr="expm1(x)")
def expm1(xp, input, /):
    """exp(x) - 1, precise near 0."""
    return xp.expm1(input)


expm1.vjp(input=lambda F, g, out: g * F.conj(out + 1))


@op(inplace=True, ufunc="log", dtype="float", samples=unary(0.2, 3), expr="log(x)")
def log(xp, input, /):
    """Natural logarithm; nan below 0, -inf at 0."""
    return xp.log(input)


log.vjp(input=lambda F, g, input: g / F.conj(input))


@op(inplace=True, ufunc="log2", dtype="float", samples=unary(0.2, 3), expr="log2(x)")
def log2(xp, input, /):
    """Logarithm to base 2."""
    return xp.log2(input)


log2.vjp(input=lambda F, g, input: g / F.conj(input * math.log(2)))


@op(inplace=True, ufunc="log10", dtype="float", samples=unary(0.2, 3), expr="log10(x)")
def log10(xp, input, /):
    """Logarithm to base 10."""
    return xp.log10(input)


log10.vjp(input=lambda F, g, input: g / F.conj(input * math.log(10)))


@op(inplace=True, ufunc="log1p", dtype="float", samples=unary(-0.5, 3), expr="log1p(x)")
def log1p(xp, input, /):
    """log(1 + x), precise near 0."""
    return xp.log1p(input)


log1p.vjp(input=lambda F, g, input: g / F.conj(input + 1))


@op(inplace=True, ufunc="sqrt", dtype="float", samples=unary(0.2, 3), expr="sqrt(x)")
def sqrt(xp, input, /):
    """Square root; nan below 0."""
    return xp.sqrt(input)


sqrt.vjp(input=lambda F, g, out: g / F.conj(2 * out))


@op(inplace=True, dtype="float", samples=unary(0.3, 3), expr="rsqrt(x)")
def rsqrt(xp, input, /):
    """1 / sqrt(input)."""
    return xp.reciprocal(xp.sqrt(input))


rsqrt.vjp(input=lambda F, g, out: g * F.conj(out * out * out * -0.5))
