"""Convolution as sums over (channel, tap) of shifted planes; see `conv_layout` for where they lie.

The convolution, its adjoint in the input (a convolution of the gradients by the weights the other
way round, one for each residue of the stride) and its adjoint in the weight (products of gradients
and shifted planes, summed over the places) all run at the speed of a matrix product, without
unfolding anything. An image's planes are copied to a core's cache once.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from workbench.arrays import parallel
from workbench.arrays.compiler import tile
from workbench.arrays.compiler.ir import Function, Value, vector
from workbench.arrays.compiler.kernel import address, kernel, real
from workbench.arrays.scratch import scratch

from . import conv_layout
from .conv_layout import Layout
from .conv_slots import Slot, copy_planes, heads, pieced
from .conv_weight import adjoint_weight

__all__ = ["adjoint_input", "adjoint_weight", "filled", "forward"]

_MUCH = 1 << 14  # elements of a weight from which on several threads pack it
_LEAST = 1 << 16  # copies and vectors of multiplications that a thread should take at a time


@kernel(
    "ptr x, ptr w, ptr bias, ptr out, ptr rooms, i64 room, ptr blocks, ptr rows, ptr slots, "
    "ptr outs, ptr taps, i64 count, i64 parts, i64 channels, i64 plane, i64 x_channel, "
    "i64 x_image, i64 y_channel, i64 y_image, i64 k, i64 w_row, i64 depth, i64 groups, "
    "i64 w_group"
)
def _planes(
    fn: Function, x: Value, w: Value, bias: Value, out: Value, rooms: Value, room: Value,
    blocks: Value, rows: Value, slots: Value, outs: Value, taps: Value, count: Value, parts: Value,
    channels: Value, plane: Value, x_channel: Value, x_image: Value, y_channel: Value,
    y_image: Value, k: Value, w_row: Value, depth: Value, groups: Value, w_group: Value,
    begin: Value, end: Value, worker: Value, *, real: str, high: int, wide: int, step: int,
    out_step: int, flat: bool, full: bool, pieces: int, biased: bool,
) -> None:  # fmt: skip
    """Convolve; an item is (image, block, group, part of the group's output channels)."""
    lanes = tile.size(real)[2]
    kind = vector(lanes, real)
    mine = fn.at(rooms, worker * room, real)
    held = fn.at(mine, channels * plane + lanes, real)  # results of slots that run on
    with fn.range(begin, end) as item:
        part, rest = item % parts, item // parts
        of, rest = rest % groups, rest // groups
        block, image = rest % count, rest // count
        row_at, row_n, slot_at, slot_n, out_at, out_n = heads(fn, blocks, block)
        source = fn.at(x, image * x_image + of * channels * x_channel, real)
        copy_planes(fn, source, mine, rows, row_at, row_n, channels, x_channel, plane, step, kind)
        panels = (k + high - 1) // high
        with fn.range(panels * part // parts, panels * (part + 1) // parts) as panel:
            top = panel * high
            filters = [fn.minimum(top + m, k - 1) for m in range(high)]
            packed = pieces > 1  # places in registers leave none for a pointer to every row
            lines = [fn.at(w, of * w_group + f * w_row, real) for f in filters]
            near = fn.at(w, (of * panels + panel) * depth * high, real)
            begins = [fn.load(real, bias, of * k + f) for f in filters] if biased else None
            made = fn.at(out, image * y_image + (of * k + top) * y_channel, real)
            apart = slot_n * lanes if flat else y_channel
            into = held if flat else made
            whole = slot_n // wide * wide

            def sums(first: Value, vectors: int) -> None:
                these = [
                    Slot(fn, fn.at(slots, (slot_at + first + v) * (3 * pieces), "i64"), pieces)
                    for v in range(vectors)
                ]
                places = [[fn.at(mine, at, real) for at in slot.places] for slot in these]
                into_ = tile.sums(fn, high, vectors, lanes, real)
                if begins is not None:
                    for begin_, row in zip(begins, into_, strict=True):
                        for place in row:
                            place.set(fn.splat(begin_, lanes))
                tap = _Tap(fn, taps)
                tile.accumulate(
                    fn, into_, depth,
                    lambda n, m: (
                        fn.load(real, near, n * high + m)
                        if packed
                        else fn.load(real, lines[m], tap(n)[1])
                    ),
                    lambda n, v: pieced(fn, kind, places[v], tap(n)[0]),
                )  # fmt: skip
                for m, row in enumerate(into_):
                    with fn.when(top + m < k):
                        for slot, place in zip(these, row, strict=True):
                            slot.store(place.get(), fn.at(into, apart * m, real), flat or full)

            with fn.range(0, whole, wide) as s:
                sums(s, wide)
            for less in range(1, wide):
                with fn.when((slot_n - whole).compare("==", less)):
                    sums(whole, less)
            if flat:
                with fn.range(0, fn.minimum(k - top, high)) as m:
                    _copy_outs(fn, fn.at(held, m * apart, real), fn.at(made, m * y_channel, real),
                               outs, out_at, out_n, out_step, kind, lanes, real)  # fmt: skip


@kernel("ptr w, ptr out, ptr taps, i64 depth, i64 w_row, i64 k, i64 panels, i64 w_group")
def _pack(
    fn: Function, w: Value, out: Value, taps: Value, depth: Value, w_row: Value, k: Value,
    panels: Value, w_group: Value, begin: Value, end: Value, worker: Value, *, real: str, high: int,
) -> None:  # fmt: skip
    """The weight as the tiles read it: (group, panel, (channel, tap), row of the panel)."""
    with fn.range(begin, end) as item:
        panel, group = item % panels, fn.at(w, item // panels * w_group, real)
        filters = [fn.minimum(panel * high + m, k - 1) for m in range(high)]
        lines = [fn.at(group, f * w_row, real) for f in filters]
        into = fn.at(out, item * depth * high, real)
        with fn.range(0, depth) as n:
            at = fn.load("i64", taps, n * 2 + 1)
            for m, line in enumerate(lines):
                fn.store(fn.load(real, line, at), into, n * high + m)


class _Tap:
    """The two offsets of a (channel, tap), read once for each index."""

    def __init__(self, fn: Function, taps: Value) -> None:
        self.fn, self.taps = fn, taps
        self.of: Any = None
        self.held: Any = None

    def __call__(self, n: Value) -> Any:
        if self.of is not n:
            pair = self.fn.at(self.taps, n * 2, "i64")
            self.of, self.held = n, (self.fn.load("i64", pair), self.fn.load("i64", pair, 1))
        return self.held


def _copy_outs(
    fn: Function, source: Value, target: Value, outs: Value, first: Value, number: Value,
    step: int, kind: str, lanes: int, real: str,
) -> None:  # fmt: skip
    """Copy the rows of results out of the slots that ran on."""
    with fn.range(0, number) as r:
        row = fn.at(outs, (first + r) * 3, "i64")
        at, to, count = (fn.load("i64", row, i) for i in range(3))
        line, into = fn.at(source, at, real), fn.at(target, to, real)
        if step == 1:
            with fn.range(0, count, lanes) as i:
                lit = fn.mask(lanes, count - i)
                fn.store_some(fn.load(kind, line, i), into, i, lit)
        else:
            with fn.range(0, count) as i:
                fn.store(fn.load(real, line, i), into, i * step)


def tile_size(k: int, kind: str) -> tuple[int, int]:
    """(rows, vectors) of the tile for `k` output channels a group."""
    high, wide, _ = tile.size(kind)
    if k == 1:
        return 1, 8
    return (high // 2, wide * (2 if high == 8 else 1)) if k <= high // 2 else (high, wide)


def _run(
    lay: Layout, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, out: np.ndarray,
    w_row: int, groups: int,
) -> None:  # fmt: skip
    """`out` (N, K, …) from images (N, C, …) and a weight whose rows are `w_row` apart."""
    images, channels, k = x.shape[0], x.shape[1] // groups, out.shape[1] // groups
    key = (images, groups, k, bias is None)
    if key not in lay.held:
        kind = real(x.dtype)
        high, wide = tile_size(k, kind)
        room = channels * lay.plane + (1 + high * lay.most) * lay.lanes
        items = images * lay.count * groups
        parts = 1 if items > 1 else max(1, min(-(-k // high) // 2, 4))
        made = _planes.of(
            real=kind, high=high, wide=wide, step=lay.step, out_step=lay.out_step, flat=lay.flat,
            full=lay.full, pieces=lay.pieces, biased=bias is not None,
        )  # fmt: skip
        packing = _pack.of(real=kind, high=high) if lay.pieces > 1 else None
        # an item is at least some microseconds
        grain = max(1, _LEAST // max(1, channels * lay.plane + lay.depth * k * lay.most))
        lay.held[key] = (made, room, items * parts, grain, parts, packing, high)
    made, room, items, grain, parts, packing, high = lay.held[key]
    rooms = scratch("conv", (parallel.threads(), room), x.dtype)
    x_channel, y_channel = x.size // (images * channels * groups), out.size // (images * k * groups)
    w_group = w.size // groups
    if packing is not None:
        panels = -(-k // high)
        packed = scratch("conv weight", (groups * panels, lay.depth, high), x.dtype)
        packing(groups * panels, panels * groups if w.size < _MUCH else 1, address(w),
                address(packed), lay.tables[4], lay.depth, w_row, k, panels, w_group)  # fmt: skip
        w = packed
    made(
        items, grain, address(x), address(w), 0 if bias is None else address(bias), address(out),
        address(rooms), room, *lay.tables, lay.count, parts, channels, lay.plane, x_channel,
        x_channel * channels * groups, y_channel, y_channel * k * groups, k, w_row, lay.depth,
        groups, w_group,
    )  # fmt: skip


def filled(geo: Any, char: str) -> float:
    """The share of the lanes that hold results, in a convolution of three sides."""
    lay = conv_layout.forward(geo.group(), tile.size(real(np.dtype(char)))[2])
    return prod(geo.outs) / (lay.number * lay.lanes)


def forward(x: Any, w: Any, geo: Any, out: Any, bias: Any = None) -> None:
    """Images (N, C, D, H, W), a weight (K, C / groups, kd, …), a bias (K) → `out` (N, K, …)."""
    lay = conv_layout.forward(geo.group(), _lanes(x))
    _run(lay, x, w, bias, out, geo.c // geo.groups * geo.taps, geo.groups)


def adjoint_input(y: Any, w: Any, geo: Any, out: Any) -> None:
    """Gradients (N, K, D, H, W) of the result and the weight → `out` (N, C, D, H, W)."""
    for lay in conv_layout.backward(geo.group(), _lanes(y)):
        _run(lay, y, w, None, out, geo.taps, geo.groups)


def _lanes(x: np.ndarray) -> int:
    return tile.size(real(x.dtype))[2]
