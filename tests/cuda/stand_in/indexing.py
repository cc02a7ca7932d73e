"""Reading and writing through indices, with CuPy's departures from NumPy.

Integer indices out of range wrap around without a word, a boolean mask makes the host wait, and
what is stored where an index comes twice is undefined (here: an error).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .state import Undefined, state

_made: Any = None
_bare: Any = None
_array: Any = None

_ATOMIC = {
    "add": "iIlLqQefd", "sub": "iI", "max": "iIlLqQfd", "min": "iIlLqQfd", "and": "iIlLqQ",
    "or": "iIlLqQ", "xor": "iIlLqQ",
}  # fmt: skip
_WRITE = {
    "add": np.add, "sub": np.subtract, "max": np.maximum, "min": np.minimum,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
}  # fmt: skip


def use(made: Any, bare: Any, array: Any) -> None:
    """Learn of the array class, which itself needs this module."""
    global _made, _bare, _array
    _made, _bare, _array = made, bare, array


def _prepare(array: Any, key: Any) -> tuple[tuple[Any, ...], bool, bool]:
    """The index in NumPy's words, whether arrays are in it, and whether masks are."""
    parts = list(key) if isinstance(key, tuple) else [key]
    advanced = masked = False
    dim = 0
    count = sum(
        np.ndim(p) if _is_mask(p) else 1 for p in parts if p is not None and p is not Ellipsis
    )
    for i, part in enumerate(parts):
        if part is None:
            continue
        if part is Ellipsis:
            dim += array.ndim - count
            continue
        if isinstance(part, slice):
            dim += 1
            continue
        if isinstance(part, _array):
            held = _bare(part)
        elif isinstance(part, (list, tuple, np.ndarray, bool, np.bool_)):
            state.upload()
            held = np.asarray(part)
            held = held.astype(np.int32) if not held.size and held.dtype == float else held
        else:
            part.__index__()
            dim += 1
            continue
        advanced = True
        if held.dtype.kind == "b":
            masked = True
            parts[i] = held
            dim += held.ndim
        elif held.dtype.kind in "iu":
            size = array.shape[dim] if dim < array.ndim else 0
            if size == 0 and held.size:
                raise IndexError("cannot do a non-empty take from an empty axes.")
            parts[i] = held % size if size else held
            dim += 1
        else:
            raise IndexError(
                "arrays used as indices must be of integer or boolean type. (actual: "
                f"{held.dtype.type})"
            )
    return tuple(parts), advanced, masked


def _is_mask(part: Any) -> bool:
    return getattr(getattr(part, "dtype", None), "kind", "") == "b" or isinstance(part, bool)


def get(array: Any, key: Any) -> Any:
    """`array[key]`: a view for slices and integers, else a copy."""
    _bare(array)
    parts, advanced, masked = _prepare(array, key)
    if not advanced:
        if Ellipsis not in [p for p in parts if p is Ellipsis or p is None]:
            parts = (*parts, Ellipsis)  # one element stays an array
        return _made(array._host[parts], array)
    state.launch("take")
    if masked:
        state.sync("a boolean mask as an index")
    return _made(np.array(array._host[parts], order="C"))


def put(array: Any, key: Any, value: Any) -> None:
    """`array[key] = value`."""
    _bare(array)
    parts, advanced, masked = _prepare(array, key)
    state.launch("scatter_update" if advanced else "copy")
    if array.size and 0 in [s for s, n in zip(array.strides, array.shape, strict=True) if n > 1]:
        raise Undefined("an expanded array has one element in many places: writing is undefined")
    if not advanced:
        if isinstance(value, np.ndarray) and value.ndim:
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        if not isinstance(value, (_array, bool, int, float, complex, np.generic, np.ndarray)):
            raise TypeError(f"Unsupported type {type(value)}")
        host = value._host if isinstance(value, _array) else value
        array._host[parts] = _squeezed(host)
        return
    if masked:
        state.sync("a boolean mask as an index")
    if isinstance(value, _array):
        host = _bare(value)
    else:
        state.upload()
        host = np.asarray(value)
    if host.size > 1 and not masked:
        target = np.arange(array.size).reshape(array.shape)[parts]
        if _disputed(target.reshape(-1), np.broadcast_to(_squeezed(host), target.shape)):
            raise Undefined(
                "an index comes twice in an assignment: what is stored is undefined on a GPU"
            )
    with np.errstate(all="ignore"):
        array._host[parts] = _squeezed(host.astype(array.dtype, copy=False))


def _disputed(target: np.ndarray, values: np.ndarray) -> bool:
    """Whether some place is to receive two different values."""
    order = np.argsort(target, kind="stable")
    target, values = target[order], values.reshape(-1)[order]
    again = target[1:] == target[:-1]
    same = (values[1:] == values[:-1]) | ((values != values)[1:] & (values != values)[:-1])
    return bool((again & ~same).any())


def _squeezed(host: Any) -> Any:
    """CuPy drops leading sides of 1 from what is assigned."""
    while isinstance(host, np.ndarray) and host.ndim and host.shape[0] == 1:
        host = host[0, ...]
    return host


def scatter(array: Any, key: Any, value: Any, op: str) -> None:
    """`ufunc.at`: atomic writes; only some dtypes have them."""
    _bare(array)
    parts, advanced, masked = _prepare(array, key)
    if masked:
        state.sync("a boolean mask as an index")
    elif advanced and array.dtype.char not in _ATOMIC[op]:
        raise TypeError(f"cupy.{_WRITE[op].__name__}.at does not support {array.dtype}")
    if isinstance(value, np.ndarray):
        state.upload()
        host = value
    else:
        host = value._host if isinstance(value, _array) else np.asarray(value)
    with np.errstate(all="ignore"):
        _WRITE[op].at(array._host, parts, host.astype(array.dtype, copy=False))
