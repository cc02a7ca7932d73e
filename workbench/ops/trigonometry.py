"""Inverse trigonometric and hyperbolic functions."""

from __future__ import annotations

from .compiled import activation
from .declare import op
from .samples import binary, unary


@op(inplace=True, ufunc="arcsin", dtype="float", samples=unary(-0.9, 0.9), aliases=("arcsin",),
    expr="asin(x)")  # fmt: skip
def asin(xp, input, /):
    """Inverse sine in radians; nan outside [-1, 1]."""
    return xp.arcsin(input)


asin.vjp(input=lambda F, g, input: g * F.conj(F.rsqrt(1 - input * input)))


@op(inplace=True, ufunc="arccos", dtype="float", samples=unary(-0.9, 0.9), aliases=("arccos",),
    expr="acos(x)")  # fmt: skip
def acos(xp, input, /):
    """Inverse cosine in radians; nan outside [-1, 1]."""
    return xp.arccos(input)


acos.vjp(input=lambda F, g, input: -g * F.conj(F.rsqrt(1 - input * input)))


@op(dtype="float", ufunc="arctan2", accepts="f", samples=binary(0.3, 2), aliases=("arctan2",),
    inplace=True)  # fmt: skip
def atan2(xp, input, other, /):
    """The angle of the points (other, input), in radians, in the right quadrant."""
    return xp.arctan2(input, other)


atan2.vjp(
    input=lambda F, g, input, other: g * other / (input * input + other * other),
    other=lambda F, g, input, other: -g * input / (input * input + other * other),
)


@op(inplace=True, ufunc="sinh", dtype="float", samples=unary(), expr="sinh(x)")
def sinh(xp, input, /):
    """Hyperbolic sine."""
    return xp.sinh(input)


sinh.vjp(input=lambda F, g, input: g * F.conj(F.cosh(input)))


@op(inplace=True, ufunc="cosh", dtype="float", samples=unary(), expr="cosh(x)")
def cosh(xp, input, /):
    """Hyperbolic cosine."""
    return xp.cosh(input)


cosh.vjp(input=lambda F, g, input: g * F.conj(F.sinh(input)))


@op(inplace=True, ufunc="arcsinh", dtype="float", samples=unary(), aliases=("arcsinh",),
    expr="asinh(x)")  # fmt: skip
def asinh(xp, input, /):
    """Inverse hyperbolic sine."""
    return xp.arcsinh(input)


asinh.vjp(input=lambda F, g, input: g * F.conj(F.rsqrt(input * input + 1)))


@op(inplace=True, ufunc="arccosh", dtype="float", samples=unary(1.2, 3), aliases=("arccosh",),
    expr="acosh(x)")  # fmt: skip
def acosh(xp, input, /):
    """Inverse hyperbolic cosine; nan below 1."""
    return xp.arccosh(input)


acosh.vjp(input=lambda F, g, input: g * F.conj(F.rsqrt(input - 1) * F.rsqrt(input + 1)))


@op(inplace=True, ufunc="arctanh", dtype="float", samples=unary(-0.9, 0.9), aliases=("arctanh",),
    expr="atanh(x)")  # fmt: skip
def atanh(xp, input, /):
    """Inverse hyperbolic tangent; nan outside [-1, 1]."""
    return xp.arctanh(input)


atanh.vjp(input=lambda F, g, input: g / F.conj(1 - input * input))


@op(inplace=True, ufunc="sin", dtype="float", samples=unary(), expr="sin(x)")
def sin(xp, input, /):
    """Sine of angles in radians."""
    return xp.sin(input)


sin.vjp(input=lambda F, g, input: g * F.conj(F.cos(input)))


@op(inplace=True, ufunc="cos", dtype="float", samples=unary(), expr="cos(x)")
def cos(xp, input, /):
    """Cosine of angles in radians."""
    return xp.cos(input)


cos.vjp(input=lambda F, g, input: -g * F.conj(F.sin(input)))


@op(inplace=True, ufunc="tan", dtype="float", samples=unary(-1, 1), expr="tan(x)")
def tan(xp, input, /):
    """Tangent of angles in radians."""
    return xp.tan(input)


tan.vjp(input=lambda F, g, out: g * F.conj(out * out + 1))


@op(
    inplace=True,
    ufunc="arctan",
    dtype="float",
    samples=unary(),
    aliases=("arctan",),
    expr="atan(x)",
)
def atan(xp, input, /):
    """Inverse tangent, in radians."""
    return xp.arctan(input)


atan.vjp(input=lambda F, g, input: g / F.conj(input * input + 1))


@op(inplace=True, ufunc="tanh", dtype="float", samples=unary(), expr="tanh(x)")
def tanh(xp, input, /):
    """Hyperbolic tangent."""
    return xp.tanh(input)


def _tanh_rule(F, g, out):
    if not F.taped and g.size >= activation.LEAST:
        found = activation.tanh_gradient(g, out)
        if found is not None:
            return found
    return F.times_conj(g, 1 - out * out)


tanh.vjp(input=_tanh_rule)
