"""Comparisons, logic and tests: bool results, no gradients."""

from __future__ import annotations

from .declare import op
from .samples import Sample, comparison, mismatched, unary


@op(inplace=True, operator="eq", ufunc="equal", dtype="compare", samples=comparison, expr="x == y")
def eq(xp, input, other, /):
    """Elementwise input == other."""
    return xp.equal(input, other)


@op(
    inplace=True,
    operator="ne",
    ufunc="not_equal",
    dtype="compare",
    samples=comparison,
    aliases=("not_equal",),
    expr="x != y",
)
def ne(xp, input, other, /):
    """Elementwise input != other."""
    return xp.not_equal(input, other)


@op(
    inplace=True,
    errors=mismatched,
    accepts="biuf",
    operator="lt",
    ufunc="less",
    dtype="compare",
    samples=comparison,
    aliases=("less",),
    expr="x < y",
)
def lt(xp, input, other, /):
    """Elementwise input < other."""
    return xp.less(input, other)


@op(
    inplace=True,
    errors=mismatched,
    accepts="biuf",
    operator="le",
    ufunc="less_equal",
    dtype="compare",
    samples=comparison,
    aliases=("less_equal",),
    expr="x <= y",
)
def le(xp, input, other, /):
    """Elementwise input <= other."""
    return xp.less_equal(input, other)


@op(
    inplace=True,
    errors=mismatched,
    accepts="biuf",
    operator="gt",
    ufunc="greater",
    dtype="compare",
    samples=comparison,
    aliases=("greater",),
    expr="x > y",
)
def gt(xp, input, other, /):
    """Elementwise input > other."""
    return xp.greater(input, other)


@op(
    inplace=True,
    errors=mismatched,
    accepts="biuf",
    operator="ge",
    ufunc="greater_equal",
    dtype="compare",
    samples=comparison,
    aliases=("greater_equal",),
    expr="x >= y",
)
def ge(xp, input, other, /):
    """Elementwise input >= other."""
    return xp.greater_equal(input, other)


def _bool_pairs(make):
    yield Sample(make.bools(2, 3), make.bools(3))
    yield Sample(make.ints(2, 3), make.ints(3))
    yield Sample(make.bools(0), make.bools(0))


@op(inplace=True, operator="and", ufunc="bitwise_and", dtype="compare", samples=_bool_pairs)
def bitwise_and(xp, input, other, /):
    """Bitwise and of integers; logical and of bools."""
    return xp.bitwise_and(input, other)


@op(inplace=True, operator="or", ufunc="bitwise_or", dtype="compare", samples=_bool_pairs)
def bitwise_or(xp, input, other, /):
    """Bitwise or of integers; logical or of bools."""
    return xp.bitwise_or(input, other)


@op(inplace=True, operator="xor", ufunc="bitwise_xor", dtype="compare", samples=_bool_pairs)
def bitwise_xor(xp, input, other, /):
    """Bitwise exclusive or of integers; of bools, whether exactly one is true."""
    return xp.bitwise_xor(input, other)


def _bools(make):
    yield Sample(make.bools(2, 3))
    yield Sample(make.ints(2, 3))
    yield Sample(make.bools(0))


@op(inplace=True, operator="invert", ufunc="bitwise_not", dtype="compare", samples=_bools)
def bitwise_not(xp, input, /):
    """Bitwise complement of integers; logical not of bools."""
    return xp.bitwise_not(input)


@op(inplace=True, ufunc="logical_and", dtype="compare", samples=comparison)
def logical_and(xp, input, other, /):
    """Whether both are nonzero."""
    return xp.logical_and(input, other)


@op(inplace=True, ufunc="logical_or", dtype="compare", samples=comparison)
def logical_or(xp, input, other, /):
    """Whether either is nonzero."""
    return xp.logical_or(input, other)


@op(inplace=True, ufunc="logical_not", dtype="compare", samples=unary())
def logical_not(xp, input, /):
    """Whether each element is zero."""
    return xp.logical_not(input)


@op(ufunc="isnan", dtype="compare", samples=unary())
def isnan(xp, input, /):
    """Whether each element is nan."""
    return xp.isnan(input)


@op(ufunc="isfinite", dtype="compare", samples=unary())
def isfinite(xp, input, /):
    """Whether each element is neither infinite nor nan."""
    return xp.isfinite(input)


@op(ufunc="isinf", dtype="compare", samples=unary())
def isinf(xp, input, /):
    """Whether each element is infinite."""
    return xp.isinf(input)


@op(inplace=True, ufunc="logical_xor", dtype="compare", samples=comparison)
def logical_xor(xp, input, other, /):
    """Whether exactly one is nonzero."""
    return xp.logical_xor(input, other)


@op(ufunc="signbit", dtype="compare", accepts="biuf", samples=unary())
def signbit(xp, input, /):
    """Whether each element is negative (-0.0 included)."""
    return xp.signbit(input)


def _shift_pairs(make):
    yield Sample(make.ints(2, 3), make.ints(3))
    yield Sample(make.ints(3), 2)


@op(
    inplace=True,
    operator="lshift",
    ufunc="left_shift",
    dtype="compare",
    accepts="iu",
    samples=_shift_pairs,
)
def bitwise_left_shift(xp, input, other, /):
    """Bits moved to the left; 0 for shifts of at least the type's width."""
    return xp.left_shift(input, other)


@op(
    inplace=True,
    operator="rshift",
    ufunc="right_shift",
    dtype="compare",
    accepts="iu",
    samples=_shift_pairs,
)
def bitwise_right_shift(xp, input, other, /):
    """Bits moved to the right, the sign filling up."""
    return xp.right_shift(input, other)
