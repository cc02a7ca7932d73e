"""Walking along lines of numbers in vectors: what sums and normalisations are made of.

A line is taken several vectors at a time, so that one sum need not wait for the one before it, then
one at a time; what is left at its end is read under a mask. How a line is cut depends on its length
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.arrays.compiler import available
from workbench.arrays.compiler.ir import Function, Value, Variable, vector
from workbench.arrays.compiler.kernel import address
from workbench.arrays.compiler.llvm import host

UNROLL = 4  # vectors at a time
PIECE = 4096  # elements whose sum is taken in the numbers' own precision
SERIAL = 1 << 16  # elements: less is no work for two


def vec(real: str) -> str:
    """The type of a vector of the processor's width."""
    return vector(host().lanes if real == "float" else host().lanes // 2, real)


def width(real: str) -> int:
    """Numbers in a vector."""
    return host().lanes if real == "float" else host().lanes // 2


def fit(*arrays: Any) -> bool:
    """Whether kernels are compiled, and all are NumPy's arrays of one dtype, float32 or float64.

    None counts as fitting; an array without elements does not.
    """
    char = arrays[0].dtype.char
    if char not in "fd" or not available():
        return False
    for a in arrays:
        if a is not None and (type(a) is not np.ndarray or a.dtype.char != char or not a.size):
            return False
    return True


def compact(array: np.ndarray) -> np.ndarray:
    """The array, or a copy of it, without gaps in memory."""
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def pointer(array: np.ndarray | None) -> int:
    """Where an array without gaps begins; 0 for none."""
    return 0 if array is None else address(array)


def grain(items: int, elements: int, pieces: int = 16) -> int:
    """Items at a time: all of them where `elements` (in all) are few."""
    return items if elements < SERIAL else max(1, items // pieces)


def walk(
    fn: Function,
    count: Value,
    real: str,
    body: Callable[[Value, Value | None, int], None],
    unroll: int = UNROLL,
) -> None:
    """`body(start, mask, which)` for each vector of a line of `count` numbers.

    `mask` is None but for the last, incomplete vector; `which` (below `unroll`) numbers the vectors
    that are taken together.
    """
    lanes = width(real)
    done = fn.variable("i64", 0)
    if unroll > 1:
        whole = count // (unroll * lanes) * (unroll * lanes)
        with fn.range(0, whole, unroll * lanes) as i:
            for which in range(unroll):
                body(i + which * lanes, None, which)
        done.set(whole)
    whole = count // lanes * lanes
    with fn.range(done, whole, lanes) as i:
        body(i, None, 0)
    rest = count - whole
    with fn.when(rest > 0):
        body(whole, fn.mask(lanes, rest), unroll - 1)


def read(fn: Function, real: str, base: Value, place: Value, mask: Value | None) -> Value:
    """A vector, or what the mask leaves of one beside zeros."""
    kind = vec(real)
    return fn.load(kind, base, place) if mask is None else fn.load_some(kind, base, place, mask)


def write(fn: Function, value: Value, base: Value, place: Value, mask: Value | None) -> None:
    """The counterpart of `read`."""
    if mask is None:
        fn.store(value, base, place)
    else:
        fn.store_some(value, base, place, mask)


def kept(fn: Function, value: Value, mask: Value | None) -> Value:
    """The value, zero where the mask is off."""
    return value if mask is None else fn.select(mask, value, 0)


class Sum:
    """A sum in several vectors."""

    def __init__(self, fn: Function, real: str, unroll: int = UNROLL) -> None:
        self.fn = fn
        self.parts: list[Variable] = [fn.variable(vec(real)) for _ in range(unroll)]
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        for part in self.parts:
            part.set(0)

    def add(self, which: int, value: Value) -> None:
        """Add to one of the vectors."""
        self.parts[which].set(self.parts[which].get() + value)

    def add_product(self, which: int, a: Value, b: Value) -> None:
        """Add a · b to one of the vectors."""
        self.parts[which].set(self.fn.fma(a, b, self.parts[which]))

    def total(self) -> Value:
        """All of it, one number."""
        values = [part.get() for part in self.parts]
        while len(values) > 1:
            half = len(values) // 2
            values = [a + b for a, b in zip(values[:half], values[half:], strict=True)]
        return self.fn.total(values[0])
