"""What a run tells its listeners."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger("workbench.training")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a run at `step`.

    `kind` is one of "step", "state", "edit", "lr", "epoch", "validated" and "error"; `data` holds
    plain values (a state event: `before` and `state`; a step event: `loss` and `metrics`).
    """

    kind: str
    step: int
    data: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


class Bus:
    """Listeners in the order in which they came; one that raises is dropped with a warning."""

    def __init__(self) -> None:
        # A tuple that is replaced, never changed: it can be walked while another thread subscribes.
        self._listeners: tuple[Listener, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener(event)` for each event from now on; returns the function that ends it."""
        if not callable(listener):
            raise TypeError(f"a listener must be callable, got {type(listener).__name__}")
        self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            self._drop(listener)

        return unsubscribe

    def _drop(self, listener: Listener) -> None:
        kept = list(self._listeners)
        for place, known in enumerate(kept):
            if known is listener:
                del kept[place]
                break
        self._listeners = tuple(kept)

    def emit(self, event: Event) -> None:
        """Tell every listener, in the calling thread."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception as error:
                self._drop(listener)
                _warn(
                    f"a listener raised {type(error).__name__}: {error}. "
                    "It is not called any more; the run goes on."
                )
                log.debug("listener dropped", exc_info=True)


def _warn(message: str) -> None:
    """Warn, but never raise: under `-W error` a warning would otherwise end the training thread."""
    try:
        warnings.warn(message, RuntimeWarning, stacklevel=4)
    except RuntimeWarning:
        log.error("%s", message)
