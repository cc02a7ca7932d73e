"""Convolution as sums over (channel, tap) of shifted planes; see `conv_layout` for where they lie.

The convolution, its adjoint in the input (a convolution of the gradients by the weights the other
way round, one for each residue of the stride) and its adjoint in the weight (products of gradients
and shifted planes, summed over the places) all run at the speed of a matrix product, without
unfolding anything. An image's planes are copied to a core's cache once.
"""

from __future__ import annotations

from functools import cache
from math import prod
from types import SimpleNamespace
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

_MUCH = 1 << 16  # elements of a weight that stays in a core's cache beside the planes
_ROOM = 320 << 10  # elements of planes that one reading of a larger weight serves
_FEW = 8  # slots of an image, from which on its own fill the tiles well enough
_LEAST = 1 << 16  # copies and vectors of multiplications that a thread should take at a time


@kernel(
    "ptr x, ptr w, ptr bias, ptr out, ptr rooms, i64 room, ptr blocks, ptr rows, ptr slots, "
    "ptr outs, ptr taps, i64 count, i64 parts, i64 channels, i64 plane, i64 x_channel, "
    "i64 y_channel, i64 k, i64 depth, i64 groups, i64 images, i64 several"
)
def _planes(
    fn: Function, x: Value, w: Value, bias: Value, out: Value, rooms: Value, room: Value,
    blocks: Value, rows: Value, slots: Value, outs: Value, taps: Value, count: Value, parts: Value,
    channels: Value, plane: Value, x_channel: Value, y_channel: Value, k: Value,
    depth: Value, groups: Value, images: Value, several: Value,
    begin: Value, end: Value, worker: Value, **settings: Any,
) -> None:  # fmt: skip
    """Convolve; an item is (some images, block, group, part of the group's output channels)."""
    values = SimpleNamespace(**{name: v for name, v in locals().items() if name != "settings"})
    with fn.range(begin, end) as item:
        _Item(values, SimpleNamespace(**settings), item).write()


class _Item:
    """Writes the code of one item; `v` are the kernel's arguments, `set` its settings."""

    def __init__(self, v: Any, set_: Any, item: Value) -> None:
        self.v, self.set, self.fn = v, set_, v.fn
        fn = self.fn
        self.lanes = tile.size(set_.real)[2]
        self.kind = vector(self.lanes, set_.real)
        self.mine = self.at(v.rooms, v.worker * v.room)
        # results of slots that run on
        self.held = self.at(self.mine, v.several * v.channels * v.plane + self.lanes)
        self.part, rest = item % v.parts, item // v.parts
        self.of, rest = rest % v.groups, rest // v.groups
        block, self.start = rest % v.count, rest // v.count * v.several
        self.number = fn.minimum(v.images - self.start, v.several)
        self.rows, self.row_n, self.slots, self.slot_n, self.outs, self.out_n = heads(
            fn, v.blocks, block
        )
        self.total = self.number * self.slot_n  # slots of all images
        self.apart = self.total * self.lanes if set_.flat else v.y_channel

    def at(self, base: Value, index: Any) -> Value:
        """An address, counted in elements."""
        return self.fn.at(base, index, self.set.real)

    def write(self) -> None:
        """The whole item."""
        v, fn, high = self.v, self.fn, self.set.high
        with fn.range(0, self.number) as g:
            image = (self.start + g) * v.groups + self.of
            copy_planes(
                fn, self.at(v.x, image * v.channels * v.x_channel),
                self.at(self.mine, g * v.plane), v.rows, self.rows, self.row_n, v.channels,
                v.x_channel, v.plane * v.several, self.set.step, self.kind,
            )  # fmt: skip
        panels = (v.k + high - 1) // high
        low, stop = panels * self.part // v.parts, panels * (self.part + 1) // v.parts
        with fn.range(low, stop) as panel:
            self._panel(panel, panels)

    def _panel(self, panel: Value, panels: Value) -> None:
        v, fn, set_ = self.v, self.fn, self.set
        self.top = panel * set_.high
        self.near = self.at(v.w, (self.of * panels + panel) * v.depth * set_.high)
        self.begins = None
        if set_.biased:
            filters = [fn.minimum(self.top + m, v.k - 1) for m in range(set_.high)]
            self.begins = [fn.load(set_.real, v.bias, self.of * v.k + f) for f in filters]
        all_wide = self.total // set_.wide * set_.wide
        with fn.range(0, all_wide, set_.wide) as t:
            self._sums(t, set_.wide)
        for less in range(1, set_.wide):
            with fn.when((self.total - all_wide).compare("==", less)):
                self._sums(all_wide, less)
        if set_.flat:
            with (
                fn.range(0, self.number) as g,
                fn.range(0, fn.minimum(v.k - self.top, set_.high)) as m,
            ):
                source = self.at(self.held, m * self.apart + g * self.slot_n * self.lanes)
                self._copy_outs(source, self.at(self._made(g), m * v.y_channel))

    def _made(self, g: Value) -> Value:
        """The panel's first channel of the result of the item's g-th image."""
        image = (self.start + g) * self.v.groups + self.of
        return self.at(self.v.out, (image * self.v.k + self.top) * self.v.y_channel)

    def _slot(self, t: Value) -> tuple[Slot, list[Value], Value]:
        """The t-th slot of all images: its entry, where its pieces lie, where results go."""
        fn, set_ = self.fn, self.set
        g, s = fn.of("i64", 0), t
        if set_.joined:
            g, s = t // self.slot_n, t % self.slot_n
        slot = Slot(fn, fn.at(self.v.slots, (self.slots + s) * (3 * set_.pieces), "i64"),
                    set_.pieces)  # fmt: skip
        planes = self.at(self.mine, g * self.v.plane)
        into = self.at(self.held, g * self.slot_n * self.lanes) if set_.flat else self._made(g)
        return slot, [self.at(planes, at) for at in slot.places], into

    def _sums(self, first: Value, vectors: int) -> None:
        """A tile of some slots."""
        v, fn, set_, kind = self.v, self.fn, self.set, self.kind
        slots, places, intos = zip(*(self._slot(first + n) for n in range(vectors)), strict=True)
        sums = tile.sums(fn, set_.high, vectors, self.lanes, set_.real)
        if self.begins is not None:
            for start, row in zip(self.begins, sums, strict=True):
                for place in row:
                    place.set(fn.splat(start, self.lanes))
        shift = cache(lambda n: fn.load("i64", v.taps, n * 2))
        tile.accumulate(
            fn, sums, v.depth,
            lambda n, m: fn.load(set_.real, self.near, n * set_.high + m),
            lambda n, i: pieced(fn, kind, places[i], shift(n)),
        )  # fmt: skip
        for m, row in enumerate(sums):
            with fn.when(self.top + m < v.k):
                for slot, into, place in zip(slots, intos, row, strict=True):
                    line = self.at(into, self.apart * m)
                    slot.store(place.get(), line, set_.flat or set_.full)

    def _copy_outs(self, source: Value, target: Value) -> None:
        """Copy a channel's rows of results out of the slots that ran on."""
        v, fn, set_ = self.v, self.fn, self.set
        with fn.range(0, self.out_n) as r:
            row = fn.at(v.outs, (self.outs + r) * 3, "i64")
            at, to, count = (fn.load("i64", row, i) for i in range(3))
            line, into = self.at(source, at), self.at(target, to)
            if set_.out_step == 1:
                with fn.range(0, count, self.lanes) as i:
                    lit = fn.mask(self.lanes, count - i)
                    fn.store_some(fn.load(self.kind, line, i), into, i, lit)
            else:
                with fn.range(0, count) as i:
                    fn.store(fn.load(set_.real, line, i), into, i * set_.out_step)


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
        much = lay.depth * k > _MUCH
        each = channels * lay.plane
        several = 1
        if lay.count == 1 and (much or lay.most < _FEW):
            several = max(1, min(images // 4, _ROOM // each, images if much else _FEW // 2))
        room = several * (each + high * lay.most * lay.lanes) + lay.lanes
        items = -(-images // several) * lay.count * groups
        parts = 1 if items > 1 else max(1, min(-(-k // high) // 2, 4))
        made = _planes.of(
            real=kind, high=high, wide=wide, step=lay.step, out_step=lay.out_step, flat=lay.flat,
            full=lay.full, pieces=lay.pieces, biased=bias is not None, joined=several > 1,
        )  # fmt: skip
        packing = _pack.of(real=kind, high=high)
        # an item is at least some microseconds
        grain = max(1, _LEAST // max(1, channels * lay.plane + lay.depth * k * lay.most))
        lay.held[key] = (made, room, items * parts, grain, parts, packing, high, several)
    made, room, items, grain, parts, packing, high, several = lay.held[key]
    rooms = scratch("conv", (parallel.threads(), room), x.dtype)
    x_channel, y_channel = x.size // (images * channels * groups), out.size // (images * k * groups)
    panels = -(-k // high)
    packed = scratch("conv weight", (groups * panels, lay.depth, high), x.dtype)
    packing(
        groups * panels, _MUCH // (4 * lay.depth * high + 1) + 1, address(w), address(packed),
        lay.tables(several)[4], lay.depth, w_row, k, panels, w.size // groups,
    )  # fmt: skip
    made(
        items, grain, address(x), address(packed), 0 if bias is None else address(bias),
        address(out), address(rooms), room, *lay.tables(several), lay.count, parts, channels,
        lay.plane, x_channel, y_channel, k, lay.depth, groups, images, several,
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
