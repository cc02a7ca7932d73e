"""The little that is asked of the IPython kernel; without one, every function says no."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def shell() -> Any | None:
    """The running IPython shell, or None. Imports nothing."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def kernel() -> Any | None:
    """The kernel that this process is, or None (plain Python, or IPython in a terminal)."""
    if "ipykernel" not in sys.modules:
        return None
    return getattr(shell(), "kernel", None)


def cell_id() -> str | None:
    """The id of the notebook cell being run, where the front end tells it."""
    running = kernel()
    if running is None:
        return None
    try:
        return running.get_parent("shell").get("metadata", {}).get("cellId")
    except Exception:  # noqa: BLE001 - an older kernel, no request yet: the id is a convenience
        return None


def call_soon(function: Callable[[], None], delay: float = 0.0) -> bool:
    """Call ``function`` on the kernel's main thread when it is free, after ``delay`` seconds.

    Returns False (and does nothing) where there is no kernel.
    """
    loop = getattr(kernel(), "io_loop", None)
    if loop is None:
        return False
    if delay > 0:
        loop.add_callback(loop.call_later, delay, function)
    else:
        loop.add_callback(function)
    return True
