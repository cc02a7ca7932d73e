"""Losses over classes, in torch's signatures."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import FUNCTIONS, Tensor, functions, wrap

from .reduction import reduced, reduction_of

__all__ = [
    "cross_entropy",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
]

_op = FUNCTIONS[""]
_where, _log_softmax, _relu = _op["where"], _op["log_softmax"], _op["relu"]
_nll, _fused = functions.raw("nll"), functions.raw("softmax_cross_entropy")
_logits = functions.raw("bce_logits")


def _check_weight(input: Tensor, weight: Tensor | None) -> None:
    shape = input.array.shape
    classes = shape[1] if len(shape) > 1 else shape[0] if shape else 0
    if weight is None:
        return
    if weight.array.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but "
            f"got weight tensor of shape: {list(weight.array.shape)}"
        )


def _constant_weight(weight: Tensor | None, dtype: Any) -> None:
    """What holds for class indices only: the weights are of the input's dtype and constant."""
    if weight is None:
        return
    if weight.array.dtype != dtype:
        raise RuntimeError(
            f"nll_loss(): the class weights are {weight.dtype}, the input is not; convert them "
            "with .to(input.dtype)"
        )
    if weight.requires_grad:
        raise RuntimeError(
            "nll_loss() is not differentiable with respect to argument 'weight'. This input "
            "cannot have requires_grad True."
        )


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
    _constant_weight(weight, input.array.dtype)
    return _nll(input, _scalar(input, target), weight, ignore_index, reduction)


def _scalar(input: Tensor, target: Tensor) -> Tensor:
    """One class for one row of logits may come as (1)."""
    if input.array.ndim == 1 and target.array.shape == (1,):
        return target.reshape(())
    return target


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
    if size_average is not None or reduce is not None or reduction not in ("mean", "sum", "none"):
        reduction = reduction_of(size_average, reduce, reduction)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    probabilities = target.array.shape == input.array.shape
    if weight is None and not label_smoothing and not probabilities:
        return _fused(input, _scalar(input, target), ignore_index, reduction)
    _check_weight(input, weight)
    where = 1 if input.array.ndim > 1 else 0
    if probabilities:
        return _spread(input, target, weight, where, ignore_index, reduction, label_smoothing)
    target = _scalar(input, target)
    _constant_weight(weight, input.array.dtype)
    logs = _log_softmax(input, where)
    hard = _nll(logs, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return hard
    xp, classes = namespace(input.array), input.array.shape[where]
    counted = target.array != ignore_index
    spread = -(logs if weight is None else logs * _wide(weight, input, where)).sum(where)
    spread = spread * wrap(xp.asarray(counted).astype(input.array.dtype))
    if reduction == "mean":
        if weight is None:
            total = counted.sum(dtype=input.array.dtype)
        else:
            total = (weight.array[target.array * counted] * counted).sum()
        spread = spread.sum() / wrap(xp.asarray(total))
    elif reduction == "sum":
        spread = spread.sum()
    return hard * (1 - label_smoothing) + spread * (label_smoothing / classes)


def _wide(weight: Tensor, input: Tensor, where: int) -> Tensor:
    """Class weights beside the classes of the input."""
    return weight.reshape((1,) * where + (-1,) + (1,) * (input.array.ndim - where - 1))


def _spread(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    where: int,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> Tensor:
    """Cross-entropy with a distribution over the classes as target."""
    if target.array.dtype.kind not in "fV":
        raise RuntimeError(
            "cross_entropy(): Expected floating point type for target with class probabilities, "
            f"got {target.dtype}"
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    classes = input.array.shape[where]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    losses = _log_softmax(input, where) * target
    if weight is not None:
        losses = losses * _wide(weight, input, where)
    losses = -losses.sum(where)
    if reduction == "mean":
        return losses.sum() / losses.array.size if losses.array.size else losses.mean()
    return reduced(losses, reduction)


def _matrix(name: str, input: Tensor) -> tuple[int, int]:
    """Batch size and classes of (N, C), (C) or a 0-d input. Raises RuntimeError for others."""
    shape = input.array.shape
    n, classes = (1, 1) if not shape else (1, shape[0]) if len(shape) == 1 else shape[:2]
    if len(shape) > 2 or not classes:
        raise RuntimeError(
            f"{name}(): Expected non-empty vector or matrix with optional 0-dim batch size, but "
            f"got: {list(shape)}"
        )
    return n, classes


def _int64(name: str, target: Tensor) -> None:
    if target.array.dtype != np.int64:
        raise RuntimeError(
            f"{name}(): expected scalar type Long for the target but found {target.dtype}; convert "
            "it with .long()"
        )


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ over classes j but the right one y of max(0, margin - x[y] + x[j])^p / C.

    Scores (N, C) and classes (N), or (C) and one class; classes count by `weight` (C). Raises
    ValueError unless p is 1 or 2, RuntimeError for shapes, dtypes and classes that do not fit.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.array.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    if input.array.dtype.kind not in "fV":
        raise NotImplementedError(f"\"multi_margin_loss\" not implemented for '{input.dtype}'")
    n, classes = _matrix("multi_margin_loss", input)
    labels, held = target.array, target.array.shape
    if held != (n,) and not (n == 1 and held == ()):
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input "
            f"samples (batch size). Expected target size [{n}], but got {list(held)}. Input has "
            f"shape {list(input.array.shape)}."
        )
    _int64("multi_margin_loss", target)
    if weight is not None and weight.array.size != classes:
        raise RuntimeError(
            f"inconsistent weight size, expected {classes} but got {list(weight.array.shape)}"
        )
    if ((labels < 0) | (labels >= classes)).any():
        raise RuntimeError(f"multi_margin_loss(): target out of range 0 … {classes - 1}")
    x, y = input.reshape(n, classes), target.reshape(n, 1)
    above = _relu(x - _op["gather"](x, 1, y) + margin)
    above = above * above if p == 2 else above
    if weight is not None:
        above = above * weight.reshape(-1)[y]
    others = wrap(namespace(labels).arange(classes)) != y
    losses = _where(others, above, 0.0).sum(1) / classes
    if reduction == "none":
        return losses.reshape(held)
    return reduced(losses, reduction) if n else losses.sum()


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ over right classes y and others j of max(0, 1 - x[y] + x[j]) / C.

    Scores (N, C) or (C); the target, of the same shape, lists the right classes up to the first
    -1. Raises RuntimeError for shapes, dtypes and classes that do not fit.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    n, classes = _matrix("multilabel_margin_loss", input)
    if target.array.shape != input.array.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(target.array.shape)} for input of size: "
            f"{list(input.array.shape)}"
        )
    _int64("multilabel_margin_loss", target)
    if input.array.dtype.kind not in "fV":
        raise NotImplementedError(f"\"multilabel_margin_loss\" not implemented for '{input.dtype}'")
    labels = target.array.reshape(n, classes)
    if ((labels < -1) | (labels >= classes)).any():
        raise RuntimeError(f"multilabel_margin_loss(): target is out of range 0 … {classes - 1}")
    xp = namespace(labels)
    listed = (labels < 0).astype(np.int64).cumsum(axis=1) == 0  # before the first -1
    named = xp.where(listed, labels, classes)
    right = (named[:, :, None] == xp.arange(classes)).any(axis=1)
    x = input.reshape(n, classes)
    at = _op["gather"](x, 1, wrap(xp.where(listed, labels, 0)))
    above = _relu(1 - at.unsqueeze(2) + x.unsqueeze(1))
    pairs = wrap(listed[:, :, None] & ~right[:, None, :])
    losses = _where(pairs, above, 0.0).sum((1, 2)) / classes
    if reduction == "none":
        return losses.reshape(input.array.shape[:-1])
    return reduced(losses, reduction) if n else losses.sum()


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Binary cross-entropy of each class's logit, averaged over the last dimension, the classes.

    Classes count by `weight` (C). Raises IndexError for 0-d logits.
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    losses = _logits(input, target, "none")
    losses = (losses if weight is None else losses * weight).sum(-1) / _last(input)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    return reduced(losses, reduction)


def _last(input: Tensor) -> int:
    if not input.array.ndim:
        raise IndexError("Dimension specified as -1 but tensor has no dimensions")
    return input.array.shape[-1]
