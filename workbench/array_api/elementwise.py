"""Elementwise functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import Tensor, wrap
from workbench.tensor.functions import raw

from .array import ours, standard, table, together

_BOTH = "Arrays of different dtypes promote, shapes broadcast; one of the two may be a number."


def _unary(name: str, call: Any, doc: str) -> Any:
    def elementwise(x: Tensor, /) -> Tensor:
        return ours(call(x), x)

    elementwise.__name__ = elementwise.__qualname__ = name
    elementwise.__doc__ = doc
    return elementwise


def _binary(name: str, call: Any, doc: str) -> Any:
    def elementwise(x1: Any, x2: Any, /) -> Tensor:
        return ours(call(*together(x1, x2)), x1, x2)

    elementwise.__name__ = elementwise.__qualname__ = name
    elementwise.__doc__ = f"{doc} {_BOTH}"
    return elementwise


def _of(name: str) -> Any:
    """torch's function of that name, looked up when it is first called."""

    def call(*args: Any) -> Any:
        return table[name](*args)

    return call


acos = _unary("acos", _of("acos"), "The inverse cosine.")
acosh = _unary("acosh", _of("acosh"), "The inverse hyperbolic cosine.")
asin = _unary("asin", _of("asin"), "The inverse sine.")
asinh = _unary("asinh", _of("asinh"), "The inverse hyperbolic sine.")
atan = _unary("atan", _of("atan"), "The inverse tangent.")
atanh = _unary("atanh", _of("atanh"), "The inverse hyperbolic tangent.")
ceil = _unary("ceil", _of("ceil"), "The least integer not below.")
conj = _unary("conj", _of("conj"), "The complex conjugate.")
cos = _unary("cos", _of("cos"), "The cosine of radians.")
cosh = _unary("cosh", _of("cosh"), "The hyperbolic cosine.")
exp = _unary("exp", _of("exp"), "e to the power x.")
floor = _unary("floor", _of("floor"), "The greatest integer not above.")
isfinite = _unary("isfinite", _of("isfinite"), "Whether neither infinite nor nan.")
isinf = _unary("isinf", _of("isinf"), "Whether infinite.")
isnan = _unary("isnan", _of("isnan"), "Whether nan.")
log = _unary("log", _of("log"), "The natural logarithm.")
log10 = _unary("log10", _of("log10"), "The logarithm to base 10.")
log1p = _unary("log1p", _of("log1p"), "log(1 + x), exact near 0.")
log2 = _unary("log2", _of("log2"), "The logarithm to base 2.")
logical_not = _unary("logical_not", _of("logical_not"), "Whether false (or 0).")
negative = _unary("negative", raw("neg"), "-x.")
positive = _unary("positive", raw("clone"), "+x, a copy.")
reciprocal = _unary("reciprocal", _of("reciprocal"), "1 / x.")
signbit = _unary("signbit", _of("signbit"), "Whether the sign bit is set, that of -0 included.")
sin = _unary("sin", _of("sin"), "The sine of radians.")
sinh = _unary("sinh", _of("sinh"), "The hyperbolic sine.")
square = _unary("square", _of("square"), "x * x.")
sqrt = _unary("sqrt", _of("sqrt"), "The principal square root.")
trunc = _unary("trunc", _of("trunc"), "The integer part, towards 0.")
bitwise_invert = _unary("bitwise_invert", raw("bitwise_not"), "Every bit (or bool) turned.")

add = _binary("add", raw("add"), "x1 + x2.")
atan2 = _binary("atan2", _of("atan2"), "The angle of the point (x2, x1), in [-π, π].")
bitwise_and = _binary("bitwise_and", raw("bitwise_and"), "x1 & x2.")
bitwise_left_shift = _binary("bitwise_left_shift", raw("bitwise_left_shift"), "x1 << x2.")
bitwise_or = _binary("bitwise_or", raw("bitwise_or"), "x1 | x2.")
bitwise_right_shift = _binary("bitwise_right_shift", raw("bitwise_right_shift"), "x1 >> x2.")
bitwise_xor = _binary("bitwise_xor", raw("bitwise_xor"), "x1 ^ x2.")
copysign = _binary("copysign", _of("copysign"), "|x1| with the sign of x2.")
divide = _binary("divide", raw("div"), "x1 / x2.")
equal = _binary("equal", raw("eq"), "x1 == x2.")
greater = _binary("greater", raw("gt"), "x1 > x2.")
greater_equal = _binary("greater_equal", raw("ge"), "x1 >= x2.")
less = _binary("less", raw("lt"), "x1 < x2.")
less_equal = _binary("less_equal", raw("le"), "x1 <= x2.")
logaddexp = _binary("logaddexp", _of("logaddexp"), "log(exp(x1) + exp(x2)).")
logical_and = _binary("logical_and", raw("logical_and"), "x1 and x2.")
logical_or = _binary("logical_or", raw("logical_or"), "x1 or x2.")
logical_xor = _binary("logical_xor", raw("logical_xor"), "Whether exactly one of the two is true.")
maximum = _binary("maximum", raw("maximum"), "The larger of the two; nan where one is.")
minimum = _binary("minimum", raw("minimum"), "The smaller of the two; nan where one is.")
multiply = _binary("multiply", raw("mul"), "x1 * x2.")
not_equal = _binary("not_equal", raw("ne"), "x1 != x2.")
pow = _binary("pow", _of("pow"), "x1 to the power x2.")  # noqa: A001 - the standard's name
subtract = _binary("subtract", raw("sub"), "x1 - x2.")


# -- complex infinities and zeros, nan: where NumPy's and torch's answers are others ---------------


def _somewhere(mask: Tensor) -> bool:
    """Whether a mask is true anywhere; taken for true within vmap, where nobody can know."""
    return hasattr(mask.array, "level") or bool(mask.array.any())


def _patched(call: Any, x: Tensor, mask: Tensor, values: Any) -> Tensor:
    """`call(x)`, with `values()` where `mask`."""
    made = call(x)
    return raw("where")(mask, values(), made) if _somewhere(mask) else made


def _parts(x: Tensor) -> tuple[Tensor, Tensor]:
    return raw("real")(x), table["imag"](x)


def _zero_like(x: Tensor) -> Tensor:
    """Zeros with the signs of `x`."""
    return table["copysign"](table["zeros_like"](x), x)


@standard
def expm1(x: Tensor, /) -> Tensor:
    """exp(x) - 1, exact near 0."""
    if not x.is_complex():
        return raw("expm1")(x)
    z = x.detach()
    mask = raw("logical_or")(raw("logical_not")(raw("isfinite")(z)), raw("eq")(z, 0))
    return _patched(raw("expm1"), x, mask, lambda: raw("exp")(z) - 1)


@standard
def sign(x: Tensor, /) -> Tensor:
    """-1, 0 or 1; of complex numbers x / |x|, and 0 at 0; nan of nan."""
    if not (x.is_complex() or x.is_floating_point()):
        return raw("sgn")(x)
    z = x.detach()
    return _patched(raw("sgn"), x, raw("isnan")(z), lambda: raw("mul")(z, math.nan))


@standard
def tan(x: Tensor, /) -> Tensor:
    """The tangent."""
    if not x.is_complex():
        return raw("tan")(x)
    real, imag = _parts(x.detach())
    far = raw("logical_and")(raw("isinf")(imag), raw("isfinite")(real))
    limit = lambda: table["complex"](_zero_like(real), raw("sgn")(imag))  # noqa: E731
    return _patched(raw("tan"), x, far, limit)


@standard
def tanh(x: Tensor, /) -> Tensor:
    """The hyperbolic tangent."""
    if not x.is_complex():
        return raw("tanh")(x)
    real, imag = _parts(x.detach())
    far = raw("logical_and")(raw("isinf")(real), raw("isfinite")(imag))
    limit = lambda: table["complex"](raw("sgn")(real), _zero_like(imag))  # noqa: E731
    return _patched(raw("tanh"), x, far, limit)


@standard
def abs(x: Tensor, /) -> Tensor:  # noqa: A001 - the standard's name
    """The absolute value; real for complex numbers."""
    return table["abs"](x) if x.array.dtype.kind != "u" else raw("clone")(x)


@standard
def real(x: Tensor, /) -> Tensor:
    """The real part of complex numbers."""
    return raw("real")(x)


@standard
def imag(x: Tensor, /) -> Tensor:
    """The imaginary part of complex numbers. Raises TypeError for others."""
    if not x.is_complex():
        raise TypeError(f"imag needs complex numbers, got {x.dtype.name}")
    return table["imag"](x)


@standard
def round(x: Tensor, /) -> Tensor:  # noqa: A001 - the standard's name
    """The nearest integer, halves to the even one; of complex numbers, both parts."""
    if not x.is_complex():
        return table["round"](x)
    return table["complex"](*(table["round"](part) for part in _parts(x)))


@standard
def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """Each element limited to [min, max], numbers or arrays; the dtype of `x` stays."""
    if min is None and max is None:
        return raw("clone")(x)
    made = x
    target = x.array.dtype
    for limit, pick in ((min, "maximum"), (max, "minimum")):
        if limit is None:
            continue
        if isinstance(limit, Tensor):
            limit = limit if limit.array.dtype == target else limit.to(x.dtype)
        else:
            limit = wrap(_number(x, limit))
        made = raw(pick)(made, limit)
    return made


def _number(x: Tensor, value: Any) -> Any:
    """A number in the dtype of `x`, the nearest one it can hold."""
    target = x.array.dtype
    if target.kind in "iu":
        limits = np.iinfo(target)
        value = limits.min if value < limits.min else limits.max if value > limits.max else value
    return namespace(x.array).asarray(value, dtype=target)


def _safe(name: str, x1: Any, x2: Any) -> Tensor:
    """floor_divide and remainder: torch's op, but 0 where integers are divided by 0."""
    lead = x1 if isinstance(x1, Tensor) else x2
    if lead.is_floating_point():
        return raw(name)(x1, x2)
    divisor = _number_for(x2, lead)
    zero = raw("eq")(divisor, 0)
    if not _somewhere(zero):
        return raw(name)(x1, x2)
    made = raw(name)(x1, raw("add")(divisor, zero))
    return raw("mul")(made, raw("logical_not")(zero))


def _floor_divide(x1: Any, x2: Any) -> Tensor:
    made = _safe("floor_divide", x1, x2)
    if not made.is_floating_point():
        return made
    over, under = _number_for(x1, x2), _number_for(x2, x1)
    # with one of the two infinite the quotient needs no rounding, and has the sign of 0 right
    infinite = raw("logical_xor")(raw("isinf")(over), raw("isinf")(under))
    if not _somewhere(infinite):
        return made
    return raw("where")(infinite, raw("div")(over, under), made)


def _remainder(x1: Any, x2: Any) -> Tensor:
    return _safe("remainder", x1, x2)


floor_divide = _binary(
    "floor_divide", _floor_divide, "x1 / x2 rounded down (0 where integers meet 0)."
)
remainder = _binary(
    "remainder", _remainder, "x1 modulo x2, with the sign of x2 (0 where integers meet 0)."
)


def _number_for(value: Any, other: Any) -> Any:
    """A number as a 0-d tensor in the dtype of the array beside it."""
    if isinstance(value, Tensor):
        return value
    return wrap(namespace(other.array).asarray(value, dtype=other.array.dtype))


def _two_tensors(call: Any) -> Any:
    return lambda x1, x2: call(_number_for(x1, x2), _number_for(x2, x1))


nextafter = _binary(
    "nextafter", _two_tensors(_of("nextafter")), "The next number after x1 in the direction of x2."
)
hypot = _binary("hypot", _two_tensors(_of("hypot")), "The length of the vector (x1, x2).")
