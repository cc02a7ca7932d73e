"""The one accelerator there may be, CUDA (torch.accelerator's names)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import cuda
from .arrays import device


def is_available() -> bool:
    """Whether there is an accelerator that can be used."""
    return cuda.is_available()


def device_count() -> int:
    """How many accelerators can be used."""
    return cuda.device_count()


def current_accelerator(check_available: bool = False) -> device | None:
    """device("cuda") where one can be used, else None."""
    return device("cuda") if cuda.is_available() else None


def current_device_index() -> int:
    """The index of the current accelerator. Raises RuntimeError without one."""
    return cuda.current_device()


def set_device_index(device: Any) -> None:
    """Make this accelerator the current one. Raises RuntimeError where there is none such."""
    cuda.set_device(device)


current_device_idx, set_device_idx = current_device_index, set_device_index


@contextmanager
def device_index(device: int | None) -> Iterator[None]:
    """Another accelerator is current inside the block; None changes nothing."""
    if device is None:
        yield
    else:
        with cuda.device(device):
            yield


def synchronize(device: Any = None) -> None:
    """Wait until an accelerator has done all it was given. Raises RuntimeError without one."""
    cuda.synchronize(device)


def current_stream(device: Any = None) -> Any:
    """The stream that work goes to now. Raises RuntimeError without an accelerator."""
    return cuda.current_stream(device)


def empty_cache() -> None:
    """Give memory that nothing uses back."""
    cuda.empty_cache()


memory_allocated, memory_reserved = cuda.memory_allocated, cuda.memory_reserved
max_memory_allocated, max_memory_reserved = cuda.max_memory_allocated, cuda.max_memory_reserved
reset_peak_memory_stats, memory_stats = cuda.reset_peak_memory_stats, cuda.memory_stats
