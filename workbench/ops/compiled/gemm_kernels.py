"""Kernels of the products of matrices: packing, strips of tiles, and the walk over blocks.

A product is `left` (m, depth) times `right` (depth, n). `right` is read a panel at a time, a panel
being one to three vectors of columns; `left` is read number by number and spread over the lanes. An
operand whose order in memory does not suit is packed first: `right` into panels, contiguous for
every k, `left` into groups of rows. A tile may be written transposed, so that either factor can
take either part: see `gemm.py`, which decides all of this by shape and order.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from workbench.arrays.compiler import tile
from workbench.arrays.compiler.ir import Function, Value, element_of, lanes_of, vector
from workbench.arrays.compiler.kernel import INSIDE, address, kernel

CHAIN = 256  # products added one after another; rounding grows with their number
SET, BIAS, ADD = 0, 1, 2  # what becomes of a tile: out = sums, out = sums + bias, out += sums


class _Panels:
    """Panels of a block: first `wide` ones of `wide_by` vectors, then ones of `narrow_by`."""

    def __init__(self, fn: Function, wide: Value, lanes: int, wide_by: int, narrow_by: int) -> None:
        self.fn, self.wide = fn, wide
        self.wide_columns, self.narrow_columns = wide_by * lanes, narrow_by * lanes

    def column(self, panel: Value) -> Value:
        """The first column of a panel."""
        first = panel * self.wide_columns
        rest = self.wide * self.wide_columns + (panel - self.wide) * self.narrow_columns
        return self.fn.select(panel < self.wide, first, rest)


def _each_width(fn: Function, panel: Value, wide: Value, wide_by: int, narrow_by: int,
                write: Any) -> None:  # fmt: skip
    """Write code for panels of both widths."""
    if not narrow_by:
        write(wide_by)
    else:
        with fn.either(panel < wide) as otherwise:
            write(wide_by)
            otherwise()
            write(narrow_by)


@kernel(
    "ptr left, i64 left_step, ptr right, i64 right_step, ptr out, i64 out_step, ptr bias, "
    "i64 m, i64 n, i64 depth, i64 mode, i64 chunk, i64 chunks, i64 wide"
)
def compute(fn: Function, left: Value, left_step: Value, right: Value, right_step: Value,
            out: Value, out_step: Value, bias: Value, m: Value, n: Value, depth: Value,
            mode: Value, chunk: Value, chunks: Value, wide: Value, begin: Value, end: Value,
            worker: Value, *, real: str, lanes: int, rows: int, wide_by: int, narrow_by: int,
            tail: int, left_form: str, packed: bool, bias_form: str, turned: bool,
            long: bool) -> None:  # fmt: skip
    """Items: `chunks` pieces of `chunk` rows for every panel.

    `left_form`: "rows" (the numbers of a row side by side), "columns" (those of a k) or "packed".
    `packed`: whether `right` is; only then may its last vector not be full. `tail`: the rows of the
    tile for what is left of m. `bias_form`: "rows", "columns" or none. `turned`: `out` is written
    transposed. `long`: whether `depth` may be more than `CHAIN`.
    """
    panels = _Panels(fn, wide, lanes, wide_by, narrow_by)
    most = max(wide_by, narrow_by)
    finish = _turned(real, lanes, rows, most, bias_form) if turned else (
        _edge(real, lanes, most, bias_form))  # fmt: skip
    held = fn.room(real, max(rows, lanes) * most * lanes)

    def compute_tile(count: int, row: Value, valid: Value | None, column: Value,
                     vectors: int) -> None:  # fmt: skip
        places = tile.sums(fn, count, vectors, lanes, real)
        last = None if valid is None else valid - 1
        numbers = [fn.of("i64", i) if last is None else fn.minimum(last, i) for i in range(count)]
        if left_form == "rows":
            starts = [fn.at(left, (row + number) * left_step, real) for number in numbers]
        elif left_form == "columns":
            starts = [fn.at(left, row + number, real) for number in numbers]
        else:
            starts = [fn.at(left, row * depth, real)]
        width = vectors * lanes
        base = fn.at(right, column * depth if packed else column, real)

        def left_at(k: Value, i: int) -> Value:
            if left_form == "rows":
                return fn.load(real, starts[i], k)
            if left_form == "columns":
                return fn.load(real, starts[i], k * left_step)
            return fn.load(real, starts[0], k * rows + i)

        def right_at(k: Value, v: int) -> Value:
            at = fn.at(base, k * (width if packed else right_step), real)
            return fn.load(vector(lanes, real), at, v * lanes)

        if long:
            flat = [place for line in places for place in line]
            for i in range(len(flat)):
                fn.store(fn.of(flat[i].kind, 0), held, i * lanes)
            with fn.range(0, depth, CHAIN) as start:
                stop = fn.minimum(start + CHAIN, depth)
                for place in flat:
                    place.set(0)
                tile.accumulate(fn, places, stop, left_at, right_at, start=start)
                for i, place in enumerate(flat):
                    place.set(fn.load(place.kind, held, i * lanes) + place.get())
                with fn.when(stop < depth):
                    for i, place in enumerate(flat):
                        fn.store(place.get(), held, i * lanes)
        else:
            tile.accumulate(fn, places, depth, left_at, right_at)
        sums = [[place.get() for place in line] for line in places]
        if valid is None and not turned:
            plain = fn.make("i1", f"and {mode.compare('!=', ADD)}, {(column + width <= n).name}")
            with fn.either(plain) as otherwise:
                at = fn.at(out, row * out_step + column, real)
                _store(fn, sums, at, out_step, fn.at(bias, column, real),
                       fn.at(bias, row, real), bias_form)  # fmt: skip
                otherwise()
                rest(count, sums, row, fn.of("i64", count), column, vectors)
        else:
            rest(count, sums, row, fn.of("i64", count) if valid is None else valid, column, vectors)

    def rest(count: int, sums: list[list[Value]], row: Value, valid: Value, column: Value,
             vectors: int) -> None:  # fmt: skip
        for i, line in enumerate(sums):
            for v, value in enumerate(line):
                fn.store(value, held, (i * vectors + v) * lanes)
        at = column * out_step + row if turned else row * out_step + column
        columns = fn.minimum(n - column, vectors * lanes)
        of_bias = fn.at(bias, row if bias_form == "rows" else column, real)
        fn.call(finish, held, fn.of("i64", vectors * lanes), fn.at(out, at, real), out_step,
                of_bias, valid, columns, mode)  # fmt: skip

    with fn.range(begin, end) as item:
        panel = item // chunks
        first = item % chunks * chunk
        stop = fn.minimum(first + chunk, m)
        whole = stop - (stop - first) % rows
        column = panels.column(panel)

        def strip(vectors: int) -> None:
            with fn.range(first, whole, rows) as row:
                compute_tile(rows, row, None, column, vectors)
            if tail:
                with fn.when(whole < stop):
                    compute_tile(tail, whole, stop - whole, column, vectors)

        _each_width(fn, panel, wide, wide_by, narrow_by, strip)


def _store(fn: Function, sums: list[list[Value]], at: Value, step: Value, along: Value,
           down: Value, bias_form: str) -> None:  # fmt: skip
    """Write a whole tile."""
    kind = sums[0][0].kind
    lanes = lanes_of(kind)
    every = [fn.load(kind, along, v * lanes) for v in range(len(sums[0]))
             ] if bias_form == "columns" else []  # fmt: skip
    for i, line in enumerate(sums):
        to = fn.at(at, step * i, element_of(kind))
        if bias_form == "rows":
            every = [fn.splat(fn.load(element_of(kind), down, i), lanes)] * len(line)
        for v, value in enumerate(line):
            fn.store(value + every[v] if every else value, to, v * lanes)


_PARAMETERS = (
    "ptr held, i64 width, ptr out, i64 step, ptr bias, i64 rows, i64 columns, i64 mode"
)  # fmt: skip


def _edge(real: str, lanes: int, vectors: int, bias_form: str) -> Function:
    """Write a tile that lies in memory, `rows` x `columns` of it, or add it to `out`."""
    fn = Function("edge", _PARAMETERS, local=True)
    held, width, out, step, bias, rows, columns, mode = fn.args
    kind = vector(lanes, real)
    with fn.range(0, rows) as row, fn.range(0, columns, lanes) as column:
        mask = fn.mask(lanes, columns - column)
        value = fn.variable(kind, fn.load(kind, held, row * width + column))
        place = fn.at(out, row * step + column, real)
        with fn.when(mode.compare("==", ADD)):
            value.set(fn.load_some(kind, place, 0, mask) + value.get())
        if bias_form:
            with fn.when(mode.compare("==", BIAS)):
                value.set(value.get() + (
                    fn.load_some(kind, bias, column, mask) if bias_form == "columns"
                    else fn.splat(fn.load(real, bias, row), lanes)))  # fmt: skip
        fn.store_some(value.get(), place, 0, mask)
    return fn


def _turned(real: str, lanes: int, most: int, vectors: int, bias_form: str) -> Function:
    """Write the transpose of such a tile: its columns are rows of `out`."""
    fn = Function("turned", _PARAMETERS, local=True)
    held, width, out, step, bias, rows, columns, mode = fn.args
    kind = vector(lanes, real)
    turned = fn.room(real, lanes * lanes)
    with fn.range(0, rows, lanes) as top, fn.range(0, columns, lanes) as left:
        mask = fn.mask(lanes, rows - top)
        corner = fn.at(held, top * width + left, real)
        # past the last row the one before the tile's end stands in: nothing of it is written
        last = most - 1 - top
        lines = [fn.load(kind, corner, fn.minimum(last, i) * width) for i in range(lanes)]
        for i, line in enumerate(tile.transpose(fn, lines)):
            fn.store(line, turned, i * lanes)
        with fn.range(0, fn.minimum(columns - left, lanes)) as i:
            value = fn.variable(kind, fn.load(kind, turned, i * lanes))
            place = fn.at(out, (left + i) * step + top, real)
            with fn.when(mode.compare("==", ADD)):
                value.set(fn.load_some(kind, place, 0, mask) + value.get())
            if bias_form:
                with fn.when(mode.compare("==", BIAS)):
                    value.set(value.get() + (
                        fn.load_some(kind, bias, top, mask) if bias_form == "rows"
                        else fn.splat(fn.load(real, bias, left + i), lanes)))  # fmt: skip
            fn.store_some(value.get(), place, 0, mask)
    return fn


@kernel("ptr source, i64 step, ptr target, i64 n, i64 depth, i64 wide")
def pack_right(fn: Function, source: Value, step: Value, target: Value, n: Value, depth: Value,
               wide: Value, begin: Value, end: Value, worker: Value, *, real: str, lanes: int,
               wide_by: int, narrow_by: int, across: bool) -> None:  # fmt: skip
    """Items: panels of `right`, whose rows (with `across`: whose columns) lie `step` apart."""
    panels = _Panels(fn, wide, lanes, wide_by, narrow_by)
    kind = vector(lanes, real)
    with fn.range(begin, end) as panel:
        column = panels.column(panel)
        into = fn.at(target, column * depth, real)

        def rows(vectors: int) -> None:
            start = fn.at(source, column, real)

            def copy(mask: Value | None) -> None:
                with fn.range(0, depth) as k:
                    at, to = fn.at(start, k * step, real), fn.at(into, k * vectors * lanes, real)
                    for v in range(vectors):
                        if mask is not None and v == vectors - 1:
                            value = fn.load_some(kind, at, v * lanes, mask)
                        else:
                            value = fn.load(kind, at, v * lanes)
                        fn.store(value, to, v * lanes)

            rest = n - column - (vectors - 1) * lanes
            with fn.either(rest >= lanes) as otherwise:
                copy(None)
                otherwise()
                copy(fn.mask(lanes, rest))

        if across:
            width = fn.select(panel < wide, fn.of("i64", panels.wide_columns),
                              fn.of("i64", panels.narrow_columns))  # fmt: skip
            with fn.range(0, width, lanes) as v:
                _pack_across(fn, source, step, fn.at(into, v, real), width, column + v, n, depth,
                             real, lanes)  # fmt: skip
        else:
            _each_width(fn, panel, wide, wide_by, narrow_by, rows)


def _pack_across(fn: Function, source: Value, step: Value, into: Value, width: Value,
                 first: Value, n: Value, depth: Value, real: str, lanes: int) -> None:  # fmt: skip
    """One vector of columns, for every k: squares of `lanes` by `lanes` are transposed.

    The last one overlaps the one before; past the last column, that one stands in.
    """
    kind = vector(lanes, real)
    starts = [fn.at(source, fn.minimum(n - 1, first + i) * step, real) for i in range(lanes)]
    with fn.either(depth >= lanes) as otherwise:
        with fn.range(0, depth, lanes) as at:
            k = fn.minimum(at, depth - lanes)
            made = tile.transpose(fn, [fn.load(kind, start, k) for start in starts])
            for i, value in enumerate(made):
                fn.store(value, into, (k + i) * width)
        otherwise()
        with fn.range(0, lanes) as i:
            start = fn.at(source, fn.minimum(n - 1, first + i) * step, real)
            with fn.range(0, depth) as k:
                fn.store(fn.load(real, start, k), into, k * width + i)


GROUPS = 4  # of rows, packed together: so many that whole lines of memory are read


@kernel("ptr source, i64 step, ptr target, i64 m, i64 depth")
def pack_left(fn: Function, source: Value, step: Value, target: Value, m: Value, depth: Value,
              begin: Value, end: Value, worker: Value, *, real: str,
              rows: int) -> None:  # fmt: skip
    """Items: `GROUPS` groups of `rows` rows of a `left` whose columns lie `step` apart."""
    kind = vector(rows, real)
    width = GROUPS * rows
    with fn.range(begin, end) as item:
        first = item * width
        start, into = fn.at(source, first, real), fn.at(target, first * depth, real)
        with fn.either(first + width <= m) as otherwise:
            with fn.range(0, depth) as k:
                at, to = fn.at(start, k * step, real), fn.at(into, k * rows, real)
                for group in range(GROUPS):
                    value = fn.load(kind, at, group * rows)
                    fn.store(value, to, depth * (group * rows))
            otherwise()
            with fn.range(0, m - first, rows) as row:
                mask = fn.mask(rows, m - first - row)
                to = fn.at(into, row * depth, real)
                with fn.range(0, depth) as k:
                    at = fn.at(start, k * step + row, real)
                    fn.store(fn.load_some(kind, at, 0, mask), to, k * rows)


@kernel("ptr compute, ptr pack, ptr computing, ptr packing")
def both(fn: Function, compute: Value, pack: Value, computing: Value, packing: Value,
         begin: Value, end: Value, worker: Value) -> None:  # fmt: skip
    """Items: panels that are packed and computed with."""
    with fn.range(begin, end) as item:
        fn.call(pack, packing, item, item + 1, worker)
        fn.call(compute, computing, item, item + 1, worker)


_WALK = (
    "ptr left, ptr right, ptr out, ptr bias, ptr room, ptr state, i64 mode, "
    # from here on the same at every call
    "ptr run, ptr compute, ptr pack_right, ptr pack_left, ptr both, "
    "i64 left_step, i64 left_m, i64 left_k, i64 right_step, i64 right_k, i64 right_n, "
    "i64 out_step, i64 out_m, i64 out_n, i64 m, i64 n, i64 depth, "
    "i64 m_block, i64 n_block, i64 k_block, i64 bias_m, i64 bias_n, i64 chunk, i64 alone, "
    "i64 right_room, i64 room_size, i64 inner, i64 left_outer, i64 left_inner, "
    "i64 right_outer, i64 right_inner, i64 out_outer, i64 out_inner"
)


@kernel(_WALK)
def walk(fn: Function, *values: Value, real: str, lanes: int, rows: int, wide_by: int,
         narrow_by: int, right_packed: bool, left_packed: bool, shared: bool,
         merged: bool) -> None:  # fmt: skip
    """Items: products of a batch, block by block.

    Arrays are told by `where`, and their memory is looked up here. With `shared` every product
    is computed by all threads together, otherwise each by one. `merged`: whoever computes with a
    panel packs it.
    """
    names = [parameter.split(" ")[1] for parameter in _WALK.split(", ")]
    told = SimpleNamespace(**dict(zip([*names, "begin", "end", "worker"], values, strict=True)))
    left, right, out, room = (
        memory(fn, array) for array in (told.left, told.right, told.out, told.room)
    )
    bias = fn.variable("ptr", told.bias)
    with fn.when(told.bias.compare("!=", 0)):
        bias.set(memory(fn, told.bias))
    computing, packing, merging = (fn.room("i64", 16) for _ in range(3))

    def tell(block: Value, *arguments: Value) -> None:
        for i, argument in enumerate(arguments):
            fn.store(argument, fn.at(block, i, "i64"))

    def job(entry: Value, total: Value, block: Value, *arguments: Value) -> None:
        tell(block, *arguments)
        if shared:
            grain = fn.select(told.alone.compare("!=", 0), total, fn.of("i64", 1))
            fn.call(told.run, told.state, entry, block, total, grain)
        else:
            fn.call(entry, block, fn.of("i64", 0), total, told.worker)

    def blocks(left: Value, right: Value, out: Value, room: Value) -> None:
        with fn.range(0, told.n, told.n_block) as n0:
            columns = fn.minimum(told.n_block, told.n - n0)
            wide, panels = _counts(fn, (columns + lanes - 1) // lanes, wide_by, narrow_by)
            with fn.range(0, told.depth, told.k_block) as k0:
                deep = fn.minimum(told.k_block, told.depth - k0)
                of_right = fn.at(right, k0 * told.right_k + n0 * told.right_n, real)
                if right_packed:
                    words = of_right, told.right_step, room, columns, deep, wide
                    if merged:
                        tell(packing, *words)
                    else:
                        job(told.pack_right, panels, packing, *words)
                    of_right = room
                how = fn.select(k0.compare("==", 0), told.mode, fn.of("i64", ADD))
                with fn.range(0, told.m, told.m_block) as m0:
                    lines = fn.minimum(told.m_block, told.m - m0)
                    of_left = fn.at(left, m0 * told.left_m + k0 * told.left_k, real)
                    if left_packed:
                        packed = fn.at(room, told.right_room, real)
                        groups = (lines + (GROUPS * rows - 1)) // (GROUPS * rows)
                        job(told.pack_left, groups, packing, of_left, told.left_step, packed,
                            lines, deep)  # fmt: skip
                        of_left = packed
                    chunks = (lines + told.chunk - 1) // told.chunk
                    tell(
                        computing, of_left, told.left_step, of_right, told.right_step,
                        fn.at(out, m0 * told.out_m + n0 * told.out_n, real), told.out_step,
                        fn.at(bias.get(), m0 * told.bias_m + n0 * told.bias_n, real),
                        lines, columns, deep, how, told.chunk, chunks, wide,
                    )  # fmt: skip
                    if merged:
                        job(told.both, panels, merging, told.compute, told.pack_right, computing,
                            packing)  # fmt: skip
                    else:
                        job(told.compute, panels * chunks, computing)

    with fn.range(told.begin, told.end) as item:
        major, minor = item // told.inner, item % told.inner
        blocks(
            fn.at(left, major * told.left_outer + minor * told.left_inner, real),
            fn.at(right, major * told.right_outer + minor * told.right_inner, real),
            fn.at(out, major * told.out_outer + minor * told.out_inner, real),
            fn.at(room, told.worker * told.room_size, real),
        )


def _counts(fn: Function, vectors: Value, wide_by: int, narrow_by: int) -> tuple[Value, Value]:
    """(wide panels, panels) of so many vectors: 3 3 … 3, 3 … 3 2 or 3 … 2 2."""
    if not narrow_by:
        panels = (vectors + wide_by - 1) // wide_by
        return panels, panels
    narrow = (3 - vectors % 3) % 3
    wide = (vectors - narrow * 2) // 3
    return wide, wide + narrow


def memory(fn: Function, array: Value) -> Value:
    """Where the memory of a NumPy array begins, of which `where` was told."""
    return array if INSIDE is None else fn.load("ptr", array, INSIDE // 8)


where = address if INSIDE is None else id
