"""LU and Cholesky factors put to use, and linear algebra's older names at the top level."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.arrays import to_numpy
from workbench.ops.lu import zero_pivot
from workbench.ops.matrices import check_square

from .functions import function, raw
from .linalg_functions import adjoint, eye_like, named
from .tensor import Tensor, beside, wrap

_matmul, _transpose, _conj, _narrow = (raw(n) for n in ("matmul", "transpose", "conj", "narrow"))
_inv, _triangular = raw("inv"), raw("solve_triangular")
_conj_transpose = adjoint


@function("linalg", method=False)
def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:
    """(LU, pivots) for `lu_solve`, of (*, m, n): L below the diagonal (its own is 1), U above.

    Raises RuntimeError for a zero pivot.
    """
    LU, pivots, info = raw("lu_factor_ex")(A, pivot)
    if info.array.any():
        first = int(info.array[info.array != 0].reshape(-1)[0])
        raise RuntimeError(zero_pivot("lu_factor", first))
    return named("linalg_lu_factor", LU=LU, pivots=pivots)


def _row_order(pivots: np.ndarray, m: int) -> np.ndarray:
    """Where each row of L U comes from, by LAPACK's exchanges."""
    lead = pivots.shape[:-1]
    count = math.prod(lead)
    order = np.tile(np.arange(m), (count, 1))
    each = np.arange(count)
    for j, row in enumerate(pivots.reshape(count, -1).T):
        held = order[each, row - 1].copy()
        order[each, row - 1] = order[:, j]
        order[:, j] = held
    return order.reshape(*lead, m)


def _unpacked(LU: Tensor, m: int, n: int) -> tuple[Tensor, Tensor]:
    k = min(m, n)
    left = LU if n == k else _narrow(LU, -1, 0, k)
    unit = np.zeros(left.array.shape, left.array.dtype)
    unit[..., np.arange(k), np.arange(k)] = 1
    L = raw("tril")(left, -1) + beside(LU, unit)
    U = raw("triu")(LU if m == k else _narrow(LU, -2, 0, k), 0)
    return L, U


@function(method=False)
def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True
) -> Any:
    """(P, L, U) from what `lu_factor` returns; parts not asked for are empty."""
    m, n = LU_data.array.shape[-2:]
    none = beside(LU_data, np.zeros(0, LU_data.array.dtype))
    P = L = U = none
    if unpack_pivots:
        order = _row_order(to_numpy(LU_pivots.array), m)
        unit = np.eye(m, dtype=LU_data.array.dtype)[order].swapaxes(-1, -2)
        P = beside(LU_data, np.ascontiguousarray(unit))
    if unpack_data:
        L, U = _unpacked(LU_data, m, n)
    return named("lu_unpack", P=P, L=L, U=U)


@function("linalg", method=False)
def lu(A: Tensor, *, pivot: bool = True) -> Any:
    """(P, L, U) with A = P L U, of (*, m, n)."""
    LU, pivots, _ = raw("lu_factor_ex")(A, pivot)
    return named("linalg_lu", **lu_unpack(LU, pivots)._asdict())


@function("linalg", method=False)
def lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False
) -> Tensor:
    """X with A X = B (X A = B where not `left`; Aᴴ where `adjoint`) from A's `lu_factor`.

    Raises RuntimeError for shapes that do not fit.
    """
    check_square("lu_solve", LU.array)
    n = LU.array.shape[-1]
    if B.array.ndim < 2 or B.array.shape[-2 if left else -1] != n:
        raise RuntimeError(
            f"linalg.lu_solve: Incompatible shapes of A and B: ({n}x{n}) and {list(B.array.shape)}"
        )
    if not left:  # X A = B is Aᵀ Xᵀ = Bᵀ, with conjugates that cancel
        made = lu_solve(LU, pivots, _conj(_transpose(B, -2, -1)), adjoint=not adjoint)
        return _conj(_transpose(made, -2, -1))
    P, L, U = lu_unpack(LU, pivots)
    turn = _conj_transpose
    if adjoint:
        made = _triangular(turn(L), _triangular(turn(U), B, False), True, True, True)
        return _matmul(P, made)
    made = _triangular(L, _matmul(_transpose(P, -2, -1), B), False, True, True)
    return _triangular(U, made, True)


@function("", "lu_solve")
def top_lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """X with A X = b from A's LU factors (`linalg.lu_solve` with the arguments turned round)."""
    return lu_solve(LU_data, LU_pivots, b)


@function("", "lu")
def top_lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> Any:
    """(LU, pivots), and info where `get_infos`; `linalg.lu_factor` is its successor."""
    LU, pivots, info = raw("lu_factor_ex")(A, pivot)
    return (LU, pivots, info) if get_infos else (LU, pivots)


# -- Cholesky --------------------------------------------------------------------------------------


@function()
def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X with A X = `input`, from A's Cholesky factor L."""
    first, second = (adjoint(L), L) if upper else (L, adjoint(L))
    return _triangular(second, _triangular(first, input, False), True)


@function()
def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    """The inverse of A, from its Cholesky factor."""
    return cholesky_solve(eye_like(input.array.shape[-1], input), input, upper)


@function("", "cholesky")
def top_cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """`linalg.cholesky` under its older name."""
    return raw("cholesky")(input, upper)


# -- other older names -----------------------------------------------------------------------------


@function("", "svd")
def top_svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """(U, S, V) with A = U diag(S) Vᴴ; `linalg.svd` returns Vᴴ."""
    U, S, Vh = raw("svd")(input, not some)
    if not compute_uv:
        U, Vh = wrap(np.zeros_like(U.array)), wrap(np.zeros_like(Vh.array))
    return named("svd", U=U, S=S, V=adjoint(Vh))


@function("", "qr")
def top_qr(input: Tensor, some: bool = True) -> Any:
    """(Q, R), reduced where `some`."""
    Q, R = raw("qr")(input, "reduced" if some else "complete")
    return named("qr", Q=Q, R=R)


@function()
def triangular_solve(
    b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Any:
    """(solution, cloned_coefficient) of A X = b (Aᵀ X = b where `transpose`)."""
    turned = _transpose(A, -2, -1) if transpose else A
    made = _triangular(turned, b, upper != transpose, True, unitriangular)
    return named("triangular_solve", solution=made, cloned_coefficient=raw("clone")(A))


function("", "inverse")(_inv)
function("linalg", "inverse", method=False)(_inv)
function("", "det")(raw("det"))
function("", "slogdet")(raw("slogdet"))
function("", "matrix_exp")(raw("matrix_exp"))


@function()
def logdet(input: Tensor) -> Tensor:
    """log det of square matrices: nan where a real determinant is negative, -inf where it is 0."""
    sign, logabs = raw("slogdet")(input)
    if sign.array.dtype.kind == "c":
        return logabs + raw("log")(sign)
    return raw("where")(sign == -1, wrap(np.full_like(logabs.array, math.nan)), logabs)
