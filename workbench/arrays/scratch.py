"""Working memory that is used again: no page faults, no growth of the heap at every step.

A large array fresh from the system costs more to touch for the first time than most arithmetic on
it. Kernels that need room for intermediate values take it here. Each thread has buffers of its
own; a buffer grows to the largest size asked for under its name, and what it holds is undefined.
Results that a caller keeps never live here.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np

_held = threading.local()


def scratch(name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised, contiguous array of `shape`, valid until this thread asks for `name` again.

    Two arrays that are needed at a time need two names.
    """
    buffers = _held.__dict__
    size = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = buffers.get(name)
    if buffer is None or buffer.size < size:
        # lines of 64 bytes, so that vector loads cross none
        room = np.empty(size + 64, np.uint8)
        start = -room.__array_interface__["data"][0] % 64
        buffer = buffers[name] = room[start : start + size]
    return buffer[:size].view(dtype).reshape(shape)


def room(name: str, size: int) -> np.ndarray:
    """At least `size` bytes, on terms like `scratch`'s and found in a third of the time."""
    buffer = _held.__dict__.get(name)
    if buffer is None or buffer.size < size:
        scratch(name, (size,), np.uint8)
        buffer = _held.__dict__[name]
    return buffer


def release() -> None:
    """Give this thread's buffers back."""
    _held.__dict__.clear()
