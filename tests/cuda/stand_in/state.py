"""What the stand-in keeps count of, and what it forbids for a while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class HostSync(AssertionError):
    """The host waited for the device inside `no_syncs()`."""


class Undefined(AssertionError):
    """Something whose result is undefined on a GPU."""


class State:
    """Counters since `reset`; numbers of the pretended machine."""

    devices = 1
    memory = 16 << 30

    def __init__(self) -> None:
        self.reset()
        self.used = 0
        self.forbidden = 0
        self.raise_linalg = threading.local()
        self.current = threading.local()

    def reset(self) -> None:
        """Start counting anew."""
        self.launches = self.syncs = self.uploads = self.downloads = 0
        self.kernels: list[str] = []

    def launch(self, name: str) -> None:
        """One kernel was launched."""
        self.launches += 1
        self.kernels.append(name)

    def sync(self, what: str) -> None:
        """The host waits for the device.

        Raises HostSync inside `no_syncs()`.
        """
        self.syncs += 1
        if self.forbidden:
            raise HostSync(f"{what} makes the host wait for the device")

    def upload(self) -> None:
        """Host memory was copied to the device (the device does not make the host wait)."""
        self.uploads += 1

    def download(self, what: str) -> None:
        """Device memory was copied to the host, which waits for it."""
        self.downloads += 1
        self.sync(what)

    @property
    def device(self) -> int:
        """This thread's current device."""
        return getattr(self.current, "device", 0)


state = State()


@contextmanager
def no_syncs() -> Iterator[State]:
    """Inside the block, whatever makes the host wait for the device raises HostSync."""
    state.forbidden += 1
    try:
        yield state
    finally:
        state.forbidden -= 1


@contextmanager
def counting() -> Iterator[State]:
    """Counters from zero inside the block."""
    state.reset()
    yield state
