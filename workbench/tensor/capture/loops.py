"""Fused loops as compiled kernels, where there are any: see `workbench.arrays.fast`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.arrays import fast, parallel

from .program import Value


def compiled_or(
    by_numpy: Callable[[], None], loop: Any, static: Callable[[Value], Any]
) -> Callable[[], None]:
    """`by_numpy` until (and unless) the loop's kernel is compiled; the same bits either way."""
    stated = _stated(loop, static) if fast.available() else None
    if stated is None:
        return by_numpy
    lines, arrays, numbers = stated
    dtype = arrays[0].dtype
    work = parallel_work(arrays[0].size, len(lines))
    shares = _shares(arrays, work)
    vector = np.array([n[()] for n in numbers] or [0], dtype)
    moving = [(i, n) for i, n in enumerate(numbers) if n.flags.writeable]  # not a constant
    count = max(len(numbers), 1)
    fast.compiled(lines, len(arrays), count, dtype)  # begin
    kernel: Any = None

    def run() -> None:
        nonlocal kernel
        if kernel is None:
            kernel = fast.compiled(lines, len(arrays), count, dtype)
            if kernel is None:
                by_numpy()
                return
        for i, n in moving:
            vector[i] = n[()]
        if len(shares) == 1:
            kernel(*shares[0], vector)
        else:
            parallel.each(lambda share, _: kernel(*share, vector), shares, work)

    return run


def parallel_work(elements: int, kernels: int) -> int:
    """How much a run of so many kernels is, as elements of a short one."""
    return elements * max(1, kernels // 8)


def _shares(arrays: list[Any], work: int) -> list[list[Any]]:
    """The arrays cut for as many threads as are worth it."""
    size = arrays[0].size
    count = parallel.threads() if work >= parallel.LEAST else 1
    step = -(-size // count)
    return [[a[i : i + step] for a in arrays] for i in range(0, size, step)]


def _stated(loop: Any, static: Callable[[Value], Any]) -> Any:
    """The loop's lines, its arrays (flat) and its numbers; None where it does something else."""
    statement = fast.Statement()
    symbols: dict[Value, Any] = {}
    roots: set[Value] = set()
    arrays: list[Any] = []
    numbers: list[Any] = []
    targets = [v for one in loop.instructions for v in (*one.outs, *one.writes)]
    dtype = next((v.dtype for v in targets if v.dtype.char in "fd"), targets[0].dtype)

    def symbol(value: Value) -> Any:
        if value in symbols:
            return symbols[value]
        mask = value.dtype.kind == "b" and value in loop.inner
        if (value.dtype != dtype and not mask) or value.root in roots:
            raise fast.Unstatable(str(value))  # another type, or memory under two names
        roots.add(value.root)
        if value in loop.inner:
            made = statement.room()
        elif value.shape == () and value.dtype == dtype:
            numbers.append(static(value))
            made = statement.number(len(numbers) - 1)
        else:
            arrays.append(static(value).reshape(-1))
            made = statement.array(len(arrays) - 1)
        symbols[value] = made
        return made

    try:
        for one in loop.instructions:
            if not all(type(a) is Value for a in one.args):
                return None
            operands = [symbol(a) for a in one.args]
            (target,) = one.writes or one.outs
            getattr(statement, one.function.__name__)(*operands, out=symbol(target))
    except fast.Unstatable:
        return None
    if not arrays or not all(a.flags.carray for a in arrays):
        return None
    return tuple(statement.lines), arrays, numbers


__all__ = ["compiled_or", "parallel_work"]
