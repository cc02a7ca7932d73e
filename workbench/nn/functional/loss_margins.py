"""Losses over pairs and triples of embeddings, in torch's signatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.tensor import FUNCTIONS, Tensor

from .distance import pairwise_distance
from .reduction import reduced, reduction_of

__all__ = [
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]

_op = FUNCTIONS[""]
_where, _clamp = _op["where"], _op["clamp"]


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The distance x where the target is 1, max(0, margin - x) where it is -1; shapes broadcast.

    A target of any other value counts both.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    apart = _where(target != 1, _clamp(margin - input, min=0), 0.0)
    alike = _where(target != -1, input, 0.0)
    return reduced(apart + alike, reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -t (x1 - x2) + margin): t is 1 where x1 should rank higher, else -1.

    Raises RuntimeError unless all three have equally many dimensions.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if not input1.array.ndim == input2.array.ndim == target.array.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape}"
        )
    return reduced(_clamp(-target * (input1 - input2) + margin, min=0), reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(x1, x2) where the target is 1, max(0, cos - margin) where it is -1, else 0.

    Vectors (N, D) and targets (N), or (D) and one target. Raises RuntimeError for other shapes.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    ndim = target.array.ndim
    if ndim > 1:
        raise RuntimeError(
            "cosine_embedding_loss(): 0D or 1D target tensor expected, multi-target not supported"
        )
    if not input1.array.ndim == input2.array.ndim == ndim + 1:
        raise RuntimeError(
            f"cosine_embedding_loss(): {ndim}D target tensor expects {ndim + 1}D input tensors, "
            f"but found inputs with sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    # inside the root, so that the slope of zero vectors is finite; 1e-12 as a float32, as in torch
    tiny = 9.999999960041972e-13
    one, two = (_op["square"](x).sum(-1) + tiny for x in (input1, input2))
    cosine = (input1 * input2).sum(-1) / (one * two).sqrt()
    alike = _where(target == 1, 1 - cosine, 0.0)
    apart = _where(target == -1, _clamp(cosine - margin, min=0), 0.0)
    return reduced(alike + apart, reduction)


def _triple(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> None:
    if not margin > 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    a, p, n = anchor.array.ndim, positive.array.ndim, negative.array.ndim
    if not a == p == n:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {a}D, positive {p}D, and negative {n}D inputs"
        )


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d the p-norm distance (+ eps).

    With `swap` the negative may count from the positive, if that is nearer. Balntas et al.,
    "Learning local feature descriptors with triplets", 2016. Raises ValueError unless margin > 0,
    RuntimeError for different numbers of dimensions.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _triple(anchor, positive, negative, margin)
    return _triplets(
        anchor, positive, negative, lambda x, y: pairwise_distance(x, y, p, eps), margin, swap,
        reduction,
    )  # fmt: skip


def _triplets(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = _op["minimum"](far, distance(positive, negative))
    return reduced(_clamp(margin + near - far, min=0), reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """`triplet_margin_loss` with a distance of one's own (the Euclidean one by default).

    Raises ValueError unless margin > 0, RuntimeError for different numbers of dimensions.
    """
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    _triple(anchor, positive, negative, margin)
    distance = pairwise_distance if distance_function is None else distance_function
    return _triplets(anchor, positive, negative, distance, margin, swap, reduction)
