"""How a loss's values become one number, and torch's two old switches for it."""

from __future__ import annotations

import warnings
from typing import Any

from workbench.tensor import FUNCTIONS, Tensor

_broadcast = FUNCTIONS[""]["broadcast_tensors"]


def reduction_of(size_average: Any, reduce: Any, reduction: str, *more: str, level: int = 3) -> str:
    """ "none", "mean" or "sum" (or one of `more`), from `reduction` or the two old switches.

    `level` is how far up the caller of the loss is, for the warning about the switches. Raises
    ValueError for an unknown reduction.
    """
    if size_average is not None or reduce is not None:
        made = "none" if reduce is False else "sum" if size_average is False else "mean"
        warnings.warn(
            "size_average and reduce args will be deprecated, please use "
            f"reduction={made!r} instead.",
            stacklevel=level,
        )
        return made
    if reduction == "elementwise_mean":
        warnings.warn(
            "reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.",
            stacklevel=level,
        )
        return "mean"
    if reduction not in ("none", "mean", "sum", *more):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """The mean or sum of all values, or the values."""
    if reduction == "mean":
        return losses.mean()
    return losses.sum() if reduction == "sum" else losses


def alike(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one shape, with torch's warning where that takes broadcasting."""
    a, b = input.array.shape, target.array.shape
    if a == b:
        return input, target
    warnings.warn(
        f"Using a target size ({target.shape}) that is different to the input size "
        f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
        "Please ensure they have the same size.",
        stacklevel=3,
    )
    return _broadcast(input, target)
