"""Losses of an input and a target of one shape, in torch's signatures."""

from __future__ import annotations

import math
import warnings
from typing import Any

from workbench.tensor import FUNCTIONS, Tensor, functions, wrap

from .reduction import alike, reduced, reduction_of

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "gaussian_nll_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
]

_op = FUNCTIONS[""]
_where, _log, _exp, _abs = _op["where"], _op["log"], _op["exp"], _op["abs"]
_mse, _logits = functions.raw("mse"), functions.raw("bce_logits")


def _floats(name: str, *tensors: Tensor) -> None:
    """Raises NotImplementedError where none of the tensors holds real floats."""
    kinds = {t.array.dtype.kind for t in tensors}
    if "c" in kinds or not kinds & {"f", "V"}:
        raise NotImplementedError(
            f'"{name}" not implemented for {[str(t.dtype) for t in tensors]}; convert with .float()'
        )


def _weights(weight: Tensor, input: Tensor) -> None:
    if weight.array.shape != input.array.shape:
        raise ValueError(
            f"Weights and input must have the same size, got {weight.shape} and {input.shape}."
        )


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(input - target)². A `weight` per value makes the mean a weighted one.

    Raises ValueError for an unknown reduction and for weights of another shape,
    NotImplementedError for anything but floats.
    """
    if size_average is not None or reduce is not None or reduction not in ("mean", "sum", "none"):
        reduction = reduction_of(size_average, reduce, reduction)
    x, t = (input, target) if input.array.shape == target.array.shape else alike(input, target)
    if weight is None:
        return _mse(x, t, reduction)
    _weights(weight, input)
    losses = _op["square"](x - t) * weight
    return losses.sum() / weight.sum() if reduction == "mean" else reduced(losses, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|input - target|. A `weight` per value makes the mean a weighted one.

    Raises ValueError for an unknown reduction and for weights of another shape.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    x, t = alike(input, target)
    losses = _abs(x - t)
    if weight is None:
        return reduced(losses, reduction)
    _weights(weight, input)
    losses = losses * weight
    return losses.sum() / weight.sum() if reduction == "mean" else reduced(losses, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d² / (2 beta) where d = |input - target| < beta, else d - beta / 2.

    Raises RuntimeError for negative beta, NotImplementedError for anything but floats.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    x, t = alike(input, target)
    apart = x - t
    away = _abs(apart)
    if beta == 0:
        return reduced(away, reduction)
    _floats("smooth_l1_loss", input, target)
    return reduced(_where(away < beta, apart * apart * (0.5 / beta), away - 0.5 * beta), reduction)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d² / 2 where d = |input - target| ≤ delta, else delta · (d - delta / 2).

    Raises RuntimeError unless delta > 0, ValueError for weights of another shape,
    NotImplementedError for anything but floats.
    """
    reduction = reduction_of(None, None, reduction)
    if not delta > 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    x, t = alike(input, target)
    _floats("huber_loss", x, t)
    apart = x - t
    away = _abs(apart)
    losses = _where(away <= delta, apart * apart * 0.5, (away - 0.5 * delta) * delta)
    if weight is not None:
        _weights(weight, input)
        losses = losses * weight
    return reduced(losses, reduction).to(input.dtype)  # torch's is of the input's dtype


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """-(t log x + (1 - t) log(1 - x)) of probabilities x; logarithms are held above -100.

    Raises ValueError when shapes differ, RuntimeError for values outside 0 … 1 and for dtypes that
    differ.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if input.array.shape != target.array.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}) is deprecated. Please ensure they have the same size."
        )
    if input.array.dtype != target.array.dtype:
        raise RuntimeError(
            f"binary_cross_entropy(): input is {input.dtype} but target {target.dtype}; convert "
            "the target with .to(input.dtype)"
        )
    _floats("binary_cross_entropy", input)
    for name, array in (("input", input.array), ("target", target.array)):
        if array.size and not bool(((array >= 0) & (array <= 1)).all()):
            raise RuntimeError(f"all elements of {name} should be between 0 and 1")
    least = math.exp(-100)

    def log(x: Tensor) -> Tensor:
        return _op["clamp"](_log(_op["clamp"](x, least)), -100.0)

    losses = (target - 1) * log(1 - input) - target * log(input)
    return reduced(losses if weight is None else losses * weight, reduction)


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

    Raises ValueError when shapes differ, RuntimeError for targets or logits that are integers.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if input.array.shape != target.array.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
        )
    if target.array.dtype.kind in "iub":
        raise RuntimeError(
            f"binary_cross_entropy_with_logits(): result type {input.dtype} can't be cast to the "
            f"target's type {target.dtype}; convert the target with .float()"
        )
    if weight is None and pos_weight is None:
        return _logits(input, target, reduction)
    losses = _logits(input, target, "none")
    if pos_weight is not None:  # what the positive part counts beyond 1
        losses = losses + (pos_weight - 1) * target * _nn["softplus"](-input, 1.0, math.inf)
    return reduced(losses if weight is None else losses * weight, reduction)


_nn = FUNCTIONS["nn.functional"]


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """t · (log t - x), x log-probabilities and t probabilities (or their logarithms).

    `reduction` "batchmean" is the divergence itself: the sum over the batch size; "mean" divides
    by the number of values, and warns. Raises RuntimeError for integers.
    """
    batch = False
    if size_average is None and reduce is None:
        batch = reduction == "batchmean"
        if reduction == "mean":
            warnings.warn(
                "reduction: 'mean' divides the total loss by both the batch size and the support "
                "size. 'batchmean' divides only by the batch size, and aligns with the KL div "
                "math definition.",
                stacklevel=3,
            )
    reduction = "sum" if batch else reduction_of(size_average, reduce, reduction, level=4)
    if input.array.dtype.kind in "iub" or target.array.dtype.kind in "iub":
        raise RuntimeError("kl_div: Integral inputs not supported.")
    if log_target:
        losses = _exp(target) * (target - input)
    else:
        losses = _op["xlogy"](target, target) - target * input
    out = reduced(losses, reduction)
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
        losses = _exp(input) - target * input
    else:
        losses = input - target * _log(input + eps)
    if full:
        large = target > 1
        held = _where(large, target, 2.0)
        stirling = held * _log(held) - held + 0.5 * _log(2 * math.pi * held)
        losses = losses + _where(large, stirling, 0.0)
    return reduced(losses, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """(log v + (input - target)² / v) / 2 with v = max(var, eps); `full` adds log(2π) / 2.

    `var` is a number, of the input's shape, or short of its last dimension (or 1 in one). The
    clamp is not differentiated, as in torch. Nix and Weigend, "Estimating the mean and variance of
    the target probability distribution", 1994. Raises ValueError for negative variances, for
    other shapes and for an unknown reduction, TypeError for a variance of another type.
    """
    if isinstance(var, float):
        if var < 0:
            raise ValueError(f"var has negative entry/entries: {var}")
        var = _op["full_like"](input, var)
    elif not isinstance(var, Tensor):
        raise TypeError(
            f"gaussian_nll_loss(): var must be Tensor or float, not {type(var).__name__}"
        )
    elif bool((var.array < 0).any()):
        raise ValueError("var has negative entry/entries")
    shape, held = input.array.shape, var.array.shape
    if held != shape:
        if shape[:-1] == held:
            var = var.unsqueeze(-1)
        elif len(held) != len(shape) or [h for s, h in zip(shape, held, strict=True) if s != h] != [
            1
        ]:
            raise ValueError(f"var is of incorrect size: {var.shape}, for input {input.shape}")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    small = wrap(var.array < eps)  # where it is held at eps; the slope passes all the same
    held_at = _where(small, (eps - var.detach()) + var, var)
    losses = 0.5 * (_log(held_at) + _op["square"](input - target) / held_at)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced(losses, reduction)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-t x)), t being 1 or -1; shapes broadcast.

    Raises RuntimeError for inputs that are no floats.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if input.array.dtype.kind in "iub":
        raise RuntimeError(
            f"soft_margin_loss(): result type Float can't be cast to {input.dtype}; convert the "
            "input with .float()"
        )
    return reduced(_nn["softplus"](-target * input, 1.0, math.inf), reduction)
