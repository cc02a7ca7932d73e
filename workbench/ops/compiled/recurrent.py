"""Recurrent layers over whole sequences: what the compiled LSTM, GRU and plain RNN share.

The inputs of all steps go through their weights in one product, as rows (steps · batch, gates).
What is left of a step is the product of the states with the recurrent weights, whose tile ends in
the gates: an item of work is a panel of units, with their sums for all gates, so that the units'
states follow at once. The panels are packed once, by the threads that will use them, and stay in
their caches over all steps. Back through time an item takes the gradients of its units' states from
the gates' gradients of the step behind, and gives the units' gates. `repeat` goes through the steps
without coming back to Python.

Everything lies in the order of time, as rows (T · B, …), whichever way the steps are taken; states
have one more step, which is the first where they are taken in order and the last in reverse. The
gates' gradients have somewhat longer rows than they need, so that the rows of a tile do not meet in
one place of the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from workbench.arrays import compiler
from workbench.arrays.compiler.crew import crew, entries
from workbench.arrays.compiler.ir import Function, Value, vector
from workbench.arrays.compiler.kernel import Kernel, address, kernel
from workbench.arrays.compiler.llvm import host
from workbench.arrays.compiler.tile import sums, transpose
from workbench.arrays.scratch import scratch

LEAST_STEPS, LEAST_ROWS = 4, 8  # with fewer, packing the weights is most of the work
WIDE = 2  # vectors of units in a panel where there is but one sum for each unit
_LINE = 16  # numbers that come into the cache together
_LONGER = 16  # numbers between the rows of gradients
_ALONE = 1_500_000  # multiplications of a step: fewer are no work for two
_PACKED_ALONE = 1 << 16  # weights: packing fewer is none either


def fits(xp: Any, batch_sizes: Any, input: Any, *others: Any) -> bool:
    """Whether a layer over inputs (T, B, I), with these states and weights, is compiled."""
    steps, batch, _ = input.shape
    return (
        xp is np
        and batch_sizes is None
        and steps >= LEAST_STEPS
        and steps * batch >= LEAST_ROWS
        and all(v is None or (v.dtype == np.float32 and v.size) for v in (input, *others))
        and compiler.available()
    )


# -- a step in kernels -----------------------------------------------------------------------------


def cut(batch: int, vectors: int) -> tuple[int, int]:
    """(rows, many): tiles have so many rows or one less, and so many tiles have all of them."""
    most = (host().registers - 1 - vectors) // vectors
    tiles = -(-batch // most)
    rows = -(-batch // tiles)
    return rows, batch - tiles * (rows - 1)


class Step:
    """The part of a kernel that a step of any layer has: products of rows with panels of units.

    `left` (batch, depth), `stride` numbers from row to row; panels (`padded`, gates, wide, lanes).
    """

    def __init__(
        self, fn: Function, panels: Value, left: Value, stride: Value, depth: Value, padded: Value,
        batch: Value, size: Value, many: Value, *, gates: int, wide: int, tile: int, whole: bool,
    ) -> None:  # fmt: skip
        self.fn, self.panels, self.left, self.stride = fn, panels, left, stride
        self.depth, self.padded, self.batch, self.size, self.many = depth, padded, batch, size, many
        self.gates, self.wide, self.tile, self.whole = gates, wide, tile, whole
        self.lanes = host().lanes
        self.vec = vector(self.lanes, "float")

    def units(
        self, begin: Value, end: Value
    ) -> Iterator[tuple[Line, Value, Callable[[], Iterator[tuple[Value, list[Value]]]]]]:
        """(line, unit, rows) for the vectors of units of the panels `begin` to `end`.

        `unit` is the first of the vector, `rows()` gives (row, the sums of its gates).
        """
        fn, lanes, vectors = self.fn, self.lanes, self.gates * self.wide
        with fn.range(begin, end) as item:
            panel = fn.at(self.panels, item * self.padded * (vectors * lanes))
            for first, count in self._tiles():
                made = self._product(panel, fn.at(self.left, first * self.stride), count)
                for v in range(self.wide):
                    unit = item * (self.wide * lanes) + v * lanes
                    line = Line(fn, unit, self.size, self.whole)
                    with fn.when(unit < self.size):
                        yield line, unit, partial(self._rows, made, first, count, v)

    def _rows(
        self, made: Value, first: Value, count: int, v: int
    ) -> Iterator[tuple[Value, list[Value]]]:
        fn, lanes = self.fn, self.lanes
        with fn.range(0, count) as row:
            here = fn.at(made, row * (self.gates * self.wide * lanes))
            places = ((gate * self.wide + v) * lanes for gate in range(self.gates))
            yield first + row, [fn.load(self.vec, here, place) for place in places]

    def _tiles(self) -> Iterator[tuple[Value, int]]:
        """(first row, rows) of the tiles: what follows is written for both sizes."""
        whole = self.many * self.tile
        with self.fn.range(0, whole, self.tile) as first:
            yield first, self.tile
        if self.tile > 1:
            with self.fn.range(whole, self.batch, self.tile - 1) as first:
                yield first, self.tile - 1

    def _product(self, panel: Value, left: Value, rows: int) -> Value:
        """The sums of a tile, in working memory as (rows, vectors)."""
        fn, lanes, vectors = self.fn, self.lanes, self.gates * self.wide
        starts = [fn.at(left, self.stride * row) for row in range(rows)]
        # a sum is added to every fourth cycle or so: few sums are taken in several parts
        parts = 1 if rows * vectors >= 8 else 2 if rows * vectors >= 4 else 4
        several = [sums(fn, rows, vectors, lanes) for _ in range(parts)]

        def add(into: list[list[Any]], k: Value) -> None:
            place = fn.at(panel, k * (vectors * lanes))
            values = [fn.load(self.vec, place, v * lanes) for v in range(vectors)]
            for start, places in zip(starts, into, strict=True):
                spread = fn.splat(fn.load("float", start, k), lanes)
                for held, value in zip(places, values, strict=True):
                    held.set(fn.fma(spread, value, held))

        # other cores made most of what is read here: the next lines are asked for beforehand
        with fn.range(0, self.depth, _LINE) as near:
            for start in starts:
                fn.prefetch(start, near + _LINE)
            stop = fn.minimum(near + _LINE, self.depth)
            whole = stop - (stop - near) % parts if parts > 1 else stop
            with fn.range(near, whole, parts) as k:
                for part, into in enumerate(several):
                    add(into, k + part)
            if parts > 1:
                with fn.range(whole, stop) as k:
                    add(several[0], k)
        made = fn.room(self.vec, rows * vectors)
        for row in range(rows):
            for v in range(vectors):
                total = several[0][row][v].get()
                for other in several[1:]:
                    total = total + other[row][v].get()
                fn.store(total, made, (row * vectors + v) * lanes)
        return made


class Line:
    """Reading and writing a vector of units, of which the last may be incomplete."""

    def __init__(self, fn: Function, unit: Value, size: Value, whole: bool) -> None:
        self.fn, self.vec = fn, vector(host().lanes, "float")
        self.mask = None if whole else fn.mask(host().lanes, size - unit)

    def load(self, base: Value, index: Any = 0) -> Value:
        """The vector `index` numbers behind `base`."""
        if self.mask is None:
            return self.fn.load(self.vec, base, index)
        return self.fn.load_some(self.vec, base, index, self.mask)

    def store(self, value: Value, base: Value, index: Any = 0) -> None:
        """Write it there."""
        if self.mask is None:
            self.fn.store(value, base, index)
        else:
            self.fn.store_some(value, base, index, self.mask)

    def add(self, value: Value, base: Value, index: Any = 0) -> None:
        """Add it to what is there."""
        self.store(self.load(base, index) + value, base, index)


class GateGradients:
    """Where the gradients of some units' gates go: to their places, and summed to the bias."""

    def __init__(self, line: Line, gates: int, size: Value) -> None:
        self.line, self.size = line, size
        self.totals = [line.fn.variable(line.vec, 0) for _ in range(gates)]

    def store(self, found: Sequence[Value], target: Value) -> None:
        """One row's, gate after gate `size` numbers apart."""
        for k, (value, total) in enumerate(zip(found, self.totals, strict=True)):
            self.line.store(value, target, self.size * k)
            total.set(total.get() + value)

    def add_to(self, bias: Value, unit: Value) -> None:
        """What all rows added up to."""
        for k, total in enumerate(self.totals):
            self.line.add(total.get(), bias, self.size * k + unit)


# -- weights in panels -----------------------------------------------------------------------------


@kernel("ptr weight, ptr panels, i64 size, i64 depth, i64 padded, i64 gates, i64 wide")
def _pack_gates(fn, weight, panels, size, depth, padded, gates, wide, begin, end, worker):
    """Rows of weight (gates · size, depth) as panels (padded, gates, wide, lanes) of units."""
    lanes = host().lanes
    vec, width = vector(lanes, "float"), gates * wide * lanes
    with fn.range(begin, end) as item, fn.range(0, gates * wide) as place:
        gate, v = place // wide, place % wide
        first = (item * wide + v) * lanes
        # rows behind the last only fill lanes that nobody reads
        units = [fn.minimum(first + lane, size - 1) for lane in range(lanes)]
        starts = [fn.at(weight, (unit + size * gate) * depth) for unit in units]
        target = fn.at(panels, item * padded * width + place * lanes)
        whole = depth // lanes * lanes
        with fn.range(0, whole, lanes) as k:
            for i, column in enumerate(transpose(fn, [fn.load(vec, s, k) for s in starts])):
                fn.store(column, target, (k + i) * width)
        with fn.when(whole < depth):
            mask = fn.mask(lanes, depth - whole)
            rest = [fn.load_some(vec, s, whole, mask) for s in starts]
            for i, column in enumerate(transpose(fn, rest)):
                fn.store(column, target, (whole + i) * width)


@kernel("ptr weight, ptr panels, i64 size, i64 depth, i64 shift")
def _pack_columns(fn, weight, panels, size, depth, shift, begin, end, worker):
    """Columns of weight (depth, size) as panels (depth, WIDE, lanes), from row `shift` on."""
    lanes = host().lanes
    vec, width = vector(lanes, "float"), WIDE * lanes
    with fn.range(begin, end) as item:
        for v in range(WIDE):
            first = item * width + v * lanes
            mask = fn.mask(lanes, size - first)
            target = fn.at(panels, item * depth * width + v * lanes)
            with fn.range(0, depth) as k:
                row = k + shift
                row = fn.select(row >= depth, row - depth, row)
                value = fn.load_some(vec, fn.at(weight, row * size), first, mask)
                fn.store(value, target, k * width)


def gate_panels(weight: np.ndarray, gates: int, wide: int) -> np.ndarray:
    """Recurrent weights (gates · H, H) as panels (how many, padded depth, …): the way forward."""
    weight, lanes = np.ascontiguousarray(weight), host().lanes
    size, depth = weight.shape[0] // gates, weight.shape[1]
    padded, count = -(-depth // lanes) * lanes, -(-size // (wide * lanes))
    panels = scratch("recurrent panels", (count, padded, gates * wide * lanes), np.float32)
    grain = 1 if weight.size > _PACKED_ALONE else count
    _pack_gates(count, grain, address(weight), address(panels), size, depth, padded, gates, wide)
    return panels


def column_panels(weight: np.ndarray, shift: int = 0) -> np.ndarray:
    """Recurrent weights (G, H), rows from `shift` on, as panels (how many, G, …): the way back."""
    weight, (depth, size) = np.ascontiguousarray(weight), weight.shape
    width = WIDE * host().lanes
    count = -(-size // width)
    panels = scratch("recurrent panels", (count, depth, width), np.float32)
    grain = 1 if weight.size > _PACKED_ALONE else count
    _pack_columns(count, grain, address(weight), address(panels), size, depth, shift)
    return panels


# -- from step to step -----------------------------------------------------------------------------


@kernel("ptr run, ptr state, ptr entry, ptr slots, i64 count, i64 steps, i64 total, i64 grain")
def _steps(fn, run, state, entry, slots, count, steps, total, grain, begin, end, worker):
    """A kernel on all threads, `steps` times; its arguments move on in between."""
    with fn.range(0, steps):
        fn.call(run, state, entry, slots, total, grain)
        with fn.range(0, count) as i:
            moved = fn.load("i64", slots, i) + fn.load("i64", slots, i + count)
            fn.store(moved, slots, i)


def repeat(
    kernel: Kernel, steps: int, way: int, total: int, work: int, *arguments: Any, **settings: Any
) -> None:  # fmt: skip
    """Run a kernel `steps` times over `total` items; `work` multiplications are in a step.

    Arguments: whole numbers, arrays, and (array, first): array[first], then array[first + way] ….
    """
    slots, strides = [], []
    for argument in arguments:
        moves = isinstance(argument, tuple)
        array, first = argument if moves else (argument, 0)
        if isinstance(array, np.ndarray):
            slots.append(address(array) + first * array.strides[0])
            strides.append(way * array.strides[0] if moves else 0)
        else:
            slots.append(array)
            strides.append(0)
    moving = np.array(slots + strides, np.int64)
    entry, threads = kernel.of(**settings).entry, crew()
    grain = total if work < _ALONE else 1
    if grain < total and threads.asleep.value:
        threads.wake()
    _steps(1, 1, entries()[0], threads.state, entry, address(moving), len(slots), steps, total,
           grain)  # fmt: skip


# -- all steps -------------------------------------------------------------------------------------


def rows(array: np.ndarray) -> np.ndarray:
    """(T, B, N) as contiguous rows (T · B, N)."""
    return np.ascontiguousarray(array).reshape(-1, array.shape[-1])


def order(steps: int, reverse: bool) -> tuple[int, int, int, int]:
    """(first step, last step, way, where a step's old state lies); its new one is `way` from it."""
    return (steps - 1, 0, -1, 1) if reverse else (0, steps - 1, 1, 0)


def states_from(first: np.ndarray, steps: int, reverse: bool) -> np.ndarray:
    """Room for the states (T + 1, B, H), with the first one in its place."""
    made = np.empty((steps + 1, *first.shape), np.float32)
    made[-1 if reverse else 0] = first
    return made


FORWARD = "ptr panels, ptr before, i64 padded, i64 batch, i64 size, i64 many, ptr after, "


def forward(
    kernel: Kernel, weight: np.ndarray, gates: int, wide: int, states: np.ndarray, reverse: bool,
    *others: Any, **settings: Any,
) -> None:  # fmt: skip
    """Take the steps: `kernel`, whose arguments are FORWARD and `others`, gives new `states`."""
    steps, (batch, size) = states.shape[0] - 1, states.shape[1:]
    panels = gate_panels(weight, gates, wide)
    tile, many = cut(batch, gates * wide)
    first, _, way, old = order(steps, reverse)
    repeat(
        kernel, steps, way, len(panels), batch * weight.size,
        panels, (states, first + old), panels.shape[1], batch, size, many,
        (states, first + old + way), *others,
        tile=tile, whole=size % host().lanes == 0, **settings,
    )  # fmt: skip


BACKWARD = (
    "ptr panels, ptr behind, i64 stride, i64 depth, i64 padded, i64 batch, i64 size, i64 many, "
    "ptr incoming, i64 apart, ptr grads, "
)


def backward(
    kernel: Kernel, weight: np.ndarray, shift: int, of_out: np.ndarray, of_state: np.ndarray,
    columns: int, reverse: bool, others: Any, **settings: Any,
) -> np.ndarray:  # fmt: skip
    """Go back through the steps: all gates' gradients (T · B, columns), valid until the next call.

    `kernel`, whose arguments are BACKWARD and `others(step)`, gives those of a step from those
    behind, of which the first columns meet the recurrent weights, in the order of their rows from
    `shift` on.
    """
    steps, batch, size = of_out.shape
    depth = weight.shape[0]
    stride = columns + _LONGER
    grads = scratch("recurrent gradients", (steps, batch, stride), np.float32)
    if of_out.strides[2] != 4 or any(s % 4 for s in of_out.strides):
        of_out = np.ascontiguousarray(of_out)
    panels = column_panels(weight, shift)
    tile, many = cut(batch, WIDE)
    _, last, way, _ = order(steps, reverse)
    lengths = batch, size, many

    def go(times: int, step: int, depth: int, behind: int, incoming: Any, apart: int) -> None:
        repeat(
            kernel, times, -way, len(panels), batch * weight.size,
            panels, (grads, behind), stride, depth, weight.shape[0], *lengths,
            incoming, apart, (grads, step), *others(step),
            tile=tile, whole=size % host().lanes == 0, **settings,
        )  # fmt: skip

    seed = np.add(of_out[last], of_state, order="C")
    go(1, last, 0, last, seed, size)
    go(steps - 1, last - way, depth, last, (of_out, last - way), of_out.strides[1] // 4)
    return grads.reshape(steps * batch, stride)[:, :columns]
