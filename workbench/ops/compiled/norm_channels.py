"""Batch normalisation and its gradient, and channels' scale and shift, as compiled kernels.

An item is a channel of (N, C, inside). Its numbers are summed up in pieces small enough for the
nearest cache, each about a mean of its own, and the pieces' means and squares are joined in double
precision (Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing sample
variances", 1979). Where each sample has one number per channel, an item is a vector of channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from workbench.arrays.compiler.ir import Function, Value
from workbench.arrays.compiler.kernel import address, kernel
from workbench.arrays.compiler.kernel import real as real_of

from . import lines
from .lines import PIECE, Sum, compact, grain, kept, pointer, read, vec, walk, write

_ROWS = 256  # rows of columns summed up in the numbers' own precision


def _place(fn: Function, row: Value, channels: Value, channel: Value, inside: Value) -> Value:
    return (row * channels + channel) * inside


@contextmanager
def _pieces(fn: Function, n: Value, inside: Value) -> Iterator[tuple[Callable[..., Any], Value]]:
    """The pieces of a channel: `each(base, …)` gives the lines of one, beside its size."""
    rows = fn.maximum(fn.of("i64", PIECE) // inside, 1)
    with fn.range(0, n, rows) as first, fn.range(0, inside, PIECE) as start:
        stop = fn.minimum(first + rows, n)
        length = fn.minimum(inside - start, fn.of("i64", PIECE))

        def each(real: str, channels: Value, channel: Value, body: Callable[..., Any]) -> None:
            with fn.range(first, stop) as row:
                place = _place(fn, row, channels, channel, inside) + start
                walk(fn, length, real, lambda i, mask, u: body(place + i, mask, u))

        yield each, (stop - first) * length


def _scalar(fn: Function, real: str, base: Value, index: Value, otherwise: float) -> Value:
    """base[index], or a number where there is no base."""
    held = fn.variable(real, otherwise)
    with fn.when(base.compare("!=", 0)):
        held.set(fn.load(real, base, index))
    return held.get()


_OPERANDS = "ptr x, ptr weight, ptr bias, ptr out, ptr stats"
_RUNNING = "ptr means, ptr variances, double share, double unbiased"


def _follow(fn: Function, held: Value, now: Value, share: Value) -> Value:
    """A running statistic moved towards the batch's."""
    return held + (now - held) * fn.of(now.kind, share)


@kernel(f"{_OPERANDS}, {_RUNNING}, i64 n, i64 channels, i64 inside, double eps")
def _forward(
    fn, x, weight, bias, out, stats, means, variances, share, unbiased, n, channels, inside, eps,
    begin, end, worker, *, real,
):  # fmt: skip
    """Normalise channels; `stats` (3, C) takes mean, scale and variance."""
    kind = vec(real)
    with fn.range(begin, end) as c:
        count, mean, squares = (fn.variable("double", 0) for _ in range(3))
        with _pieces(fn, n, inside) as (each, size):
            total = Sum(fn, real)
            each(real, channels, c, lambda i, mask, u: total.add(u, read(fn, real, x, i, mask)))
            here = fn.convert(size, "double")
            about = fn.convert(fn.convert(total.total(), "double") / here, real)
            spread = fn.of(kind, about)
            off, square = Sum(fn, real), Sum(fn, real)

            def apart(i, mask, u, spread=spread, off=off, square=square):
                t = kept(fn, read(fn, real, x, i, mask) - spread, mask)
                off.add(u, t)
                square.add_product(u, t, t)

            each(real, channels, c, apart)
            # about the piece's own mean, whatever was rounded off
            missed = fn.convert(off.total(), "double")
            own = fn.convert(about, "double") + missed / here
            inner = fn.convert(square.total(), "double") - missed * missed / here
            before = count.get()
            after = before + here
            apart_by = own - mean.get()
            mean.set(mean.get() + apart_by * here / after)
            squares.set(squares.get() + inner + apart_by * apart_by * before * here / after)
            count.set(after)
        variance = squares.get() / count.get()
        scale = 1.0 / fn.sqrt(variance + eps)
        middle, steep = fn.convert(mean.get(), real), fn.convert(scale, real)
        fn.store(middle, stats, c)
        fn.store(steep, stats, channels + c)
        variance = fn.convert(variance, real)
        fn.store(variance, stats, channels * 2 + c)
        with fn.when(means.compare("!=", 0)):
            part = fn.convert(share, real)
            fn.store(_follow(fn, fn.load(real, means, c), middle, part), means, c)
            variance = variance * fn.convert(unbiased, real)
            fn.store(_follow(fn, fn.load(real, variances, c), variance, part), variances, c)
        slope = fn.of(kind, steep * _scalar(fn, real, weight, c, 1))
        shift = fn.of(kind, _scalar(fn, real, bias, c, 0))
        middle = fn.of(kind, middle)
        with fn.range(0, n) as row:
            place = _place(fn, row, channels, c, inside)

            def put(i, mask, u, place=place):
                t = read(fn, real, x, place + i, mask) - middle
                write(fn, fn.fma(t, slope, shift), out, place + i, mask)

            walk(fn, inside, real, put)


_GRADIENTS = "ptr g, ptr x, ptr weight, ptr mean, ptr scale, ptr dx, ptr sums"


@kernel(f"{_GRADIENTS}, i64 n, i64 channels, i64 inside")
def _backward(
    fn, g, x, weight, mean, scale, dx, sums, n, channels, inside,
    begin, end, worker, *, real, wanted,
):  # fmt: skip
    """Gradients; `sums` (2, C) takes those of weight and bias."""
    kind = vec(real)
    with fn.range(begin, end) as c:
        middle = fn.of(kind, fn.load(real, mean, c))
        totals, alongs = fn.variable("double", 0), fn.variable("double", 0)
        with _pieces(fn, n, inside) as (each, _):
            total, along = Sum(fn, real), Sum(fn, real)

            def gather(i, mask, u, total=total, along=along):
                slope = read(fn, real, g, i, mask)
                total.add(u, slope)
                t = kept(fn, read(fn, real, x, i, mask) - middle, mask)
                along.add_product(u, slope, t)

            each(real, channels, c, gather)
            totals.set(totals.get() + fn.convert(total.total(), "double"))
            alongs.set(alongs.get() + fn.convert(along.total(), "double"))
        steep = fn.convert(fn.load(real, scale, c), "double")
        along = alongs.get() * steep
        fn.store(fn.convert(along, real), sums, c)
        fn.store(fn.convert(totals.get(), real), sums, channels + c)
        if wanted:
            # slope · (g - mean(g) - normal · mean(g · normal))
            count = fn.convert(n * inside, "double")
            slope = steep * fn.convert(_scalar(fn, real, weight, c, 1), "double")
            by_x = fn.of(kind, fn.convert(-(slope * steep * along / count), real))
            level = fn.of(kind, fn.convert(-(slope * totals.get() / count), real))
            by_g = fn.of(kind, fn.convert(slope, real))
            with fn.range(0, n) as row:
                place = _place(fn, row, channels, c, inside)

                def put(i, mask, u, place=place):
                    t = read(fn, real, x, place + i, mask) - middle
                    t = fn.fma(t, by_x, level)
                    made = fn.fma(read(fn, real, g, place + i, mask), by_g, t)
                    write(fn, made, dx, place + i, mask)

                walk(fn, inside, real, put)


@kernel("ptr x, ptr scale, ptr shift, ptr out, i64 channels, i64 inside")
def _affine(fn, x, scale, shift, out, channels, inside, begin, end, worker, *, real, flat):
    """Channels' scale and shift: an item is a channel of a sample or, if flat, a sample."""
    kind = vec(real)
    with fn.range(begin, end) as item:
        if flat:
            place = item * channels

            def put(i, mask, u):
                t = read(fn, real, x, place + i, mask) * read(fn, real, scale, i, mask)
                held = fn.variable(kind, 0)
                with fn.when(shift.compare("!=", 0)):
                    held.set(read(fn, real, shift, i, mask))
                write(fn, t + held.get(), out, place + i, mask)

            walk(fn, channels, real, put)
        else:
            place, channel = item * inside, item % channels
            slope = fn.of(kind, fn.load(real, scale, channel))
            level = fn.of(kind, _scalar(fn, real, shift, channel, 0))

            def put(i, mask, u):
                t = read(fn, real, x, place + i, mask) * slope + level
                write(fn, t, out, place + i, mask)

            walk(fn, inside, real, put)


# -- one number per channel and sample ------------------------------------------------------------


@contextmanager
def _columns(fn: Function, begin: Value, end: Value, channels: Value, real: str) -> Iterator[Any]:
    """Vectors of channels, under a mask: the last one may be incomplete."""
    lanes = lines.width(real)
    with fn.range(begin, end) as item:
        place = item * lanes
        yield place, fn.mask(lanes, channels - place)


def _down(fn: Function, n: Value, kind: str, parts: int, body: Callable[..., list[Value]]) -> Any:
    """Sums over the rows of what `body(row)` gives, `parts` vectors, in double precision."""
    wide = [fn.variable(kind.replace("float", "double"), 0) for _ in range(parts)]
    with fn.range(0, n, _ROWS) as first:
        near = [[fn.variable(kind) for _ in range(4)] for _ in range(parts)]
        for places in near:
            for place in places:
                place.set(0)
        stop = fn.minimum(first + _ROWS, n)
        whole = stop - (stop - first) % 4

        def add(row, which, near=near):
            for places, value in zip(near, body(row), strict=True):
                places[which].set(places[which].get() + value)

        with fn.range(first, whole, 4) as row:
            for which in range(4):
                add(row + which, which)
        with fn.range(whole, stop) as row:
            add(row, 0)
        for total, places in zip(wide, near, strict=True):
            a, b, c, d = (place.get() for place in places)
            total.set(total.get() + fn.convert((a + b) + (c + d), "double"))
    return [total.get() for total in wide]


def _some(fn: Function, real: str, base: Value, place: Value, mask: Value, rest: float) -> Value:
    """A vector of channels' numbers, or one number where there is no base."""
    held = fn.variable(vec(real), rest)
    with fn.when(base.compare("!=", 0)):
        held.set(fn.load_some(vec(real), base, place, mask, rest))
    return held.get()


@kernel(f"{_OPERANDS}, {_RUNNING}, i64 n, i64 channels, double eps")
def _forward_columns(
    fn, x, weight, bias, out, stats, means, variances, share, unbiased, n, channels, eps,
    begin, end, worker, *, real,
):  # fmt: skip
    """`_forward` where `inside` is 1."""
    kind = vec(real)
    with _columns(fn, begin, end, channels, real) as (place, mask):

        def at(row):
            return fn.load_some(kind, x, row * channels + place, mask)

        count = fn.convert(n, "double")
        (total,) = _down(fn, n, kind, 1, lambda row: [at(row)])
        every = fn.of(total.kind, count)
        about = fn.convert(total / every, real)

        def apart(row):
            t = at(row) - about
            return [t, t * t]

        missed, square = _down(fn, n, kind, 2, apart)
        middle = fn.convert(fn.convert(about, "double") + missed / every, real)
        variance = (square - missed * missed / every) / every
        scale = fn.convert(1.0 / fn.sqrt(variance + fn.of(total.kind, eps)), real)
        fn.store_some(middle, stats, place, mask)
        fn.store_some(scale, stats, channels + place, mask)
        variance = fn.convert(variance, real)
        fn.store_some(variance, stats, channels * 2 + place, mask)
        with fn.when(means.compare("!=", 0)):
            part = fn.convert(share, real)
            old = fn.load_some(kind, means, place, mask)
            fn.store_some(_follow(fn, old, middle, part), means, place, mask)
            variance = variance * fn.of(kind, fn.convert(unbiased, real))
            old = fn.load_some(kind, variances, place, mask)
            fn.store_some(_follow(fn, old, variance, part), variances, place, mask)
        slope = scale * _some(fn, real, weight, place, mask, 1)
        shift = _some(fn, real, bias, place, mask, 0)
        with fn.range(0, n) as row:
            made = fn.fma(at(row) - middle, slope, shift)
            fn.store_some(made, out, row * channels + place, mask)


@kernel(f"{_GRADIENTS}, i64 n, i64 channels")
def _backward_columns(
    fn, g, x, weight, mean, scale, dx, sums, n, channels, begin, end, worker, *, real, wanted
):
    """`_backward` where `inside` is 1."""
    kind = vec(real)
    with _columns(fn, begin, end, channels, real) as (place, mask):
        middle = fn.load_some(kind, mean, place, mask)

        def at(base, row):
            return fn.load_some(kind, base, row * channels + place, mask)

        def gather(row):
            slope = at(g, row)
            return [slope, slope * (at(x, row) - middle)]

        total, along = _down(fn, n, kind, 2, gather)
        steep = fn.convert(fn.load_some(kind, scale, place, mask), "double")
        along = along * steep
        fn.store_some(fn.convert(along, real), sums, place, mask)
        fn.store_some(fn.convert(total, real), sums, channels + place, mask)
        if wanted:
            count = fn.of(total.kind, fn.convert(n, "double"))
            slope = steep * fn.convert(_some(fn, real, weight, place, mask, 1), "double")
            by_x = fn.convert(-(slope * steep * along / count), real)
            level = fn.convert(-(slope * total / count), real)
            by_g = fn.convert(slope, real)
            with fn.range(0, n) as row:
                t = fn.fma(at(x, row) - middle, by_x, level)
                made = fn.fma(at(g, row), by_g, t)
                fn.store_some(made, dx, row * channels + place, mask)


# -- what the ops call -----------------------------------------------------------------------------


def batch_norm(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    eps: float,
    running: tuple[np.ndarray, np.ndarray, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The normalised input and mean, scale and variance (3, C).

    `running`: statistics to be moved towards the batch's, and by which part of the way.
    """
    x = compact(x)
    n, c = x.shape[:2]
    inside = math.prod(x.shape[2:])
    out, stats = np.empty_like(x), np.empty((3, c), x.dtype)
    weight = None if weight is None else compact(weight)
    bias = None if bias is None else compact(bias)
    real = real_of(x.dtype)
    places = (address(x), pointer(weight), pointer(bias), address(out), address(stats))
    if running is None:
        places += (0, 0, 0.0, 0.0)
    else:
        count = n * inside
        places += (
            address(running[0]), address(running[1]), running[2], count / max(count - 1, 1),
        )  # fmt: skip
    if inside == 1:
        items = -(-c // lines.width(real))
        _forward_columns(items, grain(items, x.size), *places, n, c, eps, real=real)
    else:
        _forward(c, grain(c, x.size), *places, n, c, inside, eps, real=real)
    return out, stats


def batch_norm_backward(
    g: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    scale: np.ndarray,
    wanted: bool,
) -> tuple[np.ndarray | None, np.ndarray]:
    """The gradient of the input (None unless wanted) and those of weight and bias (2, C)."""
    g, x = compact(g), compact(x)
    n, c = x.shape[:2]
    inside = math.prod(x.shape[2:])
    dx, sums = np.empty_like(g) if wanted else None, np.empty((2, c), x.dtype)
    weight = None if weight is None else compact(weight)
    real = real_of(x.dtype)
    places = (
        address(g), address(x), pointer(weight), address(mean), address(scale), pointer(dx),
        address(sums),
    )  # fmt: skip
    if inside == 1:
        items = -(-c // lines.width(real))
        _backward_columns(items, grain(items, x.size), *places, n, c, real=real, wanted=wanted)
    else:
        _backward(c, grain(c, x.size), *places, n, c, inside, real=real, wanted=wanted)
    return dx, sums


def affine(x: np.ndarray, scale: np.ndarray, shift: np.ndarray | None) -> np.ndarray:
    """x · scale + shift, one of each per channel."""
    x, scale = compact(x), compact(scale)
    shift = None if shift is None else compact(shift)
    n, c = x.shape[:2]
    inside = math.prod(x.shape[2:])
    out = np.empty_like(x)
    rows = n if inside == 1 else n * c
    _affine(
        rows, grain(rows, x.size), address(x), address(scale), pointer(shift), address(out), c,
        inside, real=real_of(x.dtype), flat=inside == 1,
    )  # fmt: skip
    return out
