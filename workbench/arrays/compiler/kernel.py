"""How a kernel is declared and called.

    @kernel("ptr x, ptr out, i64 width, double by")
    def scaled(fn, x, out, width, by, begin, end, worker, *, real):
        ...                       # writes the items begin … end - 1

    scaled(rows, grain, address(x), address(out), width, 0.5, real="float")

A kernel computes items `begin` to `end` of its work; the crew of threads hands them out. Settings
after the star are known when it is compiled: each combination is compiled when first asked for, in
a few hundredths of a second, and kept on disk. Arguments are addresses, whole numbers and doubles.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from . import llvm
from .crew import launch
from .ir import Function, module

_CODES = {"ptr": "Q", "i64": "q", "double": "d"}
_REALS = {"f": "float", "d": "double"}


_at = ctypes.c_void_p.from_address
_HEAD = object.__basicsize__  # where NumPy's arrays hold the address of their memory


def _slow_address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]  # type: ignore[no-any-return]


def _quick_address(array: np.ndarray) -> int:
    if type(array) is not np.ndarray:
        return _slow_address(array)
    return _at(id(array) + _HEAD).value  # type: ignore[return-value]


def _is_quick() -> bool:
    """Whether objects and arrays are laid out as in CPython, where the quick way is right."""
    probes = [np.empty(n, np.uint8) for n in (1, 100, 1 << 20)]
    return sys.implementation.name == "cpython" and all(
        _at(id(probe) + _HEAD).value == _slow_address(probe) for probe in probes
    )


address = _quick_address if _is_quick() else _slow_address
"""Where an array's memory begins (in a sixth of the time that NumPy takes to say so)."""
INSIDE = _HEAD if address is _quick_address else None
"""How far into an array, as `id` says where it is, its memory's address stands; None: unknown."""


def real(dtype: np.dtype) -> str:
    """LLVM's name of float32 or float64."""
    return _REALS[dtype.char]


class Made:
    """A compiled kernel: where it begins, and how its arguments are packed."""

    __slots__ = ("entry", "pack")

    def __init__(self, entry: int, codes: str) -> None:
        self.entry = entry
        self.pack = struct.Struct(f"={codes}").pack

    def __call__(self, total: int, grain: int, *arguments: Any) -> None:
        """Compute `total` items, at least `grain` at a time on one thread."""
        launch(self.entry, self.pack(*arguments), total, grain)


class Kernel:
    """A kernel with every combination of settings it has been compiled for."""

    def __init__(self, parameters: str, write: Callable[..., None]) -> None:
        self.parameters = [tuple(p.split(" ")) for p in parameters.split(", ")]
        self.write = write
        self.name = write.__name__.strip("_")
        self.__doc__ = write.__doc__
        self._codes = "".join(_CODES[kind] for kind, _ in self.parameters)
        self._made: dict[Any, Made] = {}

    def text(self, **settings: Any) -> str:
        """The module of one combination of settings."""
        fn = Function(self.name, "ptr arguments, i64 begin, i64 end, i64 worker")
        held, begin, end, worker = fn.args
        values = [fn.load(kind, fn.at(held, i, "i64")) for i, (kind, _) in
                  enumerate(self.parameters)]  # fmt: skip
        self.write(fn, *values, begin, end, worker, **settings)
        return module([fn])

    def of(self, **settings: Any) -> Made:
        """The kernel compiled for these settings."""
        key = tuple(settings.values())
        made = self._made.get(key)
        if made is None:
            entry = llvm.address(self.text(**settings), self.name)
            made = self._made[key] = Made(entry, self._codes)
        return made

    def __call__(self, total: int, grain: int, *arguments: Any, **settings: Any) -> None:
        """Compute `total` items, at least `grain` at a time on one thread."""
        made = self._made.get(tuple(settings.values())) or self.of(**settings)
        launch(made.entry, made.pack(*arguments), total, grain)


def kernel(parameters: str) -> Callable[[Callable[..., None]], Kernel]:
    """Declare a kernel: see the module."""
    return lambda write: Kernel(parameters, write)
