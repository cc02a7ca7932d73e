"""Elementwise kernels stated as lines, each a NumPy function of arrays, numbers and results.

NumPy takes a pass over memory for each line; compiled, all lines are done on a few vectors of
elements before the next are looked at, and the crew's threads share the arrays. Lines of functions
whose results IEEE 754 fixes to the last bit give the bits that NumPy gives: nothing is rearranged.
Other functions (`functions.py`) are lines of their own name, "fast_tanh", for which the caller must
have no other way.

    statement = Statement()
    x, y = statement.array(0), statement.array(1)
    statement.multiply(statement.add(x, y), statement.number(0), out=y)
    kernel = compiled(tuple(statement.lines), (WHOLE, WHOLE), 1, np.dtype("float32"))
    kernel(x, y, np.array([0.5], "float32"))        # y = (x + y) · 0.5
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from . import available
from .crew import launch
from .ir import Function, Value, module, size_of, vector
from .kernel import INSIDE, Made, address, real
from .llvm import address as entry_of
from .llvm import host
from .statement import (
    ARITHMETIC,
    CHOICE,
    COMPARISONS,
    FUNCTIONS,
    KNOWN,
    Line,
    Ref,
    Statement,
    Symbol,
    Unstatable,
    number_of,
)

_COST = 8  # of such a function, in lines of arithmetic
MOST_LINES = 1024
_MOST_VECTORS = 8
_MOST_WRITTEN = 3000  # lines times vectors: beyond, compiling takes longer than a step may stall
_MOST_COPIES = 2  # of functions that are not called but written out
_STACK = 1 << 16  # bytes of results in use, which shall stay in the cache
_LEAST = 150_000  # operations on elements from which on another thread helps (15 µs)
_STRETCH = 1 << 13  # elements of an array that a thread takes at a time, where there are many
_PIECE = 50_000  # what a thread takes at a time


class Operand(NamedTuple):
    """What an array is: of floats or a mask (bool), and how it meets the kernel's rows.

    `spread`: "" an element for each of the result's, "row" one for each column, "column" one for
    each row.
    """

    mask: bool = False
    spread: str = ""


WHOLE = Operand()


class Kernel:
    """A compiled kernel: `kernel(*arrays)`, then its numbers, if there are any, as one array.

    Arrays are C-contiguous and of one shape but for what `spread` says; those that are written to
    overlap no other. Numbers are of the kernel's dtype.
    """

    def __init__(self, lines: tuple[Line, ...], arrays: tuple[Operand, ...], numbers: int,
                 element: str) -> None:  # fmt: skip
        self.arrays = arrays
        self.rows = any(one.spread for one in arrays)
        self.lead = next(i for i, one in enumerate(arrays) if not one.spread)
        self.cost = len(arrays) + sum(_COST if one.function in FUNCTIONS else 1 for one in lines)
        writer = _Writer(lines, arrays, numbers, element, self.rows)
        self.group = writer.group
        count = len(arrays) + bool(numbers)
        made = Made(entry_of(writer.text(), writer.name), "Q" * count + "qq")
        self.entry, self.pack = made.entry, made.pack
        self.least = -(-_LEAST // self.cost)  # elements from which on another thread helps
        self.grain = max(1, _PIECE // (self.group * self.cost))

    def __call__(self, *operands: np.ndarray) -> None:
        """Carry out the lines."""
        launch(*self.prepared(*operands))

    def flat(self, size: int, *arrays: np.ndarray) -> None:
        """The same for arrays of `size` elements, none of them broadcast, without numbers."""
        items = -(-size // self.group)
        grain = items if size < self.least else self.grain
        launch(self.entry, self.pack(*map(_handle, arrays), 1, size), items, grain)

    def prepared(self, *operands: np.ndarray) -> tuple[int, bytes, int, int]:
        """What `launch` takes, for operands that stay where they are and are kept alive."""
        whole = operands[self.lead]
        size = whole.size
        if self.rows:
            least = width = whole.shape[-1]
            items = size // width if width else 0
        else:
            least, width = self.group, size
            items = -(-size // least)
        grain = items
        if size >= self.least:
            grain = max(1, _PIECE // (least * self.cost))
        return self.entry, self.pack(*map(_handle, operands), items, width), items, grain


class Table:
    """The same lines for many rows of arrays, of sizes of their own, in one go.

    `table.rows` holds the addresses of each row's arrays; entries may be changed between calls.
    """

    def __init__(
        self, lines: tuple[Line, ...], numbers: int, rows: Sequence[Sequence[Any]]
    ) -> None:
        count = len(rows[0])
        made = _made_for_rows(lines, count, numbers, real(rows[0][0].dtype))
        self.entry, self.pack = made.entry, made.pack
        self.held = rows
        self.rows = np.array([[address(a) for a in row] for row in rows], np.int64)
        first = address(self.rows)
        pieces = [
            (first + self.rows.strides[0] * i, start, min(start + _STRETCH, row[0].size))
            for i, row in enumerate(rows)
            for start in range(0, row[0].size, _STRETCH)
        ]
        self.pieces = np.array(pieces, np.int64).reshape(-1, 3)
        total = sum(row[0].size for row in rows)
        work = total * (count + len(lines))
        self.grain = 1 if work >= _LEAST else max(1, len(pieces))

    def __call__(self, numbers: np.ndarray) -> None:
        """Carry out the lines, with numbers of the arrays' dtype."""
        arguments = self.pack(address(self.pieces), address(numbers))
        launch(self.entry, arguments, len(self.pieces), self.grain)


@cache
def _made_for_rows(lines: tuple[Line, ...], count: int, numbers: int, element: str) -> Made:
    writer = _Writer(lines, (WHOLE,) * count, numbers, element, False, True)
    return Made(entry_of(writer.text(), writer.name), "QQ")


# An array's own address is known at once; the kernel looks for its memory's inside it.
_handle = address if INSIDE is None else id


class _Writer:
    """Writes the kernel of some lines."""

    def __init__(self, lines: tuple[Line, ...], arrays: tuple[Operand, ...], numbers: int,
                 element: str, rows: bool, table: bool = False) -> None:  # fmt: skip
        self.table = table
        self.lines, self.arrays, self.numbers, self.element = lines, arrays, numbers, element
        self.rows = rows
        self.name = "lines"
        self.lanes = host().lanes * 4 // size_of(element)
        live = max(1, _pressure(lines))
        # few vectors would wait for each other's results: better eight in the cache than one in
        # the registers
        bytes_ = live * self.lanes * size_of(element)
        room = max((host().registers - numbers - 4) // live, _STACK // bytes_)
        self.vectors = max(1, min(_MOST_VECTORS, room, _MOST_WRITTEN // len(lines)))
        self.group = self.vectors * self.lanes
        self.called: dict[str, Function] = {}
        if sum(line.function in FUNCTIONS for line in lines) > _MOST_COPIES:
            for name in sorted({line.function for line in lines} & FUNCTIONS.keys()):
                self.called[name] = self._function(name)

    def _function(self, name: str) -> Function:
        """A function of its own for all vectors of a group, which lie in memory."""
        fn = Function(name, "ptr held", local=True)
        kind = vector(self.lanes, self.element)
        for i in range(self.vectors):
            value = fn.load(kind, fn.args[0], i * self.lanes)
            fn.store(FUNCTIONS[name](fn, value), fn.args[0], i * self.lanes)
        return fn

    def text(self) -> str:
        """The module."""
        fn = self.fn = Function(self.name, "ptr arguments, i64 begin, i64 end, i64 worker")
        held, begin, end, _ = fn.args
        count = len(self.arrays)
        if self.called:
            self.held = fn.room(self.element, self.group)
        if self.table:
            self._pieces(held, begin, end)
            return module([fn])

        def base(i: int) -> Value:
            place = fn.load("ptr", fn.at(held, i, "i64"))
            return place if INSIDE is None else fn.load("ptr", fn.at(place, INSIDE, "i8"))

        self.bases = [base(i) for i in range(count)]
        self.values = []
        if self.numbers:
            place = base(count)
            self.values = [fn.load(self.element, place, i) for i in range(self.numbers)]
            count += 1
        self.width = fn.load("i64", fn.at(held, count + 1, "i64"))
        if self.rows:
            with fn.range(begin, end) as row:
                self._stretch(fn.of("i64", 0), self.width, row)
        else:
            self._stretch(begin * self.group, fn.minimum(end * self.group, self.width), None)
        return module([fn])

    def _pieces(self, held: Value, begin: Value, end: Value) -> None:
        """Pieces of many arrays: where the row of addresses is, the first element, the last."""
        fn = self.fn
        place = fn.load("ptr", fn.at(held, 1, "i64"))
        self.values = [fn.load(self.element, place, i) for i in range(self.numbers)]
        pieces = fn.load("ptr", held)
        with fn.range(begin, end) as item:
            piece = fn.at(pieces, item * 3, "i64")
            row, start, stop = (fn.load(k, fn.at(piece, i, "i64"))
                                for i, k in enumerate(("ptr", "i64", "i64")))  # fmt: skip
            self.bases = [fn.load("ptr", fn.at(row, i, "i64")) for i in range(len(self.arrays))]
            self._stretch(start, stop, None)

    def _stretch(self, start: Value, stop: Value, row: Value | None) -> None:
        """Elements `start` to `stop` of a row: by groups of vectors, then one by one."""
        fn = self.fn
        self.base = None if row is None else row * self.width
        self.row = row
        whole = start + (stop - start) // self.group * self.group
        with fn.range(start, whole, self.group) as at:
            self._lines([at + i * self.lanes if i else at for i in range(self.vectors)], None)
        with fn.range(whole, stop, self.lanes) as at:
            self._lines([at], fn.mask(self.lanes, stop - at))

    def _lines(self, places: list[Value], mask: Value | None) -> None:
        """All lines on the vectors at some places."""
        known: dict[Ref, list[Value]] = {}
        last = {line.out: i for i, line in enumerate(self.lines) if line.out.kind == "a"}
        for i, line in enumerate(self.lines):
            used = line.operands[1:] if line.function == "copyto" else line.operands
            for ref in used:
                if ref not in known:
                    known[ref] = [self._read(ref, at, mask) for at in places]
            columns = [known[ref] for ref in used]
            if line.function in self.called:
                made = self._call(self.called[line.function], columns[0])
            else:
                made = [self._do(line.function, list(each)) for each in zip(*columns, strict=True)]
            known[line.out] = made
            if last.get(line.out) == i:
                for value, at in zip(made, places, strict=True):
                    self._write(line.out, value, at, mask)

    def _do(self, function: str, operands: list[Value]) -> Value:
        fn = self.fn
        if function == "copyto":
            return operands[0]
        if function == CHOICE:
            where, *others = operands
            if not where.kind.endswith("i1>"):
                where = self._float(where).compare("!=", 0)
            return fn.select(where, *map(self._float, others))
        floats = [self._float(x) for x in operands]
        if function in COMPARISONS:
            return floats[0].compare(COMPARISONS[function], floats[1])
        return ARITHMETIC[function](fn, *floats)

    def _call(self, function: Function, values: list[Value]) -> list[Value]:
        fn = self.fn
        kind = vector(self.lanes, self.element)
        for i, value in enumerate(values):
            fn.store(self._float(value), self.held, i * self.lanes)
        fn.call(function, self.held)
        return [fn.load(kind, self.held, i * self.lanes) for i in range(len(values))]

    def _float(self, value: Value) -> Value:
        """Of numbers and masks, what they are as vectors of floats."""
        if value.kind.endswith("i1>"):
            return self._number(value)
        return self.fn.of(vector(self.lanes, self.element), value)

    def _number(self, mask: Value) -> Value:
        """A mask as the numbers it counts as."""
        kind = vector(self.lanes, self.element)
        return self.fn.select(mask, self.fn.of(kind, 1), 0.0)

    def _read(self, ref: Ref, at: Value, mask: Value | None) -> Value:
        fn = self.fn
        if ref.kind == "n":
            return self.values[ref.place]
        if ref.kind == "c":
            return fn.of(vector(self.lanes, self.element), number_of(ref))
        if ref.kind == "t":
            raise Unstatable(f"{ref} is read before it is made")
        operand = self.arrays[ref.place]
        element = "i8" if operand.mask else self.element
        place = self._place(operand, at)
        base = self.bases[ref.place]
        kind = vector(self.lanes, element)
        if operand.spread == "column":
            value = fn.of(kind, fn.load(element, base, place))
        elif mask is None:
            value = fn.load(kind, base, place)
        else:
            value = fn.load_some(kind, base, place, mask)
        return value.compare("!=", 0) if operand.mask else value

    def _write(self, ref: Ref, value: Value, at: Value, mask: Value | None) -> None:
        fn = self.fn
        operand = self.arrays[ref.place]
        if operand.mask:
            if not value.kind.endswith("i1>"):
                raise Unstatable(f"{ref} holds truth values")
            value = fn.make(vector(self.lanes, "i8"), f"zext {value} to <{self.lanes} x i8>")
        else:
            value = self._float(value)
        place = self._place(operand, at)
        if mask is None:
            fn.store(value, self.bases[ref.place], place)
        else:
            fn.store_some(value, self.bases[ref.place], place, mask)

    def _place(self, operand: Operand, at: Value) -> Value:
        if operand.spread == "column":
            assert self.row is not None
            return self.row
        return at if self.base is None or operand.spread else self.base + at


def _pressure(lines: Sequence[Line]) -> int:
    """How many values are in use at a time, at most."""
    last: dict[Ref, int] = {}
    for i, line in enumerate(lines):
        for ref in line.operands:
            last[ref] = i
    live: set[Ref] = set()
    most = 0
    for i, line in enumerate(lines):
        live.update(ref for ref in line.operands if ref.kind in "at")
        extra = 3 if line.function in FUNCTIONS else 0
        most = max(most, len(live) + extra)
        live = {ref for ref in (*live, line.out) if last.get(ref, -1) > i}
        most = max(most, len(live))
    return most


def table(lines: tuple[Line, ...], numbers: int, rows: Iterable[Sequence[Any]]) -> Table | None:
    """The kernel for rows of arrays of one dtype, with numbers; None where there can be none."""
    rows = list(rows)
    if not rows or rows[0][0].dtype.char not in "fd" or not _fit(lines):
        return None
    try:
        return Table(lines, numbers, rows)
    except (Unstatable, TypeError):
        return None


def _fit(lines: Sequence[Line]) -> bool:
    return available() and 0 < len(lines) <= MOST_LINES


_kernels: dict[Any, Kernel | None] = {}


def compiled(
    lines: tuple[Line, ...], arrays: tuple[Operand, ...], numbers: int, dtype: np.dtype
) -> Kernel | None:
    """The kernel for arrays of `dtype` (float32 or float64); None where there can be none."""
    if dtype.char not in "fd" or not _fit(lines):
        return None
    key = (lines, arrays, numbers, dtype.char)
    if key not in _kernels:
        try:
            _kernels[key] = Kernel(lines, arrays, numbers, real(dtype))
        except (Unstatable, TypeError):
            _kernels[key] = None
    return _kernels[key]


__all__ = ["FUNCTIONS", "KNOWN", "MOST_LINES", "WHOLE", "Kernel", "Line", "Operand", "Ref",
           "Statement", "Symbol", "Table", "Unstatable", "compiled", "table"]  # fmt: skip
