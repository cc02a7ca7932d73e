"""Attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.arrays.dtypes import dtype_of
from workbench.tensor import Tensor, functions

from .multihead import multi_head_attention_forward

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]

_attention = functions.raw("attention")


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

    Leading dimensions broadcast. `scale` is 1/√E unless given. A bool mask is True where
    attention is allowed; another, of the query's dtype or float32, is added. `is_causal` lets
    position i see positions up to i. A position that sees nothing gets zeros. Dropout applies
    whenever `dropout_p` > 0. With `enable_gqa` each head (dimension -3) of key and value serves
    as many heads of the query as it takes. Vaswani et al., "Attention is all you need", 2017.

    Raises RuntimeError for shapes or dtypes that do not fit, for a mask together with
    `is_causal`, and for a probability outside [0, 1]; TypeError for what is no tensor.
    """
    try:
        q, k, v = query.array, key.array, value.array
    except AttributeError:
        _refuse(query, key, value)
        raise
    if q.dtype is not k.dtype or q.dtype is not v.dtype:
        _same_dtype(q, k, v)
    if dropout_p and not 0 <= dropout_p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    if attn_mask is not None:
        if is_causal:
            raise RuntimeError(
                "scaled_dot_product_attention: Explicit attn_mask should not be set when "
                "is_causal=True"
            )
        attn_mask = _mask(attn_mask, q, k, (q,) if enable_gqa else (q, k, v))
    if scale is None:
        scale = 1 / math.sqrt(max(q.shape[-1], 1)) if q.ndim else 1.0
    if enable_gqa:
        return _grouped(query, key, value, attn_mask, scale, is_causal, dropout_p)
    return _attention(query, key, value, attn_mask, scale, is_causal, dropout_p)


def _refuse(*operands: Any) -> None:
    for i, (name, value) in enumerate(zip(("query", "key", "value"), operands, strict=True)):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"scaled_dot_product_attention(): argument '{name}' (position {i + 1}) must be "
                f"Tensor, not {type(value).__name__}"
            )


def _name(array: Any) -> str:
    return dtype_of(array).name


def _same_dtype(q: Any, k: Any, v: Any) -> None:
    if not q.dtype == k.dtype == v.dtype:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{_name(q)} key.dtype: {_name(k)} and value.dtype: {_name(v)} instead."
        )


def _mask(attn_mask: Tensor, q: Any, k: Any, operands: tuple[Any, ...]) -> Tensor:
    """The mask in a dtype that can be added, of a shape that broadcasts to the scores."""
    if not isinstance(attn_mask, Tensor):
        raise TypeError(
            "scaled_dot_product_attention(): argument 'attn_mask' (position 4) must be Tensor, "
            f"not {type(attn_mask).__name__}"
        )
    array = attn_mask.array
    if array.dtype != np.bool_ and array.dtype not in (q.dtype, np.float32):
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {_name(array)} and query.dtype: {_name(q)} instead."
        )
    if min(x.ndim for x in (*operands, k)) >= 2:
        lead = np.broadcast_shapes(*(x.shape[:-2] for x in operands))
        scores = (*lead, q.shape[-2], k.shape[-2])
        try:
            fits = np.broadcast_shapes(array.shape, scores) == scores
        except ValueError:
            fits = False
        if not fits:
            raise RuntimeError(
                f"scaled_dot_product_attention: attn_mask of shape {list(array.shape)} does not "
                f"broadcast to the scores' shape {list(scores)}"
            )
    if array.dtype != np.bool_ and array.dtype != q.dtype:
        return attn_mask.to(dtype_of(q))
    return attn_mask


def _grouped(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scale: float,
    is_causal: bool,
    dropout_p: float,
) -> Tensor:
    """Several heads of the query to each of key and value (Ainslie et al., "GQA", 2023)."""
    for x in (query, key, value):
        if x.array.ndim < 3:
            raise IndexError(
                "scaled_dot_product_attention: enable_gqa wants heads in dimension -3, got a "
                f"tensor of shape {list(x.array.shape)} (Dimension out of range)"
            )
    heads, of_key, of_value = (x.array.shape[-3] for x in (query, key, value))
    if not of_key or not of_value or heads % of_key or heads % of_value:
        raise RuntimeError(
            "Number of heads in key and value must divide the number of heads in query, got "
            f"{of_key}, {of_value} and {heads}"
        )
    if of_key != of_value or (mask is not None and mask.array.ndim > 2):
        key, value = (_repeated(x, heads) for x in (key, value))
        return _attention(query, key, value, mask, scale, is_causal, dropout_p)
    out = _attention(
        query.unflatten(-3, (of_key, heads // of_key)), key.unsqueeze(-3), value.unsqueeze(-3),
        mask, scale, is_causal, dropout_p,
    )  # fmt: skip
    return out.flatten(-4, -3)


def _repeated(x: Tensor, heads: int) -> Tensor:
    """Each head several times in a row, `heads` together."""
    *lead, few, length, width = x.array.shape
    wide = x.unsqueeze(-3).expand(*lead, few, heads // few, length, width)
    return wide.reshape(*lead, heads, length, width)
