"""Random numbers (torch.random's names)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .arrays.random import Generator, default_generator, manual_seed
from .tensor import Tensor

__all__ = [
    "Generator",
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]


def seed() -> int:
    """Restart the default generator at a seed from the operating system; returns it."""
    return default_generator().seed()


def initial_seed() -> int:
    """The seed the default generator started from."""
    return default_generator().initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's position, for `set_rng_state`: uint8."""
    found: Tensor = default_generator().get_state()
    return found


def set_rng_state(new_state: Tensor) -> None:
    """Put the default generator where `get_rng_state` found it."""
    default_generator().set_state(new_state)


@contextmanager
def fork_rng(
    devices: Iterable[Any] | None = None, enabled: bool = True, **options: Any
) -> Iterator[None]:
    """What is drawn inside the block leaves the default generator where it was before."""
    before = default_generator().state
    try:
        yield
    finally:
        if enabled:
            default_generator().state = before
