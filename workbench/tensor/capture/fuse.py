"""Elementwise kernels in a row, over arrays that do not fit the cache, block by block.

One kernel after the other over a large array fetches it from memory every time. A run of them
goes block by block instead: all kernels over one block, then the next block, so that what passes
from kernel to kernel stays in the cache. The arithmetic per element, and so every bit, is the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from workbench.arrays import parallel
from workbench.arrays.compiler import available, lines

from .loops import compiled, parallel_work
from .program import CONSTANT, Instruction, Program, Value

LARGE = 1 << 17  # bytes of a result from which on blocks pay
LONG = 4  # kernels in a run from which on it pays at any size, where runs are compiled
LARGE_COMPILED = 1 << 13  # bytes from which on it pays there for two
WIDE = 1 << 16  # elements from which on it pays for one, on several threads
BLOCK = 1 << 15  # bytes of one operand's block


# NumPy takes their third operand by name only
NAMED_OUT = {np.maximum, np.minimum}


class Loop:
    """A run of elementwise instructions of one shape, to be carried out block by block."""

    kind, name, function, layer = "loop", "loop", None, ""

    def __init__(self, instructions: list[Instruction], shape: tuple[int, ...]) -> None:
        self.instructions = instructions
        self.shape = shape
        self.inner: set[Value] = set()  # results that nobody outside the run reads
        self.open: list[Value] = []  # operands whose memory is another in every call

    def outs_made(self) -> Iterator[Value]:
        """Results that others read."""
        return (v for one in self.instructions for v in one.outs if v not in self.inner)

    @property
    def writes(self) -> list[Value]:
        """What was there before and is written to."""
        made = {v for one in self.instructions for v in one.outs}
        return [v for one in self.instructions for v in one.writes if v.root not in made]

    def reads(self) -> Iterator[Value]:
        """What was there before and is read."""
        made = {v for one in self.instructions for v in one.outs}
        return (v for one in self.instructions for v in one.reads() if v not in made)

    def last_read(self, value: Value) -> int:
        """The last instruction of the run that reads the value."""
        return max(i for i, one in enumerate(self.instructions) if value in one.reads())

    def made_at(self, value: Value) -> int:
        """The instruction of the run that makes the value."""
        return next(i for i, one in enumerate(self.instructions) if value in one.outs)

    def prepare(self, static: Callable[[Value], Any]) -> Callable[..., None]:
        """The run as a function of its open operands: compiled, or by NumPy."""
        made = compiled(self, static)
        if made is None:
            made = self._one_by_one(static) if self.open else self._by_numpy(static)
        return made

    def _one_by_one(self, static: Callable[[Value], Any]) -> Callable[..., None]:
        """Kernel by kernel over whole arrays."""
        arrays = {v: np.empty(v.shape, v.dtype) for v in self.inner}

        def run(*opened: Any) -> None:
            now = dict(zip(self.open, opened, strict=True))
            for one in self.instructions:
                operands = [self._whole(v, now, arrays, static) for v in one.args]
                (target,) = _result_of(one)
                _into(one.function)(*operands, self._whole(target, now, arrays, static))

        return run

    @staticmethod
    def _whole(value: Any, now: Any, arrays: Any, static: Any) -> Any:
        if type(value) is not Value:
            return value
        return now[value] if value in now else arrays.get(value, static(value))

    def _by_numpy(self, static: Callable[[Value], Any]) -> Callable[[], None]:
        """Block by block, every block's operands looked up beforehand.

        Large runs go on several threads, a stretch of blocks each.
        """
        rows, width = _layout(self.shape, self.instructions)
        item = max(v.dtype.itemsize for one in self.instructions for v in _result_of(one))
        step = max(1, BLOCK // (item * width))
        total = self.shape[0] if rows else math.prod(self.shape)
        elements = parallel_work(math.prod(self.shape), len(self.instructions))
        workers = parallel.threads() if elements >= parallel.LEAST else 1
        share = -(-total // (step * workers)) * step
        stretches: list[list[tuple[Any, tuple[Any, ...]]]] = []
        for first in range(0, total, share):
            scratch = self._scratch(step, rows)
            calls = []
            for start in range(first, min(first + share, total), step):
                part = slice(start, min(start + step, first + share, total))
                size = part.stop - part.start
                for one in self.instructions:
                    operands = [self._block(v, part, size, rows, scratch, static) for v in one.args]
                    (target,) = _result_of(one)
                    out = self._block(target, part, size, rows, scratch, static)
                    calls.append((_into(one.function), (*operands, out)))
            stretches.append(calls)

        def run(calls: list[tuple[Any, tuple[Any, ...]]], worker: int = 0) -> None:
            for function, operands in calls:
                function(*operands)

        if len(stretches) > 1:
            return lambda: parallel.each(run, stretches, elements)
        return lambda: run(stretches[0])

    def _scratch(self, step: int, rows: bool) -> dict[Value, Any]:
        """A block of memory for each inner result, handed on when its last reader is done."""
        last = {v: i for i, one in enumerate(self.instructions) for v in (*one.reads(), *one.outs)}
        free: list[Any] = []
        found: dict[Value, Any] = {}
        for i, one in enumerate(self.instructions):
            for v in one.outs:
                if v in self.inner:
                    fit = next((a for a in free if a.dtype == v.dtype), None)
                    if fit is None:
                        fit = np.empty((step, *self.shape[1:]) if rows else step, v.dtype)
                    else:
                        free[:] = [a for a in free if a is not fit]
                    found[v] = fit
            done = {*one.reads(), *one.outs}
            free.extend(found[v] for v in done if v in found and last[v] == i)
        return found

    def _block(
        self, value: Any, part: slice, size: int, rows: bool, scratch: Any, static: Any
    ) -> Any:
        if type(value) is not Value:
            return value
        if value in scratch:
            return scratch[value][:size]
        array = static(value)
        if not rows:
            return array if array.size == 1 and array.ndim == 0 else array.reshape(-1)[part]
        lead = len(self.shape) - array.ndim
        return array[part] if lead == 0 and array.shape[0] == self.shape[0] else array


def _into(function: Any) -> Any:
    """The ufunc with its result's array as the last operand."""
    if function not in NAMED_OUT:
        return function
    return lambda a, b, out: function(a, b, out=out)


def _result_of(one: Instruction) -> list[Value]:
    return one.writes if one.writes else one.outs


def _layout(shape: tuple[int, ...], instructions: list[Instruction]) -> tuple[bool, int]:
    """Whether blocks are rows (some operand is broadcast), and elements per step of a block."""
    for one in instructions:
        for value in one.reads():
            if value.shape != shape and value.shape != () and not _is_one_number(value):
                return True, max(1, math.prod(shape[1:]))
    return False, 1


def loops(program: Program, given: Callable[[Value], bool]) -> list[Any]:
    """The program's steps: its instructions, runs of elementwise ones over large arrays as Loops.

    `given` says of a value whether its memory is known before the call.
    """
    found: list[Any] = []
    run: list[Instruction] = []
    late: list[Instruction] = []  # numbers that may as well be computed after the run
    kind: Any = None  # the shape of the run, and whether it can be compiled
    for one in program.instructions:
        if one.kind == "view" and given(one.outs[0]):
            continue  # made beforehand
        shape = _fusible(one, given)
        this = None if shape is None else (shape, available() and _known(one))
        waited = any(_uses(one, other) for other in late)
        if this is None and run and not waited and _is_number(one):
            late.append(one)
            continue
        if this is None or this != kind or waited:
            found += (*_closed(run, kind), *late)
            run, kind, late = [], this, []
        if this is None:
            found.append(one)
        else:
            run.append(one)
    found += (*_closed(run, kind), *late)
    _find_inner(program, found)
    for step in found:
        if isinstance(step, Loop):
            step.open = [v for v in dict.fromkeys(step.reads()) if not given(v)]
    return found


def _is_number(one: Instruction) -> bool:
    """Whether all an instruction does is compute numbers, such as a loss."""
    return one.kind in ("call", "reduce", "ufunc") and not one.writes and all(
        v.shape == () and v.root is v for v in one.outs_made()
    )  # fmt: skip


def _uses(one: Instruction, late: Instruction) -> bool:
    """Whether an instruction reads what the late one makes, or writes to what that reads."""
    made = set(late.outs_made())
    return any(v.root in made for v in one.reads()) or any(
        v.root is w.root for v in one.writes for w in late.reads()
    )


def _closed(run: list[Instruction], kind: Any) -> list[Any]:
    if not run:
        return []
    shape, known = kind
    if len(run) == 1:
        return [Loop(run, shape)] if known and math.prod(shape) >= WIDE else list(run)
    if known:
        worth = len(run) >= LONG or _large(shape, LARGE_COMPILED)
    else:
        worth = _large(shape, LARGE)
    return [Loop(run, shape)] if worth and shape != () else list(run)


def _known(one: Instruction) -> bool:
    """Whether the compiler knows the function and the types."""
    kinds = {v.dtype.char for v in (*one.reads(), *_result_of(one))}
    return one.function.__name__ in lines.KNOWN and kinds <= {"f", "d", "?"}


def _large(shape: tuple[int, ...], least: int) -> bool:
    return math.prod(shape) * 4 >= least


def _find_inner(program: Program, steps: list[Any]) -> None:
    """Which results of a run stay within it: read there, under their own name, and nowhere else."""
    users: dict[Value, set[int]] = {}
    for i, step in enumerate(steps):
        parts = step.instructions if isinstance(step, Loop) else [step]
        for one in parts:
            for value in (*one.reads(), *one.writes):
                # a view of it, made beforehand, needs it to have a place
                users.setdefault(value.root, set()).add(i if value.root is value else -1)
    for value in program.outputs:
        users.setdefault(value.root, set()).add(-1)
    for i, step in enumerate(steps):
        if isinstance(step, Loop):
            step.inner = {
                v for one in step.instructions for v in one.outs if users.get(v, {i}) == {i}
            }


def _is_one_number(value: Value) -> bool:
    """Whether it is a constant that is the same number everywhere."""
    return value.origin == CONSTANT and value.nbytes > 0 and not any(value.array.strides)


def _fusible(one: Instruction, given: Callable[[Value], bool]) -> tuple[int, ...] | None:
    """The shape of an elementwise instruction that can go block by block, else None."""
    if one.kind != "ufunc" or one.kwargs:
        return None
    (target,) = _result_of(one)
    if not available() and not _large(target.shape, LARGE):
        return None
    if not target.contiguous or not given(target):
        return None
    if one.writes and target.root is not target:
        return None
    for value in one.reads():
        if not given(value) and not (available() and _known(one) and value.contiguous):
            return None
        if value.shape == () or _is_one_number(value):
            continue
        if not value.contiguous or value.root in (w.root for w in one.writes if w is not value):
            return None
        if value.shape != target.shape:
            lead = len(target.shape) - len(value.shape)
            if lead == 0 and value.shape[0] not in (1, target.shape[0]):
                return None
    return target.shape
