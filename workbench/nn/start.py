"""Initial values that can be had again.

A layer draws its initial values from a stream of its own and remembers its seed as `initial_seed`.
The same seed gives the same values again: `reset_parameters()` under `wb.arrays.random.fork(seed)`.
That is how the code of an editable network reproduces layers that were made by hand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from workbench.arrays.random import default_generator, fork

__all__ = ["own_stream"]


def own_stream(reset: Callable[[Any], None]) -> Callable[[Any], None]:
    """Decorate a `reset_parameters` that draws: it gets, and leaves, a seed of its own."""

    @functools.wraps(reset)
    def wrapper(self: Any) -> None:
        seed = default_generator().branch()
        with fork(seed):
            reset(self)
        self.__dict__["initial_seed"] = seed

    return wrapper
