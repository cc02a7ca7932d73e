"""Normalisation of rows as compiled kernels: layer, RMS and group norm and their gradients.

A row is read from memory once and stays in the nearest cache for what follows. Sums over the rows,
the gradients of weight and bias, are cut into blocks by the number of rows alone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.arrays.compiler.ir import Function, Value
from workbench.arrays.compiler.kernel import address, kernel
from workbench.arrays.compiler.kernel import real as real_of
from workbench.arrays.scratch import scratch

from . import lines
from .lines import PIECE, Sum, compact, grain, kept, pointer, read, vec, walk, write

_BLOCKS, _LEAST = 16, 16  # blocks of rows, and rows in one


def _inverse(fn: Function, squares: Value, count: Value, eps: Value) -> Value:
    """1 / √(squares / count + eps)."""
    real = squares.kind
    mean = squares / fn.convert(count, real) + fn.convert(eps, real)
    return fn.of(real, 1) / fn.sqrt(mean)


def _statistics(fn: Function, real: str, x: Value, width: Value, eps: Value) -> tuple[Value, Value]:
    """Mean and inverse deviation of the row at `x`."""
    total, square = Sum(fn, real), Sum(fn, real)
    walk(fn, width, real, lambda i, mask, u: total.add(u, read(fn, real, x, i, mask)))
    mean = total.total() / fn.convert(width, real)
    spread = fn.of(vec(real), mean)

    def apart(i, mask, u):
        t = kept(fn, read(fn, real, x, i, mask) - spread, mask)
        square.add_product(u, t, t)

    walk(fn, width, real, apart)
    return mean, _inverse(fn, square.total(), width, eps)


_OPERANDS = "ptr x, ptr weight, ptr bias, ptr out, ptr mean, ptr scale"


def _step(fn: Function, real: str, width: Value) -> Value:
    """Rows at a time, so that what a row waits for alone overlaps; all in the nearest cache."""
    most = fn.of("i64", lines.width(real))
    return fn.maximum(fn.minimum(fn.of("i64", PIECE) // width, most), 1)


@kernel(f"{_OPERANDS}, i64 width, double eps")
def _forward(
    fn, x, weight, bias, out, mean, scale, width, eps, begin, end, worker,
    *, real, centred, weighted, shifted,
):  # fmt: skip
    """Rows `begin` to `end` normalised; not centred, the mean is taken for 0."""
    kind = vec(real)
    step = _step(fn, real, width)
    means, scales = (fn.room(real, lines.width(real)) for _ in range(2))
    many = fn.of(kind, fn.convert(width, real))
    with fn.range(begin, end, step) as first:
        count = fn.minimum(end - first, step)
        if centred:
            with fn.range(0, count) as i:
                source, total = fn.at(x, (first + i) * width, real), Sum(fn, real)
                walk(
                    fn,
                    width,
                    real,
                    lambda i, mask, u: total.add(u, read(fn, real, source, i, mask)),
                )
                fn.store(total.total(), means, i)
            fn.store(fn.load(kind, means) / many, means)
        with fn.range(0, count) as i:
            source, square = fn.at(x, (first + i) * width, real), Sum(fn, real)
            middle = fn.of(kind, fn.load(real, means, i)) if centred else None

            def apart(i, mask, u, source=source, square=square, middle=middle):
                t = read(fn, real, source, i, mask)
                if centred:
                    t = kept(fn, t - middle, mask)
                square.add_product(u, t, t)

            walk(fn, width, real, apart)
            fn.store(square.total(), scales, i)
        squares = fn.load(kind, scales) / many + fn.of(kind, fn.convert(eps, real))
        fn.store(fn.of(kind, 1) / fn.sqrt(squares), scales)
        with fn.range(0, count) as i:
            row = first + i
            source, target = (fn.at(base, row * width, real) for base in (x, out))
            steep = fn.load(real, scales, i)
            fn.store(steep, scale, row)
            steep = fn.of(kind, steep)
            if centred:
                middle = fn.load(real, means, i)
                fn.store(middle, mean, row)
                middle = fn.of(kind, middle)

            def put(i, mask, u, source=source, target=target, steep=steep, middle=middle):
                t = read(fn, real, source, i, mask)
                t = (t - middle if centred else t) * steep
                if weighted and shifted:
                    t = fn.fma(t, read(fn, real, weight, i, mask), read(fn, real, bias, i, mask))
                elif weighted:
                    t = t * read(fn, real, weight, i, mask)
                elif shifted:
                    t = t + read(fn, real, bias, i, mask)
                write(fn, t, target, i, mask)

            walk(fn, width, real, put)


_GRADIENTS = "ptr g, ptr x, ptr weight, ptr mean, ptr scale, ptr dx, ptr sums"


@kernel(f"{_GRADIENTS}, i64 rows, i64 width, i64 block")
def _backward(
    fn, g, x, weight, mean, scale, dx, sums, rows, width, block, begin, end, worker,
    *, real, centred, weighted, through, along,
):  # fmt: skip
    """Gradients of blocks of rows.

    `through` asks for the input's; `along` for those of weight and bias, summed over the block:
    `sums` (blocks, 2, width), or (blocks, 1, width) without a mean.
    """
    kind = vec(real)
    parts = 2 if centred else 1
    step = _step(fn, real, width * 2)
    totals, products = (fn.room(real, lines.width(real)) for _ in range(2))
    one = fn.of(real, 1) / fn.convert(width, real)
    with fn.range(begin, end) as item:
        first = item * block
        held = fn.at(sums, item * width * parts, real)
        if along:
            fn.clear(held, width * (4 if real == "float" else 8) * parts)
        stop = fn.minimum(first + block, rows)
        with fn.range(first, stop, step) as start:
            count = fn.minimum(stop - start, step)
            if through:
                with fn.range(0, count) as i:
                    at = _Row(
                        fn, real, start + i, width, g, x, weight, mean, scale, centred, weighted
                    )
                    total, product = Sum(fn, real), Sum(fn, real)

                    def gather(i, mask, u, at=at, total=total, product=product):
                        _, gw = at.slope(i, mask)
                        if centred:
                            total.add(u, gw)
                        product.add_product(u, gw, kept(fn, at.apart(i, mask), mask))

                    walk(fn, width, real, gather)
                    # scale · (gw - mean(gw) - normal · mean(gw · normal))
                    cubed = at.steep * at.steep * at.steep
                    fn.store(-(product.total() * one * cubed), products, i)
                    if centred:
                        fn.store(-(total.total() * one * at.steep), totals, i)
            with fn.range(0, count) as i:
                at = _Row(fn, real, start + i, width, g, x, weight, mean, scale, centred, weighted)
                spread = fn.of(kind, at.steep)
                target = fn.at(dx, (start + i) * width, real)
                if through:
                    by_x = fn.of(kind, fn.load(real, products, i))
                    level = fn.of(kind, fn.load(real, totals, i)) if centred else None

                def put(i, mask, u):
                    t = at.apart(i, mask)
                    straight, gw = at.slope(i, mask)
                    if along:
                        if centred:
                            sum_ = read(fn, real, held, width + i, mask) + straight
                            write(fn, sum_, held, width + i, mask)
                        sum_ = fn.fma(straight, t * spread, read(fn, real, held, i, mask))
                        write(fn, sum_, held, i, mask)
                    if through:
                        made = fn.fma(gw, spread, level) if centred else gw * spread
                        write(fn, fn.fma(t, by_x, made), target, i, mask)

                walk(fn, width, real, put)


class _Row:
    """A row of a gradient and what it meets."""

    def __init__(
        self, fn: Function, real: str, row: Value, width: Value, g: Value, x: Value, weight: Value,
        mean: Value, scale: Value, centred: bool, weighted: bool,
    ) -> None:  # fmt: skip
        self.fn, self.real = fn, real
        self.g, self.x = (fn.at(base, row * width, real) for base in (g, x))
        self.weight = weight if weighted else None
        self.middle = fn.of(vec(real), fn.load(real, mean, row)) if centred else None
        self.steep = fn.load(real, scale, row)

    def apart(self, i: Value, mask: Value | None) -> Value:
        """What the row is apart from its mean."""
        t = read(self.fn, self.real, self.x, i, mask)
        return t if self.middle is None else t - self.middle

    def slope(self, i: Value, mask: Value | None) -> tuple[Value, Value]:
        """The incoming gradient, alone and times the weight."""
        t = read(self.fn, self.real, self.g, i, mask)
        if self.weight is None:
            return t, t
        return t, t * read(self.fn, self.real, self.weight, i, mask)


@kernel("ptr sums, ptr first, ptr second, i64 blocks, i64 width")
def _fold(fn, sums, first, second, blocks, width, begin, end, worker, *, real, parts):
    """The sums of blocks (blocks, parts, width) added up: an item is a part."""
    with fn.range(begin, end) as part:
        target = fn.select(part.compare("==", 0), first, second)

        def put(i, mask, u):
            total = fn.variable(vec(real), 0)
            with fn.range(0, blocks) as block:
                place = (block * parts + part) * width + i
                total.set(total.get() + read(fn, real, sums, place, mask))
            write(fn, total.get(), target, i, mask)

        walk(fn, width, real, put, 1)


@kernel(f"{_OPERANDS}, i64 groups, i64 size, i64 inside, double eps")
def _group(
    fn, x, weight, bias, out, mean, scale, groups, size, inside, eps, begin, end, worker, *, real
):  # fmt: skip
    """Groups of channels normalised: an item is a group of a sample, `size` channels."""
    kind = vec(real)
    with fn.range(begin, end) as item:
        start = item * size * inside
        middle, steep = _statistics(fn, real, fn.at(x, start, real), size * inside, eps)
        fn.store(middle, mean, item)
        fn.store(steep, scale, item)
        middle = fn.of(kind, middle)
        with fn.range(0, size) as c:
            channel = item % groups * size + c
            slope, shift = fn.variable(real, 1), fn.variable(real, 0)
            with fn.when(weight.compare("!=", 0)):
                slope.set(fn.load(real, weight, channel))
            with fn.when(bias.compare("!=", 0)):
                shift.set(fn.load(real, bias, channel))
            by, level = fn.of(kind, slope.get() * steep), fn.of(kind, shift)
            place = start + c * inside

            def put(i, mask, u, place=place, by=by, level=level):
                t = read(fn, real, x, place + i, mask) - middle
                write(fn, fn.fma(t, by, level), out, place + i, mask)

            walk(fn, inside, real, put)


@kernel(f"{_GRADIENTS}, i64 items, i64 groups, i64 size, i64 inside")
def _group_backward(
    fn, g, x, weight, mean, scale, dx, sums, items, groups, size, inside, begin, end, worker,
    *, real, through,
):  # fmt: skip
    """Gradients; `sums` (2, N, C) takes what weight's and bias's are sums of."""
    kind = vec(real)
    with fn.range(begin, end) as item:
        start = item * size * inside
        middle = fn.of(kind, fn.load(real, mean, item))
        steep = fn.load(real, scale, item)
        totals, alongs = fn.variable(real, 0), fn.variable(real, 0)
        with fn.range(0, size) as c:
            place = start + c * inside
            total, along = Sum(fn, real), Sum(fn, real)

            def gather(i, mask, u, place=place, total=total, along=along):
                slope = read(fn, real, g, place + i, mask)
                total.add(u, slope)
                t = kept(fn, read(fn, real, x, place + i, mask) - middle, mask)
                along.add_product(u, slope, t)

            walk(fn, inside, real, gather)
            a, b = along.total() * steep, total.total()
            fn.store(a, sums, item * size + c)
            fn.store(b, sums, (items + item) * size + c)
            by = _channel(fn, real, weight, item % groups * size + c)
            alongs.set(alongs.get() + a * by)
            totals.set(totals.get() + b * by)
        if through:
            count = fn.convert(size * inside, real)
            by_x = fn.of(kind, -(steep * steep * alongs.get() / count))
            level = fn.of(kind, -(steep * totals.get() / count))
            with fn.range(0, size) as c:
                by_g = steep * _channel(fn, real, weight, item % groups * size + c)
                by_g, place = fn.of(kind, by_g), start + c * inside

                def put(i, mask, u, place=place, by_g=by_g):
                    t = read(fn, real, x, place + i, mask) - middle
                    t = fn.fma(t, by_x, level)
                    made = fn.fma(read(fn, real, g, place + i, mask), by_g, t)
                    write(fn, made, dx, place + i, mask)

                walk(fn, inside, real, put)


def _channel(fn: Function, real: str, weight: Value, channel: Value) -> Value:
    """weight[channel], or 1 without a weight."""
    held = fn.variable(real, 1)
    with fn.when(weight.compare("!=", 0)):
        held.set(fn.load(real, weight, channel))
    return held.get()


# -- what the ops call -----------------------------------------------------------------------------


def rows(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    width: int,
    eps: float,
    centred: bool,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Each `width` numbers normalised, with their mean (None unless centred) and scale (rows)."""
    x = compact(x)
    weight = None if weight is None else compact(weight)
    bias = None if bias is None else compact(bias)
    n = x.size // width
    out, scale = np.empty_like(x), np.empty(n, x.dtype)
    mean = np.empty(n, x.dtype) if centred else None
    _forward(
        n, grain(n, x.size), address(x), pointer(weight), pointer(bias), address(out),
        pointer(mean), address(scale), width, eps, real=real_of(x.dtype), centred=centred,
        weighted=weight is not None, shifted=bias is not None,
    )  # fmt: skip
    return out, mean, scale


def rows_backward(
    g: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray | None,
    scale: np.ndarray,
    width: int,
    through: bool,
    along: bool,
) -> tuple[Any, Any, Any]:
    """The gradients of input, weight and bias (flat; without a mean, there is no bias).

    `through` asks for the first, `along` for the others; what is not asked for is None.
    """
    g, x, centred = compact(g), compact(x), mean is not None
    weight = None if weight is None else compact(weight)
    n = x.size // width
    block = max(_LEAST, -(-n // _BLOCKS))
    blocks, parts = -(-n // block), 2 if centred else 1
    dx = np.empty_like(x) if through else None
    sums = first = second = None
    if along:
        first = np.empty(width, x.dtype)
        second = np.empty(width, x.dtype) if centred else None
        sums = scratch("norm", (blocks, parts, width), x.dtype) if blocks > 1 or centred else first
    real = real_of(x.dtype)
    _backward(
        blocks, grain(blocks, x.size), address(g), address(x), pointer(weight), pointer(mean),
        address(scale), pointer(dx), pointer(sums), n, width, block, real=real, centred=centred,
        weighted=weight is not None, through=through, along=along,
    )  # fmt: skip
    if sums is not None and sums is not first:
        _fold(parts, grain(parts, sums.size), address(sums), address(first), pointer(second),
              blocks, width, real=real, parts=parts)  # fmt: skip
    return dx, first, second


def groups(
    x: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None, count: int, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each of `count` groups of channels normalised, with mean and scale (N, count)."""
    x = compact(x)
    weight = None if weight is None else compact(weight)
    bias = None if bias is None else compact(bias)
    n, c = x.shape[:2]
    out, mean, scale = np.empty_like(x), *(np.empty((n, count), x.dtype) for _ in range(2))
    _group(
        n * count, grain(n * count, x.size), address(x), pointer(weight), pointer(bias),
        address(out), address(mean), address(scale), count, c // count, math.prod(x.shape[2:]),
        eps, real=real_of(x.dtype),
    )  # fmt: skip
    return out, mean, scale


def groups_backward(
    g: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    scale: np.ndarray,
    through: bool,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """The gradients of input (None unless `through`), weight and bias."""
    g, x = compact(g), compact(x)
    weight = None if weight is None else compact(weight)
    n, c = x.shape[:2]
    count = mean.shape[1]
    items = n * count
    dx, sums = np.empty_like(x) if through else None, scratch("norm", (2, n, c), x.dtype)
    _group_backward(
        items, grain(items, x.size), address(g), address(x), pointer(weight), address(mean),
        address(scale), pointer(dx), address(sums), items, count, c // count,
        math.prod(x.shape[2:]), real=real_of(x.dtype), through=through,
    )  # fmt: skip
    return dx, sums[0].sum(axis=0), sums[1].sum(axis=0)
