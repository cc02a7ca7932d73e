"""Similarities and distances between vectors."""

from __future__ import annotations

from workbench.tensor import FUNCTIONS, Tensor

__all__ = ["cosine_similarity", "pairwise_distance"]

_op = FUNCTIONS[""]


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1·x2 / (max(‖x1‖, eps) · max(‖x2‖, eps)) along `dim`; shapes broadcast."""
    first, second = (x / _op["clamp"](_op["norm"](x, 2, dim, True), eps) for x in (x1, x2))
    return (first * second).sum(dim)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """‖x1 - x2 + eps‖p over the last dimension."""
    return _op["norm"](x1 - x2 + eps, p, -1, keepdim)
