"""Which step is being recorded, if any, and by which thread.

The rest of the engine asks here, and nowhere else, before it does something that a recorded step
has to know about. Nothing is being recorded nearly always, so asking is one attribute read.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

profiler: Any = None  # the profile being taken
recorder: Any = None  # the Recorder at work; there is at most one in the process
lock = threading.Lock()

# Classes whose calls a recording takes note of: nn.Module
observed: list[type] = []
# Bumped by every change of a module's attributes, so that an unchanged network costs one look.
module_changes = 0


def current() -> Any:
    """The recorder of this thread's step, or None."""
    held = recorder
    if held is not None and held.thread == threading.get_ident() and not held.paused:
        return held
    return None


def effect(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run Python that changes something outside the step; a replayed step runs it again.

    Outside a recording it is an ordinary call.
    """
    held = current()
    if held is None:
        return function(*args, **kwargs)
    return held.effect(function, args, kwargs)


def as_effect(method: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a method that a replayed step has to call again: an optimizer's step, say."""

    @functools.wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        held = current()
        if held is None:
            return method(self, *args, **kwargs)
        return held.effect(method, (self, *args), kwargs)

    return run


def kernel(
    function: Callable[..., Any], *args: Any, writes: tuple[int, ...] = (), **kwargs: Any
) -> Any:
    """Call a function of raw arrays that a recorded step keeps as one instruction.

    It must depend on its arguments alone. `writes` are the positions of those that it changes in
    place (an array, or a list of arrays).
    """
    held = current()
    if held is None:
        return function(*args, **kwargs)
    return held.opaque(function, args, kwargs, writes=writes)


def needs_value(what: str) -> None:
    """Note that Python is about to look at a computed value: such a step is not replayed."""
    held = current()
    if held is not None:
        held.abandon(f"{what} needs a value that the step computes")
