"""Losses over class indices."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .compiled import lines
from .compiled import softmax as compiled
from .declare import op, shape_setting
from .rows import against_column, row_sums, wide
from .samples import Sample
from .softmax import exponentials

_REDUCTIONS = ("none", "mean", "sum")
_TINY = 1e-30


def check_reduction(reduction):
    """Raises ValueError for an unknown reduction."""
    if reduction not in _REDUCTIONS:
        raise ValueError(
            f"{reduction} is not a valid value for reduction; use 'mean', 'sum' or 'none'"
        )


def class_targets(name, input, target, ignore_index):
    """The targets to count, as (class, counted) arrays shaped like `target`.

    `counted` is None where all of them count. Raises ValueError when batch sizes differ,
    RuntimeError for shapes or dtypes that do not fit and IndexError for a class out of range.
    """
    shape = input.shape
    if target.dtype.char != "l" and target.dtype != np.int64:
        if target.dtype != np.uint8:
            raise RuntimeError(
                f"{name}(): expected target dtype to be Long or Byte, but got {target.dtype.name}; "
                "convert labels with .long()"
            )
        target = target.astype(np.int64)
    if not shape:
        kind = ValueError if name == "nll_loss" else RuntimeError
        raise kind(f"{name}(): Expected 1 or more dimensions (got 0): (C) or (N, C, ...)")
    wanted = shape[:1] + shape[2:] if len(shape) > 1 else ()
    if target.shape != wanted:
        if len(shape) > 1 and target.ndim and target.shape[0] != shape[0]:
            raise ValueError(
                f"Expected input batch_size ({shape[0]}) to match target batch_size "
                f"({target.shape[0]})."
            )
        raise RuntimeError(
            f"{name}(): input {tuple(shape)} wants class targets of shape {wanted}, got "
            f"{tuple(target.shape)}"
        )
    classes = shape[1] if len(shape) > 1 else shape[0]
    if type(target) is np.ndarray and target.size:
        low, high = np.minimum.reduce(target, None), np.maximum.reduce(target, None)
        if low >= 0 and high < classes and not low <= ignore_index <= high:
            return target, None
    counted = target != ignore_index
    outside = counted & ((target < 0) | (target >= classes))
    if outside.any():
        bad = int(target[outside].reshape(-1)[0]) if target.ndim else int(target)
        raise IndexError(
            f"Target {bad} is out of bounds: labels must be 0 … {classes - 1} for {classes} classes"
        )
    return target * counted, counted


def _pick(xp, values, target):
    """values[n, target[n], ...]: the entry of each target's class."""
    if values.ndim == 1:
        return values[target]
    if values.ndim == 2:
        return values[xp.arange(len(target)), target]
    return xp.take_along_axis(values, target[:, None], 1)[:, 0]


def _put(xp, shape, dtype, target, values):
    """Zeros of `shape` with `values` at each target's class: the adjoint of `_pick`."""
    out = xp.zeros(shape, dtype)
    if len(shape) == 1:
        out[target] = values
    elif len(shape) == 2:
        out[xp.arange(len(target)), target] = values
    else:
        xp.put_along_axis(out, target[:, None], values[:, None], 1)
    return out


def _weights(xp, input, weight, target, counted):
    """The weight of each target; 0 where ignored."""
    if weight is None:
        return (
            xp.ones(target.shape, input.dtype) if counted is None else counted.astype(input.dtype)
        )
    return weight[target] if counted is None else weight[target] * counted


def _reduce(losses, weights, reduction):
    if reduction == "none":
        return losses
    total = losses.sum()
    if reduction == "sum":
        return total
    with np.errstate(divide="ignore", invalid="ignore"):
        return total / weights.sum().astype(total.dtype)


def _class_errors(make):
    yield Sample(make(4, 3), make.ints(3, high=3))
    yield Sample(make(4, 3), np.array([0, 1, 2, 3]))
    yield Sample(make(4, 3), make.ints(4, high=3, dtype=np.int32))
    yield Sample(make(4, 3), make(4))
    yield Sample(make(), make.ints(high=3))
    yield Sample(make(4, 3), np.array([0, 1, 2, -1]))
    yield Sample(make(4, 3), make.ints(4, high=3), reduction="average")
    yield Sample(make(2, 3, 4), make.ints(2, 5, high=3))


def _nll_samples(make):
    yield Sample(make(4, 3), make.ints(4, high=3))
    yield Sample(make(4, 3), make.ints(4, high=3), make(3, low=0.5, high=1), 1, "sum")
    yield Sample(make(2, 3, 4), make.ints(2, 4, high=3), None, -100, "none")
    yield Sample(make(3), make.ints(high=3))


def _nll_oracle(torch, input, target, weight=None, ignore_index=-100, reduction="mean"):
    return torch.nn.functional.nll_loss(
        input, target, weight, ignore_index=ignore_index, reduction=reduction
    )


@op(
    errors=_class_errors,
    accepts="f",
    shape=lambda target, reduction: target if reduction == "none" else (),
    function=False,
    method=False,
    samples=_nll_samples,
    oracle=_nll_oracle,
)
def nll(xp, input, target, weight=None, /, ignore_index=-100, reduction="mean"):
    """Negative log likelihood of log-probabilities (N, C, ...) at classes (N, ...)."""
    check_reduction(reduction)
    target, counted = class_targets("nll_loss", input, target, ignore_index)
    weights = _weights(xp, input, weight, target, counted)
    return _reduce(-_pick(xp, input, target) * weights, weights, reduction)


nll.vjp(
    input=lambda F, g, target, weight, input_shape, ignore_index, reduction: F.nll_backward(
        g, target, weight, input_shape, ignore_index, reduction
    )
)


@op(
    shape=shape_setting,
    function=False,
    method=False,
    oracle=False,
    samples=lambda make: iter(
        [
            Sample(make(), make.ints(4, high=3), None, (4, 3), 1, "mean"),
            Sample(make(2, 4), make.ints(2, 4, high=3), None, (2, 3, 4), -100, "none"),
        ]
    ),
)
def nll_backward(xp, input, target, weight=None, /, shape=(), ignore_index=-100, reduction="mean"):
    """The adjoint of `nll`: the incoming gradient put at each target's class."""
    counted = target != ignore_index
    target = target * counted
    weights = _weights(xp, input, weight, target, counted)
    if reduction == "mean":
        weights = weights / weights.sum()
    values = xp.broadcast_to(-(input * weights), target.shape)
    return _put(xp, shape, input.dtype, target, values)


nll_backward.vjp(
    input=lambda F, g, target, weight, ignore_index, reduction: F.nll(
        g, target, weight, ignore_index, reduction
    )
)


def _cross_oracle(torch, input, target, ignore_index=-100, reduction="mean"):
    return torch.nn.functional.cross_entropy(
        input, target, ignore_index=ignore_index, reduction=reduction
    )


def _cross_samples(make):
    yield Sample(make(4, 3), make.ints(4, high=3))
    yield Sample(make(4, 3) * 100, make.ints(4, high=3))
    yield Sample(make(4, 3), make.ints(4, high=3), 1, "sum")
    yield Sample(make(4, 3), make.ints(4, high=3).astype(np.uint8), -100, "sum")
    yield Sample(make(2, 3, 4), make.ints(2, 4, high=3), -100, "none")
    yield Sample(make(2, 3, 4), make.ints(2, 4, high=3), 2, "mean")
    yield Sample(make(3), make.ints(high=3))


@op(
    errors=_class_errors,
    accepts="f",
    shape=lambda target, reduction: target if reduction == "none" else (),
    function=False,
    method=False,
    aux=("powers",),
    samples=_cross_samples,
    oracle=_cross_oracle,
)
def softmax_cross_entropy(xp, input, target, /, ignore_index=-100, reduction="mean"):
    """Cross-entropy of logits (N, C, ...) and classes (N, ...), softmax included, in one pass.

    `powers`: the exponentials, each row perhaps scaled; or the rows' maxima and what their sums
    are divided by (N, 1, 2).
    """
    check_reduction(reduction)
    if _rows_fit(input, target):
        found = compiled.cross_entropy(input, target, ignore_index, reduction)
        if found is not None:
            return found
    target, counted = class_targets("cross_entropy", input, target, ignore_index)
    x = wide(input)
    if x.ndim == 2 and x.size:
        powers, losses = _row_losses(xp, x, target)
    else:
        where = 1 if x.ndim > 1 else 0
        shifted = x - x.max(axis=where, keepdims=True) if x.size else x
        powers = xp.exp(shifted)
        total = powers.sum(axis=where, keepdims=True)
        losses = xp.log(total).reshape(target.shape) - _pick(xp, shifted, target)
    if counted is not None:
        losses = losses * counted
    if reduction != "none":
        losses = losses.sum()
        if reduction == "mean":
            count = losses.dtype.type(target.size) if counted is None else counted.sum()
            with np.errstate(invalid="ignore"):
                losses = losses / count.astype(losses.dtype)
    return losses.astype(input.dtype, copy=False), powers


def _rows_fit(input, target):
    """Whether compiled kernels take these logits and labels."""
    return (
        input.ndim == 2
        and type(target) is np.ndarray
        and target.dtype == np.int64
        and target.shape == input.shape[:1]
        and lines.fit(input)
    )


def _row_losses(xp, x, target):
    """Exponentials of the rows of (N, C), each perhaps scaled, and the loss of each (N)."""
    rows = _rows(xp, len(target))
    powers, total, top = exponentials(xp, x)
    if top is None:
        picked = powers[rows, target]
        if picked.min() > _TINY:
            return powers, xp.log(total / picked)  # never below 0
        top = 0
    return powers, xp.log(total) - (x[rows, target] - top)


@lru_cache(maxsize=16)
def _counting(n):
    made = np.arange(n)
    made.flags.writeable = False
    return made


def _rows(xp, n):
    return _counting(n) if xp is np and n <= 1 << 16 else xp.arange(n)


def _cross_rule(F, g, input, target, powers, ignore_index, reduction):
    where = 1 if len(input.shape) > 1 else 0
    if F.taped:
        scale = F.nll_scale(g, target, ignore_index, reduction)
        return F.softmax(input, where) * F.unsqueeze(scale, where) + F.nll_backward(
            g, target, None, tuple(input.shape), ignore_index, reduction
        )
    xp, dtype = F.xp, input.dtype
    if dtype.itemsize < 4:  # what was saved may have been rounded
        g, input = wide(g), wide(input)
        powers = softmax_cross_entropy.forward(xp, input, target, ignore_index, "none")[1]
    if powers.ndim == 3 and input.ndim == 2:
        if _rows_fit(input, target) and lines.fit(input, g, powers):
            out = compiled.cross_entropy_backward(g, input, target, powers, ignore_index, reduction)
            return out.astype(dtype, copy=False)
        powers = xp.exp(input - powers[:, :, 0])
    target, counted = class_targets("cross_entropy", input, target, ignore_index)
    scale = g
    if reduction == "mean":
        if counted is None:
            scale = scale * scale.dtype.type(1 / max(target.size, 1))
        else:
            scale = scale / xp.maximum(counted.sum().astype(scale.dtype), scale.dtype.type(1))
    if counted is not None:
        scale = scale * counted
    if where == 1 and powers.ndim == 2:
        out = against_column(xp.multiply, powers, scale / row_sums(powers))
        out[_rows(xp, len(target)), target] -= scale
    else:
        scale = xp.broadcast_to(scale, target.shape)
        out = powers * xp.expand_dims(scale / powers.sum(axis=where), where)
        out -= _put(xp, input.shape, out.dtype, target, scale)
    return out.astype(dtype, copy=False)


@op(
    shape=lambda target: target,
    function=False,
    method=False,
    oracle=False,
    samples=lambda make: iter(
        [
            Sample(make(), make.ints(4, high=3), 1, "mean"),
            Sample(make(4), make.ints(4, high=3), 1, "none"),
        ]
    ),
)
def nll_scale(xp, input, target, /, ignore_index, reduction):
    """The incoming gradient of a class loss as one value per target; 0 where ignored."""
    counted = target != ignore_index
    weights = counted.astype(input.dtype)
    return input * (weights / weights.sum() if reduction == "mean" else weights)


nll_scale.vjp(
    input=lambda F, g, target, input_shape, ignore_index, reduction: F.sum_to(
        F.nll_scale(g, target, ignore_index, "none")
        * _mean_factor(target, ignore_index, reduction),
        input_shape,
    )
)


def _mean_factor(target, ignore_index, reduction):
    if reduction != "mean":
        return 1.0
    return 1.0 / float((getattr(target, "array", target) != ignore_index).sum())


softmax_cross_entropy.vjp(input=_cross_rule)
