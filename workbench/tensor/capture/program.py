"""What a recorded step is: instructions over values, in the order they ran.

An instruction calls a function on raw arrays. A value is an array some instruction made, or one
that was there before: an argument, a tensor the step reads (a parameter, a running mean), a
constant. A value that looks into another's memory shares its `root`; instructions may write into
memory they are given, so their order is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ARGUMENT, EXTERNAL, CONSTANT, RESULT = "argument", "external", "constant", "result"


class Value:
    """An array of the program: its shape, dtype and strides, and where it comes from.

    `array` is the memory itself for externals and constants, None for the rest.
    """

    __slots__ = ("array", "dtype", "made", "nbytes", "number", "origin", "place", "root", "shape",
                 "strides")  # fmt: skip

    def __init__(self, number: int, origin: str, like: Any, root: Value | None = None) -> None:
        self.number = number
        self.origin = origin
        self.shape = like.shape
        self.dtype = like.dtype
        self.strides = like.strides
        self.nbytes = like.nbytes
        self.root = self if root is None else root
        self.array: Any = None
        self.place = 0  # of an argument: which
        self.made: Any = None  # where the storage planner put it

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie in row-major order without gaps."""
        step = self.dtype.itemsize
        for n, s in zip(self.shape[::-1], self.strides[::-1], strict=True):
            if n != 1 and s != step:
                return False
            step *= n
        return True

    def __repr__(self) -> str:
        return f"%{self.number}:{self.dtype.name}{list(self.shape)}"


@dataclass(eq=False, slots=True)
class Instruction:
    """One call: `outs = function(*args, **kwargs)`, where values stand for arrays.

    `kind` is "ufunc", "reduce", "product" (these take `out=`), "view", "call", "write" (nothing
    new, memory of `writes` changed) or "effect" (runs Python that the step cannot do without).
    """

    kind: str
    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    outs: list[Value] = field(default_factory=list)
    writes: list[Value] = field(default_factory=list)
    layer: str = ""
    several: bool = False  # whether the function returns a tuple

    def outs_made(self) -> Iterator[Value]:
        """Its results; a function may leave some of them None."""
        return (value for value in self.outs if value is not None)

    def reads(self) -> Iterator[Value]:
        """Every value among the arguments."""
        yield from values_in(self.args)
        yield from values_in(self.kwargs)


def values_in(tree: Any) -> Iterator[Value]:
    """The values in nested tuples, lists and dicts."""
    if type(tree) is Value:
        yield tree
    elif type(tree) in (tuple, list):
        for item in tree:
            yield from values_in(item)
    elif type(tree) is dict:
        for item in tree.values():
            yield from values_in(item)


@dataclass(eq=False)
class Program:
    """A recorded step. `result` is what it returns, a tree in which values stand for tensors."""

    instructions: list[Instruction] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    kernels_recorded: int = 0

    def new(self, origin: str, like: Any, root: Value | None = None) -> Value:
        """A further value, described by an array."""
        value = Value(len(self.values), origin, like, root)
        self.values.append(value)
        return value

    def prune(self) -> None:
        """Drop what nobody reads, last to first."""
        live = {value.root for value in self.outputs}
        kept = []
        for one in reversed(self.instructions):
            touched = [*one.outs_made(), *one.writes]
            needed = one.kind == "effect" or any(
                v.root in live or (v.root.origin in (EXTERNAL, ARGUMENT) and v in one.writes)
                for v in touched
            )
            if not needed:
                continue
            for value in one.outs_made():
                if value.root is value:
                    live.discard(value)
            live.update(v.root for v in one.reads())
            live.update(v.root for v in one.writes)
            kept.append(one)
        self.instructions = kept[::-1]


def split(program: Program, at: int, seeds: list[Value], ends: list[Value]
          ) -> tuple[Program, Program, list[Value]]:  # fmt: skip
    """The program before and from instruction `at` on, and the values that cross.

    `seeds` are the second half's own arguments, `ends` what it returns; what crosses are its
    further arguments and the first half's further outputs.
    """
    first, second = program.instructions[:at], program.instructions[at:]
    own = {v for one in second for v in one.outs_made()} | set(seeds)
    crossing: list[Value] = []
    reads = [v for one in second for v in (*one.reads(), *one.writes)]
    for value in [*reads, *ends]:
        if value not in own and value.array is None and value not in crossing:
            crossing.append(value)
    given = {v: _as_argument(v, i) for i, v in enumerate([*seeds, *crossing])}

    def renamed(tree: Any) -> Any:
        return tree_map(lambda v: given.get(v, v), Value, tree)

    for one in second:
        one.args, one.kwargs = renamed(one.args), renamed(one.kwargs)
        one.writes = renamed(one.writes)
        for value in one.outs_made():
            value.root = given.get(value.root, value.root)
    before = Program(first, program.values, [*program.outputs, *crossing], len(first))
    after = Program(second, program.values, renamed(ends), len(second))
    return before, after, crossing


def _as_argument(value: Value, place: int) -> Value:
    made = Value(value.number, ARGUMENT, value)
    made.place = place
    return made


def tree_map(function: Callable[[Any], Any], kind: type, tree: Any) -> Any:
    """The tree with `function` applied to every leaf of exactly this type."""
    if type(tree) is kind:
        return function(tree)
    if type(tree) is tuple:
        return tuple(tree_map(function, kind, item) for item in tree)
    if type(tree) is list:
        return [tree_map(function, kind, item) for item in tree]
    if type(tree) is dict:
        return {key: tree_map(function, kind, item) for key, item in tree.items()}
    return tree


def describe(array: Any) -> str:
    """Shape and dtype for people."""
    return f"{np.dtype(array.dtype).name}{list(array.shape)}"
