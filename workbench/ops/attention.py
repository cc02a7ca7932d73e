"""Scaled dot-product attention, forward and backward, without more scores in memory than needed.

The softmax is kept unnormalised: E = exp(S - shift), with one factor 1 / Σ E per row, which goes
to the narrow side of every product (Milakov & Gimelshein, "Online normalizer calculation for
softmax", 2018). Where all scores are small the shift is left out altogether.

Small problems keep E for the backward pass. Large ones go block by block and keep one number per
row, from which the backward pass makes E again (Dao et al., "FlashAttention", 2022).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from workbench.arrays import random

from .compiled import attention as compiled
from .declare import op
from .samples import Sample
from .shape import sum_to

BLOCK = 1 << 18  # scores worked on at a time: they stay in the second-level cache
WHOLE = 1 << 20  # up to so many scores are kept for the backward pass


def _t(x):
    return x.swapaxes(-1, -2)


def _single(x):
    """Half precision is computed in float32."""
    return x.astype(np.float32) if x is not None and x.dtype.itemsize == 2 else x


def _lead(*shapes):
    return np.broadcast_shapes(*(s[:-2] for s in shapes))


@lru_cache(maxsize=16)
def _triangle(rows, columns, dtype):
    """1 up to the diagonal, 0 above it."""
    return np.tri(rows, columns, dtype=dtype)


def _allowed(xp, mask, scores, start, is_causal):
    """The scores that may be forbidden (a view), and 1 for those that are not, else 0; or None.

    Rows of a causal mask that begin at `start` all see the columns before it.
    """
    if is_causal:
        rows, columns = scores.shape[-2], scores.shape[-1] - start
        if columns <= 1:
            return None
        return scores[..., start:], xp.asarray(_triangle(rows, columns, scores.dtype))
    if mask is not None and mask.dtype.kind == "b":
        return scores, mask.astype(scores.dtype)
    return None


def _exponentials(xp, scores, mask, start, is_causal):
    """Turn scores into E in place; returns the shift of each row, or None where there is none."""
    dtype = scores.dtype
    if mask is not None and mask.dtype.kind != "b":
        scores += mask
    allowed = _allowed(xp, mask, scores, start, is_causal)
    shift = None
    reach = math.log(float(np.finfo(dtype).max)) / 2.2
    if not (scores.max() < reach and scores.min() > -reach):
        if allowed is not None:
            some, factor = allowed
            some[...] = xp.where(factor > 0, some, dtype.type(-np.inf))
            allowed = None
        shift = scores.max(axis=-1, keepdims=True)
        shift[shift == -np.inf] = 0  # nothing to attend to
        scores -= shift
    xp.exp(scores, out=scores)
    if allowed is not None:
        some, factor = allowed
        some *= factor
    return shift


def _row_sums(xp, weights):
    """Sums over the last dimension, by a matrix-vector product."""
    ones = xp.ones(weights.shape[-1], weights.dtype)
    return xp.matmul(weights, ones)[..., None]


def _inverse(xp, total):
    """1 / total, and 0 for rows that attend to nothing."""
    empty = total == 0
    return (total.dtype.type(1) - empty) / (total + empty)


def _keep(xp, shape, p):
    """A dropout mask, drawn as `native_dropout` draws its own."""
    drawn = random.default_generator().uniform(shape, np.dtype(np.float32))
    return xp.asarray(drawn >= p)


def _product(xp, a, b, like):
    """a @ b in memory that lies as `like` does.

    Heads are often a transposed view of (B, L, H, E); what comes of them is then transposed back
    without a copy.
    """
    if a.ndim != 4 or like.ndim != 4 or like.strides[1] >= like.strides[2]:
        return xp.matmul(a, b)
    count, heads = np.broadcast_shapes(a.shape[:2], b.shape[:2])
    out = xp.empty((count, a.shape[2], heads, b.shape[3]), a.dtype).swapaxes(1, 2)
    return xp.matmul(a, b, out=out)


def _scaled(xp, keep, p, dtype):
    return keep.astype(dtype) * dtype.type(0.0 if p >= 1 else 1 / (1 - p))


def _pieces(count, rows, columns, is_causal):
    """(first, last, top, bottom, width) of each block of `count` problems of rows x columns."""
    per = max(1, BLOCK // max(1, rows * columns))
    high = rows if per > 1 else max(1, min(rows, BLOCK // max(1, columns)))
    if is_causal and high > 128:
        high = 128  # little of a block then lies above the diagonal
    for first in range(0, count, per):
        for top in range(0, rows, high):
            bottom = min(rows, top + high)
            width = min(columns, bottom) if is_causal else columns
            yield slice(first, min(count, first + per)), slice(top, bottom), slice(0, width)


def _flat(x, lead, count):
    """`x` with its leading dimensions broadcast to `lead` and folded into one."""
    return _broadcast(x, (*lead, *x.shape[-2:])).reshape(count, *x.shape[-2:])


def _broadcast(x, shape):
    """`x` broadcast to `shape`, by whichever library it belongs to."""
    if x.shape == shape:
        return x
    from workbench.arrays import namespace

    return namespace(x).broadcast_to(x, shape)


def _fold(lead, *arrays):
    count = math.prod(lead)
    return [None if a is None else _flat(a, lead, count) for a in arrays]


def _wide(mask, shape):
    """The mask over all scores, as a view."""
    return None if mask is None else _broadcast(mask, shape)


def _attention_samples(make):
    yield Sample(make(3, 4), make(5, 4), make(5, 2), None, 0.5)
    yield Sample(make(2, 3, 4), make(2, 3, 4), make(2, 3, 4), None, 0.5, True)
    yield Sample(make(2, 2, 3, 4), make(2, 2, 5, 4), make(2, 2, 5, 3), make(3, 5), -0.7)
    yield Sample(make(2, 3, 4), make(1, 5, 4), make(5, 3), make(2, 1, 5), 0.5)
    kept = make.bools(2, 3, 5)
    kept[0, 1] = False  # a row that attends to nothing
    yield Sample(make(2, 3, 4), make(2, 5, 4), make(2, 5, 2), kept, 0.5)
    yield Sample(make(2, 4) * 30, make(3, 4) * 30, make(3, 2), None, 1.0, grad=False)
    yield Sample(make(0, 3, 4), make(0, 5, 4), make(0, 5, 2), None, 0.5)
    yield Sample(make(3, 4), make(0, 4), make(0, 2), None, 0.5)


def _attention_oracle(torch, query, key, value, mask=None, scale=1.0, is_causal=False):
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, mask, is_causal=is_causal, scale=scale
    )


def _attention_shape(query, key, value):
    return (*_lead(query, key, value), query[-2], value[-1])


@op(
    accepts="f",
    shape=_attention_shape,
    function=False,
    method=False,
    aux=("weights", "inverse", "shift", "keep"),
    samples=_attention_samples,
    oracle=_attention_oracle,
)
def attention(xp, query, key, value, mask=None, /, scale=1.0, is_causal=False, dropout_p=0.0):
    """softmax(Q Kᵀ · scale + mask) V for (…, L, E), (…, S, E), (…, S, Ev) → (…, L, Ev).

    Leading dimensions broadcast. A bool mask is True where attention is allowed, another is added;
    `is_causal` lets row i see columns up to i. A row that sees nothing gives zeros. Vaswani et
    al., "Attention is all you need", 2017.

    Raises RuntimeError when the sizes do not fit.
    """
    kind = query.dtype
    q, k, v, m = _single(query), _single(key), _single(value), _single(mask)
    if mask is None and dropout_p == 0:
        plan = compiled.plan(q, k, v, is_causal)
        if plan is not None:
            out, inverse, shift = plan.forward(q, k, v, scale)
            return (out if q is query else out.astype(kind)), None, inverse, shift, None
    _check(query.shape, key.shape, value.shape)
    lead = _lead(query.shape, key.shape, value.shape)
    if mask is not None:
        lead = np.broadcast_shapes(lead, mask.shape[:-2])
    rows, columns = query.shape[-2], key.shape[-2]
    keep = None
    if dropout_p > 0:
        keep = _keep(xp, (*lead, rows, columns), dropout_p)
    if math.prod(lead) * rows * columns > WHOLE:
        return _forward_in_blocks(xp, q, k, v, m, lead, keep, scale, is_causal, dropout_p, kind)
    weights = xp.matmul(q * q.dtype.type(scale), _t(k))
    if weights.shape[:-2] != lead:
        weights = _broadcast(weights, (*lead, rows, columns)).copy()
    if weights.size == 0:
        shape = (*lead, rows, value.shape[-1])
        zeros = xp.zeros((*lead, rows, 1), weights.dtype)
        return xp.zeros(shape, kind), weights, zeros, None, keep
    _exponentials(xp, weights, m, 0, is_causal)
    inverse = _inverse(xp, _row_sums(xp, weights))
    used = weights if keep is None else weights * _scaled(xp, keep, dropout_p, weights.dtype)
    out = _product(xp, used, v, q)
    out *= inverse
    return out.astype(kind, copy=False), weights, inverse, None, keep


def _forward_in_blocks(xp, q, k, v, mask, lead, keep, scale, is_causal, p, kind):
    rows, columns, count = q.shape[-2], k.shape[-2], math.prod(lead)
    full = (*lead, rows, columns)
    scaled, k, v = _fold(lead, q * q.dtype.type(scale), k, v)
    wide = _wide(mask, full)
    kept = None if keep is None else keep.reshape(count, rows, columns)
    out = xp.empty((count, rows, v.shape[-1]), scaled.dtype)
    inverse = xp.empty((count, rows, 1), scaled.dtype)
    shifts = None
    for of, row, column in _pieces(count, rows, columns, is_causal):
        weights = xp.matmul(scaled[of, row], _t(k[of, column]))
        part = _part(xp, wide, lead, of, row)
        shift = _exponentials(xp, weights, part, row.start, is_causal)
        if shift is not None:
            if shifts is None:
                shifts = xp.zeros((count, rows, 1), scaled.dtype)
            shifts[of, row] = shift
        inverse[of, row] = _inverse(xp, _row_sums(xp, weights))
        if kept is not None:
            weights *= _scaled(xp, kept[of, row, column], p, weights.dtype)
        xp.matmul(weights, v[of, column], out=out[of, row])
    out *= inverse
    shape = (*lead, rows)
    return (
        out.reshape(*shape, v.shape[-1]).astype(kind, copy=False),
        None,
        inverse.reshape(*shape, 1),
        None if shifts is None else shifts.reshape(*shape, 1),
        keep,
    )


def _part(xp, wide, lead, of, row):
    """The mask of the problems `of` and the rows `row`."""
    if wide is None:
        return None
    where = np.unravel_index(np.arange(of.start, of.stop), lead or (1,))
    return wide[where][:, row] if lead else wide[None, row]


def _check(query, key, value):
    if min(len(query), len(key), len(value)) < 2:
        raise RuntimeError(
            "scaled_dot_product_attention(): Expected query, key, and value to all be at least 2 "
            f"dimensional, but got query.dim: {len(query)} key.dim: {len(key)} and value.dim: "
            f"{len(value)} instead."
        )
    if query[-1] != key[-1] or key[-2] != value[-2]:
        raise RuntimeError(
            "scaled_dot_product_attention(): wants query (…, L, E), key (…, S, E) and value "
            f"(…, S, Ev), got {list(query)}, {list(key)} and {list(value)}"
        )


# -- backward --------------------------------------------------------------------------------------


@op(
    shape=lambda query, key, value, mask, wanted: tuple(
        (shape if want else (0,))
        for shape, want in zip((query, key, value, mask), wanted, strict=True)
    ),
    function=False,
    method=False,
    oracle=False,
    returns=("query_grad", "key_grad", "value_grad", "mask_grad"),
    samples=lambda make: _backward_samples(make),  # noqa: PLW0108 - below
)
def attention_backward(
    xp,
    grad,
    query,
    key,
    value,
    out,
    inverse,
    mask=None,
    weights=None,
    shift=None,
    keep=None,
    /,
    scale=1.0,
    is_causal=False,
    dropout_p=0.0,
    wanted=(True, True, True, False),
):
    """The gradients of `attention`; an empty array where one is not wanted.

    With P the attention, dS = P (dP - Σ dO O), dQ = dS K · scale and dK = dSᵀ Q · scale.
    """
    kind = query.dtype
    g, q, k, v, o, m = (_single(x) for x in (grad, query, key, value, out, mask))
    shapes = (query.shape, key.shape, value.shape, None if mask is None else mask.shape)
    if weights is mask is keep is None and shift is not None:
        plan = compiled.plan(q, k, v, is_causal)
        if plan is not None:
            found = plan.backward(g, q, k, v, inverse, shift, scale)
            return _summed(xp, (*found, None), shapes, wanted, kind, None)
    g = g * inverse
    # of every row: Σ dO O / Σ E, to be subtracted from dP / Σ E
    level = (np.vecdot(g, o) if type(g) is np.ndarray else (g * o).sum(axis=-1))[..., None]
    if weights is None:
        found = _backward_in_blocks(
            xp, g, q, k, v, m, level, inverse, shift, keep, scale, is_causal, dropout_p, wanted
        )
    else:
        dropped = None if keep is None else _scaled(xp, keep, dropout_p, weights.dtype)
        dq = dk = dv = ds = None
        if wanted[2]:
            dv = _product(xp, _t(weights if keep is None else weights * dropped), g, v)
        if wanted[0] or wanted[1] or wanted[3]:
            ds = xp.matmul(g, _t(v))
            if keep is not None:
                ds *= dropped
            ds -= level
            ds *= weights
            dq, dk = _from_scores(xp, ds, q, k, scale, wanted)
        found = (dq, dk, dv, ds)
    return _summed(xp, found, shapes, wanted, kind, None if mask is None else mask.dtype)


def _summed(xp, found, shapes, wanted, kind, mask_kind):
    """Gradients in the shapes and dtypes of what they belong to."""
    return tuple(
        (part if part.shape == shape else sum_to.forward(xp, part, shape)).astype(
            kind if i < 3 else mask_kind, copy=False
        )
        if want
        else xp.empty((0,), kind)
        for i, (part, shape, want) in enumerate(zip(found, shapes, wanted, strict=True))
    )


def _from_scores(xp, ds, q, k, scale, wanted):
    dq = dk = None
    if wanted[0]:
        dq = _product(xp, ds, k, q)
        dq *= dq.dtype.type(scale)
    if wanted[1]:
        dk = _product(xp, _t(ds), q, k)
        dk *= dk.dtype.type(scale)
    return dq, dk


def _backward_in_blocks(
    xp, g, q, k, v, mask, level, inverse, shift, keep, scale, is_causal, p, wanted
):
    lead = tuple(inverse.shape[:-2])
    rows, columns, count = q.shape[-2], k.shape[-2], math.prod(lead)
    wide = _wide(mask, (*lead, rows, columns))
    g, q, k, v, level, shift = _fold(lead, g, q, k, v, level, shift)
    scaled = q * q.dtype.type(scale)
    kept = None if keep is None else keep.reshape(count, rows, columns)
    dq, dk, dv = (xp.zeros(x.shape, x.dtype) for x in (q, k, v))
    dm = xp.zeros((count, rows, columns), q.dtype) if wanted[3] else None
    for of, row, column in _pieces(count, rows, columns, is_causal):
        weights = xp.matmul(scaled[of, row], _t(k[of, column]))
        part = _part(xp, wide, lead, of, row)
        if part is not None and part.dtype.kind != "b":
            weights += part
        if shift is not None:
            weights -= shift[of, row]
        xp.exp(weights, out=weights)
        allowed = _allowed(xp, part, weights, row.start, is_causal)
        if allowed is not None:
            some, factor = allowed
            some[...] = xp.where(factor > 0, some, some.dtype.type(0))
        here = g[of, row]
        ds = xp.matmul(here, _t(v[of, column]))
        used = weights
        if kept is not None:
            dropped = _scaled(xp, kept[of, row, column], p, weights.dtype)
            ds *= dropped
            used = weights * dropped
        dv[of, column] += xp.matmul(_t(used), here)
        ds -= level[of, row]
        ds *= weights
        dq[of, row] = xp.matmul(ds, k[of, column])
        dk[of, column] += xp.matmul(_t(ds), scaled[of, row])
        if dm is not None:
            dm[of, row, column] = ds
    dq *= dq.dtype.type(scale)
    return tuple(
        None if part is None else part.reshape(*lead, *part.shape[1:]) for part in (dq, dk, dv, dm)
    )


def _backward_samples(make):
    for sample in _attention_samples(make) if make.dtype.kind in "fV" else ():
        if sample.grad and sample.args[0].size and sample.args[1].size:
            query, key, value, mask, *settings = sample.args
            scale, is_causal = (*settings, False)[:2]
            out, weights, inverse, *rest = attention.forward(
                np, query, key, value, mask, scale, is_causal
            )
            wanted = (True, True, True, mask is not None and mask.dtype.kind == "f")
            yield Sample(make(*out.shape), query, key, value, out, inverse, mask, weights,
                         *rest, scale, is_causal, 0.0, wanted, grad=False)  # fmt: skip


@attention.vjp_together("query", "key", "value", "mask")
def _attention_rule(
    F,
    g,
    query,
    key,
    value,
    mask,
    out,
    weights,
    inverse,
    shift,
    keep,
    scale,
    is_causal,
    dropout_p,
    wanted,
):
    if not F.taped:
        return F.attention_backward(
            g, query, key, value, out, inverse, mask, weights, shift, keep, scale, is_causal,
            dropout_p, wanted,
        )  # fmt: skip
    p = _composed(F, query, key, mask, scale, is_causal)
    used = p
    if keep is not None:
        dropped = F.cast_bool(keep, p) * (0.0 if dropout_p >= 1 else 1 / (1 - dropout_p))
        used = p * dropped
    dp = F.matmul(g, F.transpose(value, -2, -1))
    if keep is not None:
        dp = dp * dropped
    ds = p * (dp - F.sum(dp * p, -1, True))
    return (
        F.sum_to(F.matmul(ds, key), query.shape) * scale,
        F.sum_to(F.matmul(F.transpose(ds, -2, -1), query), key.shape) * scale,
        F.sum_to(F.matmul(F.transpose(used, -2, -1), g), value.shape),
        F.sum_to(ds, mask.shape) if wanted[3] else None,
    )


def _composed(F, query, key, mask, scale, is_causal):
    """The attention itself, of ops with gradients of their own."""
    scores = F.matmul(query * scale, F.transpose(key, -2, -1))
    if is_causal:
        ones = F.detach(scores) * 0 + 1
        allowed = F.tril(ones)
    elif mask is None:
        return F.softmax(scores, -1)
    elif _is_bool(mask):
        allowed = F.cast_bool(mask, scores)
    else:
        finite = F.isfinite(F.detach(mask))
        allowed = F.cast_bool(finite, scores)
        scores = scores + F.where(finite, mask, F.detach(mask) * 0)
    # of a row that sees nothing softmax still makes numbers, which the factor then takes away
    far = (1 - allowed) * -1e4
    return F.softmax(scores + far, -1) * allowed


def _is_bool(x):
    return getattr(x, "array", x).dtype.kind == "b"
