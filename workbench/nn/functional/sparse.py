"""Dropout, embedding, one-hot: values chosen by chance or by index."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import Tensor, functions, mark_written, wrap

from .inplace import finish

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "embedding",
    "one_hot",
]

_dropout = functions.raw("native_dropout")
_lookup = functions.raw("embedding_lookup")


def _probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each value with probability `p`, multiply the others by 1 / (1 - p).

    Raises ValueError unless 0 ≤ p ≤ 1.
    """
    _probability(p)
    if not training or p == 0:
        return input
    return finish(inplace, _dropout, input, p)


def _channels(
    input: Tensor, p: float, training: bool, inplace: bool, dims: int, name: str
) -> Tensor:
    _probability(p)
    if not training or p == 0:
        return input
    shape = input.array.shape
    if len(shape) not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"{name}: expected (N, C, …) or (C, …) with {dims} more dimensions, got input of size "
            f"{list(shape)}"
        )
    kept = len(shape) - dims
    return finish(inplace, _dropout, input, p, shape[:kept] + (1,) * dims)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, L) or (C, L) with probability `p`."""
    return _channels(input, p, training, inplace, 1, "dropout1d")


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, H, W) with probability `p`; (N, C, L) likewise, as in torch."""
    dims = 1 if input.array.ndim == 3 else 2
    return _channels(input, p, training, inplace, dims, "dropout2d")


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, D, H, W) or (C, D, H, W) with probability `p`."""
    return _channels(input, p, training, inplace, 3, "dropout3d")


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout to SELU's lower limit instead of zero, keeping mean 0 and variance 1."""
    _probability(p)
    if not training or p == 0:
        return input
    if p == 1:
        return finish(inplace, lambda x: x * 0, input)
    floor = -1.7580993408473766  # -scale · alpha of SELU
    a = 1 / math.sqrt((1 - p) * (1 + p * floor**2))

    def drop(x: Tensor) -> Tensor:
        array = x.array
        ones = wrap(namespace(array).ones(array.shape, array.dtype))
        keep = _dropout(ones, p) * (1 - p)
        return (x * keep + (1 - keep) * floor) * a + (-a * p * floor)

    return finish(inplace, drop, input)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of `weight` (V, D) at the integers `input` (*) → (*, D).

    The row `padding_idx` gets no gradient. With `max_norm`, looked-up rows longer than that (in
    the `norm_type`-norm) are scaled down in place first. `scale_grad_by_freq` divides each row's
    gradient by how often it was looked up.

    Raises IndexError for indices outside 0 … V-1, RuntimeError for other dtypes.
    """
    rows = weight.array.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= rows
    if max_norm is not None:
        _renorm(weight, input.array, max_norm, norm_type)
    out = _lookup(input, weight, padding_idx)
    if scale_grad_by_freq and out.requires_grad:
        xp = namespace(weight.array)
        counts = xp.bincount(input.array.reshape(-1), minlength=rows)[input.array]
        share = wrap((1 / counts).astype(out.array.dtype)[..., None])
        out.register_hook(lambda grad: grad * share)
    return out


def _renorm(weight: Tensor, indices: Any, max_norm: float, norm_type: float) -> None:
    xp = namespace(weight.array)
    used = xp.unique(indices)
    used = used[(used >= 0) & (used < len(weight.array))]  # the look-up reports the others
    lengths = (xp.abs(weight.array[used]) ** norm_type).sum(axis=1) ** (1 / norm_type)
    long = lengths > max_norm
    if long.any():
        factor = max_norm / (lengths[long] + 1e-7)
        weight.array[used[long]] *= factor[:, None].astype(weight.array.dtype)
        mark_written(weight)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64 (*) → (*, num_classes) with a one at each entry's value.

    Raises RuntimeError for other dtypes, negative values and values beyond `num_classes`.
    """
    array = tensor.array
    if array.dtype != np.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if array.size == 0 and num_classes <= 0:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    if array.size and int(array.min()) < 0:
        raise RuntimeError("Class values must be non-negative.")
    if num_classes == -1:
        num_classes = int(array.max()) + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    elif array.size and int(array.max()) >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return wrap(namespace(array).eye(num_classes, dtype=np.int64)[array])
