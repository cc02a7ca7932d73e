"""Pools whose one window is the whole plane: a row of numbers, its maximum or its mean."""

from __future__ import annotations

import math
from typing import Any

from workbench.arrays.compiler.ir import Function, Value, vector
from workbench.arrays.compiler.kernel import kernel
from workbench.arrays.compiler.llvm import host

_AT_ONCE = 4  # vectors


def _form(real: str) -> tuple[int, str, str]:
    lanes = host().lanes if real == "float" else host().lanes // 2
    return lanes, vector(lanes, real), "i32" if real == "float" else "i64"


def _vectors(fn: Function, kind: str, lanes: int, row: Value, area: Value, rest: float,
             body: Any) -> None:  # fmt: skip
    """body(vector, its place, 0 … 3) over a row; `rest` fills up the last one."""
    many = area // (lanes * _AT_ONCE) * (lanes * _AT_ONCE)
    with fn.range(0, many, lanes * _AT_ONCE) as i:
        for part in range(_AT_ONCE):
            place = i + part * lanes
            body(fn.load(kind, row, place), place, part)
    with fn.range(many, area, lanes) as i:
        body(fn.load_some(kind, row, i, fn.mask(lanes, area - i), rest), i, 0)


def _largest(fn: Function, kind: str, lanes: int, row: Value, area: Value) -> tuple[Value, Value]:
    """The maximum of the numbers in a row, and whether there is a nan among them."""
    best = [fn.variable(kind, -math.inf) for _ in range(_AT_ONCE)]
    flags = vector(lanes, "i1")
    lost = fn.variable(flags, 0)

    def body(value: Value, place: Value, part: int) -> None:
        best[part].set(fn.maximum(value, best[part]))
        lost.set(lost.get() | value.compare("!=", value))

    _vectors(fn, kind, lanes, row, area, -math.inf, body)
    a, b, c, d = (one.get() for one in best)
    some = fn.make(f"i{lanes}", f"bitcast {lost.get()} to i{lanes}")
    return fn.largest(fn.maximum(fn.maximum(a, b), fn.maximum(c, d))), some.compare("!=", 0)


@kernel("ptr x, ptr out, i64 area, double divisor")
def whole(fn, x, out, area, divisor, begin, end, worker, *, real, kind):
    """The maximum, or the sum over `divisor`, of each row of `area` numbers."""
    lanes, form, _ = _form(real)
    divisor = fn.convert(divisor, real)
    with fn.range(begin, end) as p:
        row = fn.at(x, p * area, real)
        if kind == "max":
            best, lost = _largest(fn, form, lanes, row, area)
            fn.store(fn.select(lost, math.nan, best), out, p)
        else:
            sums = [fn.variable(form, 0) for _ in range(_AT_ONCE)]

            def body(value: Value, place: Value, part: int) -> None:
                sums[part].set(sums[part].get() + value)

            _vectors(fn, form, lanes, row, area, 0, body)
            a, b, c, d = (one.get() for one in sums)
            fn.store(fn.total((a + b) + (c + d)) / divisor, out, p)


@kernel("ptr g, ptr x, ptr out, i64 area, double divisor")
def whole_back(fn, g, x, out, area, divisor, begin, end, worker, *, real, kind):
    """The gradient of `whole`: at the first maximum, or the last nan; or in equal shares."""
    lanes, form, integer = _form(real)
    divisor = fn.convert(divisor, real)
    with fn.range(begin, end) as p:
        target = fn.at(out, p * area, real)
        given = fn.load(real, g, p)
        if kind == "max":
            row = fn.at(x, p * area, real)
            best, lost = _largest(fn, form, lanes, row, area)
            where = fn.variable(integer, 0)
            with fn.either(lost) as otherwise:
                where.set(_last(fn, form, lanes, integer, row, area, 1, lambda v:
                                v.compare("!=", v)))  # fmt: skip
                otherwise()
                first = _last(fn, form, lanes, integer, row, area, -1, lambda v:
                              v.compare("==", best))  # fmt: skip
                where.set(-first)
            fn.clear(target, area * (4 if real == "float" else 8))
            fn.store(given, target, fn.convert(where.get(), "i64"))
        else:
            share = fn.splat(given / divisor, lanes)
            many = area // lanes * lanes
            with fn.range(0, many, lanes) as i:
                fn.store(share, target, i)
            with fn.when(many < area):
                fn.store_some(share, target, many, fn.mask(lanes, area - many))


def _last(
    fn: Function, kind: str, lanes: int, integer: str, row: Value, area: Value, sign: int,
    hit: Any,
) -> Value:  # fmt: skip
    """The largest `sign` times place among those that are hit."""
    codes = vector(lanes, integer)
    found = fn.variable(codes, -(2**31) + 1)

    def body(value: Value, place: Value, part: int) -> None:
        places = (fn.iota(lanes, integer) + fn.convert(place, integer)) * sign
        at = fn.select(hit(value), places, -(2**31) + 1)
        found.set(fn.maximum(at, found))

    _vectors(fn, kind, lanes, row, area, -math.inf, body)
    return fn.largest(found.get())
