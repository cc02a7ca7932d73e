"""x[index] and x[index] = values."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import namespace, on_cuda, writable

from .functions import raw
from .inplace import check_writable, store
from .mode import mode
from .tensor import Tensor, wrap
from .transfer import cast_to, move_to

_INT = {int}
_getitem = raw("getitem")
_index_put = raw("index_put")


def normalise(array: Any, index: Any) -> tuple[Any, ...]:
    """A torch index as a NumPy index over raw arrays.

    Raises IndexError for float tensors, out-of-range entries and too many indices.
    """
    if not isinstance(index, tuple):
        if isinstance(index, list) and any(
            isinstance(i, (slice, Tensor, list, tuple)) or i is None or i is Ellipsis for i in index
        ):
            index = tuple(index)
        else:
            index = (index,)
    parts: list[Any] = []
    used = 0
    for item in index:
        kind = type(item)
        if kind is int or item is None or item is Ellipsis:
            part, takes = item, 1 if kind is int else 0
        elif kind is slice:
            part, takes = _slice(item), 1
        elif kind is bool:
            part, takes = np.asarray(item), 0
        else:
            part = item.array if isinstance(item, Tensor) else item
            part = part if hasattr(part, "dtype") else np.asarray(item)
            if type(array) is np.ndarray and on_cuda(part):
                raise RuntimeError(
                    "indices should be either on cpu or on the same device as the indexed tensor "
                    "(cpu)"
                )
            if part.dtype.kind in "USO":
                raise TypeError(f"invalid index of type {kind.__name__}: {item!r}")
            if part.dtype.kind == "u" and part.dtype.itemsize == 1:
                part = part.astype(bool)  # torch: byte tensors are masks
            if part.size == 0 and part.dtype.kind == "f" and not isinstance(item, Tensor):
                part = part.astype(np.int64)  # an empty list
            if part.dtype.kind not in "iub":
                raise IndexError(
                    "tensors used as indices must be long, int, byte or bool tensors, got "
                    f"{part.dtype.name}"
                )
            takes = part.ndim if part.dtype.kind == "b" else 1
            if part.ndim == 0 and part.dtype.kind != "b" and not hasattr(part, "inside"):
                part = int(part)  # a 0-d tensor selects, as an int does
        parts.append(part)
        used += takes
    if used > array.ndim:
        raise IndexError(f"too many indices for tensor of dimension {array.ndim}")
    return tuple(parts)


def check_positions(array: Any, key: tuple[Any, ...]) -> None:
    """Raises IndexError for entries of index arrays out of range, which CuPy would wrap around."""
    dim = 0
    free = array.ndim - sum(
        i.ndim if getattr(getattr(i, "dtype", None), "kind", "") == "b" else 1
        for i in key
        if i is not None and i is not Ellipsis
    )
    for item in key:
        if item is None:
            continue
        if item is Ellipsis:
            dim += free
        elif not hasattr(item, "dtype"):
            dim += 1
        elif item.dtype.kind == "b":
            dim += item.ndim
        else:
            size = array.shape[dim]
            plain = on_cuda(item) or type(item) is np.ndarray
            wrong = (item < -size) | (item >= size)
            if plain and bool(wrong.any()):  # the host waits to hear it
                raise IndexError(
                    f"index {int(item[wrong].reshape(-1)[0])} is out of bounds for dimension {dim} "
                    f"with size {size}"
                )
            dim += 1


def split(key: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    """The index as a basic one followed by one of arrays, where it mixes ints with arrays.

    torch selects first; NumPy would let the ints take part in the arrays' broadcasting, which
    puts the result's dimensions elsewhere. None where NumPy means the same.
    """
    if (
        len(key) < 2
        or not any(hasattr(i, "dtype") for i in key)
        or not any(type(i) is int for i in key)
    ):
        return None
    basic: list[Any] = []
    rest: list[Any] = []
    for item in key:
        if hasattr(item, "dtype"):
            basic += [slice(None)] * (item.ndim if item.dtype.kind == "b" else 1)
            rest.append(item)
        else:
            basic.append(item)
            if item is Ellipsis:
                rest.append(item)
            elif type(item) is not int:
                rest.append(slice(None))
    return tuple(basic), tuple(rest)


def _slice(item: slice) -> slice:
    if item.step is not None and int(item.step) <= 0:
        raise ValueError("step must be greater than zero")
    ends = (item.start, item.stop, item.step)
    if any(isinstance(end, Tensor) for end in ends):
        return slice(*(None if end is None else int(end) for end in ends))
    return item


def getitem(self: Tensor, index: Any) -> Tensor:
    """A part of the tensor: a view for ints, slices, None and `...`; a copy for index tensors."""
    array = self.array
    plain = False
    if type(index) is int:
        key: tuple[Any, ...] = (index,)
        if array.ndim == 0:
            raise IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python to convert a 0-dim "
                "tensor to a number"
            )
    elif type(index) is tuple and {*map(type, index)} == _INT and len(index) <= array.ndim:
        plain = True  # x[i, j], in loops; with an Ellipsis one element is a view as well
        key = index if len(index) < array.ndim else (*index, ...)
    else:
        key = normalise(array, index)
    try:
        if type(array) is not np.ndarray and on_cuda(array):
            check_positions(array, key)
        parts = None if plain else split(key)
        if parts is not None:
            return _getitem(_getitem(self, parts[0]), parts[1])
        return _getitem(self, key)
    except IndexError as error:
        raise IndexError(f"{error} (tensor of shape {tuple(array.shape)})") from None


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """Write `value` (a tensor or number, broadcast) at `index`, in place."""
    check_writable(self, "__setitem__")
    array = self.array
    key = normalise(array, index)
    if on_cuda(array):
        check_positions(array, key)
    parts = split(key)
    if parts is not None:
        setitem(getitem(self, parts[0]), parts[1], value)
        return
    if isinstance(value, Tensor):
        value = cast_to(value, array.dtype)
        if on_cuda(array) is not on_cuda(value.array):
            value = move_to(value, self.device)
    else:
        value = wrap(namespace(array).asarray(value).astype(array.dtype))
    if mode.grad and (self.edge is not None or value.edge is not None):
        store(self, _index_put(self, _fitted(array, key, value), key), "index_put_")
        return
    from . import versions

    if not writable(array):
        raise RuntimeError("this tensor is a read-only view; write to a clone() of it")
    try:
        array[key] = value.array
    except ValueError:
        raise RuntimeError(_mismatch(array, key, value)) from None
    versions.mark_array(array)


def _fitted(array: Any, key: tuple[Any, ...], value: Tensor) -> Tensor:
    """`value` without superfluous leading sides of 1; RuntimeError when it cannot be broadcast."""
    wanted = array[key].shape
    shape = value.array.shape
    while len(shape) > len(wanted) and shape[0] == 1:
        shape = shape[1:]
    try:
        np.broadcast_shapes(shape, wanted)
        fits = len(shape) <= len(wanted)
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(_mismatch(array, key, value))
    return value if shape == value.array.shape else raw("reshape")(value, shape)


def _mismatch(array: Any, key: tuple[Any, ...], value: Tensor) -> str:
    return (
        f"shape mismatch: value tensor of shape {list(value.array.shape)} cannot be broadcast to "
        f"indexing result of shape {list(array[key].shape)}"
    )
