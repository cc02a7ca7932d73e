"""Elementwise arithmetic and transcendental functions."""

from __future__ import annotations

from .declare import op
from .samples import Sample, binary, mismatched, unary

# -- arithmetic ------------------------------------------------------------------------------


@op(
    errors=mismatched,
    operator="add",
    inplace=True,
    ufunc="add",
    dtype="promote",
    samples=binary(),
    expr="x + y",
)
def add(xp, input, other, /):
    """Elementwise sum; shapes broadcast."""
    return xp.add(input, other)


add.vjp(input=lambda F, g: g, other=lambda F, g: g)


@op(
    errors=mismatched,
    operator="sub",
    inplace=True,
    ufunc="subtract",
    dtype="promote",
    samples=binary(),
    expr="x - y",
    aliases=("subtract",),
)
def sub(xp, input, other, /):
    """Elementwise difference; shapes broadcast."""
    return xp.subtract(input, other)


sub.vjp(input=lambda F, g: g, other=lambda F, g: -g)


@op(
    errors=mismatched,
    operator="mul",
    inplace=True,
    ufunc="multiply",
    dtype="promote",
    samples=binary(),
    expr="x * y",
    aliases=("multiply",),
)
def mul(xp, input, other, /):
    """Elementwise product; shapes broadcast."""
    return xp.multiply(input, other)


mul.vjp(
    input=lambda F, g, other: F.times_conj(g, other),
    other=lambda F, g, input: F.times_conj(g, input),
)


@op(
    errors=mismatched,
    operator="truediv",
    inplace=True,
    ufunc="divide",
    dtype="float",
    samples=binary(low2=0.5, high2=2),
    expr="x / y",
    aliases=("true_divide", "divide"),
)
def div(xp, input, other, /):
    """Elementwise quotient; integers divide to the default float."""
    return xp.divide(input, other)


div.vjp(
    input=lambda F, g, other: g / F.conj(other),
    other=lambda F, g, other, out: -g * F.conj(out / other),
)


def _no_zero(divisor):
    if divisor.dtype.kind in "iu" and not divisor.all():
        raise RuntimeError("ZeroDivisionError")


@op(
    errors=mismatched,
    accepts="iuf",
    operator="floordiv",
    inplace=True,
    dtype="promote",
    samples=binary(low2=0.6, high2=2.0, gap=0.05),
)
def floor_divide(xp, input, other, /):
    """Quotient rounded towards minus infinity.

    Raises RuntimeError ("ZeroDivisionError") when integers are divided by 0.
    """
    _no_zero(other)
    return xp.floor_divide(input, other)


@op(
    errors=mismatched,
    accepts="iuf",
    operator="mod",
    inplace=True,
    dtype="promote",
    samples=binary(low=0.1, low2=2.1, high2=3.0),
)
def remainder(xp, input, other, /):
    """Remainder with the sign of the divisor (Python's %).

    Raises RuntimeError ("ZeroDivisionError") when integers are divided by 0.
    """
    _no_zero(other)
    return xp.remainder(input, other)


remainder.vjp(
    input=lambda F, g: g,
    other=lambda F, g, input, other: -g * F.floor(input / other),
)


@op(
    errors=mismatched,
    accepts="iufc",
    operator="pow",
    inplace=True,
    ufunc="power",
    dtype="promote",
    samples=binary(low=0.2, high=2.0),
)
def pow_op(xp, input, exponent, /):
    """`input` raised to `exponent`, elementwise.

    Raises RuntimeError for integers to negative powers.
    """
    return xp.power(input, exponent)


def _pow_base(F, g, input, exponent):
    if isinstance(exponent, (int, float)):
        if exponent == 2:
            return g * (2 * F.conj(input))
        if exponent == 0:
            return g * 0
        return g * F.conj(exponent * input ** (exponent - 1))
    # where the exponent is 0 the slope is 0, even at base 0, where the formula says nan
    zero = exponent == 0
    slope = exponent * F.pow(input, F.where(zero, exponent * 0 + 1, exponent) - 1)
    return g * F.conj(F.where(zero, slope * 0, slope))


def _pow_exponent(F, g, input, exponent, out):
    # d/dy x^y = x^y log x, and 0 at x = 0 for y >= 0
    positive = input != 0
    return g * F.conj(out * F.log(F.where(positive, input, input * 0 + 1)))


pow_op.vjp(input=_pow_base, exponent=_pow_exponent)


@op(
    operator="neg",
    inplace=True,
    ufunc="negative",
    dtype="promote",
    samples=unary(),
    expr="-x",
    aliases=("negative",),
)
def neg(xp, input, /):
    """Elementwise negation."""
    return xp.negative(input)


neg.vjp(input=lambda F, g: -g)


@op(
    accepts="iufc",
    operator="abs",
    inplace=True,
    ufunc="absolute",
    dtype="promote",
    samples=unary(gap=0.05),
    expr="fabs(x)",
    aliases=("absolute",),
)
def abs_op(xp, input, /):
    """Elementwise absolute value; of complex numbers, the modulus."""
    return xp.absolute(input)


abs_op.vjp(input=lambda F, g, input: g * F.sgn(input))


def _direction(xp, x):
    if x.dtype.kind == "b":
        return x.copy()
    out = xp.sign(x)
    return xp.where(x == x, out, out.dtype.type(0)) if x.dtype.kind in "fc" else out  # nan: 0


@op(inplace=True, dtype="promote", samples=unary(gap=0.05))
def sgn(xp, input, /):
    """Sign; of complex numbers, the direction x / |x| (0 at 0)."""
    return _direction(xp, input)


def _sgn_rule(F, g, input, out):
    if getattr(input, "array", input).dtype.kind != "c":
        return g * 0
    # along the direction nothing changes; across it, g / |x|
    length = F.abs(input)
    zero = length == 0
    length = F.where(zero, length + 1, length)
    along = F.real(g * F.conj(out)) * out
    return F.where(zero, g * 0, (g - along) / length)


sgn.vjp(input=_sgn_rule)


@op(accepts="biuf", inplace=True, dtype="promote", samples=unary(gap=0.05))
def sign(xp, input, /):
    """Elementwise sign: -1, 0 or 1."""
    return _direction(xp, input)


sign.vjp(input=lambda F, g: g * 0)


@op(accepts="iufc", inplace=True, ufunc="square", dtype="promote", samples=unary(), expr="x * x")
def square(xp, input, /):
    """Elementwise square."""
    return xp.square(input)


square.vjp(input=lambda F, g, input: g * (2 * F.conj(input)))


@op(inplace=True, ufunc="reciprocal", dtype="float", samples=unary(0.5, 2), expr="1 / x")
def reciprocal(xp, input, /):
    """1 / input."""
    return xp.reciprocal(input)


reciprocal.vjp(input=lambda F, g, out: -g * F.conj(out * out))


# -- rounding and limits ------------------------------------------------------------------------


@op(
    accepts="iuf",
    inplace=True,
    ufunc="floor",
    dtype="promote",
    samples=unary(gap=0.05),
    expr="floor(x)",
)
def floor(xp, input, /):
    """Largest integer not above each element, in the same dtype."""
    return xp.floor(input)


floor.vjp(input=lambda F, g: g * 0)


@op(
    accepts="iuf",
    inplace=True,
    ufunc="ceil",
    dtype="promote",
    samples=unary(gap=0.05),
    expr="ceil(x)",
)
def ceil(xp, input, /):
    """Smallest integer not below each element, in the same dtype."""
    return xp.ceil(input)


ceil.vjp(input=lambda F, g: g * 0)


@op(accepts="iuf", inplace=True, dtype="promote", samples=unary(gap=0.05))
def round_op(xp, input, /, decimals=0):
    """Nearest value with `decimals` digits after the point, halves to even."""
    return xp.round(input, decimals)


round_op.vjp(input=lambda F, g: g * 0)


def _clamp_samples(make):
    for shape in ((), (3,), (2, 3), (0,)):
        yield Sample(make(*shape, gap=0.05), -0.9, 0.8)
        yield Sample(make(*shape, gap=0.05), min=0.3)
        yield Sample(make(*shape, gap=0.05), max=0.3)


@op(accepts="biuf", inplace=True, dtype="promote", samples=_clamp_samples, aliases=("clip",))
def clamp(xp, input, /, min=None, max=None):
    """Each element limited to [min, max]; where min > max the result is max.

    Raises RuntimeError when both limits are missing.
    """
    if min is None and max is None:
        raise RuntimeError("clamp(): at least one of 'min' or 'max' must not be None")
    if min is not None:
        input = xp.maximum(input, min)
    return input if max is None else xp.minimum(input, max)


def _clamp_rule(F, g, input, min, max):
    inside = None
    if min is not None:
        inside = input >= min
    if max is not None:
        below = input <= max
        inside = below if inside is None else inside & below
    return F.where(inside, g, g * 0)


clamp.vjp(input=_clamp_rule)


def _ties(F, g, chosen, input, other):
    """Share the gradient of a maximum or minimum: all to the chosen side, halves on ties."""
    return g * (F.cast_bool(chosen, g) + F.cast_bool(input == other, g) * 0.5)


@op(accepts="biuf", dtype="promote", ufunc="maximum", samples=binary())
def maximum(xp, input, other, /):
    """Elementwise larger value; nan wins. Ties share the gradient."""
    return xp.maximum(input, other)


maximum.vjp(
    input=lambda F, g, input, other: _ties(F, g, input > other, input, other),
    other=lambda F, g, input, other: _ties(F, g, other > input, input, other),
)


@op(accepts="biuf", dtype="promote", ufunc="minimum", samples=binary())
def minimum(xp, input, other, /):
    """Elementwise smaller value; nan wins. Ties share the gradient."""
    return xp.minimum(input, other)


minimum.vjp(
    input=lambda F, g, input, other: _ties(F, g, input < other, input, other),
    other=lambda F, g, input, other: _ties(F, g, other < input, input, other),
)


# -- choosing -----------------------------------------------------------------------------------


def _where_samples(make):
    for c, a, b in (((3,), (3,), (3,)), ((2, 1), (2, 3), (3,)), ((), (), ()), ((0,), (0,), (1,))):
        yield Sample(make.bools(*c), make(*a), make(*b))
    yield Sample(make.bools(2, 3), make(2, 3), 0.5)


@op(dtype=None, method=False, function=False, samples=_where_samples)
def where(xp, condition, input, other, /):
    """`input` where `condition`, else `other`; all three broadcast (arrays of one dtype)."""
    return xp.where(condition, input, other)


where.vjp(
    input=lambda F, g, condition, input_shape: F.sum_to(F.where(condition, g, g * 0), input_shape),
    other=lambda F, g, condition, other_shape: F.sum_to(F.where(condition, g * 0, g), other_shape),
)


# -- complex -------------------------------------------------------------------------------------


@op(dtype="promote", samples=unary(), function=True)
def conj(xp, input, /):
    """Complex conjugate; real tensors are returned as they are."""
    return input.conjugate()


conj.vjp(input=lambda F, g: F.conj(g))
