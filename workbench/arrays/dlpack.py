"""DLPack: memory handed to other libraries and taken from them, without a copy.

NumPy speaks the protocol except for bfloat16, which it does not know, and for read-only memory in
the protocol's first version. bfloat16 travels as 16-bit integers whose type code is put right in
the capsule (DLPack's `DLDataType`: code 4 is bfloat, 1 unsigned).
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from .backends import array_device, device_namespace
from .device import device
from .dtypes import bfloat16

_UINT, _BFLOAT = 1, 4
CPU, CUDA = 1, 2

# Where the type code lies: after data, device and ndim, in a versioned capsule after its head
_PLACES = {b"dltensor": 20, b"dltensor_versioned": 52}


def _retyped(capsule: Any, old: int, new: int) -> bool:
    """Change the type code of a capsule of 16-bit numbers; False where it holds others."""
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype = ctypes.c_char_p
    api.PyCapsule_GetName.argtypes = [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    name = api.PyCapsule_GetName(capsule)
    place = _PLACES.get(name)
    if place is None:
        return False
    code = (ctypes.c_uint8 * 2).from_address(api.PyCapsule_GetPointer(capsule, name) + place)
    if (code[0], code[1]) != (old, 16):
        return False
    code[0] = new
    return True


def _writable(array: np.ndarray) -> np.ndarray:
    """A broadcast view of writable memory without NumPy's lock on it; others as they are."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if array.flags.writeable or not owner.flags.writeable:
        return array
    held = np.lib.stride_tricks.as_strided(owner.reshape(-1)[:0], (0,), (0,))
    interface = dict(array.__array_interface__)
    interface["data"] = (interface["data"][0], False)

    class View:
        __array_interface__ = interface
        base = (owner, held)  # keeps the memory alive

    return np.asarray(View()).view(array.dtype)


def export(
    array: Any,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """The DLPack capsule of a raw array; the arguments are those of `__dlpack__`.

    Memory that is read-only is copied for consumers of the protocol's first version. Raises
    BufferError where `copy=False` and a copy is needed, or for another device.
    """
    if not isinstance(array, np.ndarray):  # CuPy knows streams and devices
        options = {"stream": stream, "max_version": max_version, "dl_device": dl_device}
        given = {key: value for key, value in options.items() if value is not None}
        return array.__dlpack__(**given, **({} if copy is None else {"copy": copy}))
    if stream is not None:
        raise AssertionError("stream should be None on cpu.")
    if dl_device is not None and tuple(int(n) for n in dl_device) != (CPU, 0):
        raise BufferError(f"a tensor on the CPU cannot be exported to DLPack device {dl_device}")
    packed = array.dtype == bfloat16.numpy
    held = _writable(array.view(np.uint16) if packed else array)
    versioned = max_version is not None and max_version[0] >= 1
    if not held.flags.writeable and not versioned:
        if copy is False:
            raise BufferError("read-only memory needs DLPack 1.0 or a copy; got copy=False")
        copy = True
    if copy:
        held = held.copy()
    capsule = held.__dlpack__(max_version=max_version)
    if packed:
        _retyped(capsule, _UINT, _BFLOAT)
    return capsule


def device_of(array: Any) -> tuple[int, int]:
    """DLPack's (kind of device, index) of a raw array."""
    kind, index = array.__dlpack_device__()
    return int(kind), int(index)


class _Capsule:
    """A capsule already taken, for `np.from_dlpack`."""

    def __init__(self, capsule: Any, where: tuple[int, int]) -> None:
        self.capsule, self.where = capsule, where

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.where


def take(source: Any, where: device | None = None, copy: bool | None = None) -> Any:
    """The raw array of another library's tensor, on the device it lies on or on `where`.

    Raises TypeError for objects without the protocol, BufferError where they refuse, or where
    `copy=False` and a copy is needed (another device, a negative stride).
    """
    if not (hasattr(source, "__dlpack__") and hasattr(source, "__dlpack_device__")):
        raise TypeError(
            f"from_dlpack expects an object with __dlpack__ and __dlpack_device__, got "
            f"{type(source).__name__}"
        )
    kind, index = (int(n) for n in source.__dlpack_device__())
    if kind == CPU:
        array = _from_cpu(source)
    else:
        array = device_namespace(device("cuda", index)).from_dlpack(source)
    fresh = False
    if any(step < 0 for step in array.strides):
        if copy is False:
            raise BufferError("tensors have no negative strides; got copy=False")
        array, fresh = array.copy(), True
    here = array_device(array)
    if where is not None and (where.type != here.type or where.index not in (None, here.index)):
        if copy is False:
            raise BufferError(f"from_dlpack: {here} to {where} needs a copy; got copy=False")
        from .backends import move

        return move(array, where)
    return array.copy() if copy and not fresh else array


def _from_cpu(source: Any) -> np.ndarray:
    try:
        capsule = source.__dlpack__(max_version=(1, 0))
    except TypeError:  # a library of the protocol's first version
        capsule = source.__dlpack__()
    packed = _retyped(capsule, _BFLOAT, _UINT)
    array = np.from_dlpack(_Capsule(capsule, (CPU, 0)))
    return array.view(bfloat16.numpy) if packed else array
