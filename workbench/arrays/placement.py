"""Where tensors are made when no device is named: what is set, and the blocks around us."""

from __future__ import annotations

import threading

from .device import device as Device


class _Blocks(threading.local):
    def __init__(self) -> None:
        self.around: list[Device] = []


_blocks = _Blocks()
_set: list[Device] = []  # of the whole process, at most one
changed = False  # whether there ever was one: making a tensor looks here first


def get_default_device() -> Device:
    """Where tensors are made when no device is named: the CPU unless set_default_device says so."""
    return _blocks.around[-1] if _blocks.around else _set[0] if _set else Device("cpu")


def set_default_device(device: Device | str | int | None) -> None:
    """Make new tensors on `device` when none is named; None is the CPU again."""
    global changed
    where = Device("cpu" if device is None else device)
    changed = True
    _set[:] = [] if where.type == "cpu" else [where]


def enter(device: Device) -> None:
    """A block whose tensors are made on `device` begins."""
    global changed
    changed = True
    _blocks.around.append(device)


def leave() -> None:
    """The innermost block ends."""
    _blocks.around.pop()
