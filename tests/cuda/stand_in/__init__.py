"""Plays `cupy` on a machine without a GPU: CuPy's names, refusals and surprises, NumPy's numbers.

It computes nothing on a GPU and proves nothing about one. What it proves is that a program asks
CuPy only for what the recorded API (`../cupy_api.json`) has, and does nothing that CuPy refuses or
leaves undefined: no implicit NumPy conversion, no host arrays among the operands, no unknown name
or keyword, no index twice in an assignment; and where the host waits for the device.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .array import ndarray
from .kernels import MADE, twin
from .modules import INSTALLED, cupy, cupyx
from .state import HostSync, Undefined, counting, no_syncs, state

__all__ = [
    "MADE",
    "HostSync",
    "Undefined",
    "counting",
    "cupy",
    "cupyx",
    "installed",
    "ndarray",
    "no_syncs",
    "state",
    "twin",
]


@contextmanager
def installed() -> Iterator[None]:
    """`import cupy` gives the stand-in inside the block."""
    before = {name: sys.modules.get(name) for name in INSTALLED}
    sys.modules.update(INSTALLED)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
