"""Similarities and distances between vectors."""

from __future__ import annotations

from workbench.arrays import namespace
from workbench.tensor import FUNCTIONS, Tensor, wrap

__all__ = ["cosine_similarity", "pairwise_distance", "pdist"]

_op = FUNCTIONS[""]
_length = FUNCTIONS["linalg"]["vector_norm"]


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1·x2 / (max(‖x1‖, eps) · max(‖x2‖, eps)) along `dim`; shapes broadcast.

    Raises RuntimeError for anything but real floats.
    """
    kinds = {x1.array.dtype.kind, x2.array.dtype.kind}
    if "c" in kinds or not kinds & {"f", "V"}:
        raise RuntimeError(
            "cosine_similarity(): expected common dtype to be floating point, got "
            f"{x1.dtype} and {x2.dtype}"
        )
    x1, x2 = _op["broadcast_tensors"](x1, x2)
    first, second = (x / _op["clamp"](_length(x, 2, dim, True), eps) for x in (x1, x2))
    return (first * second).sum(dim)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """‖x1 - x2 + eps‖p over the last dimension; shapes broadcast."""
    apart = x1 - x2 + eps
    if apart.array.ndim == 0:
        return _length(apart, p)
    return _length(apart, p, -1, keepdim)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm distances between all pairs of rows of (N, D): (N (N - 1) / 2).

    In the order of `triu_indices(N, N, 1)`. Raises RuntimeError unless the input is a matrix of
    floats and p ≥ 0, NotImplementedError for half precision.
    """
    array = input.array
    if array.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {array.ndim}D")
    if array.dtype.kind not in "fV":
        raise RuntimeError(f"pdist only supports floating-point dtypes, got {input.dtype}")
    if array.dtype.itemsize < 4:
        raise NotImplementedError(f"\"pdist\" not implemented for '{input.dtype}'")
    if not p >= 0:
        raise RuntimeError(f"pdist only supports non-negative p values, got {p}")
    n, width = array.shape
    xp = namespace(array)
    if not width:
        return wrap(xp.zeros(n * (n - 1) // 2, array.dtype))
    first, second = xp.triu_indices(n, 1)
    # the difference of two rows, as a product with +1 and -1, would be slower and less exact
    apart = input[wrap(first)] - input[wrap(second)]
    return _length(apart, p, 1)
