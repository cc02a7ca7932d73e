"""Attention."""

from __future__ import annotations

import math

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import FUNCTIONS, Tensor, wrap

from .sparse import dropout

__all__ = ["scaled_dot_product_attention"]

_softmax, _where = FUNCTIONS[""]["softmax"], FUNCTIONS[""]["where"]


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(Q Kᵀ · scale + mask) V for (…, L, E), (…, S, E) and (…, S, Ev) → (…, L, Ev).

    `scale` is 1/√E unless given. A bool mask is True where attention is allowed; another is
    added. `is_causal` lets position i see positions up to i. Dropout applies whenever
    `dropout_p` > 0. Vaswani et al., "Attention is all you need", 2017.

    Raises RuntimeError for a mask together with `is_causal`.
    """
    if is_causal and attn_mask is not None:
        raise RuntimeError(
            "scaled_dot_product_attention: explicit attn_mask should not be set when is_causal=True"
        )
    if enable_gqa:
        repeats = query.array.shape[-3] // key.array.shape[-3]
        key, value = (_repeated(x, repeats) for x in (key, value))
    if scale is None:
        scale = 1 / math.sqrt(query.array.shape[-1])
    scores = (query * scale) @ key.transpose(-2, -1)
    if is_causal:
        rows, columns = scores.array.shape[-2:]
        allowed = np.tril(np.ones((rows, columns), bool))
        attn_mask = wrap(namespace(scores.array).asarray(allowed))
    if attn_mask is not None:
        if attn_mask.array.dtype == np.bool_:
            scores = _where(attn_mask, scores, -math.inf)
        else:
            scores = scores + attn_mask
    weights = _softmax(scores, -1)
    if dropout_p > 0:
        weights = dropout(weights, dropout_p)
    return weights @ value


def _repeated(x: Tensor, times: int) -> Tensor:
    """Each head (dimension -3) `times` times in a row."""
    *lead, heads, length, width = x.array.shape
    return (
        x.unsqueeze(-3)
        .expand(*lead, heads, times, length, width)
        .reshape(*lead, heads * times, length, width)
    )
