"""Stretches of memory in files, and tensors that look into them.

A tensor is saved as (storage, offset, sizes, steps), so that views that share memory share it
again. Every number that comes from a file is checked before an array is made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.arrays import device, to_numpy
from workbench.arrays.dtypes import ALL, dtype
from workbench.ops.strided import storage
from workbench.tensor.tensor import Tensor, wrap

from .errors import FileError

DTYPES: dict[str, dtype] = {d.name: d for d in ALL}


def little(array: np.ndarray) -> np.ndarray:
    """The bytes of an array in memory order, little-endian."""
    if array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and not np.little_endian):
        array = array.astype(array.dtype.newbyteorder("<"))
    return array.reshape(-1, order="A").view(np.uint8)


class Storages:
    """The memory of tensors that are being saved, each stretch once."""

    def __init__(self) -> None:
        self.held: list[np.ndarray] = []
        self._places: dict[int, int] = {}

    def place(self, tensor: Tensor) -> tuple[int, int, list[int], list[int]]:
        """(storage number, offset, sizes, steps) of a tensor, the last three in elements."""
        array = to_numpy(tensor.array)
        owner, offset, _ = storage(array)
        odd = any(s % array.itemsize for s in array.strides)
        misfit = (_address(array) - _address(owner)) % array.itemsize
        if odd or misfit or owner.dtype.hasobject or not array.dtype.isnative:
            owner = array = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="))
            offset = 0
        key = id(owner)
        if key not in self._places:
            self._places[key] = len(self.held)
            self.held.append(owner)  # which keeps the id its own
        steps = [s // array.itemsize for s in array.strides]
        return self._places[key], int(offset), list(array.shape), steps


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def look(
    memory: np.ndarray, kind: dtype, offset: Any, sizes: Sequence[Any], steps: Sequence[Any]
) -> Tensor:
    """A tensor over `memory` (bytes). Raises FileError where it would look outside."""
    numbers = (offset, *sizes, *steps)
    if len(sizes) != len(steps) or any(type(n) is not int for n in numbers):
        raise FileError(f"damaged file: sizes {list(sizes)} and steps {list(steps)} of a tensor")
    if any(n < 0 for n in sizes) or len(sizes) > 64:
        raise FileError(f"damaged file: a tensor of sizes {list(sizes)}")
    limit = memory.nbytes // kind.itemsize
    if 0 not in sizes:
        spans = [(n - 1) * s for n, s in zip(sizes, steps, strict=True)]
        low = offset + sum(s for s in spans if s < 0)
        high = offset + sum(s for s in spans if s > 0)
        if low < 0 or high >= limit:
            raise FileError(
                f"damaged file: a tensor of sizes {list(sizes)}, steps {list(steps)} at {offset} "
                f"does not fit in its storage of {limit} elements"
            )
    else:
        offset, steps = 0, [0] * len(sizes)
    flat = memory[: limit * kind.itemsize].view(kind.numpy)
    bytes_ = [s * kind.itemsize for s in steps]
    try:
        made = np.ndarray(tuple(sizes), kind.numpy, flat, offset * kind.itemsize, bytes_)
    except (ValueError, TypeError, OverflowError) as error:
        raise FileError(f"damaged file: a tensor of sizes {list(sizes)} ({error})") from None
    return wrap(made)


class Placement:
    """Where loaded tensors go: `map_location` as torch has it.

    None leaves each where it was saved, a device (or its name) takes all, a dict maps names of
    devices, a function gets (storage's bytes, where it was) and returns a device or None.
    """

    def __init__(self, map_location: Any) -> None:
        self._map = map_location
        if isinstance(map_location, (str, device)):
            device(map_location)

    def where(self, saved: str, memory: Any) -> device:
        """The device for a storage saved on `saved`.

        Raises RuntimeError for a CUDA storage where no CUDA device can be used.
        """
        target: Any = saved
        if isinstance(self._map, dict):
            target = self._map.get(saved, saved)
        elif callable(self._map):
            answer = self._map(memory, saved)
            if isinstance(answer, (str, device)):
                target = answer
            elif answer is not None:  # torch's `lambda storage, location: storage`: as it lies
                target = "cpu"
        elif self._map is not None:
            target = self._map
        found = device(target)
        if found.type == "cuda" and self._map is None and not _cuda():
            raise FileError(
                "Attempting to deserialize object on a CUDA device but "
                "workbench.cuda.is_available() is False. On a machine without a GPU use "
                "wb.load(..., map_location='cpu')"
            )
        return found

    def move(self, tensor: Tensor, saved: str, memory: Any) -> Tensor:
        """`tensor` where it belongs."""
        where = self.where(saved, memory)
        return tensor if where.type == "cpu" else tensor.to(where)  # type: ignore[attr-defined]


def _cuda() -> bool:
    from workbench.arrays.backends import cuda

    return cuda.is_available()
