"""The innermost loop of every product of matrices: a tile of sums held in registers.

A tile has `rows` x `vectors` sums, each a vector of lanes. For every k it spreads one number of
each row and multiplies it with the vectors of that k: two loads of vectors and a dozen of numbers
feed two dozen fused multiply-adds, which is what a processor does at once (Goto & van de Geijn,
"Anatomy of high-performance matrix multiplication", 2008; Van Zee & van de Geijn, "BLIS", 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .ir import Function, Value, Variable, vector
from .llvm import host


def size(real: str = "float") -> tuple[int, int, int]:
    """(rows, vectors, lanes) of the tile that suits this processor."""
    here = host()
    lanes = here.lanes if real == "float" else here.lanes // 2
    return (8, 3, lanes) if here.registers >= 32 else (4, 3, lanes)


def sums(fn: Function, rows: int, vectors: int, lanes: int, real: str = "float") -> list[Any]:
    """Variables for the tile's sums, rows of vectors, zero."""
    kind = vector(lanes, real)
    return [[fn.variable(kind, 0) for _ in range(vectors)] for _ in range(rows)]


def accumulate(
    fn: Function,
    into: list[list[Variable]],
    depth: Any,
    left: Callable[[Value, int], Value],
    right: Callable[[Value, int], Value],
    *,
    start: Any = 0,
) -> None:
    """Add left(k, row) · right(k, vector) for every k from `start` to `depth` to the sums.

    `left` gives a number, `right` a vector; what is computed of k alone is computed once.
    """
    with fn.range(start, depth) as k:
        several = [right(k, v) for v in range(len(into[0]))]
        for row, places in enumerate(into):
            spread = left(k, row)
            for place, value in zip(places, several, strict=True):
                place.set(fn.fma(fn.of(value.kind, spread), value, place))


def transpose(fn: Function, lines: list[Value]) -> list[Value]:
    """The columns of a square of as many vectors as each has lanes, in registers.

    Squares of 2, 4, 8 … exchange the corners off their diagonal.
    """
    n = len(lines)
    made = list(lines)
    step = 1
    while step < n:
        upper = [i if not i & step else n + i - step for i in range(n)]
        lower = [i + step if not i & step else n + i for i in range(n)]
        for i in range(n):
            if not i & step:
                a, b = made[i], made[i + step]
                made[i], made[i + step] = fn.shuffle(a, b, upper), fn.shuffle(a, b, lower)
        step *= 2
    return made
