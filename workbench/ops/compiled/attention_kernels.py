"""Attention and its gradients, compiled: a block of queries at a time, scores in the nearest cache.

A block is two vectors of queries, and scores are kept the other way round, a row of queries for
each key. So maxima and sums over keys go from vector to vector and never across one, and of all
factors of the products only the block's queries (going backward its gradients too) are transposed:
keys and values are read where they lie, in whatever order heads and places have there.

Forward keeps the maximum of each row and one over the sum of its exponentials, backward makes the
weights again from them (Dao et al., "FlashAttention", 2022). Above the diagonal of a causal mask
nothing is computed but what shares a tile with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from workbench.arrays.compiler import tile
from workbench.arrays.compiler.functions import exp
from workbench.arrays.compiler.ir import Function, Value, vector
from workbench.arrays.compiler.kernel import kernel
from workbench.arrays.compiler.llvm import host

_RUN = 128  # keys added up in a row: sums of sums are more exact


class _Form:
    """Sizes known when a kernel is written."""

    def __init__(self, fn: Function, real: str) -> None:
        self.fn, self.real = fn, real
        self.lanes = host().lanes if real == "float" else host().lanes // 2
        self.kind = vector(self.lanes, real)
        self.block = 2 * self.lanes  # queries
        # of a tile; a block ends where a tile does
        self.rows = min(8 if host().registers >= 32 else 4, self.block)

    def load(self, base: Value, place: Any, count: int | None = None) -> Value:
        """A vector, or its first `count` lanes and zeros."""
        if count is None or count >= self.lanes:
            return self.fn.load(self.kind, base, place)
        mask = self.fn.mask(self.lanes, self.fn.of("i64", count))
        return self.fn.load_some(self.kind, base, place, mask)

    def store(self, value: Value, base: Value, place: Any, count: int) -> None:
        """Write a vector, or its first `count` lanes."""
        if count >= self.lanes:
            self.fn.store(value, base, place)
        else:
            mask = self.fn.mask(self.lanes, self.fn.of("i64", count))
            self.fn.store_some(value, base, place, mask)

    def slices(self, width: int) -> list[list[tuple[int, int]]]:
        """The columns of a factor, by tiles: (first, how many are left) of each vector."""
        every = [(i, width - i) for i in range(0, width, self.lanes)]
        return [every[i : i + 2] for i in range(0, len(every), 2)]

    def lines(self, base: Value, first: Value, step: Value, count: Value) -> list[Value]:
        """Where a tile's rows begin; the last one again where there are no more."""
        fn = self.fn
        return [
            fn.at(base, fn.minimum(first + r, count - 1) * step, self.real)
            for r in range(self.rows)
        ]


def _turn(form: _Form, base: Value, step: Value, count: Value, width: int, into: Value) -> None:
    """Copy a block of up to `count` rows into columns: (width, block)."""
    fn, lanes = form.fn, form.lanes
    for half in range(2):
        rows = [
            fn.at(base, fn.minimum(fn.of("i64", half * lanes + r), count - 1) * step, form.real)
            for r in range(lanes)
        ]
        whole = width // lanes * lanes
        with fn.range(0, whole, lanes) as e:
            turned = tile.transpose(fn, [fn.load(form.kind, row, e) for row in rows])
            for n, column in enumerate(turned):
                fn.store(column, into, (e + n) * form.block + half * lanes)
        if whole < width:
            turned = tile.transpose(fn, [form.load(row, whole, width - whole) for row in rows])
            for n, column in enumerate(turned[: width - whole]):
                fn.store(column, into, (whole + n) * form.block + half * lanes)


def _against_keys(form: _Form, lines: list[Value], width: int, turned: Value) -> Any:
    """Products of a tile of keys with the block's queries: rows of two vectors."""
    fn = form.fn
    sums = tile.sums(fn, form.rows, 2, form.lanes, form.real)
    tile.accumulate(
        fn, sums, width,
        lambda e, row: fn.load(form.real, lines[row], e),
        lambda e, v: fn.load(form.kind, turned, e * form.block + v * form.lanes),
    )  # fmt: skip
    return sums


def _over_keys(
    form: _Form, weights: Value, base: Value, step: Value, width: int, limit: Value, first: int,
    done: Callable[[int, int, int, Value], None],
) -> None:  # fmt: skip
    """Products of a tile of the block's queries, from `first`, with all keys up to `limit`.

    done(row, column, columns left, sum) takes the results.
    """
    fn = form.fn
    for columns in form.slices(width):
        totals = tile.sums(fn, form.rows, len(columns), form.lanes, form.real)
        with fn.range(0, limit, _RUN) as start:
            sums = tile.sums(fn, form.rows, len(columns), form.lanes, form.real)
            tile.accumulate(
                fn, sums, fn.minimum(start + _RUN, limit),
                lambda key, row: fn.load(form.real, weights, key * form.block + (first + row)),
                lambda key, v, columns=columns: form.load(base, key * step + columns[v][0],
                                                          columns[v][1]),
                start=start,
            )  # fmt: skip
            for into, parts in zip(totals, sums, strict=True):
                for total, part in zip(into, parts, strict=True):
                    total.set(total.get() + part.get())
        for row, line in enumerate(totals):
            for (column, left), total in zip(columns, line, strict=True):
                done(row, column, left, total.get())


def _onto_keys(
    form: _Form, weights: Value, key: Value, base: Value, step: Value, width: int, start: Value,
    count: Value, targets: list[Value], fits: list[Value],
) -> None:  # fmt: skip
    """Add the products of a tile of keys with the block's queries `start` … `count` to targets."""
    fn = form.fn
    lines = fn.at(weights, key * form.block, form.real)
    for columns in form.slices(width):
        sums = tile.sums(fn, form.rows, len(columns), form.lanes, form.real)
        tile.accumulate(
            fn, sums, count,
            lambda query, row: fn.load(form.real, lines, query + row * form.block),
            lambda query, v, columns=columns: form.load(base, query * step + columns[v][0],
                                                        columns[v][1]),
            start=start,
        )  # fmt: skip
        for target, fit, line in zip(targets, fits, sums, strict=True):
            with fn.when(fit):
                for (column, left), total in zip(columns, line, strict=True):
                    value = form.load(target, column, left) + total.get()
                    form.store(value, target, column, left)


def _places(fn: Function, item: Value, heads: Value, *steps: Value) -> list[Value]:
    """Where a head's matrices begin: `steps` are pairs for batch and head."""
    batch, head = item // heads, item % heads
    return [
        batch * outer + head * inner for outer, inner in zip(steps[::2], steps[1::2], strict=True)
    ]


@kernel(
    "ptr q, ptr k, ptr v, ptr out, ptr largest, ptr inverse, ptr work, double scale, i64 heads, "
    "i64 rows, i64 keys, i64 q0, i64 q1, i64 q2, i64 k0, i64 k1, i64 k2, i64 v0, i64 v1, i64 "
    "v2, i64 o0, i64 o1, i64 o2, i64 size"
)
def attend(
    fn, q, k, v, out, largest, inverse, work, scale, heads, rows, keys, q0, q1, q2, k0, k1, k2,
    v0, v1, v2, o0, o1, o2, size, begin, end, worker, *, real, width, values, causal,
):  # fmt: skip
    """softmax(Q Kᵀ scale) V; items are blocks of queries of every head."""
    form = _Form(fn, real)
    scale = fn.convert(scale, real)
    turned = fn.at(work, worker * size, "i8")
    share = fn.at(turned, width * form.block, real)
    scores = fn.at(share, form.block, real)
    blocks = (rows + form.block - 1) // form.block
    with fn.range(begin, end) as item:
        number = item // blocks
        first = item % blocks * form.block
        at_q, at_k, at_v, at_o = _places(fn, number, heads, q0, q1, k0, k1, v0, v1, o0, o1)
        count = fn.minimum(rows - first, fn.of("i64", form.block))
        here = fn.at(q, at_q + first * q2, real)
        k_base, v_base = fn.at(k, at_k, real), fn.at(v, at_v, real)
        _turn(form, here, q2, count, width, turned)
        stop = fn.minimum(keys, first + form.block) if causal else keys
        best = [fn.variable(form.kind, -math.inf) for _ in range(2)]
        with fn.range(0, stop, form.rows) as key:
            sums = _against_keys(form, form.lines(k_base, key, k2, keys), width, turned)
            _scaled(form, sums, scale, key, first, causal)
            for row, line in enumerate(sums):
                for half, total in enumerate(line):
                    value = total.get()
                    fn.store(value, scores, (key + row) * form.block + half * form.lanes)
                    best[half].set(fn.maximum(value, best[half]))
        # where there is nothing to attend to, exponentials are of -inf: 0
        shifts = [fn.select(b.get().compare("==", -math.inf), 0, b.get()) for b in best]
        totals = [fn.variable(form.kind, 0) for _ in range(2)]
        with fn.range(0, stop, _RUN) as start:
            parts = [fn.variable(form.kind, 0) for _ in range(2)]
            with fn.range(start, fn.minimum(start + _RUN, stop)) as key:
                for half, part in enumerate(parts):
                    place = key * form.block + half * form.lanes
                    value = exp(fn, fn.load(form.kind, scores, place) - shifts[half])
                    fn.store(value, scores, place)
                    part.set(part.get() + value)
            for total, part in zip(totals, parts, strict=True):
                total.set(total.get() + part.get())
        for half, total in enumerate(totals):
            empty = total.get().compare("==", 0)
            value = fn.select(empty, 0, 1 / total.get())
            fn.store(value, share, half * form.lanes)
            mask = fn.mask(form.lanes, count - half * form.lanes)
            place = number * rows + first + half * form.lanes
            fn.store_some(value, inverse, place, mask)
            fn.store_some(shifts[half], largest, place, mask)
        o_base = fn.at(out, at_o + first * o2, real)
        for top in range(0, form.block, form.rows):
            with fn.when(count > top):
                limit = fn.minimum(stop, first + (top + form.rows)) if causal else stop

                def done(row: int, column: int, left: int, total: Value, top: int = top) -> None:
                    with fn.when(count > top + row):
                        factor = fn.load(real, share, top + row)
                        value = total * factor
                        form.store(value, fn.at(o_base, o2 * (top + row), real), column, left)

                _over_keys(form, scores, v_base, v2, values, limit, top, done)


def _scaled(
    form: _Form, sums: Any, scale: Value, key: Value, first: Value, causal: bool
) -> None:  # fmt: skip
    """Scores from products: -inf for keys behind their query."""
    fn = form.fn
    for line in sums:
        for total in line:
            total.set(total.get() * scale)
    if not causal:
        return
    with fn.when(key + (form.rows - 1) > first):
        for row, line in enumerate(sums):
            for half, total in enumerate(line):
                queries = fn.iota(form.lanes, "i64") + (first + half * form.lanes)
                total.set(fn.select(queries >= key + row, total.get(), -math.inf))


@kernel(
    "ptr g, ptr q, ptr k, ptr v, ptr largest, ptr inverse, ptr dq, ptr dk, ptr dv, ptr work, "
    "double scale, i64 heads, i64 rows, i64 keys, i64 shares, i64 g0, i64 g1, i64 g2, i64 q0, "
    "i64 q1, i64 q2, i64 k0, i64 k1, i64 k2, i64 v0, i64 v1, i64 v2, i64 a0, i64 a1, i64 a2, "
    "i64 b0, i64 b1, i64 b2, i64 bs, i64 c0, i64 c1, i64 c2, i64 cs, i64 size"
)
def attend_back(
    fn, g, q, k, v, largest, inverse, dq, dk, dv, work, scale, heads, rows, keys, shares, g0, g1,
    g2, q0, q1, q2, k0, k1, k2, v0, v1, v2, a0, a1, a2, b0, b1, b2, bs, c0, c1, c2, cs, size, begin,
    end, worker, *, real, width, values, causal,
):  # fmt: skip
    """The gradients of `attend`; an item is every so-manieth block of queries of a head.

    With P the weights and dP = dO Vᵀ: dS = P (dP - Σ P dP) scale, dQ = dS K, dK = dSᵀ Q,
    dV = Pᵀ dO. Each share of the blocks has dK and dV of its own, to be added up.
    """
    form = _Form(fn, real)
    scale = fn.convert(scale, real)
    turned = fn.at(work, worker * size, "i8")
    turned_g = fn.at(turned, width * form.block, real)
    weights = fn.at(turned_g, values * form.block, real)
    tall = (keys + (form.rows - 1)) // form.rows * form.rows
    slopes = fn.at(weights, tall * form.block, real)
    with fn.range(begin, end) as item:
        number, share = item // shares, item % shares
        at_g, at_q, at_k, at_v, at_a, at_b, at_c = _places(
            fn, number, heads, g0, g1, q0, q1, k0, k1, v0, v1, a0, a1, b0, b1, c0, c1
        )
        k_base, v_base = fn.at(k, at_k, real), fn.at(v, at_v, real)
        b_base, c_base = fn.at(dk, at_b + share * bs, real), fn.at(dv, at_c + share * cs, real)
        size_of = 4 if real == "float" else 8
        with fn.range(0, keys) as key:
            fn.clear(fn.at(b_base, key * b2, real), width * size_of)
            fn.clear(fn.at(c_base, key * c2, real), values * size_of)
        with fn.range(share * form.block, rows, shares * form.block) as first:
            count = fn.minimum(rows - first, fn.of("i64", form.block))
            q_base = fn.at(q, at_q + first * q2, real)
            g_base = fn.at(g, at_g + first * g2, real)
            _turn(form, q_base, q2, count, width, turned)
            _turn(form, g_base, g2, count, values, turned_g)
            stop = fn.minimum(keys, first + form.block) if causal else keys
            masks = [fn.mask(form.lanes, count - half * form.lanes) for half in range(2)]
            place = number * rows + first
            shifts, factors = (
                [
                    fn.load_some(form.kind, source, place + half * form.lanes, masks[half])
                    for half in range(2)
                ]
                for source in (largest, inverse)
            )
            levels = [fn.variable(form.kind, 0) for _ in range(2)]
            with fn.range(0, stop, form.rows) as key:
                sums = _against_keys(form, form.lines(k_base, key, k2, keys), width, turned)
                _scaled(form, sums, scale, key, first, causal)
                _keep(form, sums, weights, key)
                sums = _against_keys(form, form.lines(v_base, key, v2, keys), values, turned_g)
                _keep(form, sums, slopes, key)
                parts = [fn.variable(form.kind, 0) for _ in range(2)]
                with fn.range(key, fn.minimum(key + form.rows, keys)) as row:
                    for half, part in enumerate(parts):
                        at = row * form.block + half * form.lanes
                        value = exp(fn, fn.load(form.kind, weights, at) - shifts[half])
                        value = value * factors[half]
                        fn.store(value, weights, at)
                        part.set(fn.fma(value, fn.load(form.kind, slopes, at), part))
                for level, part in zip(levels, parts, strict=True):
                    level.set(level.get() + part.get())
            with fn.range(0, stop) as row:
                for half, level in enumerate(levels):
                    at = row * form.block + half * form.lanes
                    slope = fn.load(form.kind, slopes, at) - level.get()
                    fn.store(slope * (fn.load(form.kind, weights, at) * scale), slopes, at)
            with fn.range(0, stop, form.rows) as key:
                fits = [key + r < keys for r in range(form.rows)]
                start = fn.of("i64", 0)
                if causal:
                    start = fn.select(key > first, key - first, 0)
                for source, base, step, wide, target, tall_by in (
                    (weights, g_base, g2, values, c_base, c2),
                    (slopes, q_base, q2, width, b_base, b2),
                ):
                    lines = form.lines(target, key, tall_by, keys)
                    _onto_keys(form, source, key, base, step, wide, start, count, lines, fits)
            a_base = fn.at(dq, at_a + first * a2, real)
            for top in range(0, form.block, form.rows):
                with fn.when(count > top):
                    limit = fn.minimum(stop, first + (top + form.rows)) if causal else stop

                    def done(
                        row: int, column: int, left: int, total: Value, top: int = top
                    ) -> None:
                        with fn.when(count > top + row):
                            form.store(total, fn.at(a_base, a2 * (top + row), real), column, left)

                    _over_keys(form, slopes, k_base, k2, width, limit, top, done)


def _keep(form: _Form, sums: Any, into: Value, key: Value) -> None:
    """Write a tile of products to its rows."""
    for row, line in enumerate(sums):
        for half, total in enumerate(line):
            form.fn.store(total.get(), into, (key + row) * form.block + half * form.lanes)
