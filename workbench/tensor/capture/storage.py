"""Where the results of a step live: planned once, reused by every replay.

Results of kernels that take `out=` get memory that is handed on as soon as its last reader is
done, in place where an elementwise kernel reads its dying operand at the very places it writes.
Results of other kernels are made anew by them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .fuse import loops
from .kernels import Rule
from .program import CONSTANT, EXTERNAL, Instruction, Program, Value, tree_map
from .recorder import GRAD

INTO = {"ufunc", "reduce", "product"}  # kinds that take out=
COPIES = {"copy", "astype", "constant"}  # calls that are a copy into given memory
_ALIGN = 64


class Slot:
    """A piece of memory that values live in one after the other."""

    __slots__ = ("memory", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.memory: Any = None

    def array(self, like: Value) -> np.ndarray:
        """The slot as an array with a value's shape, dtype and strides."""
        if self.memory is None:
            raw = np.empty(self.size + _ALIGN, np.uint8)
            start = -raw.__array_interface__["data"][0] % _ALIGN
            self.memory = raw[start : start + self.size]
        strides = like.strides if like.nbytes else None
        return np.ndarray(like.shape, like.dtype, self.memory.data, 0, strides)


class Plan:
    """Which value lives in which slot, and how much memory that takes, in bytes."""

    def __init__(self, program: Program) -> None:
        fold_constants(program)
        self.program = program
        handed = {
            one.args[1].root for one in program.instructions if one.function is GRAD and one.args[1]
        }
        # what the step returns is made anew each time: nobody's slot, and no copy
        self.fresh = {v.root for v in program.outputs} - handed
        self._given: dict[Value, bool] = {}
        self._makers = {v: one for one in program.instructions for v in one.outs_made()}
        self.steps = loops(program, self.given)
        self.slots: list[Slot] = []
        self.place: dict[Value, Slot] = {}  # root values that have a slot
        self.last: dict[Value, int] = {}
        self._intervals()
        self.inplace = 0
        self.peak_alone = _peak(program)
        self._assign()

    @property
    def nbytes(self) -> int:
        """Bytes of all slots."""
        return sum(slot.size for slot in self.slots)

    def planned(self, value: Value) -> bool:
        """Whether the value lies in a slot."""
        return value.root in self.place

    def given(self, value: Value) -> bool:
        """Whether the value's memory is known before the call: outside, a slot, or a view."""
        if value not in self._given:
            one = self._makers.get(value)
            if value.origin in (EXTERNAL, CONSTANT):
                answer = True
            elif one is None:
                answer = False
            elif one.kind == "view":
                sources = list(one.reads())
                answer = len(sources) == 1 and self.given(sources[0])
            else:
                answer = value.root is value and takes_out(one) and value not in self.fresh
            self._given[value] = answer
        return self._given[value]

    def _intervals(self) -> None:
        for i, one in enumerate(self.steps):
            for value in (*one.reads(), *one.writes, *one.outs_made()):
                self.last[value.root] = i
        end = len(self.steps)
        for value in self.program.outputs:
            self.last[value.root] = end
        for one in self.program.instructions:
            if one.function is GRAD and one.args[1] is not None:
                self.last[one.args[1].root] = end

    def _assign(self) -> None:
        free: list[Slot] = []
        for i, one in enumerate(self.steps):
            dying = {v.root for v in one.reads() if self.last[v.root] == i and v.root in self.place}
            for value in one.outs_made():
                if not self.given(value) or value.root is not value:
                    continue
                slot = None
                if one.kind in ("ufunc", "loop"):
                    slot = self._in_place(one, value, dying)
                if slot is None:
                    slot = _fitting(free, value.nbytes)
                    if slot is None:
                        slot = Slot(max(value.nbytes, 1))
                        self.slots.append(slot)
                else:
                    self.inplace += 1
                self.place[value] = slot
                if self.last[value] == i:  # nobody reads it
                    dying.add(value)
            free += [self.place[root] for root in dying]

    def _in_place(self, one: Any, out: Value, dying: set[Value]) -> Slot | None:
        operands = list(one.reads())
        for value in operands:
            if (
                value in dying
                and value.root is value
                and value.shape == out.shape
                and value.strides == out.strides
                and value.dtype.itemsize == out.dtype.itemsize
                and not any(v is not value and v.root is value for v in operands)
                and (one.kind == "ufunc" or one.last_read(value) <= one.made_at(out))
            ):
                dying.discard(value)  # its place is taken
                return self.place[value]
        return None


def _fitting(free: list[Slot], size: int) -> Slot | None:
    best = None
    for slot in free:
        if size <= slot.size <= 4 * size + 4096 and (best is None or slot.size < best.size):
            best = slot
    if best is not None:
        free.remove(best)
    return best


def takes_out(one: Instruction) -> bool:
    """Whether the instruction can write its result into given memory."""
    return one.kind in INTO or (one.kind == "call" and one.name in COPIES)


def _peak(program: Program) -> int:
    """The most bytes alive at once if every result had fresh memory until its last reader."""
    last: dict[Value, int] = {}
    for i, one in enumerate(program.instructions):
        for value in (*one.reads(), *one.writes, *one.outs_made()):
            last[value.root] = i
    live = peak = 0
    ending: dict[int, int] = {}
    for i, one in enumerate(program.instructions):
        for value in one.outs_made():
            if value.root is value:
                live += value.nbytes
                ending[last[value]] = ending.get(last[value], 0) + value.nbytes
        peak = max(peak, live)
        live -= ending.get(i, 0)
    return peak


def fold_constants(program: Program) -> None:
    """What comes of constants alone and nobody writes to is made once, not in every replay.

    zeros, arange, …, and the first gradients of a loss that is a sum or a mean.
    """
    written = {v.root for one in program.instructions for v in one.writes}
    kept_apart = {v.root for v in program.outputs}
    for one in program.instructions:
        if one.function is GRAD and one.args[1] is not None:
            kept_apart.add(one.args[1].root)
    kept = []
    for one in program.instructions:
        if one.name == "constant" and one.outs[0] not in written | kept_apart:
            value = one.outs[0]
            value.origin = CONSTANT
            value.array = one.args[0].array
            continue
        outs = list(one.outs_made())
        if (
            (one.kind == "ufunc" or type(one.function) is Rule)
            and outs
            and all(v.origin == CONSTANT for v in one.reads())
            and not any(v in written | kept_apart for out in outs for v in (out, out.root))
        ):
            args, kwargs = (
                tree_map(lambda v: v.array, Value, tree) for tree in (one.args, one.kwargs)
            )
            made = one.function(*args, **kwargs)
            for value, array in zip(one.outs, made if one.several else (made,), strict=True):
                if value is not None:
                    value.origin, value.array = CONSTANT, np.asarray(array)
                    value.array.flags.writeable = False
            continue
        kept.append(one)
    program.instructions = kept
