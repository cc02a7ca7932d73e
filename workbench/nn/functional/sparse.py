"""Look-ups by index: embedding, bags of embeddings, one-hot vectors."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import FUNCTIONS, Tensor, functions, mark_written, wrap

__all__ = ["embedding", "embedding_bag", "one_hot"]

_op = FUNCTIONS[""]
_lookup = functions.raw("embedding_lookup")


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
    gradient by how often it was looked up. `sparse` is accepted; gradients are dense.

    Raises IndexError for indices outside 0 … V-1, RuntimeError for other dtypes and shapes.
    """
    if weight.array.ndim != 2:
        raise RuntimeError(f"embedding(): 'weight' must be 2-D, got {weight.shape}")
    rows = weight.array.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise AssertionError(
                f"Padding_idx must be within num_embeddings ({rows}), got {padding_idx}"
            )
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


_INDEX = (np.dtype(np.int64), np.dtype(np.int32))


def _bags(input: Tensor, offsets: Tensor | None, include_last_offset: bool) -> tuple[Any, Any, int]:
    """The indices in one row, the bag of each, and how many bags there are."""
    array = input.array
    xp = namespace(array)
    if array.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                f"of fixed length sequences. However, found offsets of type {type(offsets)}"
            )
        return array.reshape(-1), xp.repeat(xp.arange(array.shape[0]), array.shape[1]), len(array)
    if array.ndim != 1:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {array.ndim}"
        )
    if not isinstance(offsets, Tensor):
        raise ValueError(f"offsets has to be a 1D Tensor but got {offsets!r}")
    starts = offsets.array
    if starts.ndim != 1:
        raise ValueError(f"offsets has to be a 1D Tensor, got {offsets.shape}")
    if starts.dtype not in _INDEX:
        raise RuntimeError(
            f"embedding_bag(): expected offsets of type Long or Int: {offsets.dtype}"
        )
    if include_last_offset and not starts.size:
        raise RuntimeError("include_last_offset: number of offset should be at least 1")
    if starts.size and int(starts[0]) != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {int(starts[0])}"
        )
    if starts.size and int(starts[-1]) > array.size:
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {array.size} but got offsets[-1] "
            f"of {int(starts[-1])}"
        )
    if (starts[1:] < starts[:-1]).any():
        raise RuntimeError("embedding_bag(): offsets must not decrease")
    count = starts.size
    if include_last_offset:
        count, array = count - 1, array[: int(starts[-1])]
        starts = starts[:-1]
    return array, xp.searchsorted(starts, xp.arange(array.size), side="right") - 1, count


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sums, means or maxima of bags of rows of `weight` (V, D) → (bags, D).

    `input` (B, L) holds B bags; (L) holds bags that start at `offsets` (with the end behind the
    last one if `include_last_offset`). `per_sample_weights` (of the input's shape) scale the rows
    of a sum. Rows at `padding_idx` do not count; an empty bag gives 0. `max_norm`, `norm_type`,
    `scale_grad_by_freq` and `sparse` are those of `embedding`.

    Raises ValueError for settings and shapes that do not fit, RuntimeError for dtypes, offsets and
    indices, NotImplementedError for weighted means and maxima.
    """
    if weight.array.dtype in _INDEX and input.array.dtype.kind in "fV":
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage "
            "`embedding_bag(weight, input, ...)` is deprecated, and should now be "
            "`embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        input, weight = weight, input  # noqa: A001 - what torch does
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"mode has to be one of sum, mean or max, got {mode!r}")
    if per_sample_weights is not None and per_sample_weights.array.shape != input.array.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then "
            f"it must have the same shape as the input ({input.shape})"
        )
    flat, bag, count = _bags(input, offsets, include_last_offset)
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}')."
        )
    if flat.dtype not in _INDEX:
        raise RuntimeError(
            f"embedding_bag(): expected indices of type Long or Int, got {input.dtype}"
        )
    if per_sample_weights is not None and per_sample_weights.array.dtype != weight.array.dtype:
        raise RuntimeError(
            f"embedding_bag(): weight is {weight.dtype} but per_sample_weights are "
            f"{per_sample_weights.dtype}"
        )
    rows = weight.array.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise RuntimeError(
                f"padding_idx must be within the number of embeddings, -{rows} through {rows - 1}, "
                f"but got {padding_idx}"
            )
        padding_idx %= rows
    outside = (flat < 0) | (flat >= rows)
    if outside.any():
        raise RuntimeError(
            f"embedding_bag(): Index {int(flat[outside][0])} is not in the valid range [0, {rows})"
        )
    scales = None if per_sample_weights is None else per_sample_weights.reshape(-1)[: flat.size]
    if padding_idx is not None:
        counted = flat != padding_idx
        flat, bag = flat[counted], bag[counted]
        scales = None if scales is None else scales[wrap(counted)]
    taken = embedding(wrap(flat), weight, None, max_norm, norm_type, scale_grad_by_freq)
    xp = namespace(weight.array)
    width = weight.array.shape[1]
    if mode == "max":
        return _largest(xp, taken, bag, count, width)
    if scales is not None:
        taken = taken * scales.unsqueeze(1)
    out = _op["index_add"](
        wrap(xp.zeros((count, width), weight.array.dtype)), 0, wrap(bag.astype(np.int64)), taken
    )
    if mode == "mean":
        sizes = xp.maximum(xp.bincount(bag, minlength=count), 1).astype(weight.array.dtype)
        out = out / wrap(sizes[:, None])
    return out


def _largest(xp: Any, taken: Tensor, bag: Any, count: int, width: int) -> Tensor:
    """The largest of each bag's rows, column by column; the first of equals gets the gradient."""
    sizes = xp.bincount(bag, minlength=count)
    longest = int(sizes.max()) if count else 0
    if not longest:
        return taken.sum() * 0 + wrap(xp.zeros((count, width), taken.array.dtype))
    starts = xp.cumsum(sizes) - sizes
    place = starts[:, None] + xp.arange(longest)
    inside = xp.arange(longest) < sizes[:, None]
    padded = taken[wrap(xp.where(inside, place, 0))]
    held = _op["where"](wrap(inside[:, :, None]), padded, float("-inf"))
    best = _op["max"](held, 1)[0]
    return _op["where"](wrap((sizes > 0)[:, None]), best, 0.0)


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
    elif array.size and int(array.max()) >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return wrap(namespace(array).eye(num_classes, dtype=np.int64)[array])
