"""The weight's gradient of a compiled convolution: gradients times shifted planes.

Sums run over places (slots) of some images at a time, a tile of (filters) x (channel, tap) at once,
each sum a vector that is added up at the end; the sums of all groups of images are then added in
order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import parallel
from workbench.arrays.compiler import tile
from workbench.arrays.compiler.ir import Function, Value, vector
from workbench.arrays.compiler.kernel import address, kernel, real
from workbench.arrays.scratch import scratch

from . import conv_layout
from .conv_slots import Slot, copy_planes, heads, joined, pieced

_DEEP = 64  # slots from which on a sum hides its beginning and end
_ROOM = 320 << 10  # elements of planes and gradients that it may run over


@kernel(
    "ptr x, ptr y, ptr sums, ptr rooms, i64 room, ptr blocks, ptr rows, ptr slots, ptr outs, "
    "ptr taps, i64 count, i64 group, i64 images, i64 channels, i64 plane, i64 x_channel, "
    "i64 y_channel, i64 k, i64 depth, i64 most, i64 groups"
)
def _weights(
    fn: Function, x: Value, y: Value, sums: Value, rooms: Value, room: Value, blocks: Value,
    rows: Value, slots: Value, outs: Value, taps: Value, count: Value, group: Value, images: Value,
    channels: Value, plane: Value, x_channel: Value, y_channel: Value, k: Value, depth: Value,
    most: Value, groups: Value, begin: Value, end: Value, worker: Value, *, real: str, high: int,
    across: int, step: int, flat: bool, pieces: int,
) -> None:  # fmt: skip
    """The weight's gradient of each item (some images, block, group) → `sums`.

    These are whole tiles: (items, K / high, depth / across, tile). Gradients lie beside the planes
    as (panel, slot, filter, lane): the loop over the slots reads them in a row.
    """
    lanes = tile.size(real)[2]
    kind = vector(lanes, real)
    mine = fn.at(rooms, worker * room, real)
    whole = channels * plane  # of one image
    panels, columns = (k + high - 1) // high, (depth + across - 1) // across
    gradients = fn.at(mine, group * whole + lanes, real)
    line = fn.at(gradients, group * most * panels * (high * lanes), real)
    with fn.range(begin, end) as item:
        of, rest = item % groups, item // groups
        block, first = rest % count, rest // count * group
        row_at, row_n, slot_at, slot_n, out_at, out_n = heads(fn, blocks, block)
        number = fn.minimum(images - first, group)
        with fn.range(0, number) as g:
            image = first + g
            source = fn.at(x, (image * groups + of) * channels * x_channel, real)
            copy_planes(fn, source, fn.at(mine, g * whole, real), rows, row_at, row_n, channels,
                         x_channel, plane, step, kind)  # fmt: skip
            with fn.range(0, panels * high) as f:
                place = (f // high * (number * slot_n) + g * slot_n) * high + f % high
                target = fn.at(gradients, place * lanes, real)
                with fn.either(f < k) as otherwise:
                    source = fn.at(y, ((image * groups + of) * k + f) * y_channel, real)
                    if flat:
                        _spread(fn, source, line, outs, out_at, out_n, slot_n, kind, lanes, real)
                        with fn.range(0, slot_n) as s:
                            fn.store(fn.load(kind, line, s * lanes), target, s * (high * lanes))
                    else:
                        with fn.range(0, slot_n) as s:
                            head = fn.at(slots, (slot_at + s) * (3 * pieces), "i64")
                            slot, part = Slot(fn, head, pieces), lanes // pieces
                            some = [
                                fn.load_some(
                                    vector(part, real), source, slot.target(q), slot.lit(q, part)
                                )
                                for q in range(pieces)
                            ]
                            fn.store(joined(fn, some), target, s * (high * lanes))
                    otherwise()
                    with fn.range(0, slot_n) as s:
                        fn.store(fn.of(kind, 0), target, s * (high * lanes))
        mean = fn.at(sums, item * panels * columns * tile_room(high * across, lanes), real)
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
                        places = Slot(fn, head, pieces).places
                        several = [
                            pieced(fn, kind, [fn.at(p, at, real) for at in places], shift)
                            for p in planes
                        ]
                        for m, places in enumerate(into):
                            here = fn.load(kind, near, s * (high * lanes) + m * lanes)
                            for place, value in zip(places, several, strict=True):
                                place.set(fn.fma(here, value, place))
                size = tile_room(high * across, lanes)
                to = fn.at(mean, (panel * columns + column) * size, real)
                made = [place.get() for places in into for place in places]
                made += [fn.of(kind, 0)] * (size - len(made))
                for at in range(0, size, lanes):
                    fn.store(_totals(fn, made[at : at + lanes], lanes), to, at)


def tile_room(count: int, lanes: int) -> int:
    """Elements that a tile of `count` sums takes: whole vectors, then a power of 2."""
    rest = count % lanes
    return count - rest + (1 << (rest - 1).bit_length() if rest else 0)


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


def _tile(k: int, depth: int, kind: str) -> tuple[int, int]:
    """(filters, columns) of a tile, of `k` filters and `depth` columns."""
    high, across, _ = tile.size(kind)
    if k > high // 2:
        return high, across
    rows, most = (1, 12) if k == 1 else (high // 2, 2 * across)
    return rows, -(-depth // -(-depth // most))


def adjoint_weight(x: Any, y: Any, geo: Any, out: Any) -> None:
    """Images and gradients of the result → `out`, the weight's gradient."""
    kind, k = real(x.dtype), geo.k // geo.groups
    lay = conv_layout.forward(geo.group(), tile.size(kind)[2])
    key = ("weight", geo.batch, geo.groups)
    if key not in lay.held:
        high, across = _tile(k, lay.depth, kind)
        made = _weights.of(
            real=kind, high=high, across=across, step=lay.step, flat=lay.flat, pieces=lay.pieces
        )
        panels, columns = -(-k // high), -(-lay.depth // across)
        each = lay.channels * lay.plane + lay.most * panels * high * lay.lanes
        group = 1 if lay.count > 1 else max(1, min(geo.batch, _DEEP // lay.most, _ROOM // each))
        parts = -(-geo.batch // group) * lay.count
        room = group * each + (2 + lay.most) * lay.lanes
        lay.held[key] = (made, high, across, panels, columns, group, parts, room)
    made, high, across, panels, columns, group, parts, room = lay.held[key]
    rooms = scratch("conv", (parallel.threads(), room), x.dtype)
    size = tile_room(high * across, lay.lanes)
    sums = scratch("conv sums", (parts, geo.groups, panels, columns, size), x.dtype)
    made(
        parts * geo.groups, 1, address(x), address(y), address(sums), address(rooms), room,
        *lay.tables, lay.count, group, geo.batch, lay.channels, lay.plane,
        x.size // (geo.batch * geo.c), y.size // (geo.batch * geo.k), k, lay.depth, lay.most,
        geo.groups,
    )  # fmt: skip
    total = np.add.reduce(sums, axis=0)[..., : high * across]
    total = total.reshape(geo.groups, panels, columns, high, across).transpose(0, 1, 3, 2, 4)
    total = total.reshape(geo.groups, panels * high, columns * across)
    out.reshape(geo.groups, k, lay.depth)[...] = total[:, :k, : lay.depth]
