"""Layers that bring branches together."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from workbench.network.joins import Add, Concat

from .entry import Entry, Param, Problem, Shape, batched


def _expects_add(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    if all(shape == shapes[0] for shape in shapes):
        return None
    return Problem(f"the same shape from all, {batched(shapes[0])}")


def _expects_concat(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    first = (0, *shapes[0])
    dim = module.dim
    if not -len(first) <= dim < len(first) or dim % len(first) == 0:
        return Problem(
            f"a dim between 1 and {len(first) - 1}",
            f"dim={dim} is not a dimension it could put them together along",
            changed={"dim": 1},
        )
    dim %= len(first)
    for shape in shapes[1:]:
        full = (0, *shape)
        if len(full) != len(first) or any(
            a != b for i, (a, b) in enumerate(zip(full, first, strict=True)) if i != dim
        ):
            return Problem(f"shapes that differ from {batched(shapes[0])} only in dimension {dim}")
    return None


def _flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """One addition per element and input after the first."""
    return (len(shapes) - 1) * prod(out)


ENTRIES = [
    Entry(
        Add,
        "Join",
        "The sum of its inputs: a residual connection (He et al., 2015).",
        inputs=2,
        expects=_expects_add,
        flops=_flops,
    ),
    Entry(
        Concat,
        "Join",
        "Puts its inputs side by side.",
        {
            "dim": Param(
                "int", min=-8, max=8, doc="dimension to put them together along; 0 is the batch"
            )
        },
        inputs=2,
        expects=_expects_concat,
    ),
]
