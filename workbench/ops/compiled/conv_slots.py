"""How a convolution's kernels read its layout's tables: rows into planes, slots of pieces."""

from __future__ import annotations

from workbench.arrays.compiler.ir import Function, Value, element_of, lanes_of, vector


def heads(fn: Function, blocks: Value, block: Value) -> list[Value]:
    """The block's (first, number) of rows, slots and rows of results."""
    head = fn.at(blocks, block * 6, "i64")
    return [fn.load("i64", head, i) for i in range(6)]


def copy_planes(
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


class Slot:
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


def pieced(fn: Function, kind: str, places: list[Value], shift: Value) -> Value:
    """A vector of pieces, each read `shift` elements behind its place."""
    part = vector(lanes_of(kind) // len(places), element_of(kind))
    return joined(fn, [fn.load(part, place, shift) for place in places])


def joined(fn: Function, parts: list[Value]) -> Value:
    """Vectors side by side."""
    while len(parts) > 1:
        both = range(2 * lanes_of(parts[0].kind))
        parts = [fn.shuffle(a, b, both) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]
