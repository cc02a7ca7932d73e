"""Elementwise kernels in one pass, where numba is installed (`pip install 'workbench-ml[fast]'`).

A kernel is stated as a few lines, each a NumPy function of arrays, numbers and intermediate
results. NumPy takes a pass over memory for each line; compiled, all lines are done on an element
before the next is looked at. Only functions are taken whose results IEEE 754 fixes to the last bit,
and no arithmetic is rearranged, so a compiled kernel gives the bits that NumPy gives.

Compiling takes about a second: a thread of its own does it, and callers go on with NumPy until it
is done. Without numba, or when something fails, they simply go on.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from queue import Queue
from typing import Any, NamedTuple

import numpy as np

# What each function is in a line of Python over single elements
_FORMS = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "divide": "{0} / {1}",
    "true_divide": "{0} / {1}", "negative": "-{0}", "positive": "{0}", "square": "{0} * {0}",
    "sqrt": "sqrt({0})", "absolute": "abs({0})", "copyto": "{1}",
    "maximum": "({0} if ({0} > {1} or {0} != {0}) else {1})",
    "minimum": "({0} if ({0} < {1} or {0} != {0}) else {1})",
    # masks, as the numbers they count as
    "greater": "(one if {0} > {1} else zero)", "less": "(one if {0} < {1} else zero)",
    "greater_equal": "(one if {0} >= {1} else zero)", "less_equal": "(one if {0} <= {1} else zero)",
}  # fmt: skip
_MOST_LINES = 1024


class Ref(NamedTuple):
    """An operand: "a" an array, "n" a number, "t" an intermediate result, by its place."""

    kind: str
    place: int

    def __str__(self) -> str:
        return f"{self.kind}{self.place}"


class Line(NamedTuple):
    """`out = function(*operands)`."""

    function: str
    operands: tuple[Ref, ...]
    out: Ref


class Unstatable(Exception):
    """A kernel that does something else than the functions known here."""


class Statement:
    """Stands for NumPy and writes down what a kernel calls: `statement.array(0)`, `.number(1)`."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._count = 0

    @staticmethod
    def array(place: int) -> Any:
        """What stands for an array."""
        return _Symbol(Ref("a", place))

    @staticmethod
    def number(place: int) -> Any:
        """What stands for a number."""
        return _Symbol(Ref("n", place))

    def room(self) -> Any:
        """What stands for an array to write to that nobody reads afterwards."""
        self._count += 1
        return _Symbol(Ref("t", self._count))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in _FORMS:
            raise Unstatable(name)

        def call(*operands: Any, out: Any = None) -> Any:
            target = self.room() if out is None else out
            if name == "copyto":
                target = operands[0]
            if not all(type(x) is _Symbol for x in (*operands, target)):
                raise Unstatable(name)
            refs = tuple(x.ref for x in operands)
            self.lines.append(Line(name, refs, target.ref))
            return target

        return call


class _Symbol:
    __slots__ = ("ref",)

    def __init__(self, ref: Ref) -> None:
        self.ref = ref


def source(lines: Sequence[Line], arrays: int, numbers: int) -> str:
    """The kernel's Python: arrays (1-D, of one length), then one array of the numbers."""
    names = [f"a{i}_" for i in range(arrays)]
    text = [f"def kernel({', '.join([*names, 'numbers'])}):"]
    text += [f"    n{i} = numbers[{i}]" for i in range(numbers)]
    text += [f"    for i in range({names[0]}.size):"]
    known: set[Ref] = set()
    written: list[Ref] = []
    for line in lines:
        for ref in line.operands:
            if ref.kind == "a" and ref not in known:
                text.append(f"        {ref} = a{ref.place}_[i]")
                known.add(ref)
        text.append(f"        {line.out} = {_FORMS[line.function].format(*line.operands)}")
        if line.out.kind == "a":
            known.add(line.out)
            written = [ref for ref in written if ref != line.out] + [line.out]
    text += [f"        a{ref.place}_[i] = {ref}" for ref in written]
    return "\n".join(text) + "\n"


_kernels: dict[Any, Any] = {}
_waiting: Queue[Any] | None = None
_process = 0
_lock = threading.Lock()
_compiling = threading.Lock()
_enabled: bool | None = None


def available() -> bool:
    """Whether kernels are compiled here: numba is installed and WORKBENCH_FAST is not "0"."""
    global _enabled
    if _enabled is None:
        _enabled = os.environ.get("WORKBENCH_FAST") != "0" and find_spec("numba") is not None
    return _enabled


def enable(on: bool) -> None:
    """Use compiled kernels from now on, or do not."""
    global _enabled
    _enabled = on and find_spec("numba") is not None


def compiled(
    lines: Sequence[Line], arrays: int, numbers: int, dtype: np.dtype
) -> Callable[..., None] | None:
    """The kernel for arrays of `dtype` (float32 or float64), once it is compiled; None till then.

    It takes the arrays, C-contiguous, writable and of one length, then the numbers as one array.
    """
    if not available() or dtype.char not in "fd" or not 1 < len(lines) <= _MOST_LINES:
        return None
    key = (tuple(lines), arrays, numbers, dtype.char)
    found = _kernels.get(key)
    if found is None:
        _kernels[key] = False
        _post(key)
    return found or None


def _post(key: Any) -> None:
    global _waiting, _process
    with _lock:
        if _waiting is None:
            _mind_forks()
        if _waiting is None or _process != os.getpid():  # threads do not survive a fork
            _waiting, _process = Queue(), os.getpid()
            threading.Thread(
                target=_compile_all, args=(_waiting,), name="workbench-compiler", daemon=True
            ).start()
    _waiting.put(key)


def _mind_forks() -> None:
    """Let a fork wait for the kernel in work: in the child the compiler's locks would stay taken.

    Registered after `logging`, which numba uses: the last registered goes first, so the fork waits
    before logging's own lock is taken.
    """
    import logging

    assert logging
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_compiling.acquire,
            after_in_parent=_compiling.release,
            after_in_child=_compiling.release,
        )


def _compile_all(waiting: Queue[Any]) -> None:
    while True:
        key = waiting.get()
        try:
            with _compiling:
                _kernels[key] = _compile(*key)
        except Exception:  # noqa: BLE001 - NumPy goes on doing it
            _kernels[key] = False
        waiting.task_done()


def settle() -> None:
    """Wait until every kernel that was asked for is compiled."""
    if _waiting is not None and _process == os.getpid():
        _waiting.join()


def _compile(lines: tuple[Line, ...], arrays: int, numbers: int, char: str) -> Any:
    import math

    import numba

    scalar = np.float32 if char == "f" else np.float64
    space: dict[str, Any] = {"sqrt": math.sqrt, "one": scalar(1), "zero": scalar(0)}
    exec(source(lines, arrays, numbers), space)  # names and forms of our own only
    real = numba.float32 if char == "f" else numba.float64
    one = numba.types.Array(real, 1, "C")
    signature = numba.void(*[one] * arrays, one)
    # "numpy" errors: a division by zero gives inf, as NumPy's does; nogil: blocks go in parallel
    return numba.njit(signature, nogil=True, error_model="numpy")(space["kernel"])
