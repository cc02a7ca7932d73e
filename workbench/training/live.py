"""The runs that are alive in this process."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from .events import Bus, Event

if TYPE_CHECKING:
    from .run import Run

_lock = threading.Lock()
_runs: list[weakref.ref[Run]] = []
_created = Bus()


def runs() -> list[Run]:
    """The runs that something still refers to, oldest first."""
    with _lock:
        _runs[:] = [reference for reference in _runs if reference() is not None]
        return [run for run in (reference() for reference in _runs) if run is not None]


def on_run_created(listener: Callable[[Run], None]) -> Callable[[], None]:
    """Call `listener(run)` for every run made from now on; returns the function that ends it."""

    def listen(event: Event) -> None:
        listener(event.data["run"])

    return _created.subscribe(listen)


def announce(run: Run) -> None:
    """Put a new run on the list and tell the listeners."""
    with _lock:
        _runs.append(weakref.ref(run))
    if _created:
        _created.emit(Event("created", 0, {"run": run}))
