"""Where everything lies in a compiled convolution, worked out once per geometry.

An image's channels are copied, padded, into *planes* that stay in a core's cache. Under a stride
every residue of the stride gets a plane of its own, so that a window's element at a tap is always
`offset of the tap` behind the window's own place, and the windows of one row lie side by side: a
convolution is then a sum over (channel, tap) of a weight times vectors read at shifted places.
Nothing is unfolded.

Results are computed in *slots* of one vector each. A slot is a piece of one output row, or two or
four pieces where rows are short; or, if that leaves fewer lanes empty, slots run on through the
flattened plane, over the padding between rows, and what falls there is dropped when rows are copied
out. Large images are cut into *blocks* of output rows, and an item of work is one block of one
image.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

CACHE = 96 << 10  # elements of planes that a block may take
_SOME = 64  # slots that a sum for the weight's gradient should run over


class Side:
    """One direction (D, H or W) of a stride-1 map from planes to results, after residues."""

    __slots__ = ("lo", "n", "out", "step", "taps")

    def __init__(self, n: int, lo: int, out: int, step: int, taps: Sequence[int]) -> None:
        self.n, self.lo, self.out, self.step, self.taps = n, lo, out, step, tuple(taps)

    @property
    def residues(self) -> list[int]:
        """The residues of the stride that some tap reads."""
        return sorted({t % self.step for t in self.taps}) or [0]


class Layout:
    """The tables that the kernels read; all places are counted in elements.

    `blocks`: for each block its rows of planes, slots and rows of results, as (first, number) each.
    `rows`: (source, target, elements, elements with the zeros that follow) of every row to copy.
    `slots`: (place in the planes, place in the result, lanes) of each of a slot's `pieces`. `outs`:
    for slots that run on,
    (source, target, elements) of every row of results. The last table of `tables`: (offset in the
    planes, offset in the weight) of every (channel, tap). `plane`: elements of a channel's planes.

    `held` keeps what a kernel's call needs beside the arrays, once it is worked out.
    """

    def __init__(
        self, sides: Sequence[Side], channels: int, weights: Sequence[int], per_channel: int,
        lanes: int, out_step: int, out_start: int, out_strides: Sequence[int],
    ) -> None:  # fmt: skip
        self.sides, self.channels, self.lanes, self.out_step = sides, channels, lanes, out_step
        self.step = sides[2].step
        self.out_start, self.out_strides = out_start, out_strides
        self.residues = list(product(*(side.residues for side in sides)))
        self.size = [self._extent(i, side.out) for i, side in enumerate(sides)]
        self.pieces = self._pieces()
        self.flat = self.pieces == 0
        self.pieces = self.pieces or 1
        outer = 0 if sides[0].out > 1 else 1  # blocks are cut along D, or H in a plane
        rows = self._rows_at_a_time(outer)
        self.size[outer] = self._extent(outer, rows)
        self.sub = self.size[0] * self.size[1] * self.size[2]
        # one vector of zeros behind it, and one that stores may run into
        self.plane = len(self.residues) * self.sub + 2 * lanes
        parts = [self._block(outer, at, rows) for at in range(0, sides[outer].out, rows)]
        self.count = len(parts)
        self.blocks = _table(_heads(parts))
        self.rows = _table([row for part in parts for row in part.rows])
        self.slots = _table([slot for part in parts for slot in part.slots])
        self.outs = _table([out for part in parts for out in part.outs])
        self.most = max(part.count for part in parts)
        self.number = sum(part.count for part in parts)
        self.full = not self.flat and all(
            n == lanes // self.pieces for *_, n in (slot for part in parts for slot in part.slots)
        )
        taps = [self._offset(tap) for tap in product(*(s.taps for s in sides))]
        self._taps = [
            (c, offset, c * per_channel + weight)
            for c in range(channels)
            for offset, weight in zip(taps, weights, strict=True)
        ]
        self.depth = len(self._taps)
        self.held: dict[Any, Any] = {}

    def tables(self, several: int) -> tuple[int, ...]:
        """Where the tables begin, for so many images at a time: blocks, rows, slots, outs, taps.

        The planes of a channel lie side by side, image after image.
        """
        found = self.held.get(several)
        if found is None:
            apart = self.plane * several
            taps = _table([(c * apart + offset, weight) for c, offset, weight in self._taps])
            tables = (self.blocks, self.rows, self.slots, self.outs, taps)
            places = tuple(table.__array_interface__["data"][0] for table in tables)
            found = self.held[several] = (places, tables)
        return found[0]

    def _pieces(self) -> int:
        """How many pieces of rows make a slot; 0 where slots run on."""
        wide = self.sides[2].out
        costs = {0: self.size[2] * 1.02}
        if self.out_step == 1:
            for pieces, more in ((1, 1.0), (2, 1.03), (4, 1.15)):  # to put a vector together
                if pieces == 1 or self.lanes // pieces >= 4:
                    part = self.lanes // pieces
                    costs[pieces] = -(-wide // part) * part * more
        return min(costs, key=costs.__getitem__)

    def _extent(self, side: int, outs: int) -> int:
        """Places of a plane along a side, for so many results."""
        s = self.sides[side]
        return outs + max((t // s.step for t in s.taps), default=0)

    def _rows_at_a_time(self, outer: int) -> int:
        each = len(self.residues) * self.channels * prod(self.size) // self.size[outer]
        out = self.sides[outer].out
        most = max(1, CACHE // max(1, each) - (self.size[outer] - out))
        return -(-out // -(-out // most))

    def _block(self, outer: int, at: int, rows: int) -> _Block:
        outs = [side.out for side in self.sides]
        starts = [0, 0, 0]
        starts[outer], outs[outer] = at, min(rows, outs[outer] - at)
        return _Block(self, starts, outs)

    def _offset(self, tap: tuple[int, ...]) -> int:
        """How far behind a window's place its element at a tap lies."""
        steps = [side.step for side in self.sides]
        residue = tuple(t % s for t, s in zip(tap, steps, strict=True))
        d, h, w = (t // s for t, s in zip(tap, steps, strict=True))
        at = self.residues.index(residue) * self.sub
        return at + (d * self.size[1] + h) * self.size[2] + w


class _Block:
    """Some rows of the result: what is copied into the planes for them, and where they go."""

    def __init__(self, layout: Layout, starts: list[int], outs: list[int]) -> None:
        self.rows = self._copies(layout, starts)
        lanes, wide = layout.lanes, outs[2]
        _, high, width = layout.size
        self.slots: list[tuple[int, int, int]] = []
        self.outs: list[tuple[int, int, int]] = []
        places = [
            ((d * high + h) * width, self._target(layout, starts, d, h))
            for d in range(outs[0])
            for h in range(outs[1])
        ]
        if layout.flat:
            last = places[-1][0] + wide
            self.slots = [(at, at, lanes) for at in range(0, last, lanes)]
            self.count = len(self.slots)
            self.outs = [(at, to, wide) for at, to in places]
        else:
            part = lanes // layout.pieces
            self.slots = [
                (at + w, to + w, min(part, wide - w)) for at, to in places
                for w in range(0, wide, part)
            ]  # fmt: skip
            while len(self.slots) % layout.pieces:
                self.slots.append((0, 0, 0))
            self.count = len(self.slots) // layout.pieces

    @staticmethod
    def _target(layout: Layout, starts: list[int], d: int, h: int) -> int:
        sd, sh, _ = layout.out_strides
        return layout.out_start + (starts[0] + d) * sd + (starts[1] + h) * sh

    @staticmethod
    def _copies(layout: Layout, starts: list[int]) -> list[tuple[int, int, int, int]]:
        """The rows of one channel, in the order of their places, zeros included."""
        depth, high, width = layout.sides
        size = layout.size
        found: list[tuple[int, int, int]] = []
        for number, (rd, rh, rw) in enumerate(layout.residues):
            left = _first(width, rw)
            count = max(0, -(-(width.n + width.lo - rw) // width.step) - left)
            count = min(count, size[2] - left)
            for d in range(size[0]):
                at_d = (starts[0] + d) * depth.step + rd - depth.lo
                for h in range(size[1]):
                    at_h = (starts[1] + h) * high.step + rh - high.lo
                    if 0 <= at_d < depth.n and 0 <= at_h < high.n and count > 0:
                        source = (
                            (at_d * high.n + at_h) * width.n + left * width.step + rw - width.lo
                        )
                        target = number * layout.sub + (d * size[1] + h) * size[2] + left
                        found.append((source, target, count))
        rows, end = [], layout.plane - layout.lanes
        for source, target, count in reversed(found):
            rows.append((source, target, count, end - target))
            end = target
        if end:
            rows.append((0, 0, 0, end))
        return rows[::-1]


def _first(side: Side, residue: int) -> int:
    """The first place of a residue's plane that lies in the image."""
    return max(0, -(-(side.lo - residue) // side.step))


def _heads(parts: list[_Block]) -> list[tuple[int, ...]]:
    heads, at = [], [0, 0, 0]
    for part in parts:
        sizes = [len(part.rows), part.count, len(part.outs)]
        heads.append(tuple(n for pair in zip(at, sizes, strict=True) for n in pair))
        at = [a + n for a, n in zip(at, sizes, strict=True)]
    return heads


def _table(rows: list[Any]) -> np.ndarray:
    return np.array(rows or [0], np.int64).reshape(-1)


@lru_cache(maxsize=256)
def forward(geo: Any, lanes: int) -> Layout:
    """The layout of a convolution of one group; `geo` has three sides."""
    sides = [
        Side(n, lo, out, s, [i * d for i in range(k)])
        for n, lo, out, s, d, k in zip(
            geo.ins, geo.lo, geo.outs, geo.stride, geo.dilation, geo.kernel, strict=True
        )
    ]
    taps = geo.taps
    _, oh, ow = geo.outs
    return Layout(sides, geo.c, range(taps), taps, lanes, 1, 0, (oh * ow, ow, 1))


@lru_cache(maxsize=256)
def backward(geo: Any, lanes: int) -> list[Layout]:
    """The layouts of its adjoint in the input: one for each residue of the places by the stride.

    A place i of the input was read at tap t by the window o where i + lo = o · stride + t ·
    dilation; places of one residue are read by the same taps, and by windows side by side.
    """
    _, kh, kw = geo.kernel
    found = []
    for residue in product(*(range(s) for s in geo.stride)):
        sides, kept, starts, empty = [], [], [], False
        for i in range(3):
            n, lo, s, d = geo.ins[i], geo.lo[i], geo.stride[i], geo.dilation[i]
            first = (residue[i] - lo) % s  # the first place of this residue
            taps = [t for t in range(geo.kernel[i]) if (t * d - residue[i]) % s == 0]
            count = max(0, -(-(n - first) // s))
            empty |= count == 0
            # window of the first place at tap t: base - t * d // s
            windows = [(first + lo - t * d) // s for t in taps]
            low = min([*windows, 0]) if windows else 0
            sides.append(Side(geo.outs[i], -low, count, 1, [w - low for w in windows]))
            kept.append(taps)
            starts.append(first)
        if empty:
            continue
        _, h, w = geo.ins
        weights = [(a * kh + b) * kw + c for a, b, c in product(*kept)]
        sd, sh, sw = geo.stride
        start = (starts[0] * h + starts[1]) * w + starts[2]
        found.append(
            Layout(
                sides, geo.k, weights, geo.c * geo.taps, lanes, sw, start, (sd * h * w, sh * w, sw)
            )
        )  # fmt: skip
    return found


__all__ = ["Layout", "backward", "forward"]
