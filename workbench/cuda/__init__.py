"""CUDA devices (torch.cuda's names). Asking loads CuPy; importing this module does not.

Questions have an answer without a GPU (no device, no memory in use); what needs a device raises a
RuntimeError that says what is missing.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workbench.arrays import device as _Device


def _backend() -> Any:
    from workbench.arrays.backends import cuda

    return cuda


def _cupy(where: Any = None) -> Any:
    """CuPy with a device ready; RuntimeError naming what is missing."""
    return _backend().on_device(_device(where))


def _device(where: Any) -> _Device:
    if where is None:
        return _Device("cuda", _selected[0]) if _selected else _Device("cuda")
    return _Device("cuda", where) if isinstance(where, int) else _Device(where)


_selected: list[int] = []


def device_count() -> int:
    """How many CUDA devices can be used; 0 without CuPy, a driver or a GPU."""
    return int(_backend().device_count())


def is_available() -> bool:
    """Whether a CUDA device can be used."""
    return device_count() > 0


def is_initialized() -> bool:
    """Whether a CUDA device can be used."""
    return is_available()


def init() -> None:
    """Make sure that a CUDA device can be used. Raises RuntimeError where none can."""
    _cupy()


def current_device() -> int:
    """The index of the device that "cuda" means. Raises RuntimeError without a device."""
    return int(_cupy().cuda.Device().id)


def set_device(device: Any) -> None:
    """Make "cuda" mean this device. Raises RuntimeError where there is none such."""
    where = _device(device)
    _cupy(where)
    _selected[:] = [where.index or 0]


@contextmanager
def device(device: Any) -> Iterator[None]:
    """ "cuda" means another device inside the block."""
    before = list(_selected)
    set_device(device)
    try:
        yield
    finally:
        _selected[:] = before
        if before:
            _cupy(before[0])


def synchronize(device: Any = None) -> None:
    """Wait until a device has done all it was given. Raises RuntimeError without a device."""
    _cupy(device).cuda.Device().synchronize()


def get_device_name(device: Any = None) -> str:
    """A device's name. Raises RuntimeError without a device."""
    cupy = _cupy(device)
    name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """A device's compute capability, (major, minor). Raises RuntimeError without a device."""
    text = str(_cupy(device).cuda.Device().compute_capability)
    return int(text[:-1]), int(text[-1])


def get_device_properties(device: Any = None) -> Any:
    """A device's properties as CUDA's runtime tells them. Raises RuntimeError without a device."""
    from types import SimpleNamespace

    cupy = _cupy(device)
    found = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    major, minor = get_device_capability(device)
    return SimpleNamespace(
        name=get_device_name(device), total_memory=found.get("totalGlobalMem", 0), major=major,
        minor=minor, multi_processor_count=found.get("multiProcessorCount", 0),
    )  # fmt: skip


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False: on CUDA devices there are no bfloat16 tensors here."""
    return False


# -- memory --------------------------------------------------------------------------------------


def _pool() -> Any:
    return _cupy().get_default_memory_pool() if is_available() else None


_peak = [0]


def memory_allocated(device: Any = None) -> int:
    """Bytes that tensors take on the device; 0 without a device."""
    pool = _pool()
    used = 0 if pool is None else int(pool.used_bytes())
    _peak[0] = max(_peak[0], used)
    return used


def memory_reserved(device: Any = None) -> int:
    """Bytes that the memory pool holds; 0 without a device."""
    pool = _pool()
    return 0 if pool is None else int(pool.total_bytes())


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes the pool had to hold since reset_peak_memory_stats; 0 without a device."""
    memory_allocated(device)
    return max(_peak[0], memory_reserved(device))


max_memory_reserved = max_memory_allocated


def reset_peak_memory_stats(device: Any = None) -> None:
    """Start counting anew. Memory that nothing uses goes back to the device."""
    empty_cache()
    _peak[0] = 0


reset_max_memory_allocated = reset_peak_memory_stats


def empty_cache() -> None:
    """Give memory that nothing uses back to the device."""
    pool = _pool()
    if pool is not None:
        pool.free_all_blocks()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """(free, total) bytes of the device. Raises RuntimeError without a device."""
    free, total = _cupy(device).cuda.Device().mem_info
    return int(free), int(total)


def memory_stats(device: Any = None) -> dict[str, int]:
    """Bytes in use and reserved, under torch's keys."""
    return {
        "allocated_bytes.all.current": memory_allocated(device),
        "allocated_bytes.all.peak": max_memory_allocated(device),
        "reserved_bytes.all.current": memory_reserved(device),
    }


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """Bytes in use and reserved, as text."""
    return "\n".join(f"{key}: {value}" for key, value in memory_stats(device).items())


# -- streams and events ----------------------------------------------------------------------------


class Event:
    """A point in a device's work, to wait for or to measure time from."""

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ) -> None:
        self._event = _cupy().cuda.Event(block=blocking, disable_timing=not enable_timing)

    def record(self, stream: Any = None) -> None:
        """Mark this point."""
        self._event.record() if stream is None else self._event.record(stream._stream)

    def synchronize(self) -> None:
        """Wait until the work up to here is done."""
        self._event.synchronize()

    def query(self) -> bool:
        """Whether the work up to here is done."""
        return bool(self._event.done)

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from here to another event."""
        return float(_cupy().cuda.get_elapsed_time(self._event, end_event._event))


class Stream:
    """A queue of work on a device."""

    def __init__(self, device: Any = None, priority: int = 0) -> None:
        self._stream = _cupy(device).cuda.Stream(non_blocking=True)

    def synchronize(self) -> None:
        """Wait until all work given so far is done."""
        self._stream.synchronize()

    def query(self) -> bool:
        """Whether all work given so far is done."""
        return bool(self._stream.done)

    def wait_stream(self, stream: Stream) -> None:
        """Later work waits for what the other stream was given so far."""
        self._stream.wait_event(stream._stream.record())

    def __enter__(self) -> Stream:
        self._stream.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stream.__exit__(*error)


def stream(stream: Stream) -> Stream:
    """Work inside the block goes to `stream`."""
    return stream


def current_stream(device: Any = None) -> Stream:
    """The stream that work goes to now. Raises RuntimeError without a device."""
    made = Stream.__new__(Stream)
    made._stream = _cupy(device).cuda.get_current_stream()
    return made


# -- random numbers --------------------------------------------------------------------------------


def manual_seed_all(seed: int) -> None:
    """Seed the default generator, which all devices share."""
    from workbench.arrays.random import manual_seed as seed_default

    seed_default(seed)


manual_seed = manual_seed_all


def get_rng_state(device: Any = "cuda") -> Any:
    """The default generator's position: all devices share it."""
    from workbench.arrays.random import default_generator

    return default_generator().get_state()


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Put the default generator where `get_rng_state` found it."""
    from workbench.arrays.random import default_generator

    default_generator().set_state(new_state)


def __getattr__(name: str) -> Any:
    if name == "amp":
        return importlib.import_module("workbench.cuda.amp")
    if name in ("nccl", "nvtx", "graphs", "CUDAGraph", "comm"):
        raise AttributeError(
            f"workbench.cuda has no {name}: work runs on one device, through CuPy; ask "
            "wb.cuda.is_available() first"
        )
    raise AttributeError(f"module 'workbench.cuda' has no attribute {name!r}")
