"""A user's Function with a vmap rule of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

from workbench.tensor.tensor import Tensor

from .batched import Level, top_level
from .boundary import cross
from .trees import flatten, matched


class VmapInfo(NamedTuple):
    """What a Function's `vmap` is told: the hidden dimension's size, and what random ops do."""

    batch_size: int
    randomness: str


def mapped_level(args: Any) -> Level | None:
    """The innermost level that an argument is mapped at."""
    return top_level([a.array for a in args if isinstance(a, Tensor)])


def apply_vmapped(function: Any, level: Level, args: Any) -> Any:
    """function.vmap(info, in_dims, *args) with the mapped dimension in the open, as torch calls it.

    It returns (outputs, out_dims).
    """
    opened, dims = [], []
    for a in args:
        mapped = isinstance(a, Tensor) and mapped_level((a,)) is level
        opened.append(cross("leave", a, level) if mapped else a)
        dims.append(0 if mapped else None)
    from workbench.arrays import random

    randomness = getattr(random.default_generator(), "randomness", "error")
    result = function.vmap(VmapInfo(level.size, randomness), tuple(dims), *opened)
    outputs, out_dims = result
    leaves, build = flatten(outputs)
    places = matched(out_dims, outputs, f"{function.__name__}.vmap: out_dims")
    return build([
        t if d is None else cross("enter", t, level, d % t.array.ndim)
        for t, d in zip(leaves, places, strict=True)
    ])  # fmt: skip
