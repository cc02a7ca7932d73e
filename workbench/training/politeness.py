"""How a training thread leaves room for the notebook.

Python's threads share one interpreter lock. A thread that wants it asks, and the one that has it
lets go after the switch interval, 5 ms by default. Answering a cell takes the kernel some dozens of
such hand-overs (sockets, event loop, output thread), so beside a thread that computes without a
break `1+1` would take a tenth of a second and more. While a run trains, the interval is therefore
shorter. That costs nothing while nobody asks, unlike yielding after each step; and unlike a yield
it helps when steps are long. Where NumPy does the work in large calls it lets go by itself, and the
interval hardly shows. The one of before comes back when the last run pauses.
"""

from __future__ import annotations

import sys
import threading

from . import threads

INTERVAL = 0.0005  # seconds; tests/benchmarks measures what it buys and costs

_lock = threading.RLock()  # reentrant: `leave` is also called by finalizers
_running = 0
_before = 0.0


def enter() -> None:
    """A run begins to train."""
    global _running, _before
    with _lock:
        if _running == 0:
            _before = sys.getswitchinterval()
            if _before > INTERVAL:
                sys.setswitchinterval(INTERVAL)
        _running += 1


def leave() -> None:
    """A run has paused or ended; pairs with `enter`."""
    global _running
    with _lock:
        _running -= 1
        if _running == 0:
            threads.restore()
        # Somebody else may have set it meanwhile: then it is theirs.
        if _running == 0 and abs(sys.getswitchinterval() - INTERVAL) < 1e-6 < _before:
            sys.setswitchinterval(_before)
