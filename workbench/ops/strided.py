"""Any view of a tensor's memory by sizes and steps, with its gradient."""

from __future__ import annotations

import numpy as np

from .declare import op
from .samples import Sample


def _address(array):
    """Where the first element lies."""
    held = getattr(array, "__array_interface__", None)
    return held["data"][0] if held else array.data.ptr


def storage(array):
    """The memory an array looks into: its owner, the array's offset in it, the owner's size.

    Offset and size count elements.
    """
    held = array
    while isinstance(getattr(held, "base", None), type(array)):
        held = held.base
    if not held.flags.c_contiguous and not held.flags.f_contiguous:
        held = array  # a view of memory that somebody else laid out
    offset = (_address(array) - _address(held)) // array.itemsize
    return held, offset, held.nbytes // array.itemsize


def places(size, stride, offset):
    """The position in memory of each element of a strided view."""
    found = np.full(size, offset, np.int64)
    for d, (n, step) in enumerate(zip(size, stride, strict=True)):
        found += (np.arange(n) * step).reshape((n,) + (1,) * (len(size) - d - 1))
    return found


def _given_size(size):
    return tuple(size)


def _samples(make):
    yield Sample(make(3, 4), (2, 2), (1, 2))
    yield Sample(make(12), (3, 3), (2, 1))
    yield Sample(make(6), (), ())
    yield Sample(make(6), (2, 0), (1, 1))


def _errors(make):
    yield Sample(make(6), (4, 4), (2, 1))
    yield Sample(make(6), (2,), (1, 1))
    yield Sample(make(6), (2,), (-1,))
    yield Sample(make(6), (2,), (1,), 9)


@op(view=True, shape=_given_size, samples=_samples, errors=_errors)
def as_strided(xp, input, /, size, stride, storage_offset=None):
    """A view with the given sizes, steps and first place (all in elements) of the memory.

    `storage_offset` None is the input's own. Raises RuntimeError when it would leave the memory.
    """
    size, stride = tuple(size), tuple(stride)
    if len(size) != len(stride):
        raise RuntimeError(
            f"mismatch in length of strides and shape: {list(stride)} and {list(size)}"
        )
    if any(s < 0 for s in stride):
        raise RuntimeError(
            f"as_strided: Negative strides are not supported at the moment, got {list(stride)}"
        )
    held, own, limit = storage(input)
    offset = own if storage_offset is None else storage_offset
    need = (
        0 if 0 in size else offset + 1 + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    )
    if need > limit or offset < 0:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset} "
            f"require {need} elements, out of bounds for storage of {limit}"
        )
    if need == 0:
        return held.reshape(-1)[:0].reshape(size) if held.dtype == input.dtype else input[:0]
    flat = held.reshape(-1, order="A")
    flat = flat if flat.dtype == input.dtype else flat.view(input.dtype)
    steps = tuple(s * input.itemsize for s in stride)
    if xp is not np:
        return xp.lib.stride_tricks.as_strided(flat[offset:], size, steps)
    return np.ndarray(size, input.dtype, flat, offset * input.itemsize, steps)


def _rule(F, g, input, input_shape, size, stride, storage_offset):
    # through the memory: positions that several elements share add up, or share
    array = getattr(input, "array", input)
    array = getattr(array, "first", array)  # of an array with a hidden dimension: one sample
    _, own, limit = storage(array)
    offset = own if storage_offset is None else storage_offset
    steps = [s // array.itemsize for s in array.strides]
    mine = places(tuple(input_shape), steps, own).reshape(-1)
    taken = places(tuple(size), stride, offset).reshape(-1)
    held = F.index_backward(F.reshape(g, (-1,)), (taken,), (limit,))
    back = F.getitem(held, (mine,))
    if mine.size and np.bincount(mine).max() > 1:
        ones = F.detach(back) * 0 + 1
        back = back / F.getitem(F.index_backward(ones, (mine,), (limit,)), (mine,))
    return F.reshape(back, tuple(input_shape))


as_strided.vjp(input=_rule)
