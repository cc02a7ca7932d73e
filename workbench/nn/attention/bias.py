"""Causal masks by name: aligned with the upper left or the lower right corner of the scores."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from workbench.tensor import Tensor, wrap

__all__ = ["CausalVariant", "causal_lower_right", "causal_upper_left"]


class CausalVariant(IntEnum):
    """With which corner a causal mask is aligned."""

    UPPER_LEFT = 1
    LOWER_RIGHT = 2


def causal_upper_left(*size: int) -> Tensor:
    """A bool mask (L, S) for `attn_mask`: row i sees columns up to i."""
    rows, columns = size
    return wrap(np.tri(rows, columns, dtype=bool))


def causal_lower_right(*size: int) -> Tensor:
    """A bool mask (L, S) for `attn_mask`: the last row sees all columns, each one before it less.

    It is what queries at the end of a cached sequence need.
    """
    rows, columns = size
    return wrap(np.tri(rows, columns, columns - rows, dtype=bool))
