"""LU factorisation with partial pivoting, in blocks of columns.

NumPy has none, and SciPy is no dependency: the panels are eliminated column by column (vectorised
over batch and trailing block), the rest by matrix products (G. H. Golub and C. F. Van Loan, Matrix
Computations, 3.2 and 3.4). Gradient formulas as in S. F. Walter and L. Lehmann, "Algorithmic
differentiation of linear algebra functions" (2010), for square, tall and wide matrices.
"""

from __future__ import annotations

import math

import numpy as np

from .declare import op
from .matrices import adjoint, check_matrix, taken, well
from .samples import Sample

_BLOCK = 32


def _weight(column):
    """What the pivot is the largest of: LAPACK's |re| + |im| for complex numbers."""
    return abs(column.real) + abs(column.imag) if column.dtype.kind == "c" else abs(column)


def factor(xp, A, pivot):
    """L and U in one matrix, the pivots (from 1, int32, one per column) and the row order."""
    *lead, m, n = A.shape
    count, k = math.prod(lead), min(m, n)
    work = A.reshape(count, m, n).copy()
    pivots = xp.zeros((count, k), np.int32)
    order = xp.tile(xp.arange(m), (count, 1))
    each = xp.arange(count)
    with np.errstate(all="ignore"):
        for start in range(0, k, _BLOCK):
            stop = min(start + _BLOCK, k)
            for j in range(start, stop):
                row = j + _weight(work[:, j:, j]).argmax(axis=1) if pivot else xp.full(count, j)
                pivots[:, j] = row + 1
                if pivot:
                    held = work[each, row].copy()
                    work[each, row] = work[:, j]
                    work[:, j] = held
                    held = order[each, row].copy()
                    order[each, row] = order[:, j]
                    order[:, j] = held
                top = work[:, j, j]
                safe = xp.where(top == 0, 1, top)  # a column of zeros stays as it is
                work[:, j + 1 :, j] /= safe[:, None]
                work[:, j + 1 :, j + 1 : stop] -= (
                    work[:, j + 1 :, j, None] * work[:, None, j, j + 1 : stop]
                )
            if stop < n:
                lower = xp.tril(work[:, start:stop, start:stop], -1) + xp.eye(
                    stop - start, dtype=work.dtype
                )
                work[:, start:stop, stop:] = xp.linalg.solve(lower, work[:, start:stop, stop:])
                work[:, stop:, stop:] -= work[:, stop:, start:stop] @ work[:, start:stop, stop:]
    return (
        work.reshape(*lead, m, n),
        pivots.reshape(*lead, k),
        order.reshape(*lead, m),
    )


def permutation(xp, order, dtype):
    """The matrix P with P L U = A, from the row order."""
    m = order.shape[-1]
    return xp.swapaxes(xp.eye(m, dtype=dtype)[order], -1, -2)


def _shape(A):
    lead, k = A[:-2], min(A[-2:])
    return A, (*lead, k), lead


def _samples(make):
    yield Sample(well(make, 3, 3))
    yield Sample(well(make, 2, 4, 4)[..., :2].copy())
    yield Sample(well(make, 2, 4, 4)[..., :2, :].copy())
    yield Sample(well(make, 3, 3), pivot=True)
    yield Sample(well(make, 1, 1))
    yield Sample(np.asarray(make(3, 3)).T)
    for shape in taken(make, (0, 3, 3), (2, 0)):
        yield Sample(np.asarray(make(*shape)))


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    returns=("LU", "pivots", "info"),
    differentiable=("LU",),
    aux=("P",),
    shape=_shape,
    samples=_samples,
)
def lu_factor_ex(xp, A, /, pivot=True, check_errors=False):
    """LU packed in one matrix, pivots (from 1, int32) and, per matrix, the first zero pivot (or 0).

    `A` is (*, m, n). Raises LinAlgError for a zero pivot where `check_errors`.
    """
    check_matrix("lu_factor_ex", A)
    packed, pivots, order = factor(xp, A, pivot)
    zero = xp.diagonal(packed, 0, -2, -1) == 0
    first = zero.argmax(axis=-1) + 1 if zero.shape[-1] else xp.zeros(A.shape[:-2], np.int64)
    info = xp.where(zero.any(axis=-1), first, 0).astype(np.int32)
    if check_errors and info.any():
        raise RuntimeError(zero_pivot("lu_factor_ex", int(info[info != 0].reshape(-1)[0])))
    return packed, pivots, info, permutation(xp, order, A.dtype)


def zero_pivot(name, k):
    """The message for a zero pivot in column `k`."""
    return (
        f"linalg.{name}: U[{k},{k}] is zero and using it on lu_solve would result in a division by "
        "zero. If you still want to perform the factorization, consider calling linalg.lu(A, "
        "pivot) or linalg.lu_factor_ex(A, pivot)"
    )


def _rule(F, g, LU, P):
    m, n = LU.shape[-2:]
    k = min(m, n)
    corner = F.narrow(F.narrow(LU, -2, 0, k), -1, 0, k)
    Lh, Uh = adjoint(F, corner), adjoint(F, corner)  # read as unit upper and as lower triangular
    unit = F.tril(corner, -1) + F.matrix_diag(F.matrix_diagonal(corner) * 0 + 1)
    gk = F.narrow(F.narrow(g, -2, 0, k), -1, 0, k)
    below = F.matmul(adjoint(F, unit), F.tril(gk, -1))
    above = F.matmul(F.triu(gk), adjoint(F, F.triu(corner)))
    rest = None
    if m < n:
        gU2, U2 = F.narrow(g, -1, k, n - k), F.narrow(LU, -1, k, n - k)
        below = below - F.matmul(gU2, adjoint(F, U2))
        rest = F.solve_triangular(Lh, gU2, True, True, True)
    elif m > n:
        gL2, L2 = F.narrow(g, -2, k, m - k), F.narrow(LU, -2, k, m - k)
        above = above - F.matmul(adjoint(F, L2), gL2)
        rest = F.solve_triangular(Uh, gL2, False, False)
    middle = F.tril(below, -1) + F.triu(above)
    out = F.solve_triangular(Lh, middle, True, True, True)
    out = F.solve_triangular(Uh, out, False, False)
    if rest is not None:
        out = F.cat([out, rest], -1 if m < n else -2)
    return F.matmul(P, out)


lu_factor_ex.vjp(A=_rule)
