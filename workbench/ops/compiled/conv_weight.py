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
from workbench.arrays.compiler.ir import Function, Value, element_of, lanes_of, vector
from workbench.arrays.compiler.kernel import address, kernel, real
from workbench.arrays.scratch import scratch

from . import conv_layout
from .conv_slots import Slot, copy_planes, heads, joined, pieced

_DEEP = 64  # slots from which on a sum hides its beginning and end
_ROOM = 320 << 10  # elements of planes and gradients that it may run over
_FAR = 1 << 20  # likewise where the sums themselves are large
_SUMS = 1 << 21  # elements of all chunks' sums
_PARTS = 4  # items of work there should be at least


@kernel(
    "ptr x, ptr y, ptr sums, ptr rooms, i64 room, ptr blocks, ptr rows, ptr slots, ptr outs, "
    "ptr taps, i64 count, i64 group, i64 images, i64 channels, i64 plane, i64 x_channel, "
    "i64 y_channel, i64 k, i64 depth, i64 most, i64 groups, i64 parts, i64 chunk"
)
def _weights(
    fn: Function, x: Value, y: Value, sums: Value, rooms: Value, room: Value, blocks: Value,
    rows: Value, slots: Value, outs: Value, taps: Value, count: Value, group: Value, images: Value,
    channels: Value, plane: Value, x_channel: Value, y_channel: Value, k: Value, depth: Value,
    most: Value, groups: Value, parts: Value, chunk: Value, begin: Value, end: Value,
    worker: Value, *, real: str, high: int, across: int, step: int, flat: bool, pieces: int,
) -> None:  # fmt: skip
    """The weight's gradient of each item (a chunk of images, block, group, part of K) → `sums`.

    These are whole tiles: (items, K / high, depth / across, tile). Gradients lie beside the planes
    as (panel, slot, filter, lane): the loop over the slots reads them in a row.
    """
    lanes = tile.size(real)[2]
    kind = vector(lanes, real)
    mine = fn.at(rooms, worker * room, real)
    panels, columns = (k + high - 1) // high, (depth + across - 1) // across
    gradients = fn.at(mine, group * channels * plane + lanes, real)
    each = (panels + parts - 1) // parts
    line = fn.at(gradients, group * most * each * (high * lanes), real)
    with fn.range(begin, end) as item:
        part, rest = item % parts, item // parts
        of, rest = rest % groups, rest // groups
        block, first = rest % count, rest // count * chunk
        low, high_ = panels * part // parts, panels * (part + 1) // parts
        last = fn.minimum(first + chunk, images)
        row_at, row_n, slot_at, slot_n, out_at, out_n = heads(fn, blocks, block)
        size = tile_room(high * across, lanes)
        mean = fn.at(sums, item // parts * panels * columns * size, real)
        with fn.range(first, last, group) as start:
            number = fn.minimum(last - start, group)
            with fn.range(0, number) as g:
                image = (start + g) * groups + of
                source = fn.at(x, image * channels * x_channel, real)
                target = fn.at(mine, g * plane, real)
                copy_planes(
                    fn, source, target, rows, row_at, row_n, channels, x_channel, plane * group,
                    step, kind,
                )  # fmt: skip
                with fn.range(low * high, high_ * high) as f:
                    place = (f // high - low) * (number * slot_n) + g * slot_n
                    target = fn.at(gradients, (place * high + f % high) * lanes, real)
                    with fn.either(f < k) as otherwise:
                        source = fn.at(y, (image * k + f) * y_channel, real)
                        if flat:
                            _spread(
                                fn, source, line, outs, out_at, out_n, slot_n, kind, lanes, real
                            )
                        with fn.range(0, slot_n) as s:
                            head = fn.at(slots, (slot_at + s) * (3 * pieces), "i64")
                            some = (
                                fn.load(kind, line, s * lanes)
                                if flat
                                else _given(fn, Slot(fn, head, pieces), source, kind)
                            )
                            fn.store(some, target, s * (high * lanes))
                        otherwise()
                        with fn.range(0, slot_n) as s:
                            fn.store(fn.of(kind, 0), target, s * (high * lanes))
            with fn.range(low, high_) as panel:
                given = fn.at(gradients, (panel - low) * number * slot_n * (high * lanes), real)
                with fn.range(0, columns) as column:
                    planes = []
                    for v in range(across):
                        j = fn.minimum(column * across + v, depth - 1)
                        planes.append(fn.at(mine, fn.load("i64", taps, j * 2), real))
                    into = tile.sums(fn, high, across, lanes, real)
                    with fn.range(0, number) as g:
                        shift = g * plane
                        near = fn.at(given, g * slot_n * (high * lanes), real)
                        with fn.range(0, slot_n) as s:
                            head = fn.at(slots, (slot_at + s) * (3 * pieces), "i64")
                            places = Slot(fn, head, pieces).places
                            several = [
                                pieced(fn, kind, [fn.at(p, at, real) for at in places], shift)
                                for p in planes
                            ]
                            for m, row in enumerate(into):
                                here = fn.load(kind, near, s * (high * lanes) + m * lanes)
                                for place, value in zip(row, several, strict=True):
                                    place.set(fn.fma(here, value, place))
                    made = [place.get() for row in into for place in row]
                    made += [fn.of(kind, 0)] * (size - len(made))
                    to = fn.at(mean, (panel * columns + column) * size, real)
                    for at in range(0, size, lanes):
                        _add(fn, _totals(fn, made[at : at + lanes], lanes), to, at, start > first)


def _given(fn: Function, slot: Slot, source: Value, kind: str) -> Value:
    """A slot of gradients, zeros in the lanes it leaves empty."""
    part = lanes_of(kind) // slot.pieces
    few = vector(part, element_of(kind))
    return joined(
        fn,
        [fn.load_some(few, source, slot.target(q), slot.lit(q, part)) for q in range(slot.pieces)],
    )


def _add(fn: Function, sums: Value, to: Value, at: int, more: Value) -> None:
    """Store sums, added to what is there if there are `more` of them."""
    before = fn.variable(sums.kind, 0)
    with fn.when(more):
        before.set(fn.load(sums.kind, to, at))
    fn.store(before.get() + sums, to, at)


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
        lay.held[key] = _way(lay, geo, k, kind)
    made, high, across, panels, columns, group, chunk, chunks, parts, room = lay.held[key]
    rooms = scratch("conv", (parallel.threads(), room), x.dtype)
    size = tile_room(high * across, lay.lanes)
    sums = scratch("conv sums", (chunks, geo.groups, panels, columns, size), x.dtype)
    made(
        chunks * geo.groups * parts, 1, address(x), address(y), address(sums), address(rooms), room,
        *lay.tables(group), lay.count, group, geo.batch, lay.channels, lay.plane,
        x.size // (geo.batch * geo.c), y.size // (geo.batch * geo.k), k, lay.depth, lay.most,
        geo.groups, parts, chunk,
    )  # fmt: skip
    total = sums[0] if chunks == 1 else np.add.reduce(sums, axis=0)
    total = total[..., : high * across]
    total = total.reshape(geo.groups, panels, columns, high, across).transpose(0, 1, 3, 2, 4)
    if k == panels * high and lay.depth == columns * across:
        out.reshape(total.shape)[...] = total
        return
    total = total.reshape(geo.groups, panels * high, columns * across)
    out.reshape(geo.groups, k, lay.depth)[...] = total[:, :k, : lay.depth]


def _way(lay: conv_layout.Layout, geo: Any, k: int, kind: str) -> Any:
    """How the work is cut: into chunks of images while their sums are small, else along K."""
    high, across = _tile(k, lay.depth, kind)
    made = _weights.of(
        real=kind, high=high, across=across, step=lay.step, flat=lay.flat, pieces=lay.pieces
    )
    panels, columns = -(-k // high), -(-lay.depth // across)
    size = panels * columns * tile_room(high * across, lay.lanes) * geo.groups * lay.count
    image = lay.channels * lay.plane
    gradients = lay.most * high * lay.lanes
    each = image + panels * gradients
    group = min(_DEEP // lay.most, _ROOM // each)
    parts = 1
    if size * -(-geo.batch // max(1, group)) > _SUMS:
        parts = min(panels, _PARTS)
        each = image + -(-panels // parts) * gradients
        group = _FAR // each  # or the sums come and go for every few images
    group = 1 if lay.count > 1 else max(1, min(geo.batch, group))
    chunk = group * -(-geo.batch // (group * max(1, min(_SUMS // size, -(-geo.batch // group)))))
    chunks = -(-geo.batch // chunk) * lay.count
    room = group * each + (2 + lay.most) * lay.lanes
    return made, high, across, panels, columns, group, chunk, chunks, parts, room
