"""Fused loops as compiled kernels, where there are any: see `workbench.arrays.compiler.lines`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.arrays.compiler import available, lines
from workbench.arrays.compiler.crew import launch

from .program import Value

_TRUTH = {"greater", "less", "greater_equal", "less_equal", "equal", "not_equal"}


def compiled(loop: Any, static: Callable[[Value], Any]) -> Callable[..., None] | None:
    """The loop as one kernel; None where NumPy has to do it. The bits are the same either way.

    It takes the loop's open operands, whose memory is another in every call.
    """
    stated = _stated(loop, static) if available() else None
    if stated is None:
        return None
    statement, operands, arrays, numbers, opened = stated
    dtype = _dtype(loop)
    kernel = lines.compiled(tuple(statement.lines), operands, len(numbers), dtype)
    if kernel is None:
        return None
    values = np.array([n[()] for n in numbers], dtype)
    held = [*arrays, values] if numbers else arrays
    if opened:
        return _opened(kernel, held, opened, numbers, values)
    prepared = kernel.prepared(*held)

    def run() -> None:
        for i, n in enumerate(numbers):
            values[i] = n[()]
        launch(*prepared)

    run.held = held  # type: ignore[attr-defined]  # lives as long as its addresses are used
    return run


def _opened(
    kernel: Any, held: list[Any], opened: list[tuple[int, tuple[int, ...]]], numbers: list[Any],
    values: Any,
) -> Callable[..., None]:  # fmt: skip
    """The kernel with some operands to be given in each call: their places and shapes."""

    def run(*given: Any) -> None:
        for i, n in enumerate(numbers):
            values[i] = n[()]
        operands = held.copy()
        for (place, shape), array in zip(opened, given, strict=True):
            operands[place] = np.ascontiguousarray(array).reshape(shape)
        kernel(*operands)

    return run


def parallel_work(elements: int, kernels: int) -> int:
    """How much a run of so many kernels is, as elements of a short one."""
    return elements * max(1, kernels // 8)


def _stated(loop: Any, static: Callable[[Value], Any]) -> Any:
    """The loop's lines, its arrays with what they are, its numbers, and which arrays are open.

    None if it cannot be stated. In an open array's place is its shape's stand-in.
    """
    statement = lines.Statement()
    symbols: dict[Value, Any] = {}
    roots: set[Value] = set()
    arrays: list[Any] = []
    operands: list[lines.Operand] = []
    numbers: list[Any] = []
    places: dict[Value, tuple[int, tuple[int, ...]]] = {}
    dtype = _dtype(loop)
    width = _width(loop)
    waiting = set(loop.open)

    def symbol(value: Value) -> Any:
        if value in symbols:
            return symbols[value]
        mask = value.dtype.kind == "b" and value.shape != ()
        if (value.dtype != dtype and not mask) or value.root in roots:
            raise lines.Unstatable(str(value))  # another type, or memory under two names
        roots.add(value.root)
        if value in loop.inner:
            made = statement.room()
        elif value in waiting:
            spread = spread_of(value.shape, loop.shape, width)
            flat = (-1, width) if not spread and width else (-1,)
            places[value] = (len(arrays), flat)
            arrays.append(None)
            operands.append(lines.Operand(mask, spread))
            made = statement.array(len(arrays) - 1)
        elif value.shape == () or not any(static(value).strides):
            array = static(value)
            if array.flags.writeable:
                numbers.append(array)
                made = statement.number(len(numbers) - 1)
            else:  # a constant, perhaps broadcast
                made = statement.constant(float(array[(0,) * array.ndim]))
        else:
            spread = spread_of(value.shape, loop.shape, width)
            array = static(value)
            if not array.flags.carray:
                raise lines.Unstatable(str(value))
            arrays.append(array.reshape(-1, width) if not spread and width else array.reshape(-1))
            operands.append(lines.Operand(mask, spread))
            made = statement.array(len(arrays) - 1)
        symbols[value] = made
        return made

    try:
        for one in loop.instructions:
            if not all(type(a) is Value for a in one.args):
                return None
            (target,) = one.writes or one.outs
            name = one.function.__name__
            truth = all(a.dtype.kind == "b" for a in one.args)
            if truth or (target.dtype.kind == "b") != (name in _TRUTH):
                return None  # masks among themselves are other functions
            given = [symbol(a) for a in one.args]
            getattr(statement, name)(*given, out=symbol(target))
    except lines.Unstatable:
        return None
    if all(one.mask or one.spread for one in operands):
        return None
    if any(value not in places for value in loop.open):
        return None  # a number that is given in each call
    opened = [places[value] for value in loop.open]
    return statement, tuple(operands), arrays, numbers, opened


def _dtype(loop: Any) -> np.dtype:
    """What the loop computes in."""
    targets = [v for one in loop.instructions for v in (*one.outs, *one.writes)]
    return next((v.dtype for v in targets if v.dtype.char in "fd"), targets[0].dtype)


def _width(loop: Any) -> int:
    """Elements of a row, where operands are broadcast along rows or columns; else 0."""
    for one in loop.instructions:
        for value in one.reads():
            if value.shape not in (loop.shape, ()):
                shape = value.shape
                while shape and shape[0] == 1 and len(shape) > 1:
                    shape = shape[1:]
                if shape and shape[-1] != 1:
                    return math.prod(shape)
                trailing = 0
                while trailing < len(value.shape) and value.shape[-1 - trailing] == 1:
                    trailing += 1
                return math.prod(loop.shape[len(loop.shape) - trailing :])
    return 0


def spread_of(shape: tuple[int, ...], whole: tuple[int, ...], width: int) -> str:
    """How an operand meets rows of `width` elements; Unstatable where it does not."""
    if shape == whole:
        return ""
    padded = (1,) * (len(whole) - len(shape)) + shape
    size = math.prod(shape)
    if width and size > 1:
        tail = 0
        while math.prod(whole[len(whole) - tail :]) < width:
            tail += 1
        lead = len(whole) - tail
        if padded[lead:] == whole[lead:] and size == width:
            return "row"
        if padded[:lead] == whole[:lead] and size * width == math.prod(whole):
            return "column"
    raise lines.Unstatable(f"{shape} among {whole}")


__all__ = ["compiled", "parallel_work"]
