"""Fully connected layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from workbench import nn

from .entry import Entry, Param, Problem, Shape, batched


def features(doc: str, start: int | None = None, inferred: bool = False) -> Param:
    """A count of features, channels or the like."""
    return Param("int", min=1, max=1_000_000, inferred=inferred, start=start, doc=doc)


def _infer(shape: Shape) -> dict[str, Any]:
    return {"in_features": shape[-1]} if shape else {}


def _expects(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    want = module.in_features
    if not shape or shape[-1] != want:
        # an image, or features of one example: say the plain form, keep extra dimensions otherwise
        wanted = batched((*shape[:-1], want)) if len(shape) != 3 else batched((want,))
        if len(shape) == 3:
            better = f", and make it nn.Linear({prod(shape)}, {module.out_features})"
            flat = "put nn.Flatten() before it"
            return Problem(wanted, hint=flat if prod(shape) == want else flat + better)
        return Problem(wanted, changed={"in_features": shape[-1]} if shape else None)
    return None


def _flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """2·in·out per row, and out more for the bias."""
    rows = prod(out[:-1])
    per_row = 2 * module.in_features * module.out_features
    return rows * (per_row + (module.out_features if module.bias is not None else 0))


def _size(args: Mapping[str, Any]) -> int:
    return int(args["in_features"] * args["out_features"])


ENTRIES = [
    Entry(
        nn.Linear,
        "Linear",
        "Every output is a weighted sum of all inputs, plus a bias.",
        {
            "in_features": features("size of each input", inferred=True),
            "out_features": features("size of each output", start=32),
            "bias": Param("bool", doc="add a learned offset to each output"),
        },
        infer=_infer,
        expects=_expects,
        flops=_flops,
        size=_size,
        takes="(N, …, features)",
    ),
]
