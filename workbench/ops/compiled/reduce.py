"""Sums and means over dimensions as compiled kernels.

Neighbouring dimensions that are all kept or all summed are one; what is left is a sum along lines
(the last dimension is summed, perhaps the first too) or down columns (the last one is kept). Few
thousand numbers are added up in their own precision, such sums in double precision. Where there are
few results, each is cut into parts by the shape alone, so that several threads can share the work.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from workbench.arrays.compiler.ir import Function, Value, vector
from workbench.arrays.compiler.kernel import address, kernel
from workbench.arrays.compiler.kernel import real as real_of
from workbench.arrays.scratch import scratch

from . import lines
from .lines import PIECE, SERIAL, Sum, fit, grain, read, vec, walk

LEAST = 8192  # elements: NumPy is as quick with fewer
_PARTS = 16  # a result is cut into, and results that are enough without
_CHEAP = 4  # a number is, in the elements that `grain` counts
_ALONE = SERIAL * _CHEAP
_ROWS = 256  # added up in the numbers' own precision, down a column


def fits(x: np.ndarray) -> bool:
    """Whether it is worth it, and possible, to sum over dimensions of `x` here."""
    return x.size >= LEAST and fit(x) and x.flags.c_contiguous


class _Lines(NamedTuple):
    """`keep` results, each the sum of `units` lines `step` apart."""

    keep: int
    apart: int
    units: int
    step: int
    length: int
    last: int
    parts: int
    rows: int


class _Columns(NamedTuple):
    """`outer` times `inner` results, each down `rows`."""

    outer: int
    rows: int
    inner: int
    parts: int


@lru_cache(maxsize=1024)
def plan(shape: tuple[int, ...], where: tuple[int, ...] | None) -> _Lines | _Columns | None:
    """How to sum over these dimensions (None: all); None where they alternate more than that."""
    sides: list[tuple[bool, int]] = []
    for i, n in enumerate(shape):
        gone = where is None or i in where
        if n == 1:
            continue
        if sides and sides[-1][0] == gone:
            sides[-1] = gone, sides[-1][1] * n
        else:
            sides.append((gone, n))
    flags, sizes = [gone for gone, _ in sides], [n for _, n in sides]
    total = math.prod(sizes)
    if flags in ([True], [False, True], [True, False, True]):
        if len(flags) == 1:
            sizes.insert(0, 1)
        if len(flags) < 3:
            keep, inside = sizes
            units = -(-inside // PIECE)
            length = min(inside, PIECE)
            last, step = inside - (units - 1) * length, length
        else:
            units, keep, inside = sizes
            length = last = inside
            step = keep * inside
        parts = 1 if keep >= _PARTS or total < _ALONE else min(units, _PARTS)
        return _Lines(keep, inside, units, step, length, last, parts, max(1, PIECE // length))
    if flags in ([True, False], [False, True, False]):
        if len(flags) == 2:
            sizes.insert(0, 1)
        outer, rows, inner = sizes
        found = outer * -(-inner // (lines.width("float") * 4))
        parts = 1 if found >= _PARTS or total < _ALONE else min(-(-rows // 64), _PARTS)
        return _Columns(outer, rows, inner, parts)
    return None


def _cut(fn: Function, part: Value, count: Value, parts: Value) -> tuple[Value, Value]:
    """The first and the last of a part of `count` things."""
    return count * part // parts, count * (part + 1) // parts


@kernel(
    "ptr x, ptr out, i64 keep, i64 apart, i64 units, i64 step, i64 length, i64 last, i64 parts, "
    "i64 rows, double by"
)
def _along(
    fn, x, out, keep, apart, units, step, length, last, parts, rows, by, begin, end, worker,
    *, real, whole,
):  # fmt: skip
    """Items: results and, unless `whole`, their parts: `out` (parts, keep) in double precision."""
    with fn.range(begin, end) as item:
        part, place = (fn.of("i64", 0), item) if whole else (item // keep, item % keep)
        first, stop = (fn.of("i64", 0), units) if whole else _cut(fn, part, units, parts)
        total = fn.variable("double", 0)
        with fn.range(first, stop, rows) as start:
            near = Sum(fn, real)
            with fn.range(start, fn.minimum(start + rows, stop)) as unit:
                source = fn.at(x, place * apart + unit * step, real)
                size = fn.select((unit + 1).compare("==", units), last, length)
                walk(fn, size, real, lambda i, mask, u, source=source, near=near: near.add(
                    u, read(fn, real, source, i, mask)))  # fmt: skip
            total.set(total.get() + fn.convert(near.total(), "double"))
        if whole:
            fn.store(fn.convert(total.get() / by, real), out, item)
        else:
            fn.store(total.get(), out, item)


@kernel("ptr x, ptr out, i64 outer, i64 rows, i64 inner, i64 parts, i64 blocks, double by")
def _down(
    fn, x, out, outer, rows, inner, parts, blocks, by, begin, end, worker,
    *, real, whole, vectors,
):  # fmt: skip
    """Items: `vectors` columns of vectors (blocks) of each `outer` and, unless `whole`, part."""
    kind, lanes = vec(real), lines.width(real)
    wide = vector(lanes, "double")
    with fn.range(begin, end) as item:
        block = item % blocks
        rest = item // blocks
        part, which = (fn.of("i64", 0), rest) if whole else (rest // outer, rest % outer)
        first, stop = (fn.of("i64", 0), rows) if whole else _cut(fn, part, rows, parts)
        column = block * (lanes * vectors)
        masks = [fn.mask(lanes, inner - column - v * lanes) for v in range(vectors)]
        source = fn.at(x, which * rows * inner + column, real)
        sums = [fn.variable(wide, 0) for _ in range(vectors)]

        def go(full: bool) -> None:
            unroll = 8 // vectors
            near = [[fn.variable(kind) for _ in range(unroll)] for _ in range(vectors)]

            def add(row: Value, u: int) -> None:
                for v in range(vectors):
                    place = row * inner + v * lanes
                    value = read(fn, real, source, place, None if full else masks[v])
                    near[v][u].set(near[v][u].get() + value)

            with fn.range(first, stop, _ROWS) as start:
                for places in near:
                    for variable in places:
                        variable.set(0)
                end_ = fn.minimum(start + _ROWS, stop)
                even = end_ - (end_ - start) % unroll
                with fn.range(start, even, unroll) as row:
                    for u in range(unroll):
                        add(row + u, u)
                with fn.range(even, end_) as row:
                    add(row, 0)
                for variable, places in zip(sums, near, strict=True):
                    values = [p.get() for p in places]
                    while len(values) > 1:
                        values = [a + b for a, b in zip(values[::2], values[1::2], strict=True)]
                    variable.set(variable.get() + fn.convert(values[0], "double"))

        with fn.either(column + vectors * lanes <= inner) as otherwise:
            go(True)
            otherwise()
            go(False)
        target = (part * outer + which) * inner + column
        for v, variable in enumerate(sums):
            total = variable.get()
            if whole:
                total = fn.convert(total / fn.of(wide, by), real)
            fn.store_some(total, out, target + v * lanes, masks[v])


@kernel("ptr sums, ptr out, i64 count, i64 parts, double by")
def _fold(fn, sums, out, count, parts, by, begin, end, worker, *, real):
    """The parts (parts, count) of results added up."""
    kind = vec("double")

    def put(i: Value, mask: Value | None, u: int) -> None:
        total = fn.variable(kind, 0)
        with fn.range(0, parts) as part:
            total.set(total.get() + read(fn, "double", sums, part * count + i, mask))
        lines.write(fn, fn.convert(total.get() / fn.of(kind, by), real), out, i, mask)

    walk(fn, count, "double", put, 1)


def total(x: np.ndarray, found: _Lines | _Columns, shape: tuple[int, ...], by: float) -> np.ndarray:
    """The sum over dimensions (`found`: the plan), divided by `by`, in `shape`."""
    out, real = np.empty(shape, x.dtype), real_of(x.dtype)
    whole = found.parts == 1
    target = out if whole else scratch("sums", (found.parts, out.size), np.float64)
    if type(found) is _Lines:
        items = found.keep * found.parts
        _along(
            items, grain(items, x.size // _CHEAP), address(x), address(target), *found, by,
            real=real, whole=whole,
        )  # fmt: skip
    else:
        lanes = lines.width(real)
        vectors = 4 if found.inner >= 4 * lanes else 2 if found.inner > lanes else 1
        blocks = -(-found.inner // (lanes * vectors))
        items = blocks * found.outer * found.parts
        _down(
            items, grain(items, x.size // _CHEAP), address(x), address(target), *found, blocks, by,
            real=real, whole=whole, vectors=vectors,
        )  # fmt: skip
    if not whole:
        _fold(1, 1, address(target), address(out), out.size, found.parts, by, real=real)
    return out
