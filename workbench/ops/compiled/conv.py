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
from workbench.arrays.compiler.ir import Function, Value, element_of, lanes_of, vector
from workbench.arrays.compiler.kernel import address, kernel, real
from workbench.arrays.scratch import scratch

from . import conv_layout
from .conv_layout import Layout

_MUCH = 1 << 14  # elements of a weight from which on several threads pack it
_DEEP = 64  # slots from which on a sum for the weight's gradient hides its beginning and end
_ROOM = 320 << 10  # elements of planes and gradients that such a sum may run over


def _heads(fn: Function, blocks: Value, block: Value) -> list[Value]:
    """The block's (first, number) of rows, slots and rows of results."""
    head = fn.at(blocks, block * 6, "i64")
    return [fn.load("i64", head, i) for i in range(6)]


def _copy_planes(
    fn: Function, source: Value, target: Value, rows: Value, first: Value, number: Value,
    channels: Value, between: Value, plane: Value, step: int, kind: str,
) -> None:  # fmt: skip
    """Copy an image's rows to its planes, each with the zeros behind it, all channels' in turn.

    Whole vectors are stored, in order: what one writes too much the next overwrites.
    """
    lanes, element = lanes_of(kind), element_of(kind)
    with fn.range(0, number) as r:
        row = fn.at(rows, (first + r) * 4, "i64")
        at, to, count, span = (fn.load("i64", row, i) for i in range(4))
        line, room = fn.at(source, at, element), fn.at(target, to, element)
        with fn.range(0, span, lanes) as i:
            lit = _Stepped(fn, i, count - i, step, kind)
            into = fn.at(room, i, element)
            with fn.range(0, channels) as c:
                fn.store(lit.load(fn.at(line, c * between, element)), into, c * plane)


class _Stepped:
    """Loads of `left` elements of a row from the i-th on, `step` apart; zeros behind them."""

    def __init__(self, fn: Function, i: Value, left: Value, step: int, kind: str) -> None:
        self.fn, self.i, self.left, self.step, self.kind = fn, i, left, step, kind
        lanes = self.lanes = lanes_of(kind)
        self.masks: list[Value] = []
        if step == 1:
            self.masks = [fn.mask(lanes, left)]
        elif step == 2 and lanes > 1:
            self.masks = [fn.mask(lanes, left * 2 - 1), fn.mask(lanes, left * 2 - 1 - lanes)]

    def load(self, line: Value) -> Value:
        """The vector."""
        fn, lanes, kind = self.fn, self.lanes, self.kind
        parts = [
            fn.load_some(kind, line, self.i * self.step + lanes * n, mask)
            for n, mask in enumerate(self.masks)
        ]
        if len(parts) == 2:
            return fn.shuffle(*parts, range(0, 2 * lanes, 2))
        return parts[0] if parts else self._one_by_one(line)

    def _one_by_one(self, line: Value) -> Value:
        fn, found = self.fn, self.fn.of(self.kind, 0)
        element = element_of(self.kind)
        for lane in range(self.lanes):
            place = fn.variable(element, 0)
            with fn.when(self.left > lane):
                place.set(fn.load(element, line, (self.i + lane) * self.step))
            if self.lanes == 1:
                return place.get()
            found = fn.make(self.kind, f"insertelement {found}, {place.get()}, i64 {lane}")
        return found


@kernel(
    "ptr x, ptr w, ptr bias, ptr out, ptr rooms, i64 room, ptr blocks, ptr rows, ptr slots, "
    "ptr outs, ptr taps, i64 count, i64 parts, i64 channels, i64 plane, i64 x_channel, "
    "i64 x_image, i64 y_channel, i64 y_image, i64 k, i64 w_row, i64 depth"
)
def _planes(
    fn: Function, x: Value, w: Value, bias: Value, out: Value, rooms: Value, room: Value,
    blocks: Value, rows: Value, slots: Value, outs: Value, taps: Value, count: Value, parts: Value,
    channels: Value, plane: Value, x_channel: Value, x_image: Value, y_channel: Value,
    y_image: Value, k: Value, w_row: Value, depth: Value, begin: Value, end: Value, worker: Value,
    *, real: str, step: int, out_step: int, flat: bool, full: bool, pieces: int, biased: bool,
) -> None:  # fmt: skip
    """Convolve; an item is (image, block, part of the output channels)."""
    high, wide, lanes = tile.size(real)
    kind = vector(lanes, real)
    mine = fn.at(rooms, worker * room, real)
    held = fn.at(mine, channels * plane + lanes, real)  # results of slots that run on
    with fn.range(begin, end) as item:
        part, rest = item % parts, item // parts
        block, image = rest % count, rest // count
        row_at, row_n, slot_at, slot_n, out_at, out_n = _heads(fn, blocks, block)
        _copy_planes(fn, fn.at(x, image * x_image, real), mine, rows, row_at, row_n, channels,
                     x_channel, plane, step, kind)  # fmt: skip
        panels = (k + high - 1) // high
        with fn.range(panels * part // parts, panels * (part + 1) // parts) as panel:
            top = panel * high
            filters = [fn.minimum(top + m, k - 1) for m in range(high)]
            packed = pieces > 1  # places in registers leave none for a pointer to every row
            lines = [fn.at(w, f * w_row, real) for f in filters]
            near = fn.at(w, panel * depth * high, real)
            begins = [fn.load(real, bias, f) for f in filters] if biased else None
            made = fn.at(out, image * y_image + top * y_channel, real)
            apart = slot_n * lanes if flat else y_channel
            into = held if flat else made
            whole = slot_n // wide * wide

            def sums(first: Value, vectors: int) -> None:
                these = [
                    _Slot(fn, fn.at(slots, (slot_at + first + v) * (3 * pieces), "i64"), pieces)
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
                    lambda n, v: _pieced(fn, kind, places[v], tap(n)[0]),
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


@kernel("ptr w, ptr out, ptr taps, i64 depth, i64 w_row, i64 k")
def _pack(
    fn: Function, w: Value, out: Value, taps: Value, depth: Value, w_row: Value, k: Value,
    begin: Value, end: Value, worker: Value, *, real: str,
) -> None:  # fmt: skip
    """The weight as the tiles read it: (panel, (channel, tap), row of the panel)."""
    high, _, _ = tile.size(real)
    with fn.range(begin, end) as panel:
        lines = [fn.at(w, fn.minimum(panel * high + m, k - 1) * w_row, real) for m in range(high)]
        into = fn.at(out, panel * depth * high, real)
        with fn.range(0, depth) as n:
            at = fn.load("i64", taps, n * 2 + 1)
            for m, line in enumerate(lines):
                fn.store(fn.load(real, line, at), into, n * high + m)


class _Slot:
    """A slot's entry in the table: where its pieces are read and written."""

    def __init__(self, fn: Function, head: Value, pieces: int) -> None:
        self.fn, self.head, self.pieces = fn, head, pieces
        self.places = [fn.load("i64", head, q * 3) for q in range(pieces)]

    def target(self, q: int) -> Value:
        """Where a piece lies in the result."""
        return self.fn.load("i64", self.head, q * 3 + 1)

    def lit(self, q: int, lanes: int) -> Value:
        """The mask of a piece's lanes."""
        return self.fn.mask(lanes, self.fn.load("i64", self.head, q * 3 + 2))

    def store(self, value: Value, line: Value, whole: bool) -> None:
        """Write the pieces of a vector to a channel of the result."""
        fn, part = self.fn, lanes_of(value.kind) // self.pieces
        element = element_of(value.kind)
        for q in range(self.pieces):
            some = value
            if self.pieces > 1:
                some = fn.shuffle(value, value, range(q * part, (q + 1) * part))
            place = fn.at(line, self.target(q), element)
            if whole:
                fn.store(some, place)
            else:
                fn.store_some(some, place, 0, self.lit(q, part))


def _pieced(fn: Function, kind: str, places: list[Value], shift: Value) -> Value:
    """A vector of pieces, each read `shift` elements behind its place."""
    part = vector(lanes_of(kind) // len(places), element_of(kind))
    return _joined(fn, [fn.load(part, place, shift) for place in places])


def _joined(fn: Function, parts: list[Value]) -> Value:
    """Vectors side by side."""
    while len(parts) > 1:
        both = range(2 * lanes_of(parts[0].kind))
        parts = [fn.shuffle(a, b, both) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


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


def _run(
    lay: Layout, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, out: np.ndarray,
    w_row: int,
) -> None:  # fmt: skip
    """`out` (N, K, …) from images (N, C, …) and a weight whose rows are `w_row` apart."""
    images, channels, k = x.shape[0], x.shape[1], out.shape[1]
    key = (images, k, bias is None)
    if key not in lay.held:
        kind = real(x.dtype)
        high, _, lanes = tile.size(kind)
        room = lay.channels * lay.plane + (1 + high * lay.most) * lanes
        items = images * lay.count
        parts = 1 if items > 1 else max(1, min(-(-k // high) // 2, 4))
        made = _planes.of(
            real=kind, step=lay.step, out_step=lay.out_step, flat=lay.flat, full=lay.full,
            pieces=lay.pieces, biased=bias is not None,
        )  # fmt: skip
        lay.held[key] = (made, room, items * parts, parts)
    made, room, items, parts = lay.held[key]
    rooms = scratch("conv", (parallel.threads(), room), x.dtype)
    x_channel, y_channel = x.size // (images * channels), out.size // (images * k)
    if lay.pieces > 1:
        kind = real(x.dtype)
        high = tile.size(kind)[0]
        panels = -(-k // high)
        packed = scratch("conv weight", (panels, lay.depth, high), x.dtype)
        _pack(panels, 1 if w.size > _MUCH else panels, address(w), address(packed), lay.tables[4],
              lay.depth, w_row, k, real=kind)  # fmt: skip
        w = packed
    made(
        items, 1, address(x), address(w), 0 if bias is None else address(bias), address(out),
        address(rooms), room, *lay.tables, lay.count, parts, channels, lay.plane, x_channel,
        x_channel * channels, y_channel, y_channel * k, k, w_row, lay.depth,
    )  # fmt: skip


@kernel(
    "ptr x, ptr y, ptr sums, ptr rooms, i64 room, ptr blocks, ptr rows, ptr slots, ptr outs, "
    "ptr taps, i64 count, i64 group, i64 images, i64 channels, i64 plane, i64 x_channel, "
    "i64 y_channel, i64 k, i64 depth, i64 most"
)
def _weights(
    fn: Function, x: Value, y: Value, sums: Value, rooms: Value, room: Value, blocks: Value,
    rows: Value, slots: Value, outs: Value, taps: Value, count: Value, group: Value, images: Value,
    channels: Value, plane: Value, x_channel: Value, y_channel: Value, k: Value, depth: Value,
    most: Value, begin: Value, end: Value, worker: Value, *, real: str, step: int, flat: bool,
    pieces: int,
) -> None:  # fmt: skip
    """The weight's gradient of each item: (group of images, block) → `sums`.

    These are whole tiles: (items, K / rows, depth / columns, rows, columns). Gradients lie beside
    the planes as (panel, slot, filter, lane): the loop over the slots reads them in a row.
    """
    high, across, lanes = tile.size(real)
    kind = vector(lanes, real)
    mine = fn.at(rooms, worker * room, real)
    whole = channels * plane  # of one image
    panels, columns = (k + high - 1) // high, (depth + across - 1) // across
    gradients = fn.at(mine, group * whole + lanes, real)
    line = fn.at(gradients, group * most * panels * (high * lanes), real)
    with fn.range(begin, end) as item:
        block, first = item % count, item // count * group
        row_at, row_n, slot_at, slot_n, out_at, out_n = _heads(fn, blocks, block)
        number = fn.minimum(images - first, group)
        with fn.range(0, number) as g:
            image = first + g
            source = fn.at(x, image * channels * x_channel, real)
            _copy_planes(fn, source, fn.at(mine, g * whole, real), rows, row_at, row_n, channels,
                         x_channel, plane, step, kind)  # fmt: skip
            with fn.range(0, panels * high) as f:
                place = (f // high * (number * slot_n) + g * slot_n) * high + f % high
                target = fn.at(gradients, place * lanes, real)
                with fn.either(f < k) as otherwise:
                    source = fn.at(y, (image * k + f) * y_channel, real)
                    if flat:
                        _spread(fn, source, line, outs, out_at, out_n, slot_n, kind, lanes, real)
                        with fn.range(0, slot_n) as s:
                            fn.store(fn.load(kind, line, s * lanes), target, s * (high * lanes))
                    else:
                        with fn.range(0, slot_n) as s:
                            head = fn.at(slots, (slot_at + s) * (3 * pieces), "i64")
                            slot, part = _Slot(fn, head, pieces), lanes // pieces
                            some = [
                                fn.load_some(
                                    vector(part, real), source, slot.target(q), slot.lit(q, part)
                                )
                                for q in range(pieces)
                            ]
                            fn.store(_joined(fn, some), target, s * (high * lanes))
                    otherwise()
                    with fn.range(0, slot_n) as s:
                        fn.store(fn.of(kind, 0), target, s * (high * lanes))
        mean = fn.at(sums, item * panels * high * columns * across, real)
        with fn.range(0, panels) as panel:
            given = fn.at(gradients, panel * number * slot_n * (high * lanes), real)
            with fn.range(0, columns) as column:
                planes = []
                for v in range(across):
                    j = fn.minimum(column * across + v, depth - 1)
                    planes.append(fn.at(mine, fn.load("i64", taps, j * 2), real))
                into = tile.sums(fn, high, across, lanes, real)
                with fn.range(0, number) as g:
                    shift = g * whole
                    near = fn.at(given, g * slot_n * (high * lanes), real)
                    with fn.range(0, slot_n) as s:
                        head = fn.at(slots, (slot_at + s) * (3 * pieces), "i64")
                        places = _Slot(fn, head, pieces).places
                        several = [
                            _pieced(fn, kind, [fn.at(p, at, real) for at in places], shift)
                            for p in planes
                        ]
                        for m, places in enumerate(into):
                            here = fn.load(kind, near, s * (high * lanes) + m * lanes)
                            for place, value in zip(places, several, strict=True):
                                place.set(fn.fma(here, value, place))
                to = fn.at(mean, (panel * columns + column) * (high * across), real)
                made = [place.get() for places in into for place in places]
                for first_ in range(0, len(made), lanes):
                    some = made[first_ : first_ + lanes]
                    fn.store(_totals(fn, some, lanes), to, first_)


def _totals(fn: Function, vectors: list[Value], lanes: int) -> Value:
    """A vector of the sums of the lanes of each vector; they are a power of 2, at most `lanes`.

    Neighbouring lanes of two vectors are added at a time, so that of two vectors one is left.
    """
    count, even, odd = len(vectors), range(0, 2 * lanes, 2), range(1, 2 * lanes, 2)
    while len(vectors) > 1:
        vectors = [
            fn.shuffle(a, b, even) + fn.shuffle(a, b, odd)
            for a, b in zip(vectors[::2], vectors[1::2], strict=True)
        ]
    made = vectors[0]
    while lanes > count:
        even, odd = range(0, lanes, 2), range(1, lanes, 2)
        made = fn.shuffle(made, made, even) + fn.shuffle(made, made, odd)
        lanes //= 2
    return made


def _spread(
    fn: Function, source: Value, line: Value, outs: Value, first: Value, number: Value,
    slots: Value, kind: str, lanes: int, real: str,
) -> None:  # fmt: skip
    """Lay rows of gradients out as slots that run on, zeros between them."""
    with fn.range(0, slots) as s:
        fn.store(fn.of(kind, 0), line, s * lanes)
    with fn.range(0, number) as r:
        row = fn.at(outs, (first + r) * 3, "i64")
        at, to, count = (fn.load("i64", row, i) for i in range(3))
        into, given = fn.at(line, at, real), fn.at(source, to, real)
        with fn.range(0, count, lanes) as i:
            lit = fn.mask(lanes, count - i)
            fn.store_some(fn.load_some(kind, given, i, lit), into, i, lit)


def filled(geo: Any, char: str) -> float:
    """The share of the lanes that hold results, in a convolution of three sides."""
    lay = conv_layout.forward(geo, tile.size(real(np.dtype(char)))[2])
    return prod(geo.outs) / (lay.number * lay.lanes)


def forward(x: Any, w: Any, geo: Any, out: Any, bias: Any = None) -> None:
    """Images (N, C, D, H, W), a weight (K, C, kd, kh, kw) and a bias (K) → `out` (N, K, …)."""
    _run(conv_layout.forward(geo, _lanes(x)), x, w, bias, out, geo.c * geo.taps)


def adjoint_input(y: Any, w: Any, geo: Any, out: Any) -> None:
    """Gradients (N, K, D, H, W) of the result and the weight → `out` (N, C, D, H, W)."""
    for lay in conv_layout.backward(geo, _lanes(y)):
        _run(lay, y, w, None, out, geo.taps)


def adjoint_weight(x: Any, y: Any, geo: Any, out: Any) -> None:
    """Images and gradients of the result → `out`, the weight's gradient."""
    lay = conv_layout.forward(geo, _lanes(x))
    kind = real(x.dtype)
    high, across, lanes = tile.size(kind)
    panels, columns = -(-geo.k // high), -(-lay.depth // across)
    each = lay.channels * lay.plane + lay.most * panels * high * lanes
    group = 1 if lay.count > 1 else max(1, min(geo.batch, _DEEP // lay.most, _ROOM // each))
    items = -(-geo.batch // group) * lay.count
    room = group * each + (2 + lay.most) * lanes
    rooms = scratch("conv", (parallel.threads(), room), x.dtype)
    sums = scratch("conv sums", (items, panels, columns, high, across), x.dtype)
    _weights(
        items, 1, address(x), address(y), address(sums), address(rooms), room,
        *lay.tables, lay.count, group, geo.batch, lay.channels, lay.plane, x[0, 0].size,
        y[0, 0].size, geo.k, lay.depth, lay.most,
        real=kind, step=lay.step, flat=lay.flat, pieces=lay.pieces,
    )  # fmt: skip
    total = np.add.reduce(sums, axis=0).transpose(0, 2, 1, 3)
    total = total.reshape(panels * high, columns * across)
    out.reshape(geo.k, lay.depth)[...] = total[: geo.k, : lay.depth]


def _lanes(x: np.ndarray) -> int:
    return tile.size(real(x.dtype))[2]
