"""Cross-entropy of a linear layer's logits, in torch's signature."""

from __future__ import annotations

import math
from typing import Any

from workbench.tensor import FUNCTIONS, Tensor

from .loss_classes import cross_entropy

__all__ = ["linear_cross_entropy"]


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """`cross_entropy` of the logits input · linear_weightᵀ + linear_bias.

    `input` (N, D) or (D), `linear_weight` (C, …, D) and `linear_bias` (C, …), targets as in
    `cross_entropy` of logits (N, C, …). `options` tell torch how to save memory; here they are
    only accepted. Raises RuntimeError for shapes that do not fit.
    """
    shape, sides = input.array.shape, linear_weight.array.shape
    if len(shape) not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {len(shape)}")
    if len(sides) < 2:
        raise RuntimeError(f"expected linear_weight (C, …, in_features), got {list(sides)}")
    if shape[-1] != sides[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{shape[-1]} and {sides[-1]}, respectively"
        )
    if linear_bias is not None and linear_bias.array.shape != sides[:-1]:
        raise RuntimeError(
            f"expected linear_bias of shape {list(sides[:-1])}, got {list(linear_bias.array.shape)}"
        )
    flat = linear_weight.reshape(math.prod(sides[:-1]), sides[-1])
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = FUNCTIONS["nn.functional"]["linear"](input, flat, bias)
    return cross_entropy(
        logits.reshape(*shape[:-1], *sides[:-1]),
        target,
        weight=weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
