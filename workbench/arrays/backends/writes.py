"""Writing at indices that may come twice, and what may be written at all.

On a GPU several threads write at once: what a plain assignment stores where an index comes twice
is undefined there, and only some dtypes have atomic sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def on_cuda(array: Any) -> bool:
    """Whether a raw array is CuPy's."""
    return type(array).__module__.partition(".")[0] == "cupy"


def writable(array: Any) -> bool:
    """Whether an array may be written: neither protected nor an expanded view.

    CuPy protects nothing; an expanded array has one element in many places.
    """
    if type(array) is np.ndarray:
        return array.flags.writeable
    if not on_cuda(array):
        return bool(getattr(array.flags, "writeable", True))
    return array.size == 0 or all(
        step or n == 1 for n, step in zip(array.shape, array.strides, strict=True)
    )


# dtypes without atomic sums, and the ones to add up in: bits that overflow are cut off the same
_ATOMIC = {
    "|b1": np.dtype(np.int32), "|i1": np.dtype(np.int32), "|u1": np.dtype(np.uint32),
    "<i2": np.dtype(np.int32), "<u2": np.dtype(np.uint32), "V": np.dtype(np.float32),
}  # fmt: skip


def add_at(add: Any, out: Any, index: Any, values: Any) -> None:
    """`out[index] += values` over CuPy arrays by atomic sums; `add` is CuPy's ufunc."""
    if out.dtype.kind == "c":
        values = values.astype(out.dtype, copy=False)
        add.at(out.real, index, values.real)
        add.at(out.imag, index, values.imag)
        return
    atomic = _ATOMIC.get("V" if out.dtype.kind == "V" else out.dtype.str)
    if atomic is None:
        add.at(out, index, values)
        return
    wide = out.astype(atomic)
    add.at(wide, index, values.astype(atomic))
    out[...] = (wide != 0) if out.dtype == bool else wide.astype(out.dtype)


def rounds_at(ufunc: Any, out: Any, index: Any, values: Any) -> None:
    """`out[index] = ufunc(out[index], values)` over CuPy arrays, one repetition after another.

    The k-th round takes each position's k-th value, so that no position comes twice in it.
    """
    import cupy

    places = cupy.arange(out.size).reshape(out.shape)[index]
    values = cupy.broadcast_to(cupy.asarray(values, out.dtype), places.shape).reshape(-1)
    places = places.reshape(-1)
    order = cupy.argsort(places)
    ordered = places[order]
    nth = cupy.arange(len(places)) - cupy.searchsorted(ordered, ordered)
    flat = out.reshape(-1)  # a copy where the memory is not contiguous
    for k in range(int(nth.max()) + 1 if len(places) else 0):
        chosen = order[nth == k]
        flat[places[chosen]] = ufunc(flat[places[chosen]], values[chosen])
    if not out.flags.c_contiguous:
        out[...] = flat.reshape(out.shape)
