"""Multi-head attention: projections in, masks of every kind, attention, projection out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import FUNCTIONS, Tensor, functions, wrap

__all__ = ["multi_head_attention_forward"]

_op = FUNCTIONS[""]
_attention, _dropout = functions.raw("attention"), functions.raw("native_dropout")
_linear = FUNCTIONS["nn.functional"]["linear"]


def _refuse(text: str) -> AssertionError:
    return AssertionError(text)


def _check_dims(query: Tensor, key: Tensor, value: Tensor, padding: Any, mask: Any) -> bool:
    """Whether the inputs are batched; AssertionError where their dimensions do not fit."""
    n = query.array.ndim
    if n not in (2, 3):
        raise _refuse(
            f"query should be unbatched 2D or batched 3D tensor but received {n}-D query tensor"
        )
    what = "batched (3-D)" if n == 3 else "unbatched (2-D)"
    if (key.array.ndim, value.array.ndim) != (n, n):
        raise _refuse(
            f"For {what} `query`, expected `key` and `value` to be {n}-D but found "
            f"{key.array.ndim}-D and {value.array.ndim}-D tensors respectively"
        )
    if padding is not None and padding.array.ndim != n - 1:
        raise _refuse(
            f"For {what} `query`, expected `key_padding_mask` to be `None` or {n - 1}-D but found "
            f"{padding.array.ndim}-D tensor instead"
        )
    if mask is not None and mask.array.ndim not in (2, 3):
        raise _refuse(
            f"For {what} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
            f"{mask.array.ndim}-D tensor instead"
        )
    return n == 3


def _check_mask(mask: Tensor | None, name: str) -> None:
    if mask is not None and mask.array.dtype.kind not in "bfV":
        raise _refuse(f"only bool and floating types of {name} are supported")


def _float_mask(mask: Tensor, dtype: Any) -> Tensor:
    """A bool mask (True: not allowed) as numbers to add."""
    array = mask.array
    if array.dtype != np.bool_:
        return mask if array.dtype == dtype else mask.to(like_dtype(dtype))
    xp = namespace(array)
    return wrap(xp.where(array, xp.asarray(-math.inf, dtype), xp.asarray(0.0, dtype)))


def like_dtype(dtype: Any) -> Any:
    """Our dtype for NumPy's."""
    from workbench.arrays.dtypes import as_dtype

    return as_dtype(dtype)


def _merged(padding: Tensor | None, mask: Tensor | None, dtype: Any) -> Tensor | None:
    """Both masks as one over (B, H, L, S): bool, True where allowed, or numbers to add."""
    if padding is None and mask is None:
        return None
    held = [m for m in (padding, mask) if m is not None]
    if all(m.array.dtype == np.bool_ for m in held):
        barred = held[0].array if len(held) == 1 else held[0].array | held[1].array
        return wrap(~barred)
    numbers: list[Any] = [_float_mask(m, dtype) for m in held]
    return numbers[0] if len(held) == 1 else numbers[0] + numbers[1]


def _projected(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    separate: tuple[Tensor, ...] | None,
) -> list[Tensor]:
    """Query, key and value through their weights: in one product where they are the same."""
    width = query.array.shape[-1]
    if separate is not None:
        biases = [None] * 3 if bias is None else _split(bias, (width,) * 3)
        return [
            _linear(x, w, b) for x, w, b in zip((query, key, value), separate, biases, strict=True)
        ]
    assert weight is not None
    if query is key and key is value:
        return _thirds(_linear(query, weight, bias), 3)
    if key is value:
        (wq, wkv) = _split(weight, (width, 2 * width))
        (bq, bkv) = (None, None) if bias is None else _split(bias, (width, 2 * width))
        return [_linear(query, wq, bq), *_thirds(_linear(key, wkv, bkv), 2)]
    weights = _split(weight, (width,) * 3)
    biases = [None] * 3 if bias is None else _split(bias, (width,) * 3)
    return [_linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]


def _split(x: Any, sizes: tuple[int, ...]) -> list[Any]:
    parts, start = [], 0
    for size in sizes:
        parts.append(x[start : start + size])
        start += size
    return parts


def _thirds(x: Tensor, count: int) -> list[Tensor]:
    return list(x.chunk(count, -1))


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Multi-head attention (Vaswani et al., 2017); `nn.MultiheadAttention` says what it does.

    Query (L, B, E), key and value (S, B, E), all without B for one sequence → (L, B, E) and, with
    `need_weights`, the attention (B, L, S), averaged over heads unless told otherwise. A bool
    `key_padding_mask` (B, S) or `attn_mask` (L, S), (B · heads, L, S) is True where attention is
    NOT allowed; others are added. `is_causal` says that `attn_mask` is the causal one.

    Raises AssertionError or RuntimeError, as torch does, for what does not fit.
    """
    separate = None
    if use_separate_proj_weight:
        separate = (q_proj_weight, k_proj_weight, v_proj_weight)
        if any(w is None for w in separate):
            raise _refuse("use_separate_proj_weight is True but q_, k_ or v_proj_weight is None")
    return attend(
        query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, separate,
        bias_k, bias_v, add_zero_attn, dropout_p if training else 0.0, out_proj_weight,
        out_proj_bias, key_padding_mask, need_weights, attn_mask, static_k, static_v,
        average_attn_weights, is_causal, False,
    )  # fmt: skip


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim: int,
    heads: int,
    weight: Tensor | None,
    bias: Tensor | None,
    separate: Any,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_weight: Tensor,
    out_bias: Tensor | None,
    padding: Tensor | None,
    need_weights: bool,
    mask: Tensor | None,
    static_k: Tensor | None,
    static_v: Tensor | None,
    average: bool,
    is_causal: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor | None]:
    """`multi_head_attention_forward`, over (L, B, E) or, with `batch_first`, (B, L, E)."""
    batched = _check_dims(query, key, value, padding, mask)
    _check_mask(padding, "key_padding_mask")
    _check_mask(mask, "attn_mask")
    if is_causal and mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask."
        )
    where = 0 if batch_first else 1  # the batch dimension
    if not batched:
        one = query.unsqueeze(where)
        query, key, value = (
            one,
            one if key is query else key.unsqueeze(where),
            one if value is query else value.unsqueeze(where),
        )
        padding = None if padding is None else padding.unsqueeze(0)
    width, batch = query.array.shape[-1], query.array.shape[where]
    rows, columns = query.array.shape[1 - where], key.array.shape[1 - where]
    if width != embed_dim:
        raise _refuse(f"was expecting embedding dimension of {embed_dim}, but got {width}")
    size = width // heads
    if size * heads != width:
        raise _refuse(f"embed_dim {width} not divisible by num_heads {heads}")
    shapes = [tuple(x.array.shape) for x in (key, value)]
    if separate is not None and shapes[0][:2] != shapes[1][:2]:
        raise _refuse(f"key's sequence and batch dims {shapes[0][:2]} do not match value's "
                      f"{shapes[1][:2]}")  # fmt: skip
    if separate is None and shapes[0] != shapes[1]:
        raise _refuse(f"key shape {shapes[0]} does not match value shape {shapes[1]}")
    if key.array.shape[where] != batch:
        raise RuntimeError(
            f"multi_head_attention: query has a batch of {batch}, key and value of "
            f"{key.array.shape[where]}"
        )
    if mask is not None:
        mask = _check_attn_mask(mask, rows, columns, batch, heads)
    causal = is_causal and padding is None and not need_weights and not add_zero_attn
    causal = causal and bias_k is None and rows == columns
    q, k, v = _projected(query, key, value, weight, bias, separate)

    def split(x: Tensor) -> Tensor:
        x = x.unflatten(-1, (heads, size))
        return x.transpose(1, 2) if batch_first else x.permute(1, 2, 0, 3)

    q = split(q)
    k = split(k) if static_k is None else _static(static_k, "static_k", batch, heads, size)
    v = split(v) if static_v is None else _static(static_v, "static_v", batch, heads, size)
    extra = 0
    if bias_k is not None and bias_v is not None:
        if static_k is not None or static_v is not None:
            raise _refuse("bias cannot be added to static key or value")
        shape = (batch, heads, 1, size)
        k, v = (
            _op["cat"]([x, b.reshape(1, heads, 1, size).expand(*shape)], 2)
            for x, b in ((k, bias_k), (v, bias_v))
        )
        extra += 1
    elif bias_k is not None or bias_v is not None:
        raise _refuse("bias_k and bias_v are given together or not at all")
    if add_zero_attn:
        zeros = wrap(namespace(k.array).zeros((batch, heads, 1, size), k.array.dtype))
        k, v = _op["cat"]([k, zeros], 2), _op["cat"]([v, zeros], 2)
        extra += 1
    if padding is not None:
        wanted = (batch, k.array.shape[2] - extra)
        for axis in (0, 1):
            if padding.array.shape[axis] != wanted[axis]:
                raise _refuse(
                    f"Expected key_padded_mask.shape[{axis}] to be {wanted[axis]}, but got "
                    f"{padding.array.shape[axis]}"
                )
        padding = _widened(padding, extra).reshape(batch, 1, 1, k.array.shape[2])
    mask = None if mask is None else _widened(mask, extra)
    return _finish(
        q, k, v, None if causal else _merged(padding, mask, q.array.dtype), causal, dropout_p,
        need_weights, average, out_weight, out_bias, batched, batch_first,
    )  # fmt: skip


def _check_attn_mask(mask: Tensor, rows: int, columns: int, batch: int, heads: int) -> Tensor:
    """The mask as (1, 1, L, S) or (B, H, L, S)."""
    shape = tuple(mask.array.shape)
    wanted = (rows, columns) if len(shape) == 2 else (batch * heads, rows, columns)
    if shape != wanted:
        raise RuntimeError(
            f"The shape of the {len(shape)}D attn_mask is {shape}, but should be {wanted}."
        )
    lead = (1, 1) if len(shape) == 2 else (batch, heads)
    return mask.reshape(*lead, rows, columns)


def _static(x: Tensor, name: str, batch: int, heads: int, size: int) -> Tensor:
    shape = tuple(x.array.shape)
    if len(shape) != 3 or shape[0] != batch * heads or shape[2] != size:
        raise _refuse(f"expecting {name} of shape ({batch * heads}, S, {size}), but got {shape}")
    return x.reshape(batch, heads, shape[1], size)


def _widened(mask: Tensor, extra: int) -> Tensor:
    """The mask with further columns, which everyone may see."""
    if not extra:
        return mask
    array = mask.array
    zeros = namespace(array).zeros((*array.shape[:-1], extra), array.dtype)
    return _op["cat"]([mask, wrap(zeros)], -1)


def _finish(
    q: Any,
    k: Any,
    v: Any,
    mask: Tensor | None,
    causal: bool,
    dropout_p: float,
    need_weights: bool,
    average: bool,
    out_weight: Tensor,
    out_bias: Tensor | None,
    batched: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor | None]:
    scale = 1 / math.sqrt(q.array.shape[-1])
    weights = None
    if need_weights:
        scores = (q * scale) @ k.transpose(-2, -1)
        if mask is not None and mask.array.dtype == np.bool_:
            scores = scores.masked_fill(wrap(~mask.array), -math.inf)
        elif mask is not None:
            scores = scores + mask
        weights = _op["softmax"](scores, -1)
        if dropout_p > 0:
            weights = _dropout(weights, dropout_p)
        out = weights @ v
    else:
        out = _attention(q, k, v, mask, scale, causal, dropout_p)
    out = out.transpose(1, 2) if batch_first else out.permute(2, 0, 1, 3)
    out = _linear(out.flatten(2), out_weight, out_bias)
    if weights is not None and average:
        weights = weights.mean(1)
    if not batched:
        out = out.squeeze(0 if batch_first else 1)
        weights = None if weights is None else weights.squeeze(0)
    return out, weights
