"""How many threads BLAS gets while a run trains.

OpenBLAS's threads wait for each other by spinning. On small matrices there is little to share and
the waiting takes the cores from the notebook, its browser and the trainer itself: on two busy cores
the median step of a small convolutional network went from 10 ms to 80 ms. A step with little
arithmetic therefore runs on one thread. The choice follows from the network and the batch alone,
never from a measurement, so the same run gives the same bits. It holds for the process while a run
trains, and ends with it.
"""

from __future__ import annotations

import threading
from typing import Any

from workbench.arrays import blas_threads

SMALL = 100_000_000  # floating-point operations of a batch's forward pass; about 1 ms on one core

_lock = threading.Lock()
_before: int | None = None
_limited = False


def forward_work(network: Any) -> int:
    """Floating-point operations of one example's forward pass: counted, or two per parameter."""
    layers = getattr(network, "layers", None)
    if layers is not None and hasattr(network, "version"):
        return sum(int(layer.flops or 0) for layer in layers.values())
    return 2 * sum(parameter.numel() for parameter in network.parameters())


def settle(work: int) -> None:
    """Give BLAS what a step with `work` operations in its forward pass deserves."""
    global _before, _limited
    small = work < SMALL
    if small is _limited:
        return
    with _lock:
        if small is _limited:
            return
        if small:
            _before = blas_threads(1)
        elif _before is not None:
            blas_threads(_before)
            _before = None
        _limited = small


def restore() -> None:
    """No run trains any more: BLAS is as it was."""
    global _before, _limited
    with _lock:
        if _before is not None:
            blas_threads(_before)
        _before, _limited = None, False
