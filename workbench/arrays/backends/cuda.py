"""The CUDA backend: CuPy, imported only when a CUDA device is first asked for."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from workbench.arrays.device import device

from .space import Space
from .writes import on_cuda

_EXTRAS = "pip install 'workbench-ml[cuda12]' (or [cuda13], to match your driver)"


def _cupy() -> ModuleType:
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError(
            f"CUDA needs CuPy, which is not installed or does not load ({error}). Install it with: "
            f"{_EXTRAS}; or stay on the CPU with device='cpu'."
        ) from error
    return cupy


def device_count() -> int:
    """How many CUDA devices can be used; 0 without CuPy, a driver or a GPU."""
    try:
        return int(_cupy().cuda.runtime.getDeviceCount())
    except Exception:  # noqa: BLE001 - every failure here means one thing: no usable device
        return 0


def is_available() -> bool:
    """Whether a CUDA device can be used."""
    return device_count() > 0


def why_unavailable() -> str | None:
    """Why CUDA cannot be used, or None when it can."""
    try:
        on_device(device("cuda"))
    except RuntimeError as error:
        return str(error)
    return None


_spaces: dict[ModuleType, Space] = {}


def space() -> Any:
    """NumPy's language over CuPy."""
    cupy = _cupy()
    found = _spaces.get(cupy)
    if found is None:
        found = _spaces[cupy] = Space(cupy)
    return found


def on_device(where: device) -> Any:
    """NumPy's language over CuPy, with `where` made the current device.

    Raises RuntimeError when CuPy, the driver or the device is missing.
    """
    cupy = _cupy()
    try:
        count = int(cupy.cuda.runtime.getDeviceCount())
    except Exception as error:
        raise RuntimeError(
            f"No CUDA device can be used: {error}. Check the driver with nvidia-smi, or stay on "
            "the CPU with device='cpu'."
        ) from error
    index = where.index or 0
    if index >= count:
        raise RuntimeError(
            f"invalid CUDA device index {index}: this machine has {count} device(s), from 0 on"
        )
    cupy.cuda.Device(index).use()
    return space()


def namespace(array: Any) -> Any:
    """NumPy's language over CuPy, for a CuPy array; TypeError for anything that is no array."""
    if on_cuda(array):
        return space()
    raise TypeError(f"expected a NumPy or CuPy array, got {type(array).__name__}")


def array_device(array: Any) -> device:
    """The device a CuPy array lives on."""
    return device("cuda", int(array.device.id))


def to_device(array: Any, where: device) -> Any:
    """A raw array as a CuPy array on `where`."""
    return on_device(where).asarray(array)


def to_host(array: Any) -> np.ndarray:
    """A CuPy array as a NumPy array."""
    return _cupy().asnumpy(array)
