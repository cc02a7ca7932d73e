"""Losses in torch's signatures."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import FUNCTIONS, Tensor, functions, wrap

from .activation import logsigmoid

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
]

_op = FUNCTIONS[""]
_where, _log_softmax = _op["where"], _op["log_softmax"]
_nll, _fused = functions.raw("nll"), functions.raw("softmax_cross_entropy")


def reduction_of(size_average: Any, reduce: Any, reduction: str) -> str:
    """Torch's old pair of switches, or the reduction. Raises ValueError for an unknown one."""
    if size_average is not None or reduce is not None:
        if reduce is False:
            return "none"
        return "sum" if size_average is False else "mean"
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return losses.mean()
    return losses.sum() if reduction == "sum" else losses


def _weighed(losses: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    return _reduced(losses if weight is None else losses * weight, reduction)


def _like(input: Tensor, target: Tensor, name: str) -> None:
    if input.array.shape != target.array.shape:
        warnings.warn(
            f"Using a target size ({list(target.array.shape)}) that is different to the input size "
            f"({list(input.array.shape)}) in {name}. This will likely lead to incorrect results "
            "due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(input - target)²."""
    reduction = reduction_of(size_average, reduce, reduction)
    _like(input, target, "mse_loss")
    return _weighed(_op["square"](input - target), weight, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|input - target|."""
    reduction = reduction_of(size_average, reduce, reduction)
    _like(input, target, "l1_loss")
    return _weighed(_op["abs"](input - target), weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d² / (2 beta) where d = |input - target| < beta, else d - beta / 2.

    Raises RuntimeError for negative beta.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    _like(input, target, "smooth_l1_loss")
    if beta == 0:
        return _reduced(_op["abs"](input - target), reduction)
    apart = input - target
    away = _op["abs"](apart)
    return _reduced(_where(away < beta, apart * apart * (0.5 / beta), away - 0.5 * beta), reduction)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d² / 2 where d = |input - target| ≤ delta, else delta · (d - delta / 2).

    Raises RuntimeError unless delta > 0.
    """
    reduction = reduction_of(None, None, reduction)
    if not delta > 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    _like(input, target, "huber_loss")
    apart = input - target
    away = _op["abs"](apart)
    losses = _where(away <= delta, apart * apart * 0.5, (away - 0.5 * delta) * delta)
    return _weighed(losses, weight, reduction)


def _same(input: Tensor, target: Tensor) -> None:
    if input.array.shape != target.array.shape:
        raise ValueError(
            f"Using a target size ({list(target.array.shape)}) that is different to the input size "
            f"({list(input.array.shape)}) is deprecated. Please ensure they have the same size."
        )


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """-(t log x + (1 - t) log(1 - x)) of probabilities x; logarithms are held above -100.

    Raises ValueError when shapes differ, RuntimeError for values outside 0 … 1.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _same(input, target)
    for name, array in (("input", input.array), ("target", target.array)):
        if array.size and not bool(((array >= 0) & (array <= 1)).all()):
            raise RuntimeError(f"all elements of {name} should be between 0 and 1")
    least = math.exp(-100)

    def log(x: Tensor) -> Tensor:
        return _op["clamp"](_op["log"](_op["clamp"](x, least)), -100.0)

    losses = (target - 1) * log(1 - input) - target * log(input)
    return _weighed(losses, weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of sigmoid(input), without overflow; `pos_weight` scales positives.

    Raises ValueError when shapes differ.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if input.array.shape != target.array.shape:
        raise ValueError(
            f"Target size ({list(target.array.shape)}) must be the same as input size "
            f"({list(input.array.shape)})"
        )
    negative = logsigmoid(input)
    if pos_weight is not None:
        negative = negative * (1 + (pos_weight - 1) * target)
    return _weighed((1 - target) * input - negative, weight, reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """t · (log t - x), x log-probabilities and t probabilities (or their logarithms).

    `reduction` "batchmean" is the divergence itself: the sum over the batch size.
    """
    batch = reduction == "batchmean"
    reduction = "sum" if batch else reduction_of(size_average, reduce, reduction)
    if log_target:
        losses = _op["exp"](target) * (target - input)
    else:
        positive = target > 0
        logs = _op["log"](_where(positive, target, 1.0))
        losses = _where(positive, target * logs, target * 0) - target * input
    out = _reduced(losses, reduction)
    return out / input.array.shape[0] if batch and input.array.ndim else out


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: Any = None,
    eps: float = 1e-8,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """exp(x) - t x of log-rates x (or x - t log(x + eps) of rates); `full` adds Stirling's term."""
    reduction = reduction_of(size_average, reduce, reduction)
    if log_input:
        losses = _op["exp"](input) - target * input
    else:
        losses = input - target * _op["log"](input + eps)
    if full:
        large = target > 1
        held = _where(large, target, 2.0)
        stirling = held * _op["log"](held) - held + 0.5 * _op["log"](2 * math.pi * held)
        losses = losses + _where(large, stirling, 0.0)
    return _reduced(losses, reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """-log-probability of the right class: (N, C, …) and classes (N, …), or (C) and a 0-d class.

    Raises IndexError for classes out of range, RuntimeError or ValueError for shapes and dtypes
    that do not fit.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _check_weight(input, weight)
    return _nll(input, target, weight, ignore_index, reduction)


def _check_weight(input: Tensor, weight: Tensor | None) -> None:
    shape = input.array.shape
    classes = shape[1] if len(shape) > 1 else shape[0] if shape else 0
    if weight is not None and weight.array.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but "
            f"got weight tensor of shape: {list(weight.array.shape)}"
        )


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of logits (N, C, …) and classes (N, …), or class probabilities (N, C, …).

    Classes count by `weight` (C), targets equal to `ignore_index` do not count, and
    `label_smoothing` mixes that much of a uniform distribution into the target. Raises IndexError
    for classes out of range, RuntimeError or ValueError for what does not fit.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    _check_weight(input, weight)
    probabilities = target.array.shape == input.array.shape and target.array.dtype.kind in "fV"
    if weight is None and not label_smoothing and not probabilities:
        return _fused(input, target, ignore_index, reduction)
    where = 1 if input.array.ndim > 1 else 0
    classes = input.array.shape[where]
    logs = _log_softmax(input, where)
    wide = None
    if weight is not None:
        wide = weight.reshape((1,) * where + (-1,) + (1,) * (input.array.ndim - where - 1))
    if probabilities:
        if label_smoothing:
            target = target * (1 - label_smoothing) + label_smoothing / classes
        losses = -(logs * target if wide is None else logs * target * wide).sum(where)
        if reduction == "mean":
            return losses.sum() / max(1, losses.array.size)
        return _reduced(losses, reduction)
    hard = _nll(logs, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return hard
    xp = namespace(input.array)
    counted = target.array != ignore_index
    spread = -(logs if wide is None else logs * wide).sum(where)
    spread = spread * wrap(xp.asarray(counted).astype(input.array.dtype))
    if reduction == "mean":
        if weight is None:
            total: Any = max(1, int(np.count_nonzero(counted)))
        else:
            total = float((weight.array[target.array * counted] * counted).sum())
        spread = spread.sum() / total
    elif reduction == "sum":
        spread = spread.sum()
    return hard * (1 - label_smoothing) + spread * (label_smoothing / classes)
