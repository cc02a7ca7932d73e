"""torch.linalg's norms, and the condition number."""

from __future__ import annotations

import math
from typing import Any

from workbench.arrays import as_dtype
from workbench.ops.matrices import check_square

from .functions import function, raw
from .linalg_functions import inv_ex
from .tensor import Tensor, wrap
from .transfer import cast_to

_narrow, _unsqueeze = raw("narrow"), raw("unsqueeze")
_vector_norm = raw("vector_norm")


def _in_dtype(name: str, x: Tensor, dtype: Any) -> Tensor:
    """`x` in `dtype` before a norm is taken; integers are refused."""
    if dtype is None:
        if x.array.dtype.kind in "bui":
            raise RuntimeError(
                f"linalg.{name}: Expected a floating point or complex tensor as input. Got "
                f"{x.dtype.name}; convert it with .float()"
            )
        return x
    wanted = as_dtype(dtype)
    if wanted.category < x.dtype.category or wanted.category < 2:
        raise RuntimeError(
            f"linalg.{name}: the dtype of the input ({x.dtype.name}) should be convertible without "
            f"narrowing to the specified dtype ({wanted.name})"
        )
    return cast_to(x, wanted.numpy)


@function("linalg", "vector_norm", method=False)
def vector_norm(
    x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:  # fmt: skip
    """(Σ |x|^ord)^(1/ord) over `dim` (all by default), real.

    `ord`: a number; inf and -inf the largest and the smallest |x|, 0 how many are not zero. Raises
    RuntimeError for integers, and where there is nothing to take the largest or smallest of.
    """
    return _vector_norm(_in_dtype("vector_norm", x, dtype), ord, dim, keepdim)


_ORDERS = ("fro", "nuc", math.inf, -math.inf, 1, -1, 2, -2)


@function("linalg", method=False)
def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Norms of matrices: "fro", "nuc" (Σ singular values), ±2 (the extreme ones), ±1, ±inf.

    Raises RuntimeError for other orders and for `dim` that does not name two dimensions.
    """
    A = _in_dtype("matrix_norm", A, dtype)
    dims = tuple(dim)
    ndim = A.array.ndim
    if ndim < 2:
        raise RuntimeError(
            f"linalg.matrix_norm: The input tensor A must have at least 2 dimensions; got {ndim}"
        )
    if len(dims) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {list(dims)}")
    for d in dims:
        if not -ndim <= d < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but "
                f"got {d})"
            )
    row, column = (d % ndim for d in dims)
    if row == column:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got {dims}")
    if ord not in _ORDERS:
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    if ord == "fro":
        return _vector_norm(A, 2, (row, column), keepdim)
    if ord in (2, -2, "nuc"):
        if A.dtype.itemsize < 4:
            raise RuntimeError(
                f"linalg.matrix_norm: Low precision dtypes not supported. Got {A.dtype.name}"
            )
        order = [d for d in range(ndim) if d not in (row, column)] + [row, column]
        values = raw("svdvals")(raw("permute")(A, tuple(order)))
        if ord == "nuc":
            out = raw("sum")(values, (-1,), False)
        else:
            out = raw("amax" if ord == 2 else "amin")(values, (-1,), False)
    else:
        summed, picked = (row, column) if abs(ord) == 1 else (column, row)
        sums = _vector_norm(A, 1, (summed,), True)
        out = raw("amax" if ord > 0 else "amin")(sums, (picked,), True)
        out = raw("squeeze")(out, (row, column))
    if keepdim:
        for d in sorted((row, column)):
            out = _unsqueeze(out, d)
    return out


@function("linalg", "norm", method=False)
def linalg_norm(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """A vector or a matrix norm: of matrices where `dim` names two dimensions or A is 2-d.

    Without `ord`, the Euclidean norm of all elements.
    """
    if dim is not None and not isinstance(dim, int):
        dim = tuple(dim)
        if len(dim) > 2:
            raise RuntimeError(
                f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dim)}"
            )
    elif dim is None and ord is not None and A.array.ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{A.array.ndim}D."
        )
    if ord is not None and (
        (isinstance(dim, tuple) and len(dim) == 2) or (dim is None and A.array.ndim == 2)
    ):
        return matrix_norm(A, ord, (0, 1) if dim is None else dim, keepdim, dtype=dtype)
    if isinstance(ord, str):
        raise RuntimeError(f"linalg.norm: order '{ord}' is for matrices; give two dims")
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


@function("linalg", method=False)
def cond(A: Tensor, p: Any = None) -> Tensor:
    """‖A‖ · ‖A⁻¹‖ in the norm `p` (2 by default: the quotient of the extreme singular values).

    inf for singular matrices.
    """
    if p in (None, 2, -2):
        values = raw("svdvals")(A)
        top, low = _narrow(values, -1, 0, 1), _narrow(values, -1, values.array.shape[-1] - 1, 1)
        return raw("squeeze")(top / low if p != -2 else low / top, (-1,))
    check_square("cond", A.array)
    inverse, info = inv_ex(A)
    out = matrix_norm(A, p) * matrix_norm(inverse, p)
    if info.array.any():
        bad = wrap(info.array != 0)
        out = raw("where")(bad, out * 0 + math.inf, out)
        out.array[info.array != 0] = math.inf
    return out
