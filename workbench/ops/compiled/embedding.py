"""Look-ups of rows and their gradients, compiled.

The gradient adds rows up in their order, as torch does; threads share its columns, so no two of
them write the same place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import compiler
from workbench.arrays.compiler.ir import Function, Value, vector
from workbench.arrays.compiler.kernel import address, kernel, real
from workbench.arrays.compiler.llvm import host

_INTEGERS = {"q": "i64", "l": "i64", "i": "i32"}
_GRAIN = 1 << 15  # elements that are worth a thread
_AT_ONCE = 4  # vectors


def _form(real: str) -> tuple[int, str]:
    lanes = host().lanes if real == "float" else host().lanes // 2
    return lanes, vector(lanes, real)


def _columns(fn: Function, begin: Value, end: Value, lanes: int, body: Any) -> None:
    """body(place, mask or None) for vectors that cover the columns begin … end."""
    several = begin + (end - begin) // (lanes * _AT_ONCE) * (lanes * _AT_ONCE)
    with fn.range(begin, several, lanes * _AT_ONCE) as i:
        for part in range(_AT_ONCE):
            body(i + part * lanes, None)
    whole = begin + (end - begin) // lanes * lanes
    with fn.range(several, whole, lanes) as i:
        body(i, None)
    with fn.when(whole < end):
        body(whole, fn.mask(lanes, end - whole))


@kernel("ptr weight, ptr indices, ptr out, ptr bad, i64 height, i64 width")
def look_up(fn, weight, indices, out, bad, height, width, begin, end, worker, *, real, integer):
    """Rows of `weight`; items are indices. One outside is told in `bad`."""
    lanes, kind = _form(real)
    with fn.range(begin, end) as row:
        index = fn.convert(fn.load(integer, indices, row), "i64")
        with fn.either((index >= 0) & (index < height)) as otherwise:
            source, target = fn.at(weight, index * width, real), fn.at(out, row * width, real)

            def body(i: Value, mask: Any) -> None:
                if mask is None:
                    fn.store(fn.load(kind, source, i), target, i)
                else:
                    fn.store_some(fn.load_some(kind, source, i, mask), target, i, mask)

            _columns(fn, fn.of("i64", 0), width, lanes, body)
            otherwise()
            fn.store(fn.of("i64", 1), bad)


@kernel("ptr g, ptr indices, ptr out, i64 rows, i64 height, i64 width, i64 skip, i64 slice")
def add_up(fn, g, indices, out, rows, height, width, skip, slice_, begin, end, worker, *, real,
           integer):  # fmt: skip
    """Add rows of `g` to `out` at their indices, but for `skip`; items are slices of columns."""
    lanes, kind = _form(real)
    first, last = begin * slice_, fn.minimum(end * slice_, width)
    with fn.range(0, rows) as row:
        index = fn.convert(fn.load(integer, indices, row), "i64")
        with fn.when((index >= 0) & (index < height) & index.compare("!=", skip)):
            source, target = fn.at(g, row * width, real), fn.at(out, index * width, real)

            def body(i: Value, mask: Any) -> None:
                if mask is None:
                    fn.store(fn.load(kind, target, i) + fn.load(kind, source, i), target, i)
                else:
                    value = fn.load_some(kind, source, i, mask)
                    value = fn.load_some(kind, target, i, mask) + value
                    fn.store_some(value, target, i, mask)

            _columns(fn, first, last, lanes, body)


def _suits(rows: Any, indices: Any) -> bool:
    return (
        type(rows) is np.ndarray
        and type(indices) is np.ndarray
        and compiler.available()
        and rows.dtype.char in "fd"
        and indices.dtype.char in _INTEGERS
        and rows.dtype.isnative
        and indices.dtype.isnative
        and rows.flags.c_contiguous
        and rows.flags.aligned
        and indices.flags.aligned
    )


def rows_at(weight: Any, indices: Any) -> np.ndarray | None:
    """Rows of a matrix; None where NumPy has to find them, or to say which index is wrong."""
    if weight.ndim != 2 or not weight.size or not _suits(weight, indices):
        return None
    height, width = weight.shape
    out = np.empty((*indices.shape, width), weight.dtype)
    flat = np.ascontiguousarray(indices)
    bad = np.zeros(1, np.int64)
    look_up(
        flat.size, max(1, _GRAIN // width), address(weight), address(flat), address(out),
        address(bad), height, width, real=real(weight.dtype),
        integer=_INTEGERS[flat.dtype.char],
    )  # fmt: skip
    return None if bad[0] else out


def rows_added(rows: Any, indices: Any, shape: tuple[int, ...], skip: int | None) -> Any:
    """Zeros of `shape` (V, D) with rows added at their indices but `skip`; None: NumPy's work."""
    if len(shape) != 2 or not rows.size or not _suits(rows, indices):
        return None
    height, width = shape
    out = np.zeros(shape, rows.dtype)
    flat = np.ascontiguousarray(indices)
    lanes = host().lanes * 4 // rows.itemsize
    many = flat.size * width >= 2 * _GRAIN
    step = -(-max(width // 8, 1) // lanes) * lanes if many else width
    add_up(
        -(-width // step), 1, address(rows), address(flat), address(out), flat.size, height,
        width, -1 if skip is None else skip, step, real=real(rows.dtype),
        integer=_INTEGERS[flat.dtype.char],
    )  # fmt: skip
    return out
