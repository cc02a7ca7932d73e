"""BLAS's idle threads go to sleep: said to OpenBLAS before NumPy loads it.

Its threads wait for work awake, by default for some 100 ms after the library is loaded and 30 ms
after every product, each taking a core from whatever else is at work: an import costs twice the
processor time it needs, and threads of our own share their cores with them. Half a millisecond
bridges the gap between the products of a network as well.

Nothing is done where NumPy is there already, or where the user has said something else.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

_VARIABLE = "OPENBLAS_THREAD_TIMEOUT"
_CYCLES = 20  # as a power of two


def _load_numpy() -> None:
    """Import NumPy; the variable is gone again after, so that no child process inherits it."""
    if "numpy" in sys.modules or _VARIABLE in os.environ:
        return
    os.environ[_VARIABLE] = str(_CYCLES)
    try:
        import_module("numpy")
    finally:
        del os.environ[_VARIABLE]


_load_numpy()
