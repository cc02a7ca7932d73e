"""Linear algebra: the standard's `linalg` extension."""

from __future__ import annotations

import math
from typing import Any

from workbench.arrays import as_dtype
from workbench.tensor import FUNCTIONS, Tensor
from workbench.tensor.functions import raw

from .array import cast, standard, table, together
from .linear_algebra import matmul, matrix_transpose, tensordot, vecdot
from .statistical import sum as _sum

_table = FUNCTIONS["linalg"]


@standard
def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """The lower (or upper) triangular factor of positive definite matrices."""
    return raw("cholesky")(x, upper)


@standard
def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The vector product along an axis of size 3; the other dimensions broadcast."""
    a, b = together(x1, x2)
    for x in (a, b):
        if not -x.array.ndim <= axis < x.array.ndim or x.array.shape[axis] != 3:
            raise ValueError(f"cross: axis {axis} of shape {tuple(x.array.shape)} is not of size 3")
    a, b = table["broadcast_tensors"](a, b)
    return _table["cross"](a, b, dim=axis)


@standard
def det(x: Tensor, /) -> Tensor:
    """The determinants of square matrices."""
    return _table["det"](x)


@standard
def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """The diagonals of the last two dimensions."""
    rows, columns = x.array.shape[-2:]
    if offset > columns or offset < -rows:  # beyond every diagonal there is nothing
        offset = columns if offset > 0 else -rows
    return table["diagonal"](x, offset, -2, -1)


@standard
def eigh(x: Tensor, /) -> Any:
    """(eigenvalues, eigenvectors) of symmetric or Hermitian matrices, in ascending order."""
    return _table["eigh"](x)


@standard
def eigvalsh(x: Tensor, /) -> Tensor:
    """The eigenvalues of symmetric or Hermitian matrices, in ascending order."""
    return _table["eigvalsh"](x)


@standard
def inv(x: Tensor, /) -> Tensor:
    """The inverses of square matrices."""
    return _table["inv"](x)


@standard
def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """The norms of matrices: "fro", "nuc", ±1, ±2, ±inf; Frobenius for None."""
    return _table["matrix_norm"](x, "fro" if ord is None else ord, (-2, -1), keepdims)


@standard
def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """Square matrices to an integer power, of their inverses for a negative one."""
    return _table["matrix_power"](x, int(n))


@standard
def matrix_rank(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """How many singular values exceed `rtol` times the largest."""
    if x.array.ndim < 2:
        raise ValueError(f"matrix_rank needs two dimensions or more, got {x.array.ndim}")
    return _table["matrix_rank"](x, rtol=rtol)


@standard
def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The products of each pair of elements of two vectors."""
    if x1.array.ndim != 1 or x2.array.ndim != 1:
        raise ValueError("outer needs two one-dimensional arrays")
    return raw("mul")(*together(raw("unsqueeze")(x1, 1), raw("unsqueeze")(x2, 0)))


@standard
def pinv(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """The Moore–Penrose inverses, singular values up to `rtol` times the largest counting as 0."""
    return _table["pinv"](x, rtol=rtol)


@standard
def qr(x: Tensor, /, *, mode: str = "reduced") -> Any:
    """(Q, R), "reduced" or "complete"."""
    return _table["qr"](x, mode)


@standard
def slogdet(x: Tensor, /) -> Any:
    """(sign, logabsdet) of square matrices."""
    return _table["slogdet"](x)


@standard
def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The solution of x1 @ y = x2; a one-dimensional x2 is one vector, others hold matrices."""
    a, b = together(x1, x2)
    if b.array.ndim == 1:
        column = raw("unsqueeze")(b, -1)
        return raw("squeeze")(raw("solve")(a, _batched(column, a), True), -1)
    lead = max(a.array.ndim, b.array.ndim)
    return raw("solve")(*(_leading(x, lead) for x in (a, b)), True)


def _leading(x: Tensor, ndim: int) -> Tensor:
    """Sides of 1 in front, so that torch cannot take a stack of matrices for one of vectors."""
    missing = ndim - x.array.ndim
    return x if missing <= 0 else raw("reshape")(x, (1,) * missing + tuple(x.array.shape))


def _batched(column: Tensor, a: Tensor) -> Tensor:
    return _leading(column, a.array.ndim)


@standard
def svd(x: Tensor, /, *, full_matrices: bool = True) -> Any:
    """(U, S, Vh) with x = U diag(S) Vh."""
    return _table["svd"](x, full_matrices)


@standard
def svdvals(x: Tensor, /) -> Tensor:
    """The singular values, in descending order."""
    return _table["svdvals"](x)


@standard
def trace(x: Tensor, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """The sums of the diagonals of the last two dimensions."""
    held = x if dtype is None else cast(x, as_dtype(dtype))
    return _sum(diagonal(held, offset=offset), axis=-1, dtype=dtype)


@standard
def vector_norm(
    x: Tensor,
    /,
    *,
    axis: Any = None,
    keepdims: bool = False,
    ord: float = 2,
) -> Tensor:
    """The p-norms of vectors along `axis` (all elements by default); ±inf and 0 included."""
    if axis is None:
        axis = tuple(range(x.array.ndim))
    elif isinstance(axis, int):
        axis = (axis,)
    if x.array.ndim == 0 or (isinstance(axis, tuple) and not axis):
        size = raw("abs")(x)
        if ord == 0:
            return cast(raw("ne")(size, 0), size.dtype)
        return size
    return _table["vector_norm"](x, ord if not math.isnan(ord) else 2, tuple(axis), keepdims)


__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm",
    "matrix_power", "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve",
    "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip
