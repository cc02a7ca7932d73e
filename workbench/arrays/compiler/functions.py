"""Functions of numbers and vectors inside kernels: exp, log, tanh and their relatives.

Each reduces its argument to a short interval and takes a polynomial there, near the best of its
degree: interpolated at Chebyshev's nodes with many digits (N. Brisebarre & S. Chevillard,
"Efficient polynomial L∞-approximations", 2007, say how close that comes). Results are within 2.5
units in the last place of float32 or float64 (erf within 5), the limits (0, ∞, nan, the smallest
numbers) are those of the C library, and the bits are the same on every processor.

    y = exp(fn, x)        # x: a Value of floats, any number of lanes
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import NamedTuple

from .ir import Function, Value, element_of, lanes_of, vector
from .llvm import host


class _Format(NamedTuple):
    """What a float type is made of, and the coefficients for it (the highest power first)."""

    integer: str
    fraction: int  # bits of the fraction
    bias: int  # of the exponent
    magic: float  # adding it rounds to whole numbers, left in the low bits
    tiny: float  # below it exp(x) - 1, log(1 + x) and tanh(x) are x
    least: float  # the smallest number with all its digits
    bottom: float  # exp of it is 0
    top: float  # exp of it is infinite
    saturated: float  # tanh of it is 1
    exp: tuple[float, ...]  # (exp(r) - 1 - r) / r² for |r| <= log(2) / 2
    log: tuple[float, ...]  # (2 atanh(s) / s - 2) / s² in s², for |s| <= (√2 - 1) / (√2 + 1)
    short: int  # bits of log(2) whose product with an exponent is exact


_FORMATS = {
    "float": _Format(
        "i32", 23, 127, 1.5 * 2**23, 2.0**-26, 2.0**-126, -104.0, 89.0, 10.0,
        (0.00139261835877, 0.00836317905272, 0.0416665546172, 0.166665769897, 0.5),
        (0.233316144718, 0.285507786332, 0.400001222118, 0.66666666554),
        15,
    ),
    "double": _Format(
        "i64", 52, 1023, 1.5 * 2**52, 2.0**-55, 2.0**-1022, -746.0, 710.0, 20.0,
        (2.0914686968086877233e-9, 2.5105217004720745164e-8, 2.7557273643110295328e-7,
         2.755725540020642443e-6, 2.4801587325547741216e-5, 1.9841269874820625271e-4,
         1.3888888888883748305e-3, 8.3333333333261351258e-3, 4.1666666666666669755e-2,
         0.16666666666666670991, 0.5),
        (0.1308803485092755383, 0.13268638369266823879, 0.15386244737621666606,
         0.18181795547521136235, 0.22222222392581045097, 0.28571428570799785031,
         0.40000000000000883236, 0.66666666666666666463),
        32,
    ),
}  # fmt: skip


def polynomial(fn: Function, x: Value, coefficients: Sequence[float]) -> Value:
    """The polynomial with these coefficients, the highest power first, by Horner's rule."""
    value = fn.of(x.kind, coefficients[0])
    for c in coefficients[1:]:
        value = fn.fma(value, x, c)
    return value


def at_least(fn: Function, x: Value, bound: float) -> Value:
    """max(x, bound); nan stays nan."""
    return fn.select(x < bound, bound, x)


def at_most(fn: Function, x: Value, bound: float) -> Value:
    """min(x, bound); nan stays nan."""
    return fn.select(x > bound, bound, x)


def exp(fn: Function, x: Value) -> Value:
    """e to the power x."""
    form = _format(x)
    x = at_most(fn, at_least(fn, x, form.bottom), form.top)
    shifted, power, rest = _reduced(fn, x)
    return _scaled(fn, 1 + rest, shifted, power)


def expm1(fn: Function, x: Value) -> Value:
    """e to the power x, less 1, without cancellation."""
    form = _format(x)
    low = form.bottom / 4  # there it is -1
    shifted, _, rest = _reduced(fn, at_most(fn, at_least(fn, x, low), form.top))
    half = _power(fn, shifted, form.bias - 1)  # half of 2^n, which is too large for x near the top
    value = fn.fma(half, rest, half - 0.5) * 2
    return fn.select(fn.abs(x) < form.tiny, x, value)


def tanh(fn: Function, x: Value) -> Value:
    """The hyperbolic tangent: e / (e + 2) with e = exp(2|x|) - 1, and the sign of x."""
    form = _format(x)
    twice = at_most(fn, fn.abs(x), form.saturated) * 2
    shifted, _, rest = _reduced(fn, twice)
    power = _power(fn, shifted, form.bias)
    e = fn.fma(power, rest, power - 1)
    return fn.copysign(e / (e + 2), x)


def sigmoid(fn: Function, x: Value) -> Value:
    """1 / (1 + exp(-x)); where that overflows, 0."""
    return 1 / (exp(fn, -x) + 1)


def log(fn: Function, x: Value) -> Value:
    """The natural logarithm: -inf at 0, nan below."""
    form = _format(x)
    kind = vector(lanes_of(x.kind), form.integer)
    small = x < form.least
    grown = fn.select(small, x * 2.0**form.fraction, x)
    # from the exponent of √½ on the fraction lies between √½ and √2
    root = fn.of(kind, _bits_of(math.sqrt(0.5), form))
    places = fn.bits(grown, form.integer) - root
    count = fn.make(kind, f"ashr {places}, {fn.of(kind, form.fraction).name}")
    k = fn.convert(count, element_of(x.kind))
    k = fn.select(small, k - form.fraction, k)
    m = fn.bits((places & (2**form.fraction - 1)) + root, element_of(x.kind))
    f = m - 1
    s = f / (f + 2)
    z = s * s
    high, low = _split(math.log(2), form)
    half = f * f * 0.5
    inner = fn.fma(s, half + z * polynomial(fn, z, form.log), k * low)
    value = k * high - ((half - inner) - f)
    value = fn.select(x < math.inf, value, x)  # inf and nan
    value = fn.select(x.compare("==", 0), -math.inf, value)
    return fn.select(x < 0, math.nan, value)


def log1p(fn: Function, x: Value) -> Value:
    """log(1 + x), without the rounding of the sum."""
    u = x + 1
    lost = (x - (u - 1)) / u
    fine = fn.abs(lost) < 1  # not where u is 0, infinite or nan
    value = log(fn, u) + fn.select(fine, lost, 0.0)
    return fn.select(fn.abs(x) < _format(x).tiny, x, value)


# erf(x / √2) = tanh(x P(x²) / Q(x²)), P and Q fitted by reweighted least squares so that the
# largest relative error is 3e-9
_NUMERATOR = (1.92533765e-04, 7.53889909e-03, 9.89265961e-02, 7.97884563e-01)
_DENOMINATOR = (4.06152523e-05, 5.92246189e-03, 7.84462176e-02, 1.0)


def normal_cdf(fn: Function, x: Value) -> Value:
    """The normal distribution function, of float32, to the precision that its upper half has."""
    return sigmoid(fn, _inner(fn, x) * 2)


def erf(fn: Function, x: Value) -> Value:
    """The error function, of float32."""
    return tanh(fn, _inner(fn, x * math.sqrt(2)))


def _inner(fn: Function, x: Value) -> Value:
    if element_of(x.kind) != "float":
        raise TypeError(f"the fit of the normal distribution is for float32, not {x.kind}")
    y = at_most(fn, x * x, 200.0)  # beyond, it is 0 or 1
    return x * (polynomial(fn, y, _NUMERATOR) / polynomial(fn, y, _DENOMINATOR))


# -- parts -----------------------------------------------------------------------------------------


def _format(x: Value) -> _Format:
    return _FORMATS[element_of(x.kind)]


def _bits_of(number: float, form: _Format) -> int:
    codes = ("f", "i") if form.integer == "i32" else ("d", "q")
    return int(struct.unpack(codes[1], struct.pack(codes[0], number))[0])


def _split(number: float, form: _Format) -> tuple[float, float]:
    """A number as one with few bits and the rest."""
    high = math.floor(number * 2**form.short) / 2**form.short
    return high, number - high


def _reduced(fn: Function, x: Value) -> tuple[Value, Value, Value]:
    """x = n log(2) + r: n in the low bits of a float, n, and exp(r) - 1.

    The sum with `magic` rounds to a whole number without converting to an integer, which has no
    answer for nan.
    """
    form = _format(x)
    shifted = fn.fma(x, 1 / math.log(2), form.magic)
    n = shifted - form.magic
    codes = "f" if form.integer == "i32" else "d"
    high = struct.unpack(codes, struct.pack(codes, math.log(2)))[0]
    # with a fused product the first difference is exact
    low = math.log(2) - high if codes == "f" else 2.3190468138462996e-17
    r = fn.fma(n, -low, fn.fma(n, -high, x))
    return shifted, n, fn.fma(polynomial(fn, r, form.exp), r * r, r)


def _power(fn: Function, shifted: Value, bias: int) -> Value:
    """2^n, for n that leave it among the numbers with all their digits."""
    form = _format(shifted)
    bits = fn.bits(shifted, form.integer) << form.fraction
    return fn.bits(bits + (bias << form.fraction), element_of(shifted.kind))


def _scaled(fn: Function, value: Value, shifted: Value, n: Value) -> Value:
    """value · 2^n, rounded once, for n beyond the exponents too."""
    kind, form = value.kind, _format(value)
    lanes = lanes_of(kind)
    if host().lanes == 16 and lanes == (16 if form.integer == "i32" else 8):
        name = f"llvm.x86.avx512.mask.scalef.{'ps' if form.integer == 'i32' else 'pd'}.512"
        fn.declared.add(f"declare {kind} @{name}({kind}, {kind}, {kind}, i{lanes}, i32)")
        return fn.make(kind, f"call {kind} @{name}({value}, {n}, {value}, i{lanes} -1, i32 4)")
    whole = fn.bits(shifted, form.integer) - _bits_of(form.magic, form)
    half = fn.make(whole.kind, f"ashr {whole}, {fn.of(whole.kind, 1).name}")
    for part in (half, whole - half):
        value = value * fn.bits((part + form.bias) << form.fraction, element_of(kind))
    return value
