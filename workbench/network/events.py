"""What listeners are told when a network changed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .history import LogEntry


@dataclass(frozen=True)
class NetworkEvent:
    """A change that has been made.

    kind: "edited", "undone" or "redone". entry: its line in the log. added, removed: parameters
    that came or went.
    """

    kind: str
    entry: LogEntry
    added: list[Any] = field(default_factory=list)
    removed: list[Any] = field(default_factory=list)


Listener = Callable[[NetworkEvent], Any]


class Listeners:
    """Those who want to know; one that raises is dropped with a warning, the change stands."""

    def __init__(self) -> None:
        self._all: dict[int, Listener] = {}
        self._next = 0

    def add(self, listener: Listener) -> Callable[[], None]:
        """Add a listener. Returns a function that takes it out again; calling it twice is fine.

        Raises TypeError when it cannot be called.
        """
        if not callable(listener):
            raise TypeError(f"a listener is a function of the event, got {listener!r}")
        key, self._next = self._next, self._next + 1
        self._all[key] = listener
        return lambda: (self._all.pop(key, None), None)[1]

    def tell(self, event: NetworkEvent) -> None:
        """Call every listener, in the order they came."""
        failed = []
        for key, listener in list(self._all.items()):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - the edit has been made, whatever they say
                self._all.pop(key, None)
                failed.append(f"{type(error).__name__}: {error}")
        for words in failed:
            warnings.warn(
                f"a listener of the network raised and was dropped ({words})",
                RuntimeWarning,
                stacklevel=3,
            )
