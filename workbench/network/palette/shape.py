"""Layers that only change the shape, or nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from workbench import nn

from .entry import Entry, Param, Problem, Shape, batched


def _expects_unflatten(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    dim = module.dim
    full = (0, *shape)
    if not isinstance(dim, int) or not -len(full) <= dim < len(full) or dim % len(full) == 0:
        return None
    sizes = module.unflattened_size
    sizes = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    if -1 in sizes or prod(sizes) == full[dim]:
        return None
    wanted = list(full)
    wanted[dim] = prod(sizes)
    return Problem(batched(tuple(wanted[1:])))


ENTRIES = [
    Entry(
        nn.Flatten,
        "Shape",
        "Lays out each example's values in one row.",
        {
            "start_dim": Param(
                "int", min=-8, max=8, doc="first dimension to merge; 0 is the batch"
            ),
            "end_dim": Param("int", min=-8, max=8, doc="last dimension to merge"),
        },
    ),
    Entry(nn.Identity, "Shape", "Hands its input on unchanged."),
]

if hasattr(nn, "Unflatten"):
    ENTRIES.append(
        Entry(
            nn.Unflatten,
            "Shape",
            "Splits one dimension into several, e.g. a row of 64 into an 8 by 8 image.",
            {
                "dim": Param(
                    "int", min=-8, max=8, start=1, doc="dimension to split; 0 is the batch"
                ),
                "unflattened_size": Param(
                    "ints", min=-1, start=[1, -1], doc="the sizes it becomes"
                ),
            },
            expects=_expects_unflatten,
        )
    )
