"""cupy.cuda: devices, streams, events, memory numbers, of a machine that is not there."""

from __future__ import annotations

import time
from typing import Any

from .state import state


class CUDARuntimeError(RuntimeError):
    """What the CUDA runtime raises."""


class Device:
    """A device; `use` makes it this thread's current one."""

    def __init__(self, device: Any = None) -> None:
        self.id = state.device if device is None else int(device)
        self._before: list[int] = []

    def use(self) -> None:
        """Make it current."""
        if not 0 <= self.id < state.devices:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        state.current.device = self.id

    def __enter__(self) -> Device:
        self._before.append(state.device)
        self.use()
        return self

    def __exit__(self, *exc: object) -> None:
        state.current.device = self._before.pop()

    def synchronize(self) -> None:
        """Wait for everything."""
        state.sync("Device.synchronize")

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    compute_capability = "90"
    pci_bus_id = "0000:00:00.0"

    @property
    def mem_info(self) -> tuple[int, int]:
        """Free and total bytes."""
        return state.memory - state.used, state.memory

    @property
    def attributes(self) -> dict[str, int]:
        """Some of what the driver tells."""
        return {"MultiProcessorCount": 132, "WarpSize": 32}


class Stream:
    """A queue of work."""

    null: Any = None

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False,
        priority: Any = None,
    ) -> None:  # fmt: skip
        self.ptr = 0 if null else id(self)
        self.device_id = state.device
        self._before: list[Any] = []

    def synchronize(self) -> None:
        """Wait for its work."""
        state.sync("Stream.synchronize")

    @property
    def done(self) -> bool:
        """Whether its work is finished."""
        return True

    def use(self) -> Stream:
        """Make it current."""
        state.current.stream = self
        return self

    def __enter__(self) -> Stream:
        self._before.append(get_current_stream())
        return self.use()

    def __exit__(self, *exc: object) -> None:
        state.current.stream = self._before.pop()

    def record(self, event: Any = None) -> Any:
        """Put an event behind its work."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Any) -> None:
        """Work behind this waits for `event`."""


Stream.null = Stream(null=True)


def get_current_stream(device_id: int = -1) -> Stream:
    """This thread's current stream."""
    return getattr(state.current, "stream", Stream.null)


class Event:
    """A mark in a stream."""

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        self.time: float | None = None
        self.ptr = id(self)

    def record(self, stream: Any = None) -> None:
        """Mark this moment."""
        self.time = time.perf_counter()

    @property
    def done(self) -> bool:
        """Whether it was reached."""
        return True

    def synchronize(self) -> None:
        """Wait for it."""
        state.sync("Event.synchronize")


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds between two events."""
    return 1e3 * ((end_event.time or 0) - (start_event.time or 0))


class MemoryPool:
    """The pool's numbers: what the live arrays hold."""

    def __init__(self, allocator: Any = None) -> None:
        self._limit = 0

    def used_bytes(self) -> int:
        """Bytes in use."""
        return state.used

    def total_bytes(self) -> int:
        """Bytes held from the device."""
        return state.used

    def free_bytes(self) -> int:
        """Bytes held and not in use."""
        return 0

    def n_free_blocks(self) -> int:
        """Blocks held and not in use."""
        return 0

    def free_all_blocks(self, stream: Any = None) -> None:
        """Give unused blocks back."""

    def set_limit(self, size: Any = None, fraction: Any = None) -> None:
        """Allow no more than this."""
        self._limit = int(size if size is not None else fraction * state.memory)

    def get_limit(self) -> int:
        """The limit in bytes; 0: none."""
        return self._limit

    def malloc(self, size: int) -> Any:
        """Not here."""
        raise NotImplementedError("the stand-in has no device memory to hand out")


POOL, PINNED = MemoryPool(), MemoryPool()


def get_device_count() -> int:
    """How many devices there are."""
    return state.devices


def _properties(device: int) -> dict[str, Any]:
    return {
        "name": b"Stand-in", "totalGlobalMem": state.memory, "major": 9, "minor": 0,
        "multiProcessorCount": 132, "warpSize": 32, "maxThreadsPerBlock": 1024,
        "l2CacheSize": 50 << 20, "clockRate": 1980000, "uuid": bytes(16),
        "integrated": 0, "isMultiGpuBoard": 0, "sharedMemPerBlock": 49152,
        "sharedMemPerMultiprocessor": 233472, "regsPerMultiprocessor": 65536,
        "maxThreadsPerMultiProcessor": 2048, "pciBusID": 0, "pciDeviceID": 0, "pciDomainID": 0,
    }  # fmt: skip


def _set_device(device: int) -> None:
    Device(device).use()


RUNTIME: dict[str, Any] = {
    "getDeviceCount": get_device_count,
    "getDevice": lambda: state.device,
    "setDevice": _set_device,
    "getDeviceProperties": _properties,
    "memGetInfo": lambda: (state.memory - state.used, state.memory),
    "deviceSynchronize": lambda: state.sync("deviceSynchronize"),
    "runtimeGetVersion": lambda: 12090,
    "driverGetVersion": lambda: 12090,
    "CUDARuntimeError": CUDARuntimeError,
    "deviceCanAccessPeer": lambda device, peer: 0,
    "profilerStart": lambda: None,
    "profilerStop": lambda: None,
    "is_hip": False,
}
CUDA: dict[str, Any] = {
    "Device": Device,
    "Stream": Stream,
    "Event": Event,
    "MemoryPool": MemoryPool,
    "is_available": lambda: state.devices > 0,
    "get_current_stream": get_current_stream,
    "get_elapsed_time": get_elapsed_time,
}
