"""Which library computes: NumPy for the CPU, CuPy (loaded when first asked for) for CUDA."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from workbench.arrays import placement
from workbench.arrays.device import device

from . import cpu
from .writes import on_cuda, writable

_CPU = device("cpu")


def namespace(array: Any) -> ModuleType:
    """The array library (`numpy` or `cupy`) of a raw array."""
    if isinstance(array, (np.ndarray, np.generic)):
        return np
    if hasattr(array, "inside"):  # an array with a hidden dimension over another
        return namespace(array.inside)
    from . import cuda

    return cuda.namespace(array)


def array_device(array: Any) -> device:
    """The device a raw array lives on."""
    if isinstance(array, (np.ndarray, np.generic)):
        return _CPU
    if hasattr(array, "inside"):
        return array_device(array.inside)
    from . import cuda

    return cuda.array_device(array)


def device_namespace(where: device | str | None) -> ModuleType:
    """The array library of a device, ready to allocate on it.

    Raises RuntimeError naming the extra to install, or what is wrong, when CUDA cannot be used.
    """
    if where is None and placement.changed:
        where = placement.get_default_device()
    if where is None or device(where).type == "cpu":
        return np
    from . import cuda

    return cuda.on_device(device(where))


def move(array: Any, where: device) -> Any:
    """A copy of a raw array on another device; the same array when it is there already."""
    if where.type == "cpu":
        if hasattr(array, "inside") and array_device(array).type == "cpu":
            return array  # hides a dimension of one that is there
        return to_numpy(array)
    from . import cuda

    return cuda.to_device(array, where)


def to_numpy(array: Any) -> np.ndarray:
    """A raw array as a NumPy array, without a copy when it is one."""
    if isinstance(array, np.ndarray):
        return array
    if isinstance(array, np.generic) or hasattr(array, "inside"):
        return np.asarray(array)
    from . import cuda

    return cuda.to_host(array)


__all__ = [
    "array_device",
    "cpu",
    "device_namespace",
    "move",
    "namespace",
    "on_cuda",
    "to_numpy",
    "writable",
]
