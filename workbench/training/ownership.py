"""Who trains which network: at most one run at a time steps a network or edits it."""

from __future__ import annotations

import threading
import weakref
from typing import Any


class Ownership:
    """The lock of one network, the run that drives it, and how often it was stepped by any run.

    The lock is held during a step and while an edit is applied. It keeps two runs that were given
    the same network (a cell that was run twice) from writing its weights at the same time.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.steps = 0
        self._driver: weakref.ref[Any] | None = None

    @property
    def driver(self) -> Any | None:
        """The run that trains the network, or None."""
        return None if self._driver is None else self._driver()

    @driver.setter
    def driver(self, run: Any | None) -> None:
        self._driver = None if run is None else weakref.ref(run)


_owners: weakref.WeakKeyDictionary[Any, Ownership] = weakref.WeakKeyDictionary()
_guard = threading.Lock()


def ownership(network: Any) -> Ownership:
    """The ownership of `network`, the same object for every run of it."""
    with _guard:
        found = _owners.get(network)
        if found is None:
            found = _owners[network] = Ownership()
        return found
