"""Kernels compiled on the spot, where llvmlite is installed (`pip install 'workbench-ml[fast]'`).

A kernel is a Python function that writes LLVM's intermediate representation (`ir.py`); it is
compiled when first asked for, in a few hundredths of a second, kept on disk (`llvm.py`), and run by
a crew of threads (`crew.py`). Rooms above ask `available()` and go on with NumPy where it says no.
Which kernels run depends on shapes and dtypes alone, never on time, so a call gives the same bits
every time.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

_enabled: bool | None = None


def available() -> bool:
    """Whether kernels are compiled here.

    They are where llvmlite is installed, the processor has vectors with fused multiply-add, and
    WORKBENCH_FAST is not "0".
    """
    global _enabled
    if _enabled is None:
        _enabled = os.environ.get("WORKBENCH_FAST") != "0" and _possible()
    return _enabled


def enable(on: bool) -> None:
    """Use compiled kernels from now on, or do not."""
    global _enabled
    _enabled = on and _possible()


def _possible() -> bool:
    if find_spec("llvmlite") is None:
        return False
    try:
        from .llvm import host

        return host().lanes > 0
    except Exception:  # noqa: BLE001 - a broken installation is none
        return False


__all__ = ["available", "enable"]
