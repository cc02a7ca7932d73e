"""Softmax of rows, its logarithm and the cross-entropy of logits as compiled kernels.

Each row's maximum is subtracted before the exponentials are taken. The cross-entropy keeps two
numbers a row for its gradient, the maximum and one over the sum, not the exponentials.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from workbench.arrays.compiler.functions import exp, log
from workbench.arrays.compiler.ir import Function, Value
from workbench.arrays.compiler.kernel import address, kernel
from workbench.arrays.compiler.kernel import real as real_of
from workbench.arrays.scratch import scratch

from . import lines
from .lines import PIECE, SERIAL, Sum, compact, grain, kept, read, vec, walk, write

_COST = 4  # of an exponential, in the elements that `grain` counts


def _top(fn: Function, real: str, source: Value, width: Value) -> Value:
    """The row's largest number; nan is passed over."""
    kind = vec(real)
    parts = [fn.variable(kind, -math.inf) for _ in range(4)]

    def put(i, mask, u):
        if mask is None:
            value = fn.load(kind, source, i)
        else:
            value = fn.load_some(kind, source, i, mask, -math.inf)
        parts[u].set(fn.maximum(value, parts[u]))

    walk(fn, width, real, put)
    a, b, c, d = (part.get() for part in parts)
    return fn.largest(fn.maximum(fn.maximum(a, b), fn.maximum(c, d)))


def _powers(
    fn: Function, real: str, source: Value, width: Value, top: Value, target: Value | None
) -> Value:
    """The sum of exp(x - top) over a row; the powers are written to `target`."""
    spread, total = fn.of(vec(real), top), Sum(fn, real)

    def put(i, mask, u):
        power = exp(fn, kept(fn, read(fn, real, source, i, mask) - spread, mask))
        if target is not None:
            write(fn, power, target, i, mask)
        total.add(u, kept(fn, power, mask))

    walk(fn, width, real, put)
    return total.total()


class _Rows:
    """Some rows at a time: what each costs alone, maximum and logarithm, overlaps or is shared."""

    def __init__(self, fn: Function, real: str, x: Value, width: Value) -> None:
        self.fn, self.real, self.x, self.width = fn, real, x, width
        lanes = lines.width(real)
        self.step = fn.maximum(fn.minimum(fn.of("i64", PIECE) // width, fn.of("i64", lanes)), 1)
        self.tops, self.sums, self.logs = (fn.room(real, lanes) for _ in range(3))

    @contextmanager
    def blocks(
        self, begin: Value, end: Value, out: Value | None, logarithm: bool
    ) -> Iterator[tuple[Value, Value]]:
        """First row and number of rows of each block; powers are written to `out`, if given."""
        fn, real = self.fn, self.real
        with fn.range(begin, end, self.step) as first:
            count = fn.minimum(end - first, self.step)
            with fn.range(0, count) as i:
                fn.store(_top(fn, real, self.row(self.x, first + i), self.width), self.tops, i)
            with fn.range(0, count) as i:
                source, top = self.row(self.x, first + i), fn.load(real, self.tops, i)
                target = None if out is None else self.row(out, first + i)
                total = _powers(fn, real, source, self.width, top, target)
                fn.store(total, self.sums, i)
            totals = fn.load(vec(real), self.sums)
            if logarithm:
                fn.store(log(fn, totals), self.logs)
            fn.store(fn.of(vec(real), 1) / totals, self.sums)
            yield first, count

    def row(self, base: Value, row: Value) -> Value:
        """Where a row begins."""
        return self.fn.at(base, row * self.width, self.real)


@kernel("ptr x, ptr out, i64 width")
def _softmax(fn, x, out, width, begin, end, worker, *, real, logarithm):
    """Rows `begin` to `end`."""
    kind, rows = vec(real), _Rows(fn, real, x, width)
    powers = None if logarithm else out
    with rows.blocks(begin, end, powers, logarithm) as (first, count), fn.range(0, count) as i:
        source, target = rows.row(x, first + i), rows.row(out, first + i)
        if logarithm:
            high = fn.of(kind, fn.load(real, rows.tops, i))
            less = fn.of(kind, fn.load(real, rows.logs, i))

            def put(i, mask, u):
                write(fn, read(fn, real, source, i, mask) - high - less, target, i, mask)
        else:
            by = fn.of(kind, fn.load(real, rows.sums, i))

            def put(i, mask, u):
                write(fn, read(fn, real, target, i, mask) * by, target, i, mask)

        walk(fn, width, real, put)


@kernel("ptr g, ptr out, ptr dx, i64 width")
def _softmax_backward(fn, g, out, dx, width, begin, end, worker, *, real, logarithm):
    """Gradients of rows: y · (g - Σ g y), or g - exp(y) · Σ g of the logarithm."""
    kind = vec(real)
    with fn.range(begin, end) as row:
        above, made, target = (fn.at(base, row * width, real) for base in (g, out, dx))
        total = Sum(fn, real)

        def gather(i, mask, u):
            slope = read(fn, real, above, i, mask)
            if logarithm:
                total.add(u, slope)
            else:
                total.add_product(u, slope, read(fn, real, made, i, mask))

        walk(fn, width, real, gather)
        along = fn.of(kind, total.total())

        def put(i, mask, u):
            slope, y = (read(fn, real, base, i, mask) for base in (above, made))
            result = slope - exp(fn, y) * along if logarithm else (slope - along) * y
            write(fn, result, target, i, mask)

        walk(fn, width, real, put)


@contextmanager
def _row_losses(
    fn: Function, real: str, x: Value, labels: Value, parts: Value, begin: Value, end: Value,
    classes: Value, ignored: Value,
) -> Iterator[tuple[Value, Value, Value]]:  # fmt: skip
    """Each row, its loss (0 where its label is ignored) and whether the label is no class.

    `parts` takes the row's maximum and one over its sum.
    """
    rows = _Rows(fn, real, x, classes)
    with rows.blocks(begin, end, None, True) as (first, count), fn.range(0, count) as i:
        row, top = first + i, fn.load(real, rows.tops, i)
        fn.store(top, parts, row * 2)
        fn.store(fn.load(real, rows.sums, i), parts, row * 2 + 1)
        label = fn.load("i64", labels, row)
        loss, bad = fn.variable(real, 0), fn.variable("i1", 0)
        with fn.when(label.compare("!=", ignored)):
            inside = fn.make("i1", f"icmp ult {label}, {classes.name}")
            with fn.either(inside) as otherwise:
                chosen = fn.load(real, rows.row(x, row), label)
                loss.set(fn.load(real, rows.logs, i) - (chosen - top))
                otherwise()
                bad.set(1)
        yield row, loss.get(), bad.get()


@kernel("ptr x, ptr labels, ptr losses, ptr parts, ptr bad, i64 classes, i64 ignored")
def _losses(fn, x, labels, losses, parts, bad, classes, ignored, begin, end, worker, *, real):
    """Losses of rows; `bad` becomes 1 where a label is no class."""
    rows = _row_losses(fn, real, x, labels, parts, begin, end, classes, ignored)
    with rows as (row, loss, wrong):
        fn.store(loss, losses, row)
        with fn.when(wrong):
            fn.store(fn.of("i64", 1), bad)


@kernel("ptr losses, ptr labels, ptr out, i64 rows, i64 ignored")
def _reduce(fn, losses, labels, out, rows, ignored, begin, end, worker, *, real, mean):
    """The sum or mean of the losses that count."""
    total = fn.variable("double", 0)
    with fn.range(0, rows, 512) as start:
        near = Sum(fn, real)
        length = fn.minimum(rows - start, fn.of("i64", 512))
        place = fn.at(losses, start, real)
        walk(fn, length, real, lambda i, mask, u: near.add(u, read(fn, real, place, i, mask)))
        total.set(total.get() + fn.convert(near.total(), "double"))
    _finish(fn, real, total.get(), labels, rows, ignored, out, mean)


@kernel("ptr x, ptr labels, ptr out, ptr parts, i64 rows, i64 classes, i64 ignored")
def _few(
    fn, x, labels, out, parts, rows, classes, ignored, begin, end, worker, *, real, mean
):  # fmt: skip
    """The sum or mean of the losses of few rows; nan where a label is no class."""
    total = fn.variable("double", 0)
    zero = fn.of("i64", 0)
    each = _row_losses(fn, real, x, labels, parts, zero, rows, classes, ignored)
    with each as (_, loss, wrong):
        total.set(total.get() + fn.convert(fn.select(wrong, math.nan, loss), "double"))
    _finish(fn, real, total.get(), labels, rows, ignored, out, mean)


def _finish(
    fn: Function, real: str, total: Value, labels: Value, rows: Value, ignored: Value, out: Value,
    mean: bool,
) -> None:  # fmt: skip
    if mean:
        total = total / fn.convert(_counted(fn, labels, rows, ignored), "double")
    fn.store(fn.convert(total, real), out)


def _counted(fn: Function, labels: Value, rows: Value, ignored: Value) -> Value:
    """How many labels count."""
    count = fn.variable("i64", 0)
    with fn.range(0, rows) as row:
        differs = fn.load("i64", labels, row).compare("!=", ignored)
        count.set(count.get() + fn.convert(differs, "i64"))
    return count.get()


def _part(fn: Function, real: str, g: Value, labels: Value, rows: Value, ignored: Value) -> Value:
    """The part of the mean's gradient that each loss gets."""
    count = fn.maximum(_counted(fn, labels, rows, ignored), 1)
    return fn.load(real, g) / fn.convert(count, real)


@kernel("ptr g, ptr labels, ptr out, i64 rows, i64 ignored")
def _share(fn, g, labels, out, rows, ignored, begin, end, worker, *, real):
    """`_part`, for many rows."""
    fn.store(_part(fn, real, g, labels, rows, ignored), out)


@kernel("ptr g, ptr x, ptr labels, ptr parts, ptr dx, i64 rows, i64 classes, i64 ignored, i64 step")
def _entropy_backward(
    fn, g, x, labels, parts, dx, rows, classes, ignored, step, begin, end, worker, *, real, mean
):  # fmt: skip
    """Gradients of rows of logits: g · (softmax - 1 at the label); `step` 0 spreads one g."""
    share = _part(fn, real, g, labels, rows, ignored) if mean else None
    kind = vec(real)
    with fn.range(begin, end) as row:
        source, target = (fn.at(base, row * classes, real) for base in (x, dx))
        label = fn.load("i64", labels, row)
        with fn.either(label.compare("==", ignored)) as otherwise:
            nothing = fn.of(kind, 0)
            walk(fn, classes, real, lambda i, mask, u: write(fn, nothing, target, i, mask))
            otherwise()
            slope = fn.load(real, g, row * step) if share is None else share
            top = fn.of(kind, fn.load(real, parts, row * 2))
            by = fn.of(kind, fn.load(real, parts, row * 2 + 1) * slope)

            def put(i, mask, u):
                power = exp(fn, read(fn, real, source, i, mask) - top)
                write(fn, power * by, target, i, mask)

            walk(fn, classes, real, put)
            fn.store(fn.load(real, target, label) - slope, target, label)


# -- what the ops call -----------------------------------------------------------------------------


def softmax(x: np.ndarray, logarithm: bool) -> np.ndarray:
    """Softmax over the last dimension, or its logarithm."""
    x = compact(x)
    width = x.shape[-1]
    rows, out = x.size // width, np.empty_like(x)
    _softmax(
        rows, grain(rows, x.size * _COST), address(x), address(out), width,
        real=real_of(x.dtype), logarithm=logarithm,
    )  # fmt: skip
    return out


def softmax_backward(g: np.ndarray, out: np.ndarray, logarithm: bool) -> np.ndarray:
    """The gradient of the input of what gave `out`."""
    g, out = compact(g), compact(out)
    width = out.shape[-1]
    rows, dx = out.size // width, np.empty_like(out)
    cost = _COST if logarithm else 1
    _softmax_backward(
        rows, grain(rows, out.size * cost), address(g), address(out), address(dx), width,
        real=real_of(out.dtype), logarithm=logarithm,
    )  # fmt: skip
    return dx


def cross_entropy(
    x: np.ndarray, labels: np.ndarray, ignored: int, reduction: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """The loss and what its gradient needs (N, 1, 2); None where a label is no class."""
    x, labels = compact(x), compact(labels)
    n, classes = x.shape
    real = real_of(x.dtype)
    kept = np.empty((n, 1, 2), x.dtype)
    at, where, parts = address(x), address(labels), address(kept)
    if reduction != "none":
        out = np.empty((), x.dtype)
        target, mean = address(out), reduction == "mean"
        if x.size * _COST < SERIAL:
            _few(1, 1, at, where, target, parts, n, classes, ignored, real=real, mean=mean)
            wrong = math.isnan(out.item()) and _wrong(labels, classes, ignored)
            return None if wrong else (out, kept)
    each = reduction == "none"
    losses = np.empty(n, x.dtype) if each else scratch("losses", (n,), x.dtype)
    bad = scratch("labels", (1,), np.int64)
    bad[0] = 0
    found = address(losses)
    _losses(
        n, grain(n, x.size * _COST), at, where, found, parts, address(bad), classes, ignored,
        real=real,
    )  # fmt: skip
    if bad[0]:
        return None
    if each:
        return losses, kept
    _reduce(1, 1, found, where, target, n, ignored, real=real, mean=mean)
    return out, kept


def _wrong(labels: np.ndarray, classes: int, ignored: int) -> bool:
    """Whether a label is no class."""
    return bool((((labels < 0) | (labels >= classes)) & (labels != ignored)).any())


def cross_entropy_backward(
    g: np.ndarray,
    x: np.ndarray,
    labels: np.ndarray,
    kept: np.ndarray,
    ignored: int,
    reduction: str,
) -> Any:
    """The gradient of the logits."""
    g, x, labels, kept = compact(g), compact(x), compact(labels), compact(kept)
    n, classes = x.shape
    real = real_of(x.dtype)
    dx, slope, where = np.empty_like(x), address(g), address(labels)
    mean = reduction == "mean"
    if mean and x.size * _COST >= SERIAL:
        mean, share = False, scratch("losses", (1,), x.dtype)
        slope = address(share)
        _share(1, 1, address(g), where, slope, n, ignored, real=real)
    _entropy_backward(
        n, grain(n, x.size * _COST), slope, address(x), where, address(kept), address(dx), n,
        classes, ignored, int(reduction == "none"), real=real, mean=mean,
    )  # fmt: skip
    return dx
